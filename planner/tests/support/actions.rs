//! What people do to a Rollout: the patches of the kubectl plugin.

use super::Model;
use serde_json::{Value, json};

/// RFC 7386.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge_patch(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

impl Model {
    /// Merge patch on the Rollout; the generation counts changes of the spec.
    pub fn patch(&mut self, patch: &Value) {
        let before = self.world.rollout.spec.clone();
        let mut value = serde_json::to_value(&self.world.rollout).unwrap();
        merge_patch(&mut value, patch);
        self.world.rollout = serde_json::from_value(value).unwrap();
        if self.world.rollout.spec != before {
            *self.world.rollout.metadata.generation.as_mut().unwrap() += 1;
        }
        self.changed = self.now;
    }

    /// Merge patch on the Deployment that the Rollout refers to.
    pub fn patch_workload(&mut self, patch: &Value) {
        let workload = self.world.workload.as_mut().unwrap();
        let mut spec = json!({"replicas": workload.replicas, "template": workload.template.0});
        merge_patch(&mut spec, &patch["spec"]);
        workload.replicas = spec["replicas"].as_i64().map(|size| i32::try_from(size).unwrap());
        workload.template = std::sync::Arc::new(crds::PodTemplate(spec["template"].clone()));
        self.change_workload();
    }

    /// Another generation of it.
    pub fn change_workload(&mut self) {
        let number = self.next_number();
        let workload = self.world.workload.as_mut().unwrap();
        workload.generation += 1;
        workload.resource_version = number;
        self.changed = self.now;
    }

    pub fn set_image(&mut self, image: &str) {
        let mut template = self.world.rollout.spec.template.clone().unwrap();
        template.0["spec"]["containers"][0]["image"] = json!(image);
        self.patch(&json!({"spec": {"template": template.0}}));
    }

    pub fn promote(&mut self) {
        if self.world.rollout.spec.paused == Some(true) {
            self.patch(&json!({"spec": {"paused": false}}));
        }
        let status = self.world.rollout.status.clone().unwrap_or_default();
        let index = status.current_step_index.unwrap_or(0) + 1;
        let step = status.canary.as_ref().and_then(|canary| canary.current_step_analysis_run_status.as_ref());
        let undecided = step.is_some_and(|run| run.status == crds::analysis::AnalysisPhase::Inconclusive);
        let canary = self.world.rollout.spec.strategy.as_ref().is_some_and(|s| s.canary.is_some());
        let patch = if undecided {
            json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": index})
        } else if status.pause_conditions.is_some() || !canary {
            json!({"pauseConditions": null})
        } else {
            json!({"pauseConditions": null, "currentStepIndex": index})
        };
        self.patch(&json!({"status": patch}));
    }

    /// One action of a recorded scenario; false when the model cannot do it.
    pub fn act(&mut self, verb: &str, value: &Value) -> bool {
        let steps = || {
            let strategy = self.world.rollout.spec.strategy.as_ref();
            strategy.and_then(|s| s.canary.as_ref()).and_then(|c| c.steps.as_ref()).map_or(0, Vec::len)
        };
        match verb {
            "promote" => self.promote(),
            "promoteFull" => self.patch(&json!({"status": {"promoteFull": true}})),
            "skipAll" => {
                let index = steps();
                self.patch(&json!({"status": {"pauseConditions": null, "currentStepIndex": index}}));
            }
            "abort" => self.patch(&json!({"status": {"abort": true}})),
            "retry" => self.patch(&json!({"status": {"abort": false}})),
            "pause" => self.patch(&json!({"spec": {"paused": true}})),
            "unpause" => self.patch(&json!({"spec": {"paused": false}})),
            "image" => self.set_image(value.as_str().unwrap()),
            "scale" => self.patch(&json!({"spec": {"replicas": value}})),
            "restart" => self.patch(&json!({"spec": {"restartAt": self.now.to_string()}})),
            "undo" => {
                let set = self.set_of_revision(value.as_i64().unwrap()).unwrap();
                let mut template = set.template.0.clone();
                let labels = template["metadata"]["labels"].as_object_mut().unwrap();
                labels.remove(crds::meta::POD_TEMPLATE_HASH_LABEL);
                self.patch(&json!({"spec": {"template": template}}));
            }
            "deletePod" => {
                let set = self.set_of_revision(value["revision"].as_i64().unwrap()).unwrap().name.clone();
                for _ in 0..value["count"].as_i64().unwrap_or(1) {
                    let index = self.pods.iter().position(|pod| pod.set == set).unwrap();
                    self.pods.remove(index);
                }
            }
            "patch" | "patchStatus" => self.patch(value),
            "patchObject" if value["kind"] == "Deployment" => self.patch_workload(&value["patch"]),
            "apply" => {
                for manifest in value.as_array().unwrap() {
                    self.create(manifest);
                }
            }
            _ => return false,
        }
        self.changed = self.now;
        true
    }
}
