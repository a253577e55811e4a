//! Kubernetes Gateway API: `HTTPRoute`, `GRPCRoute`, `TCPRoute` and `TLSRoute`, as the plugin
//! `argoproj-labs/gatewayAPI` of Argo Rollouts edits them. `[traffic.gateway]`
//!
//! Weights go into the `backendRefs` of every rule that has both Services. Managed routes are rules ahead of the others:
//! one for each rule that is split, with what that rule matches and more. Rules, backends and fields of others stay.

mod config;
mod label;
mod limits;
mod managed;
mod matches;
mod meta;
mod record;
mod rule;
mod selector;
mod view;

#[cfg(test)]
mod tests;

pub use config::route_keys;

use crate::{Edit, Find, Objects, Problem, Reference, Router, Selection, Services};
use config::{Config, Target};
use crds::Rollout;
use crds::rollout::canary::CanaryStrategy;
use planner::defect;
use planner::traffic::{Abilities, Intent, ObservedTraffic, Route};
use record::Record;
use rule::Roles;
use serde_json::Value;
use std::collections::BTreeSet;
use view::View;

/// The key in `trafficRouting`.
const NATIVE: &str = "gatewayAPI";
/// The key in `trafficRouting.plugins`.
const PLUGIN: &str = "argoproj-labs/gatewayAPI";

/// The router of one Rollout.
#[derive(Debug)]
struct Gateway {
    name: &'static str,
    config: Result<Config, Problem>,
    roles: Roles,
    /// The Rollout, as `namespace/name`.
    id: String,
    /// Names of the routes that its steps may make.
    managed: Vec<String>,
}

/// The router, where the Rollout uses it.
pub(crate) fn of(rollout: &Rollout, services: &Services, find: Find<'_>) -> Option<Box<dyn Router>> {
    let canary = rollout.spec.strategy.as_ref()?.canary.as_ref()?;
    let routing = canary.traffic_routing.as_ref()?;
    let plugin = routing.plugins.as_ref().and_then(|plugins| plugins.get(PLUGIN));
    let native = routing.gateway_api.as_ref();
    let home = rollout.metadata.namespace.clone().unwrap_or_default();
    let own = rollout.metadata.name.as_deref().unwrap_or_default();
    let read = |value: &Value, strict: bool, key: &str| {
        let told = |what| Problem::Rollout(format!("spec.strategy.canary.trafficRouting.{key}: {what}"));
        Config::read(value, (&home, own), strict, find).map_err(told)
    };
    let (name, config) = match (plugin, native) {
        (Some(plugin), Some(native)) if plugin != native => (NATIVE, Err(contradiction())),
        (_, Some(native)) => (NATIVE, read(&native.0, true, NATIVE)),
        (Some(plugin), None) => (PLUGIN, read(&plugin.0, false, "plugins[\"argoproj-labs/gatewayAPI\"]")),
        (None, None) => return None,
    };
    let there = config.as_ref().map_or_else(|_| home.clone(), |config| config.namespace.clone());
    let roles = Roles {
        canary: services.canary.clone(),
        stable: services.stable.clone(),
        namespaces: [home.clone(), there],
    };
    let id = format!("{home}/{own}");
    Some(Box::new(Gateway { name, config, roles, id, managed: managed_names(canary) }))
}

fn contradiction() -> Problem {
    Problem::Rollout(
        "spec.strategy.canary.trafficRouting has both gatewayAPI and plugins[\"argoproj-labs/gatewayAPI\"], and they \
         differ; take one out, or make them equal"
            .to_owned(),
    )
}

/// Whether a route says that the Rollout `id` is at work on it: in the annotation `active`, or by what it has put in.
pub(crate) fn is_held(object: &Value, id: &str, active: Option<&str>) -> bool {
    let held = active.is_some_and(|active| label::lists(object, active, id)) || record::is_there(object, id);
    held && !defect!(LabelsForgotten)
}

/// Names of managed routes: those that are declared, and those of the steps.
fn managed_names(canary: &CanaryStrategy) -> Vec<String> {
    let declared = canary.traffic_routing.iter().flat_map(|routing| routing.managed_routes.iter().flatten());
    let steps = canary.steps.iter().flatten();
    let headers = steps.clone().filter_map(|step| step.set_header_route.as_ref()?.name.clone());
    let mirrors = steps.filter_map(|step| Some(step.set_mirror_route.as_ref()?.name.clone()));
    let names: BTreeSet<String> =
        declared.map(|route| route.name.clone()).chain(headers).chain(mirrors).collect();
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

impl Router for Gateway {
    fn name(&self) -> &'static str {
        self.name
    }

    fn abilities(&self) -> Abilities {
        let any = |can: fn(&Target) -> bool| self.targets().iter().any(can);
        // PARITY: header routes without a route that takes them change nothing, and are no error.
        Abilities {
            headers: any(Target::headers),
            mirrors: any(Target::mirrors),
            additional: true,
            subsets: false,
            registers: false,
            turns: true,
        }
    }

    fn references(&self) -> Vec<Reference> {
        self.targets().iter().map(|target| target.reference.clone()).collect()
    }

    fn selections(&self) -> Vec<Selection> {
        self.config.as_ref().map_or_else(|_| Vec::new(), |config| config.selections.clone())
    }

    fn observe(&self, objects: &Objects) -> Result<ObservedTraffic, Problem> {
        let mut observed = ObservedTraffic::default();
        let mut shown = Vec::new();
        for (target, object) in self.there(objects)? {
            match self.view(target, object, &[]) {
                Ok(view) => {
                    observed.splits.extend(view.splits());
                    shown.push((target.headers() || target.mirrors(), view.routes()));
                }
                Err(_) if target.leaves(object) => observed.behind = true,
                Err(problem) => return Err(problem),
            }
        }
        observed.routes = everywhere(&shown);
        Ok(observed)
    }

    fn edit(&self, objects: &Objects, intent: &Intent) -> Result<Vec<Edit>, Problem> {
        let mut edits = Vec::new();
        for (target, object) in self.there(objects)? {
            let to = match self.edited(target, object, intent) {
                // Its owner has taken out what was split: only the marks are left.
                Err(_) if self.view(target, object, &[]).is_err() && target.leaves(object) => {
                    self.marked(object.clone(), &Record::default(), false)
                }
                edited => edited?,
            };
            if to != *object {
                edits.push(Edit { object: target.reference.clone(), to });
            }
        }
        Ok(edits)
    }
}

impl Gateway {
    fn targets(&self) -> &[Target] {
        self.config.as_ref().map_or(&[], |config| config.targets.as_slice())
    }

    /// The routes with their objects: those that are named must be there, and one that is found by its labels may be gone
    /// by now.
    fn there<'a>(&'a self, objects: &'a Objects) -> Result<Vec<(&'a Target, &'a Value)>, Problem> {
        let config = self.config.as_ref().map_err(Problem::clone)?;
        let is_due = |target: &&Target| target.selector.is_none() || objects.get(&target.reference).is_some();
        let targets = config.targets.iter().filter(is_due);
        let there = targets.map(|target| Ok((target, objects.require(&target.reference)?)));
        let there: Vec<_> = there.collect::<Result<_, Problem>>()?;
        if there.is_empty() { Err(config.unselected()) } else { Ok(there) }
    }

    fn view<'a>(
        &'a self,
        target: &'a Target,
        object: &'a Value,
        names: &[&str],
    ) -> Result<View<'a>, Problem> {
        let names: Vec<&str> = self.managed.iter().map(String::as_str).chain(names.iter().copied()).collect();
        View::of(target, &self.roles, object, Record::read(object, &self.id), &names)
    }

    /// One route as it is to be.
    fn edited(&self, target: &Target, object: &Value, intent: &Intent) -> Result<Value, Problem> {
        let told = |what: String| target.reference.unfit(what);
        let names: Vec<&str> =
            intent.managed.iter().map(String::as_str).chain(intent.routes.iter().map(Route::name)).collect();
        let view = self.view(target, object, &names)?;
        let mut others: Vec<Value> = view.others.iter().copied().cloned().collect();
        for rule in others.iter_mut().filter(|rule| view.is_split(rule)) {
            rule::divide(rule, &self.roles, intent, &view.record.additional);
        }
        let split: Vec<&Value> = others.iter().filter(|rule| view.is_split(rule)).collect();
        let wanted = managed::rules(target, &self.roles, &split, &intent.routes).map_err(told)?;
        self.check(&view, &wanted, intent).map_err(told)?;
        let record = Record {
            routes: if target.headers() || target.mirrors() { intent.routes.clone() } else { Vec::new() },
            rules: wanted.iter().map(managed::trace).collect(),
            additional: rule::additional(intent),
        };
        let in_progress =
            intent.canary.weight > 0 || !record.rules.is_empty() || !record.additional.is_empty();
        // What is stored already stays as it is stored, with the defaults of the API server.
        let stored = |wanted: Value| {
            let found = view.managed.iter().find(|rule| managed::is_stored(&wanted, rule));
            found.copied().cloned().unwrap_or(wanted)
        };
        let rules: Vec<Value> = wanted.into_iter().map(stored).chain(others).collect();
        if rules != view.rules {
            limits::check(&rules).map_err(told)?;
        }
        let mut to = object.clone();
        if let Some(there) = to.pointer_mut("/spec/rules") {
            *there = Value::Array(rules);
        }
        Ok(self.marked(to, &record, in_progress))
    }

    /// A route with the marks of this Rollout.
    fn marked(&self, mut object: Value, record: &Record, in_progress: bool) -> Value {
        record.write(&mut object, &self.id);
        // DIFFERS: the plugin marks a route only while the canary has a weight, so that a GitOps tool which heeds the
        // mark takes out managed rules that come before the first weight.
        if let Some(label) = self.config.as_ref().ok().and_then(|config| config.label.as_ref()) {
            label.mark(&mut object, &self.id, in_progress);
        }
        object
    }

    /// Whether the managed rules can be there.
    fn check(&self, view: &View, wanted: &[Value], intent: &Intent) -> Result<(), String> {
        let mut names = BTreeSet::new();
        let rules = view.others.iter().copied().chain(wanted);
        let mut named = rules.filter_map(|rule| rule.get("name").and_then(Value::as_str));
        let made =
            |name: &&str| wanted.iter().any(|rule| rule.get("name").and_then(Value::as_str) == Some(name));
        if let Some(name) = named.find(|name| !names.insert(*name) && made(name)) {
            return Err(format!(
                "would have two rules named {name:?}, one of them of a managed route; names of rules are unique: give \
                 the other rule or the managed route another name"
            ));
        }
        let is_written = view.record.routes == intent.routes;
        let lost = |wanted: &Value| view.managed.iter().any(|rule| managed::lacks_percent(wanted, rule));
        if is_written && wanted.iter().any(lost) {
            return Err("the cluster has dropped `percent` of a mirror route, so that every request would be copied; \
                        install Gateway API 1.3 or newer, or set the step's percentage to 100"
                .to_owned());
        }
        Ok(())
    }
}

/// The managed routes that are everywhere. `shown` tells for each route whether it takes any, and which it shows. Where
/// they differ, all are shown without matches, which no intent has.
fn everywhere(shown: &[(bool, Vec<Route>)]) -> Vec<Route> {
    let mut able = shown.iter().filter(|(able, _)| *able).map(|(_, routes)| routes);
    let first = able.next().cloned().unwrap_or_default();
    let alike =
        |(able, routes): &(bool, Vec<Route>)| if *able { *routes == first } else { routes.is_empty() };
    if shown.iter().all(alike) {
        return first;
    }
    shown.iter().flat_map(|(_, routes)| routes).map(view::hollow).collect()
}
