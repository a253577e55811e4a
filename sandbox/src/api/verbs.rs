//! From a request to an answer.

use super::delete::{Deleted, Deletion};
use super::failure::Failure;
use super::list::Page;
use super::patching::Patch;
use super::registry::{ResourceId, ResourceType};
use super::reply::Reply;
use super::request::{Place, Query, Request};
use super::write::{Origin, Part};
use super::{ApiServer, At, body, failure, kinds, metadata, text};
use http::Method;
use serde_json::{Value, json};

/// Kinds of which a deletion is answered with the object.
const SHOWN_WHEN_DELETED: [&str; 7] = [
    "Pod",
    "Service",
    "ServiceAccount",
    "ResourceQuota",
    "PodTemplate",
    "PersistentVolume",
    "PersistentVolumeClaim",
];

impl ApiServer {
    /// Answers a request.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.manager.clone_from(&request.manager);
        let answer = self.answer_by(request);
        super::BY_HAND.clone_into(&mut self.manager);
        answer
    }

    fn answer_by(&mut self, request: &Request) -> Result<Reply, Failure> {
        self.warnings.clear();
        if let Some(reply) = self.answer_about_itself(request) {
            return Ok(reply);
        }
        let place = request.place.as_ref().ok_or_else(Failure::no_such_page)?;
        if let Some(reply) = Self::review(request, place)? {
            return Ok(reply);
        }
        let nowhere = || {
            let built_in = self.registry.has_built_in(&place.group, &place.version);
            if built_in { Failure::no_such_path() } else { Failure::no_such_page() }
        };
        let id = self.registry.find(&place.group, &place.version, &place.plural).ok_or_else(nowhere)?;
        let kind = self.registry.get(id).cloned().ok_or_else(nowhere)?;
        let namespace = place.namespace.as_deref();
        if !kind.namespaced && namespace.is_some() {
            return Err(nowhere());
        }
        if kind.is("", "Endpoints") {
            self.warnings.push(
                "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned(),
            );
        }
        if kind.is("events.k8s.io", "Event") {
            return self.on_event(request, place, namespace);
        }
        let Some(name) = &place.name else {
            return self.on_collection(request, id, &kind, namespace);
        };
        if kind.namespaced && namespace.is_none() {
            return Err(nowhere());
        }
        let at = At { resource: id, namespace: namespace.unwrap_or_default().to_owned(), name: name.clone() };
        self.on_name(request, place, &kind, &at)
    }

    /// Events are those of the core group, shown in another way. They are written there only.
    fn on_event(
        &mut self,
        request: &Request,
        place: &Place,
        namespace: Option<&str>,
    ) -> Result<Reply, Failure> {
        if request.method != Method::GET || request.query.watch {
            return Err(Failure::not_built(
                "writing and watching Events in events.k8s.io/v1; use those of v1",
            ));
        }
        let id = self.resource_of("v1", "Event").ok_or_else(Failure::no_such_path)?;
        let shown =
            |object: &std::sync::Arc<super::store::Stored>| kinds::event_of_its_own_group(&object.value);
        if let (Some(name), Some(namespace)) = (&place.name, namespace) {
            let of = failure::Of { group: &place.group, plural: &place.plural, kind: "Event" };
            let found = self.store.get(id, namespace, name).ok_or_else(|| Failure::not_found(of, name))?;
            return Ok(Reply::value(200, &shown(found)));
        }
        let page = self.page(id, namespace, &request.query)?;
        let items: Vec<Value> = page.objects.iter().map(shown).collect();
        let list = json!({
            "kind": "EventList", "apiVersion": "events.k8s.io/v1",
            "metadata": {"resourceVersion": page.revision.to_string()}, "items": items,
        });
        Ok(Reply::value(200, &list))
    }

    fn on_name(
        &mut self,
        request: &Request,
        place: &Place,
        kind: &ResourceType,
        at: &At,
    ) -> Result<Reply, Failure> {
        match place.subresource.as_deref() {
            None => self.on_object(request, kind, at, Part::Main),
            Some("status") if kind.status => self.on_object(request, kind, at, Part::Status),
            Some("scale") if kind.scale.is_some() => self.on_scale(request, kind, at),
            Some("eviction") if kind.is("", "Pod") => match request.method {
                Method::POST => self.on_eviction(request, at),
                _ => Err(Failure::method()),
            },
            // Discovery tells of all that a real server has.
            Some(sub) if kind.info.subresource(sub).is_some() => {
                Err(Failure::not_built(&format!("{}/{sub}", kind.plural)))
            }
            // A custom kind has the addresses of both subresources, and nothing behind them.
            Some("status" | "scale") if kind.custom.is_some() => Err(Failure::not_found(kind.of(), &at.name)),
            Some(_) => Err(Failure::no_such_path()),
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
            Method::GET => {
                let page = self.page(id, namespace, &request.query)?;
                self.listed(kind, &page, request)
            }
            Method::POST => {
                if (kind.namespaced && namespace.is_none()) || !kind.info.allows("create") {
                    return Err(Failure::method());
                }
                let object = self.body(request, kind)?;
                let made = self.insert(id, namespace.unwrap_or_default(), object, request.query.dry_run)?;
                self.one(201, kind, &made, request)
            }
            Method::DELETE if kind.info.allows("deletecollection") => {
                if kind.namespaced && namespace.is_none() {
                    return Err(Failure::method());
                }
                self.delete_all(request, id, kind, namespace)
            }
            Method::PUT | Method::PATCH if kind.custom.is_some() => {
                Err(Failure::bad_request("name must be provided"))
            }
            _ => Err(Failure::method()),
        }
    }

    fn delete_all(
        &mut self,
        request: &Request,
        id: ResourceId,
        kind: &ResourceType,
        namespace: Option<&str>,
    ) -> Result<Reply, Failure> {
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
        let page = Page { revision: self.store.revision(), rest: None, ..page };
        self.listed(kind, &page, request)
    }

    fn on_object(
        &mut self,
        request: &Request,
        kind: &ResourceType,
        at: &At,
        part: Part,
    ) -> Result<Reply, Failure> {
        match request.method {
            Method::GET if request.place.as_ref().is_some_and(|place| place.watch) => {
                let mut only = request.clone();
                let fields = format!("metadata.name={}", at.name);
                only.query.selector = super::selector::Selector::parse(None, Some(&fields))?;
                let namespace = Some(at.namespace.as_str()).filter(|_| kind.namespaced);
                self.watch(at.resource, namespace, &only).map(|watch| Reply::Watch(Box::new(watch)))
            }
            Method::GET => {
                if let Some(version) = &request.query.resource_version {
                    version.parse::<u64>().map_err(|_| Failure::bad_version(version))?;
                }
                let found = self.get(at).cloned().ok_or_else(|| Failure::not_found(kind.of(), &at.name))?;
                self.one(200, kind, &found, request)
            }
            Method::PUT => self.put(request, kind, at, part),
            Method::PATCH => self.patch(request, kind, at, part),
            Method::DELETE if part == Part::Main => {
                let how = Deletion::parse(&request.body, &request.query)?;
                match self.delete(at, &how)? {
                    Deleted::Gone(object) if !SHOWN_WHEN_DELETED.contains(&kind.kind.as_str()) => {
                        Ok(Reply::deleted(kind, &object.value))
                    }
                    Deleted::Waits(object) | Deleted::Gone(object) => self.one(200, kind, &object, request),
                }
            }
            Method::DELETE if kind.custom.is_some() => Err(Failure::verb(kind.of(), "delete")),
            Method::POST if kind.custom.is_some() => Err(Failure::verb(kind.of(), "create")),
            _ => Err(Failure::method()),
        }
    }

    fn put(&mut self, request: &Request, kind: &ResourceType, at: &At, part: Part) -> Result<Reply, Failure> {
        let new = self.body(request, kind)?;
        if text(&new, "/metadata/name").is_empty() {
            return Err(Failure::bad_request("name must be provided"));
        }
        metadata::fits(&new, &at.namespace, Some(&at.name))?;
        let version = text(&new, "/metadata/resourceVersion");
        if !version.is_empty() && version.parse::<u64>().is_err() {
            return Err(Failure::internal(failure::not_unsigned(version)));
        }
        let changed = self.change_by(at, part, request.query.dry_run, Origin::Whole, |_| Ok(new))?;
        self.one(200, kind, &changed, request)
    }

    fn patch(
        &mut self,
        request: &Request,
        kind: &ResourceType,
        at: &At,
        part: Part,
    ) -> Result<Reply, Failure> {
        let patch = Patch::parse(kind, &request.content_type, &request.body)?;
        let validation = request.query.validation;
        let mut warnings = Vec::new();
        let changed = self.change_by(at, part, request.query.dry_run, Origin::Patch, |old| {
            Self::patched(kind, validation, patch.apply(old)?, &mut warnings)
        });
        self.warnings.append(&mut warnings);
        self.one(200, kind, &changed?, request)
    }

    /// Reviews of access: everyone may do everything here.
    fn review(request: &Request, place: &Place) -> Result<Option<Reply>, Failure> {
        if place.group != "authorization.k8s.io" || request.method != Method::POST {
            return Ok(None);
        }
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
        let mut review: Value = body::read(request, "review")?;
        if let Some(map) = review.as_object_mut() {
            map.insert("status".to_owned(), status);
        }
        Ok(Some(Reply::value(201, &review)))
    }
}
