//! What a scenario does, as `kubectl` and its plugin do it.

use crate::seen::{Seen, text};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

/// Version and kind of everything that a scenario can hold.
pub(crate) const KINDS: [(&str, &str); 11] = [
    ("argoproj.io/v1alpha1", "Rollout"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Service"),
    ("argoproj.io/v1alpha1", "AnalysisRun"),
    ("apps/v1", "Deployment"),
    ("v1", "Event"),
    ("networking.k8s.io/v1", "Ingress"),
    ("argoproj.io/v1alpha1", "AnalysisTemplate"),
    ("argoproj.io/v1alpha1", "Experiment"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
];
/// Of them, the first so many are observed.
pub(crate) const OBSERVED: usize = 7;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The API server refused, or did not answer.
    #[error("{what}: {error}")]
    Api {
        /// What was asked.
        what: String,
        /// What was answered.
        error: kube::Error,
    },
    /// The scenario asks for something that cannot be done here.
    #[error("{0} cannot be done here")]
    Unknown(String),
}

/// Acts in a namespace.
#[derive(Clone)]
pub(crate) struct Actor {
    pub(crate) client: kube::Client,
    pub(crate) namespace: String,
}

impl Actor {
    pub(crate) fn api(&self, kind: &str) -> Result<Api<DynamicObject>, ActError> {
        let (version, kind) =
            KINDS.iter().find(|(_, name)| *name == kind).ok_or_else(|| ActError::Unknown(kind.to_owned()))?;
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Ok(Api::namespaced_with(self.client.clone(), &self.namespace, &resource))
    }

    /// Creates an object.
    pub(crate) async fn create(&self, manifest: &Value) -> Result<(), ActError> {
        let kind = text(manifest, "/kind");
        let what = format!("create {kind} {}", text(manifest, "/metadata/name"));
        let object = serde_json::from_value(manifest.clone()).map_err(|_| ActError::Unknown(what.clone()))?;
        let made = self.api(kind)?.create(&PostParams::default(), &object).await;
        made.map(drop).map_err(|error| ActError::Api { what, error })
    }

    async fn patch(&self, kind: &str, name: &str, part: Option<&str>, patch: &Value) -> Result<(), ActError> {
        let api = self.api(kind)?;
        let params = PatchParams::default();
        let done = match part {
            None => api.patch(name, &params, &Patch::Merge(patch)).await.map(drop),
            Some("status") => api.patch_status(name, &params, &Patch::Merge(patch)).await.map(drop),
            Some(_) => api.patch_scale(name, &params, &Patch::Merge(patch)).await.map(drop),
        };
        done.map_err(|error| ActError::Api { what: format!("patch {kind} {name} with {patch}"), error })
    }

    /// Does what a verb of a scenario says.
    pub(crate) async fn act(
        &self,
        verb: &str,
        value: &Value,
        now: &str,
        seen: &Seen,
    ) -> Result<(), ActError> {
        // What creates or changes other objects needs none.
        match verb {
            "apply" => return self.apply(value).await,
            "patchObject" => {
                return self.patch(text(value, "/kind"), text(value, "/name"), None, &value["patch"]).await;
            }
            _ => {}
        }
        let Some(rollout) = seen.rollout() else {
            return Err(ActError::Unknown(format!("{verb} without a Rollout")));
        };
        let name = text(rollout, "/metadata/name");
        let status = |patch: Value| json!({ "status": patch });
        let spec = |patch: Value| json!({ "spec": patch });
        match verb {
            "promote" => self.promote(name, rollout).await,
            "promoteFull" => {
                self.patch("Rollout", name, Some("status"), &status(json!({"promoteFull": true}))).await
            }
            "skipAll" => {
                let steps = rollout
                    .pointer("/spec/strategy/canary/steps")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len);
                self.patch(
                    "Rollout",
                    name,
                    Some("status"),
                    &status(json!({"pauseConditions": null, "currentStepIndex": steps})),
                )
                .await
            }
            "abort" => self.patch("Rollout", name, Some("status"), &status(json!({"abort": true}))).await,
            "retry" => self.patch("Rollout", name, Some("status"), &status(json!({"abort": false}))).await,
            "pause" => self.patch("Rollout", name, None, &spec(json!({"paused": true}))).await,
            "unpause" => self.patch("Rollout", name, None, &spec(json!({"paused": false}))).await,
            "restart" => self.patch("Rollout", name, None, &spec(json!({"restartAt": now}))).await,
            "scale" => self.patch("Rollout", name, Some("scale"), &spec(json!({"replicas": value}))).await,
            "image" => self.image(name, rollout, value).await,
            "undo" => self.undo(name, value, seen).await,
            "patch" => self.patch("Rollout", name, None, value).await,
            "patchStatus" => self.patch("Rollout", name, Some("status"), value).await,
            "deletePod" => self.delete_pods(value, seen).await,
            "delete" => self.delete("Rollout", name).await,
            other => Err(ActError::Unknown(other.to_owned())),
        }
    }

    async fn apply(&self, manifests: &Value) -> Result<(), ActError> {
        for manifest in manifests.as_array().into_iter().flatten() {
            self.create(manifest).await?;
        }
        Ok(())
    }

    async fn delete(&self, kind: &str, name: &str) -> Result<(), ActError> {
        let gone = self.api(kind)?.delete(name, &DeleteParams::background()).await;
        gone.map(drop).map_err(|error| ActError::Api { what: format!("delete {kind} {name}"), error })
    }

    async fn promote(&self, name: &str, rollout: &Value) -> Result<(), ActError> {
        if rollout.pointer("/spec/paused") == Some(&Value::Bool(true)) {
            self.patch("Rollout", name, None, &json!({"spec": {"paused": false}})).await?;
        }
        let next = rollout.pointer("/status/currentStepIndex").and_then(Value::as_i64).unwrap_or(0) + 1;
        let is_paused = rollout
            .pointer("/status/pauseConditions")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        let undecided = text(rollout, "/status/canary/currentStepAnalysisRunStatus/status") == "Inconclusive";
        let by_controller = rollout.pointer("/status/controllerPause") == Some(&Value::Bool(true));
        let patch = if undecided && by_controller {
            json!({"pauseConditions": null, "controllerPause": false, "currentStepIndex": next})
        } else if is_paused || rollout.pointer("/spec/strategy/canary").is_none() {
            json!({"pauseConditions": null})
        } else {
            json!({"pauseConditions": null, "currentStepIndex": next})
        };
        self.patch("Rollout", name, Some("status"), &json!({ "status": patch })).await
    }

    async fn image(&self, name: &str, rollout: &Value, image: &Value) -> Result<(), ActError> {
        let mut template = rollout.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(first) = template.pointer_mut("/spec/containers/0") {
            first["image"] = image.clone();
        }
        let containers = template.pointer("/spec/containers");
        self.patch(
            "Rollout",
            name,
            None,
            &json!({"spec": {"template": {"spec": {"containers": containers}}}}),
        )
        .await
    }

    async fn undo(&self, name: &str, revision: &Value, seen: &Seen) -> Result<(), ActError> {
        let what = format!("undo to {revision}");
        let set =
            seen.set_of_revision(&revision.to_string()).ok_or_else(|| ActError::Unknown(what.clone()))?;
        let mut template = set.pointer("/spec/template").cloned().unwrap_or_default();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("rollouts-pod-template-hash");
        }
        let replace = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
        let patch = serde_json::from_value(replace).map_err(|_| ActError::Unknown(what.clone()))?;
        let patched =
            self.api("Rollout")?.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch)).await;
        patched.map(drop).map_err(|error| ActError::Api { what, error })
    }

    async fn delete_pods(&self, value: &Value, seen: &Seen) -> Result<(), ActError> {
        let revision = value["revision"].to_string();
        let set = seen
            .set_of_revision(&revision)
            .ok_or_else(|| ActError::Unknown(format!("pods of revision {revision}")))?;
        let count = value["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        let hash = set
            .pointer("/metadata/labels/rollouts-pod-template-hash")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let params = kube::api::ListParams::default().labels(&format!("rollouts-pod-template-hash={hash}"));
        let pods = self
            .api("Pod")?
            .list(&params)
            .await
            .map_err(|error| ActError::Api { what: "list pods".to_owned(), error })?;
        for pod in pods.items.iter().take(count) {
            self.delete("Pod", pod.metadata.name.as_deref().unwrap_or_default()).await?;
        }
        Ok(())
    }
}
