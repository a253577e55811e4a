//! The router's configuration, as the plugin `argoproj-labs/gatewayAPI` of Argo Rollouts takes it.

use super::label::Label;
use crate::object::{GRPC_ROUTE as GRPC, HTTP_ROUTE as HTTP, TCP_ROUTE as TCP, TLS_ROUTE as TLS};
use crate::{Kind, Reference};
use planner::traffic::Route;
use serde_json::{Map, Value};

/// The keys of one kind of routes, in the order in which the plugin takes the kinds.
const KEYS: [Keys; 4] = [
    Keys {
        kind: HTTP,
        one: "httpRoute",
        many: "httpRoutes",
        rule: "httpRouteRuleName",
        selector: "httpRouteSelector",
    },
    Keys {
        kind: GRPC,
        one: "grpcRoute",
        many: "grpcRoutes",
        rule: "grpcRouteRuleName",
        selector: "grpcRouteSelector",
    },
    Keys {
        kind: TCP,
        one: "tcpRoute",
        many: "tcpRoutes",
        rule: "tcpRouteRuleName",
        selector: "tcpRouteSelector",
    },
    Keys {
        kind: TLS,
        one: "tlsRoute",
        many: "tlsRoutes",
        rule: "tlsRouteRuleName",
        selector: "tlsRouteSelector",
    },
];

/// The keys that are not of one kind. `configMap` says where older plugins kept their books, and `mirrorMode` how they
/// mirror: both are taken and mean nothing here.
const COMMON: [&str; 7] = [
    "namespace",
    "configMap",
    "disableInProgressLabel",
    "inProgressLabelKey",
    "inProgressLabelValue",
    "activeRolloutsAnnotationKey",
    "mirrorMode",
];

struct Keys {
    kind: Kind,
    one: &'static str,
    many: &'static str,
    rule: &'static str,
    selector: &'static str,
}

/// What to edit.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// The routes, in the order in which they are edited.
    pub(super) targets: Vec<Target>,
    /// Where they are.
    pub(super) namespace: String,
    /// The label of routes in progress; none where it is switched off.
    pub(super) label: Option<Label>,
}

/// One route.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Which.
    pub(super) reference: Reference,
    /// Whether it takes header routes.
    pub(super) header_routes: bool,
    /// Names of the rules that are split; all where it is empty.
    pub(super) rules: Vec<String>,
}

impl Target {
    /// Whether a managed route becomes rules of this route.
    pub(super) fn takes(&self, route: &Route) -> bool {
        let http = self.reference.kind == HTTP;
        match route {
            Route::Header { .. } => self.header_routes && (http || self.reference.kind == GRPC),
            // PARITY: only an HTTPRoute mirrors, although a GRPCRoute has the filter.
            Route::Mirror { .. } => http,
        }
    }

    /// Whether it takes header routes.
    pub(super) fn headers(&self) -> bool {
        self.header_routes && (self.reference.kind == HTTP || self.reference.kind == GRPC)
    }

    /// Whether it mirrors.
    pub(super) fn mirrors(&self) -> bool {
        self.reference.kind == HTTP
    }

    /// Whether a rule may be split: the user can name the rules that are.
    pub(super) fn splits(&self, rule: &Value) -> bool {
        let name = rule.get("name").and_then(Value::as_str);
        self.rules.is_empty() || self.rules.iter().any(|wanted| Some(wanted.as_str()) == name)
    }
}

impl Config {
    /// Reads it. `home` is the Rollout's namespace; a `strict` configuration has no unknown keys.
    pub(super) fn read(value: &Value, home: &str, strict: bool) -> Result<Self, String> {
        let map = value.as_object().ok_or("must be an object")?;
        if strict && let Some(unknown) = map.keys().find(|key| !is_known(key)) {
            return Err(format!("unknown key {unknown:?}; take it out, or check its spelling"));
        }
        let namespace = text(map, "namespace")?.unwrap_or(home).to_owned();
        let mut targets = Vec::new();
        for keys in &KEYS {
            read_kind(map, keys, &namespace, &mut targets)?;
        }
        if targets.is_empty() {
            return Err(
                "names no route; set httpRoute, grpcRoute, tcpRoute or tlsRoute to the name of one, or \
                        httpRoutes, grpcRoutes, tcpRoutes or tlsRoutes to a list of objects with a name"
                    .to_owned(),
            );
        }
        let label = if flag(map, "disableInProgressLabel")? {
            None
        } else {
            Some(Label::new(
                text(map, "inProgressLabelKey")?,
                text(map, "inProgressLabelValue")?,
                text(map, "activeRolloutsAnnotationKey")?,
            ))
        };
        Ok(Self { targets, namespace, label })
    }
}

fn is_known(key: &str) -> bool {
    let of_kinds = KEYS.iter().flat_map(|keys| [keys.one, keys.many, keys.rule, keys.selector]);
    of_kinds.chain(COMMON).any(|known| known.eq_ignore_ascii_case(key))
}

/// The routes of one kind: those of the list, then the single one.
fn read_kind(
    map: &Map<String, Value>,
    keys: &Keys,
    namespace: &str,
    targets: &mut Vec<Target>,
) -> Result<(), String> {
    if field(map, keys.selector).is_some() {
        return Err(format!(
            "{}: routes cannot be found by labels yet; name them in {} instead",
            keys.selector, keys.many
        ));
    }
    let target = |name: &str, header_routes, rule: Option<&str>| Target {
        reference: Reference { kind: keys.kind, namespace: namespace.to_owned(), name: name.to_owned() },
        header_routes,
        rules: rule.map(str::to_owned).into_iter().collect(),
    };
    if let Some(list) = field(map, keys.many) {
        let list = list.as_array().ok_or_else(|| format!("{}: must be a list", keys.many))?;
        for (index, entry) in list.iter().enumerate() {
            let at = |what: String| format!("{}[{index}]: {what}", keys.many);
            let entry = entry.as_object().ok_or_else(|| at("must be an object with a name".to_owned()))?;
            let name = text(entry, "name").map_err(at)?.ok_or_else(|| at("has no name".to_owned()))?;
            let header_routes = flag(entry, "useHeaderRoutes").map_err(at)?;
            add(targets, target(name, header_routes, text(entry, "ruleName").map_err(at)?));
        }
    }
    if let Some(name) = text(map, keys.one)? {
        // PARITY: the single route takes header routes, those of a list only where they say so.
        add(targets, target(name, true, text(map, keys.rule)?));
    }
    Ok(())
}

/// A route that is named twice is one route with all that is said of it.
fn add(targets: &mut Vec<Target>, new: Target) {
    match targets.iter_mut().find(|target| target.reference == new.reference) {
        Some(target) => {
            target.header_routes |= new.header_routes;
            if target.rules.is_empty() || new.rules.is_empty() {
                target.rules.clear();
            } else {
                target.rules.extend(new.rules);
            }
        }
        None => targets.push(new),
    }
}

/// A field. PARITY: the plugin reads keys whatever their case.
fn field<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let alike = || map.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value);
    map.get(key).or_else(alike).filter(|value| !value.is_null())
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, String> {
    let Some(value) = field(map, key) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!("{key}: must be text"))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn flag(map: &Map<String, Value>, key: &str) -> Result<bool, String> {
    let Some(value) = field(map, key) else { return Ok(false) };
    value.as_bool().ok_or_else(|| format!("{key}: must be true or false"))
}
