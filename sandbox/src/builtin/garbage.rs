//! The garbage collector: who owns whom, and what follows when either goes.

use super::{uid, views};
use crate::Dig;
use crate::api::registry::ResourceId;
use crate::api::store::{Change, Stored};
use crate::api::{ApiServer, At, Deletion, Part, Propagation, text};
use crate::models::garbage::{
    FOREGROUND_FINALIZER, Node, ORPHAN_FINALIZER, OwnerState, Propagation as Wanted, Verdict, judge,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where all objects are, and who has which dependents, by uid.
#[derive(Debug, Default)]
pub(super) struct Garbage {
    places: BTreeMap<String, At>,
    dependents: BTreeMap<String, BTreeSet<At>>,
}

fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.at("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object.at("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten()
}

fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    owners(object).map(|reference| text(reference, "/uid"))
}

fn waits_for_dependents(object: &Value) -> bool {
    views::is_deleting(object) && finalizers(object).any(|name| name == FOREGROUND_FINALIZER)
}

impl Garbage {
    /// Takes note of a change, and gives the objects that it concerns.
    pub(super) fn saw(&mut self, at: &At, change: &Change) -> BTreeSet<At> {
        let (now, before) = (&change.object.value, change.before.as_ref().map(|before| &before.value));
        let mut concerned = BTreeSet::new();
        let differs = |pointer: &str| before.is_none_or(|old| old.at(pointer) != now.at(pointer));
        let owners_changed = change.deleted
            || (differs("/metadata/ownerReferences") && (before.is_some() || owners(now).next().is_some()));
        let deleting = views::is_deleting(now)
            && (differs("/metadata/deletionTimestamp") || differs("/metadata/finalizers"));
        if change.before.is_none() {
            self.places.insert(uid(&change.object).to_owned(), at.clone());
        }
        if owners_changed || deleting {
            let both = before.into_iter().chain([now]).flat_map(owner_uids);
            concerned.extend(both.filter_map(|owner| self.places.get(owner)).cloned());
        }
        if owners_changed {
            for owner in before.into_iter().flat_map(owner_uids) {
                if let Some(known) = self.dependents.get_mut(owner) {
                    known.remove(at);
                    if known.is_empty() {
                        self.dependents.remove(owner);
                    }
                }
            }
            for owner in owner_uids(now).filter(|_| !change.deleted) {
                self.dependents.entry(owner.to_owned()).or_default().insert(at.clone());
            }
            concerned.insert(at.clone());
        }
        if deleting || change.deleted {
            concerned.extend(self.dependents.get(uid(&change.object)).into_iter().flatten().cloned());
            concerned.insert(at.clone());
        }
        if change.deleted {
            self.places.remove(uid(&change.object));
            concerned.remove(at);
        }
        concerned
    }

    fn dependents(&self, api: &ApiServer, owner: &str) -> Vec<(At, Arc<Stored>)> {
        let known = self.dependents.get(owner).into_iter().flatten();
        known.filter_map(|at| Some((at.clone(), api.get(at)?.clone()))).collect()
    }

    /// One look at an object that may have to go, or that waits for others.
    pub(super) fn look(&self, api: &mut ApiServer, at: &At) {
        let Some(object) = api.get(at).cloned() else { return };
        let own = uid(&object);
        let below = self.dependents(api, own);
        let blocks = |dependent: &Value| {
            owners(dependent).any(|reference| {
                text(reference, "/uid") == own
                    && reference.get("blockOwnerDeletion") == Some(&Value::Bool(true))
            })
        };
        let node = Node {
            owners: owners(&object.value).map(|reference| state(api, &at.namespace, reference)).collect(),
            deleting: views::is_deleting(&object.value),
            foreground: finalizers(&object.value).any(|name| name == FOREGROUND_FINALIZER),
            orphan: finalizers(&object.value).any(|name| name == ORPHAN_FINALIZER),
            dependents: below.len(),
            blocking_dependents: below.iter().filter(|(_, dependent)| blocks(&dependent.value)).count(),
            dependent_waits: below.iter().any(|(_, dependent)| waits_for_dependents(&dependent.value)),
        };
        settle(api, at, own, &node, &below);
    }
}

fn settle(api: &mut ApiServer, at: &At, own: &str, node: &Node, below: &[(At, Arc<Stored>)]) {
    let delete = |api: &mut ApiServer, propagation| {
        let how =
            Deletion { propagation: Some(propagation), uid: Some(own.to_owned()), ..Deletion::default() };
        let _ = api.delete(at, &how);
    };
    match judge(node) {
        Verdict::Keep => {}
        Verdict::DropOwners(indexes) => keep_owners(api, at, |index, _| !indexes.contains(&index)),
        Verdict::Delete(wanted) => delete(
            api,
            match wanted {
                Wanted::Background => Propagation::Background,
                Wanted::Foreground => Propagation::Foreground,
                Wanted::Orphan => Propagation::Orphan,
            },
        ),
        Verdict::UnblockAndDelete => delete(api, Propagation::Foreground),
        Verdict::OrphanDependents => {
            for (place, _) in below {
                keep_owners(api, place, |_, reference| text(reference, "/uid") != own);
            }
            drop_finalizer(api, at, ORPHAN_FINALIZER);
        }
        Verdict::FinishForeground => drop_finalizer(api, at, FOREGROUND_FINALIZER),
    }
}

/// What becomes of the owner that a reference names.
fn state(api: &ApiServer, namespace: &str, reference: &Value) -> OwnerState {
    match owner(api, namespace, reference) {
        None => OwnerState::Absent,
        Some(owner) if waits_for_dependents(&owner.value) => OwnerState::WaitsForDependents,
        Some(_) => OwnerState::Present,
    }
}

fn owner<'a>(api: &'a ApiServer, namespace: &str, reference: &Value) -> Option<&'a Arc<Stored>> {
    let resource: ResourceId = api.resource_of(text(reference, "/apiVersion"), text(reference, "/kind"))?;
    let namespaced = api.resource(resource).ok()?.namespaced;
    let at = At {
        resource,
        namespace: if namespaced { namespace.to_owned() } else { String::new() },
        name: text(reference, "/name").to_owned(),
    };
    api.get(&at).filter(|found| uid(found) == text(reference, "/uid"))
}

fn keep_owners(api: &mut ApiServer, at: &At, keep: impl Fn(usize, &Value) -> bool) {
    let _ = api.change(at, Part::Main, false, |old| {
        let mut new = old.clone();
        let kept: Vec<Value> = owners(old)
            .enumerate()
            .filter(|(index, reference)| keep(*index, reference))
            .map(|(_, reference)| reference.clone())
            .collect();
        if let Some(metadata) = new.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("ownerReferences".to_owned(), kept.into());
        }
        Ok(new)
    });
}

fn drop_finalizer(api: &mut ApiServer, at: &At, finalizer: &str) {
    let _ = api.change(at, Part::Main, false, |old| {
        let mut new = old.clone();
        if let Some(list) = new.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) {
            list.retain(|name| name != finalizer);
        }
        Ok(new)
    });
}
