//! Header routes: an action with conditions, and a path that leads to it before all others.
//!
//! PARITY: the path goes into every rule of the Ingress and is for every request, also where a rule has another host or
//! leads to other Services.

use super::condition::{self, Condition};
use super::{Action, Alb, Ledger, ingress, put};
use crate::Problem;
use planner::traffic::{Intent, Route};
use serde_json::Value;

/// A header route that is wanted.
pub(super) struct Wanted {
    route: Route,
    conditions: Vec<Condition>,
    action: Action,
}

/// The annotations of routes that were edited.
#[derive(Default)]
pub(super) struct Routed {
    /// Those that routes have now.
    pub(super) written: Vec<String>,
    /// Those of routes that are gone.
    pub(super) removed: Vec<String>,
}

/// Routes that all Ingresses have. While they differ, each route stands there without matches, which no intent asks
/// for.
pub(super) fn agreed(each: Vec<Vec<Route>>) -> Vec<Route> {
    let mut each = each.into_iter();
    let first = each.next().unwrap_or_default();
    let rest: Vec<Vec<Route>> = each.collect();
    if rest.iter().all(|routes| *routes == first) {
        return first;
    }
    let mut unfinished: Vec<Route> = Vec::new();
    for route in first.iter().chain(rest.iter().flatten()).map(|route| half_written(route.name())) {
        if !unfinished.contains(&route) {
            unfinished.push(route);
        }
    }
    unfinished
}

/// A route that is partly there: it matches nothing, which no intent asks for, so it is written anew or taken out.
fn half_written(name: &str) -> Route {
    Route::Header { name: name.to_owned(), matches: Vec::new() }
}

impl Alb {
    /// Names of the routes that are the Rollout's own on the Ingress: of those that it may make, of `more`, and of
    /// those that the bookkeeping lists as its own.
    pub(super) fn route_names(
        &self,
        ingress: &Value,
        ledger: &Ledger,
        root: &str,
        more: &[String],
    ) -> Vec<String> {
        let conditions = self.conditions_key("");
        let listed = ledger.keys(&self.rollout).filter_map(|key| key.strip_prefix(&conditions));
        let mut names: Vec<String> = Vec::new();
        for name in self.managed.iter().chain(more).map(String::as_str).chain(listed) {
            let is_new = name != root && !names.iter().any(|known| known == name);
            if is_new && self.is_own(ingress, ledger, name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// DIFFERS: what the bookkeeping does not list as written by this Rollout is taken for its own only if it forwards
    /// to its Services alone. Argo Rollouts takes out whatever has the name of a managed route, also another
    /// Rollout's or the user's.
    fn is_own(&self, ingress: &Value, ledger: &Ledger, name: &str) -> bool {
        let (action, conditions) = (self.action_key(name), self.conditions_key(name));
        let listed = ledger.keys(&self.rollout).any(|key| key == conditions);
        let ours = |action: Action| {
            let mut services = action.groups().iter().map(|group| &group.service_name);
            !action.groups().is_empty()
                && services.all(|service| [&self.services.canary, &self.services.stable].contains(&service))
        };
        let alone = ledger.other(&self.rollout, &action).is_none();
        listed || (alone && ingress::annotation(ingress, &action).and_then(Action::parse).is_some_and(ours))
    }

    /// The routes that the Ingress shows, of those with these names.
    pub(super) fn routes(&self, ingress: &Value, names: &[String], declared: &[Route]) -> Vec<Route> {
        let placed = self.placed(ingress, names).unwrap_or_default();
        let others = names.iter().map(String::as_str).filter(|name| !placed.contains(name));
        let others = others.filter(|name| self.has_trace(ingress, name));
        let show = |name: &str, is_placed: bool| {
            let annotation = |key: String| ingress::annotation(ingress, &key);
            let action = annotation(self.action_key(name)).and_then(Action::parse);
            let right = is_placed && action.is_some_and(|action| self.sends_to_canary(&action));
            let conditions = annotation(self.conditions_key(name)).and_then(condition::parse);
            let matches = conditions.and_then(|conditions| condition::matches(name, &conditions, declared));
            match matches.filter(|_| right) {
                Some(matches) => Route::Header { name: name.to_owned(), matches },
                None => half_written(name),
            }
        };
        let shown: Vec<Route> = placed.iter().map(|name| show(name, true)).collect();
        shown.into_iter().chain(others.map(|name| show(name, false))).collect()
    }

    /// The routes in the order in which every rule has their paths; none where rules differ, or where a path comes
    /// earlier that leads elsewhere without conditions.
    fn placed<'a>(&self, ingress: &'a Value, names: &[String]) -> Option<Vec<&'a str>> {
        let mut rules = ingress::rules(ingress).map(|paths| self.placed_in(ingress, paths, names));
        let first = rules.next()??;
        rules.all(|rule| rule.as_ref() == Some(&first)).then_some(first)
    }

    fn placed_in<'a>(&self, ingress: &Value, paths: &'a [Value], names: &[String]) -> Option<Vec<&'a str>> {
        let (mut placed, mut is_first) = (Vec::new(), true);
        for path in paths {
            match ingress::action(path) {
                Some(name) if names.iter().any(|own| own == name) => {
                    if !is_first || !ingress::is_for_all(path) || placed.contains(&name) {
                        return None;
                    }
                    placed.push(name);
                }
                // Another Rollout's route, or one that the user has made: both may not be the first.
                Some(name) if ingress::annotation(ingress, &self.conditions_key(name)).is_some() => {}
                _ => is_first = false,
            }
        }
        Some(placed)
    }

    fn has_trace(&self, ingress: &Value, name: &str) -> bool {
        let mut keys = [self.action_key(name), self.conditions_key(name)].into_iter();
        keys.any(|key| ingress::annotation(ingress, &key).is_some())
            || ingress::rules(ingress).flatten().any(|path| ingress::action(path) == Some(name))
    }

    /// Whether an action sends everything to the canary, in the way that this Rollout asks for.
    fn sends_to_canary(&self, action: &Action) -> bool {
        self.to_canary().is_ok_and(|wanted| wanted.means(action))
    }

    fn to_canary(&self) -> Result<Action, Problem> {
        Ok(Action::new(vec![self.group(&self.services.canary, super::ALL)], self.sticky()?))
    }

    /// The header routes of an intent.
    pub(super) fn wanted(
        &self,
        ledger: &Ledger,
        root: &str,
        intent: &Intent,
    ) -> Result<Vec<Wanted>, Problem> {
        let headers = intent.routes.iter().filter_map(|route| match route {
            Route::Header { name, matches } => Some((route, name, matches)),
            Route::Mirror { .. } => None,
        });
        let wanted = headers.map(|(route, name, matches)| {
            let problem = |what: String| Problem::Rollout(format!("header route {name:?} {what}"));
            if name == root {
                return Err(problem(
                    "has the name of the Service that the Ingress leads to: rename the route".to_owned(),
                ));
            }
            if let Some(other) = ledger.other(&self.rollout, &self.action_key(name)) {
                // DIFFERS: in Argo Rollouts, both write it in turn.
                return Err(problem(format!(
                    "is on the Ingress already, by Rollout {other:?}: give it a name that is used once, or take \
                     {other:?} out of annotation {:?} if there is no such Rollout",
                    super::LEDGER
                )));
            }
            let conditions = condition::of(matches).filter(|conditions| !conditions.is_empty());
            let conditions = conditions.ok_or_else(|| {
                let what = "must match at least one header, each by an exact value: AWS takes nothing else";
                problem(what.to_owned())
            })?;
            Ok(Wanted { route: route.clone(), conditions, action: self.to_canary()? })
        });
        wanted.collect()
    }

    /// Brings the routes on an Ingress to what is wanted. `names` are those that are there and may go.
    pub(super) fn route(&self, ingress: &mut Value, names: &[String], wanted: &[Wanted]) -> Routed {
        let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.route.name() == name);
        let gone = names.iter().map(String::as_str).filter(|name| !is_wanted(name));
        let removed: Vec<String> =
            gone.flat_map(|name| [self.action_key(name), self.conditions_key(name)]).collect();
        let routes: Vec<Route> = wanted.iter().map(|wanted| wanted.route.clone()).collect();
        let all = names.iter().map(String::as_str).chain(routes.iter().map(Route::name));
        let all: Vec<String> = all.map(str::to_owned).collect();
        let written = routes.iter().map(Route::name);
        let written = written.flat_map(|name| [self.action_key(name), self.conditions_key(name)]).collect();
        if self.routes(ingress, &all, &routes) != routes {
            self.rewrite(ingress, &all, &removed, wanted);
        }
        Routed { written, removed }
    }

    fn rewrite(&self, ingress: &mut Value, all: &[String], removed: &[String], wanted: &[Wanted]) {
        if let Some(annotations) = ingress::annotations_mut(ingress) {
            annotations.retain(|key, _| !removed.contains(key));
            for Wanted { route, conditions, action } in wanted {
                let (action_key, key) = (self.action_key(route.name()), self.conditions_key(route.name()));
                put(annotations, &action_key, Action::parse, |shown| shown.means(action), || action.text());
                let text = || condition::text(conditions);
                put(annotations, &key, condition::parse, |shown| shown == conditions, text);
            }
        }
        for paths in ingress::rules_mut(ingress) {
            paths.retain(|path| !ingress::action(path).is_some_and(|name| all.iter().any(|own| own == name)));
            let routes = wanted.iter().map(|wanted| ingress::path(wanted.route.name()));
            drop(paths.splice(0..0, routes));
        }
    }
}
