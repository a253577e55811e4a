//! The true state of the cluster, as far as the invariants speak of it.

use crate::l2::look::Look;
use crds::meta::{POD_TEMPLATE_HASH_LABEL, SCALE_DOWN_DEADLINE_ANNOTATION};
use sandbox::Dig;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds that the checker follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rollout,
    Set,
    Pod,
    Service,
    Run,
    Job,
    Template,
    /// An object of a router.
    Route,
}

impl Kind {
    pub(crate) fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "Rollout" => Self::Rollout,
            "ReplicaSet" => Self::Set,
            "Pod" => Self::Pod,
            "Service" => Self::Service,
            "AnalysisRun" => Self::Run,
            "Job" => Self::Job,
            "AnalysisTemplate" | "ClusterAnalysisTemplate" => Self::Template,
            "HTTPRoute" | "TraefikService" | "VirtualService" | "DestinationRule" | "Ingress" => Self::Route,
            _ => return None,
        })
    }
}

pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.at(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn controller_uid(object: &Value) -> &str {
    let owners = object.at("/metadata/ownerReferences").and_then(Value::as_array);
    let own = owners.into_iter().flatten().find(|owner| owner.get("controller") == Some(&Value::Bool(true)));
    own.map_or("", |owner| text(owner, "/uid"))
}

fn label<'v>(object: &'v Value, key: &str) -> &'v str {
    let labels = object.at("/metadata/labels");
    labels.and_then(|labels| labels.get(key)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn ready(pod: &Value) -> bool {
    let conditions = pod.at("/status/conditions").and_then(Value::as_array);
    pod.at("/metadata/deletionTimestamp").is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")
}

/// Whether a change took a pod out of service that nobody had asked to go.
pub(crate) fn lost_service(before: Option<&Value>, after: Option<&Value>) -> bool {
    let was = before.is_some_and(ready);
    let is = after.is_some_and(ready);
    let asked = after.is_none_or(|pod| pod.at("/metadata/deletionTimestamp").is_some());
    was && !is && !asked
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set {
    pub(crate) uid: String,
    pub(crate) owner: String,
    pub(crate) hash: String,
    pub(crate) replicas: i64,
    pub(crate) deadline: String,
}

/// A pod.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pod {
    pub(crate) owner: String,
    pub(crate) ready: bool,
}

/// An analysis run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) owner: String,
    pub(crate) hash: String,
    /// `rollout-type` and `step-index`.
    pub(crate) role: (String, String),
    pub(crate) phase: String,
    /// It is asked to end: its verdict counts for nothing any more.
    pub(crate) ending: bool,
}

/// The state.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) revision: u64,
    pub(crate) rollout: Option<Value>,
    /// Uid of the Rollout, also when it has gone: a controller may not know that yet.
    uid: String,
    pub(crate) sets: BTreeMap<String, Set>,
    pub(crate) pods: BTreeMap<String, Pod>,
    /// Hash that each Service selects.
    pub(crate) services: BTreeMap<String, String>,
    pub(crate) runs: BTreeMap<String, Run>,
    /// Names of runs that the status of the Rollout has had.
    pub(crate) named: BTreeSet<String>,
    /// Names of AnalysisTemplates.
    pub(crate) templates: BTreeSet<String>,
    /// Runs that were deleted when they had ended: what they found was seen.
    past_runs: Vec<Run>,
}

/// Where the status of a Rollout names its runs.
const NAMES: [&str; 4] = [
    "/status/canary/currentStepAnalysisRunStatus/name",
    "/status/canary/currentBackgroundAnalysisRunStatus/name",
    "/status/blueGreen/prePromotionAnalysisRunStatus/name",
    "/status/blueGreen/postPromotionAnalysisRunStatus/name",
];

static NOTHING: Value = Value::Null;

impl World {
    /// The Rollout; one without any field when there is none.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.rollout.as_ref().unwrap_or(&NOTHING))
    }

    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// Pods of a version that are in service.
    pub(crate) fn available(&self, hash: &str) -> i64 {
        let sets: Vec<&str> =
            self.sets.values().filter(|set| set.hash == hash).map(|set| set.uid.as_str()).collect();
        let count = self.pods.values().filter(|pod| pod.ready && sets.contains(&pod.owner.as_str())).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Pods of one ReplicaSet that are in service.
    pub(crate) fn available_of(&self, set_uid: &str) -> i64 {
        let count = self.pods.values().filter(|pod| pod.ready && pod.owner == set_uid).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Pods of all our versions that are in service.
    pub(crate) fn all_available(&self) -> i64 {
        let uid = self.uid();
        let ours: Vec<&str> =
            self.sets.values().filter(|set| set.owner == uid).map(|set| set.uid.as_str()).collect();
        let count = self.pods.values().filter(|pod| pod.ready && ours.contains(&pod.owner.as_str())).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// What the active Service selects has no deadline, unless somebody has frozen the Rollout.
    pub(crate) fn active_with_deadline(&self) -> Option<String> {
        let web = self.look();
        let active = self.services.get(web.text("/spec/strategy/blueGreen/activeService"))?;
        let set = self.set_of(active).filter(|set| !set.deadline.is_empty())?;
        (!web.flag("/spec/paused")).then(|| format!("{} is active, and still has a deadline", set.hash))
    }

    pub(crate) fn set_of(&self, hash: &str) -> Option<&Set> {
        let uid = self.uid();
        self.sets.values().find(|set| set.hash == hash && set.owner == uid)
    }

    /// Runs of a version in a role.
    pub(crate) fn runs_of<'w>(&'w self, hash: &'w str, kind: &'w str) -> impl Iterator<Item = &'w Run> {
        let uid = self.uid();
        let all = self.runs.values().chain(&self.past_runs);
        all.filter(move |run| run.owner == uid && run.hash == hash && run.role.0 == kind)
    }

    /// Takes a change in.
    pub(crate) fn take(&mut self, kind: Kind, before: Option<&Value>, after: Option<&Value>) {
        let Some(object) = after.or(before) else { return };
        let name = text(object, "/metadata/name").to_owned();
        match kind {
            Kind::Rollout => {
                let names = after.into_iter().flat_map(|rollout| NAMES.map(|pointer| text(rollout, pointer)));
                for name in names.filter(|name| !name.is_empty()) {
                    if !self.named.contains(name) {
                        self.named.insert(name.to_owned());
                    }
                }
                self.rollout = after.cloned();
                text(object, "/metadata/uid").clone_into(&mut self.uid);
            }
            Kind::Set => put(&mut self.sets, name, after.map(set)),
            Kind::Pod => put(&mut self.pods, name, after.map(pod)),
            Kind::Service => put(&mut self.services, name, after.map(|service| selected(service).to_owned())),
            Kind::Run => {
                let gone = after.is_none().then(|| self.runs.get(&name).cloned()).flatten();
                self.past_runs.extend(gone.filter(|run| run.phase == "Successful"));
                put(&mut self.runs, name, after.map(run));
            }
            Kind::Job | Kind::Route => {}
            Kind::Template if after.is_some() => {
                self.templates.insert(name);
            }
            Kind::Template => {
                self.templates.remove(&name);
            }
        }
    }
}

fn put<T>(map: &mut BTreeMap<String, T>, name: String, value: Option<T>) {
    match value {
        Some(value) => map.insert(name, value),
        None => map.remove(&name),
    };
}

pub(crate) fn selected(service: &Value) -> &str {
    let selector = service.at("/spec/selector");
    selector.and_then(|map| map.get(POD_TEMPLATE_HASH_LABEL)).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn set(object: &Value) -> Set {
    let annotations = object.at("/metadata/annotations");
    let deadline =
        annotations.and_then(|map| map.get(SCALE_DOWN_DEADLINE_ANNOTATION)).and_then(Value::as_str);
    Set {
        uid: text(object, "/metadata/uid").to_owned(),
        owner: controller_uid(object).to_owned(),
        hash: label(object, POD_TEMPLATE_HASH_LABEL).to_owned(),
        replicas: object.at("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
        deadline: deadline.unwrap_or_default().to_owned(),
    }
}

fn pod(object: &Value) -> Pod {
    Pod { owner: controller_uid(object).to_owned(), ready: ready(object) }
}

pub(crate) fn run(object: &Value) -> Run {
    Run {
        owner: controller_uid(object).to_owned(),
        hash: label(object, POD_TEMPLATE_HASH_LABEL).to_owned(),
        role: (
            label(object, crds::meta::ROLLOUT_TYPE_LABEL).to_owned(),
            label(object, crds::meta::STEP_INDEX_LABEL).to_owned(),
        ),
        phase: text(object, "/status/phase").to_owned(),
        ending: object.at("/spec/terminate") == Some(&Value::Bool(true)),
    }
}
