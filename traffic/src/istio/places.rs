//! Which routes of a VirtualService are split.

use super::sides::{Sides, name};
use crds::rollout::traffic::IstioVirtualService;
use serde_json::Value;
use std::collections::BTreeSet;

/// Section of HTTP routes.
pub(super) const HTTP: &str = "http";
const TLS: &str = "tls";
const TCP: &str = "tcp";
/// Stands for a port that is not written.
const ANY_PORT: i64 = 0;

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The section below `spec`.
    pub(super) section: &'static str,
    /// Its index there.
    pub(super) index: usize,
}

impl Place {
    /// As a user finds it.
    pub(super) fn path(self) -> String {
        format!("spec.{}[{}]", self.section, self.index)
    }

    /// Its destinations.
    pub(super) fn destinations(self, value: &Value) -> &[Value] {
        section(value, self.section).get(self.index).map_or(&[], destinations)
    }

    /// Replaces its destinations.
    pub(super) fn replace(self, value: &mut Value, destinations: Vec<Value>) {
        if let Some(slot) = value.pointer_mut(&format!("/spec/{}/{}/route", self.section, self.index)) {
            *slot = Value::Array(destinations);
        }
    }
}

/// The destinations of a route.
pub(super) fn destinations(route: &Value) -> &[Value] {
    route.get("route").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The routes of a section; none where it is missing.
pub(super) fn section<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let routes = value.get("spec").and_then(|spec| spec.get(name));
    routes.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The routes that are split; those of HTTP first, in the order in which they are named.
///
/// PARITY: what is said about a section that the VirtualService does not have is not looked at.
pub(super) fn places(
    value: &Value,
    entry: &IstioVirtualService,
    sides: &Sides,
) -> Result<Vec<Place>, String> {
    let tls = entry.tls_routes.iter().flatten();
    let tls: Vec<_> =
        tls.map(|route| (route.port, hosts(route.sni_hosts.as_deref().unwrap_or_default()))).collect();
    let tcp: Vec<_> = entry.tcp_routes.iter().flatten().map(|route| (route.port, BTreeSet::new())).collect();
    let found = [
        (HTTP, http(section(value, HTTP), entry.routes.as_deref().unwrap_or_default(), sides)?),
        (TLS, matched(section(value, TLS), &tls, TLS)?),
        (TCP, matched(section(value, TCP), &tcp, TCP)?),
    ];
    let places =
        |(section, indexes): (_, Vec<usize>)| indexes.into_iter().map(move |index| Place { section, index });
    Ok(found.into_iter().flat_map(places).collect())
}

/// HTTP routes are found by name. Without names there may be only one beside the managed ones.
fn http(routes: &[Value], names: &[String], sides: &Sides) -> Result<Vec<usize>, String> {
    let own: Vec<(usize, &str)> =
        routes.iter().map(name).enumerate().filter(|(_, name)| !sides.is_managed(name)).collect();
    if names.is_empty() {
        let ([] | [_]) = own.as_slice() else { return Err(ambiguous(HTTP, own.len(), "routes")) };
        return Ok(own.into_iter().map(|(index, _)| index).collect());
    }
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    let find = |wanted: &String| {
        let found = own.iter().find(|(_, name)| name == wanted).map(|(index, _)| *index);
        found.ok_or_else(|| {
            if sides.is_managed(wanted) {
                return format!(
                    "HTTP Route '{wanted}' stands in managedRoutes, too, and those come and go: take it out of one list"
                );
            }
            format!("HTTP Route '{wanted}' is not found: name a route of spec.http so, or name another in the Rollout")
        })
    };
    names.iter().map(find).collect()
}

/// Other routes are found by what they match: one port, and exactly the SNI hosts (none in TCP).
fn matched(
    routes: &[Value],
    wanted: &[(Option<i64>, BTreeSet<&str>)],
    section: &'static str,
) -> Result<Vec<usize>, String> {
    if wanted.is_empty() {
        let ([] | [_]) = routes else {
            return Err(ambiguous(section, routes.len(), &format!("{section}Routes")));
        };
        return Ok((0..routes.len()).collect());
    }
    let mut found = Vec::new();
    for (port, hosts) in wanted.iter().filter(|_| !routes.is_empty()) {
        let port = port.unwrap_or(ANY_PORT);
        let fits = |route: &Value| only_port(route) == Some(port) && (section == TCP || sni(route) == *hosts);
        let before = found.len();
        found.extend(routes.iter().enumerate().filter(|(_, route)| fits(route)).map(|(index, _)| index));
        if found.len() == before {
            let hosts = if section == TCP { String::new() } else { format!(" and SNI hosts {hosts:?}") };
            return Err(format!(
                "no route of spec.{section} matches port {port}{hosts} and no more: mend it, or the Rollout"
            ));
        }
    }
    Ok(found)
}

fn ambiguous(section: &str, count: usize, field: &str) -> String {
    format!(
        "spec.{section} has {count} routes that could be split: say which in {field} of the Rollout's VirtualService"
    )
}

fn conditions(route: &Value) -> &[Value] {
    route.get("match").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The one port that a route matches, if it is one.
fn only_port(route: &Value) -> Option<i64> {
    let port = |condition: &Value| condition.get("port").and_then(Value::as_i64).unwrap_or(ANY_PORT);
    let ports: BTreeSet<i64> = conditions(route).iter().map(port).collect();
    (ports.len() <= 1).then(|| ports.first().copied().unwrap_or(ANY_PORT))
}

fn sni(route: &Value) -> BTreeSet<&str> {
    let lists =
        conditions(route).iter().filter_map(|condition| condition.get("sniHosts").and_then(Value::as_array));
    lists.flatten().filter_map(Value::as_str).collect()
}

fn hosts(hosts: &[String]) -> BTreeSet<&str> {
    hosts.iter().map(String::as_str).collect()
}
