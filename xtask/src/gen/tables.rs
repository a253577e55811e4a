//! Whether the sandbox prints what a cluster has as its API server prints it, object by object.

use super::cluster::{JSON, Server, TABLE, list};
use chrono::{DateTime, TimeDelta, Utc};
use sandbox::kubectl::resources::{Resource, built_in};
use sandbox::kubectl::tables::{IncludeObject, table};
use serde_json::{Value, json};
use std::time::SystemTime;

/// How often a list is read again that changes while it is read.
const TRIES_MAX: usize = 5;

/// How many rows agree, and what differs, one line for each row.
pub(super) struct Compared {
    pub(super) same: usize,
    pub(super) different: Vec<String>,
}

/// Compares the rows of all resources, built-in and custom.
///
/// # Errors
/// When the server does not answer.
pub(super) async fn compare(server: &Server) -> anyhow::Result<Compared> {
    let definitions = server.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", JSON).await?;
    let custom: Vec<Resource> = list(&definitions, "items").iter().flat_map(Resource::of_crd).collect();
    let mut compared = Compared { same: 0, different: Vec::new() };
    // The server makes up component statuses at each request.
    let all = built_in()
        .iter()
        .chain(&custom)
        .filter(|own| own.allows("list") && own.plural != "componentstatuses");
    for resource in all {
        rows(server, resource, &mut compared).await?;
    }
    Ok(compared)
}

async fn rows(server: &Server, resource: &Resource, compared: &mut Compared) -> anyhow::Result<()> {
    let path = resource.path();
    for _ in 0..TRIES_MAX {
        let before = server.get(&path, JSON).await?;
        let shown = server.get(&path, TABLE).await?;
        let now = DateTime::<Utc>::from(SystemTime::now());
        let after = server.get(&path, JSON).await?;
        let objects = list(&before, "items");
        if objects != list(&after, "items") {
            continue;
        }
        for (object, row) in objects.iter().zip(list(&shown, "rows")) {
            let cells = |hundredths: i64| {
                let now = now - TimeDelta::milliseconds(10 * hundredths);
                let table = table(resource, &[object], &json!({}), now, IncludeObject::None);
                table.pointer("/rows/0/cells").cloned().unwrap_or_default()
            };
            let wanted = row.get("cells").unwrap_or(&Value::Null);
            // The server looked at its clock a moment earlier; some objects have several times in them.
            if (0..=100).any(|hundredths| cells(hundredths) == *wanted) {
                compared.same += 1;
            } else {
                compared.different.push(format!("{path}: the server has {wanted}, the sandbox {}", cells(0)));
            }
        }
        return Ok(());
    }
    compared.different.push(format!("{path}: changes at each of {TRIES_MAX} tries"));
    Ok(())
}
