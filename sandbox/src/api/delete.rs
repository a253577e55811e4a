//! Deleting objects: preconditions, finalizers, grace.

use super::failure::{Failure, Of};
use super::registry::ResourceType;
use super::store::Stored;
use super::{ApiServer, At, kinds, metadata, number, stamp, text};
use crate::Dig;
use serde_json::{Value, json};
use std::sync::Arc;

/// Finalizer of an object whose dependents go first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub(crate) const ORPHAN: &str = "orphan";
/// What is said when a Job is deleted by someone who does not think of its pods.
const JOB_WARNING: &str = "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
/// Grace of a pod that does not say its own.
const POD_GRACE_SECONDS: i64 = 30;

/// What becomes of the dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They go afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// The kind's default when unset.
    pub propagation: Option<Propagation>,
    /// Of pods; 0 ends one at once.
    pub grace_seconds: Option<i64>,
    /// The object must have this uid.
    pub uid: Option<String>,
    /// The object must be at this resource version.
    pub resource_version: Option<String>,
    /// Nothing happens.
    pub dry_run: bool,
}

impl Deletion {
    /// Reads `DeleteOptions`; what the query says comes after.
    pub(crate) fn parse(body: &[u8], query: &super::request::Query) -> Result<Self, Failure> {
        let options: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body)
                .map_err(|error| Failure::bad_request(super::body::json_fault(&error)))?
        };
        let named = query.propagation.as_deref().or_else(|| options.get("propagationPolicy")?.as_str());
        let refused = |reason: &'static str, message: String| {
            let field = "propagationPolicy".to_owned();
            Failure::invalid(
                Of::options("DeleteOptions"),
                "",
                &[super::failure::Cause { reason, field, message }],
            )
        };
        if let (Some(named), Some(_)) = (named, options.get("orphanDependents").and_then(Value::as_bool)) {
            let message = format!(
                "Invalid value: {named:?}: orphanDependents and deletionPropagation cannot be both set"
            );
            return Err(refused("FieldValueInvalid", message));
        }
        let propagation = match named {
            None | Some("") => match options.get("orphanDependents").and_then(Value::as_bool) {
                Some(true) => Some(Propagation::Orphan),
                Some(false) => Some(Propagation::Background),
                None => None,
            },
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some("Orphan") => Some(Propagation::Orphan),
            Some(other) => {
                let known = "\"Foreground\", \"Background\", \"Orphan\", \"nil\"";
                let message = format!("Unsupported value: {other:?}: supported values: {known}");
                return Err(refused("FieldValueNotSupported", message));
            }
        };
        let precondition = |pointer: &str| Some(text(&options, pointer).to_owned()).filter(|t| !t.is_empty());
        let dry = options.get("dryRun").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
        Ok(Self {
            propagation,
            grace_seconds: query.grace_seconds.or_else(|| number(&options, "/gracePeriodSeconds")),
            uid: precondition("/preconditions/uid"),
            resource_version: precondition("/preconditions/resourceVersion"),
            dry_run: query.dry_run || dry,
        })
    }
}

/// What came of a deletion.
#[derive(Clone, Debug)]
pub enum Deleted {
    /// The object is gone; it was this.
    Gone(Arc<Stored>),
    /// The object waits for its finalizers or its grace.
    Waits(Arc<Stored>),
}

impl ApiServer {
    /// Deletes an object, or begins to.
    ///
    /// # Errors
    /// When it is not there, or not the one that was meant.
    pub fn delete(&mut self, at: &At, how: &Deletion) -> Result<Deleted, Failure> {
        let kind = self.resource(at.resource)?;
        let old = self.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
        meant(&kind, &at.name, &old, how)?;
        if kind.is("batch", "Job") && how.propagation.is_none() {
            self.warnings.push(JOB_WARNING.to_owned());
        }
        let finalizers = finalizers_then(&kind, &old.value, how);
        let grace = kind.is("", "Pod").then(|| pod_grace(&old.value, how.grace_seconds));
        let waits = !finalizers.is_empty() || kinds::own_finalizers(&old.value).next().is_some();
        if !waits && grace.unwrap_or(0) == 0 {
            if how.dry_run {
                return Ok(Deleted::Gone(old));
            }
            let name = (at.namespace.clone(), at.name.clone());
            if grace.is_some() {
                // A pod that gets no time is marked all the same before it goes.
                let mut marked = old.value.clone();
                mark(&mut marked, self.now(), 0);
                if marked != old.value {
                    self.store.put(at.resource, name.clone(), marked);
                }
            }
            let gone = self.store.remove(at.resource, &name).unwrap_or(old);
            kinds::removed(self, &kind, &gone);
            return Ok(Deleted::Gone(gone));
        }
        let mut new = old.value.clone();
        metadata::set_finalizers(&mut new, finalizers);
        mark(&mut new, self.now(), grace.unwrap_or(0));
        if kind.is("", "Namespace") {
            if let Some(data) = metadata::of(&mut new) {
                data.remove("deletionGracePeriodSeconds");
            }
            if let Some(status) = new.get_mut("status").and_then(Value::as_object_mut) {
                status.insert("phase".to_owned(), json!("Terminating"));
            }
        }
        if how.dry_run || new == old.value {
            return Ok(Deleted::Waits(old));
        }
        let stored = self.store.put(at.resource, (at.namespace.clone(), at.name.clone()), new);
        kinds::changed(self, &kind, &stored);
        Ok(Deleted::Waits(stored))
    }
}

impl ApiServer {
    /// A namespace is empty: it goes, unless somebody else holds it.
    pub(crate) fn finish_namespace(&mut self, at: &At) {
        let (Some(old), Ok(kind)) = (self.get(at).cloned(), self.resource(at.resource)) else { return };
        let name = (at.namespace.clone(), at.name.clone());
        if metadata::finalizers(&old.value).is_empty() {
            let gone = self.store.remove(at.resource, &name);
            kinds::removed(self, &kind, gone.as_ref().unwrap_or(&old));
            return;
        }
        let mut new = old.value.clone();
        if let Some(map) = new.as_object_mut() {
            map.insert("spec".to_owned(), json!({}));
        }
        if new != old.value {
            self.store.put(at.resource, name, new);
        }
    }
}

/// Writes down that the object is being deleted; a shorter grace than before takes its place.
fn mark(object: &mut Value, now: crds::Time, grace: i64) {
    let before = object.at("/metadata/deletionTimestamp").is_some();
    let known = number(object, "/metadata/deletionGracePeriodSeconds");
    if before && known.is_none_or(|known| known <= grace) {
        return;
    }
    let generation = number(object, "/metadata/generation");
    if let Some(data) = metadata::of(object) {
        if let (Some(generation), false) = (generation, before) {
            data.insert("generation".to_owned(), (generation + 1).into());
        }
        data.insert("deletionTimestamp".to_owned(), stamp(now.plus_seconds(grace)));
        data.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
    }
}

/// The object must be the one that was meant.
fn meant(kind: &ResourceType, name: &str, old: &Stored, how: &Deletion) -> Result<(), Failure> {
    let of = Of { plural: &kind.kind, ..kind.of() };
    let own = text(&old.value, "/metadata/uid");
    if let Some(uid) = how.uid.as_deref().filter(|uid| *uid != own) {
        let why = format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({own}). The object might have been deleted and then recreated"
        );
        return Err(Failure::conflict(of, name, &why));
    }
    let own = text(&old.value, "/metadata/resourceVersion");
    if let Some(version) = how.resource_version.as_deref().filter(|version| *version != own) {
        let why = format!(
            "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({own}). The object might have been modified"
        );
        return Err(Failure::conflict(of, name, &why));
    }
    Ok(())
}

/// The finalizers that the object has once it is being deleted.
fn finalizers_then(kind: &ResourceType, old: &Value, how: &Deletion) -> Vec<String> {
    let mut finalizers = metadata::finalizers(old);
    let default = if kind.is("batch", "Job") { Propagation::Orphan } else { Propagation::Background };
    let asked = how.propagation;
    let kept = asked.is_none() && finalizers.iter().any(|name| name == FOREGROUND || name == ORPHAN);
    if !kept {
        finalizers.retain(|name| name != FOREGROUND && name != ORPHAN);
        match asked.unwrap_or(default) {
            Propagation::Background => {}
            Propagation::Foreground => finalizers.push(FOREGROUND.to_owned()),
            Propagation::Orphan => finalizers.push(ORPHAN.to_owned()),
        }
    }
    let own = kinds::DEFINITION_FINALIZER;
    let begins = old.at("/metadata/deletionTimestamp").is_none();
    if begins && kind.kind == "CustomResourceDefinition" && !finalizers.iter().any(|name| name == own) {
        finalizers.push(own.to_owned());
    }
    finalizers
}

/// Seconds until a pod goes. One that runs nowhere, or not any more, needs no time.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let idle = text(pod, "/spec/nodeName").is_empty()
        || matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if idle {
        return 0;
    }
    let own = number(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(POD_GRACE_SECONDS);
    asked.unwrap_or(own).max(0)
}
