//! The server: hosts by name, and what each knows. It is a tower service, or speaks HTTP on loopback.

pub(crate) mod elbv2;
mod near;
pub(crate) mod signature;
mod sts;
mod xml;

use aws::http::{Executor, NoAnswer, Reach, Request, Response};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;

pub(crate) use near::{Agent, Instance};
pub(crate) use sts::Issuer;

/// A key that the server knows.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) expires: Option<DateTime<Utc>>,
}

/// A request as it came in; names of headers are in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) reach: Option<Reach>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The form of the body, decoded.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let pairs = self.body.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let plain = |text: &str| signature::decoded(&text.replace('+', " "));
                (plain(name), plain(value))
            })
            .collect()
    }
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn ok(body: String) -> Self {
        Self { status: 200, body }
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: xml::error(code, message) }
    }
}

/// What the server knows.
pub(crate) struct State {
    begin: DateTime<Utc>,
    since: Instant,
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) account: elbv2::Account,
    /// Most items of a page, where the request would take more.
    pub(crate) page_limit: usize,
    /// Answers that come before all others, one for each signed request.
    pub(crate) faults: VecDeque<(u16, &'static str)>,
    pub(crate) issuer: Option<Issuer>,
    pub(crate) agent: Option<Agent>,
    pub(crate) instance: Option<Instance>,
    heard: Vec<Heard>,
    issued: u32,
}

impl State {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.begin + TimeDelta::from_std(self.since.elapsed()).unwrap()
    }

    /// A new key that is lent for a while: its name, and what goes with it.
    pub(crate) fn lend(&mut self, for_how_long: TimeDelta) -> (String, Key) {
        self.issued += 1;
        let id = format!("ASIA{}", self.issued);
        let key = Key {
            secret: format!("secret/+{}", self.issued),
            token: Some(format!("token=={}", self.issued)),
            expires: Some(self.now() + for_how_long),
        };
        self.keys.insert(id.clone(), key.clone());
        (id, key)
    }
}

/// The server.
#[derive(Clone)]
pub(crate) struct Server(Arc<Mutex<State>>);

impl Server {
    pub(crate) fn new(begin: DateTime<Utc>, account: elbv2::Account) -> Self {
        Self(Arc::new(Mutex::new(State {
            begin,
            since: Instant::now(),
            keys: BTreeMap::new(),
            account,
            page_limit: 400,
            faults: VecDeque::new(),
            issuer: None,
            agent: None,
            instance: None,
            heard: Vec::new(),
            issued: 0,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn knows(&self, id: &str, key: Key) {
        self.state().keys.insert(id.to_owned(), key);
    }

    /// The time there.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.state().now()
    }

    /// Requests that came in to a host whose name begins so.
    pub(crate) fn heard(&self, host: &str) -> Vec<Heard> {
        self.state().heard.iter().filter(|heard| heard.host.starts_with(host)).cloned().collect()
    }

    /// Actions that Elastic Load Balancing was asked for, in order.
    pub(crate) fn actions(&self) -> Vec<String> {
        let heard = self.heard("elasticloadbalancing.");
        heard.iter().map(|heard| heard.form()[0].1.clone()).collect()
    }

    /// The executor that speaks to this server.
    pub(crate) fn executor(&self) -> Executor {
        let server = self.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request: Request| {
            let answer = server.answer(&heard(&request));
            async move {
                let answer = answer.ok_or_else(|| NoAnswer("no route to host".to_owned()))?;
                Ok(Response { status: answer.status, body: answer.body.into_bytes() })
            }
        }))
    }

    /// The answer to a request; none where no host of that name is.
    pub(crate) fn answer(&self, heard: &Heard) -> Option<Answer> {
        let mut state = self.state();
        state.heard.push(heard.clone());
        let is_near = !heard.host.ends_with("amazonaws.com") && !heard.host.starts_with("127.");
        if is_near && heard.reach == Some(Reach::Api) {
            return Some(Answer::error(502, "BadGateway", "a proxy cannot reach a link-local address"));
        }
        match heard.host.as_str() {
            "169.254.169.254" | "[fd00:ec2::254]" => near::instance(&mut state, heard),
            "169.254.170.2" | "169.254.170.23" => near::agent(&mut state, heard),
            host if host.starts_with("sts.") => sts::answer(&mut state, heard),
            host if host.starts_with("elasticloadbalancing.") || host.starts_with("127.0.0.1:") => {
                Some(elbv2::answer(&mut state, heard))
            }
            _ => None,
        }
    }
}

/// What a server would hear of a request.
pub(crate) fn heard(request: &Request) -> Heard {
    let url = reqwest::Url::parse(&request.url).unwrap();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap());
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    headers.push(("host".to_owned(), host.clone()));
    Heard {
        method: request.method.to_owned(),
        host,
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers,
        body: request.body.clone(),
        reach: Some(request.reach),
    }
}
