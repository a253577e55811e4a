//! What a Rollout may ask for: every option of both strategies that decisions depend on.

use super::setup::{NAME, TEMPLATES, pick};
use fastrand::Rng;
use serde_json::{Value, json};

/// A spec at random. People also change to another one in flight.
pub(super) fn spec(rng: &mut Rng, template: Option<&Value>) -> Value {
    let share =
        |rng: &mut Rng| pick(rng, &[json!(0), json!(1), json!(2), json!("25%"), json!("50%"), json!("100%")]);
    let (surge, mut missing) = (share(rng), share(rng));
    if surge == Some(json!(0)) && missing == Some(json!(0)) {
        missing = Some(json!(1));
    }
    let history = pick(rng, &[10, 10, 2, 0]).unwrap_or(10);
    let strategy = if rng.bool() {
        json!({"canary": canary(rng, &surge, &missing)})
    } else {
        json!({"blueGreen": blue_green(rng, history)})
    };
    json!({
        "replicas": rng.u8(0..=5),
        "selector": {"matchLabels": {"app": NAME}},
        "template": template,
        "strategy": strategy,
        "minReadySeconds": pick(rng, &[0, 0, 0, 4]),
        "revisionHistoryLimit": history,
        "progressDeadlineSeconds": pick(rng, &[600, 60, 30]),
        "progressDeadlineAbort": pick(rng, &[false, false, true]),
        "analysis": {
            "successfulRunHistoryLimit": pick(rng, &[5, 5, 1, 0]),
            "unsuccessfulRunHistoryLimit": pick(rng, &[5, 5, 1, 0]),
        },
    })
}

/// An analysis by one template, or by both.
fn analysis(rng: &mut Rng) -> Value {
    let count = if rng.u8(..4) == 0 { 2 } else { 1 };
    let first = rng.usize(0..TEMPLATES.len());
    let names = TEMPLATES.iter().cycle().skip(first).take(count);
    json!({"templates": names.map(|name| json!({"templateName": name})).collect::<Vec<_>>()})
}

fn canary(rng: &mut Rng, surge: &Option<Value>, missing: &Option<Value>) -> Value {
    let mut canary = json!({"maxSurge": surge, "maxUnavailable": missing, "steps": steps(rng)});
    let Some(map) = canary.as_object_mut() else { return canary };
    if rng.bool() {
        map.insert("stableService".to_owned(), json!("main"));
        map.insert("canaryService".to_owned(), json!("next"));
    }
    if rng.u8(..5) == 0 {
        let mut background = analysis(rng);
        if let (Some(map), Some(first)) = (background.as_object_mut(), pick(rng, &[0, 0, 1, 2])) {
            map.insert("startingStep".to_owned(), json!(first));
        }
        map.insert("analysis".to_owned(), background);
    }
    if rng.u8(..6) == 0 {
        map.remove("steps");
    }
    canary
}

/// A short list of steps.
pub(super) fn steps(rng: &mut Rng) -> Value {
    // Gates side by side, which are easily taken for one another.
    if rng.u8(..6) == 0 {
        let gate = json!({"analysis": analysis(rng)});
        let weight = json!({"setWeight": pick(rng, &[0, 20, 50])});
        return json!([weight, gate, gate, {"pause": {"duration": 10}}, {"pause": {}}]);
    }
    let count = rng.usize(0..5);
    let step = |rng: &mut Rng| match rng.u8(..8) {
        0..=3 => json!({"setWeight": pick(rng, &[0, 10, 20, 34, 50, 75, 100])}),
        4 => json!({"pause": {}}),
        5 | 6 => json!({"pause": {"duration": pick(rng, &[5, 30, 90])}}),
        _ => json!({"analysis": analysis(rng)}),
    };
    Value::Array((0..count).map(|_| step(rng)).collect())
}

fn blue_green(rng: &mut Rng, history: i32) -> Value {
    let mut strategy = json!({"activeService": "main"});
    let Some(map) = strategy.as_object_mut() else { return strategy };
    let mut maybe = |rng: &mut Rng, of: u8, key: &str, value: Value| {
        if rng.u8(..of) == 0 {
            map.insert(key.to_owned(), value);
        }
    };
    maybe(rng, 2, "previewService", json!("next"));
    maybe(rng, 3, "autoPromotionEnabled", json!(false));
    let seconds = pick(rng, &[1, 20]);
    maybe(rng, 3, "autoPromotionSeconds", json!(seconds));
    maybe(rng, 4, "previewReplicaCount", json!(1));
    let delay = pick(rng, &[0, 5, 60, 300]);
    maybe(rng, 2, "scaleDownDelaySeconds", json!(delay));
    if history > 0 {
        // More than are kept could not wait: such a limit is refused.
        maybe(rng, 4, "scaleDownDelayRevisionLimit", json!(1));
    }
    let abort = pick(rng, &[0, 5, 60]);
    maybe(rng, 2, "abortScaleDownDelaySeconds", json!(abort));
    let (before, after) = (analysis(rng), analysis(rng));
    maybe(rng, 4, "prePromotionAnalysis", before);
    maybe(rng, 4, "postPromotionAnalysis", after);
    strategy
}
