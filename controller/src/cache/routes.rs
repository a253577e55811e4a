//! Objects of routers, as raw JSON. A kind is watched from when the first Rollout uses a router that reads it: who splits
//! no traffic pays nothing for it, and needs none of its CRDs. `[traffic.watch]`

use super::watch::{RETRY_MAX, RETRY_MIN};
use crate::FIELD_MANAGER;
use crds::{Rollout, Time};
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, api::DynamicObject};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use traffic::{Kind, Objects, Reference, Services};

/// How often a watch that cannot begin is told of in the log: a CRD that is not installed is no news after the first time.
const TELL_EVERY: Duration = Duration::from_secs(300);

/// One object with the time of its last change.
#[derive(Clone, Debug)]
struct Seen {
    value: Arc<Value>,
    /// By the API server's clock, where it keeps such notes.
    changed: Option<Time>,
    /// When we saw it change.
    noticed: Instant,
}

/// What is known of one kind.
#[derive(Debug)]
struct Shelf {
    wanted: watch::Sender<bool>,
    state: State,
    objects: BTreeMap<(String, String), Seen>,
}

/// Whether a kind can be read.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Nobody has tried yet.
    Unread,
    /// It cannot be, and why.
    Absent(String),
    /// It is, or was before its watch failed.
    Listed,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { wanted: watch::Sender::new(false), state: State::Unread, objects: BTreeMap::new() }
    }
}

/// All objects of routers.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    overlay: bool,
    shelves: Arc<Mutex<BTreeMap<Kind, Shelf>>>,
}

/// What a router's objects are.
pub(crate) struct Found {
    pub(crate) objects: Objects,
    /// When the last of them changed.
    pub(crate) changed: Option<Time>,
    /// A kind that is not there, and why.
    pub(crate) absent: Option<(Kind, String)>,
}

impl Routes {
    pub(crate) fn new(overlay: bool) -> Self {
        let shelves = traffic::KINDS.iter().map(|kind| (*kind, Shelf::default())).collect();
        Self { overlay, shelves: Arc::new(Mutex::new(shelves)) }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the kinds that the Rollout's routers read.
    pub(crate) fn want(&self, rollout: &Rollout) {
        let shelves = self.lock();
        for reference in references(rollout) {
            if let Some(shelf) = shelves.get(&reference.kind) {
                shelf.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
            }
        }
    }

    /// The objects that a router reads, at `now`.
    pub(crate) fn find(&self, references: &[Reference], now: Time) -> Found {
        let shelves = self.lock();
        let mut found = Found { objects: Objects::default(), changed: None, absent: None };
        for reference in references {
            let Some(shelf) = shelves.get(&reference.kind) else { continue };
            if let State::Absent(why) = &shelf.state {
                found.absent.get_or_insert((reference.kind, why.clone()));
            }
            if let Some(seen) = shelf.objects.get(&(reference.namespace.clone(), reference.name.clone())) {
                found.objects.0.insert(reference.clone(), seen.value.clone());
                let age = i64::try_from(seen.noticed.elapsed().as_secs()).unwrap_or(i64::MAX);
                let changed = seen.changed.unwrap_or_else(|| now.plus_seconds(-age));
                found.changed = found.changed.max(Some(changed));
            }
        }
        found
    }

    /// Whether what a Rollout's routers read is not known yet: the watch has just been started, and wakes the Rollout
    /// when it has listed, or failed.
    pub(crate) fn are_unread(&self, rollout: &Rollout) -> bool {
        let references = references(rollout);
        let shelves = self.lock();
        let mut kinds = references.iter().filter_map(|reference| shelves.get(&reference.kind));
        kinds.any(|shelf| shelf.state == State::Unread)
    }

    /// Reads the objects of one Rollout once, without a watch.
    ///
    /// # Errors
    /// The kind that cannot be read, in the plural, and why. One that is not installed is no error.
    pub(crate) async fn read(
        &self,
        client: &Client,
        rollout: &Rollout,
    ) -> Result<(), (String, Box<kube::Error>)> {
        for reference in references(rollout) {
            let kind = reference.kind;
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), &reference.namespace, &resource(kind));
            let found = api.get_opt(&reference.name).await;
            if let Some(object) = found.map_err(|error| (kind.plural.to_owned(), Box::new(error)))? {
                self.put(kind, object);
            }
            if let Some(shelf) = self.lock().get_mut(&kind) {
                shelf.state = State::Listed;
            }
        }
        Ok(())
    }

    /// Takes in the answer to a write of our own.
    pub(crate) fn wrote(&self, kind: Kind, object: DynamicObject) {
        if self.overlay {
            self.put(kind, object);
        }
    }

    fn put(&self, kind: Kind, object: DynamicObject) -> Option<(String, String)> {
        let id = (object.metadata.namespace.clone()?, object.metadata.name.clone()?);
        let mut seen = seen(object)?;
        let mut shelves = self.lock();
        let objects = &mut shelves.get_mut(&kind)?.objects;
        if let Some(known) = objects.get(&id) {
            if version(&known.value) > version(&seen.value) {
                return None;
            }
            if is_same(&known.value, &seen.value) {
                seen.noticed = known.noticed;
            }
        }
        objects.insert(id.clone(), seen);
        Some(id)
    }

    /// Watches one kind, once it is wanted. `changed` is told of each object that came, changed or went.
    async fn feed(self, kind: Kind, api: Api<DynamicObject>, changed: impl Fn(&Reference)) {
        let mut wanted = match self.lock().get(&kind) {
            Some(shelf) => shelf.wanted.subscribe(),
            None => return,
        };
        if wanted.wait_for(|wanted| *wanted).await.is_err() {
            return;
        }
        let tell = |(namespace, name): (String, String)| changed(&Reference { kind, namespace, name });
        // Argo Rollouts' role has no `list` for some kinds: a watch that begins with what there is needs none.
        let config = watcher::Config::default();
        let config = if kind.listable { config } else { config.streaming_lists() };
        let mut events = watcher(api, config).boxed();
        let mut listed = BTreeSet::new();
        let mut pause = RETRY_MIN;
        let mut told: Option<Instant> = None;
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    if let Some(id) = self.put(kind, object) {
                        listed.insert(id.clone());
                        tell(id);
                    }
                }
                Ok(Event::InitDone) => {
                    pause = RETRY_MIN;
                    for gone in self.listed(kind, &listed) {
                        tell(gone);
                    }
                    listed.clear();
                }
                Ok(Event::Apply(object)) => {
                    if let Some(id) = self.put(kind, object) {
                        tell(id);
                    }
                }
                Ok(Event::Delete(object)) => {
                    let id = (
                        object.metadata.namespace.unwrap_or_default(),
                        object.metadata.name.unwrap_or_default(),
                    );
                    if let Some(shelf) = self.lock().get_mut(&kind) {
                        shelf.objects.remove(&id);
                    }
                    tell(id);
                }
                Err(error) => {
                    if told.is_none_or(|at| at.elapsed() > TELL_EVERY) {
                        tracing::warn!(kind = kind.plural, %error, "a router's objects cannot be watched; it is tried again");
                        told = Some(Instant::now());
                    }
                    for waiting in refused(&error).map_or_else(Vec::new, |why| self.absent(kind, &why)) {
                        tell(waiting);
                    }
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(RETRY_MAX);
                }
            }
        }
    }

    /// The kind is listed: gives what the list did not have, and what was waited for.
    fn listed(&self, kind: Kind, listed: &BTreeSet<(String, String)>) -> Vec<(String, String)> {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&kind) else { return Vec::new() };
        let is_news = std::mem::replace(&mut shelf.state, State::Listed) != State::Listed;
        let gone: Vec<_> = shelf.objects.keys().filter(|id| !listed.contains(*id)).cloned().collect();
        gone.iter().for_each(|id| drop(shelf.objects.remove(id)));
        if is_news { vec![EVERYBODY] } else { gone }
    }

    /// The kind cannot be read; what was read of it before still stands.
    fn absent(&self, kind: Kind, why: &str) -> Vec<(String, String)> {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&kind) else { return Vec::new() };
        let state = State::Absent(why.to_owned());
        if shelf.state == State::Listed || shelf.state == state {
            return Vec::new();
        }
        shelf.state = state;
        vec![EVERYBODY]
    }
}

/// What the API server says where a kind is not installed, or may not be read. Any other failure passes, and says nothing
/// about the kind.
fn refused(error: &watcher::Error) -> Option<String> {
    let status = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status,
        _ => return None,
    };
    matches!(status.code, 403 | 404).then(|| status.message.trim().to_owned())
}

/// Stands for every object of a kind.
const EVERYBODY: (String, String) = (String::new(), String::new());

/// By what an index finds the Rollouts whose routers read an object.
pub(crate) fn key(object: &Reference) -> (String, String) {
    // No name of a Service has a slash.
    (object.namespace.clone(), format!("{}/{}", object.kind.plural, object.name))
}

/// The objects that a Rollout's routers read.
pub(crate) fn references(rollout: &Rollout) -> Vec<Reference> {
    let routers = routers(rollout);
    routers.iter().flat_map(|router| router.references()).collect()
}

/// The routers of a Rollout, by the roles that its Services have now.
pub(crate) fn routers(rollout: &Rollout) -> Vec<Box<dyn traffic::Router>> {
    let roles = planner::traffic::roles(rollout);
    traffic::routers(rollout, &Services { canary: roles.canary, stable: roles.stable })
}

/// Starts the watches. `changed` is told of an object, or of a whole kind by an empty name.
pub(crate) fn start(
    tasks: &mut JoinSet<()>,
    client: &Client,
    routes: &Routes,
    scope: Option<&str>,
    changed: impl Fn(&Reference) + Clone + Send + Sync + 'static,
) {
    for kind in traffic::KINDS {
        let resource = resource(*kind);
        let api = match scope {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        tasks.spawn(routes.clone().feed(*kind, api, changed.clone()));
    }
}

/// A kind as kube names it.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: format!("{}/{}", kind.group, kind.version),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    }
}

/// The object without what the API server keeps for itself, and when it last changed: its status does not count.
fn seen(mut object: DynamicObject) -> Option<Seen> {
    let fields = object.metadata.managed_fields.take();
    let changes =
        fields.into_iter().flatten().filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty));
    let changed = changes.filter_map(|entry| entry.time).map(|time| crate::observe::time(&time)).max();
    Some(Seen { value: Arc::new(serde_json::to_value(object).ok()?), changed, noticed: Instant::now() })
}

/// Whether two states of an object say the same to a router: its status and its version are nothing to it.
fn is_same(one: &Value, other: &Value) -> bool {
    let at = |object: &Value, pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    ["/spec", "/metadata/annotations"].iter().all(|pointer| at(one, pointer) == at(other, pointer))
}

/// Of what the API server notes about an object's fields, when we last changed it; nothing where we never did.
pub(super) fn last_own_change(fields: Vec<ManagedFieldsEntry>) -> Option<Vec<ManagedFieldsEntry>> {
    let own = fields.into_iter().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let time = own.filter_map(|entry| entry.time).max_by_key(|time| time.0)?;
    let manager = Some(FIELD_MANAGER.to_owned());
    Some(vec![ManagedFieldsEntry { manager, time: Some(time), ..ManagedFieldsEntry::default() }])
}

fn version(object: &Value) -> u64 {
    let text = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
