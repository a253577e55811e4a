//! One look at an AnalysisRun: assess, measure, record, write.

mod jobs;

pub(crate) use jobs::Jobs;

use crate::FIELD_MANAGER;
use crate::apply::status::difference;
use crate::apply::{Applier, ApplyError, reference};
use crate::clock::Clock;
use crate::events::Message;
use crate::metrics::{Looked, Metrics, Written};
use crate::queue::{Key, Outcome};
use crate::watches;
use analysis::arguments::secret_names;
use analysis::provider::{MetricContext, Reading, interpret_reading};
use analysis::{Answer, Assessment, Redactor, RunView, Secrets, Task, TaskKind};
use crds::analysis::{AnalysisRunStatus, Measurement, Metric};
use crds::{AnalysisRun, Time};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, ResourceExt};
use planner::EventType;
use planner::defect;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest time until the same run is looked at again: an interval of nothing must not become a hot loop.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Looks at AnalysisRuns.
#[derive(Clone)]
pub(crate) struct AnalysisRuns {
    applier: Applier,
    clock: Clock,
    metrics: Metrics,
    executor: providers::http::Executor,
    jobs: Jobs,
}

impl AnalysisRuns {
    pub(crate) fn new(
        applier: Applier,
        clock: Clock,
        metrics: Metrics,
        executor: providers::http::Executor,
        jobs: Jobs,
    ) -> Self {
        Self { applier, clock, metrics, executor, jobs }
    }

    /// Looks at one run, and tells when to look again.
    pub(crate) async fn look(&self, key: &Key) -> Outcome {
        let Some(run) = self.applier.caches.runs.get(&key.namespace, &key.name) else {
            self.metrics.forget(Looked::AnalysisRun, &key.namespace, &key.name);
            return Outcome::Done;
        };
        if run.metadata.deletion_timestamp.is_some() {
            return Outcome::Done;
        }
        let started = Instant::now();
        let result = self.reconcile(&run).await;
        let failed = result.as_ref().is_err_and(|error| !error.is_stale());
        self.metrics.looked(Looked::AnalysisRun, &key.namespace, &key.name, started.elapsed(), failed);
        match result {
            Ok(Some(wake)) => Outcome::Wake(self.clock.instant(wake).max(Instant::now() + PAUSE_MIN)),
            Ok(None) | Err(ApplyError::NotLeading) => Outcome::Done,
            Err(error) => {
                if failed {
                    tracing::warn!(namespace = key.namespace, name = key.name, %error, "an AnalysisRun could not be carried on");
                }
                Outcome::Retry
            }
        }
    }

    async fn reconcile(&self, run: &AnalysisRun) -> Result<Option<Time>, ApplyError> {
        let without;
        let run = if defect!(UnmeasuredIsPassed) {
            without = without_delayed(run);
            &without
        } else {
            run
        };
        let old = run.status.clone().unwrap_or_default();
        if old.phase == crds::analysis::AnalysisPhase::Failed && defect!(VerdictRewritten) {
            let better =
                AnalysisRunStatus { phase: crds::analysis::AnalysisPhase::Successful, ..old.clone() };
            return self.write(run, &old, &better).await.map(|()| None);
        }
        if old.phase.is_completed() && run.spec.ttl_strategy.is_none() {
            return Ok(None);
        }
        if self.waits_for_its_name(run) && !defect!(BeginsUnnamed) {
            tracing::debug!(
                run = run.name_any(),
                "not begun: the status of its Rollout does not name it yet"
            );
            return Ok(None);
        }
        let secrets = self.secrets(run).await?;
        let view = |status| RunView { spec: &run.spec, status, secrets: &secrets };
        let first = analysis::assess(view(&old), self.clock.now());
        if first.delete {
            return self.delete(run).await.map(|()| None);
        }
        let mut rounds = vec![first];
        let begun =
            rounds.first().map(|round| (round.status.clone(), round.tasks.clone())).unwrap_or_default();
        if !begun.1.is_empty() {
            let redactor = Redactor::new(run.spec.args.as_deref().unwrap_or_default(), &secrets);
            let carried = begun.1.iter().map(|task| self.carry_out(run, view(&begun.0), task, &redactor));
            let answers = join_all(carried).await;
            let recorded = analysis::record(begun.0.clone(), answers, self.clock.now());
            rounds.push(analysis::assess(view(&recorded), self.clock.now()));
            if let (true, Some(last)) = (defect!(OneIsEnough), rounds.last_mut()) {
                last.status.phase = crds::analysis::AnalysisPhase::Successful;
            }
        }
        for garbage in rounds.iter().flat_map(|round| &round.garbage) {
            jobs::delete(&self.applier, &self.jobs, &garbage.measurement).await?;
        }
        let last = if defect!(AnswerLost) { rounds.first() } else { rounds.last() };
        let last = last.cloned().unwrap_or_default();
        self.write(run, &old, &last.status).await?;
        self.tell(run, &rounds);
        Ok(last.wake)
    }

    /// A run of a Rollout begins when the Rollout's status names it; the look at the Rollout wakes it then. A verdict
    /// that came before, and a crash in between, would leave a run that nobody knows, beside another one.
    fn waits_for_its_name(&self, run: &AnalysisRun) -> bool {
        if run.status.is_some() || run.spec.terminate == Some(true) {
            return false;
        }
        let namespace = run.namespace().unwrap_or_default();
        let rollout = watches::owner(&run.metadata)
            .and_then(|owner| Some((owner, self.applier.caches.rollouts.get(&namespace, &owner.name)?)))
            .filter(|(owner, rollout)| rollout.metadata.uid.as_ref() == Some(&owner.uid));
        let name = run.name_any();
        rollout
            .is_some_and(|(_, rollout)| rollout.status.as_ref().is_none_or(|status| !status.names_run(&name)))
    }

    /// The Secrets of the run's arguments, read anew each time: a rotated one is used with the next measurement.
    async fn secrets(&self, run: &AnalysisRun) -> Result<Secrets, ApplyError> {
        let mut secrets = Secrets::default();
        let api: Api<Secret> =
            Api::namespaced(self.applier.client.clone(), &run.namespace().unwrap_or_default());
        for name in secret_names(run.spec.args.as_deref().unwrap_or_default()) {
            let mut data = None;
            self.applier
                .guard("get Secret", async {
                    data = api.get_opt(&name).await?.map(|secret| {
                        let entries = secret.data.unwrap_or_default().into_iter();
                        entries
                            .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()))
                            .collect()
                    });
                    Ok(())
                })
                .await?;
            secrets.0.insert(name, data);
        }
        Ok(secrets)
    }

    async fn carry_out(
        &self,
        run: &AnalysisRun,
        view: RunView<'_>,
        task: &Task,
        redactor: &Redactor,
    ) -> Answer {
        let begun = self.clock.now();
        let metric = match task.metric(view) {
            Ok(metric) => metric,
            Err(problem) => {
                let measurement = interpret_reading(
                    &Metric::default(),
                    providers::error(problem.to_string()),
                    begun,
                    begun,
                );
                return Answer::new(task, measurement, BTreeMap::new());
            }
        };
        let (name, namespace) = (run.name_any(), run.namespace().unwrap_or_default());
        let uid = run.uid().unwrap_or_default();
        let context = MetricContext {
            run_name: &name,
            run_namespace: &namespace,
            run_uid: &uid,
            metric: &metric,
            attempt: task.attempt,
            run_started_at: view.status.started_at,
            now: begun,
        };
        let is_job = providers::kind(&metric) == providers::Kind::Job;
        let (reading, notes) = match &task.kind {
            TaskKind::Measure if is_job => {
                (jobs::start(&self.applier, &self.jobs, context).await, BTreeMap::new())
            }
            TaskKind::Measure => {
                providers::measure(self.executor.clone(), context, &self.jobs.settings).await
            }
            TaskKind::Resume(before) if is_job => {
                (jobs::resume(&self.applier, &self.jobs, before, begun).await, BTreeMap::new())
            }
            TaskKind::Terminate(before) if is_job => {
                (jobs::terminate(&self.applier, &self.jobs, before).await, BTreeMap::new())
            }
            TaskKind::Resume(_) | TaskKind::Terminate(_) => (
                providers::error("this measurement cannot be resumed: its provider answers at once"),
                BTreeMap::new(),
            ),
        };
        let measurement = self.measurement(&metric, task, reading, begun);
        Answer::new(task, redactor.measurement(measurement), notes)
    }

    /// A measurement that goes on keeps its beginning and its time of resumption.
    fn measurement(&self, metric: &Metric, task: &Task, reading: Reading, begun: Time) -> Measurement {
        let before = match &task.kind {
            TaskKind::Measure => None,
            TaskKind::Resume(before) | TaskKind::Terminate(before) => Some(before),
        };
        let started = before.and_then(|before| before.started_at).unwrap_or(begun);
        let mut measurement = interpret_reading(metric, reading, started, self.clock.now());
        measurement.resume_at = measurement.resume_at.or(before.and_then(|before| before.resume_at));
        measurement
    }

    /// AnalysisRuns have no status subresource: the difference goes to the object itself.
    async fn write(
        &self,
        run: &AnalysisRun,
        old: &AnalysisRunStatus,
        new: &AnalysisRunStatus,
    ) -> Result<(), ApplyError> {
        let before = run.status.as_ref().map_or(Ok(json!({})), |_| serde_json::to_value(old));
        let what = "status of the AnalysisRun";
        let request = async {
            let (before, after) = (
                before.map_err(kube::Error::SerdeError)?,
                serde_json::to_value(new).map_err(kube::Error::SerdeError)?,
            );
            let Some(difference) = difference(&before, &after) else { return Ok(()) };
            let patch = json!({
                "metadata": {"resourceVersion": run.resource_version(), "uid": run.uid()},
                "status": difference,
            });
            let api: Api<AnalysisRun> =
                Api::namespaced(self.applier.client.clone(), &run.namespace().unwrap_or_default());
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            let written = api.patch(&run.name_any(), &params, &Patch::Merge(patch)).await?;
            self.applier.caches.runs.wrote(written);
            self.metrics.wrote(Written::new("patch", "analysisruns", "status"));
            Ok(())
        };
        self.applier.guard(what, request).await
    }

    fn tell(&self, run: &AnalysisRun, rounds: &[Assessment]) {
        for notice in rounds.iter().flat_map(|round| &round.notices) {
            self.applier.events.send(Message {
                about: reference(run),
                event_type: if notice.warning { EventType::Warning } else { EventType::Normal },
                reason: notice.reason.clone(),
                message: notice.message.clone(),
            });
        }
    }

    async fn delete(&self, run: &AnalysisRun) -> Result<(), ApplyError> {
        let api: Api<AnalysisRun> =
            Api::namespaced(self.applier.client.clone(), &run.namespace().unwrap_or_default());
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: run.uid(), resource_version: None }),
            ..DeleteParams::background()
        };
        let request = async {
            match api.delete(&run.name_any(), &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(|_| ()),
            }
        };
        self.applier.guard("delete AnalysisRun", request).await?;
        self.metrics.wrote(Written::new("delete", "analysisruns", "expired"));
        Ok(())
    }
}

/// The run without metrics that begin late.
fn without_delayed(run: &AnalysisRun) -> AnalysisRun {
    let mut run = run.clone();
    run.spec.metrics.retain(|metric| metric.initial_delay.is_none());
    run
}
