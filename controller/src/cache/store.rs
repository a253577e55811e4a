//! Objects of one kind by namespace and name. A write's answer goes in at once, and older news of the watch does not
//! take it out again: that is the read-your-writes overlay.

use kube::{Resource, ResourceExt};
use planner::defect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Namespace (empty for cluster-scoped kinds) and name.
pub(crate) type Id = (String, String);

/// What an object can be found by, beside its name: a namespace, mostly its own, and a key.
pub(crate) type Index<K> = fn(&K) -> Vec<Id>;

/// The store.
pub(crate) struct Store<K> {
    overlay: bool,
    index: Index<K>,
    shelves: RwLock<Shelves<K>>,
}

/// What a store holds.
struct Shelves<K> {
    objects: BTreeMap<Id, Arc<K>>,
    /// What the index says of objects, and which ones. One look at one of a thousand Rollouts does
    /// not go through what the others own.
    found: BTreeMap<Id, BTreeSet<Id>>,
}

impl<K> Store<K> {
    /// An empty store. With `overlay` the answers to our own writes go in at once.
    pub(crate) fn new(overlay: bool) -> Self {
        Self::indexed(overlay, |_| Vec::new())
    }

    /// An empty store whose objects can be found by what `index` says of them.
    pub(crate) fn indexed(overlay: bool, index: Index<K>) -> Self {
        let shelves = Shelves { objects: BTreeMap::new(), found: BTreeMap::new() };
        Self { overlay, index, shelves: RwLock::new(shelves) }
    }
}

impl<K> Shelves<K> {
    fn insert(&mut self, id: Id, object: Arc<K>, index: Index<K>) -> Option<Arc<K>> {
        let keys = index(&object);
        let old = self.objects.get(&id).map(|before| index(before)).unwrap_or_default();
        if old != keys {
            self.forget(&id, old);
            for key in keys {
                self.found.entry(key).or_default().insert(id.clone());
            }
        }
        self.objects.insert(id, object)
    }

    fn remove(&mut self, id: &Id, index: Index<K>) -> Option<Arc<K>> {
        let object = self.objects.remove(id)?;
        self.forget(id, index(&object));
        Some(object)
    }

    fn forget(&mut self, id: &Id, keys: Vec<Id>) {
        for key in keys {
            let is_last = self.found.get_mut(&key).is_some_and(|ids| {
                ids.remove(id);
                ids.is_empty()
            });
            if is_last {
                self.found.remove(&key);
            }
        }
    }
}

/// Namespace and name of an object.
pub(crate) fn id<K: Resource>(object: &K) -> Id {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// A resource version as a number; the API server's are decimal and grow.
pub(crate) fn version_of<K: Resource>(object: &K) -> u64 {
    object.meta().resource_version.as_ref().and_then(|text| text.parse().ok()).unwrap_or(0)
}

impl<K: Resource> Store<K> {
    fn read(&self) -> RwLockReadGuard<'_, Shelves<K>> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelves<K>> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an object in unless a newer one is there; gives the one that it replaces.
    pub(crate) fn put(&self, object: Arc<K>) -> Option<Arc<K>> {
        let id = id(object.as_ref());
        let mut shelves = self.write();
        let newer = |known: &Arc<K>| version_of(known.as_ref()) > version_of(object.as_ref());
        if !defect!(OlderOverwrites) && shelves.objects.get(&id).is_some_and(newer) {
            return None;
        }
        shelves.insert(id, object, self.index)
    }

    /// Takes in the answer to a write of our own.
    pub(crate) fn wrote(&self, object: K) {
        if self.overlay {
            self.put(Arc::new(object));
        }
    }

    /// Takes an object out when it is gone; a newer one of the same name stays.
    pub(crate) fn delete(&self, object: &K) {
        let id = id(object);
        let mut shelves = self.write();
        let same = shelves.objects.get(&id).is_some_and(|known| known.uid() == object.uid());
        if same {
            shelves.remove(&id, self.index);
        }
    }

    /// Takes out what a list from the server did not have. An object of ours that is younger than the list comes
    /// back with the watch; until then a second create of it is answered `AlreadyExists`.
    pub(crate) fn retain_listed(&self, listed: &BTreeSet<Id>) -> Vec<Arc<K>> {
        if defect!(GoneStays) {
            return Vec::new();
        }
        let mut shelves = self.write();
        let gone: Vec<Id> = shelves.objects.keys().filter(|id| !listed.contains(*id)).cloned().collect();
        gone.iter().filter_map(|id| shelves.remove(id, self.index)).collect()
    }

    /// The object of that name.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().objects.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// The objects of which the index says this namespace and key, by namespace and name.
    pub(crate) fn find(&self, namespace: &str, key: &str) -> Vec<Arc<K>> {
        let shelves = self.read();
        let ids = shelves.found.get(&(namespace.to_owned(), key.to_owned()));
        ids.into_iter().flatten().filter_map(|id| shelves.objects.get(id).cloned()).collect()
    }

    /// All objects of a namespace whose names begin with `prefix`, by name.
    pub(crate) fn list(&self, namespace: &str, prefix: &str) -> Vec<Arc<K>> {
        let from = (namespace.to_owned(), prefix.to_owned());
        let shelves = self.read();
        shelves
            .objects
            .range(from..)
            .take_while(|((ns, name), _)| ns == namespace && name.starts_with(prefix))
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// All objects, by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }
}
