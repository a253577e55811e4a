//! A route, taken apart into the rules that are ours and those that are not.

use super::config::Target;
use super::managed;
use super::record::Record;
use super::rule::{self, Roles};
use crate::Problem;
use planner::traffic::{Route, Split};
use serde_json::Value;

/// One route as it is.
#[derive(Debug)]
pub(super) struct View<'a> {
    target: &'a Target,
    roles: &'a Roles,
    /// What was written down of it.
    pub(super) record: Record,
    /// Its rules.
    pub(super) rules: &'a [Value],
    /// Those that managed routes have made.
    pub(super) managed: Vec<&'a Value>,
    /// All others.
    pub(super) others: Vec<&'a Value>,
}

impl<'a> View<'a> {
    /// Takes a route apart. A rule is ours when it has the name of a managed route and looks like one or, where names are
    /// dropped, is what was written down.
    ///
    /// # Errors
    /// When no rule is to be split.
    pub(super) fn of(
        target: &'a Target,
        roles: &'a Roles,
        object: &'a Value,
        record: Record,
        names: &[&str],
    ) -> Result<Self, Problem> {
        let rules = object.get("spec").map_or(&[][..], |spec| rule::list(spec, "rules"));
        let is_managed = |rule: &&Value| match rule.get("name").and_then(Value::as_str) {
            Some(name) => {
                let mut routes = names.iter().copied().chain(record.routes.iter().map(Route::name));
                managed::looks_managed(rule, roles) && routes.any(|route| managed::is_named(name, route))
            }
            None => record.rules.contains(&managed::trace(rule)),
        };
        let (managed, others) = rules.iter().partition(is_managed);
        let view = Self { target, roles, record, rules, managed, others };
        if view.others.iter().any(|rule| view.is_split(rule)) {
            Ok(view)
        } else {
            Err(view.nothing_to_split())
        }
    }

    fn nothing_to_split(&self) -> Problem {
        let Roles { canary, stable, .. } = self.roles;
        let named = match self.target.rules.as_slice() {
            [] => String::new(),
            names => format!(" and the name {}", names.join(" or ")),
        };
        let or =
            if self.target.selector.is_some() { ", or take off the labels by which it is found" } else { "" };
        self.target.reference.unfit(format!(
            "no rule in spec.rules has backendRefs to both the canary Service {canary:?} and the stable Service \
             {stable:?}{named}; add both to every rule whose traffic is to be split{or}"
        ))
    }

    /// Whether a rule is to be split. DIFFERS: the plugin also sets the weight in a rule that has canary alone, and so
    /// may stop all traffic of that rule.
    pub(super) fn is_split(&self, rule: &Value) -> bool {
        self.target.splits(rule) && self.roles.both(rule)
    }

    /// The weights of every rule that is split.
    pub(super) fn splits(&self) -> impl Iterator<Item = Split> {
        let split = self.others.iter().filter(|rule| self.is_split(rule));
        split.map(|rule| rule::split(rule::backends(rule), self.roles, &self.record.additional))
    }

    /// The managed routes that the route shows. Where its rules are not just what was written down, every route that has
    /// or should have some shows without matches: so it is like nothing that is wanted, and is made anew.
    pub(super) fn routes(&self) -> Vec<Route> {
        if self.is_as_recorded() {
            return self.record.routes.clone();
        }
        let unknown = |rule: &&Value| Route::Header {
            name: rule.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            matches: Vec::new(),
        };
        self.record.routes.iter().map(hollow).chain(self.managed.iter().map(unknown)).collect()
    }

    /// Whether the rules of the recorded routes are there, as they are to be, ahead of the others, and no more.
    fn is_as_recorded(&self) -> bool {
        let split: Vec<&Value> = self.others.iter().copied().filter(|rule| self.is_split(rule)).collect();
        let Ok(wanted) = managed::rules(self.target, self.roles, &split, &self.record.routes) else {
            return false;
        };
        wanted.len() == self.managed.len()
            && wanted.iter().zip(self.rules).all(|(wanted, rule)| managed::is_stored(wanted, rule))
    }
}

/// A managed route that is not everywhere as it is to be.
pub(super) fn hollow(route: &Route) -> Route {
    match route {
        Route::Header { name, .. } => Route::Header { name: name.clone(), matches: Vec::new() },
        Route::Mirror { name, percentage, .. } => {
            Route::Mirror { name: name.clone(), matches: Vec::new(), percentage: *percentage }
        }
    }
}
