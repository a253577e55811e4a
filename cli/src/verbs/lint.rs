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
            Ok((rollout, unknown)) => {
                let refused = match with_template(&rollout, all) {
                    Ok(rollout) => rollout_spec(&rollout).err().or_else(|| not_built(&rollout)),
                    Err(invalid) => Some(invalid),
                };
                let follows = |invalid: &Invalid| unknown.iter().any(|path| is_cause(path, &invalid.path));
                let refused = refused.filter(|invalid| !follows(invalid)).map(|invalid| invalid.to_string());
                unknown.iter().map(|path| unknown_field(path)).chain(refused).collect()
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
    match decode::<K>(object) {
        Ok((_, unknown)) => unknown.iter().map(|path| unknown_field(path)).collect(),
        Err(fault) => vec![fault],
    }
}

fn unknown_field(path: &str) -> String {
    format!("unknown field {path:?}")
}

/// Whether what is refused is refused for lack of a field that was misspelt within it: what is to be mended is told once.
/// Paths of refusals leave the strategy's name out.
fn is_cause(unknown: &str, refused: &str) -> bool {
    let within = unknown.rsplit_once('.').map_or("", |(within, _)| within);
    let refused = refused.strip_prefix("spec.strategy.").unwrap_or(refused);
    within.strip_suffix(refused).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The object, and the paths of the fields of it that its kind does not have.
fn decode<K: DeserializeOwned + Serialize>(object: &Value) -> Result<(K, Vec<String>), String> {
    let text = object.to_string();
    let typed: K = serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text))
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
    let known = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let schema = schema_of(object.get("kind").and_then(Value::as_str).unwrap_or_default());
    let mut unknown = Vec::new();
    lost(object, Some(&known), schema.as_ref(), "", &mut unknown);
    Ok((typed, unknown))
}

/// The schema that the API server has of a kind.
fn schema_of(kind: &str) -> Option<Value> {
    let manifests = crds::manifest::all(crds::manifest::Detail::Slim);
    let is_meant = |manifest: &Value| manifest.pointer("/spec/names/kind").is_some_and(|name| name == kind);
    let manifest = manifests.into_iter().map(|(_, manifest)| manifest).find(is_meant)?;
    manifest.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned()
}

/// Paths that were written and that neither our types keep nor the API server. Our types leave out again what is as good
/// as absent, so that of an empty field only the schema can tell whether there is one of that name.
fn lost(written: &Value, known: Option<&Value>, schema: Option<&Value>, path: &str, out: &mut Vec<String>) {
    match written {
        Value::Object(written) => {
            for (key, value) in written {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let (kept, field) =
                    (known.and_then(|known| known.get(key)), schema.map(|schema| field(schema, key)));
                let is_unknown = match field {
                    Some(Field::Missing) => kept.is_none(),
                    _ => kept.is_none() && !is_nothing(value),
                };
                if is_unknown {
                    out.push(path);
                } else {
                    lost(value, kept, field.and_then(Field::schema), &path, out);
                }
            }
        }
        Value::Array(written) => {
            let schema = schema.and_then(|schema| schema.get("items"));
            for (index, written) in written.iter().enumerate() {
                let known = known.and_then(|known| known.get(index));
                lost(written, known, schema, &format!("{path}[{index}]"), out);
            }
        }
        _ => {}
    }
}

/// What a schema says of a key of an object.
#[derive(Clone, Copy)]
enum Field<'s> {
    /// Its own schema.
    Known(&'s Value),
    /// Nothing: any key may be there.
    Open,
    /// There is no such field.
    Missing,
}

impl<'s> Field<'s> {
    fn schema(self) -> Option<&'s Value> {
        match self {
            Self::Known(schema) => Some(schema),
            Self::Open | Self::Missing => None,
        }
    }
}

fn field<'s>(schema: &'s Value, key: &str) -> Field<'s> {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(own) = properties.and_then(|properties| properties.get(key)) {
        return Field::Known(own);
    }
    match (schema.get("additionalProperties"), properties) {
        (Some(any @ Value::Object(_)), _) => Field::Known(any),
        (None, Some(_)) if schema.get("x-kubernetes-preserve-unknown-fields").is_none() => Field::Missing,
        _ => Field::Open,
    }
}

/// What is as good as absent.
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
    fn an_empty_field_that_there_is_not_is_told_too() {
        for empty in ["[]", "{}", "''", "null", "0", "false", "{a: ''}"] {
            let faults = text_faults(&GOOD.replace("canary: {", &format!("canary: {{stepz: {empty}, ")));
            let expected = "document 1: Rollout \"web\": unknown field \"spec.strategy.canary.stepz\"";
            assert_eq!(faults, [expected], "{empty}");
        }
        let known = GOOD
            .replace("strategy:", "minReadySeconds: 0\n  paused: false\n  workloadRef: null\n  strategy:");
        assert_eq!(text_faults(&known), [""; 0], "there are such fields");
        let inner = GOOD
            .replace("canary: {", "canary: {antiAffinity: {oops: {}}, stableMetadata: {labels: {a: ''}}, ");
        let expected =
            "document 1: Rollout \"web\": unknown field \"spec.strategy.canary.antiAffinity.oops\"";
        assert_eq!(text_faults(&inner), [expected]);
    }

    #[test]
    fn a_misspelt_field_is_told_once() {
        let expected =
            "document 1: Rollout \"web\": unknown field \"spec.strategy.canary.steps[0].setWeihgt\"";
        assert_eq!(text_faults(&GOOD.replace("setWeight", "setWeihgt")), [expected]);
        let other = text_faults(&GOOD.replace("setWeight: 20", "setWeight: 120}, {setWeihgt: 20"));
        assert!(other.len() == 2 && other[1].contains("120"), "{other:?}");
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
