//! What a release costs the API server: each request of the controller, counted, as the documentation says.

use super::{create, house_under, merge, paused, rollout, seconds, service, set_image, start, until};
use sandbox::{Call, Fate, Weather};
use serde_json::{Value, json};
use simulation::l2::House;
use simulation::l2::metrics::Answer;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Verb and resource to how often.
type Counts = Arc<Mutex<BTreeMap<String, u32>>>;

/// Counts what the controller asks for, but for its Lease and the watches that it holds.
struct Counting(Counts);

impl Weather for Counting {
    fn call(&mut self, call: &Call, _: crds::Time) -> Fate {
        if call.client == "live" && call.verb != "watch" && call.resource != "leases" {
            let part = if call.subresource.is_empty() { "" } else { "/" };
            let what = format!("{} {}{part}{}", call.verb, call.resource, call.subresource);
            *self.0.lock().unwrap().entry(what).or_default() += 1;
        }
        Fate::Answered
    }
}

/// Rows of the documentation: story, then what is asked for and how often.
fn documented() -> BTreeMap<String, String> {
    let page = include_str!("../../../docs/reference/requests.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| (cells[1].trim_matches('`').to_owned(), cells[3].clone())).collect()
}

fn with_replicas(canary: &Value, replicas: u32) -> Value {
    let mut object = rollout(canary);
    object["spec"]["replicas"] = json!(replicas);
    object
}

pub(super) fn blue_green() -> Value {
    let mut object = with_replicas(&json!({}), 4);
    object["spec"]["strategy"] =
        json!({"blueGreen": {"activeService": "active", "previewService": "preview"}});
    object
}

/// Four pods behind an HTTPRoute.
pub(super) fn routed() -> Value {
    let steps = json!([{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"setWeight": 50},
        {"pause": {"duration": "10s"}}]);
    with_replicas(
        &json!({"stableService": "active", "canaryService": "preview", "steps": steps,
            "trafficRouting": {"gatewayAPI": {"httpRoute": "web"}}}),
        4,
    )
}

pub(super) fn route() -> Value {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"},
        "spec": {"rules": [{"backendRefs": [to("active", 100), to("preview", 0)]}]}})
}

fn gate(house: &House) {
    let metric = json!({"name": "ok", "successCondition": "result == \"1\"",
        "provider": {"web": {"url": "http://metrics.example/version", "jsonPath": "{$.major}"}}});
    house.answers.set("/version", Answer::Body(json!({"major": "1"})));
    create(
        house,
        json!({"apiVersion": crds::API_VERSION, "kind": "AnalysisTemplate", "metadata": {"name": "check"},
            "spec": {"metrics": [metric]}}),
    );
}

/// Plays `change` on a Rollout that is healthy, until it has been `end` for two minutes, and tells what was asked for.
fn counted(object: &Value, change: impl AsyncFnOnce(&House), end: &str) -> String {
    paused(async {
        let counts = Counts::default();
        let house = house_under(Counting(counts.clone()));
        let live = start(&house, "live", &[]);
        gate(&house);
        ["active", "preview"].into_iter().for_each(|name| create(&house, service(name)));
        create(&house, route());
        create(&house, object.clone());
        until(&house, "Healthy").await;
        seconds(120).await;
        counts.lock().unwrap().clear();
        change(&house).await;
        seconds(2).await;
        until(&house, end).await;
        seconds(120).await;
        assert!(!live.task.is_finished());
        let counts = counts.lock().unwrap().clone();
        let told: Vec<String> = counts.iter().map(|(what, often)| format!("{often} {what}")).collect();
        told.join(", ")
    })
}

#[test]
fn a_release_asks_for_no_more_than_the_documentation_says() {
    let two = json!({"steps": [{"setWeight": 50}, {"pause": {"duration": "10s"}}]});
    let four = json!({"steps": [{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"setWeight": 50},
        {"pause": {"duration": "10s"}}]});
    let analysis = json!({"templates": [{"templateName": "check"}]});
    let gated = json!({"steps": [{"setWeight": 25}, {"analysis": analysis}]});
    let held = json!({"steps": [{"setWeight": 50}, {"pause": {}}]});
    let update = async |house: &House| set_image(house, "app:2").await;
    let abort = async |house: &House| {
        set_image(house, "app:2").await;
        until(house, "Paused").await;
        let rollouts = super::rollouts(house);
        let patch = kube::api::Patch::Merge(json!({"status": {"abort": true}}));
        rollouts.patch_status("demo", &kube::api::PatchParams::default(), &patch).await.unwrap();
    };
    let scale = async |house: &House| merge(house, json!({"spec": {"replicas": 6}})).await;
    let stories = [
        ("one pod", counted(&with_replicas(&two, 1), update, "Healthy")),
        ("four pods", counted(&with_replicas(&four, 4), update, "Healthy")),
        ("gate", counted(&with_replicas(&gated, 4), update, "Healthy")),
        ("abort", counted(&with_replicas(&held, 4), abort, "Degraded")),
        ("blue-green", counted(&blue_green(), update, "Healthy")),
        ("behind a route", counted(&routed(), update, "Healthy")),
        ("scale", counted(&with_replicas(&four, 4), scale, "Healthy")),
    ];
    let found = stories.map(|(story, told)| (story.to_owned(), told)).into_iter().collect();
    assert_eq!(documented(), found);
}
