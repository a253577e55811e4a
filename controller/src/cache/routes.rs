//! Objects of routers, as raw JSON. A kind is watched from when the first Rollout uses a router that reads it: who splits
//! no traffic pays nothing for it, and needs none of its CRDs. `[traffic.watch]`

mod feed;
#[cfg(test)]
mod tests;

pub(crate) use feed::start;

use super::Clients;
use super::reads::Reads;
use super::store::Id;
use crate::FIELD_MANAGER;
use crds::{Rollout, Time};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{DynamicObject, ListParams};
use planner::traffic::Authors;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;
use traffic::{Kind, Objects, Reference, Selection};

/// The code of a request for a kind that is not installed.
const NOT_FOUND: u16 = 404;
/// Objects in one answer of the API server.
const PAGE: u32 = 500;
/// Most answers to one question.
const PAGES_MAX: usize = 200;

/// One object with the time of its last change.
#[derive(Clone, Debug)]
struct Seen {
    value: Arc<Value>,
    /// By the API server's clock, where it keeps such notes.
    changed: Option<Time>,
    /// When we saw it change.
    noticed: Instant,
    authors: Authors,
    /// The API server's notes about its fields without ours, where that leaves any.
    notes_of_others: Option<Arc<Value>>,
}

/// An object that came, changed or went; every object of the kind where its name is empty.
pub(crate) struct Change {
    pub(crate) object: Reference,
    /// What it says now, and what it said before.
    pub(crate) states: Vec<Arc<Value>>,
}

impl Change {
    fn of_all(kind: Kind) -> Self {
        let object = Reference { kind, namespace: String::new(), name: String::new() };
        Self { object, states: Vec::new() }
    }
}

/// What is known of one kind.
#[derive(Debug)]
struct Shelf {
    wanted: watch::Sender<bool>,
    state: State,
    objects: BTreeMap<Id, Seen>,
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

impl Shelf {
    fn remove(&mut self, kind: Kind, id: Id) -> Change {
        let states = self.objects.remove(&id).map(|seen| seen.value).into_iter().collect();
        Change { object: reference(kind, id), states }
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
    /// Who has changed them.
    pub(crate) authors: Authors,
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
        for kind in Reads::of(rollout).kinds() {
            if let Some(shelf) = shelves.get(&kind) {
                shelf.wanted.send_if_modified(|wanted| !std::mem::replace(wanted, true));
            }
        }
    }

    /// The routers of a Rollout, by the roles that its Services have now.
    pub(crate) fn routers(&self, rollout: &Rollout) -> Vec<Box<dyn traffic::Router>> {
        traffic::routers(rollout, &|selection| self.select(selection))
    }

    /// Names of the objects that a selection finds.
    fn select(&self, selection: &Selection) -> Vec<String> {
        let shelves = self.lock();
        let Some(shelf) = shelves.get(&selection.kind) else { return Vec::new() };
        let first = (selection.namespace.clone(), String::new());
        let near =
            shelf.objects.range(first..).take_while(|((namespace, _), _)| *namespace == selection.namespace);
        let found = near.filter(|(_, seen)| selection.takes(&seen.value));
        found.map(|((_, name), _)| name.clone()).collect()
    }

    /// The objects that a router reads, at `now`: those that it names and has found.
    pub(crate) fn find(&self, references: &[Reference], selections: &[Selection], now: Time) -> Found {
        let shelves = self.lock();
        let mut found =
            Found { objects: Objects::default(), changed: None, authors: Authors::default(), absent: None };
        let named = references.iter().map(|reference| reference.kind);
        for kind in named.chain(selections.iter().map(|selection| selection.kind)) {
            if let Some(State::Absent(why)) = shelves.get(&kind).map(|shelf| &shelf.state) {
                found.absent.get_or_insert((kind, why.clone()));
            }
        }
        let mut all = Vec::new();
        for reference in references {
            let Some(shelf) = shelves.get(&reference.kind) else { continue };
            if let Some(seen) = shelf.objects.get(&(reference.namespace.clone(), reference.name.clone())) {
                found.objects.0.insert(reference.clone(), seen.value.clone());
                let age = i64::try_from(seen.noticed.elapsed().as_secs()).unwrap_or(i64::MAX);
                let changed = seen.changed.unwrap_or_else(|| now.plus_seconds(-age));
                found.changed = found.changed.max(Some(changed));
                all.push(authors(seen, reference, selections));
            }
        }
        // Who has changed what we write comes before who has changed what we only read, such as a stable Ingress.
        all.sort_by_key(|authors| authors.written.is_none());
        all.iter().for_each(|authors| found.authors.add(authors));
        found
    }

    /// The API server's notes about the fields of an object without ours; `None` where none are ours, or only ours.
    pub(crate) fn notes_of_others(&self, reference: &Reference) -> Option<Arc<Value>> {
        let id = (reference.namespace.clone(), reference.name.clone());
        let shelves = self.lock();
        let seen = shelves.get(&reference.kind)?.objects.get(&id)?;
        seen.authors.own.and_then(|_| seen.notes_of_others.clone())
    }

    /// Whether the API server notes any field of an object as ours: of a list of routes that somebody else has written
    /// since, none is.
    pub(crate) fn has_ours(&self, reference: &Reference) -> bool {
        let id = (reference.namespace.clone(), reference.name.clone());
        let shelves = self.lock();
        let seen = shelves.get(&reference.kind).and_then(|shelf| shelf.objects.get(&id));
        seen.is_some_and(|seen| seen.authors.own.is_some())
    }

    /// Whether what a Rollout's routers read is not known yet: the watch has just been started, and wakes the Rollout
    /// when it has listed, or failed.
    pub(crate) fn are_unread(&self, rollout: &Rollout) -> bool {
        let kinds = Reads::of(rollout).kinds();
        let shelves = self.lock();
        kinds.iter().filter_map(|kind| shelves.get(kind)).any(|shelf| shelf.state == State::Unread)
    }

    /// Reads the objects of one Rollout once, without a watch.
    ///
    /// # Errors
    /// The kind that cannot be read, in the plural, and why. One that is not installed is no error.
    pub(crate) async fn read(
        &self,
        clients: &Clients,
        rollout: &Rollout,
    ) -> Result<(), (String, Box<kube::Error>)> {
        let reads = Reads::of(rollout);
        let unread = |kind: Kind| move |error| (kind.plural.to_owned(), Box::new(error));
        for reference in &reads.references {
            let kind = reference.kind;
            let found = clients.api(kind, Some(&reference.namespace)).get_opt(&reference.name).await;
            if let Some(object) = found.map_err(unread(kind))? {
                self.put(kind, object);
            }
        }
        for selection in &reads.selections {
            self.list(clients, selection).await.map_err(unread(selection.kind))?;
        }
        let mut shelves = self.lock();
        for kind in reads.kinds() {
            if let Some(shelf) = shelves.get_mut(&kind) {
                shelf.state = State::Listed;
            }
        }
        Ok(())
    }

    /// Reads what a selection finds. The namespace is read whole: an object that has lost its labels may still be found.
    async fn list(&self, clients: &Clients, selection: &Selection) -> kube::Result<()> {
        let api = clients.api(selection.kind, Some(&selection.namespace));
        let mut params = ListParams::default().limit(PAGE);
        for _ in 0..PAGES_MAX {
            let list = match api.list(&params).await {
                Err(kube::Error::Api(status)) if status.code == NOT_FOUND => return Ok(()),
                list => list?,
            };
            for object in list.items {
                self.put(selection.kind, object);
            }
            params.continue_token = list.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                break;
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

    fn put(&self, kind: Kind, object: DynamicObject) -> Option<Change> {
        let id = (object.metadata.namespace.clone()?, object.metadata.name.clone()?);
        let mut seen = seen(kind, object)?;
        let mut states = vec![seen.value.clone()];
        let mut shelves = self.lock();
        let objects = &mut shelves.get_mut(&kind)?.objects;
        if let Some(known) = objects.get(&id) {
            if version(&known.value) > version(&seen.value) {
                return None;
            }
            if is_same(&known.value, &seen.value) {
                seen.noticed = known.noticed;
            }
            seen.authors.written = seen.authors.written.max(known.authors.written);
            states.push(known.value.clone());
        }
        objects.insert(id.clone(), seen);
        Some(Change { object: reference(kind, id), states })
    }

    /// The kind is listed: gives what the list did not have, and what was waited for.
    fn listed(&self, kind: Kind, listed: &BTreeSet<Id>) -> Vec<Change> {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&kind) else { return Vec::new() };
        let is_news = std::mem::replace(&mut shelf.state, State::Listed) != State::Listed;
        let gone: Vec<_> = shelf.objects.keys().filter(|id| !listed.contains(*id)).cloned().collect();
        let gone = gone.into_iter().map(|id| shelf.remove(kind, id)).collect();
        if is_news { vec![Change::of_all(kind)] } else { gone }
    }

    /// The kind cannot be read; what was read of it before still stands.
    fn absent(&self, kind: Kind, why: &str) -> Option<Change> {
        let mut shelves = self.lock();
        let shelf = shelves.get_mut(&kind)?;
        let state = State::Absent(why.to_owned());
        if shelf.state == State::Listed || shelf.state == state {
            return None;
        }
        shelf.state = state;
        Some(Change::of_all(kind))
    }
}

fn reference(kind: Kind, (namespace, name): Id) -> Reference {
    Reference { kind, namespace, name }
}

/// Who has changed an object. Of one that is found by its labels, and in which nothing is ours yet, nobody can tell whether
/// somebody has changed what we have asked for, or has only made it one that is found.
fn authors(seen: &Seen, reference: &Reference, selections: &[Selection]) -> Authors {
    let takes = |selection: &Selection| selection.kind == reference.kind && selection.takes(&seen.value);
    let is_new = seen.authors.own.is_none() && selections.iter().any(takes);
    Authors { other: seen.authors.other.clone().filter(|_| !is_new), ..seen.authors.clone() }
}

/// The object without what the API server keeps for itself, and when and by whom it was last changed: its status does not
/// count.
fn seen(kind: Kind, mut object: DynamicObject) -> Option<Seen> {
    let notes = object.metadata.managed_fields.take().unwrap_or_default();
    let time = |entry: &ManagedFieldsEntry| entry.time.as_ref().map(crate::observe::time);
    let (own, others): (Vec<_>, Vec<_>) =
        notes.into_iter().partition(|entry| is_of_spec(entry) && is_ours(entry));
    let last_own = own.iter().filter_map(time).max();
    let last = others.iter().filter(|entry| is_of_spec(entry)).max_by_key(|entry| time(entry));
    let shared = !own.is_empty() && last.is_some();
    let notes_of_others = if shared { serde_json::to_value(&others).ok().map(Arc::new) } else { None };
    let authors = Authors {
        own: last_own,
        written: last_own,
        shared: shared && traffic::rests_as_it_was(kind),
        other: last.filter(|entry| time(entry) >= last_own).and_then(|entry| entry.manager.clone()),
    };
    Some(Seen {
        value: Arc::new(serde_json::to_value(object).ok()?),
        changed: last.and_then(time).max(last_own),
        noticed: Instant::now(),
        authors,
        notes_of_others,
    })
}

/// Whether a note is about the object itself, and not about its status.
fn is_of_spec(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref().is_none_or(str::is_empty)
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER)
}

/// Whether two states of an object say the same to a router: its status and its version are nothing to it.
fn is_same(one: &Value, other: &Value) -> bool {
    let at = |object: &Value, pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    ["/spec", "/metadata/annotations"].iter().all(|pointer| at(one, pointer) == at(other, pointer))
}

/// Of what the API server notes about an object's fields, when we last changed it; nothing where we never did.
pub(super) fn last_own_change(fields: Vec<ManagedFieldsEntry>) -> Option<Vec<ManagedFieldsEntry>> {
    let own = fields.into_iter().filter(is_ours);
    let time = own.filter_map(|entry| entry.time).max_by_key(|time| time.0)?;
    let manager = Some(FIELD_MANAGER.to_owned());
    Some(vec![ManagedFieldsEntry { manager, time: Some(time), ..ManagedFieldsEntry::default() }])
}

fn version(object: &Value) -> u64 {
    let text = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
