#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use super::*;
use crds::analysis::template::ValueFrom;
use crds::rollout::analysis::AnalysisRunArgument;
use serde_json::json;

fn metric(json: serde_json::Value) -> Metric {
    serde_json::from_value(json).unwrap()
}

fn value(name: &str, value: &str) -> Argument {
    Argument { name: name.into(), value: Some(value.into()), value_from: None }
}

fn secret(name: &str) -> Argument {
    let reference = SecretKeyRef { name: "login".into(), key: "token".into() };
    let from = ValueFrom { secret_key_ref: Some(reference), field_ref: None };
    Argument { name: name.into(), value: None, value_from: Some(from) }
}

fn secrets() -> Secrets {
    Secrets([("login".to_owned(), Some([("token".to_owned(), "s3cret".to_owned())].into()))].into())
}

#[test]
fn values_are_put_into_texts_keys_and_numbers() {
    let before = metric(json!({"name": "{{args.n}}", "count": "{{ args.c }}", "provider":
        {"job": {"metadata": {"labels": {"{{args.n}}": "x-{{args.q}}-y"}}, "spec": {}}}}));
    let args = [value("n", "one"), value("c", "3"), value("q", "a\"b\\c")];
    let after = resolve_metric(&before, &args, None).unwrap();
    assert_eq!(after.name, "one");
    assert_eq!(after.count, Some(crds::IntOrString::String("3".into())));
    let labels = after.provider.job.unwrap().metadata.unwrap().labels.unwrap();
    assert_eq!(labels.get("one").map(String::as_str), Some("x-a\"b\\c-y"));
}

#[test]
fn a_value_is_not_searched_for_placeholders() {
    let before = metric(json!({"name": "m", "successCondition": "{{args.a}}", "provider": {}}));
    let args = [value("a", "{{args.t}}"), secret("t")];
    let after = resolve_metric(&before, &args, Some(&secrets())).unwrap();
    assert_eq!(after.success_condition.as_deref(), Some("{{args.t}}"));
}

#[test]
fn secrets_stay_placeholders_until_they_are_needed() {
    let before = metric(json!({"name": "m", "successCondition": "x {{args.t}}", "provider": {}}));
    let args = [secret("t")];
    let shown = resolve_metric(&before, &args, None).unwrap();
    assert_eq!(shown.success_condition.as_deref(), Some("x {{args.t}}"));
    let used = resolve_metric(&before, &args, Some(&secrets())).unwrap();
    assert_eq!(used.success_condition.as_deref(), Some("x s3cret"));
    assert_eq!(Redactor::new(&args, &secrets()).text("x s3cret failed"), "x ***** failed");
    assert!(!format!("{:?} {:?}", secrets(), Redactor::new(&args, &secrets())).contains("s3cret"));
}

#[test]
fn what_is_missing_is_named() {
    let plain = [metric(json!({"name": "m", "provider": {}}))];
    let of = |args: &[Argument], secrets: &Secrets| {
        resolve_metrics(&plain, args, secrets).unwrap_err().to_string()
    };
    let empty = Argument { name: "t".into(), ..Argument::default() };
    assert_eq!(of(&[empty], &Secrets::default()), "argument \"t\" was not supplied");
    assert_eq!(of(&[secret("t")], &Secrets::default()), "secrets \"login\" not found");
    let bare = Secrets([("login".to_owned(), Some(BTreeMap::new()))].into());
    assert_eq!(of(&[secret("t")], &bare), "key 'token' does not exist in secret 'login'");
    let unknown = metric(json!({"name": "{{ foo.t }}", "provider": {}}));
    let error = resolve_metric(&unknown, &[], None).unwrap_err();
    assert_eq!(error.to_string(), "failed to resolve {{ foo.t }}");
}

#[test]
fn a_rollouts_fields_are_read() {
    let rollout = json!({"metadata": {"name": "web", "labels": {"app": "shop"}},
        "spec": {"replicas": 3, "template": {"spec": {"containers": [{"image": "a:1"}]}}}});
    let facts = RolloutFacts { rollout: &rollout, stable_hash: "old", latest_hash: "new" };
    let of = |json: serde_json::Value| {
        let arg: AnalysisRunArgument = serde_json::from_value(json).unwrap();
        arguments_of_rollout(&[arg], facts).map(|args| args.into_iter().next().unwrap().value.unwrap())
    };
    let field = |path: &str| of(json!({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}}));
    assert_eq!(of(json!({"name": "a", "value": "v"})).unwrap(), "v");
    assert_eq!(of(json!({"name": "a", "valueFrom": {"podTemplateHashValue": "Latest"}})).unwrap(), "new");
    assert_eq!(of(json!({"name": "a", "valueFrom": {"podTemplateHashValue": "Stable"}})).unwrap(), "old");
    assert_eq!(field("metadata.labels['app']").unwrap(), "shop");
    assert_eq!(field("metadata.labels['none']").unwrap(), "");
    assert_eq!(field("spec.replicas").unwrap(), "3");
    assert_eq!(field("spec.template.spec.containers[0].image").unwrap(), "a:1");
    assert!(matches!(field("spec.template"), Err(ArgumentError::NoField { .. })));
    assert!(matches!(field("metadata.finalizers"), Err(ArgumentError::UnsupportedField { .. })));
}
