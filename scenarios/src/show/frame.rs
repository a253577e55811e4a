//! One picture of a release: where it is, what users get, what the gate measured.

use super::screen::{Screen, Tone};
use crate::{Kind, Play, RolloutView, Seen, Stage, StoryError};
use serde_json::Value;

const BAR_CELLS: u64 = 32;

/// What is shown of a release.
pub(super) struct Frame {
    /// What a reader without a terminal wants to be told of again when it changes.
    pub(super) about: String,
    pub(super) lines: Vec<String>,
}

/// Looks at a Rollout, and at what its users got since the last look.
pub(super) async fn look<S: Stage>(
    play: &Play<'_, S>,
    screen: &Screen,
    rollout: &RolloutView,
    recent: &Seen,
) -> Result<Frame, StoryError> {
    let phase = rollout.phase();
    let tone = match phase {
        "Healthy" => Tone::Good,
        "Degraded" => Tone::Bad,
        _ => Tone::Waiting,
    };
    let message = match rollout.message() {
        "" => String::new(),
        message => format!(": {message}"),
    };
    // An aborted release takes no step.
    let step = if rollout.is_aborted() { String::new() } else { step(&rollout.0) };
    let status = format!("{}{step}{message}", screen.paint(tone, phase));
    let mut lines = vec![shorten(&status), users(screen, recent)];
    let gate = gate(play, screen, rollout.current()).await?;
    lines.extend(gate.clone());
    Ok(Frame { about: format!("{phase}{step}{message}{}", gate.unwrap_or_default()), lines })
}

/// `, step 2 of 4 (analysis)`, while there is one to take.
fn step(rollout: &Value) -> String {
    let steps = rollout.pointer("/spec/strategy/canary/steps").and_then(Value::as_array);
    let index = rollout.pointer("/status/currentStepIndex").and_then(Value::as_u64);
    let (Some(steps), Some(index)) = (steps, index) else { return String::new() };
    let Some(step) = usize::try_from(index).ok().and_then(|index| steps.get(index)) else {
        return String::new();
    };
    let what = match (step.get("setWeight"), step.as_object().and_then(|step| step.keys().next())) {
        (Some(weight), _) => format!("setWeight {weight}"),
        (None, Some(name)) => name.clone(),
        (None, None) => String::new(),
    };
    format!(", step {} of {} ({what})", index + 1, steps.len())
}

/// A bar of the versions that answered, by their share.
fn users(screen: &Screen, recent: &Seen) -> String {
    let total = recent.total();
    if total == 0 {
        return "users".to_owned();
    }
    let mut bar = String::new();
    let mut words = Vec::new();
    for ((version, seen), cell) in recent.versions.iter().zip(["█", "▒", "░"].into_iter().cycle()) {
        let answers = seen.answered + seen.failed;
        let cells = usize::try_from((answers * BAR_CELLS + total / 2) / total).unwrap_or_default();
        bar.push_str(&cell.repeat(cells));
        if answers == 0 {
            continue;
        }
        let errors = match seen.failed {
            0 => String::new(),
            1 => screen.paint(Tone::Bad, " (1 error)"),
            failed => screen.paint(Tone::Bad, &format!(" ({failed} errors)")),
        };
        words.push(format!("{version} {}%{errors}", (answers * 100 + total / 2) / total));
    }
    if recent.unanswered() > 0 {
        words.push(screen.paint(Tone::Bad, &format!("{} without an answer", recent.unanswered())));
    }
    format!("users  {bar}  {}", words.join("  "))
}

/// The last measurements of the newest analysis of this version.
async fn gate<S: Stage>(
    play: &Play<'_, S>,
    screen: &Screen,
    hash: &str,
) -> Result<Option<String>, StoryError> {
    let runs = play.list(Kind::AnalysisRun).await?;
    let created = |run: &&Value| {
        run.pointer("/metadata/creationTimestamp").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let of_version = |run: &&Value| {
        run.pointer("/metadata/labels/rollouts-pod-template-hash").and_then(Value::as_str) == Some(hash)
    };
    let Some(run) = runs.iter().filter(of_version).max_by_key(created) else { return Ok(None) };
    let phase = run.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending");
    let mut parts = Vec::new();
    for metric in run.pointer("/status/metricResults").and_then(Value::as_array).into_iter().flatten() {
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        parts.push(text(metric, "name"));
        for measurement in metric.get("measurements").and_then(Value::as_array).into_iter().flatten() {
            let value = match text(measurement, "value") {
                // An error has no value; its message is in the AnalysisRun.
                empty if empty.is_empty() => text(measurement, "phase").to_lowercase(),
                value => percent(&value),
            };
            let tone = match text(measurement, "phase").as_str() {
                "Successful" => Tone::Good,
                "Failed" | "Error" => Tone::Bad,
                _ => Tone::Waiting,
            };
            parts.push(screen.paint(tone, &value));
        }
    }
    let tone = match phase {
        "Successful" => Tone::Good,
        "Failed" | "Error" => Tone::Bad,
        _ => Tone::Waiting,
    };
    Ok(Some(format!("gate   {}  {}", screen.paint(tone, phase), parts.join(" "))))
}

/// `[0.0512]` as `5.1%`; anything else as it is.
fn percent(value: &str) -> String {
    let number = value.trim_matches(['[', ']']).parse::<f64>();
    number.map_or_else(|_| value.to_owned(), |share| format!("{:.1}%", share * 100.0))
}

/// Messages of a controller can be long; the end of one is in its status.
fn shorten(line: &str) -> String {
    const LIMIT: usize = 150;
    if line.chars().count() <= LIMIT {
        return line.to_owned();
    }
    line.chars().take(LIMIT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_step_is_told_by_its_kind() {
        let at = |index: u64| {
            step(&json!({"spec": {"strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}},
                "status": {"currentStepIndex": index}}))
        };
        assert_eq!(at(0), ", step 1 of 2 (setWeight 25)");
        assert_eq!(at(1), ", step 2 of 2 (pause)");
        assert_eq!(at(2), "");
    }

    #[test]
    fn a_share_is_told_in_percent() {
        assert_eq!((percent("[0.0512]").as_str(), percent("[NaN]").as_str()), ("5.1%", "NaN%"));
        assert_eq!(percent("no number"), "no number");
    }
}
