//! Managed routes as rules of a route: for every rule that is split, a rule that takes some of its requests.

use super::config::Target;
use super::matches::{Narrowing, narrowed};
use super::rule::{self, Roles, backends, list, set};
use planner::traffic::{Route, WHOLE_MIRROR_PERCENT};
use serde_json::{Value, json};

/// The longest name of a rule, by the Gateway API.
const LONGEST_NAME: usize = 253;

/// The rules of managed routes, in the order of the routes and then of the rules that they narrow down.
pub(super) fn rules(
    target: &Target,
    roles: &Roles,
    split: &[&Value],
    routes: &[Route],
) -> Result<Vec<Value>, String> {
    let mut made = Vec::new();
    for route in routes.iter().filter(|route| target.takes(route)) {
        let told = |what: String| format!("managed route {:?} {what}", route.name());
        let before = made.len();
        let ways = match route {
            Route::Header { matches, .. } => Narrowing::of_header(matches),
            Route::Mirror { matches, .. } => Narrowing::of_mirror(matches),
        };
        let ways = ways.map_err(told)?;
        for base in split {
            let matches = narrowed(base, &ways).map_err(told)?;
            if matches.is_empty() {
                continue;
            }
            let mut rule = match route {
                Route::Header { .. } => to_canary(base, roles),
                Route::Mirror { percentage, .. } => mirrored(base, roles, *percentage),
            };
            set(&mut rule, "matches", Value::Array(matches));
            name(&mut rule, route.name(), made.len().saturating_sub(before));
            made.push(rule);
        }
        if made.len() == before {
            return Err(told(
                "asks for requests that no rule with canary and stable takes; change what it \
                             matches, or the rules"
                    .to_owned(),
            ));
        }
    }
    Ok(made)
}

/// DIFFERS: a rule with all that the rule beneath it has, also timeouts, retries and what newer clusters know; the plugin
/// takes filters only. A request must not be treated otherwise because it goes to the canary.
fn to_canary(base: &Value, roles: &Roles) -> Value {
    let mut rule = base.clone();
    let mut canary = roles.canary_of(base).cloned().unwrap_or_default();
    set(&mut canary, "weight", json!(1));
    set(&mut rule, "backendRefs", json!([canary]));
    rule
}

/// The rule beneath with its weights, and a copy of each request for the canary.
fn mirrored(base: &Value, roles: &Roles, percentage: i32) -> Value {
    let mut rule = base.clone();
    let mut canary = roles.canary_of(base).map(rule::fields).unwrap_or_default();
    canary.retain(|key, _| key != "weight" && key != "filters");
    let mut mirror = json!({"backendRef": canary});
    // Left out where it means nothing: older clusters do not know it.
    if percentage != WHOLE_MIRROR_PERCENT {
        set(&mut mirror, "percent", json!(percentage));
    }
    let mut filters = list(base, "filters").to_vec();
    filters.push(json!({"type": "RequestMirror", "requestMirror": mirror}));
    set(&mut rule, "filters", Value::Array(filters));
    rule
}

/// Names a rule after its managed route, as the plugin does: names in a route are unique, so all but the first are
/// numbered. A name that the Gateway API does not allow is left out.
fn name(rule: &mut Value, route: &str, index: usize) {
    let name = if index == 0 { route.to_owned() } else { format!("{route}-{index}") };
    if let Some(map) = rule.as_object_mut() {
        map.retain(|key, _| key != "name");
        if is_allowed(&name) {
            map.insert("name".to_owned(), Value::String(name));
        }
    }
}

/// Whether a rule may have the name: a DNS subdomain.
fn is_allowed(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().copied().is_some_and(letter)
            && bytes.last().copied().is_some_and(letter)
            && bytes.iter().all(|byte| letter(*byte) || *byte == b'-')
    };
    name.len() <= LONGEST_NAME && name.split('.').all(label)
}

/// Whether a rule looks like one that is made here: all to one of our Services, or a copy for one of them.
pub(super) fn looks_managed(rule: &Value, roles: &Roles) -> bool {
    let ours = |backend: &Value| roles.is_canary(backend) || roles.is_stable(backend);
    let copies = |filter: &Value| {
        filter.get("requestMirror").and_then(|mirror| mirror.get("backendRef")).is_some_and(ours)
    };
    matches!(backends(rule), [only] if ours(only)) || list(rule, "filters").iter().any(copies)
}

/// What a rule is known by where it has no name: what it matches, its filters and its backends, without what changes or
/// what a cluster may drop.
pub(super) fn trace(rule: &Value) -> Value {
    let plain = rule::plain(&without_percent(rule));
    let names: Vec<&Value> = backends(&plain).iter().filter_map(|backend| backend.get("name")).collect();
    json!({"matches": list(&plain, "matches"), "filters": list(&plain, "filters"), "backends": names})
}

/// Whether a rule bears the name of a managed route, numbered or not.
pub(super) fn is_named(name: &str, route: &str) -> bool {
    let numbered = |rest: &str| {
        rest.strip_prefix('-')
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.strip_prefix(route).is_some_and(|rest| rest.is_empty() || numbered(rest))
}

/// Whether a stored rule is the one that was wanted. Its name may be missing: a cluster with older CRDs drops it.
pub(super) fn is_stored(wanted: &Value, stored: &Value) -> bool {
    let name = stored.get("name");
    (name.is_none() || name == wanted.get("name")) && rule::plain(wanted) == rule::plain(stored)
}

/// Whether a stored rule is the one that was wanted, but copies every request where a share was wanted.
pub(super) fn lacks_percent(wanted: &Value, stored: &Value) -> bool {
    !is_stored(wanted, stored) && is_stored(&without_percent(wanted), stored)
}

fn without_percent(rule: &Value) -> Value {
    let mut rule = rule.clone();
    let filters = rule.get_mut("filters").and_then(Value::as_array_mut);
    for mirror in filters.into_iter().flatten().filter_map(|filter| filter.get_mut("requestMirror")) {
        if let Some(mirror) = mirror.as_object_mut() {
            mirror.retain(|key, _| key != "percent");
        }
    }
    rule
}
