//! What is observed of one Rollout and everything around it.

use crate::targets::Targets;
use crate::traffic::{Pairs, Roles, RouterView};
use crds::analysis::{AnalysisRunSpec, AnalysisRunStatus, AnalysisTemplateSpec};
use crds::rollout::workload::ScaleDown;
use crds::{GoDuration, LabelSelector, PodTemplate, Rollout, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Everything that decides what is to be done for one Rollout. Vectors are sorted as said at each field, so that
/// equal worlds give equal plans.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The Rollout as it was read, its status included: people write into the status too.
    pub rollout: Rollout,
    /// ReplicaSets in the namespace that carry the pod template hash label and are either ours by controller
    /// reference or match the selector; sorted by creation time, then name.
    pub replica_sets: Vec<ReplicaSet>,
    /// Pods of our ReplicaSets, in the order of the API's list. Only filled while a restart is due.
    pub pods: Vec<Pod>,
    /// Whether [`World::pods`] was asked for: then there are none where it is empty.
    pub pods_are_known: bool,
    /// Metadata of the pods that the selector matches, sorted by uid. Only filled where a strategy puts metadata on
    /// pods, or has put it there.
    pub pod_metadata: Vec<PodMetadata>,
    /// Services of the namespace that the Rollout names, by name; a missing one has no entry.
    pub services: BTreeMap<String, Service>,
    /// Routers that the Rollout uses, in the order in which they are asked.
    pub routers: Vec<RouterView>,
    /// The workload that `workloadRef` names, when it is there and of a kind that can be referred to.
    pub workload: Option<Workload>,
    /// AnalysisTemplates of the namespace that the Rollout needs, nested ones included, by name.
    pub analysis_templates: BTreeMap<String, AnalysisTemplateSpec>,
    /// ClusterAnalysisTemplates that the Rollout needs, nested ones included, by name.
    pub cluster_analysis_templates: BTreeMap<String, AnalysisTemplateSpec>,
    /// AnalysisRuns that are ours by controller reference, sorted by creation time, then name.
    pub analysis_runs: Vec<AnalysisRunView>,
    /// Names of AnalysisRuns in the namespace that look like ours but belong to someone else.
    pub foreign_run_names: BTreeSet<String>,
    /// What the API server refused since the Rollout last changed, sorted by target.
    pub refusals: Vec<Refusal>,
    /// Settings of this controller.
    pub settings: Settings,
}

impl World {
    /// Whether [`World::pod_metadata`] decides anything: a strategy puts metadata on pods, or one has put it into a
    /// ReplicaSet that still has pods.
    #[must_use]
    pub fn needs_pod_metadata(&self) -> bool {
        let strategy = self.rollout.spec.strategy.as_ref();
        let canary = strategy.and_then(|strategy| strategy.canary.as_ref());
        let blue_green = strategy.and_then(|strategy| strategy.blue_green.as_ref());
        let asked = canary.is_some_and(|c| c.canary_metadata.is_some() || c.stable_metadata.is_some())
            || blue_green.is_some_and(|b| b.preview_metadata.is_some() || b.active_metadata.is_some());
        let with_pods = |set: &&ReplicaSet| set.owner == Owner::Ours && set.replicas > 0;
        self.replica_sets
            .iter()
            .filter(with_pods)
            .any(|set| asked || set.annotations.contains_key(crds::meta::EPHEMERAL_METADATA_ANNOTATION))
    }

    /// How long routers may take, in seconds: what the Rollout's annotation says, or the controller's setting.
    /// `[traffic.settle]`
    #[must_use]
    pub fn settle_seconds(&self) -> i64 {
        let annotations = self.rollout.metadata.annotations.as_ref();
        let own = annotations.and_then(|map| map.get(crds::meta::TRAFFIC_SETTLE_ANNOTATION));
        let own = own.and_then(|text| GoDuration::parse(text).ok()).map(GoDuration::whole_seconds);
        own.unwrap_or(self.settings.settle_seconds).max(0)
    }

    /// Whether a router keeps lists of pods of its own: one that is known to, or the Rollout's annotation says so.
    /// `[traffic.targets]`
    #[must_use]
    pub fn routers_list_pods(&self) -> bool {
        !self.listed_pairs().is_empty()
    }

    /// The pairs of Services of whose pods routers keep lists.
    #[must_use]
    pub fn listed_pairs(&self) -> Vec<Roles> {
        let annotations = self.rollout.metadata.annotations.as_ref();
        let said = annotations.and_then(|map| map.get(crds::meta::TRAFFIC_LISTS_ANNOTATION));
        let all = said.is_some_and(|said| said == "true");
        let registers = |router: &&RouterView| router.abilities.registers;
        if !all && !self.routers.iter().any(|router| registers(&router)) {
            return Vec::new();
        }
        let pairs = Pairs::of(&self.rollout);
        let of = |router: &RouterView| pairs.of_router(router.abilities.turns);
        let is_listed =
            |roles: &Roles| all || self.routers.iter().filter(registers).any(|router| of(router) == roles);
        pairs.in_use().map(|(roles, _)| roles).filter(|roles| is_listed(roles)).cloned().collect()
    }

    /// What finds the Rollout's pods: its own selector, or else that of the workload that it refers to.
    #[must_use]
    pub fn selector(&self) -> Option<&LabelSelector> {
        let own = self.rollout.spec.selector.as_ref();
        own.or_else(|| self.workload.as_ref().and_then(|workload| workload.selector.as_ref()))
    }

    /// Available pods of a ReplicaSet that stay: those above its size are going, though its status may not say so yet.
    /// While a restart is going on its pods are known at first hand: those that we have just evicted do not count either.
    #[must_use]
    pub fn available(&self, set: &ReplicaSet) -> i32 {
        let staying = set.counts.available.min(set.replicas);
        if self.pods.is_empty() && !self.pods_are_known {
            return staying;
        }
        let pods = self.pods.iter().filter(|pod| pod.replica_set_uid == set.uid);
        let live = pods.filter(|pod| pod.available && !pod.deleting).count();
        staying.min(i32::try_from(live).unwrap_or(i32::MAX))
    }
}

/// Settings of the controller that decisions depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Value of the instance id label on what we create; `None` for a controller without one.
    pub instance_id: Option<String>,
    /// Seconds for which a Rollout without a stable version waits for what it refers to before it is invalid. 0 is the
    /// way of Argo Rollouts. `[validation.waiting]`
    pub reference_grace_seconds: i64,
    /// Seconds that a router may take to do what its objects say, and to learn which pods a Service has.
    /// `[traffic.settle]`
    pub settle_seconds: i64,
    /// Whether the fields of routers' objects that are noted as ours are given back when an update is over.
    /// `[traffic.give-back]`
    pub gives_back: bool,
    /// Whether target groups of AWS can be asked which pods they have, and their word is waited for.
    /// `[traffic.registered]`
    pub verifies_targets: bool,
}

impl Settings {
    /// [`Settings::settle_seconds`] of a controller that is not told otherwise.
    pub const SETTLE_SECONDS: i64 = 5;
    /// [`Settings::reference_grace_seconds`] of a controller that is not told otherwise.
    pub const REFERENCE_GRACE_SECONDS: i64 = 10;
}

/// To whom a ReplicaSet belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody controls it.
    #[default]
    Nobody,
    /// Our Rollout controls it.
    Ours,
    /// Something else controls it.
    Other,
}

/// A ReplicaSet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplicaSet {
    /// Name.
    pub name: String,
    /// Uid; empty for one that is to be created by an earlier write of the same plan.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
    /// Creation time.
    pub created: Time,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Who controls it.
    pub owner: Owner,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Selector.
    pub selector: LabelSelector,
    /// Pod template as raw JSON; shared, because a plan copies its world.
    pub template: Arc<PodTemplate>,
    /// `spec.replicas`.
    pub replicas: i32,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: i32,
    /// What its controller observed.
    pub counts: ReplicaSetCounts,
    /// Its ReplicaFailure condition, when there is one: reason and message.
    pub failure: Option<(String, String)>,
}

/// What the ReplicaSet's controller observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplicaSetCounts {
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready: i32,
    /// Pods that have been ready for `minReadySeconds`.
    pub available: i32,
    /// Whether the newest generation was observed.
    pub generation_observed: bool,
    /// Only inside a plan: the one before was observed, and an earlier write of the plan has changed the size. What is
    /// available then still is, up to that size.
    pub resized_here: bool,
}

impl ReplicaSet {
    /// Value of the pod template hash label; empty without one.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.labels.get(crds::meta::POD_TEMPLATE_HASH_LABEL).map_or("", String::as_str)
    }

    /// Whether its count of available pods can be relied on. Until the ReplicaSet's status follows what was written, it
    /// counts pods that are not available any more under a longer `minReadySeconds`, and pods that a smaller size of a
    /// moment ago has given up.
    #[must_use]
    pub fn availability_is_known(&self) -> bool {
        self.counts.generation_observed || self.counts.resized_here
    }

    /// Revision from its annotation; 0 without one.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.annotations.get(crds::meta::REVISION_ANNOTATION).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// `spec.replicas` of the Rollout when this ReplicaSet was last scaled.
    #[must_use]
    pub fn desired_annotation(&self) -> Option<i32> {
        self.annotations.get(crds::meta::DESIRED_REPLICAS_ANNOTATION)?.parse().ok()
    }

    /// Until when it is kept, when that is recorded. What cannot be read as a time counts as not recorded.
    ///
    /// DIFFERS: Argo Rollouts takes what it cannot read for a deadline that has passed. `[scale-down]`
    #[must_use]
    pub fn scale_down_deadline(&self) -> Option<Time> {
        let text = self.annotations.get(crds::meta::SCALE_DOWN_DEADLINE_ANNOTATION)?;
        Time::parse(text).or_else(|| crate::defect!(BlankIsOver).then(Time::default))
    }

    /// Whether it carries the annotation of a scale-down deadline, readable or not.
    #[must_use]
    pub fn is_marked_for_scale_down(&self) -> bool {
        self.annotations.contains_key(crds::meta::SCALE_DOWN_DEADLINE_ANNOTATION)
    }
}

/// A pod of one of our ReplicaSets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Uid of its ReplicaSet.
    pub replica_set_uid: String,
    /// Creation time.
    pub created: Time,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it is ready (and has been for `minReadySeconds`).
    pub available: bool,
    /// What came of our last try to evict it.
    pub eviction: Option<Eviction>,
}

/// Labels and annotations of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodMetadata {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
    /// Uid of its controller.
    pub replica_set_uid: String,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What came of an eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// A PodDisruptionBudget does not allow it now.
    Blocked,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
    /// Selector.
    pub selector: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// When we last changed it, by the API server's clock; `None` where it does not say.
    pub changed: Option<Time>,
    /// What target groups say of the pods that it selects, where they are asked. `[traffic.registered]`
    pub targets: Targets,
    /// Whether they have said something that has not been told yet.
    pub targets_are_news: bool,
}

impl Service {
    /// The pod template hash that it selects; empty when it selects none.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.selector.get(crds::meta::POD_TEMPLATE_HASH_LABEL).map_or("", String::as_str)
    }

    /// Name of the Rollout that manages it.
    #[must_use]
    pub fn managed_by(&self) -> Option<&str> {
        self.annotations.get(crds::meta::MANAGED_BY_ANNOTATION).map(String::as_str)
    }
}

/// The workload of `workloadRef`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
    /// `metadata.generation`; 0 for kinds without one.
    pub generation: i64,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Pod template as raw JSON.
    pub template: Arc<PodTemplate>,
    /// Selector; a PodTemplate has none.
    pub selector: Option<LabelSelector>,
    /// `spec.replicas` of a Deployment; `None` for other kinds, whose size is not touched.
    pub replicas: Option<i32>,
    /// What becomes of its pods; filled in from the Rollout by the planner.
    pub scale_down: ScaleDown,
}

/// An AnalysisRun of the Rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnalysisRunView {
    /// Name.
    pub name: String,
    /// Uid; empty for one that is to be created by an earlier write of the same plan.
    pub uid: String,
    /// Resource version that was seen.
    pub resource_version: String,
    /// Creation time.
    pub created: Time,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it measures.
    pub spec: Arc<AnalysisRunSpec>,
    /// What it has measured; `None` before its first pass.
    pub status: Option<Arc<AnalysisRunStatus>>,
}

/// A write that the API server refused, kept until its input changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Kind and name, such as `ReplicaSet/web-674d8cf959`.
    pub target: String,
    /// What kind of refusal it is.
    pub code: RefusalCode,
    /// The server's message.
    pub message: String,
}

/// Why the API server refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// An object of that name exists.
    AlreadyExists,
    /// The object is invalid (422).
    Invalid,
    /// Not allowed: quota or admission (403).
    Forbidden,
}
