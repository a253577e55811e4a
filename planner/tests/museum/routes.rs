//! Canaries behind routers: what stands in the routers' own objects.

use crate::mesh::{
    LAG, behind_a_mesh, behind_a_route, everybody_is_served, healthy, objects_of_a_mesh, routing_of_a_mesh,
    strategy, weight,
};
use crate::play::Play;
use serde_json::{Value, json};

/// An object of the router.
fn object<'p>(play: &'p Play, kind: &str) -> &'p Value {
    let objects = &play.model.objects.as_ref().unwrap().0;
    objects
        .iter()
        .find(|(reference, _)| reference.kind.kind == kind)
        .map(|(_, object)| object.as_ref())
        .unwrap()
}

#[test]
pub(crate) fn weight_before_destination() {
    for (first, second) in [(5, 70), (70, 5), (50, 50)] {
        for dynamic in [false, true] {
            // A mesh that selects versions itself needs no Services.
            let more = json!({"dynamicStableScale": dynamic, "stableService": null, "canaryService": null});
            let mut play = behind_a_mesh(20, &json!([{"setWeight": first}, {"pause": {}}]), &more);
            play.model.set_image("app:2");
            play.watch(200, everybody_is_served);
            assert_eq!(weight(&play), first);
            // Another version overtakes it, the first one comes back, and the next one is promoted.
            let steps = json!([{"setWeight": second}, {"pause": {}}]);
            play.model.patch(&json!({"spec": {"strategy": {"canary": {"steps": steps}}}}));
            play.model.set_image("app:3");
            play.watch(400, everybody_is_served);
            assert_eq!((weight(&play), play.phase().as_str()), (second, "Paused"));
            play.model.set_image("app:1");
            play.watch(400, everybody_is_served);
            assert_eq!((weight(&play), play.phase().as_str()), (0, "Healthy"));
            play.model.set_image("app:4");
            play.watch(200, everybody_is_served);
            play.model.act("promote", &Value::Null);
            play.watch(400, everybody_is_served);
            assert_eq!((weight(&play), play.stable().as_str()), (0, "h4"));
        }
    }
}

#[test]
pub(crate) fn first_deploy_behind_a_mesh() {
    let strategy = strategy(&json!([{"setWeight": 50}]), &routing_of_a_mesh(), &json!({}));
    let mut play = Play::begun("app:1", 4, &strategy, &json!({}));
    play.model.add_objects(&objects_of_a_mesh());
    play.model.world.settings.settle_seconds = LAG;
    // Pods of the Deployment that the Rollout is to replace carry the same label, and no hash.
    play.watch(60, |play| {
        for subset in object(play, "DestinationRule")["spec"]["subsets"].as_array().unwrap() {
            let hash = subset["labels"]["rollouts-pod-template-hash"].as_str();
            let set = hash.map(|hash| play.set(&play.model.plain(hash)));
            assert!(set.is_none_or(|set| set.counts.available == 4), "{subset} selects {set:?}");
        }
        for service in ["stable", "canary"] {
            let version = play.selected(service);
            assert!(version.is_empty() || play.set(&version).counts.available == 4, "{service}: {version}");
        }
    });
    assert_eq!((play.phase().as_str(), weight(&play)), ("Healthy", 0));
}

#[test]
pub(crate) fn weights_out_of_range() {
    let steps = json!([{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]);
    for scaled in [2, 4, 16] {
        let mut play = behind_a_route(8, &steps, &json!({"dynamicStableScale": true}));
        play.model.set_image("app:2");
        let in_range = |play: &Play| {
            for told in &play.model.told {
                for (_, split) in &told.splits {
                    assert!(
                        (0..=100).contains(&split.canary) && (0..=100).contains(&split.stable),
                        "{split:?}"
                    );
                }
            }
            for rule in object(play, "HTTPRoute")["spec"]["rules"].as_array().unwrap().iter().skip(1) {
                let weight = |backend: &Value| backend["weight"].as_i64().unwrap_or(1);
                let sum: i64 = rule["backendRefs"].as_array().unwrap().iter().map(weight).sum();
                assert!(sum == 100 || sum == 1, "{rule}");
            }
            if let Some(weights) = play.status().canary.and_then(|canary| canary.weights) {
                let (canary, stable) = (weights.canary.weight, weights.stable.weight);
                assert_eq!(canary.clamp(0, 100) + stable.clamp(0, 100), 100, "{weights:?}");
            }
        };
        play.watch(200, in_range);
        play.model.act("promote", &Value::Null);
        play.watch(20, in_range);
        assert_eq!(weight(&play), 75);
        play.model.act("abort", &Value::Null);
        play.watch(1, in_range);
        assert!(play.model.act("scale", &json!(scaled)));
        play.watch(300, in_range);
        assert_eq!(weight(&play), 0);
    }
}

/// The rules of the HTTPRoute and the subsets of the DestinationRule that are not ours.
fn theirs(play: &Play) -> Vec<String> {
    let list = |value: &Value, path: &str| {
        value.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let objects = play.model.objects.as_ref().unwrap().0.values();
    let mine = |one: &Value| {
        one["name"] == "testers" || one.to_string().contains("stable") || one.to_string().contains("canary")
    };
    let all = objects.flat_map(|object| {
        [list(object, "/spec/rules"), list(object, "/spec/subsets"), list(object, "/spec/http")].concat()
    });
    all.filter(|one| !mine(one)).map(|one| one.to_string()).collect()
}

#[test]
pub(crate) fn foreign_routes_removed() {
    let header = json!({"headerName": "X-Tester", "headerValue": {"exact": "yes"}});
    let steps = json!([{"setWeight": 25}, {"setHeaderRoute": {"name": "testers", "match": [header]}},
        {"pause": {"duration": "30s"}}]);
    let route = behind_a_route as fn(i32, &Value, &Value) -> Play;
    for (made, kind) in [(route, "HTTPRoute"), (behind_a_mesh, "VirtualService")] {
        let mut play = made(4, &steps, &json!({}));
        let before = theirs(&play);
        assert_eq!(before.len(), 1, "{before:?}");
        let mut seen = 0;
        for (version, seconds) in [(2, 100), (3, 20), (4, 5), (5, 70), (6, 1)] {
            play.model.set_image(&format!("app:{version}"));
            play.watch(seconds, |play| {
                assert_eq!(theirs(play), before);
                seen += usize::from(object(play, kind).to_string().contains("X-Tester"));
            });
        }
        assert!(seen > 0, "no route was made");
        play.watch(600, |play| {
            assert_eq!(theirs(play), before);
            seen += usize::from(object(play, kind).to_string().contains("X-Tester"));
        });
        assert_eq!((play.phase().as_str(), play.stable().as_str()), ("Healthy", "h6"));
        let left = object(&play, kind)["spec"].to_string();
        assert!(!left.contains("testers") && !left.contains("X-Tester"), "{left}");
    }
}

/// The pods that a load balancer has on its list for a Service: it takes out at once what the Service does not select
/// any more, and knows a pod a while after it was selected and ready.
#[derive(Default)]
struct LoadBalancer {
    since: std::collections::BTreeMap<(String, String), crds::Time>,
}

impl LoadBalancer {
    fn look(&mut self, play: &Play) {
        let now = play.model.now;
        let mut listed = std::collections::BTreeMap::new();
        for service in ["stable", "canary", "active", "preview"] {
            let hash = play.model.world.services[service].hash().to_owned();
            let sets =
                play.model.world.replica_sets.iter().filter(|set| hash.is_empty() || set.hash() == hash);
            for set in sets {
                let ready = |at: Option<crds::Time>| at.is_some_and(|at| at <= now);
                for pod in play.model.pods.iter().filter(|pod| pod.set == set.name && ready(pod.ready)) {
                    let key = (service.to_owned(), pod.name.clone());
                    let since = self.since.get(&key).copied().unwrap_or(now);
                    listed.insert(key, since);
                }
            }
        }
        self.since = listed;
    }

    /// Pods of a Service that get requests.
    fn healthy(&self, play: &Play, service: &str) -> usize {
        // It is looked at every two seconds.
        let known = |since: &crds::Time| since.plus_seconds(LAG - 3) <= play.model.now;
        self.since.iter().filter(|((name, _), since)| name == service && known(since)).count()
    }

    /// No weight on a list without healthy pods.
    fn serves(&self, play: &Play) {
        let planner::traffic::Roles { canary, stable } = planner::traffic::roles(&play.model.world.rollout);
        for view in &play.model.world.routers {
            for split in &view.observed.as_ref().unwrap().splits {
                for (service, weight) in [(&canary, split.canary), (&stable, split.stable)] {
                    let pods = self.healthy(play, service);
                    assert!(
                        weight == 0 || pods > 0,
                        "{service} gets {weight} of {split:?} at {}",
                        play.model.now
                    );
                }
            }
        }
    }
}

#[test]
pub(crate) fn load_balancer_behind_the_selector() {
    // A pod is available once the load balancer knows it: by a readiness gate, or by waiting.
    let known = json!({"minReadySeconds": LAG + 2});
    let steps = json!([{"setWeight": 50}, {"pause": {"duration": "60s"}}]);
    let alb = json!({"alb": {"ingress": "web", "rootService": "root", "servicePort": 80}});
    let ingress = json!({"kind": "Ingress", "metadata": {"name": "web"}, "spec": {"rules": [{"http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "root", "port": {"name": "use-annotation"}}}},
    ]}}]}});
    let pair = json!({"stableService": null, "canaryService": null,
        "pingPong": {"pingService": "active", "pongService": "preview"}});
    let route = json!({"kind": "HTTPRoute", "metadata": {"name": "web"}, "spec": {"rules": [
        {"backendRefs": [{"name": "stable", "port": 80}, {"name": "canary", "port": 80, "weight": 0}]},
    ]}});
    let gateway = json!({"gatewayAPI": {"httpRoute": "web"}});
    for (routing, more, object) in [
        (&alb, pair, &ingress),
        (&gateway, json!({}), &route),
        (&gateway, json!({"dynamicStableScale": true}), &route),
    ] {
        let mut play = healthy(6, &steps, routing, &more, std::slice::from_ref(object), &known);
        let lists = json!({"stepgate.dev/traffic-lists-pods": "true"});
        play.model.patch(&json!({"metadata": {"annotations": lists}}));
        play.run(5);
        let mut balancer = LoadBalancer::default();
        balancer.look(&play);
        play.watch(LAG as u64 + 1, |play| balancer.look(play));
        for version in 2..=3 {
            play.model.set_image(&format!("app:{version}"));
            for second in (0..400).step_by(2) {
                // The last one is promoted in full as soon as it has a part of the traffic.
                if version == 3 && second == 150 {
                    assert_eq!(weight(&play), 50, "{more}");
                    play.model.act("promoteFull", &Value::Null);
                }
                play.watch(2, |play| {
                    balancer.look(play);
                    balancer.serves(play);
                });
            }
            assert_eq!(
                (play.phase(), play.stable()),
                ("Healthy".to_owned(), format!("h{version}")),
                "{more}"
            );
        }
    }
}
