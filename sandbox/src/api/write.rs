//! Creating and changing objects.

use super::failure::{Cause, Failure, Of};
use super::registry::ResourceType;
use super::store::Stored;
use super::{ApiServer, At, ResourceId, kinds, managers, metadata, names, stamp, text};
use crate::Dig;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which part of an object a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but what subresources own.
    Main,
    /// The status subresource.
    Status,
}

/// What a new content comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client sent the whole object.
    Whole,
    /// The object as it is, changed.
    Patch,
}

/// Kinds that are replaced only by those who name the version that they read. (All custom kinds are.)
const NEVER_UNCONDITIONAL: [&str; 3] = ["CustomResourceDefinition", "Lease", "PodDisruptionBudget"];

impl ApiServer {
    /// Creates an object and gives it.
    ///
    /// # Errors
    /// When it is not acceptable, or one of its name is there.
    pub fn create(
        &mut self,
        resource: ResourceId,
        namespace: &str,
        mut object: Value,
        dry_run: bool,
    ) -> Result<Arc<Stored>, Failure> {
        let kind = self.resource(resource)?;
        if kind.custom.is_some() {
            super::body::shape(&kind, &mut object).map_err(Failure::bad_request)?;
        }
        self.insert(resource, namespace, object, dry_run)
    }

    /// Creates an object that has the shape of its kind.
    pub(super) fn insert(
        &mut self,
        resource: ResourceId,
        namespace: &str,
        mut object: Value,
        dry_run: bool,
    ) -> Result<Arc<Stored>, Failure> {
        let kind = self.resource(resource)?;
        metadata::fits(&object, namespace, None)?;
        self.new_metadata(&kind, namespace, &mut object)?;
        let name = text(&object, "/metadata/name").to_owned();
        self.namespace_takes(&kind, namespace, &name)?;
        if let Some(there) = self.store.get(resource, namespace, &name) {
            let mut failure = Failure::exists(kind.of(), &name);
            if there.value.at("/metadata/deletionTimestamp").is_some() {
                failure.message = format!("object is being deleted: {}", failure.message);
            }
            return Err(failure);
        }
        kinds::prepare_new(self, &kind, &mut object);
        let mut causes = Vec::new();
        causes.extend(names::name_fault(&kind, &name));
        causes.extend(metadata::faults(&object, None, kind.custom.is_some()));
        causes.extend(kinds::faults(&kind, &object, None));
        if !causes.is_empty() {
            return Err(Failure::invalid(kind.of(), &name, &causes));
        }
        kinds::admit(self, &kind, &object)?;
        managers::note(&kind, Part::Main, &self.manager, self.now(), &mut object, None);
        if kind.custom.is_some() {
            self.warnings.extend(metadata::warnings(&object, None));
        }
        if dry_run {
            return Ok(Arc::new(Stored::unstored(object)));
        }
        let stored = self.store.put(resource, (namespace.to_owned(), name), object);
        kinds::created(self, &kind, &stored);
        // What follows from a new object may have changed it, as with definitions.
        let at = At {
            resource,
            namespace: namespace.to_owned(),
            name: text(&stored.value, "/metadata/name").to_owned(),
        };
        Ok(self.get(&at).cloned().unwrap_or(stored))
    }

    fn new_metadata(
        &mut self,
        kind: &ResourceType,
        namespace: &str,
        object: &mut Value,
    ) -> Result<(), Failure> {
        if !text(object, "/metadata/resourceVersion").is_empty() {
            return Err(Failure::internal("resourceVersion should not be set on objects to be created"));
        }
        let (uid, now, suffix) = (self.uid(), stamp(self.now()), self.suffix());
        let (version, own) = (kind.api_version(), kind.kind.clone());
        if let Some(map) = object.as_object_mut() {
            map.insert("apiVersion".to_owned(), version.into());
            map.insert("kind".to_owned(), own.into());
        }
        let generated = text(object, "/metadata/generateName").to_owned();
        let Some(data) = metadata::of(object) else {
            return Err(Failure::bad_request("the object provided is unrecognized (must be of type object)"));
        };
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
            data.remove(key);
        }
        metadata::clean(data);
        if !data.contains_key("name") && !generated.is_empty() {
            data.insert("name".to_owned(), format!("{generated}{suffix}").into());
        }
        if !data.contains_key("name") {
            let cause = Cause {
                reason: "FieldValueRequired",
                field: "metadata.name".to_owned(),
                message: "Required value: name or generateName is required".to_owned(),
            };
            return Err(Failure::invalid(kind.of(), "", &[cause]));
        }
        data.insert("uid".to_owned(), uid.into());
        data.insert("creationTimestamp".to_owned(), now);
        metadata::set(data, "namespace", kind.namespaced.then(|| namespace.into()));
        if kind.generation {
            metadata::set(data, "generation", Some(1.into()));
        }
        Ok(())
    }

    /// Whether the namespace is there and not on its way out.
    fn namespace_takes(&self, kind: &ResourceType, namespace: &str, name: &str) -> Result<(), Failure> {
        if !kind.namespaced {
            return Ok(());
        }
        let Some(id) = self.registry.find("", "v1", "namespaces") else { return Ok(()) };
        let Some(found) = self.store.get(id, "", namespace) else {
            let of = super::failure::Of { group: "", plural: "namespaces", kind: "Namespace" };
            return Err(Failure::not_found(of, namespace));
        };
        if found.value.at("/metadata/deletionTimestamp").is_some() {
            let why = format!(
                "unable to create new content in namespace {namespace} because it is being terminated"
            );
            let mut failure = Failure::forbidden(kind.of(), name, &why);
            if let Some(details) = failure.details.as_mut().and_then(Value::as_object_mut) {
                let message = format!("namespace {namespace} is being terminated");
                let cause = serde_json::json!(
                    {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
                );
                details.insert("causes".to_owned(), vec![cause].into());
            }
            return Err(failure);
        }
        Ok(())
    }

    /// Changes an object to what `make` makes of it, and gives it; one that only waited for its last finalizer goes.
    ///
    /// # Errors
    /// When it is not there, not what the change was made for, or not acceptable.
    pub fn change(
        &mut self,
        at: &At,
        part: Part,
        dry_run: bool,
        make: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Arc<Stored>, Failure> {
        self.change_by(at, part, dry_run, Origin::Patch, make)
    }

    /// As [`Self::change`], with what the new content comes from.
    pub(super) fn change_by(
        &mut self,
        at: &At,
        part: Part,
        dry_run: bool,
        origin: Origin,
        make: impl FnOnce(&Value) -> Result<Value, Failure>,
    ) -> Result<Arc<Stored>, Failure> {
        let kind = self.resource(at.resource)?;
        let old = self.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
        let mut new = make(&old.value)?;
        metadata::fits(&new, &at.namespace, Some(&at.name))?;
        preconditions(&kind, at, origin, &new, &old)?;
        let mut causes =
            metadata::change_faults(&new, &old.value, kind.custom.is_some(), origin == Origin::Patch);
        let notes = managers::said(part, &new);
        metadata::keep(&mut new, &old.value);
        managers::keep(&mut new, &old.value, notes.as_deref());
        if let Some(map) = new.as_object_mut() {
            map.insert("apiVersion".to_owned(), kind.api_version().into());
            map.insert("kind".to_owned(), kind.kind.clone().into());
        }
        divide(&kind, part, &mut new, &old.value);
        kinds::prepare_change(&kind, part, &mut new, &old.value);
        let found = kinds::faults(&kind, &new, Some(&old.value));
        causes.extend(
            found.into_iter().map(|cause| if part == Part::Status { within_status(cause) } else { cause }),
        );
        if !causes.is_empty() {
            return Err(Failure::invalid(kind.of(), &at.name, &causes));
        }
        if kind.custom.is_some() {
            self.warnings.extend(metadata::warnings(&new, Some(&old.value)));
        }
        count(&kind, &mut new, &old.value);
        if new == old.value && !goes(&new) {
            return Ok(old);
        }
        managers::note(&kind, part, &self.manager, self.now(), &mut new, Some(&old.value));
        if dry_run {
            return Ok(Arc::new(Stored::unstored(new)));
        }
        let name = (at.namespace.clone(), at.name.clone());
        if goes(&new) {
            if let Some(gone) = self.store.remove(at.resource, &name) {
                kinds::removed(self, &kind, &gone);
            }
            return Ok(Arc::new(Stored::unstored(new)));
        }
        let stored = self.store.put(at.resource, name, new);
        kinds::changed(self, &kind, &stored);
        Ok(self.get(at).cloned().unwrap_or(stored))
    }
}

/// The status alone is judged by its own schema, which does not know where it stands.
fn within_status(mut cause: Cause) -> Cause {
    if let Some(inner) = cause.field.strip_prefix("status.") {
        cause.message =
            cause.message.replacen(&format!("{} in body", cause.field), &format!("{inner} in body"), 1);
    }
    cause
}

/// Whether an object that is being deleted has nothing left to wait for.
fn goes(object: &Value) -> bool {
    let grace = super::number(object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
    object.at("/metadata/deletionTimestamp").is_some()
        && metadata::finalizers(object).is_empty()
        && kinds::own_finalizers(object).next().is_none()
        && grace == 0
}

/// Uid and resource version that the new object names must be those of the old one.
fn preconditions(
    kind: &ResourceType,
    at: &At,
    origin: Origin,
    new: &Value,
    old: &Stored,
) -> Result<(), Failure> {
    let (uid, own) = (text(new, "/metadata/uid"), text(&old.value, "/metadata/uid"));
    if origin == Origin::Whole && !uid.is_empty() && uid != own {
        let group = if kind.custom.is_some() { format!("{}/", kind.group) } else { String::new() };
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{group}{}/{}/{}, ResourceVersion: 0, \
             AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {own}",
            kind.plural, at.namespace, at.name
        );
        return Err(Failure::conflict(kind.of(), &at.name, &why));
    }
    let version = text(new, "/metadata/resourceVersion");
    if matches!(version, "" | "0") {
        let needed = kind.custom.is_some() || NEVER_UNCONDITIONAL.contains(&kind.kind.as_str());
        if origin == Origin::Patch || !needed {
            return Ok(());
        }
        let cause = Cause {
            reason: "FieldValueInvalid",
            field: "metadata.resourceVersion".to_owned(),
            message: "Invalid value: 0: must be specified for an update".to_owned(),
        };
        let of = Of { kind: &kind.plural, ..kind.of() };
        return Err(Failure::invalid(of, &at.name, &[cause]));
    }
    if version != text(&old.value, "/metadata/resourceVersion") {
        return Err(Failure::stale(kind.of(), &at.name));
    }
    Ok(())
}

/// Gives the new object the parts that this request does not write.
fn divide(kind: &ResourceType, part: Part, new: &mut Value, old: &Value) {
    let status = |object: &Value| object.get("status").cloned();
    match part {
        Part::Main if kind.status => {
            if let Some(map) = new.as_object_mut() {
                metadata::set(map, "status", status(old));
            }
        }
        Part::Main => {}
        Part::Status => {
            let said = status(new);
            // Built-in kinds take labels and annotations with the status, custom ones do not.
            let said_metadata = kind.custom.is_none().then(|| new.get("metadata").cloned()).flatten();
            *new = old.clone();
            if let Some(map) = new.as_object_mut() {
                metadata::set(map, "status", said);
                if let Some(said) = said_metadata {
                    map.insert("metadata".to_owned(), said);
                }
            }
        }
    }
}

/// Counts the change when it is one of what is wanted.
fn count(kind: &ResourceType, new: &mut Value, old: &Value) {
    if !kind.generation {
        return;
    }
    let wanted = |key: &str| key != "metadata" && (key != "status" || !kind.status);
    let (Some(now), Some(before)) = (new.as_object(), old.as_object()) else { return };
    // Of built-in kinds only the spec is wanted; of custom ones all but metadata and status.
    let same = if kind.custom.is_none() && now.contains_key("spec") {
        now.get("spec") == before.get("spec")
    } else {
        // Their order says nothing.
        let count = |object: &Map<String, Value>| object.keys().filter(|key| wanted(key)).count();
        let mut fields = now.iter().filter(|(key, _)| wanted(key));
        count(now) == count(before) && fields.all(|(key, value)| before.get(key) == Some(value))
    };
    let generation = super::number(old, "/metadata/generation").unwrap_or(0);
    if let (false, Some(data)) = (same, metadata::of(new)) {
        data.insert("generation".to_owned(), (generation + 1).into());
    }
}
