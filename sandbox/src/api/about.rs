//! What the server tells of itself: discovery, health, tables.

use super::ApiServer;
use super::registry::ResourceType;
use super::request::Request;
use super::store::Stored;
use super::verbs::Reply;
use crate::kubectl::discovery;
use crate::kubectl::resources::Resource;
use http::Method;
use serde_json::{Value, json};
use std::sync::Arc;

impl ApiServer {
    /// Answers what is not about objects.
    pub(super) fn answer_about_itself(&self, request: &Request) -> Option<Reply> {
        if request.method != Method::GET || request.place.is_some() {
            return None;
        }
        if matches!(request.path.as_str(), "/healthz" | "/livez" | "/readyz") {
            return Some(Reply::Json(200, "ok".into()));
        }
        let resources: Vec<Resource> = self.registry.all().map(|(_, kind)| (*kind.info).clone()).collect();
        let answer = discovery::answer(&request.path, &request.accept, &resources)?;
        Some(Reply::Json(200, answer.body.to_string().into()))
    }

    /// Objects as `kubectl get` prints them.
    pub(super) fn table(&self, kind: &ResourceType, objects: &[Arc<Stored>], include: Option<&str>) -> Value {
        let _ = (kind, include);
        let rows: Vec<Value> = objects
            .iter()
            .map(|object| json!({"cells": [super::text(&object.value, "/metadata/name")], "object": {"metadata": object.value.get("metadata")}}))
            .collect();
        json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "columnDefinitions": [{"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0}], "rows": rows})
    }
}
