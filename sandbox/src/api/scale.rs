//! The scale subresource, and evictions.

use super::delete::Deletion;
use super::failure::{Cause, Failure, Of};
use super::patching::Patch;
use super::registry::{ResourceType, Scale};
use super::reply::Reply;
use super::request::Request;
use super::store::Stored;
use super::write::Part;
use super::{ApiServer, At, text};
use crate::Dig;
use http::Method;
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn at_path<'v>(object: &'v Value, path: &str) -> Option<&'v Value> {
    path.trim_start_matches('.').split('.').try_fold(object, |value, key| value.get(key))
}

fn put_at_path(object: &mut Value, path: &str, new: Value) {
    let mut place = object;
    for key in path.trim_start_matches('.').split('.') {
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = new;
}

/// A label selector as text, as `status.selector` of a scale has it.
pub(crate) fn selector_text(selector: &Value) -> String {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let mut parts: Vec<String> = labels
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    for need in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = text(need, "/key");
        let values: Vec<&str> = need
            .get("values")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        parts.push(match text(need, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            _ => format!("!{key}"),
        });
    }
    parts.join(",")
}

fn scale_of(object: &Stored, paths: &Scale, custom: bool) -> Value {
    let value = &object.value;
    let metadata = value.get("metadata").and_then(Value::as_object);
    let kept: Map<String, Value> = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), metadata?.get(key)?.clone())))
        .collect();
    let size = |path: &str| at_path(value, path).and_then(Value::as_i64).unwrap_or(0);
    let selector = if custom {
        at_path(value, &paths.selector).and_then(Value::as_str).unwrap_or_default().to_owned()
    } else {
        value.at("/spec/selector").map(selector_text).unwrap_or_default()
    };
    let mut status = json!({"replicas": size(&paths.status)});
    if let (false, Some(map)) = (selector.is_empty(), status.as_object_mut()) {
        map.insert("selector".to_owned(), selector.into());
    }
    let mut spec = json!({});
    if let (true, Some(map)) = (size(&paths.spec) != 0, spec.as_object_mut()) {
        map.insert("replicas".to_owned(), size(&paths.spec).into());
    }
    json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": kept, "spec": spec, "status": status})
}

impl ApiServer {
    pub(super) fn on_scale(
        &mut self,
        request: &Request,
        kind: &ResourceType,
        at: &At,
    ) -> Result<Reply, Failure> {
        let Some(paths) = kind.scale.clone() else { return Err(Failure::no_such_path()) };
        let custom = kind.custom.is_some();
        let found = self.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
        let old = scale_of(&found, &paths, custom);
        let new = match request.method {
            Method::GET => return Ok(Reply::Json(200, old.to_string().into())),
            Method::PUT => serde_json::from_slice(&request.body)
                .map_err(|error| Failure::bad_request(format!("the scale cannot be read: {error}")))?,
            // A scale is always of a built-in type.
            Method::PATCH if request.content_type == "application/strategic-merge-patch+json" => {
                Patch::parse(kind, "application/merge-patch+json", &request.body)?.apply(&old)?
            }
            Method::PATCH => Patch::parse(kind, &request.content_type, &request.body)?.apply(&old)?,
            _ => return Err(Failure::method()),
        };
        let size = super::number(&new, "/spec/replicas").unwrap_or(0);
        if size < 0 && !custom {
            let cause = Cause {
                reason: "FieldValueInvalid",
                field: "spec.replicas".to_owned(),
                message: format!("Invalid value: {size}: must be greater than or equal to 0"),
            };
            let of = Of { group: "autoscaling", plural: "scales", kind: "Scale" };
            return Err(Failure::invalid(of, &at.name, &[cause]));
        }
        let version = text(&new, "/metadata/resourceVersion").to_owned();
        let changed: Arc<Stored> = self.change(at, Part::Main, request.query.dry_run, |object| {
            let mut object = object.clone();
            put_at_path(&mut object, &paths.spec, size.into());
            if !version.is_empty() {
                put_at_path(&mut object, "metadata.resourceVersion", version.into());
            }
            Ok(object)
        })?;
        Ok(Reply::Json(200, scale_of(&changed, &paths, custom).to_string().into()))
    }

    /// An eviction: a deletion that the budgets allow.
    pub(super) fn on_eviction(&mut self, request: &Request, at: &At) -> Result<Reply, Failure> {
        let eviction: Value = serde_json::from_slice(&request.body)
            .map_err(|error| Failure::bad_request(format!("the eviction cannot be read: {error}")))?;
        if text(&eviction, "/metadata/name") != at.name {
            return Err(Failure::bad_request("name in URL does not match name in Eviction object"));
        }
        let options = eviction.get("deleteOptions").cloned().unwrap_or_else(|| json!({}));
        let how = Deletion::parse(options.to_string().as_bytes(), &request.query)?;
        crate::builtin::eviction::allow(self, at, how.dry_run)?;
        self.delete(at, &how)?;
        let done =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
        Ok(Reply::Json(201, done.to_string().into()))
    }
}
