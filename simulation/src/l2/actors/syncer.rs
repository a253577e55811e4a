//! A syncer, and what stands in its Git.

use super::super::checker::Verb;
use super::super::deeds;
use super::super::house::NAMESPACE;
use super::super::observed::lock;
use super::super::run::Driver;
use super::super::scenario::Scenario;
use super::super::scenarios::template;
use super::super::weather::Manners;
use super::{is_rollout, kind_of, name, router_kind};
use sandbox::api::Part;
use serde_json::{Value, json};
use std::time::Duration;

/// Between the older and the newer manifest.
const OLD_THEN_NEW: Duration = Duration::from_millis(500);

/// What of a scenario stands in Git: what people wrote.
pub(super) fn git(scenario: &Scenario) -> Vec<Value> {
    let written =
        scenario.objects.iter().filter(|object| !matches!(kind_of(object), "ReplicaSet" | "AnalysisRun"));
    let mut all: Vec<Value> = written.cloned().collect();
    for object in &mut all {
        if let Some(map) = object.as_object_mut() {
            map.remove("status");
        }
        let annotations = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        annotations.into_iter().for_each(|map| map.retain(|key, _| !key.contains("argo")));
    }
    all
}

/// The version that is wanted at the beginning.
pub(super) fn first_tag(scenario: &Scenario) -> Vec<&'static str> {
    let web = scenario.objects.iter().find(|object| is_rollout(object));
    let image =
        web.and_then(|web| web.pointer("/spec/template/spec/containers/0/image")).and_then(Value::as_str);
    if image == Some("web:v2") { vec!["v1", "v2"] } else { vec!["v1"] }
}

impl Driver<'_> {
    pub(super) fn apply_tag(&self, index: usize) {
        let Some(tag) = self.fate.tags.get(index) else { return };
        self.edit(Verb::Template, |web| deeds::set(web, "/spec", "template", template(tag)));
    }

    /// One round of the syncer.
    pub(super) fn synchronise(&mut self, manners: Manners) {
        let state = match manners {
            Manners::Gentle => "a syncer applied what was there",
            Manners::Replicas => "a syncer took the size back",
            Manners::Selectors => "a syncer took selectors of Services back",
            Manners::Weights => "a syncer took weights back",
            Manners::Annotations => "a syncer took annotations away",
            Manners::Prunes => "a syncer deleted an AnalysisRun",
            Manners::OldThenNew => "a syncer applied an older version and the newest within a second",
        };
        let before = self.revision();
        for object in self.fate.git.clone() {
            self.apply(&object, manners);
        }
        if manners == Manners::Prunes {
            for run in self.house.cluster.objects("argoproj.io/v1alpha1", "AnalysisRun", NAMESPACE) {
                self.delete("argoproj.io/v1alpha1", "AnalysisRun", name(&run));
            }
        }
        if manners == Manners::OldThenNew && self.fate.tags.len() > 1 {
            self.fate.surprises = true;
            // Once is enough: what follows is a syncer that knows.
            self.fate.sync = self.fate.sync.map(|(_, at)| (Manners::Gentle, at));
            self.fate.newest_at = Some(self.house.elapsed() + OLD_THEN_NEW);
            self.apply_tag(self.fate.tags.len().saturating_sub(2));
        }
        if self.revision() != before || manners == Manners::Gentle {
            lock(&self.core).checker.reach(state);
        }
    }

    fn revision(&self) -> u64 {
        self.house.cluster.with(|api| api.revision())
    }

    fn apply(&self, wanted: &Value, manners: Manners) {
        let version = wanted.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (kind_of(wanted), name(wanted));
        let Some(old) = self.house.cluster.object(version, kind, NAMESPACE, name) else {
            if !matches!(kind, "Rollout" | "AnalysisRun") {
                deeds::apply(&self.house.cluster, wanted);
            }
            return;
        };
        let mut new = old.clone();
        for (key, value) in wanted.get("spec").and_then(Value::as_object).into_iter().flatten() {
            let others = match key.as_str() {
                _ if router_kind(wanted).is_some() => manners != Manners::Weights,
                "replicas" => manners != Manners::Replicas,
                "selector" if kind == "Service" => manners != Manners::Selectors,
                _ => false,
            };
            if !others {
                deeds::set(&mut new, "/spec", key, value.clone());
            }
        }
        if manners == Manners::Annotations {
            let git = wanted.pointer("/metadata/annotations").cloned().unwrap_or_else(|| json!({}));
            deeds::set(&mut new, "/metadata", "annotations", git);
        }
        if new == old {
            return;
        }
        self.person(Verb::Other);
        deeds::change(&self.house.cluster, (version, kind), name, Part::Main, |object| *object = new);
    }
}
