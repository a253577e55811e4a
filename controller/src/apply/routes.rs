//! A router's objects are edited: as little as the verbs that we have allow, and only while they are as they were seen.
//! `[traffic.write]`

use super::requests::Requests;
use super::status::difference;
use crate::FIELD_MANAGER;
use crate::cache::routes;
use kube::Api;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use planner::traffic::Intent;
use serde_json::{Value, json};
use traffic::{Edit, Objects, Problem, Services};

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
    let services = Services { canary: intent.canary.service.clone(), stable: intent.stable.service.clone() };
    let routers = traffic::routers(rollout, &services);
    let Some(router) = routers.iter().find(|router| router.name() == name) else { return Ok(()) };
    told.clear();
    let objects = applier.caches.routes.find(&router.references(), crds::Time::default()).objects;
    let edits = router.edit(&objects, intent).map_err(|problem| unfit(&problem))?;
    if edits.is_empty() {
        return confirm(requests, &objects).await;
    }
    for edit in edits {
        send(requests, objects.get(&edit.object), &edit).await?;
        told.extend(router.notice(&objects, &edit, intent));
    }
    Ok(())
}

/// Nothing is to change: the objects are to be as they were seen, which the server tells by their versions.
async fn confirm(requests: &Requests<'_>, objects: &Objects) -> kube::Result<()> {
    for (reference, object) in &objects.0 {
        let edit = Edit { object: reference.clone(), to: object.as_ref().clone() };
        send(requests, Some(object), &edit).await?;
    }
    Ok(())
}

/// An answer as if the server had refused: what is asked for cannot be said in these objects.
fn unfit(problem: &Problem) -> kube::Error {
    let status = kube::core::Status::failure(&problem.to_string(), "Invalid").with_code(UNPROCESSABLE);
    kube::Error::Api(Box::new(status))
}

async fn send(requests: &Requests<'_>, before: Option<&Value>, edit: &Edit) -> kube::Result<()> {
    let kind = edit.object.kind;
    let client = requests.applier.client.clone();
    let api: Api<DynamicObject> =
        Api::namespaced_with(client, &edit.object.namespace, &routes::resource(kind));
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
    requests.applier.caches.routes.wrote(kind, answer);
    Ok(())
}

fn whole(object: &Value) -> kube::Result<DynamicObject> {
    serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)
}
