//! The Job controller.

use super::{Known, all, uid, views, write_status};
use crate::Dig;
use crate::api::{ApiServer, At, Deletion, Part, Propagation, number, stamp, text};
use crate::models::condition::{Condition, Truth};
use crate::models::job::{
    Failures, JobCondition, JobConditionKind, JobPod, JobStatus, JobView, TRACKING_FINALIZER, step,
};
use crds::Time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What the controller keeps between looks: failures by uid of the Job.
#[derive(Debug, Default)]
pub(super) struct Memory {
    failures: BTreeMap<String, Failures>,
}

const CONDITIONS: [JobConditionKind; 5] = [
    JobConditionKind::Suspended,
    JobConditionKind::SuccessCriteriaMet,
    JobConditionKind::FailureTarget,
    JobConditionKind::Complete,
    JobConditionKind::Failed,
];

fn small(value: &Value, pointer: &str) -> Option<i32> {
    number(value, pointer).and_then(|n| i32::try_from(n).ok())
}

fn condition(value: &Value) -> Option<JobCondition> {
    let kind = CONDITIONS.into_iter().find(|kind| kind.as_str() == text(value, "/type"))?;
    let truth = match text(value, "/status") {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => Truth::Unknown,
    };
    let changed = views::time(value, "/lastTransitionTime").unwrap_or_default();
    Some(Condition {
        updated: views::time(value, "/lastProbeTime").unwrap_or(changed),
        ..Condition::new(kind, truth, text(value, "/reason"), text(value, "/message"), changed)
    })
}

fn view(job: &Value, failures: Failures) -> JobView {
    let conditions = job.at("/status/conditions").and_then(Value::as_array);
    let count = |key: &str| small(job, &format!("/status/{key}")).unwrap_or(0);
    JobView {
        parallelism: small(job, "/spec/parallelism").unwrap_or(1),
        completions: small(job, "/spec/completions"),
        backoff_limit: small(job, "/spec/backoffLimit").unwrap_or(0),
        active_deadline_seconds: number(job, "/spec/activeDeadlineSeconds"),
        ttl_seconds: small(job, "/spec/ttlSecondsAfterFinished"),
        suspend: job.at("/spec/suspend") == Some(&Value::Bool(true)),
        restarts_count: text(job, "/spec/template/spec/restartPolicy") == "OnFailure",
        deleting: views::is_deleting(job),
        status: JobStatus {
            started: views::time(job, "/status/startTime"),
            completed: views::time(job, "/status/completionTime"),
            active: count("active"),
            ready: count("ready"),
            terminating: count("terminating"),
            succeeded: count("succeeded"),
            failed: count("failed"),
            conditions: conditions.into_iter().flatten().filter_map(condition).collect(),
        },
        failures,
    }
}

fn status(status: &JobStatus) -> Value {
    let mut map = Map::new();
    let counts = [("active", status.active), ("succeeded", status.succeeded), ("failed", status.failed)];
    for (key, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        map.insert(key.to_owned(), count.into());
    }
    map.insert("ready".to_owned(), status.ready.into());
    map.insert("terminating".to_owned(), status.terminating.into());
    map.insert("uncountedTerminatedPods".to_owned(), json!({}));
    for (key, time) in [("startTime", status.started), ("completionTime", status.completed)] {
        if let Some(time) = time {
            map.insert(key.to_owned(), stamp(time));
        }
    }
    let conditions: Vec<Value> = status
        .conditions
        .iter()
        .map(|condition| {
            let mut value = json!({
                "type": condition.kind.as_str(), "status": condition.truth.as_str(),
                "lastProbeTime": stamp(condition.updated), "lastTransitionTime": stamp(condition.changed),
            });
            if let Some(map) = value.as_object_mut() {
                for (key, text) in [("reason", &condition.reason), ("message", &condition.message)] {
                    if !text.is_empty() {
                        map.insert(key.to_owned(), text.as_str().into());
                    }
                }
            }
            value
        })
        .collect();
    if !conditions.is_empty() {
        map.insert("conditions".to_owned(), conditions.into());
    }
    Value::Object(map)
}

fn finished(pod: &Value) -> Option<Time> {
    let statuses = pod.at("/status/containerStatuses").and_then(Value::as_array);
    statuses
        .into_iter()
        .flatten()
        .filter_map(|status| views::time(status, "/state/terminated/finishedAt"))
        .max()
}

fn tracked(pod: &Value) -> bool {
    let finalizers = pod.at("/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|list| list.iter().any(|name| name == TRACKING_FINALIZER))
}

impl Memory {
    /// One look at a Job.
    pub(super) fn look(&mut self, api: &mut ApiServer, known: Known, at: &At, now: Time) -> Option<Time> {
        let Some(job) = api.get(at).cloned() else {
            // Nobody counts the pods of a Job that is gone.
            for pod in all(api, known.pods, &at.namespace) {
                let of_job = |owner: &Value| text(owner, "/kind") == "Job" && text(owner, "/name") == at.name;
                if tracked(&pod.value) && views::controller(&pod.value).is_none_or(of_job) {
                    let name = text(&pod.value, "/metadata/name").to_owned();
                    untrack(api, &At { resource: known.pods, namespace: at.namespace.clone(), name });
                }
            }
            return None;
        };
        let own = uid(&job).to_owned();
        let selector = views::selector(&job.value);
        let template = job.value.at("/spec/template").cloned().unwrap_or_default();
        let none = BTreeMap::new();
        let pods = all(api, known.pods, &at.namespace);
        let seen: Vec<JobPod<'_>> = pods
            .iter()
            .map(|pod| JobPod {
                pod: views::pod(pod, &own, &selector, &none),
                tracked: tracked(&pod.value),
                finished: finished(&pod.value),
            })
            .collect();
        let failures = self.failures.get(&own).copied().unwrap_or_default();
        let next = step(&view(&job.value, failures), &seen, now);
        self.failures.insert(own.clone(), next.failures);
        if next.expired {
            let how = Deletion { propagation: Some(Propagation::Background), ..Deletion::default() };
            let _ = api.delete(at, &how);
            return None;
        }
        let name_of = |index: &usize| {
            let name = text(&pods.get(*index)?.value, "/metadata/name").to_owned();
            Some(At { resource: known.pods, namespace: at.namespace.clone(), name })
        };
        let fails = |condition: &JobCondition| {
            matches!(condition.kind, JobConditionKind::FailureTarget | JobConditionKind::Failed)
        };
        let failing = next.status.conditions.iter().any(fails);
        for pod in next.delete.iter().filter_map(name_of) {
            if !failing {
                // One that is too many counts as no failure.
                untrack(api, &pod);
            }
            let _ = api.delete(&pod, &Deletion::default());
        }
        for _ in 0..next.create {
            let _ = api.create(known.pods, &at.namespace, new_pod(at, &own, &template), false);
        }
        write_status(api, at, status(&next.status));
        for pod in next.untrack.iter().filter_map(name_of) {
            untrack(api, &pod);
        }
        next.wake
    }
}

fn new_pod(job: &At, uid: &str, template: &Value) -> Value {
    let mut metadata = json!({
        "generateName": format!("{}-", job.name),
        "finalizers": [TRACKING_FINALIZER],
        "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job.name, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    if let Some(map) = metadata.as_object_mut() {
        for key in ["labels", "annotations"] {
            if let Some(value) = template.at(&format!("/metadata/{key}")) {
                map.insert(key.to_owned(), value.clone());
            }
        }
    }
    let spec = template.get("spec").cloned().unwrap_or_default();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
}

/// Takes the finalizer of a pod that is counted.
fn untrack(api: &mut ApiServer, pod: &At) {
    let _ = api.change(pod, Part::Main, false, |old| {
        let mut new = old.clone();
        if let Some(list) = new.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            list.retain(|name| name != TRACKING_FINALIZER);
        }
        Ok(new)
    });
}
