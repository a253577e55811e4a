//! How long a scenario was at work, beside the people who waited in it.

use serde_json::Value;

/// Seconds in which the Rollout's phase or step was on its way: from each thing that was done to the last of these
/// changes before the next one. What people wait for before they act does not count.
#[must_use]
pub fn worked(lines: &[Value]) -> f64 {
    let at = |line: &Value| line["t"].as_f64().unwrap_or(0.0);
    let moves = |line: &Value| {
        line["kind"] == "Rollout" && (line.get("phase").is_some() || line.get("currentStepIndex").is_some())
    };
    let (mut total, mut begun, mut last) = (0.0, None, 0.0);
    for line in lines {
        if line["kind"] == "Action" {
            total += begun.map_or(0.0, |begun| last - begun);
            (begun, last) = (Some(at(line)), at(line));
        } else if moves(line) {
            last = at(line);
        }
    }
    total + begun.map_or(0.0, |begun| last - begun)
}

#[cfg(test)]
mod tests {
    use super::worked;
    use serde_json::json;

    #[test]
    #[allow(clippy::float_cmp, reason = "sums of halves")]
    fn what_people_wait_for_does_not_count() {
        let lines = [
            json!({"t": 1.0, "kind": "Rollout", "phase": "Healthy"}),
            json!({"t": 5.0, "kind": "Action", "do": "set image"}),
            json!({"t": 5.5, "kind": "Rollout", "phase": "Progressing"}),
            json!({"t": 7.0, "kind": "Rollout", "currentStepIndex": 1}),
            json!({"t": 8.0, "kind": "Rollout", "availableReplicas": 3}),
            json!({"t": 20.0, "kind": "Action", "do": "promote"}),
            json!({"t": 20.5, "kind": "Rollout", "phase": "Healthy"}),
            json!({"t": 25.0, "kind": "ReplicaSet", "spec": 0}),
        ];
        assert_eq!(worked(&lines), 2.5);
        assert_eq!(worked(&lines[..1]), 0.0);
    }
}
