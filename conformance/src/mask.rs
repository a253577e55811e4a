//! The normal form of the answers of a case: nothing is left in them that differs from run to run, and what must agree
//! between such values does.
//!
//! - Of one object, resource versions become `v1`, `v2` and so on, in the order of their age among those that the case
//!   has seen. That of a list, a bookmark or a table is `now` when no object that was seen is newer, else `past`.
//! - Uids become `<uid1>`, `<uid2>` in the order in which they appear; other words as [`crate::words`] says.
//! - `managedFields` go. The resources of a group are in the order of their names. Items with generated names are brought in an order of their content.

use crate::answer::Answer;
use crate::json::canonical;
use crate::pointer;
use crate::words::Words;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of tables whose cells tell how much time has passed.
const AGES: [&str; 7] = ["Age", "Duration", "Last Schedule", "First Seen", "Last Seen", "Since", "Time Left"];
/// What goes from the normal form.
const GONE: &str = "managedFields";

/// An answer as it came, and what of it is recorded.
#[derive(Debug)]
pub(crate) struct Raw<'c> {
    pub(crate) answer: Answer,
    pub(crate) keep: &'c [String],
    pub(crate) drop: &'c [String],
}

/// The normal form of the answers of one case.
pub(crate) fn normal(raw: Vec<Raw<'_>>, words: Words) -> Vec<Answer> {
    let mut versions = Versions::default();
    for document in raw.iter().flat_map(|raw| raw.answer.documents()) {
        versions.learn(document);
    }
    let mut mask = Mask { versions, newest: 0, words };
    raw.into_iter().map(|raw| mask.answer(raw)).collect()
}

/// The resource versions of each object, by uid.
#[derive(Debug, Default)]
struct Versions {
    of: BTreeMap<String, BTreeSet<u64>>,
}

impl Versions {
    fn learn(&mut self, value: &Value) {
        if let Some((uid, version)) = identity(value) {
            self.of.entry(uid.to_owned()).or_default().insert(version);
        }
        match value {
            Value::Object(members) => members.values().for_each(|child| self.learn(child)),
            Value::Array(items) => items.iter().for_each(|child| self.learn(child)),
            _ => {}
        }
    }

    /// From 1, among the versions of this object.
    fn rank(&self, uid: &str, version: u64) -> Option<usize> {
        let versions = self.of.get(uid)?;
        versions.contains(&version).then(|| versions.range(..=version).count())
    }
}

/// Uid and resource version of an object.
fn identity(value: &Value) -> Option<(&str, u64)> {
    let metadata = value.get("metadata")?;
    Some((metadata.get("uid")?.as_str()?, number(metadata.get("resourceVersion")?)?))
}

fn number(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

struct Mask {
    versions: Versions,
    newest: u64,
    words: Words,
}

impl Mask {
    fn answer(&mut self, raw: Raw<'_>) -> Answer {
        let Raw { mut answer, keep, drop } = raw;
        answer.step = self.words.mask(&answer.step);
        answer.warnings = answer.warnings.iter().map(|warning| self.words.mask(warning)).collect();
        for document in answer.documents_mut() {
            self.see(document);
            self.sort(document);
            // While the columns are there that name them, also where only the rows are kept.
            tables(document);
            // Before uids are named: the names of those that are kept must not depend on others.
            drop.iter().for_each(|pointer| pointer::remove(document, pointer));
            if !keep.is_empty() {
                self.versions_of(document);
                *document = pointer::keep(document, keep);
            }
            self.value(document);
        }
        answer
    }

    /// Learns which objects there have been until now.
    fn see(&mut self, value: &Value) {
        if let Some((_, version)) = identity(value) {
            self.newest = self.newest.max(version);
        }
        match value {
            Value::Object(members) => members.values().for_each(|child| self.see(child)),
            Value::Array(items) => items.iter().for_each(|child| self.see(child)),
            _ => {}
        }
    }

    /// Brings items with generated names in an order of their content.
    fn sort(&self, document: &mut Value) {
        if let Some(Value::Array(resources)) = document.get_mut("resources") {
            // The server lists the kinds of a group in the order in which their CRDs came.
            resources.sort_by_cached_key(canonical_name);
        }
        let Some(Value::Array(items)) = document.get_mut("items") else { return };
        let generated = |item: &Value| {
            let name = item.pointer("/metadata/name").and_then(Value::as_str);
            name.is_some_and(|name| self.words.is_generated(name))
        };
        if items.iter().any(generated) {
            items.sort_by_cached_key(|item| {
                let mut item = item.clone();
                self.blind(&mut item);
                canonical(&item)
            });
        }
    }

    fn blind(&self, value: &mut Value) {
        match value {
            Value::String(word) => *word = self.words.mask_blindly(word),
            Value::Array(items) => items.iter_mut().for_each(|item| self.blind(item)),
            Value::Object(members) => {
                members.remove(GONE);
                members.remove("resourceVersion");
                members.values_mut().for_each(|child| self.blind(child));
            }
            _ => {}
        }
    }

    /// Masks resource versions only, while the uids beside them are still there.
    fn versions_of(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.versions_of(item)),
            Value::Object(members) => {
                self.version(members);
                members.values_mut().for_each(|child| self.versions_of(child));
            }
            _ => {}
        }
    }

    fn version(&self, members: &mut Map<String, Value>) {
        let Some(version) = members.get("resourceVersion").and_then(number) else { return };
        let uid = members.get("uid").and_then(Value::as_str);
        let masked = match uid {
            Some(uid) => self.versions.rank(uid, version).map_or("<v>".to_owned(), |rank| format!("v{rank}")),
            None if version >= self.newest => "now".to_owned(),
            None => "past".to_owned(),
        };
        members.insert("resourceVersion".to_owned(), Value::String(masked));
    }

    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(word) => *word = self.words.mask(word),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(members) => self.object(members),
            _ => {}
        }
    }

    fn object(&mut self, members: &mut Map<String, Value>) {
        members.remove(GONE);
        self.version(members);
        for (key, child) in members.iter_mut() {
            let placeholder = match (key.as_str(), &*child) {
                ("continue", Value::String(token)) if !token.is_empty() => "<continue>",
                ("nodePort", Value::Number(_)) => "<port>",
                ("nodeName" | "host", Value::String(_)) => "<node>",
                ("pod-template-hash", Value::String(_)) => "<gen>",
                _ => {
                    continue;
                }
            };
            *child = Value::from(placeholder);
        }
        // In the order of keys, which gives uids their numbers; serde_json's own order depends on the build.
        let mut keys: Vec<String> = members.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let Some(mut child) = members.remove(&key) else { continue };
            self.value(&mut child);
            members.insert(self.words.place(&key), child);
        }
    }
}

fn canonical_name(resource: &Value) -> String {
    resource.get("name").map(canonical).unwrap_or_default()
}

/// Masks ages in every table of a document.
fn tables(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tables),
        Value::Object(members) => {
            ages(members);
            members.values_mut().for_each(tables);
        }
        _ => {}
    }
}

/// Masks the cells of a table that tell how much time has passed.
fn ages(members: &mut Map<String, Value>) {
    let Some(Value::Array(columns)) = members.get("columnDefinitions") else { return };
    let name = |column: &Value| column.get("name").and_then(Value::as_str).map(str::to_owned);
    let ages: Vec<usize> = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| name(column).is_some_and(|name| AGES.contains(&name.as_str())))
        .map(|(index, _)| index)
        .collect();
    let Some(Value::Array(rows)) = members.get_mut("rows") else { return };
    for row in rows {
        let Some(Value::Array(cells)) = row.get_mut("cells") else { continue };
        for index in &ages {
            if let Some(cell) = cells.get_mut(*index).filter(|cell| cell.as_str() != Some("<unknown>")) {
                *cell = Value::from("<age>");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use serde_json::json;

    const ONE: &str = "0b1c2d3e-1111-2222-3333-444455556666";
    const TWO: &str = "ffffffff-1111-2222-3333-444455556666";

    fn masked(documents: Vec<Value>, keep: &[String]) -> Vec<Value> {
        let raw = |body| Raw { answer: Answer { body: Some(body), ..Answer::default() }, keep, drop: &[] };
        let words = Words::new("c-one", "shop/web:dev", BTreeSet::new()).unwrap();
        normal(documents.into_iter().map(raw).collect(), words)
            .into_iter()
            .map(|answer| answer.body.unwrap())
            .collect()
    }

    fn object(uid: &str, version: &str) -> Value {
        json!({"metadata": {"uid": uid, "resourceVersion": version, "managedFields": [1]}})
    }

    #[test]
    fn versions_are_ranked_by_object() {
        let seen =
            masked(vec![object(ONE, "90"), object(ONE, "100"), object(ONE, "90"), object(TWO, "95")], &[]);
        let version = |index: usize| seen[index]["metadata"]["resourceVersion"].as_str().unwrap();
        assert_eq!([version(0), version(1), version(2), version(3)], ["v1", "v2", "v1", "v1"]);
        assert_eq!(seen[3], json!({"metadata": {"uid": "<uid2>", "resourceVersion": "v1"}}));
    }

    #[test]
    fn a_list_is_of_now_or_of_the_past() {
        let list = |version: &str| json!({"metadata": {"resourceVersion": version}, "items": []});
        let seen =
            masked(vec![object(ONE, "90"), list("90"), object(ONE, "95"), list("90"), list("99")], &[]);
        let version = |index: usize| seen[index]["metadata"]["resourceVersion"].clone();
        assert_eq!([version(1), version(3), version(4)], [json!("now"), json!("past"), json!("now")]);
    }

    #[test]
    fn items_with_generated_names_are_sorted_by_content_before_uids_are_named() {
        let item = |name: &str, uid: &str, ready: bool| json!({"metadata": {"name": name, "uid": uid}, "ready": ready});
        let list = |items: Value| json!({"items": items});
        let one = masked(vec![list(json!([item("w-bbbbb", ONE, true), item("w-ccccc", TWO, false)]))], &[]);
        let two = masked(vec![list(json!([item("w-bbbbb", ONE, false), item("w-ccccc", TWO, true)]))], &[]);
        assert_eq!(one, two);
    }

    #[test]
    fn what_is_kept_still_has_its_version() {
        let keep = ["/metadata/resourceVersion".to_owned()];
        let seen = masked(vec![object(ONE, "90"), object(ONE, "100")], &keep);
        assert_eq!(seen[1], json!({"metadata": {"resourceVersion": "v2"}}));
    }

    #[test]
    fn ages_in_tables_go() {
        let table = json!({
            "columnDefinitions": [{"name": "Name"}, {"name": "Age"}],
            "rows": [{"cells": ["a", "3s"]}, {"cells": ["b", "<unknown>"]}],
        });
        let rows = json!([{"cells": ["a", "<age>"]}, {"cells": ["b", "<unknown>"]}]);
        assert_eq!(masked(vec![table.clone()], &[])[0]["rows"], rows);
        assert_eq!(masked(vec![table], &["/rows".to_owned()]), [json!({"rows": rows})]);
    }
}
