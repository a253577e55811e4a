//! Jobs of job metrics: made, looked at and removed in the cluster.

use crate::FIELD_MANAGER;
use crate::apply::{Applier, ApplyError};
use crate::metrics::Written;
use analysis::provider::{MetricContext, Reading};
use crds::Time;
use crds::analysis::Measurement;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use providers::{Settings, job};
use serde_json::Value;

/// Where the Jobs of analyses are made: in this cluster, unless the environment names another.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) client: kube::Client,
    pub(crate) settings: Settings,
}

/// Most pods of one Job that are looked at.
const PODS_MAX: u32 = 20;

/// Makes the Job of a measurement. One that exists is ours: its name has the run's uid, and an earlier answer was
/// lost.
pub(super) async fn start(applier: &Applier, jobs: &Jobs, context: MetricContext<'_>) -> Reading {
    let settings = &jobs.settings;
    let parsed = job::manifest(context, settings)
        .and_then(|value| serde_json::from_value::<Job>(value).map_err(|e| e.to_string()));
    let manifest = match parsed {
        Ok(manifest) => manifest,
        Err(problem) => return providers::error(problem),
    };
    let api: Api<Job> = Api::namespaced(jobs.client.clone(), job::namespace(context, settings));
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let made = applier.guard("create Job", async { api.create(&params, &manifest).await.map(|_| ()) }).await;
    match made {
        Ok(()) => {
            applier.metrics.wrote(Written::new("create", "jobs", "measure"));
            job::started(context, settings)
        }
        Err(ApplyError::Request { source: kube::Error::Api(status), .. }) if status.code == 409 => {
            job::started(context, settings)
        }
        Err(ApplyError::Request { source: kube::Error::Api(status), .. }) => providers::error(status.message),
        Err(error) => providers::error(error.to_string()),
    }
}

/// Looks at the Job of a measurement.
pub(super) async fn resume(applier: &Applier, jobs: &Jobs, measurement: &Measurement, now: Time) -> Reading {
    let Some((namespace, name)) = job::reference(measurement) else {
        return providers::error("the measurement does not name its Job");
    };
    let api: Api<Job> = Api::namespaced(jobs.client.clone(), &namespace);
    let mut found = None;
    let asked = applier.guard("get Job", async { api.get_opt(&name).await.map(|job| found = job) }).await;
    match asked {
        Ok(()) => {}
        // The Job goes on meanwhile: only what the server says of it ends the measurement.
        Err(error) if error.is_for_now() => {
            tracing::warn!(%error, namespace, job = name, "a Job could not be looked at");
            return job::unseen(measurement, now);
        }
        Err(error) => return providers::error(error.to_string()),
    }
    let Some(found) = found else { return providers::error(format!("jobs.batch {name:?} not found")) };
    let found = match serde_json::to_value(&found) {
        Ok(found) => found,
        Err(error) => return providers::error(error.to_string()),
    };
    let pods =
        if job::ended(&found).is_some() { Vec::new() } else { pods(applier, jobs, &namespace, &name).await };
    job::interpret(&found, &pods, measurement, now)
}

/// Pods of a Job, to see whether their image can be had. Not to know is no reason to fail.
async fn pods(applier: &Applier, jobs: &Jobs, namespace: &str, job: &str) -> Vec<Value> {
    let api: Api<Pod> = Api::namespaced(jobs.client.clone(), namespace);
    let params = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}")).limit(PODS_MAX);
    let mut pods = Vec::new();
    let asked = applier
        .guard("list pods of a Job", async { api.list(&params).await.map(|list| pods = list.items) })
        .await;
    if let Err(error) = asked {
        tracing::debug!(%error, job, "the pods of a Job could not be listed");
    }
    pods.iter().filter_map(|pod| serde_json::to_value(pod).ok()).collect()
}

/// Ends the Job of a measurement.
pub(super) async fn terminate(applier: &Applier, jobs: &Jobs, measurement: &Measurement) -> Reading {
    match delete(applier, jobs, measurement).await {
        Ok(()) => job::terminated(measurement),
        Err(error) => providers::error(error.to_string()),
    }
}

/// Deletes the Job of a measurement with its pods; a measurement without a Job, or a Job that is gone, is fine.
pub(super) async fn delete(
    applier: &Applier,
    jobs: &Jobs,
    measurement: &Measurement,
) -> Result<(), ApplyError> {
    let Some((namespace, name)) = job::reference(measurement) else { return Ok(()) };
    let api: Api<Job> = Api::namespaced(jobs.client.clone(), &namespace);
    let request = async {
        match api.delete(&name, &DeleteParams::foreground()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(|_| ()),
        }
    };
    applier.guard("delete Job", request).await?;
    applier.metrics.wrote(Written::new("delete", "jobs", "history"));
    Ok(())
}
