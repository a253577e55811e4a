//! One look at a Rollout: observe, plan, apply.

use crate::apply::pods::{Pods, metadata};
use crate::apply::{Applier, ApplyError, reference};
use crate::cache::{Caches, Referenced};
use crate::clock::Clock;
use crate::events::Message;
use crate::metrics::{Looked, Metrics};
use crate::observe;
use crate::queue::{Key, Outcome};
use crds::rollout::RolloutStatus;
use crds::{Rollout, Time};
use k8s_openapi::api::core::v1::{ObjectReference, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use planner::defect;
use planner::{EventType, Owner, Plan, Refusal, Settings, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Seconds for which a refusal is shown before the write is tried again: the longest that Argo Rollouts waits.
const REFUSAL_SECONDS: i64 = 10;
/// How long the watches have to tell of our own writes. Then the next look is taken without them: a list that is not
/// answered must not hold an abort up.
pub(crate) const UNTOLD: Duration = Duration::from_secs(1);
/// Most pods of one Rollout that are looked at for a restart.
const PODS_MAX: u32 = 5000;
/// Most plans in one look: the second one knows what the server refused.
const PLANS_MAX: usize = 2;

/// What was refused, until when, and for which generation of the Rollout.
struct Refused {
    refusals: Vec<Refusal>,
    generation: i64,
    until: Time,
}

/// Looks at Rollouts.
#[derive(Clone)]
pub(crate) struct Rollouts {
    pub(crate) caches: Caches,
    pub(crate) applier: Applier,
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    refused: Arc<Mutex<BTreeMap<Key, Refused>>>,
    /// Rollouts that were looked at, as Events refer to them.
    known: Arc<Mutex<BTreeMap<Key, ObjectReference>>>,
}

impl Rollouts {
    pub(crate) fn new(
        caches: Caches,
        applier: Applier,
        clock: Clock,
        settings: Settings,
        metrics: Metrics,
    ) -> Self {
        Self { caches, applier, clock, settings, metrics, refused: Arc::default(), known: Arc::default() }
    }

    /// Looks at one Rollout, and tells when to look again. `told` is when the change was told that it follows.
    pub(crate) async fn look(&self, key: &Key, told: Option<Instant>) -> Outcome {
        let there = self.caches.rollouts.get(&key.namespace, &key.name);
        self.tell_deleted(key, there.as_deref());
        if there.is_none() {
            self.metrics.forget(Looked::Rollout, &key.namespace, &key.name);
            self.refused().remove(key);
            self.caches.targets.forget(key);
            return Outcome::Done;
        }
        let started = Instant::now();
        let result = self.reconcile(key, told).await;
        let failed = match &result {
            Ok((_, refused)) => *refused,
            Err(error) => !error.is_stale(),
        };
        self.metrics.looked(Looked::Rollout, &key.namespace, &key.name, started.elapsed(), failed);
        match result {
            Ok((wake, _)) => wake
                .filter(|_| !defect!(WakeDropped))
                .map_or(Outcome::Done, |at| Outcome::Wake(self.clock.instant(at))),
            Err(ApplyError::NotLeading) => Outcome::Done,
            Err(error) if error.is_stale() => {
                tracing::debug!(namespace = key.namespace, name = key.name, %error, "planned anew");
                if defect!(ConflictIsTheEnd) { Outcome::Done } else { Outcome::Retry }
            }
            Err(error) => {
                tracing::warn!(namespace = key.namespace, name = key.name, %error, "a plan could not be carried out");
                Outcome::Retry
            }
        }
    }

    /// Says that a Rollout is gone that was looked at before, also when there is another one of its name already.
    fn tell_deleted(&self, key: &Key, there: Option<&Rollout>) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match there {
            Some(rollout) => all.insert(key.clone(), reference(rollout)),
            None => all.remove(key),
        };
        let Some(gone) = before.filter(|before| there.is_none_or(|now| now.metadata.uid != before.uid))
        else {
            return;
        };
        self.applier.events.send(Message {
            about: gone,
            event_type: EventType::Normal,
            reason: "RolloutDeleted".to_owned(),
            message: format!("Rollout {}/{} is deleted.", key.name, key.namespace),
        });
    }

    fn refused(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Refused>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When to look again, and whether the API server has refused what was planned.
    async fn reconcile(
        &self,
        key: &Key,
        mut told: Option<Instant>,
    ) -> Result<(Option<Time>, bool), ApplyError> {
        let mut refused = false;
        for _ in 0..PLANS_MAX {
            let Some(rollout) = self.caches.rollouts.get(&key.namespace, &key.name) else {
                return Ok((None, refused));
            };
            let rollout = self.caches.left.with_dropped_routes(rollout);
            let now = self.clock.now();
            let (refusals, until) = self.refusals(key, &rollout, now);
            let Some((world, pods)) = self.world(&rollout, refusals, now).await? else {
                return Ok((None, refused));
            };
            self.caches.left.forget_routes(&world);
            let plan = planner::plan(&world, now);
            self.explain(key, &world, &plan, now);
            let applied = self.applier.apply(&world, &plan, &pods, told.take()).await;
            self.caches.targets.want(key, &world, &plan, &self.caches.services, applied.is_ok());
            match applied {
                Ok(later) => {
                    let wake = plan.wake.as_ref().map(|wake| wake.at);
                    let untold = self.wrote(key, &rollout, &plan).then(|| self.clock.now().plus(UNTOLD));
                    let later =
                        later.map(|at| self.clock.now().plus(at.saturating_duration_since(Instant::now())));
                    return Ok(([wake, until, untold, later].into_iter().flatten().min(), refused));
                }
                Err(ApplyError::Refused(refusal)) => {
                    refused = true;
                    self.remember(key, &rollout, *refusal, now);
                }
                Err(error) => return Err(error),
            }
        }
        // The refusal stands in the status; the write is tried again when it is forgotten.
        Ok((Some(self.clock.now().plus_seconds(REFUSAL_SECONDS)), refused))
    }

    /// All that decides about a Rollout, and the pods whose metadata may be asked to change; `None` while that is not
    /// known.
    pub(crate) async fn world(
        &self,
        rollout: &Rollout,
        refusals: Vec<Refusal>,
        now: Time,
    ) -> Result<Option<(World, Pods)>, ApplyError> {
        if matches!(self.caches.workloads.of(rollout), Referenced::Unknown) {
            // The watch of its kind has just been started, and wakes this Rollout when it has listed.
            tracing::debug!(name = rollout.name_any(), "the workload is not known yet");
            return Ok(None);
        }
        if self.caches.routes.are_unread(rollout) {
            tracing::debug!(name = rollout.name_any(), "what its routers read is not known yet");
            return Ok(None);
        }
        let mut world = observe::world(&self.caches, rollout, refusals, &self.settings, now);
        if restart_is_due(rollout, now) {
            world.pods = self.pods(rollout, &world).await?;
            world.pods_are_known = true;
        }
        let pods = self.pods_to_label(rollout, &world).await?;
        world.pod_metadata = metadata(&pods);
        Ok(Some((world, pods)))
    }

    /// Whether something was written, as the answers in the caches say.
    fn wrote(&self, key: &Key, before: &Rollout, plan: &Plan) -> bool {
        // Without the overlay the next look would only see again what this one saw.
        if !self.caches.overlay {
            return false;
        }
        let after = self.caches.rollouts.get(&key.namespace, &key.name);
        !plan.writes.is_empty()
            || after.is_some_and(|after| after.resource_version() != before.resource_version())
    }

    /// Says what is about to be done, and warns where the plan breaks a law of the house. A warning stops nothing:
    /// the lint has to earn more trust before it may.
    fn explain(&self, key: &Key, world: &World, plan: &Plan, now: Time) {
        let (namespace, name) = (&key.namespace, &key.name);
        for fault in planner::check::check(world, plan, now) {
            self.metrics.fault(fault.rule);
            tracing::warn!(namespace, name, ?fault, "the plan breaks a law: please report this");
        }
        if !plan.writes.is_empty() {
            tracing::debug!(namespace, name, writes = plan.writes.len(), trail = ?plan.trail, "plan");
        }
    }

    /// What was refused and still counts, and when it is forgotten.
    fn refusals(&self, key: &Key, rollout: &Rollout, now: Time) -> (Vec<Refusal>, Option<Time>) {
        let mut all = self.refused();
        let generation = rollout.metadata.generation.unwrap_or(0);
        let Some(known) = all.get(key) else { return (Vec::new(), None) };
        if known.generation != generation || (now >= known.until && !defect!(RefusedForEver)) {
            all.remove(key);
            return (Vec::new(), None);
        }
        // A defect that looked again at once would look for ever.
        (known.refusals.clone(), Some(known.until).filter(|_| !defect!(RefusedForEver)))
    }

    fn remember(&self, key: &Key, rollout: &Rollout, refusal: Refusal, now: Time) {
        let generation = rollout.metadata.generation.unwrap_or(0);
        let until = now.plus_seconds(REFUSAL_SECONDS);
        let mut all = self.refused();
        let entry =
            all.entry(key.clone()).or_insert_with(|| Refused { refusals: Vec::new(), generation, until });
        entry.refusals.retain(|known| known.target != refusal.target);
        entry.refusals.push(refusal);
    }

    /// Pods whose metadata a strategy may ask to be changed. Without a list of them the rest of the plan goes on.
    async fn pods_to_label(&self, rollout: &Rollout, world: &World) -> Result<Pods, ApplyError> {
        if !world.needs_pod_metadata() {
            return Ok(Pods::new());
        }
        let namespace = rollout.namespace().unwrap_or_default();
        let selector = world.selector().cloned().unwrap_or_default().to_string();
        match self.applier.list_pods(&namespace, &selector).await {
            Err(ApplyError::NotLeading) => Err(ApplyError::NotLeading),
            Err(error) => {
                tracing::warn!(namespace, name = rollout.name_any(), %error, "metadata of pods was not looked at");
                Ok(Pods::new())
            }
            listed => listed,
        }
    }

    /// Pods of our ReplicaSets, in the order of the API's list. They are asked for only while a restart is due: a
    /// cache of all pods would be the largest part of the memory.
    async fn pods(&self, rollout: &Rollout, world: &World) -> Result<Vec<planner::Pod>, ApplyError> {
        let api: Api<Pod> =
            Api::namespaced(self.applier.client.clone(), &rollout.namespace().unwrap_or_default());
        let selector = world.selector().cloned().unwrap_or_default().to_string();
        let params = ListParams::default().labels(&selector).limit(PODS_MAX);
        let mut pods = Vec::new();
        self.applier
            .guard("list pods", async {
                pods = api.list(&params).await?.items.iter().map(observe::pod).collect();
                Ok(())
            })
            .await?;
        let ours: Vec<&str> = world
            .replica_sets
            .iter()
            .filter(|set| set.owner != Owner::Other)
            .map(|set| set.uid.as_str())
            .collect();
        pods.retain(|pod: &planner::Pod| ours.contains(&pod.replica_set_uid.as_str()));
        Ok(pods)
    }
}

pub(crate) fn restart_is_due(rollout: &Rollout, now: Time) -> bool {
    let status: RolloutStatus = rollout.status.clone().unwrap_or_default();
    rollout.spec.restart_at.is_some_and(|at| now >= at && status.restarted_at != Some(at))
}
