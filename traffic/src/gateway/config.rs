//! The router's configuration, as the plugin `argoproj-labs/gatewayAPI` of Argo Rollouts takes it.

use super::label::Label;
use super::selector;
use crate::object::{GRPC_ROUTE as GRPC, HTTP_ROUTE as HTTP, TCP_ROUTE as TCP, TLS_ROUTE as TLS};
use crate::selection::has_labels;
use crate::{Find, Kind, Problem, Reference, Selection};
use crds::LabelSelector;
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

/// The keys that are not of one kind. `configMap` says where older plugins kept their books, and means nothing here.
const COMMON: [&str; 7] = [
    "namespace",
    "configMap",
    "disableInProgressLabel",
    "inProgressLabelKey",
    "inProgressLabelValue",
    "activeRolloutsAnnotationKey",
    "mirrorMode",
];

/// How a mirror route is made, in the words of the plugin: by a filter in the rules that are split, or by a rule of its
/// own. DIFFERS: both are rules ahead of the others here. The filter copies every request of a rule, whatever the step's
/// `match` asks for, and who mirrors writes along may not want each of them twice.
const MIRROR_MODES: [&str; 2] = ["filter", "rule"];

struct Keys {
    kind: Kind,
    one: &'static str,
    many: &'static str,
    rule: &'static str,
    selector: &'static str,
}

/// Under which keys routes are named: their kind, the key of one name, the key of a list of objects with a `name`.
pub fn route_keys() -> impl Iterator<Item = (Kind, &'static str, &'static str)> {
    KEYS.iter().map(|keys| (keys.kind, keys.one, keys.many))
}

/// What to edit.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// The routes, in the order in which they are edited.
    pub(super) targets: Vec<Target>,
    /// What routes are found by, beside their names.
    pub(super) selections: Vec<Selection>,
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
    /// What it was found by; none where it is named.
    pub(super) selector: Option<LabelSelector>,
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

    /// Whether it is no more what it was found by: it is followed only until nothing of the Rollout is left in it.
    pub(super) fn leaves(&self, object: &Value) -> bool {
        self.selector.as_ref().is_some_and(|selector| !has_labels(object, selector))
    }

    /// Whether a rule may be split: the user can name the rules that are.
    pub(super) fn splits(&self, rule: &Value) -> bool {
        let name = rule.get("name").and_then(Value::as_str);
        self.rules.is_empty() || self.rules.iter().any(|wanted| Some(wanted.as_str()) == name)
    }
}

impl Config {
    /// Reads it, for the Rollout `name` in the namespace `home`; a `strict` configuration has no unknown keys.
    pub(super) fn read(
        value: &Value,
        (home, name): (&str, &str),
        strict: bool,
        find: Find<'_>,
    ) -> Result<Self, String> {
        let map = value.as_object().ok_or("must be an object")?;
        if strict && let Some(unknown) = map.keys().find(|key| !is_known(key)) {
            return Err(format!("unknown key {unknown:?}; take it out, or check its spelling"));
        }
        if let Some(mode) = text(map, "mirrorMode")?.filter(|mode| !MIRROR_MODES.contains(mode)) {
            return Err(format!("mirrorMode: must be {}, not {mode:?}", MIRROR_MODES.join(" or ")));
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
        let namespace = text(map, "namespace")?.unwrap_or(home).to_owned();
        let mut config = Self { targets: Vec::new(), selections: Vec::new(), namespace, label };
        for keys in &KEYS {
            config.read_kind(map, keys)?;
            config.select_kind(map, keys, &format!("{home}/{name}"), find)?;
        }
        if config.targets.is_empty() && config.selections.is_empty() {
            return Err(
                "names no route; set httpRoute, grpcRoute, tcpRoute or tlsRoute to the name of one, \
                        httpRoutes, grpcRoutes, tcpRoutes or tlsRoutes to a list of objects with a name, or \
                        httpRouteSelector, grpcRouteSelector, tcpRouteSelector or tlsRouteSelector to the labels that \
                        routes have"
                    .to_owned(),
            );
        }
        Ok(config)
    }

    /// The routes of one kind that are named: those of the list, then the single one.
    fn read_kind(&mut self, map: &Map<String, Value>, keys: &Keys) -> Result<(), String> {
        let namespace = self.namespace.clone();
        let target = |name: &str, header_routes, rule: Option<&str>| Target {
            reference: Reference { kind: keys.kind, namespace: namespace.clone(), name: name.to_owned() },
            header_routes,
            rules: rule.map(str::to_owned).into_iter().collect(),
            selector: None,
        };
        if let Some(list) = field(map, keys.many) {
            let list = list.as_array().ok_or_else(|| format!("{}: must be a list", keys.many))?;
            for (index, entry) in list.iter().enumerate() {
                let at = |what: String| format!("{}[{index}]: {what}", keys.many);
                let entry =
                    entry.as_object().ok_or_else(|| at("must be an object with a name".to_owned()))?;
                let name = text(entry, "name").map_err(at)?.ok_or_else(|| at("has no name".to_owned()))?;
                let header_routes = flag(entry, "useHeaderRoutes").map_err(at)?;
                self.add(target(name, header_routes, text(entry, "ruleName").map_err(at)?));
            }
        }
        if let Some(name) = text(map, keys.one)? {
            // PARITY: the single route takes header routes, those of a list only where they say so.
            self.add(target(name, true, text(map, keys.rule)?));
        }
        Ok(())
    }

    /// The routes of one kind that are found by their labels, by name. One that is named is as it is named.
    fn select_kind(
        &mut self,
        map: &Map<String, Value>,
        keys: &Keys,
        rollout: &str,
        find: Find<'_>,
    ) -> Result<(), String> {
        let Some(value) = field(map, keys.selector) else { return Ok(()) };
        let selection = Selection {
            kind: keys.kind,
            namespace: self.namespace.clone(),
            selector: selector::read(keys.selector, value)?,
            rollout: rollout.to_owned(),
            active: self.label.as_ref().map(|label| label.active().to_owned()),
        };
        let mut names = find(&selection);
        names.sort();
        for name in names {
            let reference = Reference { kind: keys.kind, namespace: self.namespace.clone(), name };
            if self.targets.iter().all(|target| target.reference != reference) {
                // PARITY: without header routes, as one in a list that does not ask for them.
                let selector = Some(selection.selector.clone());
                self.targets.push(Target { reference, header_routes: false, rules: Vec::new(), selector });
            }
        }
        self.selections.push(selection);
        Ok(())
    }

    /// A route that is named twice is one route with all that is said of it.
    fn add(&mut self, new: Target) {
        match self.targets.iter_mut().find(|target| target.reference == new.reference) {
            Some(target) => {
                target.header_routes |= new.header_routes;
                if target.rules.is_empty() || new.rules.is_empty() {
                    target.rules.clear();
                } else {
                    target.rules.extend(new.rules);
                }
            }
            None => self.targets.push(new),
        }
    }

    /// No route is named, and none is found.
    pub(super) fn unselected(&self) -> Problem {
        let field = |selection: &Selection| {
            KEYS.iter().find(|keys| keys.kind == selection.kind).map_or("", |keys| keys.selector)
        };
        let shown = |selection: &Selection| selector::shown(&selection.selector);
        let missing = |selection: &Selection| {
            let (kind, field, labels) = (selection.kind.kind, field(selection), shown(selection));
            format!("no {kind} in namespace {:?} has the labels of {field} ({labels})", self.namespace)
        };
        let first = self.selections.first();
        Problem::Unselected {
            kind: first.map_or("route", |selection| selection.kind.kind),
            field: first.map_or("", field),
            labels: first.map(shown).unwrap_or_default(),
            what: self.selections.iter().map(missing).collect::<Vec<_>>().join("; "),
        }
    }
}

fn is_known(key: &str) -> bool {
    let of_kinds = KEYS.iter().flat_map(|keys| [keys.one, keys.many, keys.rule, keys.selector]);
    of_kinds.chain(COMMON).any(|known| known.eq_ignore_ascii_case(key))
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
