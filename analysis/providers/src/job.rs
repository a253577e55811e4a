//! A Job that succeeds or fails: its manifest, and what its state means. `[provider.job]`

use crate::Settings;
use analysis::provider::{Metadata, MetricContext, Reading};
use crds::Time;
use crds::analysis::{AnalysisPhase, Measurement};
use crds::meta;
use serde_json::{Value, json};

/// Note on a measurement: name of its Job.
pub const JOB_NAME: &str = "job-name";
/// Note on a measurement: namespace of its Job.
pub const JOB_NAMESPACE: &str = "job-namespace";
/// Longest name of a Job, because its pods carry it in a label.
const NAME_MAX: usize = 63;

/// Name of the Job of a measurement: uid of the run, metric, number; the metric is cut to fit.
#[must_use]
pub fn name(context: MetricContext<'_>) -> String {
    let (uid, attempt) = (context.run_uid, context.attempt.to_string());
    let room = NAME_MAX.saturating_sub(uid.len() + attempt.len() + 2);
    let metric: String = context.metric.name.chars().take(room).collect();
    format!("{uid}.{metric}.{attempt}")
}

/// The Job of a measurement, owned by its run.
///
/// # Errors
/// When the metric has no job.
pub fn manifest(context: MetricContext<'_>, settings: &Settings) -> Result<Value, String> {
    let job = context.metric.provider.job.as_ref().ok_or("the metric has no job provider")?;
    let extra = job.metadata.clone().unwrap_or_default();
    let mut labels = extra.labels.unwrap_or_default();
    labels.insert(meta::ANALYSIS_RUN_UID_LABEL.to_owned(), context.run_uid.to_owned());
    let mut annotations = extra.annotations.unwrap_or_default();
    for (key, value) in [
        (meta::ANALYSIS_RUN_NAME_ANNOTATION, context.run_name),
        (meta::ANALYSIS_RUN_NAMESPACE_ANNOTATION, context.run_namespace),
        (meta::ANALYSIS_RUN_METRIC_ANNOTATION, &context.metric.name),
    ] {
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let mut spec = job.spec.0.clone();
    label_pods(&mut spec, context.run_uid);
    let namespace = namespace(context, settings);
    // An owner is in the same namespace; a Job that is elsewhere is removed by us alone.
    let owners = if namespace == context.run_namespace && !settings.jobs_elsewhere {
        json!([{
            "apiVersion": crds::API_VERSION,
            "kind": "AnalysisRun",
            "name": context.run_name,
            "uid": context.run_uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }])
    } else {
        json!([])
    };
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name(context),
            "namespace": namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": owners,
        },
        "spec": spec,
    }))
}

/// Where the Jobs of a run are made.
#[must_use]
pub fn namespace<'a>(context: MetricContext<'a>, settings: &'a Settings) -> &'a str {
    settings.job_namespace.as_deref().unwrap_or(context.run_namespace)
}

fn label_pods(spec: &mut Value, uid: &str) -> Option<()> {
    let template = spec.as_object_mut()?.entry("template").or_insert_with(|| json!({}));
    let metadata = template.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let labels = metadata.as_object_mut()?.entry("labels").or_insert_with(|| json!({}));
    labels.as_object_mut()?.insert(meta::ANALYSIS_RUN_UID_LABEL.to_owned(), json!(uid));
    Some(())
}

/// Reading right after the Job was made.
#[must_use]
pub fn started(context: MetricContext<'_>, settings: &Settings) -> Reading {
    Reading::Pending { resume_at: context.now, metadata: notes(&name(context), namespace(context, settings)) }
}

fn notes(name: &str, namespace: &str) -> Metadata {
    Metadata::from([(JOB_NAME.to_owned(), name.to_owned()), (JOB_NAMESPACE.to_owned(), namespace.to_owned())])
}

/// Namespace and name of the Job of a measurement.
#[must_use]
pub fn reference(measurement: &Measurement) -> Option<(String, String)> {
    let metadata = measurement.metadata.as_ref()?;
    Some((metadata.get(JOB_NAMESPACE)?.clone(), metadata.get(JOB_NAME)?.clone()))
}

/// How a Job ended, if it has; other conditions (that it is suspended, say) are no end.
#[must_use]
pub fn ended(job: &Value) -> Option<AnalysisPhase> {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    conditions.into_iter().flatten().find_map(|condition| {
        if condition.get("status").and_then(Value::as_str) != Some("True") {
            return None;
        }
        match condition.get("type").and_then(Value::as_str) {
            Some("Complete") => Some(AnalysisPhase::Successful),
            Some("Failed") => Some(AnalysisPhase::Failed),
            _ => None,
        }
    })
}

/// What the state of a Job and of its pods means. `pods` need not be given before the Job has ended.
#[must_use]
pub fn interpret(job: &Value, pods: &[Value], measurement: &Measurement, now: Time) -> Reading {
    let metadata = measurement.metadata.clone().unwrap_or_default();
    if let Some(phase) = ended(job) {
        return Reading::Decided { phase, message: String::new(), metadata };
    }
    let stuck: String = pods.iter().filter_map(image_problem).collect();
    if !stuck.is_empty() {
        return Reading::Decided { phase: AnalysisPhase::Inconclusive, message: stuck, metadata };
    }
    unseen(measurement, now)
}

/// A Job that could not be looked at: it is as it was.
#[must_use]
pub fn unseen(measurement: &Measurement, now: Time) -> Reading {
    let metadata = measurement.metadata.clone().unwrap_or_default();
    Reading::Pending { resume_at: resume_at(measurement, now), metadata }
}

/// When a Job that still runs is looked at again: ever more rarely, as a watch tells its end anyway.
///
/// Example: after 50 s in 10 s, after 200 s in 20 s.
fn resume_at(measurement: &Measurement, now: Time) -> Time {
    let elapsed = measurement.started_at.map_or(0, |start| (now.0 - start.0).num_seconds().max(1));
    now.plus_seconds(elapsed.saturating_mul(2).isqrt().max(1))
}

/// An image that cannot be had will not come by waiting.
fn image_problem(pod: &Value) -> Option<String> {
    let name = pod.pointer("/metadata/name")?.as_str()?;
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.iter().filter_map(|list| pod.pointer(list)?.as_array()).flatten();
    for status in statuses {
        let Some(reason) = status.pointer("/state/waiting/reason").and_then(Value::as_str) else { continue };
        if ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"].contains(&reason) {
            let container = status.get("name").and_then(Value::as_str).unwrap_or_default();
            let message =
                status.pointer("/state/waiting/message").and_then(Value::as_str).unwrap_or_default();
            return Some(format!(
                "Pod {name}, container {container} has terminal error ({reason}): {message}\n"
            ));
        }
    }
    None
}

/// Reading of a Job that is ended because nobody waits for it any more.
#[must_use]
pub fn terminated(measurement: &Measurement) -> Reading {
    Reading::Decided {
        phase: AnalysisPhase::Inconclusive,
        message: "Metric Terminated".to_owned(),
        metadata: measurement.metadata.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
