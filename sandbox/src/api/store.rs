//! Objects of one cluster with one revision for all, and what changed, for watches.

use super::registry::ResourceId;
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Changes that each resource remembers. A watch that begins earlier is answered 410.
const CHANGES_MAX: usize = 2_000;

/// Namespace (empty for cluster-scoped objects) and name.
pub type Name = (String, String);

/// An object at one revision.
#[derive(Debug)]
pub struct Stored {
    /// The object; its resource version is the revision.
    pub value: Value,
    /// The revision at which it became so.
    pub revision: u64,
    json: OnceLock<Bytes>,
    item_json: OnceLock<Bytes>,
}

/// An object without what says its kind.
struct Item<'v>(&'v Value);

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.as_object().into_iter().flatten();
        serializer.collect_map(fields.filter(|(key, _)| !matches!(key.as_str(), "apiVersion" | "kind")))
    }
}

impl Stored {
    fn new(mut value: Value, revision: u64) -> Self {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        }
        Self { value, revision, json: OnceLock::new(), item_json: OnceLock::new() }
    }

    /// An object that a dry run made: it has no revision.
    pub(crate) fn unstored(value: Value) -> Self {
        Self { value, revision: 0, json: OnceLock::new(), item_json: OnceLock::new() }
    }

    /// The object as JSON, made once for all who read it.
    pub fn json(&self) -> &Bytes {
        self.json.get_or_init(|| Bytes::from(self.value.to_string()))
    }

    /// The object as an item of a list of a built-in kind: without API version and kind.
    pub(crate) fn item_json(&self) -> &Bytes {
        self.item_json.get_or_init(|| serde_json::to_vec(&Item(&self.value)).unwrap_or_default().into())
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Change {
    /// The revision that it made.
    pub revision: u64,
    /// What it was before; `None` when it was created.
    pub before: Option<Arc<Stored>>,
    /// What it is; for a deletion its last state at the deletion's revision.
    pub object: Arc<Stored>,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// All objects of one resource.
#[derive(Debug, Default)]
struct Table {
    objects: BTreeMap<Name, Arc<Stored>>,
    changes: VecDeque<Change>,
    /// Revision of the newest change that was forgotten.
    forgotten: u64,
    /// Tells those who watch that something changed, in the order in which they came.
    news: Arc<Notify>,
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct Store {
    revision: u64,
    tables: BTreeMap<ResourceId, Table>,
    /// Everything up to here is forgotten.
    compacted: u64,
    /// Changes that the built-in controllers have not seen, with their resource.
    fresh: Vec<(ResourceId, Change)>,
}

impl Store {
    fn table(&mut self, resource: ResourceId) -> &mut Table {
        self.tables.entry(resource).or_default()
    }

    /// The newest revision.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// An object.
    pub(crate) fn get(&self, resource: ResourceId, namespace: &str, name: &str) -> Option<&Arc<Stored>> {
        self.tables.get(&resource)?.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Objects of a resource by namespace and name; of one namespace when it is given.
    pub(crate) fn list<'s>(
        &'s self,
        resource: ResourceId,
        namespace: Option<&'s str>,
    ) -> impl Iterator<Item = (&'s Name, &'s Arc<Stored>)> + 's {
        let from = (namespace.unwrap_or_default().to_owned(), String::new());
        self.tables
            .get(&resource)
            .into_iter()
            .flat_map(move |table| table.objects.range(from.clone()..))
            .take_while(move |((own, _), _)| namespace.is_none_or(|namespace| own == namespace))
    }

    /// Puts an object in, new or changed, and gives it at its new revision.
    pub(crate) fn put(&mut self, resource: ResourceId, name: Name, value: Value) -> Arc<Stored> {
        self.revision += 1;
        let object = Arc::new(Stored::new(value, self.revision));
        let before = self.table(resource).objects.insert(name, object.clone());
        self.changed(
            resource,
            Change { revision: self.revision, before, object: object.clone(), deleted: false },
        );
        object
    }

    /// Takes an object out and gives its last state at the deletion's revision.
    pub(crate) fn remove(&mut self, resource: ResourceId, name: &Name) -> Option<Arc<Stored>> {
        let before = self.table(resource).objects.remove(name)?;
        self.revision += 1;
        let object = Arc::new(Stored::new(before.value.clone(), self.revision));
        let change =
            Change { revision: self.revision, before: Some(before), object: object.clone(), deleted: true };
        self.changed(resource, change);
        Some(object)
    }

    fn changed(&mut self, resource: ResourceId, change: Change) {
        self.fresh.push((resource, change.clone()));
        let table = self.table(resource);
        table.changes.push_back(change);
        if table.changes.len() > CHANGES_MAX
            && let Some(oldest) = table.changes.pop_front()
        {
            table.forgotten = oldest.revision;
        }
        table.news.notify_waiters();
    }

    /// Forgets all changes up to now: watches that begin before it are answered 410.
    pub(crate) fn compact(&mut self) {
        let revision = self.revision;
        self.compacted = revision;
        for table in self.tables.values_mut() {
            table.changes.clear();
            table.forgotten = revision;
        }
    }

    /// Shows the objects of a resource in another way from now on. They have not changed: their revisions stay.
    pub(crate) fn show_anew(&mut self, resource: ResourceId, shape: impl Fn(&mut Value)) {
        for object in self.table(resource).objects.values_mut() {
            let mut value = object.value.clone();
            shape(&mut value);
            if value != object.value {
                *object = Arc::new(Stored::new(value, object.revision));
            }
        }
    }

    /// Changes of a resource after a revision; `None` when some of them are forgotten.
    pub(crate) fn since(
        &mut self,
        resource: ResourceId,
        revision: u64,
    ) -> Option<impl Iterator<Item = &Change>> {
        let compacted = self.compacted;
        let table = self.table(resource);
        if revision < table.forgotten.max(compacted) {
            return None;
        }
        let from = table.changes.partition_point(|change| change.revision <= revision);
        Some(table.changes.range(from..))
    }

    /// Is told of each change of a resource.
    pub(crate) fn news(&mut self, resource: ResourceId) -> Arc<Notify> {
        self.table(resource).news.clone()
    }

    /// Changes since the last call, for the built-in controllers.
    pub(crate) fn take_fresh(&mut self) -> Vec<(ResourceId, Change)> {
        std::mem::take(&mut self.fresh)
    }
}
