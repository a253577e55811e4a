//! Rules of a route, and the `backendRefs` between which they split traffic.

use planner::traffic::{Intent, ObservedTraffic, Split};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The Services of a Rollout, by their roles now.
#[derive(Clone, Debug, Default)]
pub(super) struct Roles {
    pub(super) canary: String,
    pub(super) stable: String,
    /// The namespaces that a backend may name: the Rollout's and the route's.
    pub(super) namespaces: [String; 2],
}

impl Roles {
    pub(super) fn is_canary(&self, backend: &Value) -> bool {
        self.service(backend) == Some(&self.canary)
    }

    pub(super) fn is_stable(&self, backend: &Value) -> bool {
        self.service(backend) == Some(&self.stable)
    }

    /// The name of a backend in one of our namespaces. PARITY: whatever its kind, so that a Service's import into a fleet
    /// of clusters, which has the Service's name, counts as the Service.
    fn service<'a>(&self, backend: &'a Value) -> Option<&'a str> {
        let namespace = backend.get("namespace").and_then(Value::as_str);
        let is_ours = namespace.is_none_or(|namespace| self.namespaces.iter().any(|own| own == namespace));
        backend.get("name").and_then(Value::as_str).filter(|_| is_ours)
    }

    /// The name of a backend that is neither canary nor stable.
    fn other<'a>(&self, backend: &'a Value) -> Option<&'a str> {
        self.service(backend).filter(|name| *name != self.canary && *name != self.stable)
    }

    /// Whether a rule has both canary and stable.
    pub(super) fn both(&self, rule: &Value) -> bool {
        let backends = backends(rule);
        backends.iter().any(|backend| self.is_canary(backend))
            && backends.iter().any(|backend| self.is_stable(backend))
    }

    /// The canary's first backend in a rule.
    pub(super) fn canary_of<'a>(&self, rule: &'a Value) -> Option<&'a Value> {
        backends(rule).iter().find(|backend| self.is_canary(backend))
    }
}

/// The `backendRefs` of a rule.
pub(super) fn backends(rule: &Value) -> &[Value] {
    list(rule, "backendRefs")
}

/// A list in an object; empty where it is missing or something else.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The weights of a rule. A backend without one weighs 1, by the Gateway API. Backends that belong to nobody here do not
/// count.
pub(super) fn split(backends: &[Value], roles: &Roles, additional: &BTreeSet<String>) -> Split {
    let mut split = Split::default();
    for backend in backends {
        let weight = backend.get("weight").and_then(Value::as_i64).unwrap_or(1).max(0);
        if roles.is_canary(backend) {
            split.canary = split.canary.saturating_add(weight);
        } else if roles.is_stable(backend) {
            split.stable = split.stable.saturating_add(weight);
        } else if let Some(name) = roles.other(backend).filter(|name| additional.contains(*name)) {
            let sum = split.additional.entry(name.to_owned()).or_default();
            *sum = sum.saturating_add(weight);
        }
    }
    split
}

/// The Services of experiments that get something.
pub(super) fn additional(intent: &Intent) -> BTreeSet<String> {
    let shares = intent.additional.iter().filter(|share| share.weight > 0);
    shares.map(|share| share.service.clone()).collect()
}

/// Gives a rule the weights of an intent. `known` are the Services of experiments that were put in before; what is no
/// longer wanted of them is taken out.
///
/// PARITY: canary and stable get their weights of 100 (or `maxTrafficWeight`) beside the backends of others, which keep
/// theirs. To leave them a certain share, a user sets `maxTrafficWeight` to what remains. Whatever their weights, the
/// Rollout's own traffic is divided as its steps say, without rounding.
pub(super) fn divide(rule: &mut Value, roles: &Roles, intent: &Intent, known: &BTreeSet<String>) {
    let Some(backends) = rule.get_mut("backendRefs").and_then(Value::as_array_mut) else { return };
    let wanted = additional(intent);
    let mut seen = BTreeSet::new();
    backends.retain(|backend| match roles.other(backend) {
        Some(name) if wanted.contains(name) => seen.insert(name.to_owned()),
        Some(name) => !known.contains(name),
        None => true,
    });
    if shows(split(backends, roles, &wanted), intent) {
        return;
    }
    let shares = intent.split();
    let count = |is: &dyn Fn(&Value) -> bool| {
        i64::try_from(backends.iter().filter(|backend| is(backend)).count()).unwrap_or(1).max(1)
    };
    let canaries = count(&|backend| roles.is_canary(backend));
    let stables = count(&|backend| roles.is_stable(backend));
    // A Service may be there twice, say with two ports: its backends get the same weight each, as the plugin gives, and
    // together what the Service is to have. With as many of the one as of the other these are the plugin's numbers.
    let scale = canaries / divisor(canaries, stables) * stables;
    for backend in backends.iter_mut() {
        let weight = if roles.is_canary(backend) {
            shares.canary.saturating_mul(scale) / canaries
        } else if roles.is_stable(backend) {
            shares.stable.saturating_mul(scale) / stables
        } else if let Some(service) = roles.other(backend).filter(|name| wanted.contains(*name)) {
            shares.additional.get(service).copied().unwrap_or(0).saturating_mul(scale)
        } else {
            continue;
        };
        set(backend, "weight", json!(weight.max(0)));
    }
    // An experiment's pods serve what the canary's do: its backend is the canary's, with another name.
    let canary = backends.iter().find(|backend| roles.is_canary(backend)).cloned();
    for service in wanted.difference(&seen) {
        let Some(mut backend) = canary.clone() else { continue };
        let weight = shares.additional.get(service).copied().unwrap_or(0).saturating_mul(scale);
        set(&mut backend, "name", json!(service));
        set(&mut backend, "weight", json!(weight));
        backends.push(backend);
    }
}

fn shows(split: Split, intent: &Intent) -> bool {
    let routes = intent.routes.clone();
    ObservedTraffic { splits: vec![split], routes, ..ObservedTraffic::default() }.shows(intent)
}

fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.max(1) } else { divisor(b, a % b) }
}

/// Sets a field of an object.
pub(super) fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// Sets a field that is missing.
fn default(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.entry(key).or_insert(value);
    }
}

fn each(object: &mut Value, key: &str, change: impl Fn(&mut Value)) {
    for item in object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
        change(item);
    }
}

/// Matches with the defaults of the API server filled in, so that what was written can be told from what is stored.
pub(super) fn plain_matches(matches: &Value) -> Value {
    let mut plain = matches.clone();
    for item in plain.as_array_mut().into_iter().flatten() {
        default(item, "path", json!({"type": "PathPrefix", "value": "/"}));
        if let Some(path) = item.get_mut("path") {
            default(path, "type", json!("PathPrefix"));
            default(path, "value", json!("/"));
        }
        if let Some(method) = item.get_mut("method") {
            default(method, "type", json!("Exact"));
        }
        each(item, "headers", |header| default(header, "type", json!("Exact")));
        each(item, "queryParams", |query| default(query, "type", json!("Exact")));
    }
    plain
}

/// A rule with the defaults of the API server filled in, without its name.
pub(super) fn plain(rule: &Value) -> Value {
    let service = |backend: &mut Value| {
        default(backend, "group", json!(""));
        default(backend, "kind", json!("Service"));
    };
    let mut plain = rule.clone();
    if let Some(map) = plain.as_object_mut() {
        map.retain(|key, _| key != "name");
    }
    if let Some(matches) = plain.get_mut("matches") {
        *matches = plain_matches(matches);
    }
    each(&mut plain, "backendRefs", |backend| {
        service(backend);
        default(backend, "weight", json!(1));
    });
    each(&mut plain, "filters", |filter| {
        if let Some(backend) = filter.get_mut("requestMirror").and_then(|mirror| mirror.get_mut("backendRef"))
        {
            service(backend);
        }
    });
    plain
}

/// The fields of an object; none where it is something else.
pub(super) fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
