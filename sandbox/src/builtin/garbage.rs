//! The garbage collector.

use super::{uid, views};
use crate::api::store::{Change, Stored};
use crate::api::{ApiServer, At, Deletion, Part, Propagation, text};
use crate::models::garbage::{
    FOREGROUND_FINALIZER, Node, ORPHAN_FINALIZER, OwnerState, Propagation as Wanted, Verdict, judge,
};
use crds::Time;
use serde_json::Value;
use std::sync::Arc;

/// Whether a change can have to do with owners: of an object that has or may have dependents, or that is owned.
pub(super) fn concerns(change: &Change) -> bool {
    let owned = change.object.value.pointer("/metadata/ownerReferences").is_some();
    let first = change.before.is_none();
    let newly_deleting = views::is_deleting(&change.object.value)
        && change.before.as_ref().is_none_or(|before| {
            !views::is_deleting(&before.value)
                || before.value.pointer("/metadata/finalizers")
                    != change.object.value.pointer("/metadata/finalizers")
        });
    let owners_changed = change.before.as_ref().is_some_and(|before| {
        before.value.pointer("/metadata/ownerReferences")
            != change.object.value.pointer("/metadata/ownerReferences")
    });
    change.deleted || newly_deleting || owners_changed || (owned && first)
}

fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    let list = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn owners(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten()
}

fn place(resource: crate::api::registry::ResourceId, object: &Stored) -> At {
    At {
        resource,
        namespace: text(&object.value, "/metadata/namespace").to_owned(),
        name: text(&object.value, "/metadata/name").to_owned(),
    }
}

/// Objects that have one with this uid as an owner.
fn dependents(api: &ApiServer, owner: &str) -> Vec<(At, Arc<Stored>)> {
    let mut found = Vec::new();
    for (id, _) in api.registry.all() {
        for object in api.objects(id, None) {
            if owners(&object.value).any(|reference| text(reference, "/uid") == owner) {
                found.push((place(id, object), object.clone()));
            }
        }
    }
    found
}

/// The owner that a reference names, when it is there.
fn owner(api: &ApiServer, namespace: &str, reference: &Value) -> Option<Arc<Stored>> {
    let resource = api.resource_of(text(reference, "/apiVersion"), text(reference, "/kind"))?;
    let namespaced = api.resource(resource).ok()?.namespaced;
    let at = At {
        resource,
        namespace: if namespaced { namespace.to_owned() } else { String::new() },
        name: text(reference, "/name").to_owned(),
    };
    api.get(&at).filter(|found| uid(found) == text(reference, "/uid")).cloned()
}

fn state(api: &ApiServer, namespace: &str, reference: &Value) -> OwnerState {
    match owner(api, namespace, reference) {
        None => OwnerState::Absent,
        Some(owner)
            if views::is_deleting(&owner.value)
                && finalizers(&owner.value).any(|name| name == FOREGROUND_FINALIZER) =>
        {
            OwnerState::WaitsForDependents
        }
        Some(_) => OwnerState::Present,
    }
}

/// One look at an object that changed, its dependents and its owners.
pub(super) fn look(api: &mut ApiServer, at: &At) -> Option<Time> {
    let Some(object) = api.get(at).cloned() else {
        // It is gone: so are, perhaps, those whose last owner it was, and an owner may have waited for it.
        orphans_of_the_gone(api);
        return None;
    };
    let below = dependents(api, uid(&object));
    settle(api, at, &object, &below);
    if views::is_deleting(&object.value) {
        for (place, dependent) in &below {
            let theirs = dependents(api, uid(dependent));
            settle(api, place, dependent, &theirs);
        }
        finish_owners(api, &at.namespace, &object.value);
    }
    None
}

fn settle(api: &mut ApiServer, at: &At, object: &Arc<Stored>, below: &[(At, Arc<Stored>)]) {
    let own = uid(object);
    let blocks = |dependent: &Value| {
        owners(dependent).any(|reference| {
            text(reference, "/uid") == own && reference.get("blockOwnerDeletion") == Some(&Value::Bool(true))
        })
    };
    let node = Node {
        owners: owners(&object.value).map(|reference| state(api, &at.namespace, reference)).collect(),
        deleting: views::is_deleting(&object.value),
        foreground: finalizers(&object.value).any(|name| name == FOREGROUND_FINALIZER),
        orphan: finalizers(&object.value).any(|name| name == ORPHAN_FINALIZER),
        dependents: below.len(),
        blocking_dependents: below.iter().filter(|(_, dependent)| blocks(&dependent.value)).count(),
        dependent_waits: below.iter().any(|(_, dependent)| {
            views::is_deleting(&dependent.value)
                && finalizers(&dependent.value).any(|name| name == FOREGROUND_FINALIZER)
        }),
    };
    let delete = |api: &mut ApiServer, propagation| {
        let how =
            Deletion { propagation: Some(propagation), uid: Some(own.to_owned()), ..Deletion::default() };
        let _ = api.delete(at, &how);
    };
    match judge(&node) {
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

/// After something has gone: whoever has owners that are not there, and whoever waited for dependents.
fn orphans_of_the_gone(api: &mut ApiServer) {
    let mut open = Vec::new();
    for (id, _) in api.registry.all() {
        for object in api.objects(id, None) {
            let waits = finalizers(&object.value)
                .any(|name| name == FOREGROUND_FINALIZER || name == ORPHAN_FINALIZER);
            if waits || owners(&object.value).next().is_some() {
                open.push((place(id, object), object.clone()));
            }
        }
    }
    for (at, object) in open {
        let bereft = owners(&object.value)
            .any(|reference| state(api, &at.namespace, reference) != OwnerState::Present);
        if bereft || views::is_deleting(&object.value) {
            let below = dependents(api, uid(&object));
            settle(api, &at, &object, &below);
        }
    }
}

fn finish_owners(api: &mut ApiServer, namespace: &str, object: &Value) {
    let waiting: Vec<Arc<Stored>> =
        owners(object).filter_map(|reference| owner(api, namespace, reference)).collect();
    for owner in waiting.into_iter().filter(|owner| views::is_deleting(&owner.value)) {
        let kind = api.resource_of(text(&owner.value, "/apiVersion"), text(&owner.value, "/kind"));
        if let Some(kind) = kind {
            let below = dependents(api, uid(&owner));
            settle(api, &place(kind, &owner), &owner, &below);
        }
    }
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
