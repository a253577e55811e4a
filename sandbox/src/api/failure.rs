//! Refusals, as the API server words them.

use serde_json::{Value, json};

/// Why a request is refused: the content of a `Status`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// HTTP status.
    pub code: u16,
    /// Machine-readable reason, such as `NotFound`.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// `details` of the `Status`.
    pub details: Option<Value>,
}

pub(crate) use crate::schema::Cause;

/// Resource and group as in details: `deployments` and `apps`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Of<'a> {
    pub(crate) group: &'a str,
    pub(crate) plural: &'a str,
    pub(crate) kind: &'a str,
}

impl Of<'_> {
    /// `deployments.apps`, or `pods` in the core group.
    fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    fn details(&self, name: &str) -> Value {
        let mut details = json!({"name": name, "kind": self.plural});
        if let (false, Some(map)) = (self.group.is_empty(), details.as_object_mut()) {
            map.insert("group".to_owned(), self.group.into());
        }
        details
    }
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, details: None }
    }

    fn about(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message.into())
    }

    pub(crate) fn not_found(of: Of<'_>, name: &str) -> Self {
        let message = format!("{} {name:?} not found", of.qualified());
        Self::new(404, "NotFound", message).about(of.details(name))
    }

    /// For addresses that nothing is served at.
    pub(crate) fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource".to_owned())
            .about(json!({}))
    }

    pub(crate) fn exists(of: Of<'_>, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", of.qualified());
        Self::new(409, "AlreadyExists", message).about(of.details(name))
    }

    pub(crate) fn conflict(of: Of<'_>, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", of.qualified());
        Self::new(409, "Conflict", message).about(of.details(name))
    }

    /// The object has changed since it was read.
    pub(crate) fn stale(of: Of<'_>, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(of, name, why)
    }

    pub(crate) fn forbidden(of: Of<'_>, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is forbidden: {why}", of.qualified());
        Self::new(403, "Forbidden", message).about(of.details(name))
    }

    /// An object with faults.
    pub(crate) fn invalid(of: Of<'_>, name: &str, causes: &[Cause]) -> Self {
        let lines: Vec<String> =
            causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        let list = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let kind = if of.group.is_empty() { of.kind.to_owned() } else { format!("{}.{}", of.kind, of.group) };
        let causes: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        let mut details = of.details(name);
        if let Some(map) = details.as_object_mut() {
            map.insert("kind".to_owned(), of.kind.into());
            map.insert("causes".to_owned(), causes.into());
        }
        Self::new(422, "Invalid", format!("{kind} {name:?} is invalid: {list}")).about(details)
    }

    /// A body in a format that this resource does not take.
    pub(crate) fn media_type(given: &str, known: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {known}"
        );
        let _ = given;
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// No form that the client takes is one that this server has.
    pub(crate) fn not_acceptable() -> Self {
        let known = "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor, application/json;as=Table";
        let message = format!("only the following media types are accepted: {known}");
        Self::new(406, "NotAcceptable", message)
    }

    pub(crate) fn method() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource".to_owned(),
        )
        .about(json!({}))
    }

    /// The change that a watch should begin at is forgotten.
    pub(crate) fn expired(revision: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {revision} ({oldest})"))
    }

    /// The pages of a list cannot be read on.
    pub(crate) fn page_expired() -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You can \
                       start a new list without the continue parameter.";
        Self::new(410, "Expired", message.to_owned())
    }

    /// A budget does not allow the eviction now.
    pub(crate) fn disruption(message: String, budget: &str, needs: &str) -> Self {
        let cause = json!({"reason": "DisruptionBudget", "message": format!("The disruption budget {budget} {needs}")});
        Self::new(429, "TooManyRequests", message).about(json!({"causes": [cause]}))
    }

    /// What this cluster does not do.
    pub(crate) fn not_built(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the cluster in memory does not have {what}"))
    }

    /// As any other answer of the API server.
    pub fn other(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, reason, message.into())
    }

    /// The `Status` object.
    #[must_use]
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let (Some(details), Some(map)) = (&self.details, status.as_object_mut()) {
            map.insert("details".to_owned(), details.clone());
        }
        status
    }
}
