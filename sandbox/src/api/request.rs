//! From an HTTP request to what is asked for.

use super::failure::{Cause, Failure, Of};
use super::selector::Selector;
pub(crate) use crate::kubectl::tables::Form;

/// What an address names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// It is one of the old addresses of watches.
    pub(crate) watch: bool,
}

impl Place {
    /// The place that a path names, if it is one of resources.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let mut rest: Vec<&str> = parts.collect();
        // The addresses of watches before `watch=1`.
        let watch = rest.len() > 1 && rest.first() == Some(&"watch");
        if watch {
            rest.remove(0);
        }
        let (namespace, rest) = match rest.as_slice() {
            // `namespaces/x` and its own subresources name the namespace itself.
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => {
                (None, rest.as_slice())
            }
            ["namespaces", namespace, inner @ ..] => (Some((*namespace).to_owned()), inner),
            _ => (None, rest.as_slice()),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(name), None),
            [plural, name, subresource] => (plural, Some(name), Some(subresource)),
            _ => return None,
        };
        let owned = |text: &&str| (*text).to_owned();
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: owned(plural),
            namespace,
            name: name.map(owned),
            subresource: subresource.map(owned),
            watch,
        })
    }
}

/// What a query says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) selector: Selector,
    pub(crate) limit: Option<usize>,
    pub(crate) page: Option<String>,
    pub(crate) resource_version: Option<String>,
    pub(crate) version_match: Option<String>,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) dry_run: bool,
    /// What is wrong with the options of the request.
    pub(crate) faults: Vec<Cause>,
    pub(crate) validation: Validation,
    pub(crate) propagation: Option<String>,
    pub(crate) grace_seconds: Option<i64>,
    pub(crate) include_object: Option<String>,
    pub(crate) field_manager: Option<String>,
}

/// What happens to fields that are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Validation {
    /// They are dropped.
    Ignore,
    /// They are dropped and told.
    #[default]
    Warn,
    /// They are refused.
    Strict,
}

impl Validation {
    fn of(text: &str) -> Option<Self> {
        match text {
            "Ignore" => Some(Self::Ignore),
            "" | "Warn" => Some(Self::Warn),
            "Strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

fn unsupported(field: &str, value: &str, known: &str) -> Cause {
    Cause {
        reason: "FieldValueNotSupported",
        field: field.to_owned(),
        message: format!("Unsupported value: {value}: supported values: {known}"),
    }
}

fn flag(value: &str) -> bool {
    matches!(value, "true" | "1" | "True" | "")
}

impl Query {
    /// Reads a query string.
    pub(crate) fn parse(query: &str) -> Result<Self, Failure> {
        let mut parsed = Self::default();
        let (mut labels, mut fields) = (None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value);
            match key {
                "labelSelector" => labels = Some(value),
                "fieldSelector" => fields = Some(value),
                "limit" if !value.is_empty() => {
                    let limit: i64 = value.parse().map_err(|_| {
                        Failure::bad_request(format!("strconv.ParseInt: parsing {value:?}: invalid syntax"))
                    })?;
                    parsed.limit = usize::try_from(limit).ok().filter(|limit| *limit > 0);
                }
                "continue" => parsed.page = Some(value).filter(|page| !page.is_empty()),
                "resourceVersion" => parsed.resource_version = Some(value).filter(|v| !v.is_empty()),
                "resourceVersionMatch" => parsed.version_match = Some(value).filter(|v| !v.is_empty()),
                "watch" => parsed.watch = flag(&value),
                "allowWatchBookmarks" => parsed.bookmarks = flag(&value),
                "sendInitialEvents" => parsed.initial_events = Some(flag(&value)),
                "timeoutSeconds" => parsed.timeout_seconds = value.parse().ok(),
                "dryRun" if value == "All" => parsed.dry_run = true,
                "dryRun" if !value.is_empty() => {
                    parsed.faults.push(unsupported("dryRun", &format!("[{value:?}]"), "\"All\""));
                }
                "fieldValidation" => match Validation::of(&value) {
                    Some(validation) => parsed.validation = validation,
                    None => {
                        let known = r#""", "Ignore", "Strict", "Warn""#;
                        parsed.faults.push(unsupported("fieldValidation", &format!("{value:?}"), known));
                    }
                },
                "propagationPolicy" => parsed.propagation = Some(value),
                "gracePeriodSeconds" => parsed.grace_seconds = value.parse().ok(),
                "includeObject" => parsed.include_object = Some(value),
                "fieldManager" => parsed.field_manager = Some(value).filter(|name| !name.is_empty()),
                _ => {}
            }
        }
        parsed.selector = Selector::parse(labels.as_deref(), fields.as_deref())?;
        Ok(parsed)
    }
}

/// Percent-decoding of one query value.
pub(crate) fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?')),
                    _ => bytes.push(b'%'),
                }
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A request, read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: http::Method,
    pub(crate) path: String,
    pub(crate) place: Option<Place>,
    pub(crate) query: Query,
    pub(crate) accept: String,
    /// `None` when no form that the client takes is served.
    pub(crate) form: Option<Form>,
    pub(crate) content_type: String,
    /// Who writes, as `managedFields` names it: what the query says, or the first word of the user agent.
    pub(crate) manager: String,
    pub(crate) body: bytes::Bytes,
}

impl Request {
    pub(crate) fn parse(parts: &http::request::Parts, body: bytes::Bytes) -> Result<Self, Failure> {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let accept = header(http::header::ACCEPT).to_owned();
        let content_type = header(http::header::CONTENT_TYPE);
        let place = Place::parse(parts.uri.path());
        let mut query = Query::parse(parts.uri.query().unwrap_or_default())?;
        query.watch |= place.as_ref().is_some_and(|place| place.watch);
        if !query.faults.is_empty() {
            let options = match parts.method {
                http::Method::POST => "CreateOptions",
                http::Method::PUT => "UpdateOptions",
                http::Method::DELETE => "DeleteOptions",
                _ => "PatchOptions",
            };
            return Err(Failure::invalid(Of::options(options), "", &query.faults));
        }
        let agent = header(http::header::USER_AGENT).split('/').next().unwrap_or_default();
        let manager = query.field_manager.clone().unwrap_or_else(|| agent.to_owned());
        Ok(Self {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            place,
            query,
            form: Form::of(&accept),
            accept,
            content_type: content_type.split(';').next().unwrap_or_default().trim().to_owned(),
            manager,
            body,
        })
    }
}
