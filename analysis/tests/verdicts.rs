//! Plays recorded AnalysisRuns of Argo Rollouts through the engine, in virtual time and with the answers that its
//! providers got, and compares how each run ended. Answers of web and Prometheus are read in the simplest way that
//! does here; what a provider makes of odd answers is the providers' own matter, and replayed as it was recorded.
#![allow(clippy::disallowed_methods, reason = "tests read recorded data")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use analysis::arguments::SecretData;
use analysis::jsonpath::JsonPath;
use analysis::provider::{Metadata, Reading, ReadingValue, interpret_reading};
use analysis::{Answer, Redactor, RunView, Secrets, TaskKind, assess, record};
use crds::Time;
use crds::analysis::{AnalysisPhase, AnalysisRunSpec, AnalysisRunStatus, Metric};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How long a run is played at most, in virtual seconds: the recording ended after less than two minutes.
const LONGEST_PLAY_SECONDS: i64 = 120;
/// A virtual second has at most this many rounds; more is a hot loop.
const MOST_ROUNDS: usize = 2000;

struct Case {
    json: Value,
    spec: AnalysisRunSpec,
    status: AnalysisRunStatus,
    secrets: Secrets,
    asked: BTreeMap<String, usize>,
    events: Vec<(String, String)>,
    deleted: bool,
}

impl Case {
    fn new(json: Value, spec: AnalysisRunSpec) -> Self {
        let secrets =
            json["extra"].as_array().into_iter().flatten().filter(|object| object["kind"] == "Secret");
        let secrets = secrets.map(|secret| {
            let data = secret["stringData"].as_object().unwrap().iter();
            let data: SecretData =
                Some(data.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect());
            (secret["metadata"]["name"].as_str().unwrap().to_owned(), data)
        });
        let secrets = Secrets(secrets.collect());
        Self {
            json,
            spec,
            status: AnalysisRunStatus::default(),
            secrets,
            asked: BTreeMap::new(),
            events: Vec::new(),
            deleted: false,
        }
    }

    fn play(&mut self) {
        let start = Time::from_unix_seconds(1_700_000_000).unwrap();
        let mut at = start;
        let then = self.json["then"].clone();
        for action in then.as_array().into_iter().flatten() {
            match action[0].as_str().unwrap() {
                "sleep" => {
                    let until = at.plus_seconds(action[1].as_i64().unwrap());
                    self.run(at, until);
                    at = until;
                }
                _ => {
                    if let Some(flag) = action[1].pointer("/spec/terminate") {
                        self.spec.terminate = flag.as_bool();
                    }
                }
            }
        }
        self.run(at, start.plus_seconds(LONGEST_PLAY_SECONDS));
    }

    /// Plays from one time to another.
    fn run(&mut self, from: Time, until: Time) {
        let mut now = from;
        for _ in 0..MOST_ROUNDS {
            if now > until || self.deleted {
                return;
            }
            let wake = self.round(now);
            match wake {
                Some(wake) => now = wake.max(now),
                None => return,
            }
        }
        panic!("{}: a hot loop", self.json["case"]);
    }

    fn round(&mut self, now: Time) -> Option<Time> {
        let first = assess(RunView { spec: &self.spec, status: &self.status, secrets: &self.secrets }, now);
        self.hear(&first.notices);
        self.deleted = first.delete;
        if first.tasks.is_empty() {
            self.status = first.status;
            return first.wake;
        }
        let mut answers = Vec::new();
        let redactor = Redactor::new(self.spec.args.as_deref().unwrap_or_default(), &self.secrets);
        for task in &first.tasks {
            let view = RunView { spec: &self.spec, status: &first.status, secrets: &self.secrets };
            let metric = task.metric(view).unwrap();
            let reading = match &task.kind {
                TaskKind::Measure => self.read(&metric, now),
                TaskKind::Resume(_)
                    if self.recorded_message(&metric).as_deref() == Some("Metric Terminated") =>
                {
                    Reading::Pending { resume_at: now.plus_seconds(1), metadata: Metadata::new() }
                }
                TaskKind::Resume(_) => self.recorded(&metric),
                TaskKind::Terminate(_) => Reading::Decided {
                    phase: AnalysisPhase::Inconclusive,
                    message: "Metric Terminated".into(),
                    metadata: Metadata::new(),
                },
            };
            let measurement = redactor.measurement(interpret_reading(&metric, reading, now, now));
            answers.push(Answer::new(task, measurement, Metadata::new()));
        }
        let status = record(first.status, answers, now);
        let second = assess(RunView { spec: &self.spec, status: &status, secrets: &self.secrets }, now);
        self.hear(&second.notices);
        self.status = second.status;
        second.wake
    }

    fn hear(&mut self, notices: &[analysis::Notice]) {
        self.events.extend(notices.iter().map(|notice| (notice.reason.clone(), notice.message.clone())));
    }

    /// The next scripted answer for a metric.
    fn scripted(&mut self, kind: &str, url: &str) -> Option<Value> {
        let key = format!("{kind}/{}", url.rsplit('/').next().unwrap());
        let answers = self.json["answers"].get(&key)?.as_array()?.clone();
        let asked = self.asked.entry(key).or_default();
        let answer = answers.get(*asked).or(answers.last()).cloned();
        *asked += 1;
        answer
    }

    fn read(&mut self, metric: &Metric, now: Time) -> Reading {
        let plain =
            |value: ReadingValue, text: String| Reading::Value { value, text, metadata: Metadata::new() };
        if let Some(web) = &metric.provider.web
            && let Some(answer) = self.scripted("web", &web.url)
            && let Some(body) = answer.get("json").filter(|_| answer.get("delay").is_none())
        {
            let status = answer["status"].as_i64().unwrap_or(200);
            if status >= 300 {
                let message = format!("received non 2xx response code: {status}");
                return Reading::Error { message, metadata: Metadata::new() };
            }
            let path = web.json_path.as_deref().filter(|path| !path.is_empty()).unwrap_or("{$}");
            if status == 200
                && web.method.is_none()
                && web.body.is_none()
                && let Ok(Some(found)) = JsonPath::parse(path).and_then(|path| path.first(body))
            {
                return plain(ReadingValue::Json(found.clone()), found.to_string());
            }
        }
        if let Some(prometheus) = &metric.provider.prometheus {
            let address = prometheus.address.clone().unwrap_or_default();
            let data = self.scripted("prom", &address).unwrap_or_default()["json"]["data"].clone();
            if prometheus.range_query.is_none()
                && self.recorded_message(metric).is_none_or(|m| m.starts_with("could not"))
                && let Some(value) = samples(&data)
            {
                return plain(value, String::new());
            }
        }
        if metric.provider.job.is_some() {
            return Reading::Pending { resume_at: now.plus_seconds(1), metadata: Metadata::new() };
        }
        self.recorded(metric)
    }

    fn recorded_message(&self, metric: &Metric) -> Option<String> {
        let result = result(&self.json["observed"]["status"], &metric.name)?;
        result["measurements"][0]["message"].as_str().map(str::to_owned)
    }

    /// What was recorded of the next measurement.
    fn recorded(&mut self, metric: &Metric) -> Reading {
        let asked = self.asked.entry(format!("recorded/{}", metric.name)).or_default();
        let status = &self.json["observed"]["status"];
        let list =
            result(status, &metric.name).map(|result| result["measurements"].clone()).unwrap_or_default();
        let measurement =
            list.get(*asked).or(list.as_array().and_then(|list| list.last())).cloned().unwrap_or_default();
        *asked += 1;
        Reading::Decided {
            phase: serde_json::from_value(measurement["phase"].clone()).unwrap_or(AnalysisPhase::Error),
            message: measurement["message"].as_str().unwrap_or_default().to_owned(),
            metadata: Metadata::new(),
        }
    }
}

fn result<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["metricResults"].as_array()?.iter().find(|result| result["name"] == name)
}

/// The samples of a Prometheus answer.
fn samples(data: &Value) -> Option<ReadingValue> {
    let number = |sample: &Value| sample[1].as_str().and_then(|text| text.parse::<f64>().ok());
    let rows = || data["result"].as_array().into_iter().flatten();
    match data["resultType"].as_str()? {
        "scalar" => Some(ReadingValue::Number(number(&data["result"])?)),
        "vector" => rows().map(|row| number(&row["value"])).collect::<Option<_>>().map(ReadingValue::Numbers),
        "matrix" => rows()
            .flat_map(|row| row["values"].as_array().into_iter().flatten())
            .map(number)
            .collect::<Option<_>>()
            .map(ReadingValue::Numbers),
        _ => None,
    }
}

/// What is compared of a status: everything but times, values and notes. Counts only where the recording did not
/// depend on how fast the machine was.
fn outline(status: &Value, exact: bool) -> Value {
    let mut metrics: Vec<Value> = status["metricResults"].as_array().cloned().unwrap_or_default();
    metrics.sort_by_key(|metric| metric["name"].to_string());
    let metrics: Vec<Value> = metrics
        .iter()
        .map(|metric| {
            let count =
                |name: &str| if exact { json!(metric[name].as_i64().unwrap_or(0)) } else { Value::Null };
            let phases: Vec<_> = metric["measurements"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|measurement| measurement["phase"].clone())
                .collect();
            let counts =
                ["count", "successful", "failed", "inconclusive", "error", "consecutiveError"].map(count);
            json!({
                "name": metric["name"], "phase": metric["phase"], "message": metric["message"],
                "dryRun": metric["dryRun"].as_bool().unwrap_or_default(),
                "counts": counts, "consecutiveSuccess": count("consecutiveSuccess"),
                "phases": if exact { json!(phases) } else { Value::Null },
            })
        })
        .collect();
    let summary = |name: &str| {
        json!(
            ["count", "successful", "failed", "inconclusive", "error"]
                .map(|field| status[name][field].as_i64().unwrap_or(0))
        )
    };
    json!({"phase": status["phase"], "message": status["message"], "metrics": metrics,
        "runSummary": summary("runSummary"), "dryRunSummary": summary("dryRunSummary")})
}

/// Cases that end differently, each with its reason.
const DIFFERENT: [(&str, &str); 1] =
    [("arg-open-brace", "an open brace is shown without the JSON that follows it")];

#[test]
fn recorded_runs_end_the_same() {
    let Ok(folder) = std::env::var("STEPGATE_PEER_DIR") else {
        println!("STEPGATE_PEER_DIR is not set: recorded runs were not played");
        return;
    };
    let lines = std::fs::read_to_string(format!("{folder}/verdicts/analysis.jsonl")).unwrap();
    let (mut played, mut wrong, mut words) = (0, Vec::new(), Vec::new());
    for json in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let name = json["case"].as_str().unwrap().to_owned();
        let Ok(spec) = serde_json::from_value::<AnalysisRunSpec>(json["spec"].clone()) else { continue };
        if json["apiServer"] != "accepted" || json["observed"]["status"]["phase"].is_null() {
            continue;
        }
        let mut case = Case::new(json, spec);
        case.play();
        played += 1;
        let exact = case.json["then"].is_null() && case.status.phase != AnalysisPhase::Running;
        let observed = &case.json["observed"];
        let ours = outline(&serde_json::to_value(&case.status).unwrap(), exact);
        let theirs = outline(&observed["status"], exact);
        let mut events: Vec<_> = observed["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                (event["reason"].as_str().unwrap().to_owned(), event["message"].as_str().unwrap().to_owned())
            })
            .collect();
        let mut our_events = case.events.clone();
        // Metrics of one round end in the order of the spec there too, but events of one second are not ordered.
        events.sort();
        our_events.sort();
        let deleted = observed["deleted"].as_bool().unwrap_or_default();
        let known = DIFFERENT.iter().any(|(different, _)| *different == name);
        let strip = |text: &Value| words_stripped(&text.to_string());
        if strip(&ours) != strip(&theirs) || our_events != events || (deleted != case.deleted && exact) {
            if !known {
                wrong.push(format!(
                    "{name}\n  theirs {theirs} {events:?} {deleted}\n  ours   {ours} {our_events:?} {}",
                    case.deleted
                ));
            }
        } else if ours != theirs {
            words.push(name);
        }
    }
    println!("{played} runs played; {} say the same in other words: {words:?}", words.len());
    assert!(played > 500, "{played}");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// A text without what follows the name of a condition in an error: the crate has words of its own there.
fn words_stripped(text: &str) -> String {
    let mut stripped = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("could not evaluate ") {
        stripped.push_str(before);
        stripped.push_str("could not evaluate");
        rest = behind.split_once("\",\"").map_or("", |(_, behind)| behind);
    }
    stripped + rest
}
