//! A request as it is sent, and an answer as it came.

use super::PlayError;
use crate::answer::Answer;
use crate::case::{Body, Request};
use crate::fill::Scope;
use crate::pointer;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WARNING};
use serde_json::Value;
use std::collections::BTreeMap;

/// The request with its placeholders filled.
pub(super) fn build<E>(
    scope: &Scope,
    request: &Request,
    changes: &BTreeMap<String, Value>,
) -> Result<http::Request<Vec<u8>>, PlayError<E>> {
    let step = label(&request.method, &request.path);
    let path = scope.text(&absolute(&request.path));
    if path.contains('{') {
        return Err(PlayError::Unknown { step });
    }
    let body = match &request.body {
        Body::None => Vec::new(),
        Body::Text(text) => scope.text(text).into_bytes(),
        Body::Json(body) => {
            let mut body = scope.value(body);
            for (at, value) in changes {
                pointer::set(&mut body, at, scope.value(value));
            }
            // Some answers quote what was sent: it must not depend on how this was built.
            crate::json::canonical(&body).into_bytes()
        }
    };
    let mut built = http::Request::builder().method(request.method.as_str()).uri(&path);
    built = built.header(ACCEPT, request.accept.as_deref().unwrap_or("application/json"));
    if !body.is_empty() {
        built = built.header(CONTENT_TYPE, request.content_type.as_deref().unwrap_or("application/json"));
    }
    built.body(body).map_err(|source| PlayError::Request { step, source })
}

/// Puts an address that begins with its group and version below the namespace.
pub(super) fn absolute(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let (prefix, group, rest) = match path.strip_prefix("v1/") {
        Some(rest) => ("api", "v1".to_owned(), rest),
        None => {
            let mut parts = path.splitn(3, '/');
            let [group, version, rest] =
                [parts.next(), parts.next(), parts.next()].map(Option::unwrap_or_default);
            ("apis", format!("{group}/{version}"), rest)
        }
    };
    format!("/{prefix}/{group}/namespaces/{{ns}}/{rest}")
}

pub(super) fn label(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

/// What of an answer is not its body.
pub(super) fn head<B>(step: String, response: &http::Response<B>) -> Answer {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let content_type = response.headers().get(CONTENT_TYPE).map(text);
    Answer {
        step,
        code: response.status().as_u16(),
        content_type: content_type.filter(|content_type| content_type != "application/json"),
        warnings: response.headers().get_all(WARNING).iter().map(text).collect(),
        retry_after: response.headers().get(RETRY_AFTER).map(text),
        body: None,
        events: None,
    }
}

/// JSON, or text when it is none; `None` when there is nothing.
pub(super) fn parsed(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}
