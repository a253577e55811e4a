//! The fixture by which Argo Rollouts tests its own files, with ours in their place.

use super::workshop::{KUSTOMIZATION, Without, Workshop, copy, object, text};
use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;

/// All that becomes otherwise. DIFFERS: there a VirtualService keeps the names that its Services had before they got a
/// prefix, and routes to nothing; here it follows them.
const DIFFERENCES: [&str; 2] = [
    "VirtualService my-guestbook-vsvc/spec/http/0/route/0/destination/host: \"my-guestbook-stable-svc\", not \"guestbook-stable-svc\"",
    "VirtualService my-guestbook-vsvc/spec/http/0/route/1/destination/host: \"my-guestbook-canary-svc\", not \"guestbook-canary-svc\"",
];

/// The kustomization of Argo Rollouts with our two files gives what it expects of its own, but for [`DIFFERENCES`].
pub(super) fn its_kustomization_gives_what_it_expects(workshop: &Workshop, folder: &Path) -> Result<()> {
    let fixture = folder.join("kustomize/fixture");
    // Copied as one of ours, which brings the two files along.
    let here = workshop.copy("namespace")?.join("peer");
    copy(&fixture, &here)?;
    let path = here.join(KUSTOMIZATION);
    let mut kustomization: Value = serde_saphyr::from_str(&fs::read_to_string(&path)?)?;
    let fields = kustomization.as_object_mut().context("its kustomization is no object")?;
    for (field, value) in
        [("configurations", json!(["transform.yaml"])), ("openapi", json!({"path": "schema.json"}))]
    {
        ensure!(fields.insert(field.to_owned(), value).is_some(), "its kustomization has no {field}");
    }
    fs::write(&path, kustomization.to_string())?;
    let found = workshop.build_in(&here, Without::Nothing)?;
    let expected: Vec<Value> =
        serde_saphyr::from_multiple(&fs::read_to_string(fixture.join("expected.yaml"))?)?;
    ensure!(expected.len() > 10, "it expects only {} objects", expected.len());
    ensure!(found.len() == expected.len(), "{} objects, not {}", found.len(), expected.len());
    let mut differences = Vec::new();
    for wanted in &expected {
        let (kind, name) = (text(wanted, "/kind"), text(wanted, "/metadata/name"));
        let version = text(wanted, "/apiVersion");
        let same: Vec<Value> =
            found.iter().filter(|one| text(one, "/apiVersion") == version).cloned().collect();
        compare(object(&same, kind, name)?, wanted, &format!("{kind} {name}"), &mut differences);
    }
    ensure!(
        differences == DIFFERENCES,
        "the kustomization of Argo Rollouts gives something else:\n{}",
        differences.join("\n")
    );
    println!(
        "ok     the kustomization of Argo Rollouts gives its {} objects, with {} known differences",
        expected.len(),
        DIFFERENCES.len()
    );
    Ok(())
}

/// Notes where two values are not the same.
fn compare(found: &Value, wanted: &Value, path: &str, differences: &mut Vec<String>) {
    match (found, wanted) {
        (Value::Object(have), Value::Object(want)) => {
            for name in want.keys().chain(have.keys().filter(|name| !want.contains_key(*name))) {
                let of = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                compare(&of(have), &of(want), &format!("{path}/{name}"), differences);
            }
        }
        (Value::Array(have), Value::Array(want)) if have.len() == want.len() => {
            for (at, (found, wanted)) in have.iter().zip(want).enumerate() {
                compare(found, wanted, &format!("{path}/{at}"), differences);
            }
        }
        _ if found == wanted => {}
        _ => differences.push(format!("{path}: {found}, not {wanted}")),
    }
}
