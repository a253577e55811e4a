#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::clients::Clients;
use super::state::State;
use super::*;
use crate::promql::{Query, Value as Answer};
use crate::{Cluster, Options};
use serde_json::{Value, json};

const SECOND: i64 = 1_000_000;

/// A pod of the app `web` that runs.
fn pod(name: &str, version: &str, ready: bool) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"),
            "labels": {"app": "web", "track": version, "rollouts-pod-template-hash": format!("hash-{version}")},
            "annotations": {"prometheus.io/scrape": "true"},
        },
        "spec": {"containers": [{"image": "web:1", "env": [{"name": "VERSION", "value": version}]}]},
        "status": {
            "phase": "Running", "podIP": "10.1.0.1",
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" },
                "lastTransitionTime": "2026-01-01T00:00:00Z"}],
            "containerStatuses": [{"state": {"running": {}}, "restartCount": 0}],
        },
    })
}

fn with(mut pod: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    pod.pointer_mut(parent).unwrap()[key] = value;
    pod
}

fn service(name: &str, selector: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": selector}})
}

/// Two pods behind a Service, and clients.
fn state(seed: u64, per_second: u32) -> State {
    let mut state = State::new(seed, 0, Some(SECOND));
    state.saw_service(&service("web", &json!({"app": "web"})), false);
    state.saw_pod(&pod("a", "v1", true), false);
    state.saw_pod(&pod("b", "v2", true), false);
    state.send("users", Clients::of_service("default", "web", per_second));
    state
}

fn count(state: &State, version: &str, outcome: Outcome) -> u64 {
    state.streams["users"].journal.tally.get(&(version.into(), outcome)).copied().unwrap_or(0)
}

fn total(state: &State) -> u64 {
    state.streams["users"].journal.tally.values().sum()
}

#[test]
fn requests_come_at_their_rate_and_reach_every_ready_pod() {
    let mut one = state(7, 30);
    one.advance(10 * SECOND);
    assert_eq!(total(&one), 300);
    let (v1, v2) = (count(&one, "v1", Outcome::Answered), count(&one, "v2", Outcome::Answered));
    assert!(v1 + v2 == 300 && v1 > 100 && v2 > 100, "{v1} and {v2}");
    // The same in small steps: when someone looks changes nothing.
    let mut other = state(7, 30);
    for step in 1..=1_000 {
        other.advance(step * SECOND / 100);
    }
    assert_eq!(one.streams["users"].journal.records, other.streams["users"].journal.records);
    let mut lucky = state(8, 30);
    lucky.advance(10 * SECOND);
    assert_ne!(one.streams["users"].journal.records, lucky.streams["users"].journal.records);
}

#[test]
fn a_data_plane_that_lags_sends_requests_to_a_pod_that_is_gone() {
    let mut state = state(1, 100);
    state.plane(NODES).lag_us = 2 * SECOND;
    state.advance(SECOND);
    state.saw_pod(&pod("b", "v2", true), true);
    state.advance(10 * SECOND);
    let refused = count(&state, "v2", Outcome::Refused);
    assert!(refused > 50 && refused < 150, "{refused} of about 100 within two seconds");
    let records = &state.streams["users"].journal.records;
    let last = records.iter().rfind(|record| record.outcome == Outcome::Refused).unwrap();
    assert!(micros(last.at) < 3 * SECOND && micros(last.at) > 2 * SECOND, "{last:?}");
    assert_eq!(last.backend.as_ref().unwrap().pod, "b");
}

#[test]
fn without_a_lag_no_request_is_lost() {
    let mut state = state(1, 100);
    state.advance(SECOND);
    let deleting = with(pod("b", "v2", true), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:01Z"));
    state.saw_pod(&deleting, false);
    state.advance(2 * SECOND);
    let before = count(&state, "v2", Outcome::Answered);
    state.saw_pod(&deleting, true);
    state.saw_pod(&pod("c", "v3", false), false);
    state.advance(4 * SECOND);
    state.saw_pod(&pod("c", "v3", true), false);
    state.advance(6 * SECOND);
    assert_eq!(count(&state, "v2", Outcome::Answered), before, "nothing to what is on its way out");
    assert!(count(&state, "v3", Outcome::Answered) > 50);
    assert_eq!(count(&state, "v1", Outcome::Answered) + before + count(&state, "v3", Outcome::Answered), 600);
}

#[test]
fn a_pod_on_its_way_out_answers_when_there_is_no_other() {
    let mut state = state(1, 10);
    let gone = |name: &str| {
        with(pod(name, "v1", true), "/metadata/deletionTimestamp", json!("2026-01-01T00:00:01Z"))
    };
    state.saw_pod(&gone("a"), false);
    state.saw_pod(&gone("b"), false);
    state.advance(SECOND);
    assert_eq!(count(&state, "v1", Outcome::Answered), 10);
    state.saw_pod(&gone("a"), true);
    state.saw_pod(&gone("b"), true);
    state.advance(2 * SECOND);
    assert_eq!(count(&state, "", Outcome::NoEndpoint), 10);
    state.saw_service(&service("web", &json!({})), true);
    state.advance(3 * SECOND);
    assert_eq!(count(&state, "", Outcome::NoEndpoint), 20);
}

#[test]
fn a_process_that_has_stopped_refuses_although_its_pod_is_there() {
    let mut state = state(1, 100);
    state.plane(NODES).lag_us = SECOND;
    let crashed = with(pod("b", "v2", false), "/status/containerStatuses/0/state", json!({"waiting": {}}));
    state.saw_pod(&crashed, false);
    state.advance(3 * SECOND);
    let refused = count(&state, "v2", Outcome::Refused);
    assert!(refused > 25 && refused < 75, "{refused}");
    assert_eq!(count(&state, "v1", Outcome::Answered) + refused, 300);
}

#[test]
fn weights_split_requests_once_the_router_has_heard_of_them() {
    let mut state = state(3, 0);
    for track in ["v1", "v2"] {
        state.saw_service(&service(track, &json!({"track": track})), false);
    }
    let share =
        |service: &str, weight| Share { service: service.to_owned(), weight, labels: BTreeMap::new() };
    let route = || ("default".to_owned(), "split".to_owned());
    state.send("users", Clients::of_split("default", "split", 100));
    state.advance(SECOND);
    assert_eq!(count(&state, "", Outcome::NoEndpoint), 100, "nobody has told it any weight");
    state.weigh(route(), &[share("v1", 100), share("v2", 0)]);
    state.advance(11 * SECOND);
    assert_eq!(count(&state, "v1", Outcome::Answered), 1_000);
    state.plane(ROUTER).lag_us = 5 * SECOND;
    state.weigh(route(), &[share("v1", 80), share("v2", 20)]);
    state.advance(16 * SECOND);
    assert_eq!(count(&state, "v2", Outcome::Answered), 0);
    state.advance(26 * SECOND);
    let v2 = count(&state, "v2", Outcome::Answered);
    assert!((130..270).contains(&v2), "{v2} of about 200");
}

#[test]
fn what_is_told_later_is_heard_later_whatever_the_lag_becomes() {
    let mut state = state(1, 10);
    state.plane(NODES).lag_us = 10 * SECOND;
    state.saw_pod(&pod("b", "v2", false), false);
    state.advance(SECOND);
    state.plane(NODES).lag_us = 0;
    state.saw_pod(&pod("b", "v2", true), false);
    state.advance(9 * SECOND);
    assert_eq!(state.plane(NODES).next(), Some(10 * SECOND), "both at the time of the first");
}

fn ask(state: &State, query: &str, time_s: i64) -> Vec<f64> {
    match Query::parse(query).unwrap().at(&state.database, time_s * 1_000).unwrap() {
        Answer::Vector(samples) => samples.iter().map(|sample| sample.value).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn prometheus_reads_what_pods_have_counted() {
    let mut state = state(5, 40);
    state.pods.rule(AnswerRule { version: "v2".into(), change: AnswerChange::ErrorPercent(10) });
    state.pods.rule(AnswerRule {
        version: String::new(),
        change: AnswerChange::Latency(Duration::from_millis(20)),
    });
    state.advance(20 * SECOND);
    let errors = |hash: &str| {
        format!(
            r#"(sum(rate(http_requests_total{{app="web",hash="{hash}",code=~"5.."}}[5s])) or vector(0)) / sum(rate(http_requests_total{{app="web",hash="{hash}"}}[5s]))"#
        )
    };
    assert_eq!(ask(&state, &errors("hash-v1"), 20), [0.0]);
    let share = ask(&state, &errors("hash-v2"), 20)[0];
    assert!((0.08..0.12).contains(&share), "{share}");
    let all = ask(&state, "sum(http_requests_total)", 20)[0];
    assert!((all - 800.0).abs() < f64::EPSILON, "{all}");
    let slow = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{version='v1'}[10s])))";
    let quantile = ask(&state, slow, 20)[0];
    assert!(quantile > 0.01 && quantile <= 0.025, "{quantile}");
    assert_eq!(ask(&state, r#"count(up{rollouts_pod_template_hash="hash-v1"} == 1)"#, 20), [1.0]);
}

#[test]
fn series_end_with_their_pod_and_begin_anew_with_a_new_process() {
    let mut state = state(5, 40);
    state.advance(10 * SECOND);
    let waits = with(pod("b", "v2", false), "/status/containerStatuses/0/state", json!({"waiting": {}}));
    state.saw_pod(&waits, false);
    state.advance(12 * SECOND);
    assert_eq!(ask(&state, r#"up{pod="b"}"#, 12), [0.0]);
    assert_eq!(ask(&state, r#"http_requests_total{pod="b"}"#, 12), [0.0; 0]);
    state.saw_pod(&with(pod("b", "v2", true), "/status/containerStatuses/0/restartCount", json!(1)), false);
    state.advance(13 * SECOND);
    assert!(ask(&state, r#"http_requests_total{pod="b",code="200"}"#, 13)[0] < 40.0);
    state.saw_pod(&pod("b", "v2", true), true);
    state.advance(15 * SECOND);
    assert_eq!(ask(&state, r#"up{pod="b"}"#, 15), [0.0; 0]);
    assert_eq!(ask(&state, "count(up)", 15), [1.0]);
}

#[test]
fn what_is_kept_is_bounded() {
    let mut state = state(5, 5);
    state.advance(2 * 3_600 * SECOND + 10 * SECOND);
    let journal = &state.streams["users"].journal;
    assert_eq!((journal.records.len(), journal.seconds.len()), (RECORDS_MAX, SECONDS_MAX));
    assert_eq!(total(&state), 5 * 7_210);
    assert_eq!(journal.seconds.back().unwrap().requests.values().sum::<u64>(), 5);
}

#[tokio::test(start_paused = true)]
async fn users_of_a_cluster_meet_its_pods() {
    let cluster = Cluster::new(&Options::default());
    tokio::spawn(cluster.clone().run());
    let template = json!({
        "metadata": {"labels": {"app": "web"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"containers": [{"name": "web", "image": "demo:blue",
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}}}]},
    });
    let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "web"}}, "template": template}});
    cluster.create("apps/v1", "ReplicaSet", "default", set).unwrap();
    let front =
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let traffic = Traffic::over(&cluster, Settings { seed: 1, scrape: Some(Duration::from_secs(1)) });
    cluster.create("v1", "Service", "default", front).unwrap();
    traffic.send("users", Clients::of_service("default", "web", 10));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let tally = traffic.tally("users");
    let answered = tally[&("blue".into(), Outcome::Answered)];
    assert!(answered > 280, "{tally:?}");
    assert_eq!(tally.values().sum::<u64>(), 300);
    let since = cluster.clock().now().plus_seconds(-1);
    assert_eq!(traffic.records("users", since).len(), 10);
    let prometheus = traffic.prometheus();
    let (code, body) = prometheus.answer("POST", "/api/v1/query", b"query=sum%28up%29+%2B+1");
    assert_eq!((code, &body["data"]["result"][0]["value"][1]), (200, &json!("3")));
    let (code, body) = prometheus.answer("GET", "/api/v1/status/buildinfo", b"");
    assert_eq!((code, &body["status"]), (200, &json!("success")));
    assert_eq!(prometheus.answer("GET", "/api/v1/nothing", b"").0, 404);
    assert_eq!(prometheus.answer("DELETE", "/api/v1/query", b"").0, 405);
    traffic.stop("users");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(traffic.tally("users").values().sum::<u64>(), 300);
}
