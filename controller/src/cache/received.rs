//! One object of a list or of a watch. One that cannot be read must not stop the others: it is known by its metadata.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An object as the API server sent it, or what is known of it and why it cannot be read.
///
/// `DeserializeGuard` of kube does the same by way of a tree, of which it makes a copy: that is most of the processor
/// time of a busy watch. Here the text is read once, and again only where it cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Received<K>(pub(crate) Result<K, Unreadable>);

/// What is known of an object that cannot be read.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    pub(crate) metadata: ObjectMeta,
    pub(crate) error: String,
}

#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(default)]
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Received<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        let read = match serde_json::from_str(text) {
            Ok(object) => Ok(object),
            Err(error) => {
                let MetadataOnly { metadata } = serde_json::from_str(text).map_err(D::Error::custom)?;
                Err(Unreadable { metadata, error: error.to_string() })
            }
        };
        Ok(Self(read))
    }
}

impl<K: Resource> Resource for Received<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(kind: &K::DynamicType) -> Cow<'_, str> {
        K::kind(kind)
    }
    fn group(kind: &K::DynamicType) -> Cow<'_, str> {
        K::group(kind)
    }
    fn version(kind: &K::DynamicType) -> Cow<'_, str> {
        K::version(kind)
    }
    fn plural(kind: &K::DynamicType) -> Cow<'_, str> {
        K::plural(kind)
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crds::Rollout;
    use kube::ResourceExt;
    use kube::api::WatchEvent;
    use kube::core::ObjectList;

    const GOOD: &str = r#"{"metadata": {"name": "good", "namespace": "a"}, "spec": {"replicas": 3}}"#;
    const BAD: &str = r#"{"metadata": {"name": "bad", "namespace": "a"}, "spec": {"replicas": "three"}}"#;
    const NOTHING: &str = r#"{"metadata": "none"}"#;

    #[test]
    fn an_object_that_cannot_be_read_is_known_by_its_metadata() {
        let bad: Received<Rollout> = serde_json::from_str(BAD).unwrap();
        assert_eq!((bad.name_any().as_str(), bad.namespace().as_deref()), ("bad", Some("a")));
        let error = bad.0.unwrap_err().error;
        assert!(error.contains("three"), "{error}");
        assert!(serde_json::from_str::<Received<Rollout>>(NOTHING).is_err());
    }

    #[test]
    fn one_of_a_list_stops_no_other() {
        let list =
            format!(r#"{{"apiVersion": "v1", "kind": "List", "metadata": {{}}, "items": [{BAD}, {GOOD}]}}"#);
        let list: ObjectList<Received<Rollout>> = serde_json::from_str(&list).unwrap();
        assert!(list.items[0].0.is_err());
        assert_eq!(list.items[1].0.as_ref().unwrap().spec.replicas, Some(3));
    }

    #[test]
    fn lines_of_a_watch_are_read() {
        for (line, is_read) in [(GOOD, true), (BAD, false)] {
            let line = format!(r#"{{"type":"MODIFIED","object":{line}}}"#);
            let event: WatchEvent<Received<Rollout>> = serde_json::from_str(&line).unwrap();
            let WatchEvent::Modified(object) = event else { panic!("{event:?}") };
            assert_eq!(object.0.is_ok(), is_read);
        }
        let line = r#"{"type":"BOOKMARK","object":{"kind":"Rollout","apiVersion":"a/v1","metadata":{"resourceVersion":"7"}}}"#;
        let event: WatchEvent<Received<Rollout>> = serde_json::from_str(line).unwrap();
        assert!(matches!(event, WatchEvent::Bookmark(_)), "{event:?}");
    }
}
