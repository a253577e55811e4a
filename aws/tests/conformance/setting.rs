//! What the tests stand on: settings without a process environment, a time, and a small account.

use crate::server::elbv2::{Account, Group, Listener, LoadBalancer, Rule, Target};
use crate::server::{Key, Server};
use aws::{Client, Environment};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const DNS_NAME: &str = "k8s-shop-web-1.eu-central-1.elb.amazonaws.com";

/// Variables and files that a test can change.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    vars: Mutex<BTreeMap<String, String>>,
    files: Mutex<BTreeMap<String, String>>,
}

impl Settings {
    pub(crate) fn new(vars: &[(&str, &str)]) -> Arc<Self> {
        let settings = Self::default();
        for (name, value) in vars {
            settings.set(name, value);
        }
        Arc::new(settings)
    }

    /// With keys and a region.
    pub(crate) fn with_keys() -> Arc<Self> {
        Self::new(&[("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_REGION", REGION)])
    }

    pub(crate) fn set(&self, name: &str, value: &str) {
        self.vars.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.files.lock().unwrap().insert(path.to_owned(), text.to_owned());
    }
}

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.lock().unwrap().get(name).cloned()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.files.lock().unwrap().get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

/// When the tests begin.
pub(crate) fn begin() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// An ARN of the account.
pub(crate) fn arn(rest: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{REGION}:123456789012:{rest}")
}

/// The ARN of the target group of that name.
pub(crate) fn group_arn(name: &str) -> String {
    arn(&format!("targetgroup/{name}/0123456789abcdef"))
}

/// The id of the target group of a Service of the Ingress.
pub(crate) fn id(service: &str) -> aws::ResourceId {
    aws::ResourceId::new("shop", "web", service, "80")
}

/// A target group for each of the Services, marked with its resource id.
pub(crate) fn group(service: &str) -> Group {
    Group {
        arn: group_arn(service),
        name: service.to_owned(),
        tags: vec![
            ("elbv2.k8s.aws/cluster".to_owned(), "<prod> & more".to_owned()),
            ("ingress.k8s.aws/resource".to_owned(), id(service).0),
        ],
        targets: Vec::new(),
    }
}

/// A target of a target group of the type `ip`.
pub(crate) fn target(ip: &str, port: u16, state: &str) -> Target {
    Target { id: ip.to_owned(), port, state: state.to_owned(), reason: None }
}

/// A rule that forwards to target groups by name with weights.
pub(crate) fn rule(number: usize, weights: &[(&str, u32)]) -> Rule {
    let forward = weights.iter().map(|(name, weight)| (group_arn(name), *weight)).collect();
    Rule { arn: arn(&format!("listener-rule/app/web/1/2/{number}")), forward }
}

/// An account with one load balancer for the Ingress `shop/web`, and rules for `stable` and `canary`.
pub(crate) fn account(rules: Vec<Rule>) -> Account {
    let listener = Listener { arn: arn("listener/app/web/1/2"), port: 80, rules };
    Account {
        load_balancers: vec![LoadBalancer {
            arn: arn("loadbalancer/app/web/1"),
            name: "k8s-shop-web".to_owned(),
            dns_name: DNS_NAME.to_owned(),
            groups: vec![group("stable"), group("canary")],
            listeners: vec![listener],
        }],
    }
}

/// A server that knows the keys, and a client that has them.
pub(crate) fn met(account: Account) -> (Server, Client) {
    let server = Server::new(begin(), account);
    server.knows(KEY_ID, Key { secret: SECRET.to_owned(), token: None, expires: None });
    let client = Client::new(Settings::with_keys(), server.executor());
    (server, client)
}
