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
        merge(
            &house,
            json!({"spec": {"strategy": {"canary": {"trafficRouting": {"istio": {"destinationRule": null}}}}}}),
        )
        .await;
        seconds(30).await;
        assert_eq!(hashes(&house), [false, false]);
        let rule = found(&house, "networking.istio.io/v1alpha3", "DestinationRule");
        assert_eq!(rule["metadata"]["annotations"], Value::Null);
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
