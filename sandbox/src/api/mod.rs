//! The API server: what it answers to one request. It does nothing by itself; the service around it waits, watches and
//! fails.

mod about;
mod body;
pub(crate) mod decode;
mod delete;
pub(crate) mod failure;
pub(crate) mod kinds;
mod list;
mod managers;
mod metadata;
mod names;
mod patching;
pub mod registry;
pub(crate) mod reply;
pub(crate) mod request;
mod scale;
pub(crate) mod selector;
pub mod store;
mod token;
mod verbs;
pub(crate) mod watch;
mod write;

pub use delete::{Deleted, Deletion, Propagation};
pub use write::Part;

use crate::Dig;
use crate::clock::Clock;
use crds::Time;
pub use failure::Failure;
use registry::{Registry, ResourceId, ResourceType};
use serde_json::Value;
use std::sync::Arc;
use store::{Store, Stored};

/// Letters of generated names, those that Kubernetes uses.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Length of what `generateName` adds.
const NAME_SUFFIX_LETTERS: usize = 5;

/// The API server.
#[derive(Debug)]
pub struct ApiServer {
    pub(crate) store: Store,
    pub(crate) registry: Registry,
    random: fastrand::Rng,
    clock: Clock,
    /// What the answer to the request of the moment warns of.
    pub(crate) warnings: Vec<String>,
    /// Who writes at the moment: the manager that the request names.
    manager: String,
}

/// Manager of what is written without a request.
const BY_HAND: &str = "by-hand";

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The resource.
    pub resource: ResourceId,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ApiServer {
    pub(crate) fn new(clock: Clock, seed: u64, registry: Registry) -> Self {
        Self {
            store: Store::default(),
            registry,
            random: fastrand::Rng::with_seed(seed),
            clock,
            warnings: Vec::new(),
            manager: BY_HAND.to_owned(),
        }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The newest revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// Forgets how everything has become what it is: watches that begin before now are answered 410, as after the
    /// compaction of a real cluster's store.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    /// How a resource is served.
    ///
    /// # Errors
    /// When it is served no more.
    pub fn resource(&self, id: ResourceId) -> Result<Arc<ResourceType>, Failure> {
        self.registry.get(id).cloned().ok_or_else(Failure::no_such_path)
    }

    /// The resource of a kind.
    #[must_use]
    pub fn resource_of(&self, api_version: &str, kind: &str) -> Option<ResourceId> {
        self.registry.of_kind(api_version, kind)
    }

    /// An object as it is.
    #[must_use]
    pub fn get(&self, at: &At) -> Option<&Arc<Stored>> {
        self.store.get(at.resource, &at.namespace, &at.name)
    }

    /// Objects of a resource, of one namespace when it is given.
    pub fn objects<'s>(
        &'s self,
        resource: ResourceId,
        namespace: Option<&'s str>,
    ) -> impl Iterator<Item = &'s Arc<Stored>> + 's {
        self.store.list(resource, namespace).map(|(_, object)| object)
    }

    /// Letters for a generated name.
    pub(crate) fn suffix(&mut self) -> String {
        let mut letter = || {
            let index = self.random.usize(..NAME_LETTERS.len());
            NAME_LETTERS.get(index).copied().map_or('x', char::from)
        };
        (0..NAME_SUFFIX_LETTERS).map(|_| letter()).collect()
    }

    /// A uid.
    fn uid(&mut self) -> String {
        let (high, low) = (self.random.u64(..), self.random.u64(..));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48) & 0x3fff,
            low & 0xffff_ffff_ffff
        )
    }
}

/// Text at a JSON pointer; empty without one.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.at(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number at a JSON pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.at(pointer).and_then(Value::as_i64)
}

/// A time as objects write it.
pub(crate) fn stamp(time: Time) -> Value {
    time.whole_seconds().to_string().into()
}
