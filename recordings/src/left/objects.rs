//! Objects from what a recording tells of them.
#![allow(
    clippy::indexing_slicing,
    reason = "JSON objects that are made here; a wrong recording may end a test"
)]

use super::spec::Specs;
use super::{Fields, Hashes, NEVER_READY};
use crate::seen::text;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const HASH: &str = "rollouts-pod-template-hash";

/// Everything that is known at a moment.
pub(super) struct Objects<'r> {
    pub(super) specs: &'r Specs,
    pub(super) state: &'r BTreeMap<(String, String), Fields>,
    /// The moment, in seconds from the beginning.
    pub(super) at: f64,
    pub(super) hashes: Hashes<'r>,
}

fn value<'f>(fields: &'f Fields, key: &str) -> &'f Value {
    fields.get(key).map_or(&Value::Null, |(value, _)| value)
}

fn number(fields: &Fields, key: &str) -> i64 {
    value(fields, key).as_i64().unwrap_or(0)
}

impl Objects<'_> {
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Fields)> {
        self.state
            .iter()
            .filter(move |((of, _), _)| of == kind)
            .map(|((_, name), fields)| (name.as_str(), fields))
    }

    fn rollout(&self) -> Option<(&str, &Fields)> {
        self.of_kind("Rollout").next()
    }

    /// The ReplicaSets of the Rollout, by the number of their version.
    fn sets(&self) -> BTreeMap<u32, (&str, &Fields)> {
        let Some((rollout, _)) = self.rollout() else { return BTreeMap::new() };
        let number = |name: &str| name.strip_prefix(rollout)?.strip_prefix("-h")?.parse().ok();
        self.of_kind("ReplicaSet")
            .filter_map(|(name, fields)| Some((number(name)?, (name, fields))))
            .collect()
    }

    /// A second of the recording as a time beside now. Rounded up: what waits for a time does not end early.
    fn time(&self, second: f64) -> String {
        format!("@{:+}", (second - self.at).ceil())
    }

    /// Phase, message and step.
    pub(super) fn about(&self) -> String {
        let Some((_, fields)) = self.rollout() else { return String::new() };
        let text = |key: &str| value(fields, key).as_str().unwrap_or_default().to_owned();
        format!("{} {:?} step {}", text("phase"), text("message"), value(fields, "currentStepIndex"))
    }

    /// Whether something waits for a time.
    pub(super) fn is_timed(&self) -> bool {
        let Some((_, fields)) = self.rollout() else { return true };
        let kept = self.sets().values().any(|(_, set)| set.contains_key("scale-down-deadline"));
        let runs = self.of_kind("AnalysisRun").any(|(_, run)| !run.contains_key("completedAt"));
        let rollout = self.specs.rollout().unwrap_or(&Value::Null);
        let step = usize::try_from(number(fields, "currentStepIndex")).unwrap_or(0);
        let pause = rollout.pointer(&format!("/spec/strategy/canary/steps/{step}/pause/duration"));
        let auto = rollout.pointer("/spec/strategy/blueGreen/autoPromotionSeconds");
        let waits = value(fields, "pauseConditions").as_array().is_some_and(|list| !list.is_empty());
        kept || runs || value(fields, "phase") == "Progressing" || (waits && pause.or(auto).is_some())
    }

    /// Whether all is as it is going to stay: every pod is there and ready, or never will be.
    fn is_settled(&self) -> bool {
        let Some((_, fields)) = self.rollout() else { return false };
        let observed = value(fields, "observedGeneration").as_str().unwrap_or_default().to_owned();
        observed == number(fields, "generation").to_string()
            && self.sets().values().all(|(name, set)| {
                let template = self.specs.templates.get(*name).unwrap_or(&Value::Null);
                let image = text(template, "/spec/containers/0/image");
                let wanted =
                    if NEVER_READY.iter().any(|part| image.contains(part)) { 0 } else { number(set, "spec") };
                number(set, "replicas") == number(set, "spec") && number(set, "available") == wanted
            })
    }

    /// All objects; `None` when something is under way that cannot be made.
    pub(super) fn make(&self) -> Option<Vec<Value>> {
        if !self.is_settled() {
            return None;
        }
        let mut all = Vec::new();
        for manifest in &self.specs.manifests {
            match text(manifest, "/kind") {
                "Rollout" => {}
                "Service" => all.push(self.service(manifest)),
                "Deployment" => all.push(self.deployment(manifest)),
                _ => all.push(manifest.clone()),
            }
        }
        all.push(self.rollout_object()?);
        for (name, fields) in self.sets().values() {
            all.push(self.set_object(name, fields)?);
        }
        for (name, fields) in self.of_kind("Ingress") {
            all.extend(self.canary_ingress(name, fields));
        }
        for (name, fields) in self.of_kind("AnalysisRun") {
            all.extend(self.run_objects(name, fields)?);
        }
        Some(all.iter().map(|object| self.with_hashes(object)).collect())
    }

    fn service(&self, manifest: &Value) -> Value {
        let mut service = manifest.clone();
        let name = text(manifest, "/metadata/name").to_owned();
        if let Some(fields) = self.state.get(&("Service".to_owned(), name)) {
            service["spec"]["selector"] = value(fields, "selector").clone();
            if let Some(owner) = value(fields, "managed-by").as_str() {
                service["metadata"]["annotations"]["argo-rollouts.argoproj.io/managed-by-rollouts"] =
                    owner.into();
            }
        }
        service
    }

    /// An Ingress that no manifest has: a copy of the one that has, with its own annotations and backend.
    fn canary_ingress(&self, name: &str, fields: &Fields) -> Option<Value> {
        let is_ingress = |manifest: &&Value| text(manifest, "/kind") == "Ingress";
        let mut manifests = self.specs.manifests.iter().filter(is_ingress);
        if manifests.clone().any(|manifest| text(manifest, "/metadata/name") == name) {
            return None;
        }
        let (rollout, _) = self.rollout()?;
        let mut ingress = manifests.next()?.clone();
        ingress["metadata"] = json!({"name": name, "annotations": value(fields, "annotations"),
            "ownerReferences": self.owner("Rollout", rollout)});
        let backend = value(fields, "backends").get(0)?.clone();
        for rule in ingress.pointer_mut("/spec/rules")?.as_array_mut()? {
            for path in rule.pointer_mut("/http/paths")?.as_array_mut()? {
                path["backend"]["service"]["name"] = backend.clone();
            }
        }
        Some(ingress)
    }

    fn deployment(&self, manifest: &Value) -> Value {
        let mut deployment = manifest.clone();
        let name = text(manifest, "/metadata/name").to_owned();
        if let Some(fields) = self.state.get(&("Deployment".to_owned(), name)) {
            deployment["spec"]["replicas"] = value(fields, "spec").clone();
        }
        deployment
    }

    fn rollout_object(&self) -> Option<Value> {
        let (_, fields) = self.rollout()?;
        let mut rollout = self.specs.rollout()?.clone();
        if let Some(replicas) = fields.get("spec.replicas") {
            rollout["spec"]["replicas"] = replicas.0.clone();
        }
        if let Some(second) = rollout.pointer("/spec/restartAt").and_then(Value::as_f64) {
            rollout["spec"]["restartAt"] = self.time(second).into();
        }
        rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] =
            value(fields, "revision").clone();
        if fields.contains_key("workload-generation") {
            // The workload is created again: that is its first generation.
            rollout["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"] = "1".into();
        }
        rollout["status"] = self.status(fields, &rollout);
        Some(rollout)
    }

    fn status(&self, fields: &Fields, rollout: &Value) -> Value {
        let mut status = json!({});
        let mut conditions = Vec::new();
        for (key, (value, second)) in fields {
            let value = if value == "set" { self.time(*second).into() } else { value.clone() };
            if let Some(kind) = key.strip_prefix("cond.") {
                let time = self.time(*second);
                conditions
                    .push(json!({"type": kind, "status": value[0], "reason": value[1], "message": value[2],
                    "lastTransitionTime": time, "lastUpdateTime": time}));
            } else if let Some((part, field)) = key.split_once('.').filter(|(part, _)| *part != "spec") {
                status[part][field] = value;
            } else if key == "pauseConditions" {
                let reasons = value.as_array().into_iter().flatten();
                let pause = |reason| json!({"reason": reason, "startTime": self.time(*second)});
                status[key] = reasons.map(pause).collect();
            } else if !["generation", "revision", "workload-generation", "spec"].contains(&key.as_str())
                && !key.starts_with("spec.")
            {
                status[key] = value;
            }
        }
        status["conditions"] = conditions.into();
        // A new object is of its first generation, and so is a new workload.
        status["observedGeneration"] = "1".into();
        if fields.contains_key("workloadObservedGeneration") {
            status["workloadObservedGeneration"] = "1".into();
        }
        if let Some(canary) = rollout.pointer("/spec/strategy/canary") {
            status["currentStepHash"] = (self.hashes.steps)(&canary["steps"]).into();
        }
        status
    }

    fn owner(&self, kind: &str, name: &str) -> Value {
        let version = if kind == "Job" { "batch/v1" } else { "argoproj.io/v1alpha1" };
        json!([{"apiVersion": version, "kind": kind, "name": name, "uid": "@uid", "controller": true,
            "blockOwnerDeletion": true}])
    }

    fn set_object(&self, name: &str, fields: &Fields) -> Option<Value> {
        let (rollout, status) = self.rollout()?;
        let spec = self.specs.rollout()?.get("spec")?;
        let version = name.strip_prefix(rollout)?.strip_prefix('-')?;
        let mut annotations = self.specs.annotations();
        if value(status, "currentPodHash") != version {
            annotations.clear();
        }
        for key in ["revision", "revision-history", "desired-replicas", "ephemeral-metadata"] {
            if let Some(note) = fields.get(key) {
                annotations.insert(format!("rollout.argoproj.io/{key}"), note.0.clone());
            }
        }
        if let Some((deadline, second)) = fields.get("scale-down-deadline") {
            let seconds: f64 = deadline.as_str()?.strip_prefix("set (+")?.strip_suffix("s)")?.parse().ok()?;
            annotations.insert("scale-down-deadline".to_owned(), self.time(second + seconds).into());
        }
        let mut template = self.specs.templates.get(name)?.clone();
        let mut labels = value(fields, "template.labels").clone();
        labels[HASH] = version.into();
        template["metadata"]["labels"] = labels.clone();
        let ephemeral: Value = value(fields, "ephemeral-metadata")
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        for (key, note) in ephemeral["annotations"].as_object().into_iter().flatten() {
            template["metadata"]["annotations"][key] = note.clone();
        }
        let mut selector = spec.get("selector").cloned().unwrap_or_else(|| self.workload_selector());
        selector["matchLabels"][HASH] = version.into();
        let mut labels = template["metadata"]["labels"].clone();
        if let (Some(labels), Some(added)) = (labels.as_object_mut(), ephemeral["labels"].as_object()) {
            // The labels of the ReplicaSet itself are those of its first template.
            labels.retain(|key, _| !added.contains_key(key));
        }
        Some(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": name, "labels": labels, "annotations": annotations,
                "ownerReferences": self.owner("Rollout", rollout)},
            "spec": {"replicas": value(fields, "spec"), "selector": selector, "template": template,
                "minReadySeconds": spec.get("minReadySeconds").unwrap_or(&json!(0))},
            "status": {"availableReplicas": number(fields, "available")}}))
    }

    fn workload_selector(&self) -> Value {
        let mut deployments = self.specs.of_kind("Deployment");
        deployments.next().and_then(|one| one.pointer("/spec/selector")).cloned().unwrap_or_default()
    }

    /// An AnalysisRun, and the Job that it waits for.
    fn run_objects(&self, name: &str, fields: &Fields) -> Option<Vec<Value>> {
        let (rollout, _) = self.rollout()?;
        let spec = self.specs.rollout()?.pointer("/spec/strategy")?;
        let kind = value(fields, "rollout-type").as_str()?;
        let step = value(fields, "step-index").as_str().unwrap_or_default();
        let analysis = match kind {
            "Step" => spec.pointer(&format!("/canary/steps/{step}/analysis")),
            "Background" => spec.pointer("/canary/analysis"),
            "PrePromotion" => spec.pointer("/blueGreen/prePromotionAnalysis"),
            _ => spec.pointer("/blueGreen/postPromotionAnalysis"),
        }?;
        let mut metrics = Vec::new();
        for wanted in analysis["templates"].as_array().into_iter().flatten() {
            let named = |template: &&Value| text(template, "/metadata/name") == text(wanted, "/templateName");
            let template = self.specs.of_kind("AnalysisTemplate").find(named)?;
            metrics.extend(template.pointer("/spec/metrics")?.as_array()?.iter().cloned());
        }
        let args = value(fields, "args").as_object().cloned().unwrap_or_default();
        let args: Vec<Value> =
            args.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let mut run_spec = json!({"metrics": metrics, "args": args});
        for key in ["dryRun", "measurementRetention"] {
            if let Some(part) = analysis.get(key) {
                run_spec[key] = part.clone();
            }
        }
        if value(fields, "terminate") == true {
            run_spec["terminate"] = true.into();
        }
        let version = name.strip_prefix(rollout)?.strip_prefix('-')?.split('-').next()?;
        let mut labels = json!({"rollout-type": kind, HASH: version});
        if !step.is_empty() {
            labels["step-index"] = step.into();
        }
        let (status, jobs) = self.run_status(name, fields, &metrics)?;
        let mut all = vec![json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun",
            "metadata": {"name": name, "labels": labels,
                "annotations": {"rollout.argoproj.io/revision": value(fields, "revision")},
                "ownerReferences": self.owner("Rollout", rollout)},
            "spec": run_spec, "status": status})];
        all.extend(jobs);
        Some(all)
    }

    fn run_status(&self, run: &str, fields: &Fields, metrics: &[Value]) -> Option<(Value, Vec<Value>)> {
        let mut jobs = Vec::new();
        let mut results = Vec::new();
        let begun = fields.get("rollout-type").map_or(self.at, |(_, second)| *second);
        for metric in metrics {
            let name = text(metric, "/name");
            let Some((result, second)) = fields.get(&format!("metric.{name}")) else { continue };
            let mut result = result.clone();
            result["name"] = name.into();
            let time = self.time(*second);
            let phase =
                if number_of(&result, "successful") > 0 { "Successful" } else { text(&result, "/phase") };
            let measured = value(fields, &format!("values.{name}")).as_array().into_iter().flatten();
            let mut measurements: Vec<Value> = measured
                .map(|value| json!({"phase": phase, "value": value, "startedAt": time, "finishedAt": time}))
                .collect();
            if phase == "Running" && measurements.is_empty() {
                let job = format!("@uid.{name}.1");
                measurements.push(json!({"phase": "Running", "startedAt": time,
                    "metadata": {"job-name": job, "job-namespace": "default"}}));
                jobs.push(json!({"apiVersion": "batch/v1", "kind": "Job",
                    "metadata": {"name": job, "labels": {"analysisrun.argoproj.io/uid": "@uid"},
                        "ownerReferences": self.owner("AnalysisRun", run)},
                    "spec": metric.pointer("/provider/job/spec")?}));
            }
            result["measurements"] = measurements.into();
            results.push(result);
        }
        let mut status = Map::new();
        for key in ["phase", "message", "runSummary"] {
            if let Some(told) = fields.get(key) {
                status.insert(key.to_owned(), told.0.clone());
            }
        }
        status.insert("metricResults".to_owned(), results.into());
        status.insert("startedAt".to_owned(), self.time(begun).into());
        if let Some((_, second)) = fields.get("completedAt") {
            status.insert("completedAt".to_owned(), self.time(*second).into());
        }
        Some((status.into(), jobs))
    }

    /// h1, h2 and so on by their hashes, in all texts.
    fn with_hashes(&self, object: &Value) -> Value {
        match object {
            Value::String(told) => self.text_with_hashes(told).into(),
            Value::Array(list) => list.iter().map(|value| self.with_hashes(value)).collect(),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (key.clone(), self.with_hashes(value))).collect())
            }
            other => other.clone(),
        }
    }

    fn text_with_hashes(&self, told: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric();
        let mut out = String::new();
        let mut word = String::new();
        for c in told.chars().chain(std::iter::once(' ')) {
            if is_word(c) {
                word.push(c);
                continue;
            }
            out.push_str(&self.hash_of(&word).unwrap_or_else(|| word.clone()));
            word.clear();
            out.push(c);
        }
        out.pop();
        out
    }

    fn hash_of(&self, word: &str) -> Option<String> {
        let (rollout, _) = self.rollout()?;
        let template = self.specs.templates.get(&format!("{rollout}-{word}"))?;
        word.starts_with('h').then(|| (self.hashes.version)(word, template))
    }
}

fn number_of(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or(0)
}
