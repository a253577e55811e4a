//! Rows of Ingresses and their classes.

use super::super::read::{NONE, Reader, first_few};
use super::{SHOWN, balancer};
use serde_json::Value;

/// Name, class, hosts, address, ports, age.
pub(in super::super) fn ingress(of: Reader<'_>) -> Vec<Value> {
    let hosts: Vec<String> =
        of.items("/spec/rules").filter_map(|rule| rule.text("/host").map(str::to_owned)).collect();
    let hosts = if hosts.is_empty() { "*".to_owned() } else { first_few(hosts, SHOWN, ",") };
    let ports = if of.count("/spec/tls") > 0 { "80, 443" } else { "80" };
    vec![
        of.name(),
        of.text_or("/spec/ingressClassName", NONE),
        hosts.into(),
        balancer(of).into(),
        ports.into(),
        of.age(),
    ]
}

/// Name, controller, parameters, age.
pub(in super::super) fn class(of: Reader<'_>) -> Vec<Value> {
    let parameters = of.text("/spec/parameters/kind").map_or(NONE.to_owned(), |kind| {
        let group = of.text("/spec/parameters/apiGroup").map(|group| format!(".{group}")).unwrap_or_default();
        format!("{kind}{group}/{}", of.text("/spec/parameters/name").unwrap_or_default())
    });
    vec![of.name(), of.text_or("/spec/controller", ""), parameters.into(), of.age()]
}
