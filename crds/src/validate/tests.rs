#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::not_built::TABLE;
use super::*;
use crate::rollout::RolloutSpec;
use crate::{LabelSelector, PodTemplate, Rollout};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields that are carried out; `/` at the end takes in all that is below.
const BUILT: &[&str] = &[
    "spec.analysis.successfulRunHistoryLimit",
    "spec.analysis.unsuccessfulRunHistoryLimit",
    "spec.minReadySeconds",
    "spec.paused",
    "spec.progressDeadlineAbort",
    "spec.progressDeadlineSeconds",
    "spec.replicas",
    "spec.restartAt",
    "spec.revisionHistoryLimit",
    "spec.rollbackWindow.revisions",
    "spec.selector/",
    "spec.template/",
    "spec.workloadRef/",
    "spec.strategy.blueGreen.abortScaleDownDelaySeconds",
    "spec.strategy.blueGreen.activeMetadata/",
    "spec.strategy.blueGreen.activeService",
    "spec.strategy.blueGreen.antiAffinity/",
    "spec.strategy.blueGreen.autoPromotionEnabled",
    "spec.strategy.blueGreen.autoPromotionSeconds",
    "spec.strategy.blueGreen.maxUnavailable",
    "spec.strategy.blueGreen.previewMetadata/",
    "spec.strategy.blueGreen.previewReplicaCount",
    "spec.strategy.blueGreen.previewService",
    "spec.strategy.blueGreen.scaleDownDelayRevisionLimit",
    "spec.strategy.blueGreen.scaleDownDelaySeconds",
    "spec.strategy.canary.analysis.startingStep",
    "spec.strategy.canary.antiAffinity/",
    "spec.strategy.canary.canaryMetadata/",
    "spec.strategy.canary.canaryService",
    "spec.strategy.canary.dynamicStableScale",
    "spec.strategy.canary.maxSurge",
    "spec.strategy.canary.maxUnavailable",
    "spec.strategy.canary.pingPong/",
    "spec.strategy.canary.replicaProgressThreshold/",
    "spec.strategy.canary.stableMetadata/",
    "spec.strategy.canary.stableService",
    "spec.strategy.canary.steps[].pause.duration",
    "spec.strategy.canary.steps[].setCanaryScale/",
    "spec.strategy.canary.steps[].setHeaderRoute/",
    "spec.strategy.canary.steps[].setMirrorRoute/",
    "spec.strategy.canary.steps[].setWeight",
    "spec.strategy.canary.trafficRouting.alb/",
    "spec.strategy.canary.trafficRouting.gatewayAPI",
    "spec.strategy.canary.trafficRouting.istio/",
    "spec.strategy.canary.trafficRouting.managedRoutes/",
    "spec.strategy.canary.trafficRouting.maxTrafficWeight",
    "spec.strategy.canary.trafficRouting.nginx/",
    "spec.strategy.canary.trafficRouting.plugins",
    "spec.strategy.canary.trafficRouting.traefik/",
];
/// Lines of the table that refuse a field only with some values.
const IN_PART: &[&str] =
    &["spec.strategy.canary.trafficRouting", "spec.strategy.canary.trafficRouting.plugins"];
/// Places of an analysis, each with all of [`ANALYSIS`].
const ANALYSES: &[&str] = &[
    "spec.strategy.blueGreen.postPromotionAnalysis",
    "spec.strategy.blueGreen.prePromotionAnalysis",
    "spec.strategy.canary.analysis",
    "spec.strategy.canary.steps[].analysis",
];
const ANALYSIS: &[&str] = &[
    "analysisRunMetadata.annotations",
    "analysisRunMetadata.labels",
    "args[].name",
    "args[].value",
    "args[].valueFrom.fieldRef.fieldPath",
    "args[].valueFrom.podTemplateHashValue",
    "dryRun[].metricName",
    "measurementRetention[].limit",
    "measurementRetention[].metricName",
    "templates[].clusterScope",
    "templates[].templateName",
];
/// Fields that mean something beside a router only; routers are in the table. Without one they are accepted and do
/// nothing, or are refused by [`rollout_spec`], as in Argo Rollouts.
const ROUTED_ONLY: &[&str] = &[
    "spec.strategy.canary.abortScaleDownDelaySeconds",
    "spec.strategy.canary.minPodsPerReplicaSet",
    "spec.strategy.canary.scaleDownDelayRevisionLimit",
    "spec.strategy.canary.scaleDownDelaySeconds",
];

/// Paths of all properties that have none below them.
fn leaves(path: &str, schema: &Value, out: &mut BTreeSet<String>) {
    let variants = ["anyOf", "oneOf"].iter().filter_map(|union| schema[*union].as_array()).flatten();
    let structs: Vec<&Value> = variants.chain([schema]).filter(|s| s["properties"].is_object()).collect();
    let list = [schema].into_iter().find(|schema| schema["items"].is_object());
    for schema in &structs {
        for (name, below) in schema["properties"].as_object().unwrap() {
            leaves(&format!("{path}.{name}"), below, out);
        }
    }
    if let Some(schema) = list {
        leaves(&format!("{path}[]"), &schema["items"], out);
    } else if structs.is_empty() {
        out.insert(path.to_owned());
    }
}

fn spec_leaves() -> BTreeSet<String> {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<RolloutSpec>();
    let mut out = BTreeSet::new();
    leaves("spec", schema.as_value(), &mut out);
    out
}

/// Whether `rule` is the leaf or, where it may be, above it.
fn covers(rule: &str, leaf: &str, whole_tree: bool) -> bool {
    let below = leaf.strip_prefix(rule);
    below.is_some_and(|below| below.is_empty() || whole_tree && below.starts_with(['.', '[']))
}

#[test]
fn every_field_of_the_schema_is_built_or_in_the_table() {
    let built = BUILT.iter().chain(ROUTED_ONLY).map(|rule| (*rule).to_owned());
    let analyses =
        ANALYSES.iter().flat_map(|place| ANALYSIS.iter().map(move |field| format!("{place}.{field}")));
    let built: Vec<String> = built.chain(analyses).collect();
    let leaves = spec_leaves();
    assert!(leaves.len() > 150, "the schema was not walked: {leaves:#?}");
    for leaf in &leaves {
        let is_built = built.iter().any(|rule| covers(rule.trim_end_matches('/'), leaf, rule.ends_with('/')));
        let mut missing = TABLE.iter().filter(|entry| !IN_PART.contains(&entry.path));
        let is_missing = missing.any(|entry| covers(entry.path, leaf, true));
        assert!(is_built != is_missing, "{leaf} is built: {is_built}, not built: {is_missing}");
    }
    for rule in &built {
        let exists = leaves.iter().any(|leaf| covers(rule.trim_end_matches('/'), leaf, rule.ends_with('/')));
        assert!(exists, "{rule} is no field of the schema");
    }
    for entry in TABLE {
        assert!(leaves.iter().any(|leaf| covers(entry.path, leaf, true)), "{} is no field", entry.path);
    }
}

fn rollout(spec: &Value) -> Rollout {
    serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec})).unwrap()
}

/// A spec in which `path` is used.
fn using(path: &str) -> Value {
    let mut value = match path.rsplit('.').next().unwrap() {
        "experiment" => json!({"templates": []}),
        "plugin" => json!({"name": "p"}),
        "plugins" => json!({"somebody/other": {}}),
        "ambassador" => json!({"mappings": []}),
        _ => json!({}),
    };
    for part in path.split('.').skip(1).collect::<Vec<_>>().into_iter().rev() {
        value = match part.strip_suffix("[]") {
            // The second step, so that the index is seen.
            Some(list) => json!({list: [{"setWeight": 1}, value]}),
            None => json!({part: value}),
        };
    }
    value
}

#[test]
fn each_line_of_the_table_is_found_and_named() {
    for entry in TABLE {
        let found =
            not_built(&rollout(&using(entry.path))).unwrap_or_else(|| panic!("{} is not found", entry.path));
        assert_eq!(found.path, entry.path.replace("[]", "[1]"));
        assert_eq!(found.kind, InvalidKind::NotBuilt);
        assert!(
            found.message.starts_with("Forbidden: not supported by this version of Stepgate yet: "),
            "{found}"
        );
    }
}

#[test]
fn a_router_that_nobody_knows_is_named() {
    let spec = using("spec.strategy.canary.trafficRouting.skipper");
    let mut beside = spec.clone();
    beside["strategy"]["canary"]["trafficRouting"]["nginx"] = json!({"stableIngress": "web"});
    for spec in [spec, beside] {
        let found = not_built(&rollout(&spec)).expect("it is found");
        assert_eq!(found.path, "spec.strategy.canary.trafficRouting.skipper");
        assert!(
            found
                .message
                .starts_with("Forbidden: no router of this name is known to this version of Stepgate"),
            "{found}"
        );
    }
    // Under our definition the key reaches us.
    let schema = schemars::schema_for!(crate::rollout::traffic::RolloutTrafficRouting);
    assert_eq!(schema.as_value()["x-kubernetes-preserve-unknown-fields"], json!(true));
    assert_eq!(schema.as_value().pointer("/properties/unknown"), None);
}

#[test]
fn what_is_switched_off_is_not_used() {
    for spec in [
        json!({"strategy": {"canary": {"dynamicStableScale": false}}}),
        json!({"strategy": {"canary": {"minPodsPerReplicaSet": 2, "abortScaleDownDelaySeconds": 0}}}),
        json!({"strategy": {"canary": {"steps": [{"setWeight": 1}, {"pause": {}}, {"analysis": {}}]}}}),
    ] {
        assert_eq!(not_built(&rollout(&spec)), None, "{spec}");
    }
}

#[test]
fn metrics_of_three_providers_are_built() {
    let metric =
        |provider: Value| serde_json::from_value(json!({"name": "m", "provider": provider})).unwrap();
    for provider in
        [json!({"prometheus": {}}), json!({"web": {"url": "u"}}), json!({"job": {"spec": {}}}), json!({})]
    {
        assert_eq!(not_built_metric(&metric(provider.clone())), None, "{provider}");
    }
    let found = not_built_metric(&metric(json!({"plugin": {"x/y": {}}}))).unwrap();
    assert_eq!(
        found.to_string(),
        "provider.plugin: Forbidden: not supported by this version of Stepgate yet: prometheus, web and job are"
    );
    // Each provider of the schema is one of the three or is refused.
    let schema = schemars::schema_for!(crate::analysis::provider::MetricProvider);
    let names: Vec<&String> = schema.as_value()["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 3 + 9, "{names:?}");
}

fn template_error(template: &Value) -> String {
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
    let selector =
        LabelSelector { match_labels: serde_json::from_value(labels).unwrap(), match_expressions: None };
    let spec = RolloutSpec {
        selector: Some(selector),
        template: Some(PodTemplate(template.clone())),
        ..serde_json::from_value(json!({"strategy": {"canary": {}}})).unwrap()
    };
    let rollout = Rollout { spec, ..Rollout::default() };
    rollout_spec(&rollout).map_or_else(|invalid| invalid.to_string(), |()| "valid".to_owned())
}

fn container_error(container: &Value) -> String {
    let mut container = container.clone();
    container["name"] = json!("main");
    container["image"] = json!("web:1");
    let pod = json!({"containers": [container], "volumes": [{"name": "v"}]});
    template_error(&json!({"metadata": {"labels": {"a": "b"}}, "spec": pod}))
}

#[test]
fn containers_are_checked_where_the_field_is() {
    let at = "spec.template.spec.containers[0]";
    for (container, error) in [
        (json!({}), "valid".to_owned()),
        (json!({"resources": {"requests": {"cpu": "1000m"}, "limits": {"cpu": 1}}}), "valid".to_owned()),
        (
            json!({"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1G"}}}),
            format!(
                "{at}.resources.requests: Invalid value: \"1Gi\": must be less than or equal to memory limit of 1G"
            ),
        ),
        (
            json!({"resources": {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}}}),
            format!(
                "{at}.resources.requests: Invalid value: \"1\": must be equal to nvidia.com/gpu limit of 2"
            ),
        ),
        (
            json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/a"}]}),
            format!("{at}.volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique"),
        ),
        (
            json!({"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}}),
            format!("{at}.livenessProbe.successThreshold: Invalid value: 2: must be 1"),
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]}),
            "valid".to_owned(),
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}}]}),
            "valid".to_owned(),
        ),
        (json!({"ports": [{}]}), format!("{at}.ports[0].containerPort: Required value")),
    ] {
        assert_eq!(container_error(&container), error, "{container}");
    }
}

#[test]
fn names_follow_the_api_servers_syntax() {
    for (good, text) in [(true, "a"), (true, "a-1"), (false, ""), (false, "A"), (false, "-a"), (false, "a_b")]
    {
        assert_eq!(labels::dns_label(text).is_ok(), good, "{text}");
    }
    for (good, text) in
        [(true, "a_B.c"), (true, "x.io/Y"), (false, "/a"), (false, "a/"), (false, "a/b/c"), (false, "X/a")]
    {
        assert_eq!(labels::qualified_name(text).is_ok(), good, "{text}");
    }
    assert_eq!(labels::label_value(&"a".repeat(63)), Ok(()));
    assert_eq!(labels::label_value(&"a".repeat(64)), Err("must be no more than 63 characters".to_owned()));
    for (good, text) in
        [(true, "http"), (true, "a-1"), (false, "1"), (false, "a--b"), (false, "-a"), (false, "aB")]
    {
        assert_eq!(labels::port_name(text).is_ok(), good, "{text}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let keys =
        "name|image|env|ports|volumes|limits|requests|resources|spec|metadata|labels|containers|cpu|emptyDir";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zé0-9 /.-]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// The API server keeps what it does not know, so a template can hold anything.
    #[test]
    fn no_template_breaks_the_checks(pod in any_json(), container in any_json(), limits in any_json()) {
        template_error(&json!({"metadata": {"labels": {"a": "b"}}, "spec": pod}));
        let pod = json!({"containers": [{"name": "a", "image": "b", "resources": {"limits": limits}}, container]});
        template_error(&json!({"metadata": {"labels": {"a": "b"}}, "spec": pod}));
    }
}
