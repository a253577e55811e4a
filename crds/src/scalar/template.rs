//! Pieces of Kubernetes' own API that are embedded in ours and travel as raw JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A `core/v1` PodTemplateSpec as raw JSON: nothing that a newer cluster understands is lost on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Value);

/// A `batch/v1` JobSpec as raw JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobSpec(pub Value);

/// Any JSON value that the schema does not look into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Embedded(pub Value);

/// Labels and annotations to put on pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PodTemplateMetadata {
    /// Labels by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl PodTemplate {
    /// Labels of the template; entries that are not text are left out.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        string_map(self.0.pointer("/metadata/labels"))
    }

    /// Annotations of the template; entries that are not text are left out.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        string_map(self.0.pointer("/metadata/annotations"))
    }

    /// True when it has neither labels nor annotations: what counts as "no template" beside a `workloadRef`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels().is_empty() && self.annotations().is_empty()
    }
}

fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

macro_rules! raw_schema {
    ($type:ty, $name:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            /// A reference by name: the manifest generator puts the schema made from Kubernetes' own types there.
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "x-stepgate-embed": $name})
            }
            fn inline_schema() -> bool {
                true
            }
        }
    };
}
raw_schema!(PodTemplate, "PodTemplateSpec");
raw_schema!(JobSpec, "JobSpec");

impl JsonSchema for Embedded {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Embedded".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
    }
    fn inline_schema() -> bool {
        true
    }
}
