//! Watches: what happens to objects of a resource after a revision, in order.

use super::failure::Failure;
use super::registry::ResourceId;
use super::request::{Form, Request};
use super::selector::Selector;
use super::store::{Change, Stored};
use super::{ApiServer, list, reply};
use bytes::Bytes;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

/// One line of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    pub(crate) event: &'static str,
    /// The revision of what it tells.
    pub(crate) revision: u64,
    pub(crate) json: Bytes,
}

impl Line {
    fn of(event: &'static str, revision: u64, object: &[u8]) -> Self {
        let mut json = Vec::with_capacity(object.len() + 40);
        json.extend_from_slice(b"{\"type\":\"");
        json.extend_from_slice(event.as_bytes());
        json.extend_from_slice(b"\",\"object\":");
        json.extend_from_slice(object);
        json.extend_from_slice(b"}\n");
        Self { event, revision, json: json.into() }
    }

    pub(crate) fn error(failure: &Failure) -> Self {
        Self::of("ERROR", 0, failure.status().to_string().as_bytes())
    }
}

/// What one client watches, and how far it was told.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) resource: ResourceId,
    namespace: Option<String>,
    selector: Selector,
    form: Form,
    include_object: Option<String>,
    /// Whether a line was shown: the first one of a table names the columns.
    begun: Cell<bool>,
    /// Everything up to here was told.
    pub(crate) told: u64,
    /// Objects of the beginning, and the bookmark after them.
    pub(crate) first: VecDeque<Line>,
    /// Whether the next bookmark says that the objects of the beginning were told.
    end_of_first: bool,
    pub(crate) bookmarks: bool,
    pub(crate) timeout_seconds: Option<u64>,
}

/// What there is to tell.
pub(crate) enum Told {
    Line(Line),
    /// Nothing until the resource changes.
    Nothing,
}

impl ApiServer {
    /// Begins a watch.
    pub(crate) fn watch(
        &mut self,
        resource: ResourceId,
        namespace: Option<&str>,
        request: &Request,
    ) -> Result<Watch, Failure> {
        let query = &request.query;
        let kind = self.resource(resource)?;
        let form = reply::form(request, &kind, false)?;
        list::options(query)?;
        list::selectable(&kind, query)?;
        let now = self.store.revision();
        let wanted = match query.resource_version.as_deref() {
            None => None,
            Some(text) => Some(text.parse::<u64>().map_err(|_| Failure::bad_version(text))?),
        };
        let mut watch = Watch {
            resource,
            namespace: namespace.map(str::to_owned),
            selector: query.selector.clone(),
            form,
            include_object: query.include_object.clone(),
            begun: Cell::new(false),
            told: wanted.unwrap_or(now),
            first: VecDeque::new(),
            end_of_first: false,
            bookmarks: query.bookmarks,
            timeout_seconds: query.timeout_seconds,
        };
        let streamed = query.initial_events == Some(true);
        if streamed || (query.initial_events.is_none() && matches!(wanted, None | Some(0))) {
            watch.told = now;
            let found: Vec<Arc<Stored>> = self
                .store
                .list(resource, watch.namespace.as_deref())
                .map(|(_, object)| object.clone())
                .filter(|object| watch.selector.is_empty() || watch.selector.matches(&object.value))
                .collect();
            for object in found {
                watch.first.push_back(self.line(&watch, "ADDED", &object));
            }
            watch.end_of_first = query.bookmarks;
            if streamed && query.bookmarks {
                let line = self.bookmark(&mut watch, now);
                watch.first.push_back(line);
            }
        }
        Ok(watch)
    }

    /// The next line of a watch.
    pub(crate) fn tell(&mut self, watch: &mut Watch) -> Told {
        if let Some(line) = watch.first.pop_front() {
            return Told::Line(line);
        }
        loop {
            let Some(mut later) = self.store.since(watch.resource, watch.told) else {
                let failure = Failure::expired(watch.told, self.store.revision());
                return Told::Line(Line::error(&failure));
            };
            let Some(change) = later.next().cloned() else { return Told::Nothing };
            drop(later);
            watch.told = change.revision;
            if let Some(event) = watch.event(&change) {
                let line = match change.before.as_ref().filter(|_| event == "DELETED" && !change.deleted) {
                    None => self.line(watch, event, &change.object),
                    // To those who select others it is gone, as it was when they last saw it.
                    Some(before) => {
                        let mut last = before.value.clone();
                        if let Some(metadata) = last.get_mut("metadata").and_then(Value::as_object_mut) {
                            metadata.insert("resourceVersion".to_owned(), change.revision.to_string().into());
                        }
                        let shown = self.shown(watch, &last);
                        Line::of(event, change.revision, shown.to_string().as_bytes())
                    }
                };
                return Told::Line(line);
            }
        }
    }

    fn line(&self, watch: &Watch, event: &'static str, object: &Arc<Stored>) -> Line {
        let plain = watch.form == Form::Object;
        if plain {
            return Line::of(event, object.revision, object.json());
        }
        let shown = self.shown(watch, &object.value);
        Line::of(event, object.revision, shown.to_string().as_bytes())
    }

    /// An object in the form that the watch asks for.
    fn shown(&self, watch: &Watch, object: &Value) -> Value {
        let first = !watch.begun.replace(true);
        match (watch.form, self.resource(watch.resource)) {
            (Form::Table, Ok(kind)) => self.table_line(&kind, object, watch.include_object.as_deref(), first),
            (Form::Metadata | Form::MetadataList, _) => reply::metadata_only(object),
            _ => object.clone(),
        }
    }

    /// A bookmark: everything up to a revision was told.
    pub(crate) fn bookmark(&self, watch: &mut Watch, revision: u64) -> Line {
        let kind = self.resource(watch.resource);
        let (version, name) = kind.map(|kind| (kind.api_version(), kind.kind.clone())).unwrap_or_default();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let (true, Some(map)) = (std::mem::take(&mut watch.end_of_first), metadata.as_object_mut()) {
            map.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let object: Value = json!({"apiVersion": version, "kind": name, "metadata": metadata});
        let shown = self.shown(watch, &object);
        Line::of("BOOKMARK", revision, shown.to_string().as_bytes())
    }
}

impl Watch {
    /// How a change looks to those who select only some objects.
    fn event(&self, change: &Change) -> Option<&'static str> {
        let near = |object: &Arc<Stored>| {
            let namespace = super::text(&object.value, "/metadata/namespace");
            self.namespace.as_ref().is_none_or(|own| own == namespace)
                && (self.selector.is_empty() || self.selector.matches(&object.value))
        };
        let before = change.before.as_ref().is_some_and(near);
        let now = !change.deleted && near(&change.object);
        match (before, now) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }
}
