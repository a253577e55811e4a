//! Objects of routers: they are let go when nobody uses them any more, and what nobody may use is not asked for in vain.

use super::*;
use kube::api::DeleteParams;

const HASH: &str = "rollouts-pod-template-hash";
const STABLE_ACTION: &str = "alb.ingress.kubernetes.io/actions.stable";

pub(super) fn ingress() -> Value {
    let backend = json!({"service": {"name": "stable", "port": {"name": "use-annotation"}}});
    let path = json!({"path": "/*", "pathType": "ImplementationSpecific", "backend": backend});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
        "spec": {"ingressClassName": "alb", "rules": [{"http": {"paths": [path]}}]}})
}

pub(super) fn mesh() -> [Value; 2] {
    let api = "networking.istio.io/v1alpha3";
    let to = |subset: &str, weight: u8| json!({"destination": {"host": "web", "subset": subset}, "weight": weight});
    let subset = |name: &str| json!({"name": name, "labels": {"app": "demo"}});
    [
        json!({"apiVersion": api, "kind": "VirtualService", "metadata": {"name": "web"}, "spec": {
            "hosts": ["web"], "http": [{"name": "primary", "route": [to("stable", 100), to("canary", 0)]}]}}),
        json!({"apiVersion": api, "kind": "DestinationRule", "metadata": {"name": "web"}, "spec": {
            "host": "web", "subsets": [subset("stable"), subset("canary")]}}),
    ]
}

fn found(house: &House, version: &str, kind: &str) -> Value {
    house.cluster.object(version, kind, NAMESPACE, "web").unwrap()
}

/// Goes behind these routers, to half of its weight.
async fn half_way(house: &House, routing: &Value) {
    ["stable", "canary"].into_iter().for_each(|name| create(house, service(name)));
    create(
        house,
        rollout(&json!({"stableService": "stable", "canaryService": "canary", "trafficRouting": routing,
            "steps": [{"setWeight": 50}, {"pause": {}}]})),
    );
    until(house, "Healthy").await;
    set_image(house, "app:2").await;
    until(house, "Paused").await;
}

#[test]
fn an_ingress_whose_rollout_is_deleted_leads_to_its_own_service() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        create(&house, ingress());
        half_way(&house, &json!({"alb": {"ingress": "web", "servicePort": 80}})).await;
        let action = |house: &House| {
            let ingress = found(house, "networking.k8s.io/v1", "Ingress");
            ingress["metadata"]["annotations"][STABLE_ACTION].as_str().unwrap_or_default().to_owned()
        };
        assert!(action(&house).contains("\"Weight\":50"), "{}", action(&house));
        rollouts(&house).delete("demo", &DeleteParams::default()).await.unwrap();
        seconds(30).await;
        assert!(action(&house).contains("\"Weight\":100"), "{}", action(&house));
        let annotations =
            found(&house, "networking.k8s.io/v1", "Ingress")["metadata"]["annotations"].to_string();
        assert!(!annotations.contains("managed-alb"), "{annotations}");
    });
}

#[test]
fn a_destination_rule_that_is_named_no_more_has_no_hash() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        mesh().into_iter().for_each(|object| create(&house, object));
        let service = json!({"name": "web", "routes": ["primary"]});
        let rule = json!({"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"});
        half_way(&house, &json!({"istio": {"virtualService": service, "destinationRule": rule}})).await;
        let hashes = |house: &House| {
            let rule = found(house, "networking.istio.io/v1alpha3", "DestinationRule");
            let subsets = rule["spec"]["subsets"].as_array().unwrap().clone();
            subsets.iter().map(|subset| subset["labels"][HASH].is_string()).collect::<Vec<_>>()
        };
        assert_eq!(hashes(&house), [true, true]);
        assert!(has_event(
            &house,
            "Updated VirtualService",
            "VirtualService `web` set to desiredWeight '50'"
        ));
        assert!(has_event(&house, "UpdatedDestinationRule", "DestinationRule web subset updated (canary: "));
        merge(
            &house,
            json!({"spec": {"strategy": {"canary": {"trafficRouting": {"istio": {"destinationRule": null}}}}}}),
        )
        .await;
        seconds(30).await;
        assert_eq!(hashes(&house), [false, false]);
        let rule = found(&house, "networking.istio.io/v1alpha3", "DestinationRule");
        assert_eq!(rule["metadata"]["annotations"], Value::Null);
        let notes = rule["metadata"]["managedFields"].to_string();
        assert!(!notes.contains("rollouts-controller"), "its fields are given back: {notes}");
    });
}

#[test]
fn fields_are_given_back_once_when_an_update_is_over() {
    paused(async {
        let (house, writes) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        mesh().into_iter().for_each(|object| create(&house, object));
        half_way(
            &house,
            &json!({"istio": {"virtualService": {"name": "web", "routes": ["primary"]},
            "destinationRule": {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}}}),
        )
        .await;
        let owners = |house: &House| {
            let service = found(house, "networking.istio.io/v1alpha3", "VirtualService");
            let notes = service["metadata"]["managedFields"].as_array().unwrap().clone();
            notes.iter().map(|note| note["manager"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert!(owners(&house).contains(&"rollouts-controller".to_owned()), "{:?}", owners(&house));
        let promoted = Patch::Merge(json!({"status": {"pauseConditions": null}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &promoted).await.unwrap();
        until(&house, "Healthy").await;
        seconds(120).await;
        assert_eq!(owners(&house), ["by-hand"]);
        let written = || by(&writes, "live").iter().filter(|what| !what.ends_with("leases")).count();
        let before = written();
        seconds(1200).await;
        assert_eq!(written(), before, "and nothing is written at rest");
    });
}

fn gateway() -> Value {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"},
        "spec": {"rules": [{"backendRefs": [to("stable", 100), to("canary", 0)]}]}})
}

fn weighted() -> Value {
    let to = |name: &str, weight: u8| json!({"name": name, "port": 80, "weight": weight});
    json!({"apiVersion": "traefik.io/v1alpha1", "kind": "TraefikService", "metadata": {"name": "web"},
        "spec": {"weighted": {"services": [to("stable", 100), to("canary", 0)]}}})
}

/// A router, with the object in which the canary's weight stands and where it is.
struct Routed {
    routing: Value,
    objects: Vec<Value>,
    /// API version, kind and name.
    object: [&'static str; 3],
    /// Weight of the canary.
    pointer: &'static str,
}

fn every_router() -> [Routed; 4] {
    let mut plain = ingress();
    plain["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = json!({"number": 80});
    let subsets = json!({"virtualService": {"name": "web", "routes": ["primary"]},
        "destinationRule": {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"}});
    [
        Routed {
            routing: json!({"gatewayAPI": {"httpRoute": "web"}}),
            objects: vec![gateway()],
            object: ["gateway.networking.k8s.io/v1", "HTTPRoute", "web"],
            pointer: "/spec/rules/0/backendRefs/1/weight",
        },
        Routed {
            routing: json!({"traefik": {"weightedTraefikServiceName": "web"}}),
            objects: vec![weighted()],
            object: ["traefik.io/v1alpha1", "TraefikService", "web"],
            pointer: "/spec/weighted/services/1/weight",
        },
        Routed {
            routing: json!({"istio": subsets}),
            objects: mesh().to_vec(),
            object: ["networking.istio.io/v1alpha3", "VirtualService", "web"],
            pointer: "/spec/http/0/route/1/weight",
        },
        Routed {
            routing: json!({"nginx": {"stableIngress": "web"}}),
            objects: vec![plain],
            object: ["networking.k8s.io/v1", "Ingress", "demo-web-canary"],
            pointer: "/metadata/annotations/nginx.ingress.kubernetes.io~1canary-weight",
        },
    ]
}

impl Routed {
    fn seen(&self, house: &House) -> Value {
        let [version, kind, name] = self.object;
        house.cluster.object(version, kind, NAMESPACE, name).unwrap()
    }

    fn weight(&self, house: &House) -> i64 {
        let object = self.seen(house);
        let weight = object.pointer(self.pointer).unwrap();
        weight.as_i64().or_else(|| weight.as_str()?.parse().ok()).unwrap()
    }

    async fn half_way(&self, house: &House) {
        self.objects.iter().for_each(|object| create(house, object.clone()));
        half_way(house, &self.routing).await;
        assert_eq!(self.weight(house), 50, "{:?}", self.object);
    }
}

/// A server without watches that begin with what there is: they are refused until somebody lists, which may be forbidden.
struct NoStreams {
    listed: bool,
    forbidden: bool,
}

impl Weather for NoStreams {
    fn call(&mut self, call: &Call, _: Time) -> Fate {
        if call.resource != "traefikservices" {
            return Fate::Answered;
        }
        let refused = |code, reason, message: &str| Fate::Refused {
            applied: false,
            code,
            reason,
            message: message.into(),
        };
        match call.verb {
            "list" if self.forbidden => refused(403, "Forbidden", "cannot list traefikservices"),
            "list" => {
                self.listed = true;
                Fate::Answered
            }
            "watch" if !self.listed => refused(422, "Invalid", "sendInitialEvents is forbidden for watch"),
            _ => Fate::Answered,
        }
    }
}

/// `[traffic.rights]`
#[test]
fn a_server_that_has_no_streaming_lists_is_asked_for_a_list() {
    let [_, router, ..] = every_router();
    paused(async {
        let house = house_under(NoStreams { listed: false, forbidden: false });
        let _live = start(&house, "live", &[]);
        router.half_way(&house).await;
    });
    paused(async {
        let house = house_under(NoStreams { listed: false, forbidden: true });
        let _live = start(&house, "live", &[]);
        router.objects.iter().for_each(|object| create(&house, object.clone()));
        ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
        let routing = &router.routing;
        create(
            &house,
            rollout(
                &json!({"stableService": "stable", "canaryService": "canary", "trafficRouting": routing}),
            ),
        );
        seconds(60).await;
        let (told, message) = phase(&house);
        assert!(told == "Degraded" && message.contains("cannot list traefikservices"), "{told}: {message}");
    });
}

fn has_event(house: &House, reason: &str, message: &str) -> bool {
    let events = house.cluster.objects("v1", "Event", NAMESPACE);
    events
        .iter()
        .any(|event| event["reason"] == reason && event["message"].as_str().unwrap().contains(message))
}

/// Taken out, or the whole strategy changed. `[traffic.left]`
#[test]
fn a_router_that_is_taken_out_in_the_middle_of_an_update_has_no_weight_for_the_canary() {
    let blue_green =
        json!({"activeService": "stable", "previewService": "canary", "autoPromotionEnabled": false});
    for strategy in
        [json!({"canary": {"trafficRouting": null}}), json!({"canary": null, "blueGreen": blue_green})]
    {
        for router in every_router() {
            paused(async {
                let (house, writes) = open(|_, _| false);
                let _live = start(&house, "live", &[]);
                router.half_way(&house).await;
                merge(&house, json!({"spec": {"strategy": strategy}})).await;
                seconds(10).await;
                assert_eq!(router.weight(&house), 0, "{:?} {strategy}", router.object);
                let [_, kind, name] = router.object;
                assert!(has_event(&house, "TrafficReleased", &format!("{kind} {name} is not used any more")));
                let notes = router.seen(&house)["metadata"]["managedFields"].to_string();
                // The canary Ingress is the controller's own.
                assert_eq!(notes.contains("rollouts-controller"), kind == "Ingress", "{notes}");
                let written = || by(&writes, "live").iter().filter(|what| !what.ends_with("leases")).count();
                let before = written();
                seconds(1200).await;
                assert_eq!((router.weight(&house), written()), (0, before), "{:?}", router.object);
            });
        }
    }
}

/// At rest there is nothing of the Rollout's in its routers.
#[test]
fn what_is_at_rest_when_a_router_is_taken_out_is_left_alone() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        let [router, ..] = every_router();
        router.half_way(&house).await;
        let promoted = Patch::Merge(json!({"status": {"pauseConditions": null}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &promoted).await.unwrap();
        until(&house, "Healthy").await;
        seconds(120).await;
        merge(&house, json!({"spec": {"strategy": {"canary": {"trafficRouting": null}}}})).await;
        let group = GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "HTTPRoute");
        let client = Client::new(house.cluster.client("by-hand"), "default");
        let routes: Api<DynamicObject> =
            Api::namespaced_with(client, NAMESPACE, &ApiResource::from_gvk(&group));
        let mut rules = router.seen(&house)["spec"]["rules"].clone();
        rules[0]["backendRefs"][1]["weight"] = json!(33);
        let patch = Patch::Merge(json!({"spec": {"rules": rules}}));
        routes.patch("web", &PatchParams::default(), &patch).await.unwrap();
        seconds(600).await;
        assert_eq!(router.weight(&house), 33);
        assert!(!has_event(&house, "TrafficReleased", ""));
    });
}

/// `[traffic.left]` `[canary.dynamic]`
#[test]
fn a_stable_version_that_has_shrunk_gets_nothing_back_before_it_has_its_pods() {
    paused(async {
        let (house, _) = open(|_, _| false);
        let _live = start(&house, "live", &[]);
        let [router, ..] = every_router();
        router.objects.iter().for_each(|object| create(&house, object.clone()));
        ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
        let mut web = rollout(&json!({"stableService": "stable", "canaryService": "canary",
            "dynamicStableScale": true, "trafficRouting": router.routing,
            "steps": [{"setWeight": 75}, {"pause": {}}]}));
        web["spec"]["replicas"] = json!(4);
        create(&house, web);
        until(&house, "Healthy").await;
        set_image(&house, "app:2").await;
        until(&house, "Paused").await;
        seconds(30).await;
        let left = json!({"trafficRouting": null, "dynamicStableScale": null});
        merge(&house, json!({"spec": {"strategy": {"canary": left}}})).await;
        seconds(900).await;
        assert_eq!(router.weight(&house), 75, "the stable version has one pod");
        let promote = Patch::Merge(json!({"status": {"pauseConditions": null}}));
        rollouts(&house).patch_status("demo", &PatchParams::default(), &promote).await.unwrap();
        until(&house, "Healthy").await;
        seconds(5).await;
        assert_eq!(router.weight(&house), 0, "the new one has them all");
    });
}

/// With its steps, or with another strategy of routes: no step makes it any more, and nobody else knows whose it is.
/// `[traffic.left]`
#[test]
fn a_managed_route_that_is_named_no_more_goes() {
    let [gateway, _, istio, _] = every_router();
    for (router, pointer) in [(gateway, "/spec/rules"), (istio, "/spec/http")] {
        paused(async {
            let (house, _) = open(|_, _| false);
            let _live = start(&house, "live", &[]);
            router.objects.iter().for_each(|object| create(&house, object.clone()));
            ["stable", "canary"].into_iter().for_each(|name| create(&house, service(name)));
            let mut routing = router.routing.clone();
            routing["managedRoutes"] = json!([{"name": "kept"}, {"name": "testers"}]);
            let route = |name: &str| {
                json!({"setHeaderRoute": {"name": name,
                    "match": [{"headerName": "x-group", "headerValue": {"exact": name}}]}})
            };
            let steps = json!([{"setWeight": 20}, route("kept"), route("testers"), {"pause": {}}]);
            let canary = json!({"stableService": "stable", "canaryService": "canary",
                "trafficRouting": routing, "steps": steps});
            create(&house, rollout(&canary));
            until(&house, "Healthy").await;
            set_image(&house, "app:2").await;
            until(&house, "Paused").await;
            let count = || router.seen(&house).pointer(pointer).unwrap().as_array().unwrap().len();
            assert_eq!(count(), 3, "{:?}", router.object);
            let steps = json!([{"setWeight": 20}, route("kept"), {"pause": {}}]);
            let routing = json!({"managedRoutes": [{"name": "kept"}]});
            let canary = json!({"trafficRouting": routing, "steps": steps});
            merge(&house, json!({"spec": {"strategy": {"canary": canary}}})).await;
            seconds(20).await;
            let names = router.seen(&house).to_string();
            assert_eq!((count(), names.contains("testers")), (2, false), "{names}");
            until(&house, "Paused").await;
        });
    }
}
