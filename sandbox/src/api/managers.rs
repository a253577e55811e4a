//! `metadata.managedFields`, as far as they tell who changed an object last, and when. Which fields are whose is not kept.

use super::registry::ResourceType;
use super::write::Part;
use super::{metadata, stamp, text};
use crate::Dig;
use crds::Time;
use serde_json::{Map, Value, json};

/// Entries of an object at most; the oldest go first.
const ENTRIES_MAX: usize = 10;

/// Whether objects of this kind have such notes. A real server has them everywhere; they are a third of many an object,
/// and here only what leads traffic has readers for them.
pub(super) fn has_notes(kind: &ResourceType) -> bool {
    let built_in = kind.is("", "Service") || kind.is("networking.k8s.io", "Ingress");
    built_in || (kind.custom.is_some() && kind.group != crds::GROUP)
}

/// Whose entries a change leaves in the notes: manager and subresource. No list, or an empty one, says nothing; a list of
/// one empty entry leaves none.
pub(super) fn said(part: Part, new: &Value) -> Option<Vec<(String, String)>> {
    let said = new.at("/metadata/managedFields").and_then(Value::as_array).filter(|_| part == Part::Main)?;
    (!said.is_empty()).then(|| said.iter().map(whose).collect())
}

fn whose(entry: &Value) -> (String, String) {
    (text(entry, "/manager").to_owned(), text(entry, "/subresource").to_owned())
}

/// Gives a changed object the notes of the one before, as far as the change leaves them.
pub(super) fn keep(new: &mut Value, old: &Value, said: Option<&[(String, String)]>) {
    let before = old.at("/metadata/managedFields").and_then(Value::as_array);
    let stays = |entry: &&Value| said.is_none_or(|said| said.contains(&whose(entry)));
    let notes: Vec<Value> = before.into_iter().flatten().filter(stays).cloned().collect();
    if let Some(metadata) = metadata::of(new) {
        metadata::set(metadata, "managedFields", (!notes.is_empty()).then(|| notes.into()));
    }
}

/// Notes that `manager` has changed the object, unless all it did was to take fields out: the server keeps the time of
/// the last change that set something.
pub(super) fn note(
    kind: &ResourceType,
    part: Part,
    manager: &str,
    now: Time,
    new: &mut Value,
    old: Option<&Value>,
) {
    if !has_notes(kind) || old.is_some_and(|old| !sets_something(new, old)) {
        return;
    }
    let subresource = if part == Part::Status { "status" } else { "" };
    let is_same =
        |entry: &Value| text(entry, "/manager") == manager && text(entry, "/subresource") == subresource;
    let before = new.at("/metadata/managedFields").and_then(Value::as_array);
    let mut entries: Vec<Value> =
        before.into_iter().flatten().filter(|entry| !is_same(entry)).cloned().collect();
    let mut entry = Map::new();
    entry.insert("manager".to_owned(), manager.into());
    entry.insert("operation".to_owned(), "Update".into());
    entry.insert("apiVersion".to_owned(), kind.api_version().into());
    entry.insert("time".to_owned(), stamp(now));
    entry.insert("fieldsType".to_owned(), "FieldsV1".into());
    entry.insert("fieldsV1".to_owned(), json!({}));
    if part == Part::Status {
        entry.insert("subresource".to_owned(), subresource.into());
    }
    entries.push(Value::Object(entry));
    let surplus = entries.len().saturating_sub(ENTRIES_MAX);
    entries.drain(..surplus);
    if let Some(metadata) = metadata::of(new) {
        metadata.insert("managedFields".to_owned(), entries.into());
    }
}

/// Whether a field is there that was not, or is another than it was. Lists are taken whole.
fn sets_something(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => new.iter().any(|(key, value)| {
            !matches!(key.as_str(), "managedFields" | "resourceVersion" | "generation")
                && old.get(key).is_none_or(|before| sets_something(value, before))
        }),
        _ => new != old,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use crate::api::{ApiServer, At, Part};
    use crate::{Cluster, Options};
    use serde_json::{Value, json};
    use std::time::Duration;

    fn change(cluster: &Cluster, manager: &str, edit: impl FnOnce(&mut Value)) -> Value {
        cluster.with(|api: &mut ApiServer| {
            let resource = api.resource_of("v1", "Service").unwrap();
            manager.clone_into(&mut api.manager);
            let at = At { resource, namespace: "default".to_owned(), name: "web".to_owned() };
            let edited = |old: &Value| {
                let mut new = old.clone();
                edit(&mut new);
                Ok(new)
            };
            let changed = api.change(&at, Part::Main, false, edited).unwrap();
            changed.value["metadata"]["managedFields"].clone()
        })
    }

    fn times(notes: &Value) -> Vec<(&str, &str)> {
        let entries = notes.as_array().unwrap().iter();
        entries.map(|entry| (entry["manager"].as_str().unwrap(), entry["time"].as_str().unwrap())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_each_manager_is_that_of_the_last_field_that_it_set() {
        let cluster = Cluster::new(&Options::default());
        let web = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
        cluster.create("v1", "Service", "default", web).unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let notes = change(&cluster, "one", |web| web["spec"]["selector"]["track"] = "new".into());
        let (first, second) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z");
        assert_eq!(times(&notes), [("by-hand", first), ("one", second)]);
        tokio::time::sleep(Duration::from_secs(10)).await;
        let removed = change(&cluster, "one", |web| {
            web["spec"]["selector"].as_object_mut().unwrap().remove("track");
        });
        assert_eq!(removed, notes, "nothing was set");
        let notes = change(&cluster, "by-hand", |web| web["spec"]["selector"]["track"] = "old".into());
        assert_eq!(times(&notes), [("one", second), ("by-hand", "2026-01-01T00:00:20Z")]);
        let given_up = change(&cluster, "one", |web| {
            web["metadata"]["managedFields"].as_array_mut().unwrap().remove(0);
        });
        assert_eq!(times(&given_up), [("by-hand", "2026-01-01T00:00:20Z")], "and nothing is noted of that");
        let kept = change(&cluster, "one", |web| web["metadata"]["managedFields"] = json!([]));
        assert_eq!(kept, given_up, "an empty list says nothing");
        let pod = json!({"metadata": {"name": "web"}, "data": {}});
        let map = cluster.create("v1", "ConfigMap", "default", pod).unwrap();
        assert_eq!(map["metadata"].get("managedFields"), None);
    }
}
