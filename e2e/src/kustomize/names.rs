//! Names, labels, replicas and namespaces: what the transformer configuration is for.

use super::workshop::{KUSTOMIZATION, TRANSFORM, Without, Workshop, at_path, edit, object, ours, text};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Every name in the kustomization of names begins so, and is `p-` and that when it is followed.
const ORIGINAL: &str = "orig-";
/// What only places inside of pod templates have in their paths.
const IN_POD: &str = "template/spec/";

/// Prefixes and hashes of names reach each field that names something: none keeps the name that it had.
pub(super) fn every_reference_is_followed(workshop: &Workshop) -> Result<()> {
    let objects = workshop.build("names", Without::Nothing)?;
    let mut kept = Vec::new();
    for object in &objects {
        texts(object, &mut |found| {
            if found.starts_with(ORIGINAL) {
                kept.push(format!("{} {}: {found}", text(object, "/kind"), text(object, "/metadata/name")));
            }
        });
    }
    ensure!(kept.is_empty(), "names that were not followed:\n{}", kept.join("\n"));
    let (mut fields, mut missed) = (0, Vec::new());
    let configuration: Value = serde_saphyr::from_str(&fs::read_to_string(ours(TRANSFORM))?)?;
    for reference in list(&configuration, "/nameReference")? {
        let wanted = format!("p-{ORIGINAL}{}", text(reference, "/kind").to_lowercase());
        for field in list(reference, "/fieldSpecs")? {
            let (path, kind) = (text(field, "/path"), text(field, "/kind"));
            // Those of pods are compared with a Deployment's.
            if path.contains(IN_POD) {
                continue;
            }
            fields += 1;
            let of_kind = objects.iter().filter(|object| text(object, "/kind") == kind);
            let mut found = of_kind.flat_map(|object| at_path(object, path)).filter_map(Value::as_str);
            if !found.any(|name| name.starts_with(&wanted)) {
                missed.push(format!("{kind} {path}: {wanted}"));
            }
        }
    }
    ensure!(missed.is_empty(), "fields that the kustomization of names lacks:\n{}", missed.join("\n"));
    ensure!(fields > 60, "only {fields} fields were looked at");
    println!("ok     {fields} fields that name other objects follow prefixes and hashes");
    Ok(())
}

/// Calls with every text in the value.
fn texts(value: &Value, with: &mut impl FnMut(&str)) {
    match value {
        Value::String(found) => with(found),
        Value::Array(items) => items.iter().for_each(|item| texts(item, with)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, with)),
        _ => {}
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> Result<&'a [Value]> {
    let found = value.pointer(pointer).and_then(Value::as_array);
    found.map(Vec::as_slice).with_context(|| format!("no list at {pointer} of {value}"))
}

/// One pod template in all kinds that have one, and in a Deployment, which kustomize knows.
pub(super) fn pods_are_treated_as_those_of_a_deployment(workshop: &Workshop) -> Result<()> {
    let folder = workshop.copy("pods")?;
    write_workloads(&folder)?;
    let objects = workshop.build_in(&folder, Without::Nothing)?;
    let deployment = object(&objects, "Deployment", "p-web")?;
    let rollout = object(&objects, "Rollout", "p-web")?;
    for pointer in ["/spec/template", "/spec/selector", "/metadata/labels"] {
        let of = |object: &Value| object.pointer(pointer).cloned().unwrap_or_default();
        let (found, wanted) = (of(rollout), of(deployment));
        ensure!(
            found.is_object() && found == wanted,
            "{pointer} of a Rollout is {found}, a Deployment's {wanted}"
        );
    }
    // So that the comparison above is of something.
    let whole = deployment.to_string();
    for made in
        ["\"p-settings-", "\"p-password-", "\"p-robot\"", "\"p-disk\"", "\"p-high\"", "http://p-backend"]
    {
        ensure!(whole.contains(made), "the Deployment has no {made}: {whole}");
    }
    ensure!(!whole.contains("$("), "a variable was left in the Deployment: {whole}");
    let wanted = without_selectors(deployment.pointer("/spec/template/spec"));
    let job = "/spec/metrics/0/provider/job/spec/template/spec";
    for (kind, pointer) in [
        ("Experiment", "/spec/templates/0/template/spec"),
        ("AnalysisTemplate", job),
        ("ClusterAnalysisTemplate", job),
        ("AnalysisRun", job),
    ] {
        let found = without_selectors(object(&objects, kind, "p-web")?.pointer(pointer));
        ensure!(
            found.is_object() && found == wanted,
            "the pods of {kind} are {found}, a Deployment's {wanted}"
        );
    }
    println!("ok     the pods of all kinds are treated as those of a Deployment");
    Ok(())
}

/// The spec of a pod without what selects pods by labels: only a Rollout's pods get labels.
fn without_selectors(spec: Option<&Value>) -> Value {
    let mut spec = spec.cloned().unwrap_or_default();
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("affinity");
        fields.remove("topologySpreadConstraints");
    }
    spec
}

fn write_workloads(folder: &Path) -> Result<()> {
    let template: Value = serde_saphyr::from_str(&fs::read_to_string(folder.join("template.yaml"))?)?;
    let selector = json!({"matchLabels": {"app": "web"}});
    let workload = json!({"selector": selector, "template": template});
    let analysis =
        json!({"metrics": [{"name": "job", "provider": {"job": {"spec": {"template": template}}}}]});
    let experiment = json!({"templates": [{"name": "one", "selector": selector, "template": template}]});
    let mut items = Vec::new();
    for (version, kind, spec) in [
        ("apps/v1", "Deployment", &workload),
        ("argoproj.io/v1alpha1", "Rollout", &workload),
        ("argoproj.io/v1alpha1", "Experiment", &experiment),
        ("argoproj.io/v1alpha1", "AnalysisTemplate", &analysis),
        ("argoproj.io/v1alpha1", "ClusterAnalysisTemplate", &analysis),
        ("argoproj.io/v1alpha1", "AnalysisRun", &analysis),
    ] {
        items.push(json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, "spec": spec}));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    Ok(fs::write(folder.join("workloads.yaml"), list.to_string())?)
}

/// Labels and annotations for all make no template and no selector where a Deployment has them, and `replicas` counts
/// a Rollout's pods.
pub(super) fn a_workload_ref_stays_valid(workshop: &Workshop) -> Result<()> {
    let objects = workshop.build("workload", Without::Nothing)?;
    let web = object(&objects, "Rollout", "web")?.get("spec");
    let wanted = json!({
        "replicas": 7, "strategy": {"canary": {}},
        "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pods"},
    });
    ensure!(web == Some(&wanted), "a Rollout with a workloadRef became {web:?}");
    let own = object(&objects, "Rollout", "own")?;
    for (pointer, wanted) in [
        ("/spec/template/metadata/labels", json!({"app": "own", "tier": "front", "release": "7"})),
        ("/spec/template/metadata/annotations", json!({"team": "shop"})),
        ("/spec/selector/matchLabels", json!({"tier": "front"})),
    ] {
        ensure!(own.pointer(pointer) == Some(&wanted), "{pointer} is not {wanted}: {own}");
    }

    let refused = workshop.build("workload", Without::Transform);
    let said = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
    ensure!(said.contains("does not match a config"), "kustomize knows Rollouts by itself now: {said:?}");
    println!("ok     labels leave a workloadRef valid, and replicas are counted");
    Ok(())
}

/// `namespace:` is for objects that have one.
pub(super) fn cluster_wide_templates_have_no_namespace(workshop: &Workshop) -> Result<()> {
    let objects = workshop.build("namespace", Without::Nothing)?;
    for (kind, name, namespace) in [
        ("ClusterAnalysisTemplate", "everywhere", ""),
        ("AnalysisTemplate", "here", "shop"),
        ("ClusterRole", "built-in", ""),
        ("Service", "built-in", "shop"),
    ] {
        let found = text(object(&objects, kind, name)?, "/metadata/namespace");
        ensure!(found == namespace, "{kind} {name} has the namespace {found:?}, not {namespace:?}");
    }
    // The other way round: a schema alone moves nothing.
    let folder = workshop.copy("namespace")?;
    edit(&folder.join(KUSTOMIZATION), |text| text.replace("namespace: shop\n", ""))?;
    for object in workshop.build_in(&folder, Without::Nothing)? {
        ensure!(object.pointer("/metadata/namespace").is_none(), "a namespace was made up: {object}");
    }
    println!("ok     namespaces are left out of what is cluster-wide");
    Ok(())
}
