//! A status is sent as the difference to the one that was read, so that nothing that people wrote in between is
//! lost: the write carries the resource version that the difference was made from.

use serde_json::{Map, Value};

/// The JSON merge patch that turns `old` into `new`; `None` when they are equal. Lists are replaced as a whole.
pub(crate) fn difference(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let mut patch = Map::new();
    for (key, value) in after {
        match before.get(key) {
            None => {
                patch.insert(key.clone(), value.clone());
            }
            Some(known) => {
                if let Some(changed) = difference(known, value) {
                    patch.insert(key.clone(), changed);
                }
            }
        }
    }
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// What a merge patch makes of an object (RFC 7386).
#[cfg(test)]
pub(crate) fn merged(target: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut result = target.as_object().cloned().unwrap_or_default();
    for (key, change) in changes {
        if change.is_null() {
            result.remove(key);
        } else {
            let merged = merged(result.get(key).unwrap_or(&Value::Null), change);
            result.insert(key.clone(), merged);
        }
    }
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn only_what_changed_is_sent() {
        let old = json!({"phase": "Paused", "abort": true, "canary": {"a": 1, "b": 2}, "conditions": [1]});
        let new = json!({"phase": "Healthy", "canary": {"a": 1}, "conditions": [1]});
        assert_eq!(
            difference(&old, &new),
            Some(json!({"phase": "Healthy", "abort": null, "canary": {"b": null}}))
        );
        assert_eq!(difference(&new, &new), None);
    }

    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
        .prop_map(|value| if value.is_object() { value } else { json!({"a": value}) })
    }

    proptest! {
        #[test]
        fn the_difference_turns_old_into_new(old in object(), new in object()) {
            let patched = difference(&old, &new).map_or(old.clone(), |patch| merged(&old, &patch));
            prop_assert_eq!(patched, new);
        }
    }

    /// A small status store: a resource version, and merge patches with it as a precondition.
    struct Store {
        version: u64,
        status: Value,
    }

    impl Store {
        fn patch(&mut self, patch: &Value, precondition: Option<u64>) -> bool {
            if precondition.is_some_and(|version| version != self.version) {
                return false;
            }
            self.status = merged(&self.status, patch);
            self.version += 1;
            true
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
        /// A promote or an abort that comes at any moment is seen by a later pass: 1,000 random interleavings.
        #[test]
        fn no_click_is_lost(acts in prop::collection::vec(0..4u8, 1..40)) {
            let mut store = Store { version: 1, status: json!({"pauseConditions": ["x"], "replicas": 0}) };
            let (mut read, mut seen) = (None, (0, 0));
            let (mut aborts, mut resumes, mut count) = (0, 0, 0);
            for act in acts.into_iter().chain([0, 1, 0, 1]) {
                match act {
                    // The controller reads, and takes notice of what people asked for.
                    0 => read = Some((store.version, store.status.clone())),
                    // The controller writes what it made of that: it consumes abort and resume, and pauses again.
                    1 => {
                        let Some((version, old)) = read.take() else { continue };
                        let mut new = old.clone();
                        count += 1;
                        new["replicas"] = json!(count);
                        let aborted = new.as_object_mut().unwrap().remove("abort").is_some();
                        let resumed = old.get("pauseConditions").is_none();
                        new["pauseConditions"] = json!(["x"]);
                        let patch = difference(&old, &new).unwrap();
                        if store.patch(&patch, Some(version)) {
                            seen.0 += u32::from(aborted);
                            seen.1 += u32::from(resumed);
                        }
                    }
                    2 if store.status.get("abort").is_none() => {
                        aborts += 1;
                        store.patch(&json!({"abort": true}), None);
                    }
                    3 if store.status.get("pauseConditions").is_some() => {
                        resumes += 1;
                        store.patch(&json!({"pauseConditions": null}), None);
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(seen, (aborts, resumes));
        }
    }
}
