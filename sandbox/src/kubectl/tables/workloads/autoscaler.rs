//! Rows of HorizontalPodAutoscalers.

use super::super::read::{NONE, Reader, UNKNOWN, UNSET, first_few};
use serde_json::Value;

/// How many metrics are shown.
const SHOWN_METRICS: usize = 2;

/// Name, reference, targets, fewest, most, replicas, age.
pub(in super::super) fn cells(of: Reader<'_>) -> Vec<Value> {
    let part = |path| of.text(path).unwrap_or_default();
    let fewest = of.at("/spec/minReplicas").map_or(UNSET.to_owned(), Value::to_string);
    vec![
        of.name(),
        format!("{}/{}", part("/spec/scaleTargetRef/kind"), part("/spec/scaleTargetRef/name")).into(),
        targets(of).into(),
        fewest.into(),
        of.number("/spec/maxReplicas").into(),
        of.number("/status/currentReplicas").into(),
        of.age(),
    ]
}

fn targets(of: Reader<'_>) -> String {
    let mut current = of.items("/status/currentMetrics");
    let shown: Vec<String> = of.items("/spec/metrics").map(|metric| target(metric, current.next())).collect();
    if shown.is_empty() { NONE.to_owned() } else { first_few(shown, SHOWN_METRICS, ", ") }
}

/// One metric as `now/wanted`; statuses stand in the order of metrics.
fn target(metric: Reader<'_>, status: Option<Reader<'_>>) -> String {
    let field = match metric.text("/type") {
        Some("External") => "external",
        Some("Pods") => "pods",
        Some("Object") => "object",
        Some("Resource") => "resource",
        Some("ContainerResource") => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = |value: &str| metric.text(&format!("/{field}/target/{value}"));
    let now = |value: &str| {
        let status = status?;
        status.at(&format!("/{field}/current/{value}")).map(|found| match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    let or_unknown = |found: Option<String>| found.unwrap_or_else(|| UNKNOWN.to_owned());
    let average = or_unknown(now("averageValue"));
    match field {
        "pods" => format!("{average}/{}", wanted("averageValue").unwrap_or_default()),
        "external" | "object" => match wanted("averageValue") {
            Some(target) => format!("{average}/{target} (avg)"),
            None => format!("{}/{}", or_unknown(now("value")), wanted("value").unwrap_or_default()),
        },
        _ => {
            let name = metric.text(&format!("/{field}/name")).unwrap_or_default();
            if let Some(target) = wanted("averageValue") {
                return format!("{name}: {average}/{target}");
            }
            let used = or_unknown(now("averageUtilization").map(|percent| format!("{percent}%")));
            match metric.at(&format!("/{field}/target/averageUtilization")) {
                Some(percent) => format!("{name}: {used}/{percent}%"),
                None => format!("{name}: {used}/<auto>"),
            }
        }
    }
}
