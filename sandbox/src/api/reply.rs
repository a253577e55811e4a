//! Answers in the form that was asked for.

use super::failure::Failure;
use super::list::Page;
use super::registry::ResourceType;
use super::request::{Form, Request};
use super::store::Stored;
use super::watch::Watch;
use super::{ApiServer, text};
use crate::kubectl::protobuf;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// An answer.
pub(crate) enum Reply {
    /// A whole body.
    Json(u16, Bytes),
    /// A whole body of another content type.
    Other(&'static str, Bytes),
    /// A stream that goes on.
    Watch(Box<Watch>),
}

impl Reply {
    pub(super) fn value(code: u16, value: &Value) -> Self {
        Self::Json(code, value.to_string().into())
    }

    /// What a deletion is answered with when nothing is left to show.
    pub(super) fn deleted(kind: &ResourceType, object: &Value) -> Self {
        let parts = [
            ("name", text(object, "/metadata/name")),
            ("group", &kind.group),
            ("kind", &kind.plural),
            ("uid", text(object, "/metadata/uid")),
        ];
        let said = parts.into_iter().filter(|(_, text)| !text.is_empty());
        let details: Map<String, Value> = said.map(|(key, text)| (key.to_owned(), text.into())).collect();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Self::value(200, &status)
    }
}

/// An object's metadata alone.
pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

/// Why a built-in resource has none of the forms that a client takes.
fn no_form(accept: &str) -> Failure {
    let types = || accept.split(',').filter_map(|one| one.split(';').next()).map(str::trim);
    let plain = |form: &str| accept.split(',').any(|one| one.trim() == form);
    if plain("application/yaml") || plain(protobuf::CONTENT_TYPE) {
        return Failure::not_built("answers in YAML and protobuf");
    }
    // Media types that lead to no built-in resource are refused before it is looked at.
    let known = ["application/json", "application/yaml", protobuf::CONTENT_TYPE, "application/*", "*/*"];
    if types().any(|one| known.contains(&one)) {
        return Failure::not_acceptable();
    }
    Failure::not_acceptable_unrouted()
}

/// The form that the client takes of this resource.
///
/// # Errors
/// 406 when there is none.
pub(super) fn form(request: &Request, kind: &ResourceType, of_list: bool) -> Result<Form, Failure> {
    let form = match request.form {
        Some(form) => form,
        None if kind.custom.is_none() => return Err(no_form(&request.accept)),
        None => return Err(Failure::not_acceptable()),
    };
    let fits = match form {
        Form::Object | Form::Table => true,
        Form::Metadata => !of_list,
        Form::MetadataList => of_list,
    };
    if fits {
        return Ok(form);
    }
    let internal = match (kind.custom.is_some(), of_list) {
        (true, true) => "*unstructured.UnstructuredList".to_owned(),
        (true, false) => "*unstructured.Unstructured".to_owned(),
        (false, true) => format!("*core.{}List", kind.kind),
        (false, false) => format!("*core.{}", kind.kind),
    };
    Err(Failure::not_acceptable_as(if of_list {
        format!("you requested PartialObjectMetadata, but the requested object is a list ({internal})")
    } else {
        format!(
            "you requested PartialObjectMetadataList, but the requested object is not a list ({internal})"
        )
    }))
}

impl ApiServer {
    /// One object.
    pub(super) fn one(
        &self,
        code: u16,
        kind: &ResourceType,
        object: &Arc<Stored>,
        request: &Request,
    ) -> Result<Reply, Failure> {
        let form = form(request, kind, false)?;
        if form == Form::Object {
            return Ok(Reply::Json(code, object.json().clone()));
        }
        let include = request.query.include_object.as_deref();
        let shown = match form {
            Form::Table => {
                let metadata = json!({"resourceVersion": object.revision.to_string()});
                self.table(kind, std::slice::from_ref(object), &metadata, include)
            }
            _ => metadata_only(&object.value),
        };
        Ok(Reply::value(code, &shown))
    }

    /// A page of a list.
    pub(super) fn listed(
        &self,
        kind: &ResourceType,
        page: &Page,
        request: &Request,
    ) -> Result<Reply, Failure> {
        let form = form(request, kind, true)?;
        let mut metadata = Map::new();
        metadata.insert("resourceVersion".to_owned(), page.revision.to_string().into());
        if kind.custom.is_some() && form == Form::Object {
            metadata.insert("continue".to_owned(), String::new().into());
        }
        if let Some((token, left)) = &page.rest {
            metadata.insert("continue".to_owned(), token.clone().into());
            if request.query.selector.is_empty() {
                metadata.insert("remainingItemCount".to_owned(), (*left).into());
            }
        }
        let metadata = Value::Object(metadata);
        Ok(match form {
            Form::Object => Reply::Json(200, joined(kind, &page.objects, &metadata)),
            Form::Metadata | Form::MetadataList => {
                let items: Vec<Value> =
                    page.objects.iter().map(|object| metadata_only(&object.value)).collect();
                let list = json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items,
                });
                Reply::value(200, &list)
            }
            Form::Table => {
                let include = request.query.include_object.as_deref();
                Reply::value(200, &self.table(kind, &page.objects, &metadata, include))
            }
        })
    }
}

/// A list, joined from what each object has ready: it is as cheap as its bytes.
fn joined(kind: &ResourceType, objects: &[Arc<Stored>], metadata: &Value) -> Bytes {
    let head = json!({"kind": kind.info.list_kind(), "apiVersion": kind.api_version(), "metadata": metadata});
    let mut body = head.to_string();
    body.pop();
    let mut body = body.into_bytes();
    body.extend_from_slice(b",\"items\":[");
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        // Items of built-in kinds have no kind of their own in a list.
        body.extend_from_slice(if kind.custom.is_some() { object.json() } else { object.item_json() });
    }
    body.extend_from_slice(b"]}");
    body.into()
}
