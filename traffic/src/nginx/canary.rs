//! The canary Ingress: what it copies from the stable one, and whose it is.

use super::Found;
use super::weight::Weight;
use crate::{Problem, Reference, Services};
use crds::Rollout;
use crds::rollout::traffic::NginxTrafficRouting;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What annotations of Ingress NGINX begin with, unless its operator has chosen otherwise.
const PREFIX: &str = "nginx.ingress.kubernetes.io";
/// The class of an Ingress, as it was written before `spec.ingressClassName`.
const CLASS: &str = "kubernetes.io/ingress.class";
/// Fields of `spec` that are copied as they are, or are absent as they are.
const COPIED: [&str; 2] = ["ingressClassName", "tls"];

/// What all canary Ingresses of a Rollout have in common.
#[derive(Debug)]
pub(super) struct CanaryIngress {
    /// The Rollout's name.
    rollout: String,
    /// The Rollout's uid.
    uid: String,
    services: Services,
    /// The user's annotations.
    annotations: BTreeMap<String, String>,
    pub(super) weight: Weight,
}

impl CanaryIngress {
    pub(super) fn of(
        rollout: &Rollout,
        nginx: &NginxTrafficRouting,
        services: &Services,
        total: bool,
    ) -> Self {
        let prefix = nginx.annotation_prefix.as_deref().filter(|prefix| !prefix.is_empty()).unwrap_or(PREFIX);
        let weight = Weight::of(prefix, total);
        let mut annotations = BTreeMap::new();
        for (key, value) in nginx.additional_ingress_annotations.iter().flatten() {
            // DIFFERS: Argo Rollouts also puts its prefix before a key that has another one; no API server takes a key
            // with two slashes, and the canary Ingress is never made.
            let key = if key.contains('/') { key.clone() } else { format!("{prefix}/{key}") };
            annotations.insert(key, value.clone());
        }
        annotations.extend(nginx.canary_ingress_annotations.clone().into_iter().flatten());
        // DIFFERS: a `canary-weight-total` among the user's annotations is left out. Argo Rollouts keeps it when there
        // is no `maxTrafficWeight`, and every setWeight then means something else than it says.
        annotations.retain(|key, _| !weight.has(key));
        Self {
            rollout: rollout.metadata.name.clone().unwrap_or_default(),
            uid: rollout.metadata.uid.clone().unwrap_or_default(),
            services: services.clone(),
            annotations,
            weight,
        }
    }

    /// Whether the Rollout controls the Ingress; one that is somebody else's is not touched.
    pub(super) fn own(&self, reference: &Reference, ingress: &Value) -> Result<(), Problem> {
        let owners = ingress.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let controls = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
        let controller = owners.into_iter().flatten().find(controls);
        let text = |key: &str| controller.and_then(|owner| owner.get(key)).and_then(Value::as_str);
        if controller.is_some() && text("uid").unwrap_or_default() == self.uid {
            return Ok(());
        }
        let whose = match (text("kind"), text("name")) {
            (Some(kind), Some(name)) => format!("{kind} {name:?} with another uid"),
            _ => "nobody".to_owned(),
        };
        Err(reference.unfit(format!(
            "it has the name of the canary Ingress of Rollout {:?}, but is controlled by {whose}: delete or rename it, \
             and the Rollout makes its own",
            self.rollout
        )))
    }

    /// The rules of the stable Ingress that lead to the stable Service, leading to the canary's instead.
    ///
    /// PARITY: the other paths of such a rule are copied as they are. DIFFERS: a rule without `http` is left out, where
    /// Argo Rollouts fails.
    pub(super) fn rules(&self, reference: &Reference, stable: &Value) -> Result<Vec<Value>, Problem> {
        let rules = stable.pointer("/spec/rules").and_then(Value::as_array);
        let copied: Vec<Value> = rules.into_iter().flatten().filter_map(|rule| self.rule(rule)).collect();
        if copied.is_empty() {
            let (name, service) = (reference.name.clone(), self.services.stable.clone());
            return Err(Problem::NoBackend { name, service });
        }
        Ok(copied)
    }

    fn rule(&self, rule: &Value) -> Option<Value> {
        let mut rule = rule.clone();
        let mut leads = false;
        for path in rule.pointer_mut("/http/paths")?.as_array_mut()? {
            let Some(service) = path.pointer_mut("/backend/service/name") else { continue };
            if service.as_str() == Some(&self.services.stable) {
                *service = Value::from(self.services.canary.as_str());
                leads = true;
            }
        }
        leads.then_some(rule)
    }

    /// The canary Ingress as the stable one wants it, made from what is there. Only the weight is still to be written.
    pub(super) fn follow(&self, reference: &Reference, found: Found<'_>) -> Value {
        let Found { stable, rules, canary } = found;
        let there = canary.and_then(Value::as_object).cloned();
        let mut ingress = there.unwrap_or_else(|| self.fresh(reference));
        if let Some(spec) = inner(&mut ingress, "spec") {
            for field in COPIED {
                put(spec, field, filled(stable.get("spec"), field));
            }
            put(spec, "rules", Some(&Value::from(rules)));
        }
        if let Some(annotations) =
            inner(&mut ingress, "metadata").and_then(|metadata| inner(metadata, "annotations"))
        {
            self.annotate(annotations, stable);
        }
        Value::Object(ingress)
    }

    fn annotate(&self, annotations: &mut Map<String, Value>, stable: &Value) {
        // A class that has moved into the stable Ingress's spec moves here, too; the old one would win.
        let moved = filled(stable.get("spec"), "ingressClassName").is_some();
        let class = stable.pointer("/metadata/annotations").and_then(|annotations| annotations.get(CLASS));
        if class.is_some() || moved {
            put(annotations, CLASS, class);
        }
        for (key, value) in &self.annotations {
            put(annotations, key, Some(&Value::from(value.as_str())));
        }
        put(annotations, &self.weight.enabled, Some(&Value::from("true")));
    }

    /// An Ingress that is not there yet.
    fn fresh(&self, reference: &Reference) -> Map<String, Value> {
        let owner = json!({
            "apiVersion": crds::API_VERSION,
            "kind": "Rollout",
            "name": self.rollout,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        });
        let metadata = json!({
            "name": reference.name,
            "namespace": reference.namespace,
            "ownerReferences": [owner],
        });
        let kind = reference.kind;
        let api_version = Value::from(format!("{}/{}", kind.group, kind.version));
        let fields = [("apiVersion", api_version), ("kind", Value::from(kind.kind)), ("metadata", metadata)];
        fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// An annotation of an object.
pub(super) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// The map at `key`, made when something else or nothing is there.
pub(super) fn inner<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// A field that says something: null and an empty list are as good as none.
fn filled<'a>(object: Option<&'a Value>, field: &str) -> Option<&'a Value> {
    object?
        .get(field)
        .filter(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
}

/// Sets a field, or takes it out; the order of the others stays.
fn put(map: &mut Map<String, Value>, field: &str, value: Option<&Value>) {
    match value {
        Some(value) => drop(map.insert(field.to_owned(), value.clone())),
        None => map.retain(|key, _| key != field),
    }
}
