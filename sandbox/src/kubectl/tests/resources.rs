use crate::kubectl::resources::{Resource, built_in};
use serde_json::json;

fn find(group: &str, plural: &str) -> &'static Resource {
    built_in().iter().find(|resource| resource.group == group && resource.plural == plural).unwrap()
}

#[test]
fn built_in_resources_are_those_of_a_real_server() {
    assert_eq!(built_in()[0].plural, "bindings", "the core group is first");
    let pods = find("", "pods");
    assert_eq!((pods.api_version().as_str(), pods.path().as_str()), ("v1", "/api/v1/pods"));
    assert_eq!(pods.short_names, ["po"]);
    assert!(pods.namespaced && pods.allows("deletecollection"));
    let eviction = pods.subresource("eviction").unwrap();
    assert_eq!((eviction.group.as_str(), eviction.kind.as_str()), ("policy", "Eviction"));
    assert_eq!(eviction.verbs, ["create"]);

    let deployments = find("apps", "deployments");
    assert_eq!(deployments.path(), "/apis/apps/v1/deployments");
    assert_eq!(deployments.list_kind(), "DeploymentList");
    assert_eq!(deployments.categories, ["all"]);
    let kinds: Vec<_> =
        deployments.subresources.iter().map(|sub| (sub.name.as_str(), sub.kind.as_str())).collect();
    assert_eq!(kinds, [("scale", "Scale"), ("status", "Deployment")]);
    assert_eq!(deployments.subresource("status").unwrap().group, "apps");

    assert!(!find("", "nodes").namespaced);
    assert!(!find("", "namespaces").allows("deletecollection"));
    assert_eq!(find("", "endpoints").list_kind(), "EndpointsList");
    assert_eq!(find("authorization.k8s.io", "selfsubjectaccessreviews").verbs, ["create"]);
    assert!(built_in().iter().all(|resource| resource.allows("list") != resource.columns.is_empty()));
}

#[test]
fn a_definition_gives_one_resource_for_each_served_version() {
    let crd = json!({"spec": {
    "group": "example.com", "scope": "Cluster",
    "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"], "categories": ["all"]},
    "versions": [
        {"name": "v1", "served": true, "storage": true,
         "schema": {"openAPIV3Schema": {"type": "object"}},
         "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas"}},
         "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
         ]},
        {"name": "v1beta1", "served": true, "storage": false},
        {"name": "v1alpha1", "served": false, "storage": false},
    ]}});
    let resources = Resource::of_crd(&crd);
    assert_eq!(resources.len(), 2);
    let (first, second) = (&resources[0], &resources[1]);
    assert_eq!((first.version.as_str(), first.singular.as_str()), ("v1", "widget"));
    assert_eq!(first.list_kind(), "WidgetList");
    assert!(!first.namespaced && first.allows("watch"));
    assert_eq!(first.subresource("scale").unwrap().kind, "Scale");
    assert_eq!(first.subresource("status").unwrap().group, "example.com");
    assert_eq!(first.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["Name", "Size"]);
    assert_eq!(first.columns[1].priority, 1);
    assert_eq!(*first.custom.as_ref().unwrap().schema, json!({"type": "object"}));
    assert!(first.custom.as_ref().unwrap().stored && !second.custom.as_ref().unwrap().stored);
    assert_eq!(second.columns[1].name, "Age");
    assert!(second.subresources.is_empty());
    assert!(Resource::of_crd(&json!({"spec": {}})).is_empty());
}
