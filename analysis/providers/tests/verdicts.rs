//! The first measurement of recorded AnalysisRuns: the recorded answer of a Prometheus or of a web endpoint goes
//! through `prepare` and `interpret`, and must come out as it did there. The recordings are read from the folder that
//! `STEPGATE_PEER_DIR` names.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests read recorded data")]

use analysis::provider::{MetricContext, Reading, interpret_reading};
use crds::Time;
use crds::analysis::{Measurement, Metric};
use providers::http::Response;
use providers::{Kind, Settings, kind, prometheus, web};
use serde_json::Value;

/// Groups whose metrics need no arguments, and ask over HTTP.
const GROUPS: [&str; 4] = ["prometheus", "web", "null", "conditions"];

/// Cases that end in another phase or with another value on purpose, and why.
const DIFFERS: [(&str, &str); 1] = [(
    "prom-histogram",
    "a native histogram is no number: an Error that says so, where Argo Rollouts reads 0",
)];

/// Cases whose message has other words: Argo Rollouts shows those of the JSON parser that it uses.
const OTHER_WORDS: [&str; 5] =
    ["prom-string", "prom-unknown-type", "prom-null-result", "prom-not-json", "prom-empty-body"];

/// Cases that are about the network: nothing is interpreted.
const NETWORK: [&str; 6] =
    ["web-redirect", "web-timeout", "web-refused", "web-bad-url", "prom-post-405", "prom-slow-timeout"];

fn response(answer: &Value) -> Response {
    let status = answer["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
    let body = answer["raw"].as_str().map_or_else(|| answer["json"].to_string(), str::to_owned);
    // A server sends no body with 204.
    Response { status, body: if status == 204 { Vec::new() } else { body.into_bytes() } }
}

fn measure(metric: &Metric, answer: &Value) -> Measurement {
    let now = Time::parse("2026-01-01T00:00:00Z").unwrap();
    let context = MetricContext {
        run_name: "run",
        run_namespace: "ns",
        run_uid: "uid",
        metric,
        attempt: 1,
        run_started_at: Some(now),
        now,
    };
    let failed = |message: String| Reading::Error { message, metadata: Default::default() };
    let reading = match kind(metric) {
        Kind::Prometheus => match prometheus::prepare(context, &Settings::default()) {
            Ok(_) => prometheus::interpret(&response(answer)),
            Err(message) => failed(message),
        },
        _ => match web::prepare(context) {
            Ok(_) => web::interpret(context, &response(answer)),
            Err(message) => failed(message),
        },
    };
    interpret_reading(metric, reading, now, now)
}

#[test]
fn recorded_answers_mean_what_they_meant() {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("not run: STEPGATE_PEER_DIR is not set");
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/verdicts/analysis.jsonl")).unwrap();
    let (mut played, mut differing, mut other_words) = (0, Vec::new(), Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let name = case["case"].as_str().unwrap();
        let first = &case["observed"]["status"]["metricResults"][0];
        let wanted = &first["measurements"][0];
        let only = case["spec"]["metrics"].as_array().is_some_and(|metrics| metrics.len() == 1);
        let answers: Vec<&Value> =
            case["answers"].as_object().into_iter().flatten().map(|(_, list)| list).collect();
        let plain = GROUPS.contains(&case["group"].as_str().unwrap()) && only && !line.contains("{{args");
        if !plain || wanted.is_null() || answers.len() != 1 || NETWORK.contains(&name) {
            continue;
        }
        let Ok(metric) = serde_json::from_value::<Metric>(case["spec"]["metrics"][0].clone()) else {
            continue;
        };
        if !matches!(kind(&metric), Kind::Prometheus | Kind::Web) || answers[0][0]["only"].is_array() {
            continue;
        }
        let got = measure(&metric, &answers[0][0]);
        played += 1;
        let (phase, value) = (got.phase.as_str(), got.value.as_str());
        if phase != wanted["phase"].as_str().unwrap_or_default()
            || value != wanted["value"].as_str().unwrap_or_default()
        {
            println!("{name}: got {phase} {value:?} {:?}, recorded {wanted}", got.message);
            differing.push(name.to_owned());
            continue;
        }
        if got.message != wanted["message"].as_str().unwrap_or_default() {
            println!("{name}: got {:?}, recorded {}", got.message, wanted["message"]);
            other_words.push(name.to_owned());
        }
        assert_eq!(serde_json::to_value(&got.metadata).unwrap(), wanted["metadata"], "{name}: notes");
    }
    println!("{played} measurements compared");
    assert!(played > 100, "only {played} cases were found");
    let expected: Vec<&str> = DIFFERS.iter().map(|(name, _)| *name).collect();
    assert_eq!(differing, expected);
    assert_eq!(other_words, OTHER_WORDS);
}
