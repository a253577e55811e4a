//! Lists: of a moment, by selector, in pages.

use super::failure::{Cause, Failure, Of};
use super::registry::{ResourceId, ResourceType};
use super::request::Query;
use super::store::{Name, Stored};
use super::token::{self, Token};
use super::{ApiServer, text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One page of a list.
pub(crate) struct Page {
    pub(crate) revision: u64,
    pub(crate) objects: Vec<Arc<Stored>>,
    /// Token of the next page, and how many objects are left.
    pub(crate) rest: Option<(String, usize)>,
}

/// Fields that can be selected by, beside name and namespace.
const FIELDS: [(&str, &[&str]); 9] = [
    (
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("Secret", &["type"]),
    ("Service", &["spec.clusterIP", "spec.type"]),
    ("Namespace", &["status.phase"]),
    ("Node", &["spec.unschedulable"]),
    ("ReplicaSet", &["status.replicas"]),
    ("ReplicationController", &["status.replicas"]),
    ("Job", &["status.successful"]),
];

/// Whether every field of the selector is one that the resource can be selected by.
pub(super) fn selectable(kind: &ResourceType, query: &Query) -> Result<(), Failure> {
    let known = FIELDS.iter().find(|(name, _)| *name == kind.kind).map_or(&[][..], |(_, fields)| fields);
    for field in query.selector.fields() {
        let always = field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced);
        if !always && !known.contains(&field) {
            return Err(Failure::bad_request(format!("field label not supported: {field}")));
        }
    }
    Ok(())
}

fn forbidden(field: &str, why: &str) -> Cause {
    Cause { reason: "FieldValueForbidden", field: field.to_owned(), message: format!("Forbidden: {why}") }
}

fn unsupported(given: &str, known: &str) -> Cause {
    Cause {
        reason: "FieldValueNotSupported",
        field: "resourceVersionMatch".to_owned(),
        message: format!("Unsupported value: {given:?}: supported values: {known}"),
    }
}

/// Whether the options of a list or a watch fit together.
pub(super) fn options(query: &Query) -> Result<(), Failure> {
    let mut found = Vec::new();
    let field = "resourceVersionMatch";
    match (query.version_match.as_deref(), query.watch) {
        (given, true) if query.initial_events.is_some() => {
            if given != Some("NotOlderThan") {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                found.push(forbidden(field, why));
            }
            if let Some(other) = given.filter(|given| *given != "NotOlderThan") {
                found.push(unsupported(other, "\"NotOlderThan\""));
            }
        }
        (Some(_), true) => {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            found.push(forbidden(field, why));
        }
        (Some(given), false) => {
            if query.resource_version.is_none() {
                found.push(forbidden(
                    field,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ));
            }
            if query.page.is_some() {
                found.push(forbidden(field, "resourceVersionMatch is forbidden when continue is provided"));
            }
            if given != "Exact" && given != "NotOlderThan" {
                found.push(unsupported(given, r#""Exact", "NotOlderThan", """#));
            }
            if given == "Exact" && query.resource_version.as_deref() == Some("0") {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                found.push(forbidden(field, why));
            }
        }
        (None, _) => {}
    }
    if !query.watch && query.initial_events.is_some() {
        found.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(Of::options("ListOptions"), "", &found))
}

impl ApiServer {
    /// One page of the objects of a resource.
    pub(crate) fn page(
        &mut self,
        resource: ResourceId,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Page, Failure> {
        let kind = self.resource(resource)?;
        options(query)?;
        selectable(&kind, query)?;
        let now = self.store.revision();
        let wanted = match &query.resource_version {
            None => None,
            Some(text) => Some(text.parse::<u64>().map_err(|_| {
                let Failure { message, .. } = Failure::bad_version(text);
                Failure::bad_request(format!("invalid resource version: {message}"))
            })?),
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted > now) {
            return Err(Failure::too_large_version(wanted, now));
        }
        if query.page.is_some() && wanted.is_some_and(|wanted| wanted > 0) {
            return Err(Failure::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let exact = query.version_match.as_deref() == Some("Exact");
        let (revision, after) = match &query.page {
            None => (wanted.filter(|_| exact).unwrap_or(now), None),
            Some(text) => {
                let Token { revision, after } = token::read(text)?;
                (revision, Some(after))
            }
        };
        // A list that may be of any version comes from the cache, which has no pages.
        let limit = query.limit.filter(|_| wanted != Some(0)).unwrap_or(usize::MAX);
        if revision >= now {
            let all = self.store.list(resource, namespace);
            return Ok(page_of(all, query, revision, after.as_ref(), limit));
        }
        let all = self.at_revision(resource, revision, query.page.is_some())?;
        let here = all.iter().filter(|((own, _), _)| namespace.is_none_or(|namespace| own == namespace));
        Ok(page_of(here, query, revision, after.as_ref(), limit))
    }

    /// All objects of a resource as they were at a revision: later changes are taken back one by one.
    fn at_revision(
        &mut self,
        resource: ResourceId,
        revision: u64,
        of_pages: bool,
    ) -> Result<BTreeMap<Name, Arc<Stored>>, Failure> {
        let mut objects: BTreeMap<_, _> =
            self.store.list(resource, None).map(|(name, object)| (name.clone(), object.clone())).collect();
        let oldest = self.store.revision();
        let later: Vec<_> = match self.store.since(resource, revision) {
            Some(later) => later.cloned().collect(),
            None if of_pages => return Err(Failure::page_expired()),
            None => return Err(Failure::expired(revision, oldest)),
        };
        for change in later.into_iter().rev() {
            let value = &change.object.value;
            let name =
                (text(value, "/metadata/namespace").to_owned(), text(value, "/metadata/name").to_owned());
            match change.before {
                Some(before) => objects.insert(name, before),
                None => objects.remove(&name),
            };
        }
        Ok(objects)
    }
}

fn page_of<'s>(
    all: impl Iterator<Item = (&'s Name, &'s Arc<Stored>)>,
    query: &Query,
    revision: u64,
    after: Option<&Name>,
    limit: usize,
) -> Page {
    let mut chosen = all
        .filter(|(name, _)| after.is_none_or(|after| *name > after))
        .filter(|(_, object)| query.selector.is_empty() || query.selector.matches(&object.value));
    let mut objects = Vec::new();
    let mut last = None;
    for (name, object) in chosen.by_ref().take(limit) {
        last = Some(name);
        objects.push(object.clone());
    }
    let left = if limit == usize::MAX { 0 } else { chosen.count() };
    let rest = last.filter(|_| left > 0).map(|name| (token::write(revision, name), left));
    Page { revision, objects, rest }
}
