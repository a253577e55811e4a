//! What is to be done, as a value.

use crate::traffic::Intent;
use crds::analysis::AnalysisRunSpec;
use crds::rollout::RolloutStatus;
use crds::{LabelSelector, PodTemplate, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be done for one Rollout. The effect layer carries the writes out in order and stops at the first that
/// fails; the status is recorded after the last of them, but for those that follow it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Writes, in order.
    pub writes: Vec<Planned>,
    /// How many of the last writes rest on what the status decides: they are carried out once it is recorded.
    pub following: usize,
    /// The complete status to record; `None` when the Rollout is to be left alone (it is being deleted).
    pub status: Option<RolloutStatus>,
    /// When to look again although nothing has changed.
    pub wake: Option<Wake>,
    /// Services whose [`Targets`](crate::Targets) this plan rests on, or waits for, by name.
    pub asks: BTreeSet<String>,
    /// What to tell people, in order.
    pub notices: Vec<Notice>,
    /// Why: one entry for each decision, for people.
    pub trail: Vec<Reason>,
}

/// A write with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What to write.
    pub write: Write,
    /// Why.
    pub reason: Reason,
}

/// Why something is done or not done, for people.
pub type Reason = String;

/// An object that a write is about. `uid` and `resource_version` are what the decision was made on; they are empty
/// for an object that an earlier write of the same plan creates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Name in the Rollout's namespace.
    pub name: String,
    /// Uid that was seen.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
}

/// One write. `None` as an annotation's value removes the annotation.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Make a ReplicaSet, controlled by the Rollout.
    CreateReplicaSet {
        /// Name.
        name: String,
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Annotations.
        annotations: BTreeMap<String, String>,
        /// Selector.
        selector: LabelSelector,
        /// Pod template, the hash label included.
        template: Arc<PodTemplate>,
        /// `spec.replicas`.
        replicas: i32,
        /// `spec.minReadySeconds`.
        min_ready_seconds: i32,
    },
    /// Become the controller of a ReplicaSet that nobody controls.
    AdoptReplicaSet {
        /// Which.
        target: Target,
    },
    /// Stop being the controller of a ReplicaSet that does not match the selector any more.
    ReleaseReplicaSet {
        /// Which.
        target: Target,
    },
    /// Change `spec.replicas` and annotations.
    ScaleReplicaSet {
        /// Which.
        target: Target,
        /// `spec.replicas` that was seen.
        from: i32,
        /// `spec.replicas` to write.
        to: i32,
        /// Annotations to set or remove.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Change annotations and `spec.minReadySeconds`.
    AnnotateReplicaSet {
        /// Which.
        target: Target,
        /// Annotations to set or remove.
        annotations: BTreeMap<String, Option<String>>,
        /// `spec.minReadySeconds` to write.
        min_ready_seconds: Option<i32>,
    },
    /// Put metadata and anti-affinity into the pod template of a ReplicaSet. It makes new pods with it; those that it
    /// has stay as they are.
    EditTemplate {
        /// Which.
        target: Target,
        /// The template that was seen.
        from: Arc<PodTemplate>,
        /// The template to write.
        to: Arc<PodTemplate>,
        /// Annotations of the ReplicaSet to set or remove.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Set or remove labels and annotations of a running pod. It decides nothing: where it fails, the plan goes on.
    LabelPod {
        /// Which.
        target: Target,
        /// Labels to set or remove.
        labels: BTreeMap<String, Option<String>>,
        /// Annotations to set or remove.
        annotations: BTreeMap<String, Option<String>>,
    },
    /// Delete a ReplicaSet that is beyond the history limit.
    DeleteReplicaSet {
        /// Which.
        target: Target,
    },
    /// Point a Service at a version.
    SelectService {
        /// Which.
        target: Target,
        /// Pod template hash to select; `None` removes it from the selector.
        hash: Option<String>,
        /// Name of the managing Rollout to record; `None` removes the record.
        managed_by: Option<String>,
    },
    /// Edit a router's objects until they show what is wanted. Where they do already, they are to be as they were seen:
    /// nothing is changed, and it fails when they are not.
    RouteTraffic {
        /// The router's key in `trafficRouting`.
        router: &'static str,
        /// What is wanted of it.
        intent: Intent,
    },
    /// Give back the fields of a router's objects that the API server notes as ours. It decides nothing, and changes
    /// nothing but these notes.
    GiveBackRoutes {
        /// The router's key in `trafficRouting`.
        router: &'static str,
    },
    /// Set annotations of the Rollout.
    AnnotateRollout {
        /// Annotations to set.
        annotations: BTreeMap<String, String>,
    },
    /// Write `spec.replicas` of the Rollout, which was unset: autoscalers need a number there.
    SetRolloutReplicas {
        /// The number.
        replicas: i32,
    },
    /// Change `spec.replicas` of the Deployment that the Rollout refers to.
    ScaleWorkload {
        /// Which.
        target: Target,
        /// `spec.replicas` that was seen.
        from: i32,
        /// `spec.replicas` to write.
        to: i32,
    },
    /// Make an AnalysisRun, controlled by the Rollout.
    CreateAnalysisRun {
        /// Name.
        name: String,
        /// Labels.
        labels: BTreeMap<String, String>,
        /// Annotations.
        annotations: BTreeMap<String, String>,
        /// What it measures.
        spec: Arc<AnalysisRunSpec>,
    },
    /// Ask an AnalysisRun to end.
    TerminateAnalysisRun {
        /// Which.
        target: Target,
    },
    /// Delete an AnalysisRun that is beyond the history limits.
    DeleteAnalysisRun {
        /// Which.
        target: Target,
    },
    /// Evict a pod for a restart.
    EvictPod {
        /// Which.
        target: Target,
    },
}

impl Write {
    /// Whether this changes nothing, and only fails where a ReplicaSet is not as it was seen.
    pub(crate) fn only_asks(&self) -> bool {
        matches!(self, Self::AnnotateReplicaSet { annotations, min_ready_seconds: None, .. } if annotations.is_empty())
    }

    /// Whether this only asks what `earlier`, in the same plan, has asked or brought about: that an object is as it was
    /// seen.
    pub(crate) fn is_asked_by(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (
                Self::AnnotateReplicaSet { target, .. },
                Self::AnnotateReplicaSet { target: other, .. } | Self::ScaleReplicaSet { target: other, .. },
            ) => self.only_asks() && target.name == other.name,
            (
                Self::SelectService { target, hash, .. },
                Self::SelectService { target: other, hash: selected, .. },
            ) => target.name == other.name && hash == selected,
            _ => false,
        }
    }
}

/// When to look again, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at: Time,
    /// Why.
    pub why: String,
}

/// What a notice waits for before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The write with this index in the plan.
    Write(usize),
    /// The status.
    Status,
}

/// Type of a Kubernetes event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Nothing to worry about.
    Normal,
    /// Something to look at.
    Warning,
}

/// Something to tell people, sent once its anchor has succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it waits for.
    pub anchor: Anchor,
    /// Normal or warning.
    pub event_type: EventType,
    /// One word that clients match on.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
}

/// Reason of a notice that stands for what the router itself has to tell of its edits: the effect layer knows which
/// objects were written, and fills it in.
pub const OF_ROUTER: &str = "";

impl Plan {
    /// The writes before the status is recorded, and those that follow it.
    #[must_use]
    pub fn parts(&self) -> (&[Planned], &[Planned]) {
        self.writes.split_at(self.writes.len().saturating_sub(self.following))
    }

    /// Asks to be woken at `at`, unless an earlier time is already asked for.
    pub fn wake_at(&mut self, at: Time, why: impl Into<String>) {
        if self.wake.as_ref().is_none_or(|wake| at < wake.at) {
            self.wake = Some(Wake { at, why: why.into() });
        }
    }
}
