//! Refusals, as the API server words them.

use serde_json::{Map, Value, json};

/// Media types of whole bodies, as the server names them.
pub(super) const MEDIA_TYPES: &str =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// What Go says of text that is no unsigned number.
pub(super) fn not_unsigned(given: &str) -> String {
    format!("strconv.ParseUint: parsing {given:?}: invalid syntax")
}

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
    /// Whether it is answered as plain text: for addresses that no API is served at.
    pub plain: bool,
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
    /// The kind of options that some requests carry.
    pub(crate) fn options(kind: &str) -> Of<'_> {
        Of { group: "meta.k8s.io", plural: kind, kind }
    }

    /// `deployments.apps`, or `pods` in the core group.
    fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    fn details(&self, name: &str) -> Value {
        let parts = [("name", name), ("kind", self.plural), ("group", self.group)];
        let said = parts.into_iter().filter(|(_, text)| !text.is_empty());
        said.map(|(key, text)| (key.to_owned(), Value::from(text))).collect::<Map<_, _>>().into()
    }
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: String) -> Self {
        Self { code, reason, message, details: None, plain: false }
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

    /// For addresses below no API.
    pub(crate) fn no_such_page() -> Self {
        Self { plain: true, ..Self::new(404, "NotFound", "404 page not found\n".to_owned()) }
    }

    /// The server has no better answer than the text of its own error.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message.into())
    }

    /// What the parser of versions says of text that is no number.
    pub(crate) fn bad_version(given: &str) -> Self {
        Self::internal(format!("resourceVersion: Invalid value: {given:?}: {}", not_unsigned(given)))
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

    /// An object with faults. A fault that is found twice is a cause twice, and told once.
    pub(crate) fn invalid(of: Of<'_>, name: &str, causes: &[Cause]) -> Self {
        let kind = if of.group.is_empty() { of.kind.to_owned() } else { format!("{}.{}", of.kind, of.group) };
        let causes_json: Vec<Value> = causes
            .iter()
            .map(|cause| json!({"reason": cause.reason, "message": cause.message, "field": cause.field}))
            .collect();
        let mut details = of.details(name);
        if let Some(map) = details.as_object_mut() {
            map.insert("kind".to_owned(), of.kind.into());
            map.insert("causes".to_owned(), causes_json.into());
        }
        let list = crate::schema::summary(causes);
        Self::new(422, "Invalid", format!("{kind} {name:?} is invalid: {list}")).about(details)
    }

    /// The server could not make sense of a request that is well-formed.
    pub(crate) fn unprocessable(message: String) -> Self {
        Self::new(422, "Invalid", message).about(json!({}))
    }

    /// A body in a format that this resource does not take.
    pub(crate) fn media_type(known: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {known}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// A body in a format that is not even routed to a built-in resource.
    pub(crate) fn media_type_unrouted() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type".to_owned()).about(json!({}))
    }

    /// No form that the client takes is one that this server has.
    pub(crate) fn not_acceptable() -> Self {
        Self::not_acceptable_as(format!("only the following media types are accepted: {MEDIA_TYPES}"))
    }

    pub(crate) fn not_acceptable_as(message: String) -> Self {
        Self::new(406, "NotAcceptable", message)
    }

    /// A form that is not even routed to a built-in resource.
    pub(crate) fn not_acceptable_unrouted() -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {MEDIA_TYPES}");
        Self::not_acceptable_as(message).about(json!({}))
    }

    /// A verb that a subresource of a custom kind does not have.
    pub(crate) fn verb(of: Of<'_>, verb: &str) -> Self {
        let message = format!("{verb} is not supported on resources of kind {:?}", of.qualified());
        Self::new(405, "MethodNotAllowed", message).about(of.details(""))
    }

    /// The list or the watch wants a version that is not there yet.
    pub(crate) fn too_large_version(wanted: u64, now: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {wanted}, current: {now}");
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        Self::new(504, "Timeout", message).about(json!({"causes": [cause], "retryAfterSeconds": 1}))
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
            "status": "Failure", "message": self.message, "code": self.code,
        });
        if let Some(map) = status.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".to_owned(), self.reason.into());
            }
            if let Some(details) = &self.details {
                map.insert("details".to_owned(), details.clone());
            }
        }
        status
    }
}
