//! Rows of Events, of the core group and of `events.k8s.io`, which name the same things differently.

use super::read::{Reader, UNKNOWN};
use serde_json::Value;

/// Last seen, type, reason, object, message; wide: part of the object, source, first seen, count, name.
pub(super) fn event(of: Reader<'_>) -> Vec<Value> {
    let either = |one: &str, other: &str| of.text(one).or_else(|| of.text(other)).unwrap_or_default();
    let first = of
        .since("/firstTimestamp")
        .or_else(|| of.since("/deprecatedFirstTimestamp"))
        .or_else(|| of.since("/eventTime"))
        .unwrap_or_else(|| UNKNOWN.to_owned());
    let last = of
        .since("/series/lastObservedTime")
        .or_else(|| of.since("/lastTimestamp"))
        .or_else(|| of.since("/deprecatedLastTimestamp"))
        .unwrap_or_else(|| first.clone());
    // An event that happened once has no count in the newer API.
    let count = ["/series/count", "/count", "/deprecatedCount"]
        .iter()
        .map(|path| of.number(path))
        .find(|count| *count > 0)
        .unwrap_or(1);
    let kind = either("/involvedObject/kind", "/regarding/kind").to_lowercase();
    let object = match either("/involvedObject/name", "/regarding/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        of.text_or("/type", ""),
        of.text_or("/reason", ""),
        object.into(),
        either("/involvedObject/fieldPath", "/regarding/fieldPath").into(),
        source(of).into(),
        either("/message", "/note").trim().into(),
        first.into(),
        count.into(),
        of.name(),
    ]
}

/// The component that reports, and where it runs.
fn source(of: Reader<'_>) -> String {
    let first = |paths: [&str; 4]| paths.iter().find_map(|path| of.text(path)).unwrap_or_default();
    let component = first([
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ]);
    match first(["/source/host", "/deprecatedSource/host", "/reportingInstance", "/reportingInstance"]) {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    }
}
