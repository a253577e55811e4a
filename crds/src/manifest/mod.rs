//! CustomResourceDefinitions of the five kinds, as `cargo xtask gen` writes them to `crds/manifests`.
//!
//! Our own types give their schema through `schemars`; pod templates, job specs and label selectors take theirs from
//! the Kubernetes types, so that the API server merges lists of a Rollout as it does those of a Deployment.

mod embed;
mod facts;
mod schema;
mod yaml;

pub use facts::{Difference, Facts, FactsError};
pub use yaml::to_yaml;

use crate::analysis::{AnalysisRunSpec, AnalysisRunStatus, AnalysisTemplateSpec};
use crate::experiment::{ExperimentSpec, ExperimentStatus};
use crate::rollout::{RolloutSpec, RolloutStatus};
use schemars::JsonSchema;
use serde_json::{Value, json};

/// Largest manifest that client-side `kubectl apply` can remember in an annotation, as compact JSON.
pub const CLIENT_SIDE_APPLY_MAX_BYTES: usize = 262_144;

/// How much a manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// No descriptions: small enough for client-side apply.
    Slim,
    /// With descriptions, for `kubectl explain`; needs server-side apply.
    Full,
}

impl Detail {
    /// Name of the folder in `crds/manifests`.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Slim => "slim",
            Self::Full => "full",
        }
    }
}

/// What is particular to one kind.
struct Definition {
    kind: &'static str,
    plural: &'static str,
    short: &'static str,
    scope: &'static str,
    description: &'static str,
    spec: Value,
    status: Option<Value>,
    columns: Value,
    subresources: Option<Value>,
}

/// The five manifests: name of the file, CustomResourceDefinition.
#[must_use]
pub fn all(detail: Detail) -> Vec<(String, Value)> {
    let kinds = [rollout(), analysis_run(), analysis_template(), cluster_analysis_template(), experiment()];
    kinds
        .into_iter()
        .map(|definition| {
            let file = format!("{}.yaml", definition.plural);
            let mut manifest = definition.manifest();
            if detail == Detail::Slim {
                remove_descriptions(&mut manifest);
            }
            (file, manifest)
        })
        .collect()
}

fn age() -> Value {
    json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
        "description": "Time since the object was created"})
}

fn phase() -> Value {
    json!({"name": "Status", "type": "string", "jsonPath": ".status.phase", "description": "Where it stands"})
}

fn rollout() -> Definition {
    let count = |name: &str, path: &str, description: &str| json!({"name": name, "type": "integer", "jsonPath": path, "description": description});
    let mut spec = schema_of::<RolloutSpec>();
    if let Some(Value::Object(selector)) = spec.pointer_mut("/properties/selector") {
        let rule = json!([{"rule": "self == oldSelf", "message": ".spec.selector is immutable"}]);
        selector.insert("x-kubernetes-validations".to_owned(), rule);
    }
    Definition {
        kind: "Rollout",
        plural: "rollouts",
        short: "ro",
        scope: "Namespaced",
        description: "A workload whose new versions are let through step by step.",
        spec,
        status: Some(schema_of::<RolloutStatus>()),
        columns: json!([
            count("Desired", ".spec.replicas", "Pods that are wanted"),
            count("Current", ".status.replicas", "Pods of all versions"),
            count("Up-to-date", ".status.updatedReplicas", "Pods of the newest version"),
            count("Available", ".status.availableReplicas", "Pods that have been ready for minReadySeconds"),
            age(),
        ]),
        subresources: Some(json!({
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
        })),
    }
}

fn analysis_run() -> Definition {
    Definition {
        kind: "AnalysisRun",
        plural: "analysisruns",
        short: "ar",
        scope: "Namespaced",
        description: "One analysis: what is measured, and what was measured so far.",
        spec: schema_of::<AnalysisRunSpec>(),
        status: Some(schema_of::<AnalysisRunStatus>()),
        columns: json!([phase(), age()]),
        subresources: None,
    }
}

fn analysis_template() -> Definition {
    Definition {
        kind: "AnalysisTemplate",
        plural: "analysistemplates",
        short: "at",
        scope: "Namespaced",
        description: "Metrics and conditions that analysis runs of the namespace are made from.",
        spec: schema_of::<AnalysisTemplateSpec>(),
        status: None,
        columns: json!([age()]),
        subresources: None,
    }
}

fn cluster_analysis_template() -> Definition {
    Definition {
        kind: "ClusterAnalysisTemplate",
        plural: "clusteranalysistemplates",
        short: "cat",
        scope: "Cluster",
        description: "Metrics and conditions that analysis runs of every namespace are made from.",
        ..analysis_template()
    }
}

fn experiment() -> Definition {
    Definition {
        kind: "Experiment",
        plural: "experiments",
        short: "exp",
        scope: "Namespaced",
        description: "Versions that run beside each other for a while, and analyses of them.",
        spec: schema_of::<ExperimentSpec>(),
        status: Some(schema_of::<ExperimentStatus>()),
        columns: json!([phase(), age()]),
        subresources: None,
    }
}

fn schema_of<T: JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    schema::structural(settings.into_generator().into_root_schema_for::<T>().as_value())
}

impl Definition {
    fn manifest(self) -> Value {
        let mut properties = json!({
            "apiVersion": {"type": "string", "description": "Version of the schema that this object is written in."},
            "kind": {"type": "string", "description": "Name of the kind."},
            "metadata": {"type": "object"},
            "spec": self.spec,
        });
        if let (Some(status), Some(properties)) = (self.status, properties.as_object_mut()) {
            properties.insert("status".to_owned(), status);
        }
        let mut version = json!({
            "name": crate::VERSION,
            "served": true,
            "storage": true,
            "additionalPrinterColumns": self.columns,
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "description": self.description,
                "required": ["spec"],
                "properties": properties,
            }},
        });
        if let (Some(subresources), Some(version)) = (self.subresources, version.as_object_mut()) {
            version.insert("subresources".to_owned(), subresources);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, crate::GROUP)},
            "spec": {
                "group": crate::GROUP,
                "names": {
                    "kind": self.kind,
                    "listKind": format!("{}List", self.kind),
                    "plural": self.plural,
                    "singular": self.kind.to_lowercase(),
                    "shortNames": [self.short],
                },
                "scope": self.scope,
                "versions": [version],
            },
        })
    }
}

/// Removes descriptions, but not properties that are called so: those are objects.
fn remove_descriptions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("description").is_some_and(Value::is_string) {
                object.remove("description");
            }
            object.values_mut().for_each(remove_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_descriptions),
        _ => {}
    }
}
