//! Plays a recorded scenario on the model.

use crate::support::{Model, Script};
use crds::analysis::AnalysisPhase;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

fn wait_holds(model: &Model, wait: &Value) -> bool {
    let status = model.world.rollout.status.clone().unwrap_or_default();
    let generation = model.world.rollout.metadata.generation.unwrap_or(0).to_string();
    let text = |key: &str, have: &str| wait[key].as_str().is_none_or(|want| want == have);
    let about_status = ["phase", "message", "step", "revision"].iter().any(|key| !wait[*key].is_null());
    if about_status && wait["unobserved"] != true && status.observed_generation != generation {
        return false;
    }
    let step =
        wait["step"].as_i64().is_none_or(|want| status.current_step_index.map(i64::from) == Some(want));
    let annotations = model.world.rollout.metadata.annotations.clone().unwrap_or_default();
    let revision = annotations.get(crds::meta::REVISION_ANNOTATION).cloned().unwrap_or_default();
    let revision = wait["revision"].as_i64().is_none_or(|want| want.to_string() == revision);
    let sets = wait["rs"].as_object().into_iter().flatten().all(|(revision, want)| {
        let Some(set) = model.set_of_revision(revision.parse().unwrap()) else { return false };
        let is = |key: &str, have: i32| want[key].as_i64().is_none_or(|want| want == i64::from(have));
        is("spec", set.replicas)
            && is("replicas", set.counts.replicas)
            && is("available", set.counts.available)
    });
    let analysis = wait["analysis"].as_object().into_iter().flatten().all(|(kind, want)| {
        let canary = status.canary.clone().unwrap_or_default();
        let blue_green = status.blue_green.clone().unwrap_or_default();
        let run = match kind.as_str() {
            "Step" => canary.current_step_analysis_run_status,
            "Background" => canary.current_background_analysis_run_status,
            "PrePromotion" => blue_green.pre_promotion_analysis_run_status,
            _ => blue_green.post_promotion_analysis_run_status,
        };
        run.is_some_and(|run| run.status.as_str() == want.as_str().unwrap())
    });
    text("phase", &status.phase)
        && text("message", &model.plain(&status.message))
        && step
        && revision
        && sets
        && analysis
}

fn wait_for(model: &mut Model, wait: &Value) -> bool {
    let implied = if wait["phase"].is_null() { 0.0 } else { 0.8 };
    let settle = Duration::from_secs_f64(wait["settle"].as_f64().unwrap_or(implied));
    let limit = Duration::from_secs_f64(wait["timeout"].as_f64().unwrap_or(60.0));
    if let Some(length) = wait["seconds"].as_f64() {
        let end = model.now.plus(Duration::from_secs_f64(length));
        loop {
            model.reconcile();
            match model.next_moment() {
                Some(next) if next < end => model.now = next,
                _ => break,
            }
        }
        model.now = end;
    }
    model.run_until(settle, limit, |model| wait_holds(model, wait))
}

/// What became of each AnalysisRun in the recording.
fn scripts(lines: &[Value]) -> BTreeMap<String, Script> {
    let mut scripts: BTreeMap<String, Script> = BTreeMap::new();
    let mut began: BTreeMap<String, (f64, bool, String)> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["kind"] == "AnalysisRun") {
        let name = line["name"].as_str().unwrap().to_owned();
        let time = line["t"].as_f64().unwrap();
        let seen = began.entry(name.clone()).or_insert((time, false, String::new()));
        if let Some(message) = line["message"].as_str() {
            seen.2 = message.to_owned();
        }
        seen.1 |= line["terminate"] == true;
        let Some(phase) = line["phase"].as_str() else { continue };
        let phase: AnalysisPhase = serde_json::from_value(Value::from(phase)).unwrap();
        // What came of a request to end comes when it is made again, not by itself.
        let after = if seen.1 { f64::from(1_000_000) } else { time - seen.0 };
        let millis = Duration::from_secs_f64(after).as_millis();
        let message = seen.2.clone();
        scripts.entry(name).or_default().push((u64::try_from(millis).unwrap(), phase, message));
    }
    scripts
}

/// What is done: one map of verbs, or a list of them.
fn verbs(done: &Value) -> Vec<(&String, &Value)> {
    match done {
        Value::Array(list) => list.iter().flat_map(verbs).collect(),
        other => other.as_object().into_iter().flatten().collect(),
    }
}

/// The model after a scenario was played on it; `Err` says where it came to a stop.
pub(crate) fn played(scenario: &Value, lines: &[Value]) -> Result<Model, String> {
    let mut model = Model::new();
    model.scripts = scripts(lines);
    for manifest in scenario["manifests"].as_array().unwrap() {
        model.create(manifest);
    }
    for action in scenario["actions"].as_array().into_iter().flatten() {
        if !wait_for(&mut model, &action["wait"]) {
            let status = model.world.rollout.status.clone().unwrap_or_default();
            return Err(format!(
                "never came to {}: {} {} step {:?}; events {:?}",
                action["wait"],
                status.phase,
                status.message,
                status.current_step_index,
                model.reasons()
            ));
        }
        for (verb, value) in verbs(&action["do"]) {
            if !model.act(verb, value) {
                return Err(format!("the model cannot {verb}"));
            }
        }
    }
    if !wait_for(&mut model, &scenario["end"]) {
        return Err(format!("never came to the end {}: {:?}", scenario["end"], model.world.rollout.status));
    }
    Ok(model)
}
