//! What a real API server says about itself, kept for the sandbox: which resources exist and how they are
//! printed, the schemas of their kinds, and its version. See `sandbox/data/README.md`.

use super::{messages, tables};
use anyhow::{Context, bail};
use e2e::{Cluster, stage};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The API groups that the sandbox has, each with the one version that it serves.
const KEPT: [(&str, &str); 13] = [
    ("", "v1"),
    ("apps", "v1"),
    ("events.k8s.io", "v1"),
    ("authentication.k8s.io", "v1"),
    ("authorization.k8s.io", "v1"),
    ("autoscaling", "v2"),
    ("batch", "v1"),
    ("networking.k8s.io", "v1"),
    ("policy", "v1"),
    ("rbac.authorization.k8s.io", "v1"),
    ("apiextensions.k8s.io", "v1"),
    ("coordination.k8s.io", "v1"),
    ("discovery.k8s.io", "v1"),
];

const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
pub(super) const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";
pub(super) const JSON: &str = "application/json";

/// Each file's name under `sandbox/data`, and its text. Tells too how the sandbox's tables of the cluster's objects
/// compare with the server's.
///
/// # Errors
/// When the cluster is not there, answers something else than an API server does, or, with `check`, has objects
/// that the sandbox prints otherwise.
pub(super) fn files(run_id: &str, check: bool) -> anyhow::Result<Vec<(&'static str, String)>> {
    let cluster = Cluster::of(run_id, &std::env::current_exe()?)?;
    let kubeconfig = cluster.outer_kubeconfig();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let client = stage::connect(&kubeconfig).await.with_context(|| {
            format!(
                "no cluster behind {}: start it by `cargo xtask e2e --run-id {run_id} up`",
                kubeconfig.display()
            )
        })?;
        let server = Server { client };
        let version = server.get("/version", JSON).await?;
        let resources = server.resources().await?;
        let schemas = server.schemas().await?;
        let messages = messages::table(&text(&version, "gitVersion"), &schemas, &created(&resources))?;
        let compared = tables::compare(&server).await?;
        println!("{} rows of this cluster's objects are printed alike by the sandbox", compared.same);
        let different = compared.different.join("\n");
        if !different.is_empty() && check {
            bail!("the sandbox prints objects of this cluster otherwise:\n{different}");
        }
        // With another release columns change: the files are written, and `tables` can follow them.
        eprint!("{different}");
        Ok(vec![
            ("messages.txt", messages),
            ("resources.json", rows(&resources)),
            ("schemas.json", fields(&schemas)?),
            ("version.json", format!("{}\n", serde_json::to_string_pretty(&version)?)),
        ])
    })
}

pub(super) struct Server {
    client: kube::Client,
}

impl Server {
    pub(super) async fn get(&self, path: &str, accept: &str) -> anyhow::Result<Value> {
        let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(Vec::new())?;
        self.client.request(request).await.with_context(|| format!("GET {path}"))
    }

    /// Each resource in the order of its group, in the shape that `sandbox::kubectl::resources` reads.
    async fn resources(&self) -> anyhow::Result<Vec<Value>> {
        let mut found: BTreeMap<(usize, String), Value> = BTreeMap::new();
        for root in ["/api", "/apis"] {
            let answer = self.get(root, DISCOVERY).await?;
            for group in list(&answer, "items") {
                let name = text(group.get("metadata").unwrap_or(&Value::Null), "name");
                for version in list(group, "versions") {
                    let at = (name.as_str(), text(version, "version"));
                    let Some(rank) = KEPT.iter().position(|kept| *kept == (at.0, at.1.as_str())) else {
                        continue;
                    };
                    for resource in list(version, "resources") {
                        let value = self.resource(&name, &at.1, resource).await?;
                        found.insert((rank, text(resource, "resource")), value);
                    }
                }
            }
        }
        for (rank, (group, version)) in KEPT.iter().enumerate() {
            if !found.keys().any(|(at, _)| *at == rank) {
                bail!("the server has no {group}/{version}");
            }
        }
        Ok(found.into_values().collect())
    }

    async fn resource(&self, group: &str, version: &str, resource: &Value) -> anyhow::Result<Value> {
        let plural = text(resource, "resource");
        let verbs = list(resource, "verbs");
        let columns = if verbs.iter().any(|verb| verb == "list") {
            let root = if group.is_empty() { "/api".to_owned() } else { format!("/apis/{group}") };
            let table = self.get(&format!("{root}/{version}/{plural}?limit=1"), TABLE).await?;
            list(&table, "columnDefinitions").iter().map(column).collect()
        } else {
            Vec::new()
        };
        let subresources: Vec<Value> = list(resource, "subresources")
            .iter()
            .map(|sub| {
                let kind = kind(sub, group, version);
                json!({"name": text(sub, "subresource"), "group": kind.0, "version": kind.1, "kind": kind.2, "verbs": list(sub, "verbs")})
            })
            .collect();
        let (_, _, kind) = kind(resource, group, version);
        let mut value = Map::new();
        value.insert("group".into(), group.into());
        value.insert("version".into(), version.into());
        value.insert("kind".into(), kind.into());
        value.insert("plural".into(), plural.into());
        value.insert("singular".into(), text(resource, "singularResource").into());
        value.insert("namespaced".into(), (text(resource, "scope") == "Namespaced").into());
        value.insert("verbs".into(), verbs.into());
        for (name, items) in [
            ("shortNames", list(resource, "shortNames").to_vec()),
            ("categories", list(resource, "categories").to_vec()),
            ("subresources", subresources),
            ("columns", columns),
        ] {
            if !items.is_empty() {
                value.insert(name.into(), items.into());
            }
        }
        Ok(Value::Object(value))
    }

    /// The schemas of all groups, once each: groups that share a type have the same schema of it.
    async fn schemas(&self) -> anyhow::Result<BTreeMap<String, Value>> {
        let mut found = BTreeMap::new();
        for (group, version) in KEPT {
            let root = if group.is_empty() { "api".to_owned() } else { format!("apis/{group}") };
            let document = self.get(&format!("/openapi/v3/{root}/{version}"), JSON).await?;
            let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
            for (name, schema) in schemas.with_context(|| format!("no schemas of {group}/{version}"))? {
                let mut schema = schema.clone();
                shorten(&mut schema);
                found.insert(name.clone(), schema);
            }
        }
        Ok(found)
    }
}

/// Kinds whose objects a client can send to be created.
fn created(resources: &[Value]) -> BTreeSet<String> {
    let all = resources.iter().chain(resources.iter().flat_map(|resource| list(resource, "subresources")));
    all.filter(|one| list(one, "verbs").iter().any(|verb| verb == "create"))
        .map(|one| text(one, "kind"))
        .collect()
}

fn column(definition: &Value) -> Value {
    // Tables are answered as the server answers them: descriptions of columns are whole.
    let mut definition = definition.clone();
    if let Some(fields) = definition.as_object_mut() {
        fields.retain(|_, value| *value != "" && *value != 0);
    }
    definition
}

/// Descriptions end with their first sentence: the rest is nine tenths of the size.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(long) if name == "description" => *long = first_sentence(long),
                    _ => shorten(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        _ => {}
    }
}

fn first_sentence(long: &str) -> String {
    let line = long.lines().next().unwrap_or_default();
    // "e.g. " and "i.e. " do not end a sentence.
    let end = line.match_indices(". ").map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).unwrap_or_default();
        !before.ends_with("e.g") && !before.ends_with("i.e")
    });
    match end.and_then(|at| line.get(..=at)) {
        Some(sentence) => sentence.to_owned(),
        None => line.to_owned(),
    }
}

/// The server leaves a kind's group and version out when they are the resource's own.
fn kind(of: &Value, group: &str, version: &str) -> (String, String, String) {
    let kind = of.get("responseKind").unwrap_or(&Value::Null);
    match text(kind, "version") {
        own if own.is_empty() => (group.to_owned(), version.to_owned(), text(kind, "kind")),
        other => (text(kind, "group"), other, text(kind, "kind")),
    }
}

pub(super) fn list<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// One line for each entry, so that a change of the server's reads as a change of lines.
fn rows(entries: &[Value]) -> String {
    let all: Vec<String> = entries.iter().map(Value::to_string).collect();
    format!("[\n{}\n]\n", all.join(",\n"))
}

/// As [`rows`], by name.
fn fields(entries: &BTreeMap<String, Value>) -> anyhow::Result<String> {
    let mut all = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        all.push(format!("{}:{value}", serde_json::to_string(name)?));
    }
    Ok(format!("{{\n{}\n}}\n", all.join(",\n")))
}
