//! Carries a plan out: the writes in order, each with a timeout and only while we lead, then the status, the writes that
//! follow it, and the notices whose anchors succeeded.

mod doubts;
mod pace;
pub(crate) mod pods;
mod requests;
pub(crate) mod routes;
pub(crate) mod status;
mod verdicts;
mod words;

pub(crate) use doubts::Doubts;
pub(crate) use pace::Pace;
pub(crate) use words::describe;

use crate::cache::{Caches, Clients};
use crate::events::{Events, Message};
use crate::lease::Claim;
use crate::metrics::{Metrics, Written};
use crate::observe;
use doubts::Subject;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, Resource, ResourceExt};
use planner::defect;
use planner::{Anchor, Plan, Planned, Refusal, RefusalCode, ReplicaSet, World, Write};
use pods::{Pods, is_about_pods};
use requests::Requests;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long one write may take. The client's own retries could hold it for minutes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a plan could not be carried out to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// Another process leads: nothing more is written.
    #[error("this process does not lead")]
    NotLeading,
    /// The API server did not answer; the write may or may not have happened.
    #[error("{what}: no answer from the API server after {} s", WRITE_TIMEOUT.as_secs())]
    Timeout {
        /// The write.
        what: String,
    },
    /// The API server refused, or could not be reached.
    #[error("{what}: {source}")]
    Request {
        /// The write.
        what: String,
        /// Its answer.
        source: kube::Error,
    },
    /// The server refused for a reason that the planner has to know.
    #[error("{}: {}", .0.target, .0.message)]
    Refused(Box<Refusal>),
    /// A verdict has come that the plan does not know.
    #[error("AnalysisRun {run} has ended while the promotion was being carried out")]
    Overtaken {
        /// The run.
        run: String,
    },
}

impl ApplyError {
    /// Whether the write may have been carried out, or may still be.
    fn is_unanswered(&self) -> bool {
        match self {
            Self::Request { source: kube::Error::Api(status), .. } => status.code >= 500,
            Self::Timeout { .. } | Self::Request { .. } => true,
            Self::NotLeading | Self::Refused(_) | Self::Overtaken { .. } => false,
        }
    }

    /// The same may be answered another time: nobody has, or the server has no time, or we do not lead.
    pub(crate) fn is_for_now(&self) -> bool {
        let busy =
            matches!(self, Self::Request { source: kube::Error::Api(status), .. } if status.code == 429);
        busy || self.is_unanswered() || matches!(self, Self::NotLeading)
    }

    /// The world was not what the plan was made for: a new plan is all that is needed.
    pub(crate) fn is_stale(&self) -> bool {
        match self {
            Self::Request { source: kube::Error::Api(status), .. } => matches!(status.code, 404 | 409),
            Self::Overtaken { .. } => true,
            _ => false,
        }
    }
}

/// How far a plan has come.
struct Course {
    /// When the change was told that the plan follows, until something is written.
    told: Option<Instant>,
    /// Writes that are done.
    done: usize,
    /// What failed, and holds nothing up.
    late: Result<(), ApplyError>,
    /// What routers have to tell, by the write's index.
    routers: BTreeMap<usize, Vec<(&'static str, String)>>,
}

/// Carries plans out.
#[derive(Clone)]
pub(crate) struct Applier {
    pub(crate) client: Client,
    /// For evictions, whose refusals are not tried again unasked.
    pub(crate) evictions: Client,
    pub(crate) of_routes: Clients,
    pub(crate) claim: Claim,
    pub(crate) caches: Caches,
    pub(crate) events: Events,
    pub(crate) metrics: Metrics,
    /// When counts were carried into statuses.
    pub(crate) pace: Pace,
    /// Writes whose end is not known.
    pub(crate) doubts: Doubts,
    /// How many pods get their metadata at a time.
    pub(crate) pod_threads: usize,
}

impl Applier {
    /// Carries out the plan that was made from `world`; `pods` are those whose metadata it was made from. Notices of what
    /// succeeded are sent also when a later part failed. Metadata that is refused, and an eviction that fails, are told at
    /// the end: they hold nothing up. `told` is when the change was told that this follows. Gives when to look again for what was left for later.
    pub(crate) async fn apply(
        &self,
        world: &World,
        plan: &Plan,
        pods: &Pods,
        told: Option<Instant>,
    ) -> Result<Option<Instant>, ApplyError> {
        let rollout = &world.rollout;
        let mut requests = Requests::new(self, rollout);
        let namespace = rollout.namespace().unwrap_or_default();
        let mut course = Course { told, done: 0, late: Ok(()), routers: BTreeMap::new() };
        if let (true, Some(status)) = (defect!(StatusFirst), &plan.status) {
            self.guard("status", async { requests.status(status).await.map(|_| ()) }).await?;
        }
        for (subject, fence) in self.fences(&requests, world, plan) {
            match self.write(world, &mut requests, &fence).await {
                Err(ApplyError::NotLeading) => return Err(ApplyError::NotLeading),
                // It has changed since: what was given up has come, or meets the same conflict.
                Err(error) if error.is_stale() => self.doubts.fence(subject),
                // The rest of the plan does not wait: what counts on the ReplicaSet asks for itself.
                _ => {}
            }
        }
        let (first, following) = plan.parts();
        let mut result = self.write_all(world, &mut requests, first, &mut course).await;
        let mut recorded = false;
        let waits = self.waits(rollout, plan);
        if let (Ok(()), Some(status), None) = (&result, &plan.status, waits) {
            result = self.record(world, &requests, status, &mut course.told).await;
            recorded = result.is_ok();
        }
        if recorded {
            result = self.write_all(world, &mut requests, following, &mut course).await;
        }
        let Course { done, late, routers, .. } = course;
        self.notify(rollout, plan, (done, recorded), routers);
        // After everything else: a step does not wait for a thousand pods. What was decided was decided without them.
        let about_pods =
            plan.writes.iter().map(|planned| &planned.write).filter(|write| is_about_pods(write));
        let labelled = match &result {
            Ok(()) => self.label_pods(&namespace, pods, about_pods).await,
            Err(_) => Ok(()),
        };
        result.and(late).and(labelled).map(|()| waits)
    }

    /// Writes in order, up to the first that fails.
    async fn write_all(
        &self,
        world: &World,
        requests: &mut Requests<'_>,
        writes: &[Planned],
        course: &mut Course,
    ) -> Result<(), ApplyError> {
        let mut result = Ok(());
        for planned in writes {
            tracing::debug!(rollout = world.rollout.name_any(), reason = planned.reason, "write");
            if is_about_pods(&planned.write) {
                course.done += 1;
                continue;
            }
            result = self.write(world, requests, &planned.write).await;
            if is_left_for_later(&planned.write, &result) {
                course.late = std::mem::replace(&mut result, Ok(()));
            }
            if let Err(error) = &result {
                let own =
                    matches!(planned.write, Write::AnnotateRollout { .. } | Write::SetRolloutReplicas { .. });
                self.forget_if_gone(&world.rollout, own, error);
                if defect!(GoesOnAfterFailure) {
                    continue;
                }
                break;
            }
            self.wrote(words::written(&planned.write), &mut course.told);
            course.routers.insert(course.done, std::mem::take(&mut requests.told));
            course.done += 1;
        }
        result
    }

    /// What is to be changed before anything else is done: ReplicaSets with a size that was given up and may still come,
    /// as far as the plan does not write to them itself.
    fn fences(&self, requests: &Requests<'_>, world: &World, plan: &Plan) -> Vec<(Subject, Write)> {
        let written = |subject: &Subject| {
            plan.writes.iter().any(|planned| requests.subject(&planned.write).as_ref() == Some(subject))
        };
        let ours = world.replica_sets.iter().filter(|set| set.owner == planner::Owner::Ours && !set.deleting);
        let subjects = ours.map(|set| (requests.of_set(&set.name), set));
        let in_doubt =
            subjects.filter(|(subject, _)| self.doubts.is_open(subject, None) && !written(subject));
        in_doubt
            .map(|(subject, set)| {
                let target = planner::Target {
                    name: set.name.clone(),
                    uid: set.uid.clone(),
                    resource_version: set.resource_version.clone(),
                };
                let annotations = BTreeMap::new();
                (subject, Write::AnnotateReplicaSet { target, annotations, min_ready_seconds: None })
            })
            .collect()
    }

    /// Until when the status of a plan waits: one that says nothing new but how many pods there are.
    fn waits(&self, rollout: &crds::Rollout, plan: &Plan) -> Option<Instant> {
        let (before, after) = (rollout.status.as_ref()?, plan.status.as_ref()?);
        let told = plan.notices.iter().any(|notice| notice.anchor == Anchor::Status);
        let only_counts = !told && before != after && planner::rollout::differ_in_counts_only(before, after);
        self.pace.waits(rollout).filter(|_| only_counts)
    }

    async fn record(
        &self,
        world: &World,
        requests: &Requests<'_>,
        status: &crds::rollout::RolloutStatus,
        told: &mut Option<Instant>,
    ) -> Result<(), ApplyError> {
        self.confirm_verdicts(world, status)?;
        let rollout = &world.rollout;
        let mut sent = false;
        let request = async {
            sent = requests.status(status).await?;
            Ok(())
        };
        let result = self.guard("status", request).await;
        match &result {
            Ok(()) => {
                if sent {
                    self.pace.wrote(rollout);
                    self.wrote(Written::new("patch", "rollouts/status", "status"), told);
                }
                let before = rollout.status.clone().unwrap_or_default();
                let ended = planner::rollout::ended(&before, status);
                ended.into_iter().for_each(|ended| self.metrics.update_ended(ended));
            }
            Err(error) => self.forget_if_gone(rollout, true, error),
        }
        result
    }

    /// No version becomes stable against a verdict that has come since the plan was made.
    fn confirm_verdicts(
        &self,
        world: &World,
        status: &crds::rollout::RolloutStatus,
    ) -> Result<(), ApplyError> {
        let stable = world.rollout.status.as_ref().map_or("", |before| before.stable_rs.as_str());
        if stable.is_empty() || status.stable_rs == stable {
            return Ok(());
        }
        let namespace = world.rollout.namespace().unwrap_or_default();
        let overtaken = verdicts::overtaken(&namespace, &world.analysis_runs, &self.caches.runs);
        overtaken.map_or(Ok(()), |run| Err(ApplyError::Overtaken { run }))
    }

    /// Counts a write, and how long after `told` it was done if it is the first.
    fn wrote(&self, written: Written, told: &mut Option<Instant>) {
        self.metrics.wrote(written);
        if let Some(told) = told.take() {
            self.metrics.first_write(told.elapsed());
        }
    }

    /// A Rollout that the server does not have is not waited for until the watch says so: each look would create a
    /// ReplicaSet for the garbage collector, whose deletion brings the next look.
    fn forget_if_gone(&self, rollout: &crds::Rollout, own: bool, error: &ApplyError) {
        let gone = matches!(error, ApplyError::Request { source: kube::Error::Api(status), .. } if status.code == 404);
        if own && gone {
            self.caches.rollouts.delete(rollout);
        }
    }

    /// Sends the notices of what has succeeded; `routers` holds, by the write's index, what routers have to tell of theirs.
    fn notify(
        &self,
        rollout: &crds::Rollout,
        plan: &Plan,
        (done, recorded): (usize, bool),
        mut routers: BTreeMap<usize, Vec<(&'static str, String)>>,
    ) {
        let about = reference(rollout);
        let send = |event_type, reason: &str, message: String| {
            let (about, reason) = (about.clone(), reason.to_owned());
            self.events.send(Message { about, event_type, reason, message });
        };
        for notice in &plan.notices {
            match notice.anchor {
                Anchor::Write(index) if notice.reason == planner::OF_ROUTER => {
                    for (reason, message) in routers.remove(&index).unwrap_or_default() {
                        send(notice.event_type, reason, message);
                    }
                }
                Anchor::Write(index) if index < done => {
                    send(notice.event_type, notice.reason, notice.message.clone())
                }
                Anchor::Status if recorded => send(notice.event_type, notice.reason, notice.message.clone()),
                Anchor::Write(_) | Anchor::Status => {}
            }
        }
    }

    /// Tells at once what goes wrong with a Rollout.
    fn warn(&self, world: &World, reason: &str, message: String) {
        let (about, reason) = (reference(&world.rollout), reason.to_owned());
        self.events.send(Message { about, event_type: planner::EventType::Warning, reason, message });
    }

    /// One request: only while we lead, and not for longer than [`WRITE_TIMEOUT`].
    pub(crate) async fn guard(
        &self,
        what: &str,
        request: impl Future<Output = kube::Result<()>>,
    ) -> Result<(), ApplyError> {
        let Some(_writing) = self.claim.write() else { return Err(ApplyError::NotLeading) };
        match tokio::time::timeout(WRITE_TIMEOUT, request).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(ApplyError::Request { what: what.to_owned(), source }),
            Err(_) => Err(ApplyError::Timeout { what: what.to_owned() }),
        }
    }

    async fn write(
        &self,
        world: &World,
        requests: &mut Requests<'_>,
        write: &Write,
    ) -> Result<(), ApplyError> {
        let what = describe(write);
        let result = self.guard(&what, requests.send(write)).await;
        if result.as_ref().is_err_and(ApplyError::is_unanswered)
            && let Some(subject) = requests.subject(write)
        {
            self.doubts.give_up(subject);
        }
        let Err(ApplyError::Request { source: kube::Error::Api(status), .. }) = &result else {
            return result;
        };
        match (write, status.code) {
            (_, code) if is_let_pass(write, code) => Ok(()),
            (Write::CreateReplicaSet { name, .. }, 409) => self.in_the_way(world, requests, name).await,
            (Write::CreateReplicaSet { name, .. }, code @ (403 | 422)) => {
                Err(ApplyError::Refused(Box::new(Refusal {
                    target: format!("ReplicaSet/{name}"),
                    code: if code == 403 { RefusalCode::Forbidden } else { RefusalCode::Invalid },
                    message: status.message.clone(),
                })))
            }
            (Write::ScaleWorkload { target, .. }, code @ (403 | 422)) => {
                let target = format!("Deployment/{}", target.name);
                tracing::warn!(target, error = status.message, "the referenced Deployment cannot be scaled");
                Err(ApplyError::Refused(Box::new(Refusal {
                    target,
                    code: if code == 403 { RefusalCode::Forbidden } else { RefusalCode::Invalid },
                    message: status.message.clone(),
                })))
            }
            (Write::RouteTraffic { .. }, code) if code != 409 => {
                self.warn(world, "TrafficRoutingError", status.message.clone());
                result
            }
            (Write::CreateAnalysisRun { name, .. }, 403 | 422) => {
                let message = format!("Failed to create AnalysisRun {name:?}: {}", status.message);
                self.warn(world, "AnalysisRunCreateError", message);
                result
            }
            (Write::TerminateAnalysisRun { target }, 409 | 422) => {
                // Another run has its name by now, and the watch has not told.
                self.guard(&what, requests.reread_run(&target.name)).await?;
                Err(ApplyError::Request { what, source: requests::conflict("another run has that name") })
            }
            (Write::CreateAnalysisRun { name, .. }, 409) => {
                // Our own create of a moment ago, or a foreign one: either way the next plan has to see it.
                self.guard(&what, requests.reread_run(name)).await?;
                result
            }
            // What is gone needs no deletion, and a budget that forbids an eviction now is asked again later.
            (
                Write::DeleteReplicaSet { .. } | Write::DeleteAnalysisRun { .. } | Write::EvictPod { .. },
                404,
            )
            | (Write::EvictPod { .. }, 429) => Ok(()),
            _ => result,
        }
    }

    /// A ReplicaSet of that name exists. One that is ours, or that we may adopt, only was not seen yet; any other is a
    /// refusal: somebody else's, and one whose labels were changed so that it counts no more.
    async fn in_the_way(&self, world: &World, requests: &Requests<'_>, name: &str) -> Result<(), ApplyError> {
        let what = format!("get ReplicaSet {name}");
        let mut found: Option<ReplicaSet> = None;
        self.guard(&what, async {
            found = requests.reread_replica_set(name).await?;
            Ok(())
        })
        .await?;
        let message = format!("ReplicaSet {name} exists already");
        match found {
            Some(set) if !observe::is_seen(&set, world.selector()) => {
                Err(ApplyError::Refused(Box::new(Refusal {
                    target: format!("ReplicaSet/{name}"),
                    code: RefusalCode::AlreadyExists,
                    message,
                })))
            }
            // Ours, one that we may adopt, or one that has gone since: the next plan sees it as it is.
            Some(_) | None => Err(ApplyError::Request { what, source: requests::conflict(&message) }),
        }
    }
}

/// A refusal that a seeded defect takes for a success; there is none in what ships.
fn is_let_pass(write: &Write, code: u16) -> bool {
    let made = matches!(write, Write::CreateReplicaSet { .. } | Write::CreateAnalysisRun { .. });
    match code {
        404 | 409 if defect!(RefusalIsFine) => true,
        409 => made && defect!(ExistsIsFine),
        500.. => defect!(FailureIsFine),
        _ => false,
    }
}

/// A failure that nothing else waits for: the server does not take metadata or anti-affinity that a strategy asks for, or
/// cannot evict a pod, as where two budgets are about it. An update, and an abort, go on without.
fn is_left_for_later(write: &Write, result: &Result<(), ApplyError>) -> bool {
    match (write, result) {
        (Write::EditTemplate { .. }, Err(ApplyError::Request { source: kube::Error::Api(status), .. })) => {
            matches!(status.code, 403 | 422)
        }
        (Write::EvictPod { .. }, Err(ApplyError::Request { .. } | ApplyError::Timeout { .. })) => true,
        _ => false,
    }
}

/// An object as events refer to it.
pub(crate) fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    object.object_ref(&())
}
