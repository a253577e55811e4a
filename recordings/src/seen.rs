//! What an observer sees: each change of each object, as a line that says only what is new.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const HASH: &str = "rollouts-pod-template-hash";

/// Fields of the status of a Rollout that are told as they are.
const STATUS: [&str; 18] = [
    "phase",
    "message",
    "currentStepIndex",
    "stableRS",
    "currentPodHash",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "HPAReplicas",
    "selector",
    "observedGeneration",
    "workloadObservedGeneration",
    "controllerPause",
    "abort",
    "promoteFull",
    "abortedAt",
    "restartedAt",
];

/// The Services that an Ingress leads to, in order.
fn backends(ingress: &Value) -> Value {
    let list = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_array).cloned();
    let rules = list(ingress, "/spec/rules").unwrap_or_default();
    let paths = rules.iter().filter_map(|rule| list(rule, "/http/paths")).flatten();
    paths.filter_map(|path| path.pointer("/backend/service/name").cloned()).collect()
}

/// Everything that was seen.
#[derive(Debug)]
pub struct Seen {
    namespace: String,
    /// Hashes, by appearance.
    hashes: Vec<String>,
    /// What was seen last of each object, by kind and name.
    last: BTreeMap<(String, String), Map<String, Value>>,
    /// The objects themselves.
    objects: BTreeMap<(String, String), Value>,
    /// Lines, and whether hashes in them are of our versions. As they came: a hash can be told before its ReplicaSet.
    lines: Vec<(Value, bool)>,
    /// When something changed last, in seconds.
    changed: f64,
}

impl Seen {
    /// Nothing yet, of this namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            hashes: Vec::new(),
            last: BTreeMap::new(),
            objects: BTreeMap::new(),
            lines: Vec::new(),
            changed: 0.0,
        }
    }

    /// An object has changed, `at` seconds after the beginning.
    pub fn take(&mut self, kind: &str, object: &Value, at: f64) {
        let name = text(object, "/metadata/name").to_owned();
        if kind == "ReplicaSet" {
            let hash = object.pointer("/metadata/labels").and_then(|labels| labels.get(HASH));
            if let Some(hash) = hash.and_then(Value::as_str)
                && !self.hashes.iter().any(|known| known == hash)
            {
                self.hashes.push(hash.to_owned());
            }
        }
        let key = (kind.to_owned(), name);
        self.objects.insert(key.clone(), object.clone());
        // The ReplicaSets of a Deployment keep their own names: their hashes can be those of our versions.
        let is_own =
            kind != "ReplicaSet" || object.pointer("/metadata/labels").is_some_and(|l| l.get(HASH).is_some());
        let mut fields = fields(kind, object);
        if is_own {
            // At once, not as hashes: what was left for us may name the namespace already.
            let plain = |value| texts(value, &|text| self.without_namespace(text));
            fields = fields.into_iter().map(|(key, value)| (key, plain(value))).collect();
        }
        let before = self.last.entry(key).or_default();
        let mut line: Map<String, Value> =
            fields.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(pair).collect();
        line.extend(
            before.keys().filter(|name| !fields.contains_key(*name)).map(|name| (name.clone(), Value::Null)),
        );
        if line.is_empty() {
            return;
        }
        *before = fields;
        self.changed = at;
        let name = if kind == "Event" {
            format!("{}/{}", text(object, "/involvedObject/kind"), text(object, "/involvedObject/name"))
        } else {
            text(object, "/metadata/name").to_owned()
        };
        line.insert("t".to_owned(), json!(at));
        line.insert("kind".to_owned(), kind.into());
        line.insert("name".to_owned(), name.into());
        if kind == "Event" {
            // Of a repeated event only the count is new; the line tells the whole.
            for (pointer, key) in [("/reason", "reason"), ("/message", "message"), ("/type", "type")] {
                line.insert(key.to_owned(), text(object, pointer).into());
            }
        }
        self.lines.push((Value::Object(line), is_own));
    }

    /// Somebody does something now.
    pub(crate) fn acted(&mut self, verb: &str, at: f64) {
        self.lines.push((json!({"t": at, "kind": "Action", "do": verb}), false));
    }

    /// An object is gone.
    pub fn gone(&mut self, kind: &str, object: &Value, at: f64) {
        let key = (kind.to_owned(), text(object, "/metadata/name").to_owned());
        self.objects.remove(&key);
        if self.last.remove(&key).is_some() {
            self.changed = at;
            self.lines.push((json!({"t": at, "kind": kind, "name": key.1, "deleted": true}), true));
        }
    }

    /// An object as it was seen last.
    #[must_use]
    pub fn object(&self, kind: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind.to_owned(), name.to_owned()))
    }

    /// All objects of a kind.
    pub fn all<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Value> {
        self.objects.iter().filter(move |((of, _), _)| of == kind).map(|(_, object)| object)
    }

    /// The only Rollout of a scenario.
    #[must_use]
    pub fn rollout(&self) -> Option<&Value> {
        self.all("Rollout").next()
    }

    /// The ReplicaSet of a revision.
    #[must_use]
    pub fn set_of_revision(&self, revision: &str) -> Option<&Value> {
        self.all("ReplicaSet").find(|set| annotation(set, "rollout.argoproj.io/revision") == Some(revision))
    }

    /// Seconds from the beginning to the last change.
    #[must_use]
    pub fn changed(&self) -> f64 {
        self.changed
    }

    /// What was seen, in order, hashes and the namespace by their names.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let plain = |line: &Value| texts(line.clone(), &|text| self.plain_text(text));
        self.lines.iter().map(|(line, is_own)| if *is_own { plain(line) } else { line.clone() }).collect()
    }

    fn without_namespace(&self, text: &str) -> String {
        let text = text.replace(&format!("{}/", self.namespace), "ns/");
        text.replace(&format!("/{} ", self.namespace), "/ns ")
    }

    /// Text with hashes and the namespace by their names.
    pub(crate) fn plain_text(&self, text: &str) -> String {
        self.hashes.iter().enumerate().fold(self.without_namespace(text), |text, (index, hash)| {
            text.replace(hash.as_str(), &format!("h{}", index + 1))
        })
    }
}

/// A value with all its texts changed.
fn texts(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(&text).into(),
        Value::Array(list) => list.into_iter().map(|value| texts(value, change)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, texts(value, change))).collect(),
        other => other,
    }
}

fn pair((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// What is told of an object. What is empty or zero is not told: an object may leave it out.
fn fields(kind: &str, object: &Value) -> Map<String, Value> {
    let mut told = Map::new();
    match kind {
        "Rollout" => rollout(object, &mut told),
        "ReplicaSet" => replica_set(object, &mut told),
        "Service" => {
            tell(&mut told, "selector", object.pointer("/spec/selector"));
            tell_text(
                &mut told,
                "managed-by",
                annotation(object, "argo-rollouts.argoproj.io/managed-by-rollouts"),
            );
        }
        "AnalysisRun" => analysis_run(object, &mut told),
        "Ingress" => {
            tell(&mut told, "annotations", object.pointer("/metadata/annotations"));
            tell(&mut told, "backends", Some(&backends(object)));
        }
        "Deployment" => {
            tell(&mut told, "spec", object.pointer("/spec/replicas"));
        }
        "Event" => {
            told.insert("count".to_owned(), object.get("count").cloned().unwrap_or_else(|| 1.into()));
        }
        _ => {}
    }
    told.retain(|key, value| key == "spec" || key == "count" || !is_nothing(value));
    told
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn tell(told: &mut Map<String, Value>, key: &str, value: Option<&Value>) {
    if let Some(value) = value {
        told.insert(key.to_owned(), value.clone());
    }
}

fn tell_text(told: &mut Map<String, Value>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        told.insert(key.to_owned(), value.into());
    }
}

fn is_time(key: &str) -> bool {
    key.ends_with("At")
}

fn rollout(object: &Value, told: &mut Map<String, Value>) {
    tell_text(told, "revision", annotation(object, "rollout.argoproj.io/revision"));
    tell_text(told, "workload-generation", annotation(object, "rollout.argoproj.io/workload-generation"));
    let Some(status) = object.get("status") else { return };
    for key in STATUS {
        let value = status.get(key);
        if is_time(key) {
            tell_text(told, key, value.filter(|value| !value.is_null()).map(|_| "set"));
        } else {
            tell(told, key, value);
        }
    }
    let pauses = status.get("pauseConditions").and_then(Value::as_array).into_iter().flatten();
    told.insert(
        "pauseConditions".to_owned(),
        pauses.map(|pause| pause.get("reason").cloned().unwrap_or_default()).collect(),
    );
    for part in ["canary", "blueGreen", "duration"] {
        for (key, value) in status.get(part).and_then(Value::as_object).into_iter().flatten() {
            let value = if is_time(key) && !value.is_null() { "set".into() } else { value.clone() };
            told.insert(format!("{part}.{key}"), value);
        }
    }
    for condition in status.get("conditions").and_then(Value::as_array).into_iter().flatten() {
        let of = |key: &str| condition.get(key).cloned().unwrap_or_default();
        told.insert(
            format!("cond.{}", text(condition, "/type")),
            json!([of("status"), of("reason"), of("message")]),
        );
    }
}

fn replica_set(object: &Value, told: &mut Map<String, Value>) {
    tell(told, "spec", object.pointer("/spec/replicas"));
    tell(told, "available", object.pointer("/status/availableReplicas"));
    for (key, name) in [
        ("revision", "rollout.argoproj.io/revision"),
        ("revision-history", "rollout.argoproj.io/revision-history"),
        ("desired-replicas", "rollout.argoproj.io/desired-replicas"),
        ("ephemeral-metadata", "rollout.argoproj.io/ephemeral-metadata"),
    ] {
        tell_text(told, key, annotation(object, name));
    }
    tell_text(told, "scale-down-deadline", annotation(object, "scale-down-deadline").map(|_| "set"));
    let mut labels = object.pointer("/spec/template/metadata/labels").cloned().unwrap_or_default();
    if let Some(labels) = labels.as_object_mut() {
        labels.remove(HASH);
    }
    tell(told, "template.labels", Some(&labels));
}

fn analysis_run(object: &Value, told: &mut Map<String, Value>) {
    for key in ["rollout-type", "step-index"] {
        tell(told, key, object.pointer("/metadata/labels").and_then(|labels| labels.get(key)));
    }
    tell_text(told, "revision", annotation(object, "rollout.argoproj.io/revision"));
    tell(told, "terminate", object.pointer("/spec/terminate"));
    for key in ["phase", "message", "runSummary"] {
        tell(told, key, object.pointer("/status").and_then(|status| status.get(key)));
    }
    let results = object.pointer("/status/metricResults").and_then(Value::as_array);
    for result in results.into_iter().flatten() {
        let name = text(result, "/name");
        let measurements = result.get("measurements").and_then(Value::as_array).into_iter().flatten();
        let values = measurements.filter_map(|one| one.get("value").cloned()).collect();
        told.insert(format!("values.{name}"), values);
        tell(told, &format!("metric.{name}"), result.get("phase"));
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;
    use serde_json::json;

    #[test]
    fn a_line_says_what_is_new_with_hashes_by_their_names() {
        let mut seen = Seen::new("home");
        let set = |replicas: i64| json!({"metadata": {"name": "web-abc", "labels": {"rollouts-pod-template-hash": "abc"}}, "spec": {"replicas": replicas}});
        seen.take("ReplicaSet", &set(0), 0.5);
        seen.take("ReplicaSet", &set(0), 0.6);
        seen.take("ReplicaSet", &set(2), 1.0);
        let event = json!({"metadata": {"name": "e"}, "reason": "R", "message": "home/web is at abc",
            "involvedObject": {"kind": "Rollout", "name": "web"}});
        seen.take("Event", &event, 1.5);
        seen.gone("ReplicaSet", &set(2), 2.0);
        let lines = seen.lines();
        assert_eq!(lines[0]["name"], "web-h1");
        assert_eq!(lines[1], json!({"t": 1.0, "kind": "ReplicaSet", "name": "web-h1", "spec": 2}));
        assert_eq!(
            (&lines[2]["message"], &lines[2]["name"]),
            (&json!("ns/web is at h1"), &json!("Rollout/web"))
        );
        assert_eq!(lines[3]["deleted"], true);
        assert_eq!((lines.len(), seen.changed()), (4, 2.0));
    }
}
