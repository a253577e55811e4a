//! Lists: of a moment, by selector, in pages.

use super::failure::Failure;
use super::registry::{ResourceId, ResourceType};
use super::request::Query;
use super::store::Stored;
use super::{ApiServer, text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One page of a list.
pub(crate) struct Page {
    pub(crate) revision: u64,
    pub(crate) objects: Vec<Arc<Stored>>,
    /// Token and number of what is left.
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
            let message = if kind.custom.is_some() {
                format!("field label not supported: {field}")
            } else {
                format!(
                    "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                )
            };
            let plain = known.is_empty() || kind.custom.is_some();
            return Err(Failure::bad_request(if plain {
                message
            } else {
                format!("field label not supported: {field}")
            }));
        }
    }
    Ok(())
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
        selectable(&kind, query)?;
        let now = self.store.revision();
        if let Some(wanted) = &query.resource_version {
            let wanted: u64 = wanted.parse().map_err(|_| bad_version(wanted))?;
            if wanted > now {
                return Err(Failure::other(
                    504,
                    "Timeout",
                    format!("Too large resource version: {wanted}, current: {now}"),
                ));
            }
        }
        let (revision, after) = match &query.page {
            None => (now, None),
            Some(token) => {
                let bad =
                    || Failure::bad_request("continue key is not valid: it was not made by this server");
                let (revision, namespace, name) = read_token(token).ok_or_else(bad)?;
                (revision, Some((namespace, name)))
            }
        };
        let all = self.at_revision(resource, revision)?;
        let mut chosen = all
            .into_iter()
            .filter(|((own, _), _)| namespace.is_none_or(|namespace| own == namespace))
            .filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
            .filter(|(_, object)| query.selector.is_empty() || query.selector.matches(&object.value))
            .map(|(_, object)| object);
        let limit = query.limit.unwrap_or(usize::MAX);
        let objects: Vec<Arc<Stored>> = chosen.by_ref().take(limit).collect();
        let left = chosen.count();
        let last = objects.last().filter(|_| left > 0);
        let rest = last.map(|last| {
            let (namespace, name) =
                (text(&last.value, "/metadata/namespace"), text(&last.value, "/metadata/name"));
            (token(revision, namespace, name), left)
        });
        Ok(Page { revision, objects, rest })
    }

    /// All objects of a resource as they were at a revision: later changes are taken back one by one.
    fn at_revision(
        &mut self,
        resource: ResourceId,
        revision: u64,
    ) -> Result<BTreeMap<(String, String), Arc<Stored>>, Failure> {
        let mut objects: BTreeMap<_, _> =
            self.store.list(resource, None).map(|(name, object)| (name.clone(), object.clone())).collect();
        if revision >= self.store.revision() {
            return Ok(objects);
        }
        let later: Vec<_> =
            self.store.since(resource, revision).ok_or_else(Failure::page_expired)?.cloned().collect();
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

pub(super) fn bad_version(given: &str) -> Failure {
    Failure::bad_request(format!("Invalid value: {given:?}: resource version must be a decimal number"))
}

fn token(revision: u64, namespace: &str, name: &str) -> String {
    let plain = format!("{revision}/{namespace}/{name}");
    plain.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn read_token(token: &str) -> Option<(u64, String, String)> {
    let digits: Option<Vec<u8>> = token
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let plain = String::from_utf8(digits?).ok()?;
    let mut parts = plain.splitn(3, '/');
    let revision = parts.next()?.parse().ok()?;
    Some((revision, parts.next()?.to_owned(), parts.next()?.to_owned()))
}
