//! From a request to an answer.

use super::delete::{Deleted, Deletion};
use super::failure::Failure;
use super::patching::Patch;
use super::registry::{ResourceId, ResourceType};
use super::request::{Form, Place, Query, Request};
use super::store::Stored;
use super::watch::Watch;
use super::write::Part;
use super::{ApiServer, At, kinds, text};
use crate::kubectl::protobuf;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
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
    fn value(code: u16, value: &Value) -> Self {
        Self::Json(code, value.to_string().into())
    }
}

/// One object in the form that was asked for.
pub(super) fn shaped_one(
    server: &ApiServer,
    kind: &ResourceType,
    object: &Arc<Stored>,
    form: Form,
    include: Option<&str>,
) -> Value {
    match form {
        Form::Object => object.value.clone(),
        Form::Metadata | Form::MetadataList => metadata_only(&object.value),
        Form::Table => {
            let metadata = json!({"resourceVersion": object.revision.to_string()});
            server.table(kind, std::slice::from_ref(object), &metadata, include)
        }
    }
}

pub(super) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.get("metadata").cloned().unwrap_or_default(),
    })
}

impl ApiServer {
    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Reply, Failure> {
        if let Some(reply) = self.answer_about_itself(request) {
            return Ok(reply);
        }
        let place = request.place.as_ref().ok_or_else(Failure::no_such_path)?;
        if let Some(reply) = Self::review(request, place)? {
            return Ok(reply);
        }
        let id = self.registry.find(&place.group, &place.version, &place.plural);
        let id = id.ok_or_else(Failure::no_such_path)?;
        let kind = self.resource(id)?;
        let namespace = place.namespace.as_deref();
        if !kind.namespaced && namespace.is_some() {
            return Err(Failure::no_such_path());
        }
        match (&place.name, place.subresource.as_deref()) {
            (None, _) => self.on_collection(request, id, &kind, namespace),
            (Some(name), subresource) => {
                if kind.namespaced && namespace.is_none() {
                    return Err(Failure::no_such_path());
                }
                let at = At {
                    resource: id,
                    namespace: namespace.unwrap_or_default().to_owned(),
                    name: name.clone(),
                };
                match subresource {
                    None => self.on_object(request, &kind, &at, Part::Main),
                    Some("status") if kind.status => self.on_object(request, &kind, &at, Part::Status),
                    Some("scale") if kind.scale.is_some() => self.on_scale(request, &kind, &at),
                    Some("eviction") if kind.is("", "Pod") && request.method == Method::POST => {
                        self.on_eviction(request, &at)
                    }
                    Some(
                        "log"
                        | "exec"
                        | "attach"
                        | "portforward"
                        | "proxy"
                        | "token"
                        | "ephemeralcontainers"
                        | "binding",
                    ) => Err(Failure::not_built(&format!(
                        "{}/{}",
                        kind.plural,
                        subresource.unwrap_or_default()
                    ))),
                    Some(_) => Err(Failure::no_such_path()),
                }
            }
        }
    }

    fn on_collection(
        &mut self,
        request: &Request,
        id: ResourceId,
        kind: &ResourceType,
        namespace: Option<&str>,
    ) -> Result<Reply, Failure> {
        match request.method {
            Method::GET if request.query.watch => {
                self.watch(id, namespace, request).map(|watch| Reply::Watch(Box::new(watch)))
            }
            Method::GET => self.list(request, id, kind, namespace),
            Method::POST => {
                if kind.namespaced && namespace.is_none() {
                    return Err(Failure::method());
                }
                let object = Self::body(request, kind)?;
                let made = self.create(id, namespace.unwrap_or_default(), object, request.query.dry_run)?;
                Ok(self.one(201, kind, &made, request))
            }
            Method::DELETE if !kind.namespaced || namespace.is_some() => {
                let how = Deletion::parse(&request.body, &request.query)?;
                let page = self.page(id, namespace, &Query { limit: None, ..request.query.clone() })?;
                for object in &page.objects {
                    let at = At {
                        resource: id,
                        namespace: text(&object.value, "/metadata/namespace").to_owned(),
                        name: text(&object.value, "/metadata/name").to_owned(),
                    };
                    self.delete(&at, &how)?;
                }
                let revision = self.store.revision();
                Ok(self.listed(kind, &page.objects, revision, None, request))
            }
            _ => Err(Failure::method()),
        }
    }

    fn list(
        &mut self,
        request: &Request,
        id: ResourceId,
        kind: &ResourceType,
        namespace: Option<&str>,
    ) -> Result<Reply, Failure> {
        let page = self.page(id, namespace, &request.query)?;
        let whole = request.query.selector.is_empty();
        Ok(self.listed(
            kind,
            &page.objects,
            page.revision,
            page.rest.map(|rest| (rest.0, rest.1, whole)),
            request,
        ))
    }

    fn listed(
        &self,
        kind: &ResourceType,
        objects: &[Arc<Stored>],
        revision: u64,
        rest: Option<(String, usize, bool)>,
        request: &Request,
    ) -> Reply {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let (Some((token, left, whole)), Some(map)) = (rest, metadata.as_object_mut()) {
            map.insert("continue".to_owned(), token.into());
            if whole {
                map.insert("remainingItemCount".to_owned(), left.into());
            }
        }
        match request.form {
            Form::Object => {
                // Joined from what each object has ready: a list is as cheap as its bytes.
                let head = json!({"kind": format!("{}List", kind.kind), "apiVersion": kind.api_version(), "metadata": metadata});
                let mut body = head.to_string();
                body.pop();
                let mut body = body.into_bytes();
                body.extend_from_slice(b",\"items\":[");
                for (index, object) in objects.iter().enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    body.extend_from_slice(object.json());
                }
                body.extend_from_slice(b"]}");
                Reply::Json(200, body.into())
            }
            Form::Metadata | Form::MetadataList => {
                let items: Vec<Value> = objects.iter().map(|object| metadata_only(&object.value)).collect();
                let list = json!({
                    "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata, "items": items,
                });
                Reply::value(200, &list)
            }
            Form::Table => {
                let include = request.query.include_object.as_deref();
                Reply::value(200, &self.table(kind, objects, &metadata, include))
            }
        }
    }

    fn on_object(
        &mut self,
        request: &Request,
        kind: &ResourceType,
        at: &At,
        part: Part,
    ) -> Result<Reply, Failure> {
        let dry_run = request.query.dry_run;
        match request.method {
            Method::GET if request.query.watch && part == Part::Main => {
                let mut only = request.clone();
                let fields = format!("metadata.name={}", at.name);
                only.query.selector = super::selector::Selector::parse(None, Some(&fields))?;
                let namespace = Some(at.namespace.as_str()).filter(|_| kind.namespaced);
                self.watch(at.resource, namespace, &only).map(|watch| Reply::Watch(Box::new(watch)))
            }
            Method::GET => {
                let found = self.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
                Ok(self.one(200, kind, &found, request))
            }
            Method::PUT => {
                let new = Self::body(request, kind)?;
                if text(&new, "/metadata/name").is_empty() {
                    return Err(Failure::bad_request("name must be provided"));
                }
                let changed = self.change(at, part, dry_run, |_| Ok(new))?;
                Ok(self.one(200, kind, &changed, request))
            }
            Method::PATCH => {
                let patch = Patch::parse(kind, &request.content_type, &request.body)?;
                let changed = self.change(at, part, dry_run, |old| {
                    patch.apply(old).map(|mut new| {
                        kinds::shape(kind, &mut new);
                        new
                    })
                })?;
                Ok(self.one(200, kind, &changed, request))
            }
            Method::DELETE if part == Part::Main => {
                let how = Deletion::parse(&request.body, &request.query)?;
                let graceful = kind.is("", "Pod");
                Ok(match self.delete(at, &how)? {
                    Deleted::Waits(object) => self.one(200, kind, &object, request),
                    Deleted::Gone(object) if graceful => self.one(200, kind, &object, request),
                    Deleted::Gone(object) => {
                        let mut details = json!({"name": at.name, "kind": kind.plural, "uid": text(&object.value, "/metadata/uid")});
                        if let (false, Some(map)) = (kind.group.is_empty(), details.as_object_mut()) {
                            map.insert("group".to_owned(), kind.group.clone().into());
                        }
                        Reply::value(
                            200,
                            &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
                        )
                    }
                })
            }
            _ => Err(Failure::method()),
        }
    }

    fn one(&self, code: u16, kind: &ResourceType, object: &Arc<Stored>, request: &Request) -> Reply {
        if request.form == Form::Object {
            return Reply::Json(code, object.json().clone());
        }
        let include = request.query.include_object.as_deref();
        Reply::value(code, &shaped_one(self, kind, object, request.form, include))
    }

    /// The object in a body, in the shape of its kind.
    fn body(request: &Request, kind: &ResourceType) -> Result<Value, Failure> {
        let mut object = read_object(request, &kind.kind)?;
        if !object.is_object() {
            return Err(Failure::bad_request("the object provided is unrecognized (must be of type object)"));
        }
        let unknown = kinds::shape(kind, &mut object);
        if request.query.validation.as_deref() == Some("Strict") && !unknown.is_empty() {
            return Err(Failure::bad_request(format!(
                "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
                kind.kind,
                kind.version,
                kind.kind,
                unknown.join(", ")
            )));
        }
        Ok(object)
    }

    /// Reviews of access: everyone may do everything here.
    fn review(request: &Request, place: &Place) -> Result<Option<Reply>, Failure> {
        if place.group != "authorization.k8s.io" || request.method != Method::POST {
            return Ok(None);
        }
        let mut review = read_object(request, "review")?;
        let status = match place.plural.as_str() {
            "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews" => {
                json!({"allowed": true, "reason": "the cluster in memory allows everything"})
            }
            "selfsubjectrulesreviews" => json!({
                "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                "incomplete": false,
            }),
            _ => return Ok(None),
        };
        if let Some(map) = review.as_object_mut() {
            map.insert("status".to_owned(), status);
        }
        Ok(Some(Reply::value(201, &review)))
    }
}

/// The object in a body, as JSON or as protobuf.
fn read_object(request: &Request, kind: &str) -> Result<Value, Failure> {
    match request.content_type.as_str() {
        "application/json" | "" => serde_json::from_slice(&request.body).map_err(|error| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): {error}"
            ))
        }),
        protobuf::CONTENT_TYPE => protobuf::decode(&request.body).map_err(|error| match error {
            protobuf::Error::UnknownKind { .. } => Failure::media_type(&request.content_type, BODIES),
            error => Failure::bad_request(error.to_string()),
        }),
        other => Err(Failure::media_type(other, BODIES)),
    }
}

/// Content types of bodies, as the server names them.
const BODIES: &str =
    "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor";
