//! A router's objects are edited: as little as the verbs that we have allow, and only while they are as they were seen.
//! `[traffic.write]`

use super::Applier;
use super::requests::Requests;
use super::status::difference;
use crate::FIELD_MANAGER;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use planner::traffic::Intent;
use serde_json::{Value, json};
use traffic::{Edit, Objects, Problem, Reference};

/// The code of an object that the server does not take.
const UNPROCESSABLE: u16 = 422;

/// Edits the objects of one router until they show `intent`. What there is to tell of it goes into `told`.
pub(super) async fn carry_out(
    requests: &Requests<'_>,
    name: &str,
    intent: &Intent,
    told: &mut Vec<(&'static str, String)>,
) -> kube::Result<()> {
    let (applier, rollout) = (requests.applier, requests.rollout);
    let routes = &applier.caches.routes;
    let routers = routes.routers(rollout);
    let Some(router) = routers.iter().find(|router| router.name() == name) else { return Ok(()) };
    told.clear();
    let found = routes.find(&router.references(), &router.selections(), crds::Time::default());
    let objects = found.objects;
    let edits = router.edit(&objects, intent).map_err(|problem| unfit(&problem))?;
    if edits.is_empty() {
        return confirm(requests, &objects).await;
    }
    for edit in edits {
        send(applier, objects.get(&edit.object), &edit).await?;
        told.extend(router.notice(&objects, &edit, intent));
    }
    Ok(())
}

/// Nothing is to change: the objects are to be as they were seen, which the server tells by their versions.
async fn confirm(requests: &Requests<'_>, objects: &Objects) -> kube::Result<()> {
    for (reference, object) in &objects.0 {
        let edit = Edit { object: reference.clone(), to: object.as_ref().clone() };
        send(requests.applier, Some(object), &edit).await?;
    }
    Ok(())
}

/// Gives back the fields of a router's objects that the API server notes as ours, but of those whose fields are never as
/// they were. `[traffic.give-back]`
pub(super) async fn give_back(requests: &Requests<'_>, name: &str) -> kube::Result<()> {
    let routers = requests.applier.caches.routes.routers(requests.rollout);
    let Some(router) = routers.iter().find(|router| router.name() == name) else { return Ok(()) };
    for reference in router.references() {
        if traffic::rests_as_it_was(reference.kind) {
            hand_back(requests.applier, &reference).await?;
        }
    }
    Ok(())
}

/// Gives back the fields of one object. Where the API server refuses, they stay ours: nothing depends on it.
pub(crate) async fn hand_back(applier: &Applier, reference: &Reference) -> kube::Result<()> {
    let routes = &applier.caches.routes;
    let objects = routes.find(std::slice::from_ref(reference), &[], crds::Time::default()).objects;
    let (Some(notes), Some(object)) = (routes.notes_of_others(reference), objects.get(reference)) else {
        return Ok(());
    };
    let mut to = object.clone();
    if let Some(metadata) = to.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), notes.as_ref().clone());
    }
    let edit = Edit { object: reference.clone(), to };
    match send(applier, Some(object), &edit).await {
        Err(kube::Error::Api(status)) => {
            let (kind, name) = (reference.kind.kind, &reference.name);
            tracing::debug!(kind, name, error = status.message, "fields are not given back");
            Ok(())
        }
        sent => sent,
    }
}

/// An answer as if the server had refused: what is asked for cannot be said in these objects.
fn unfit(problem: &Problem) -> kube::Error {
    let status = kube::core::Status::failure(&problem.to_string(), "Invalid").with_code(UNPROCESSABLE);
    kube::Error::Api(Box::new(status))
}

/// Carries out one edit of an object that is as it was in `before`.
pub(crate) async fn send(applier: &Applier, before: Option<&Value>, edit: &Edit) -> kube::Result<()> {
    let kind = edit.object.kind;
    let api = applier.of_routes.api(kind, Some(&edit.object.namespace));
    let name = &edit.object.name;
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let answer = match before {
        None => api.create(&params, &whole(&edit.to)?).await?,
        Some(before) if kind.patchable => {
            let mut patch = difference(before, &edit.to).unwrap_or_else(|| json!({}));
            let version = before.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
            if let Some(patch) = patch.as_object_mut() {
                let metadata = patch.entry("metadata").or_insert_with(|| json!({}));
                if let Some(metadata) = metadata.as_object_mut() {
                    metadata.insert("resourceVersion".to_owned(), version);
                }
            }
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            api.patch(name, &params, &Patch::Merge(patch)).await?
        }
        // The raw object with its resource version: nothing that a newer kind has is lost.
        Some(_) => api.replace(name, &params, &whole(&edit.to)?).await?,
    };
    applier.caches.routes.wrote(kind, answer);
    Ok(())
}

fn whole(object: &Value) -> kube::Result<DynamicObject> {
    serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)
}
