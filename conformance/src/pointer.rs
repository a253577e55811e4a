//! JSON pointers in which a segment `*` stands for every member: `/items/*/metadata/name`.

use serde_json::{Map, Value};

/// The segments of a pointer, unescaped; that of the whole document has none.
fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

/// Every value that the pointer leads to, in order.
pub(crate) fn select<'v>(root: &'v Value, pointer: &str) -> Vec<&'v Value> {
    segments(pointer)
        .iter()
        .fold(vec![root], |found, segment| found.into_iter().flat_map(|value| step(value, segment)).collect())
}

fn step<'v>(value: &'v Value, segment: &str) -> Vec<&'v Value> {
    match (value, segment) {
        (Value::Object(members), "*") => members.values().collect(),
        (Value::Array(items), "*") => items.iter().collect(),
        (Value::Object(members), key) => members.get(key).into_iter().collect(),
        (Value::Array(items), index) => {
            index.parse::<usize>().ok().and_then(|index| items.get(index)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Puts a value at a pointer without `*`, making the objects on the way; an index past the end of an array appends.
/// Null removes.
pub(crate) fn set(root: &mut Value, pointer: &str, value: Value) {
    if value.is_null() {
        return remove(root, pointer);
    }
    set_below(root, &segments(pointer), value);
}

fn set_below(place: &mut Value, segments: &[String], value: Value) {
    let Some((first, rest)) = segments.split_first() else {
        *place = value;
        return;
    };
    if let Value::Array(items) = place {
        if let Some(item) = first.parse().ok().and_then(|index: usize| items.get_mut(index)) {
            return set_below(item, rest, value);
        }
        let mut item = Value::Null;
        set_below(&mut item, rest, value);
        return items.push(item);
    }
    let mut members = match place.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    set_below(members.entry(first.clone()).or_insert(Value::Null), rest, value);
    *place = Value::Object(members);
}

/// Removes every value that the pointer leads to.
pub(crate) fn remove(root: &mut Value, pointer: &str) {
    let segments = segments(pointer);
    if let Some((last, parents)) = segments.split_last() {
        remove_below(root, parents, last);
    }
}

fn remove_below(value: &mut Value, parents: &[String], last: &str) {
    let Some((first, rest)) = parents.split_first() else {
        match (value, last) {
            (Value::Object(members), "*") => members.clear(),
            (Value::Object(members), key) => drop(members.remove(key)),
            (Value::Array(items), "*") => items.clear(),
            (Value::Array(items), index) => {
                if let Some(index) = index.parse().ok().filter(|index| *index < items.len()) {
                    items.remove(index);
                }
            }
            _ => {}
        }
        return;
    };
    match value {
        Value::Object(members) => {
            let chosen = members.iter_mut().filter(|(key, _)| first == "*" || *key == first);
            chosen.for_each(|(_, child)| remove_below(child, rest, last));
        }
        Value::Array(items) => {
            let chosen =
                items.iter_mut().enumerate().filter(|(index, _)| first == "*" || index.to_string() == *first);
            chosen.for_each(|(_, child)| remove_below(child, rest, last));
        }
        _ => {}
    }
}

/// The document with nothing but what one of the pointers leads to; other elements of arrays go too.
pub(crate) fn keep(root: &Value, pointers: &[String]) -> Value {
    keep_below(root, &pointers.iter().map(|pointer| segments(pointer)).collect::<Vec<_>>())
}

fn keep_below(value: &Value, wanted: &[Vec<String>]) -> Value {
    if wanted.iter().any(Vec::is_empty) {
        return value.clone();
    }
    let below = |key: &str| -> Vec<Vec<String>> {
        let matching =
            wanted.iter().filter(|segments| segments.first().is_some_and(|one| one == "*" || one == key));
        matching.map(|segments| segments.iter().skip(1).cloned().collect()).collect()
    };
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter_map(|(key, child)| {
                let wanted = below(key);
                (!wanted.is_empty()).then(|| (key.clone(), keep_below(child, &wanted)))
            });
            Value::Object(kept.collect())
        }
        Value::Array(items) => {
            let kept = items.iter().enumerate().filter_map(|(index, child)| {
                let wanted = below(&index.to_string());
                (!wanted.is_empty()).then(|| keep_below(child, &wanted))
            });
            Value::Array(kept.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list() -> Value {
        json!({"items": [{"a/b": 1, "c": {"d": 2}}, {"a/b": 3, "c": {"d": 4}}], "kind": "L"})
    }

    #[test]
    fn a_star_stands_for_every_member() {
        let list = list();
        assert_eq!(select(&list, "/items/*/c/d"), [&json!(2), &json!(4)]);
        assert_eq!(select(&list, "/items/1/a~1b"), [&json!(3)]);
        assert_eq!(select(&list, ""), [&list]);
        assert!(select(&list, "/items/2").is_empty());
    }

    #[test]
    fn setting_makes_the_way_and_null_removes() {
        let mut value = json!({"list": [1]});
        set(&mut value, "/a/b", json!(1));
        set(&mut value, "/list/0", json!(2));
        set(&mut value, "/list/9", json!(3));
        assert_eq!(value, json!({"a": {"b": 1}, "list": [2, 3]}));
        set(&mut value, "/a", Value::Null);
        assert_eq!(value, json!({"list": [2, 3]}));
    }

    #[test]
    fn removing_and_keeping() {
        let mut value = list();
        remove(&mut value, "/items/*/c");
        assert_eq!(value, json!({"items": [{"a/b": 1}, {"a/b": 3}], "kind": "L"}));
        let kept = keep(&list(), &["/kind".to_owned(), "/items/*/c/d".to_owned()]);
        assert_eq!(kept, json!({"items": [{"c": {"d": 2}}, {"c": {"d": 4}}], "kind": "L"}));
        assert_eq!(keep(&list(), &[String::new()]), list());
    }
}
