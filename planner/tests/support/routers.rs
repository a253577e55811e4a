//! Real routers over raw JSON, for plays in which it matters what stands in their objects at every moment.

use super::Model;
use crds::Time;
use planner::traffic::{Authors, Intent, ObservedTraffic, Pairs, Roles, RouterProblem, RouterView, Split};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use traffic::{KINDS, Objects, Reference, Router, Selection};

/// What a data plane can have been told at one moment: it is in force until the next one, and for a while after it.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Time,
    /// Weights, each with the Services between which they divide.
    pub splits: Vec<(Roles, Split)>,
    /// The versions of the subsets, where the router selects versions itself.
    pub subsets: Option<(String, String)>,
    /// The version that each Service selects; empty when it selects all.
    pub services: BTreeMap<String, String>,
}

impl Model {
    /// Puts objects of routers into the cluster: from now on what they show counts.
    pub fn add_objects(&mut self, manifests: &[Value]) {
        let objects = manifests.iter().map(|manifest| {
            let text = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let kind = KINDS.iter().find(|kind| kind.kind == text("/kind")).expect("a kind of routers");
            let name = text("/metadata/name").to_owned();
            (Reference { kind: *kind, namespace: "ns".to_owned(), name }, Arc::new(manifest.clone()))
        });
        self.objects = Some(Objects(objects.collect()));
        self.look_at_routers();
    }

    fn routers(&self) -> Vec<Box<dyn Router>> {
        let select = |selection: &Selection| {
            self.objects.as_ref().map_or_else(Vec::new, |objects| objects.select(selection))
        };
        traffic::routers(&self.world.rollout, &select)
    }

    /// Observes all routers anew, where their objects are here.
    pub fn look_at_routers(&mut self) {
        let Some(objects) = &self.objects else { return };
        let changed = |name: &str| {
            let view = self.world.routers.iter().find(|view| view.name == name);
            view.and_then(|view| view.changed)
        };
        let view = |router: Box<dyn Router>| RouterView {
            name: router.name(),
            abilities: router.abilities(),
            observed: router.observe(objects).map_err(|problem| RouterProblem {
                message: problem.to_string(),
                name: problem.name().to_owned(),
                kind: problem.kind(),
                missing: problem.is_missing(),
                ..RouterProblem::default()
            }),
            changed: changed(router.name()),
            authors: Authors::default(),
            served: None,
            asked: None,
        };
        self.world.routers = self.routers().into_iter().map(view).collect();
        self.tell();
    }

    /// Carries an intent out, edit by edit, as the API server sees it.
    pub fn route(&mut self, name: &str, intent: &Intent) {
        let router = self.routers().into_iter().find(|router| router.name() == name).expect("the router");
        let edits = router.edit(self.objects.as_ref().unwrap(), intent).expect("it can be edited");
        for edit in edits {
            self.edits += 1;
            self.objects.as_mut().unwrap().0.insert(edit.object, Arc::new(edit.to));
            self.world.routers.iter_mut().for_each(|view| view.changed = Some(self.now.whole_seconds()));
            self.look_at_routers();
        }
    }

    /// Writes down what data planes can be told now, if it is news.
    pub fn tell(&mut self) {
        let pairs = Pairs::of(&self.world.rollout);
        let shown =
            self.world.routers.iter().filter_map(|view| {
                Some((pairs.of_router(view.abilities.turns), view.observed.as_ref().ok()?))
            });
        let splits = shown.clone().flat_map(|(roles, observed): (&Roles, &ObservedTraffic)| {
            observed.splits.iter().map(|split| (roles.clone(), split.clone()))
        });
        let services = self.world.services.values().map(|one| (one.name.clone(), one.hash().to_owned()));
        let told = Told {
            at: self.now,
            splits: splits.collect(),
            subsets: shown.clone().find_map(|(_, observed)| observed.subsets.clone()),
            services: services.collect(),
        };
        let last = self.told.last();
        let is_news = last.is_none_or(|last| {
            (&last.splits, &last.subsets, &last.services) != (&told.splits, &told.subsets, &told.services)
        });
        if is_news {
            self.told.push(told);
        }
    }

    /// What data planes that are up to `lag` seconds behind may do now.
    pub fn in_force(&self, lag: i64) -> &[Told] {
        let since = self.now.plus_seconds(-lag);
        // The one before the first that is young enough ended within the time.
        let first = self.told.partition_point(|told| told.at <= since);
        &self.told[first.saturating_sub(1)..]
    }
}
