//! What people have written into the objects of a scenario until a moment.

use crate::play::verbs;
use crate::read::Scenario;
use crate::seen::text;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Manifests as they are after some acts.
pub(super) struct Specs {
    /// All of them, in the order of their creation.
    pub(super) manifests: Vec<Value>,
    /// Pod templates by the name of their version.
    pub(super) templates: BTreeMap<String, Value>,
    /// Versions by revision.
    revisions: BTreeMap<String, String>,
    acts: std::vec::IntoIter<(String, Value)>,
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(map) = target.as_object_mut() else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl Specs {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let acts: Vec<(String, Value)> = scenario
            .actions
            .iter()
            .flat_map(|action| verbs(&action.deeds))
            .map(|(verb, value)| (verb.clone(), value.clone()))
            .collect();
        Self {
            manifests: scenario.manifests.clone(),
            templates: BTreeMap::new(),
            revisions: BTreeMap::new(),
            acts: acts.into_iter(),
        }
    }

    pub(super) fn of_kind<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Value> {
        self.manifests.iter().filter(move |manifest| manifest["kind"] == kind)
    }

    pub(super) fn rollout(&self) -> Option<&Value> {
        self.of_kind("Rollout").next()
    }

    /// The pod template that the Rollout wants: its own, or that of the workload that it refers to.
    pub(super) fn template(&self) -> Value {
        let Some(rollout) = self.rollout() else { return Value::Null };
        let name = text(rollout, "/spec/workloadRef/name");
        let workload = self
            .of_kind(text(rollout, "/spec/workloadRef/kind"))
            .find(|workload| text(workload, "/metadata/name") == name);
        workload.unwrap_or(rollout).pointer("/spec/template").cloned().unwrap_or_default()
    }

    /// A version that comes up is made from the template of that moment.
    pub(super) fn saw(&mut self, line: &Value) {
        if line["kind"] != "ReplicaSet" {
            return;
        }
        let name = text(line, "/name").to_owned();
        if line["new"] == true {
            self.templates.insert(name.clone(), self.template());
        }
        if let Some(revision) = line["revision"].as_str() {
            self.revisions.insert(revision.to_owned(), name);
        }
    }

    /// The next act of the scenario; false when there is nothing left to take over after it.
    pub(super) fn act(&mut self, at: f64) -> bool {
        let Some((verb, value)) = self.acts.next() else { return false };
        let undone =
            self.revisions.get(&value.to_string()).and_then(|name| self.templates.get(name)).cloned();
        if verb == "apply" {
            self.manifests.extend(value.as_array().into_iter().flatten().cloned());
            return true;
        }
        if verb == "patchObject" {
            let (kind, name) = (text(&value, "/kind"), text(&value, "/name"));
            let named =
                |manifest: &&mut Value| manifest["kind"] == kind && text(manifest, "/metadata/name") == name;
            let patch = value.get("patch").unwrap_or(&Value::Null);
            self.manifests.iter_mut().filter(named).for_each(|manifest| merge(manifest, patch));
            return true;
        }
        let Some(rollout) = self.manifests.iter_mut().find(|manifest| manifest["kind"] == "Rollout") else {
            return false;
        };
        match verb.as_str() {
            "delete" => return false,
            "image" => {
                if let Some(image) = rollout.pointer_mut("/spec/template/spec/containers/0/image") {
                    *image = value;
                }
            }
            "scale" => merge(rollout, &json!({"spec": {"replicas": value}})),
            "pause" => merge(rollout, &json!({"spec": {"paused": true}})),
            "unpause" => merge(rollout, &json!({"spec": {"paused": false}})),
            "promote" if rollout.pointer("/spec/paused") == Some(&Value::Bool(true)) => {
                merge(rollout, &json!({"spec": {"paused": false}}));
            }
            // A number for now; what is made of it knows from when it counts.
            "restart" => merge(rollout, &json!({"spec": {"restartAt": at}})),
            "undo" => {
                if let (Some(spec), Some(template)) =
                    (rollout.get_mut("spec").and_then(Value::as_object_mut), undone)
                {
                    spec.insert("template".to_owned(), template);
                }
            }
            "patch" => merge(rollout, &value),
            _ => {}
        }
        true
    }

    /// Annotations that people have given the Rollout.
    pub(super) fn annotations(&self) -> Map<String, Value> {
        let annotations = self.rollout().and_then(|rollout| rollout.pointer("/metadata/annotations"));
        annotations.and_then(Value::as_object).cloned().unwrap_or_default()
    }
}
