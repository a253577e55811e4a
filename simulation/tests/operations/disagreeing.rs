//! Routers that refuse what they are asked for, and several of which one does. `[traffic.law]` `[traffic.routers]`

use super::routes::mesh;
use super::{
    create, house_under, paused, phase, rollout, rollouts, seconds, service, set_image, start, until,
};
use crds::Time;
use kube::api::{Patch, PatchParams};
use sandbox::{Call, Fate, Weather};
use serde_json::{Value, json};
use simulation::l2::{House, NAMESPACE};
use std::sync::{Arc, Mutex};

/// The kind of which nothing can be written.
type Closed = Arc<Mutex<Option<&'static str>>>;

struct Webhook {
    closed: Closed,
    refused: Arc<Mutex<u32>>,
}

impl Weather for Webhook {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        let closed = *self.closed.lock().unwrap();
        if closed != Some(call.resource.as_str()) || !call.is_write() || call.client != "live" {
            return Fate::Answered;
        }
        *self.refused.lock().unwrap() += 1;
        let message = "admission webhook \"routes.test\" denied the request".to_owned();
        Fate::Refused { applied: false, code: 403, reason: "Forbidden", message }
    }
}

/// Weights of the canary that the VirtualService and the canary's Ingress show.
fn shown(house: &House) -> (i64, i64) {
    let service = house.cluster.object("networking.istio.io/v1alpha3", "VirtualService", NAMESPACE, "web");
    let weight = service.unwrap()["spec"]["http"][0]["route"][1]["weight"].as_i64().unwrap();
    let ingress = house.cluster.object("networking.k8s.io/v1", "Ingress", NAMESPACE, "demo-web-canary");
    let note = "nginx.ingress.kubernetes.io/canary-weight";
    let note = ingress.unwrap_or_default()["metadata"]["annotations"][note].as_str().map(str::to_owned);
    (weight, note.map_or(0, |note| note.parse().unwrap()))
}

fn image(set: &Value) -> String {
    set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

/// The image that a Service leads to.
fn selected(house: &House, service: &str) -> String {
    const HASH: &str = "rollouts-pod-template-hash";
    let service = house.cluster.object("v1", "Service", NAMESPACE, service).unwrap();
    let sets = house.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE);
    let mut own =
        sets.iter().filter(|set| set["metadata"]["labels"][HASH] == service["spec"]["selector"][HASH]);
    own.next().map(image).unwrap_or_default()
}

/// Wanted pods by image, and which of them the stable Service selects.
fn state(house: &House) -> (Vec<(String, i64)>, String) {
    let sets = house.cluster.objects("apps/v1", "ReplicaSet", NAMESPACE);
    let size = |set: &Value| (image(set), set["spec"]["replicas"].as_i64().unwrap());
    let mut sizes: Vec<_> = sets.iter().map(size).collect();
    sizes.sort();
    (sizes, selected(house, "stable"))
}

fn told(house: &House, reason: &str) -> Vec<String> {
    let events = house.cluster.objects("v1", "Event", NAMESPACE);
    let of = events.iter().filter(|event| event["reason"] == reason);
    of.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

/// A Rollout of four pods behind the mesh and an Ingress, half way through its update.
async fn half_way(house: &House) {
    for object in mesh() {
        create(house, object);
    }
    let backend = json!({"service": {"name": "stable", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    create(
        house,
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
            "spec": {"ingressClassName": "nginx", "rules": [{"host": "web.test", "http": {"paths": [path]}}]}}),
    );
    ["stable", "canary"].into_iter().for_each(|name| create(house, service(name)));
    let subsets = json!({"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"});
    let routing = json!({"nginx": {"stableIngress": "web"},
        "istio": {"virtualService": {"name": "web", "routes": ["primary"]}, "destinationRule": subsets}});
    let mut object = rollout(&json!({"stableService": "stable", "canaryService": "canary",
        "trafficRouting": routing, "scaleDownDelaySeconds": 1, "abortScaleDownDelaySeconds": 1,
        "steps": [{"setWeight": 50}, {"pause": {}}]}));
    object["spec"]["replicas"] = json!(4);
    create(house, object);
    until(house, "Healthy").await;
    set_image(house, "app:2").await;
    until(house, "Paused").await;
    assert_eq!(shown(house), (50, 50));
}

async fn status(house: &House, patch: Value) {
    let patch = Patch::Merge(json!({"status": patch}));
    rollouts(house).patch_status("demo", &PatchParams::default(), &patch).await.unwrap();
}

fn sizes(one: i64, two: i64) -> Vec<(String, i64)> {
    vec![("app:1".to_owned(), one), ("app:2".to_owned(), two)]
}

#[test]
fn pods_stay_where_one_of_two_routers_still_sends_requests() {
    for closed in ["virtualservices", "ingresses"] {
        paused(async {
            let door = Closed::default();
            let refused = Arc::new(Mutex::new(0));
            let house = house_under(Webhook { closed: door.clone(), refused: refused.clone() });
            let _live = start(&house, "live", &[]);
            half_way(&house).await;
            *door.lock().unwrap() = Some(closed);
            status(&house, json!({"promoteFull": true})).await;
            seconds(300).await;
            let (mesh, ingress) = shown(&house);
            assert_eq!(if closed == "ingresses" { ingress } else { mesh }, 50, "{closed}");
            assert_eq!(state(&house).0, sizes(4, 4), "{closed}");
            let errors = told(&house, "TrafficRoutingError");
            assert!(errors.iter().any(|what| what.contains("denied")), "{closed}: {errors:?}");
            let asked = *refused.lock().unwrap();
            assert!((5..300).contains(&asked), "{closed}: asked {asked} times in 300 s");
            *door.lock().unwrap() = None;
            seconds(60).await;
            assert_eq!((phase(&house).0, shown(&house)), ("Healthy".to_owned(), (0, 0)), "{closed}");
            assert_eq!(state(&house), (sizes(0, 4), "app:2".to_owned()), "{closed}");
        });
    }
}

#[test]
fn a_canary_that_one_router_does_not_let_go_of_keeps_its_pods() {
    for closed in ["virtualservices", "ingresses"] {
        paused(async {
            let door = Closed::default();
            let house = house_under(Webhook { closed: door.clone(), refused: Arc::default() });
            let _live = start(&house, "live", &[]);
            half_way(&house).await;
            *door.lock().unwrap() = Some(closed);
            status(&house, json!({"abort": true})).await;
            seconds(300).await;
            assert_eq!(state(&house).0, sizes(4, 2), "{closed}");
            *door.lock().unwrap() = None;
            seconds(60).await;
            assert_eq!((shown(&house), state(&house).0), ((0, 0), sizes(4, 0)), "{closed}");
        });
    }
}
