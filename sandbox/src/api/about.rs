//! What the server tells of itself: discovery, health, tables.

use super::ApiServer;
use super::registry::ResourceType;
use super::reply::Reply;
use super::request::Request;
use super::store::Stored;
use crate::kubectl::discovery;
use crate::kubectl::resources::Resource;
use crate::kubectl::tables::{self, IncludeObject};
use http::Method;
use serde_json::Value;
use std::sync::Arc;

impl ApiServer {
    /// Answers what is not about objects.
    pub(super) fn answer_about_itself(&self, request: &Request) -> Option<Reply> {
        if request.method != Method::GET || request.place.is_some() {
            return None;
        }
        if matches!(request.path.as_str(), "/healthz" | "/livez" | "/readyz") {
            return Some(Reply::Other("text/plain; charset=utf-8", "ok".into()));
        }
        let resources: Vec<Resource> = self.registry.all().map(|(_, kind)| (*kind.info).clone()).collect();
        let answer = discovery::answer(&request.path, &request.accept, &resources)?;
        Some(Reply::Other(answer.content_type, answer.body.to_string().into()))
    }

    /// Objects as `kubectl get` prints them.
    pub(super) fn table(
        &self,
        kind: &ResourceType,
        objects: &[Arc<Stored>],
        metadata: &Value,
        include: Option<&str>,
    ) -> Value {
        let values: Vec<&Value> = objects.iter().map(|object| &object.value).collect();
        tables::table(&kind.info, &values, metadata, self.now().0, included(include))
    }

    /// The object of a line of a watch as a table; the columns come with the first line only.
    pub(super) fn table_line(
        &self,
        kind: &ResourceType,
        object: &Value,
        include: Option<&str>,
        first: bool,
    ) -> Value {
        tables::event(&kind.info, object, self.now().0, included(include), first)
    }
}

/// How much of each object a table brings along.
fn included(include: Option<&str>) -> IncludeObject {
    include.and_then(IncludeObject::parse).unwrap_or(IncludeObject::Metadata)
}
