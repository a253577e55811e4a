//! Deleting objects: preconditions, finalizers, grace.

use super::failure::{Failure, Of};
use super::store::Stored;
use super::{ApiServer, At, kinds, metadata, number, stamp, text};
use serde_json::{Value, json};
use std::sync::Arc;

/// Finalizer of an object whose dependents go first.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub(crate) const ORPHAN: &str = "orphan";
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
            serde_json::from_slice(body).map_err(|error| {
                Failure::bad_request(format!("couldn't get version/kind; json parse error: {error}"))
            })?
        };
        let named = query.propagation.as_deref().or_else(|| options.get("propagationPolicy")?.as_str());
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
                let cause = super::failure::Cause {
                    reason: "FieldValueNotSupported",
                    field: "propagationPolicy".to_owned(),
                    message: format!(
                        "Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
                    ),
                };
                let of = Of { group: "meta.k8s.io", plural: "DeleteOptions", kind: "DeleteOptions" };
                return Err(Failure::invalid(of, "", &[cause]));
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
        let own = text(&old.value, "/metadata/uid");
        if let Some(uid) = how.uid.as_deref().filter(|uid| *uid != own) {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {own}");
            return Err(Failure::conflict(kind.of(), &at.name, &why));
        }
        let own = text(&old.value, "/metadata/resourceVersion");
        if let Some(version) = how.resource_version.as_deref().filter(|version| *version != own) {
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in object meta: {own}"
            );
            return Err(Failure::conflict(kind.of(), &at.name, &why));
        }
        let mut finalizers = metadata::finalizers(&old.value);
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
        if kind.is("", "Namespace") {
            // Its own controller empties it first.
            finalizers.push(kinds::NAMESPACE_FINALIZER.to_owned());
            finalizers.dedup();
        }
        let grace = if kind.is("", "Pod") { pod_grace(&old.value, how.grace_seconds) } else { 0 };
        if finalizers.is_empty() && grace == 0 {
            if !how.dry_run {
                let gone = self.store.remove(at.resource, &(at.namespace.clone(), at.name.clone()));
                kinds::removed(self, &kind, gone.as_ref().unwrap_or(&old));
            }
            return Ok(Deleted::Gone(old));
        }
        let mut new = old.value.clone();
        metadata::set_finalizers(&mut new, finalizers);
        mark(&mut new, self.now(), grace);
        if how.dry_run || new == old.value {
            return Ok(Deleted::Waits(old));
        }
        if kind.is("", "Namespace")
            && let Some(status) = new.get_mut("status").and_then(Value::as_object_mut)
        {
            status.insert("phase".to_owned(), json!("Terminating"));
        }
        let stored = self.store.put(at.resource, (at.namespace.clone(), at.name.clone()), new);
        kinds::changed(self, &kind, &stored);
        Ok(Deleted::Waits(stored))
    }
}

/// Writes down that the object is being deleted; a shorter grace than before takes its place.
fn mark(object: &mut Value, now: crds::Time, grace: i64) {
    let before = object.pointer("/metadata/deletionTimestamp").is_some();
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

/// A pod that runs nowhere, or not any more, needs no time.
fn pod_grace(pod: &Value, asked: Option<i64>) -> i64 {
    let idle = text(pod, "/spec/nodeName").is_empty()
        || matches!(text(pod, "/status/phase"), "Succeeded" | "Failed");
    if idle {
        return 0;
    }
    let own = number(pod, "/spec/terminationGracePeriodSeconds").unwrap_or(POD_GRACE_SECONDS);
    asked.unwrap_or(own).max(0)
}
