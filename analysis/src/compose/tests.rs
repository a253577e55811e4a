#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use serde_json::json;

fn template(json: serde_json::Value) -> AnalysisTemplateSpec {
    serde_json::from_value(json).unwrap()
}

fn refs(json: serde_json::Value) -> Vec<AnalysisTemplateRef> {
    serde_json::from_value(json).unwrap()
}

fn names<'a>(found: &[Found<'a>]) -> Vec<&'a str> {
    found.iter().map(|found| found.name).collect()
}

#[test]
fn nested_templates_are_found_once_and_cluster_templates_come_last() {
    let outer = template(
        json!({"templates": [{"templateName": "c", "clusterScope": true}, {"templateName": "inner"}]}),
    );
    let inner = template(json!({"metrics": [{"name": "i", "provider": {}}]}));
    let wide = template(json!({"metrics": [{"name": "w", "provider": {}}]}));
    let templates = Templates {
        namespaced: [("outer", &outer), ("inner", &inner)].into(),
        cluster: [("c", &wide)].into(),
    };
    let asked = refs(json!([{"templateName": "outer"}, {"templateName": "inner"}]));
    let found = collect(&asked, &templates).unwrap();
    assert_eq!(names(&found), ["outer", "inner", "c"]);
    let metrics: Vec<_> = compose(&found).unwrap().metrics.into_iter().map(|metric| metric.name).collect();
    assert_eq!(metrics, ["i", "w"]);
}

#[test]
fn a_circle_and_a_missing_template_are_named() {
    let a = template(json!({"templates": [{"templateName": "b"}]}));
    let b = template(json!({"templates": [{"templateName": "a"}]}));
    let templates = Templates { namespaced: [("a", &a), ("b", &b)].into(), cluster: BTreeMap::new() };
    let asked = refs(json!([{"templateName": "a"}]));
    let error = collect(&asked, &templates).unwrap_err();
    assert_eq!(error, ComposeError::Cycle { path: vec!["a".into(), "b".into(), "a".into()] });
    let asked = refs(json!([{"templateName": "nope", "clusterScope": true}]));
    let error = collect(&asked, &templates).unwrap_err();
    assert_eq!(error.to_string(), "ClusterAnalysisTemplate 'nope' not found");
}

#[test]
fn arguments_merge_and_the_caller_wins() {
    let t = template(json!({"args": [{"name": "a"}, {"name": "b", "value": "1"}]}));
    let u = template(json!({"args": [{"name": "a", "value": "x"}]}));
    let found =
        [Found { name: "t", cluster: false, spec: &t }, Found { name: "u", cluster: false, spec: &u }];
    let composed = compose(&found).unwrap();
    let given = [
        Argument { name: "b".into(), value: Some("2".into()), value_from: None },
        Argument { name: "zzz".into(), value: Some("dropped".into()), value_from: None },
    ];
    let spec = new_run_spec(composed, &given, &[], &[]).unwrap();
    let args: Vec<_> = spec.args.unwrap().into_iter().map(|arg| (arg.name, arg.value.unwrap())).collect();
    assert_eq!(args, [("a".into(), "x".into()), ("b".into(), "2".into())]);
}

#[test]
fn conflicts_have_the_known_messages() {
    let message = |left: serde_json::Value, right: serde_json::Value| {
        let (left, right) = (template(left), template(right));
        let found = [
            Found { name: "l", cluster: false, spec: &left },
            Found { name: "r", cluster: false, spec: &right },
        ];
        compose(&found)
            .and_then(|composed| new_run_spec(composed, &[], &[], &[]))
            .map_or_else(|error| error.to_string(), |_| String::new())
    };
    let metric = json!({"metrics": [{"name": "m", "provider": {}}]});
    assert_eq!(message(metric.clone(), metric), "two metrics have the same name 'm'");
    assert_eq!(
        message(
            json!({"args": [{"name": "a", "value": "x"}]}),
            json!({"args": [{"name": "a", "value": "y"}]})
        ),
        "Argument `a` specified multiple times with different values: 'x', 'y'"
    );
    let dry = json!({"dryRun": [{"metricName": "m"}]});
    assert_eq!(message(dry.clone(), dry), "two Dry-Run metric rules have the same name 'm'");
    assert_eq!(message(json!({"args": [{"name": "a"}]}), json!({})), "args.a was not resolved");
}

/// Seen in Argo Rollouts' own tests, too: a template whose arguments have defaults for count and interval is valid.
#[test]
fn a_step_needs_an_end() {
    let secret = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    let args = json!([{"name": "c"}, {"name": "two", "value": "2"}, {"name": "secret", "valueFrom": secret}]);
    let check = |count: serde_json::Value| {
        let metric = json!({"name": "m", "interval": "1s", "count": count, "provider": {}});
        let spec = template(json!({"args": args, "metrics": [metric]}));
        check_finite(&Found { name: "t", cluster: false, spec: &spec })
            .map_or_else(|error| error.to_string(), |()| String::new())
    };
    let endless = |count: &str| {
        format!("AnalysisTemplate t has metric m which runs indefinitely. Invalid value for count: {count}")
    };
    assert_eq!(check(json!(3)), "");
    assert_eq!(check(json!(null)), endless("<nil>"));
    assert_eq!(check(json!("{{args.c}}")), endless("dummy-value"));
    assert_eq!(check(json!("abc")), endless("abc"));
    assert_eq!(check(json!("{{args.two}}")), "", "its own argument says how often");
    assert_eq!(check(json!("{{args.secret}}")), endless("dummy-value"));
    assert_eq!(check(json!("{{ args.zzz }}")), "AnalysisTemplate t: failed to resolve {{ args.zzz }}");
}
