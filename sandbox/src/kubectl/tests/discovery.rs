use crate::kubectl::discovery::{Answer, answer};
use crate::kubectl::openapi::schema_of;
use crate::kubectl::resources::{Resource, built_in};
use serde_json::{Value, json};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

fn definition() -> Value {
    json!({"spec": {
    "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
    "versions": [
        {"name": "v1beta1", "served": true, "storage": false},
        {"name": "v1", "served": true, "storage": true, "subresources": {"scale": {}}, "schema": {"openAPIV3Schema":
            {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}},
    ]}})
}

fn ask(path: &str, accept: &str) -> Option<Answer> {
    // The order of the answer does not depend on that of the resources.
    let all: Vec<Resource> =
        Resource::of_crd(&definition()).into_iter().chain(built_in().iter().rev().cloned()).collect();
    answer(path, accept, &all)
}

fn body(path: &str) -> Value {
    ask(path, "").unwrap().body
}

#[test]
fn groups_and_versions_are_listed() {
    assert_eq!(body("/api")["versions"], json!(["v1"]));
    let groups = body("/apis")["groups"].clone();
    let names: Vec<&str> =
        groups.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last(), names.len()), (Some(&"apps"), Some(&"example.com"), 13));
    let widgets = body("/apis/example.com");
    assert_eq!(widgets["preferredVersion"]["groupVersion"], "example.com/v1");
    assert_eq!(widgets["versions"][1]["version"], "v1beta1");
    assert_eq!(widgets["kind"], "APIGroup");
    assert_eq!(body("/version")["major"], "1");
}

/// As the real server answers, but for `storageVersionHash`, which nobody reads.
#[test]
fn one_version_lists_its_resources_and_their_subresources() {
    let apps = body("/apis/apps/v1");
    assert_eq!((&apps["kind"], &apps["groupVersion"]), (&json!("APIResourceList"), &json!("apps/v1")));
    let resources = apps["resources"].as_array().unwrap();
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    assert_eq!(
        resources[3],
        json!({"name": "deployments", "singularName": "deployment", "namespaced": true, "kind": "Deployment",
            "verbs": verbs, "shortNames": ["deploy"], "categories": ["all"]})
    );
    assert_eq!(
        resources[4],
        json!({"name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
            "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]})
    );
    assert_eq!(resources[5]["name"], "deployments/status");
    assert_eq!(resources[5].get("group"), None);
}

#[test]
fn aggregated_discovery_has_all_at_once() {
    let answer = ask("/apis", AGGREGATED).unwrap();
    assert_eq!(answer.content_type, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
    let groups = answer.body["items"].as_array().unwrap();
    let widgets = groups.last().unwrap();
    assert_eq!(widgets["metadata"]["name"], "example.com");
    assert_eq!(widgets["versions"][0]["version"], "v1");
    let widget = &widgets["versions"][0]["resources"][0];
    assert_eq!(widget["responseKind"], json!({"group": "example.com", "version": "v1", "kind": "Widget"}));
    assert_eq!((&widget["scope"], &widget["singularResource"]), (&json!("Namespaced"), &json!("widget")));
    assert_eq!(widget["subresources"][0]["responseKind"]["group"], "autoscaling");
    let core = ask("/api", AGGREGATED).unwrap().body;
    assert_eq!(core["items"][0]["versions"][0]["resources"][0]["resource"], "bindings");
    assert_eq!(ask("/apis", "application/json").unwrap().content_type, "application/json");
    assert_eq!(ask("/apis", "application/json").unwrap().body["kind"], "APIGroupList");
}

#[test]
fn what_is_not_there_is_not_answered() {
    for path in [
        "/apis/example.org",
        "/apis/apps/v2",
        "/api/v2",
        "/openapi/v2",
        "/openapi/v3/apis/apps/v2",
        "/apis/",
        "/",
    ] {
        let found = ask(path, "");
        assert_eq!(found.is_none(), path != "/apis/", "{path}");
    }
    assert!(ask("/apis//v1", "").is_none() && ask("/api/v1/pods", "").is_none());
}

#[test]
fn documents_have_the_schemas_that_they_refer_to() {
    let index = body("/openapi/v3");
    assert_eq!(index["paths"].as_object().unwrap().len(), 15);
    for (path, entry) in index["paths"].as_object().unwrap() {
        let address = entry["serverRelativeURL"].as_str().unwrap();
        assert!(address.starts_with(&format!("/openapi/v3/{path}?hash=")), "{address}");
        let document = body(&format!("/openapi/v3/{path}"));
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{path} lacks {name}");
        }
    }
}

#[test]
fn writes_can_be_validated_by_the_server() {
    let document = body("/openapi/v3/apis/example.com/v1");
    let patch = &document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]["patch"];
    assert!(patch["parameters"].as_array().unwrap().iter().any(|own| own["name"] == "fieldValidation"));
    assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Widget");
    assert_eq!(patch["x-kubernetes-action"], "patch");
    let widget = &document["components"]["schemas"]["com.example.v1.Widget"];
    assert_eq!(widget["properties"]["spec"]["properties"]["size"]["type"], "integer");
    assert!(widget["properties"]["metadata"]["allOf"][0]["$ref"].as_str().unwrap().ends_with("ObjectMeta"));
    let scale = &document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}/scale"];
    assert_eq!(scale["get"]["x-kubernetes-group-version-kind"]["kind"], "Scale");
    let nodes = body("/openapi/v3/api/v1")["paths"]["/api/v1/nodes/{name}"]["put"].clone();
    assert_eq!(nodes["x-kubernetes-group-version-kind"]["kind"], "Node");
}

/// A client that kept a document asks again when it has changed.
#[test]
fn the_address_of_a_document_changes_with_the_definition() {
    let address = |definition: &Value| {
        let body = answer("/openapi/v3", "", &Resource::of_crd(definition)).unwrap().body;
        body["paths"]["apis/example.com/v1"]["serverRelativeURL"].as_str().unwrap().to_owned()
    };
    let mut changed = definition();
    changed["spec"]["versions"][1]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["more"] =
        json!({"type": "string"});
    assert_eq!(address(&definition()), address(&definition()));
    assert_ne!(address(&definition()), address(&changed));
}

#[test]
fn built_in_kinds_have_schemas() {
    let deployment = schema_of("apps", "v1", "Deployment").unwrap();
    assert!(deployment["properties"]["spec"].is_object());
    assert!(schema_of("", "v1", "Pod").is_some() && schema_of("apps", "v1", "Pod").is_none());
}
