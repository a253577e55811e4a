#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use serde_json::json;

fn reference(kind: &str, name: &str) -> Reference {
    let kind = *traffic::KINDS.iter().find(|one| one.kind == kind).unwrap();
    Reference { kind, namespace: "a".to_owned(), name: name.to_owned() }
}

/// An object of that version with notes of who changed it last and when.
fn put(routes: &Routes, reference: &Reference, version: u8, notes: &[(&str, &str)]) {
    let note = |(manager, time): &(&str, &str)| json!({"manager": manager, "time": time});
    let notes: Vec<Value> = notes.iter().map(note).collect();
    let object = json!({"apiVersion": "x/v1", "kind": reference.kind.kind, "metadata": {"namespace": "a",
        "name": reference.name, "resourceVersion": version.to_string(), "managedFields": notes}});
    routes.put(reference.kind, serde_json::from_value(object).unwrap());
}

const FIRST: &str = "2026-01-01T00:00:01Z";
const SECOND: &str = "2026-01-01T00:00:02Z";

fn authors(routes: &Routes, references: &[Reference]) -> Authors {
    routes.find(references, &[], Time::default()).authors
}

#[tokio::test]
async fn when_we_wrote_last_is_known_also_when_somebody_else_has_written_all_of_it() {
    let routes = Routes::new(true);
    let web = reference("VirtualService", "web");
    put(&routes, &web, 1, &[("rollouts-controller", FIRST), ("git", FIRST)]);
    assert!(routes.has_ours(&web));
    put(&routes, &web, 2, &[("git", SECOND)]);
    assert!(!routes.has_ours(&web));
    let seen = authors(&routes, &[web]);
    assert_eq!((seen.own, seen.written), (None, Some(Time::parse(FIRST).unwrap())));
    assert_eq!((seen.other.as_deref(), seen.shared), (Some("git"), false));
}

#[tokio::test]
async fn who_has_changed_what_we_write_is_told_before_who_has_what_we_only_read() {
    let routes = Routes::new(true);
    let (stable, canary) = (reference("Ingress", "web"), reference("Ingress", "demo-web-canary"));
    put(&routes, &stable, 1, &[("owner", SECOND)]);
    put(&routes, &canary, 1, &[("rollouts-controller", FIRST)]);
    let both = [stable, canary.clone()];
    assert_eq!(authors(&routes, &both).other.as_deref(), Some("owner"), "the canary follows it");
    put(&routes, &canary, 2, &[("rollouts-controller", FIRST), ("by-hand", SECOND)]);
    assert_eq!(authors(&routes, &both).other.as_deref(), Some("by-hand"));
}
