//! Routes that are found by their labels come and go while an update is under way.

use super::*;
use kube::api::DeleteParams;

const VERSION: &str = "gateway.networking.k8s.io/v1";

fn route(name: &str, labels: &Value) -> Value {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    json!({"apiVersion": VERSION, "kind": "HTTPRoute", "metadata": {"name": name, "labels": labels},
        "spec": {"rules": [{"backendRefs": [to("stable", 100), to("canary", 0)]}]}})
}

fn web() -> Value {
    json!({"app": "web"})
}

fn api(house: &House) -> Api<DynamicObject> {
    let client = Client::new(house.cluster.client("user"), NAMESPACE);
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute"));
    Api::namespaced_with(client, NAMESPACE, &kind)
}

async fn relabel(house: &House, name: &str, labels: Value) {
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    api(house).patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// The canary's weight in a route, and whether the route says that it is in progress.
fn canary(house: &House, name: &str) -> (i64, bool) {
    let route = house.cluster.object(VERSION, "HTTPRoute", NAMESPACE, name).unwrap();
    let weight = route["spec"]["rules"][0]["backendRefs"][1]["weight"].as_i64().unwrap();
    (weight, route["metadata"]["labels"]["rollouts.argoproj.io/gatewayapi-canary"] == "in-progress")
}

fn weights(house: &House, names: &[&str]) -> Vec<(i64, bool)> {
    names.iter().map(|name| canary(house, name)).collect()
}

fn selecting() -> Value {
    rollout(&json!({"stableService": "stable", "canaryService": "canary",
        "trafficRouting": {"gatewayAPI": {"httpRouteSelector": {"matchLabels": {"app": "web"}}}},
        "steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]}))
}

async fn promote(house: &House) {
    let promoted = Patch::Merge(json!({"status": {"pauseConditions": null}}));
    rollouts(house).patch_status("demo", &PatchParams::default(), &promoted).await.unwrap();
    seconds(30).await;
}

#[test]
fn routes_come_and_go_by_their_labels() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
        ["a", "b"].into_iter().for_each(|name| create(&house, route(name, &web())));
        create(&house, route("c", &json!({"app": "other"})));
        create(&house, selecting());
        until(&house, "Healthy").await;
        set_image(&house, "app:2").await;
        until(&house, "Paused").await;
        assert_eq!(weights(&house, &["a", "b", "c"]), [(20, true), (20, true), (0, false)]);

        // Two more in mid-update: one gets the labels, one is new.
        relabel(&house, "c", web()).await;
        create(&house, route("d", &web()));
        seconds(1).await;
        assert_eq!(weights(&house, &["c", "d"]), [(20, true), (20, true)], "at once");
        let events = house.cluster.objects("v1", "Event", NAMESPACE);
        let has = |reason: &str| events.iter().any(|event| event["reason"] == reason);
        assert!(has("TrafficWeightUpdated"));
        assert!(!has("TrafficOverwritten"), "nobody has overwritten anything");

        // One loses them, and one goes: the first is followed to the end of the update, and then left alone.
        relabel(&house, "b", json!({"app": null})).await;
        api(&house).delete("d", &DeleteParams::default()).await.unwrap();
        promote(&house).await;
        assert_eq!(phase(&house).0, "Paused");
        assert_eq!(weights(&house, &["a", "b", "c"]), [(50, true), (50, true), (50, true)]);
        promote(&house).await;
        until(&house, "Healthy").await;
        assert_eq!(weights(&house, &["a", "b", "c"]), [(0, false), (0, false), (0, false)]);
        set_image(&house, "app:3").await;
        until(&house, "Paused").await;
        assert_eq!(weights(&house, &["a", "b", "c"]), [(20, true), (0, false), (20, true)]);

        // A route that the selector does not find is none of the Rollout's business.
        let written = || by(&writes, "live").iter().filter(|what| !what.ends_with("leases")).count();
        seconds(60).await;
        let before = written();
        relabel(&house, "b", json!({"team": "shop"})).await;
        seconds(60).await;
        assert_eq!(written(), before);
    });
}

#[test]
fn a_selector_that_finds_nothing_yet_is_told_and_waited_for() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
        create(&house, route("other", &json!({"app": "other"})));
        create(&house, selecting());
        seconds(2).await;
        assert_eq!(phase(&house), ("Progressing".to_owned(), "waiting for HTTPRoute \"app=web\"".to_owned()));
        seconds(600).await;
        let (now, message) = phase(&house);
        assert_eq!(now, "Degraded");
        assert!(
            message.contains(
                "trafficRouting.gatewayAPI.httpRouteSelector: Invalid value: \"app=web\": no HTTPRoute in namespace"
            ),
            "{message}"
        );
        create(&house, route("a", &web()));
        until(&house, "Healthy").await;
        set_image(&house, "app:2").await;
        until(&house, "Paused").await;
        assert_eq!(weights(&house, &["a", "other"]), [(20, true), (0, false)]);

        // The last one loses its labels and then goes: no traffic is split any more, and the Rollout says so.
        api(&house).delete("a", &DeleteParams::default()).await.unwrap();
        seconds(5).await;
        assert!(phase(&house).1.contains("no HTTPRoute in namespace"), "{:?}", phase(&house));
    });
}
