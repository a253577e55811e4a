//! `lint`: what the controller and the API server would say to manifests, without either. `[cli.lint]`

use crate::terminal::Terminal;
use anyhow::Context;
use crds::analysis::Metric;
use crds::rollout::spec::WorkloadRef;
use crds::rollout::workload::WorkloadKind;
use crds::validate::{Invalid, WorkloadFacts, not_built, not_built_metric, resolved, rollout_spec};
use crds::{AnalysisRun, AnalysisTemplate, ClusterAnalysisTemplate, Experiment, PodTemplate, Rollout};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::io::Read;

const GROUP: &str = "argoproj.io/";

/// Checks files and prints each fault; fails when there is one.
pub(crate) fn files(names: &[String], terminal: &Terminal) -> anyhow::Result<u8> {
    let mut faults = 0_usize;
    for name in names {
        for fault in text_faults(&text_of(name)?) {
            terminal.warn(format_args!("Error: {name}: {fault}"));
            faults += 1;
        }
    }
    Ok(u8::from(faults > 0))
}

/// The text of a file, or of standard input.
fn text_of(name: &str) -> anyhow::Result<String> {
    if name == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(name).with_context(|| format!("read {name}"))
}

/// The objects of a file, those of lists among them.
pub(crate) fn objects_of_file(name: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&text_of(name)?).with_context(|| format!("{name} is not YAML"))?;
    Ok(documents.iter().filter(|document| !document.is_null()).flat_map(objects_of).cloned().collect())
}

/// All faults of a stream of documents, each with its place.
pub(crate) fn text_faults(text: &str) -> Vec<String> {
    let documents: Vec<Value> = match serde_saphyr::from_multiple(text) {
        Ok(documents) => documents,
        Err(error) => return vec![format!("not YAML: {error}")],
    };
    let mut faults = Vec::new();
    let all: Vec<&Value> = documents.iter().flat_map(objects_of).collect();
    for (index, document) in documents.iter().enumerate() {
        for object in objects_of(document) {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if !text("/apiVersion").starts_with(GROUP) {
                continue;
            }
            let place = format!("document {}: {} {:?}", index + 1, text("/kind"), text("/metadata/name"));
            faults.extend(
                object_faults(object, text("/kind"), &all)
                    .into_iter()
                    .map(|fault| format!("{place}: {fault}")),
            );
        }
    }
    faults
}

/// The objects of a document: its own, or those of a list.
fn objects_of(document: &Value) -> Vec<&Value> {
    match document.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().collect(),
        None => vec![document],
    }
}

/// The Rollout with the template of the workload that it refers to, when that is among `objects`; else as it is.
pub(crate) fn with_template(rollout: &Rollout, objects: &[&Value]) -> Result<Rollout, Invalid> {
    let text = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let reference = rollout.spec.workload_ref.clone().unwrap_or_default();
    let target = reference.target();
    let is_meant = |object: &&&Value| {
        let meant = WorkloadRef {
            api_version: Some(text(object, "/apiVersion")),
            kind: Some(text(object, "/kind")),
            ..WorkloadRef::default()
        };
        target.is_some() && meant.target() == target && text(object, "/metadata/name") == reference.name()
    };
    let Some(workload) = objects.iter().find(is_meant) else { return Ok(rollout.clone()) };
    let of_pods =
        if target == Some(WorkloadKind::PodTemplate) { Some(*workload) } else { workload.get("spec") };
    let part = |key: &str| of_pods.and_then(|spec| spec.get(key)).cloned();
    let template = PodTemplate(part("template").unwrap_or_default());
    let selector = part("selector").and_then(|selector| serde_json::from_value(selector).ok());
    let facts = WorkloadFacts { template: &template, selector: selector.as_ref() };
    Ok(resolved(rollout, |_, _| Some(facts))?.unwrap_or_else(|| rollout.clone()))
}

fn object_faults(object: &Value, kind: &str, all: &[&Value]) -> Vec<String> {
    match kind {
        "Rollout" => match decode::<Rollout>(object) {
            Ok((rollout, mut faults)) => {
                let refused = match with_template(&rollout, all) {
                    Ok(rollout) => rollout_spec(&rollout).err().or_else(|| not_built(&rollout)),
                    Err(invalid) => Some(invalid),
                };
                faults.extend(refused.map(|invalid| invalid.to_string()));
                faults
            }
            Err(fault) => vec![fault],
        },
        "AnalysisTemplate" => with_metrics::<AnalysisTemplate>(object),
        "ClusterAnalysisTemplate" => with_metrics::<ClusterAnalysisTemplate>(object),
        "AnalysisRun" => with_metrics::<AnalysisRun>(object),
        "Experiment" => unknown_fields::<Experiment>(object),
        // Other kinds of this group belong to other projects.
        _ => Vec::new(),
    }
}

/// Unknown fields, and metrics whose provider is not there.
fn with_metrics<K: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
    let mut faults = unknown_fields::<K>(object);
    let metrics = object.pointer("/spec/metrics").and_then(Value::as_array);
    for (index, metric) in metrics.into_iter().flatten().enumerate() {
        // One that cannot be read is told above.
        let Ok(metric) = serde_json::from_value::<Metric>(metric.clone()) else { continue };
        faults.extend(not_built_metric(&metric).map(|invalid| format!("spec.metrics[{index}].{invalid}")));
    }
    faults
}

/// What cannot be read, and the fields that the kind does not have.
pub(crate) fn unknown_fields<K: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
    decode::<K>(object).map_or_else(|fault| vec![fault], |(_, faults)| faults)
}

/// The object, and the fields of it that its kind does not have.
fn decode<K: DeserializeOwned + Serialize>(object: &Value) -> Result<(K, Vec<String>), String> {
    let text = object.to_string();
    let typed: K = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    let known = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let mut unknown = Vec::new();
    lost(object, &known, "", &mut unknown);
    Ok((typed, unknown.into_iter().map(|path| format!("unknown field {path:?}")).collect()))
}

/// Paths that were written and are not there any more.
fn lost(written: &Value, known: &Value, path: &str, out: &mut Vec<String>) {
    match (written, known) {
        (Value::Object(written), known) => {
            for (key, value) in written.iter().filter(|(_, value)| !is_nothing(value)) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match known.get(key) {
                    Some(known) => lost(value, known, &path, out),
                    None => out.push(path),
                }
            }
        }
        (Value::Array(written), Value::Array(known)) => {
            for (index, (written, known)) in written.iter().zip(known).enumerate() {
                lost(written, known, &format!("{path}[{index}]"), out);
            }
        }
        _ => {}
    }
}

/// What is as good as absent: our types leave such values out again.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.values().all(is_nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:1}]}
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {}}]}}
";

    #[test]
    fn a_good_file_has_no_faults_and_other_kinds_are_not_ours() {
        assert_eq!(
            text_faults(&format!("{GOOD}---\nkind: Service\napiVersion: v1\nspec: {{oops: 1}}\n")),
            [""; 0]
        );
    }

    #[test]
    fn a_provider_that_is_not_there_is_named() {
        let template = "{apiVersion: argoproj.io/v1alpha1, kind: AnalysisTemplate, metadata: {name: t}, \
            spec: {metrics: [{name: a, provider: {job: {spec: {template: {}}}}}, \
            {name: b, provider: {datadog: {query: q}}}]}}";
        let faults = text_faults(template);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let place = "document 1: AnalysisTemplate \"t\": spec.metrics[1].provider.datadog: ";
        assert!(faults[0].starts_with(place), "{faults:?}");
    }

    #[test]
    fn a_rollout_is_checked_with_the_workload_beside_it() {
        let rollout = "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {strategy: \
            {canary: {}}, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d}}}";
        let deployment = |name: &str, restart: &str| {
            format!(
                "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, spec: {{selector: \
                {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}}, spec: {{{restart} \
                containers: [{{name: web, image: web:1}}]}}}}}}}}"
            )
        };
        let of = |deployment: &str| text_faults(&format!("{rollout}\n---\n{deployment}"));
        assert_eq!(text_faults(rollout), [""; 0], "what stands elsewhere is not known");
        assert_eq!(of(&deployment("d", "")), [""; 0]);
        let never = of(&deployment("d", "restartPolicy: Never,"));
        assert!(never.len() == 1 && never[0].contains("spec.template.spec.restartPolicy"), "{never:?}");
        assert_eq!(of(&deployment("other", "restartPolicy: Never,")), [""; 0]);
        let wrong = rollout.replace("Deployment", "StatefulSet");
        assert!(text_faults(&wrong)[0].ends_with("workload of type apps/StatefulSet is not supported"));
    }

    #[test]
    fn each_fault_has_its_place() {
        let unknown = GOOD.replace("setWeight: 20", "setWeight: 20, wait: 1");
        assert_eq!(
            text_faults(&unknown),
            ["document 1: Rollout \"web\": unknown field \"spec.strategy.canary.steps[0].wait\""]
        );
        let wrong = format!("{GOOD}---{}", GOOD.replace("setWeight: 20", "setWeight: 120"));
        let faults = text_faults(&wrong);
        assert_eq!(faults.len(), 1);
        assert!(
            faults[0].starts_with("document 2: Rollout \"web\": ") && faults[0].contains("120"),
            "{faults:?}"
        );
        let kind = GOOD.replace("name: web}\nspec:", "name: web}\nspec:\n  replicas: many");
        assert!(text_faults(&kind)[0].contains("spec.replicas"), "{:?}", text_faults(&kind));
        assert!(text_faults("a: [")[0].starts_with("not YAML"));
    }
}
