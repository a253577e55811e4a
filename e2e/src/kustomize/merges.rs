//! Strategic merge patches: what the schema is for.

use super::workshop::{Without, Workshop, at_path, object, text};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

const JOB: &str = "spec/metrics/provider/job/spec/template";

/// Patches change what they name and leave the rest, in each kind of ours; steps are replaced.
pub(super) fn lists_merge_as_those_of_a_deployment(workshop: &Workshop) -> Result<()> {
    let objects = workshop.build("patches", Without::Nothing)?;
    let wanted = object(&objects, "Deployment", "web")?;
    let containers = at_path(wanted, "spec/template/spec/containers/name");
    ensure!(containers == ["side", "app"], "the Deployment has the containers {containers:?}");
    for (kind, name, template) in [
        ("Rollout", "web", "spec/template"),
        ("Rollout", "shop", "spec/template"),
        ("AnalysisTemplate", "error-rate", JOB),
        ("ClusterAnalysisTemplate", "error-rate", JOB),
        ("AnalysisRun", "error-rate", JOB),
        ("Experiment", "compare", "spec/templates/template"),
    ] {
        let found = object(&objects, kind, name)?;
        for field in ["containers/image", "containers/env", "containers/ports", "volumes"] {
            // The patched template comes first in an Experiment, too.
            let of = |object, template: &str| at_path(object, &format!("{template}/spec/{field}"));
            let (all, wanted) = (of(found, template), of(wanted, "spec/template"));
            let found = all.get(..wanted.len()).unwrap_or_default();
            ensure!(found == wanted, "{kind} {name}: {field} is {found:?}, a Deployment's {wanted:?}");
        }
    }
    own_lists(&objects)?;

    let objects = workshop.build("patches", Without::Schema)?;
    let rollout = object(&objects, "Rollout", "web")?;
    let images = at_path(rollout, "spec/template/spec/containers/image");
    ensure!(images == ["registry.example/side:2"], "without a schema the images are {images:?}");
    println!("ok     strategic merge patches merge lists of our kinds by their keys");
    Ok(())
}

fn own_lists(objects: &[Value]) -> Result<()> {
    let args = json!([{"name": "limit", "value": "2"}, {"name": "service", "value": "web"}]);
    for (kind, name, path, wanted) in [
        ("Rollout", "web", "spec/strategy/canary/analysis/args", args.clone()),
        ("Rollout", "shop", "spec/strategy/blueGreen/prePromotionAnalysis/args", args.clone()),
        ("Rollout", "shop", "spec/strategy/blueGreen/postPromotionAnalysis/args", args.clone()),
        (
            "Rollout",
            "web",
            "spec/strategy/canary/analysis/templates",
            json!([{"templateName": "latency", "clusterScope": true}, {"templateName": "error-rate"}]),
        ),
        (
            "Rollout",
            "web",
            "spec/strategy/canary/analysis/dryRun",
            json!([{"metricName": "three"}, {"metricName": "one"}, {"metricName": "two"}]),
        ),
        (
            "Rollout",
            "web",
            "spec/strategy/canary/analysis/measurementRetention",
            json!([{"metricName": "two", "limit": 3}, {"metricName": "one", "limit": 1}]),
        ),
        ("Rollout", "web", "spec/strategy/canary/steps", json!([{"setWeight": 50}])),
        ("AnalysisTemplate", "error-rate", "spec/args", args.clone()),
        ("ClusterAnalysisTemplate", "error-rate", "spec/args", args.clone()),
        ("AnalysisRun", "error-rate", "spec/args", args),
        ("AnalysisTemplate", "error-rate", "spec/metrics/interval", json!(["2m"])),
        ("AnalysisTemplate", "error-rate", "spec/metrics/name", json!(["web", "job"])),
        (
            "AnalysisTemplate",
            "error-rate",
            "spec/metrics/provider/web/headers",
            json!([{"key": "B", "value": "changed"}, {"key": "A", "value": "a"}]),
        ),
        ("Experiment", "compare", "spec/templates/name", json!(["new", "old"])),
        ("Experiment", "compare", "spec/templates/replicas", json!([2, 1])),
        ("Experiment", "compare", "spec/analyses/templateName", json!(["latency", "error-rate"])),
    ] {
        let found = json!(at_path(object(objects, kind, name)?, path));
        ensure!(found == wanted, "{kind} {name}: {path} is {found}, not {wanted}");
    }
    Ok(())
}

/// The schema takes the place of the one that kustomize has built in: nothing of that may be lost.
pub(super) fn built_in_kinds_merge_as_before(workshop: &Workshop) -> Result<()> {
    let ours = workshop.build("patches", Without::Nothing)?;
    let theirs = workshop.build("patches", Without::Schema)?;
    let mut compared = 0;
    for wanted in theirs.iter().filter(|object| !text(object, "/apiVersion").starts_with("argoproj.io/")) {
        let kind = text(wanted, "/kind");
        let found = object(&ours, kind, text(wanted, "/metadata/name"))?;
        ensure!(found == wanted, "{kind} is patched otherwise with the schema: {found}, not {wanted}");
        compared += 1;
    }
    ensure!(compared == 15, "{compared} kinds were compared");
    println!("ok     {compared} built-in kinds are patched as without the schema");
    Ok(())
}

/// The configuration of a base is known to its overlays, and the schema of what is built to its bases.
pub(super) fn layers_share_the_files(workshop: &Workshop) -> Result<()> {
    let layers = workshop.copy("layers")?;
    let objects = workshop.build_in(&layers.join("overlay"), Without::Nothing)?;
    let rollout = object(&objects, "Rollout", "p-web")?;
    let replicas = rollout.pointer("/spec/replicas");
    ensure!(replicas == Some(&json!(7)), "replicas of an overlay do not reach a base: {rollout}");
    let service = text(rollout, "/spec/strategy/canary/canaryService");
    ensure!(service == "p-web", "a name was not followed: {rollout}");
    let images = at_path(rollout, "spec/template/spec/containers/image");
    ensure!(
        images == ["registry.example/side:2", "registry.example/app:1"],
        "the patch of an overlay made {images:?}"
    );
    println!("ok     a base and its overlays share the files");
    Ok(())
}

/// Patches that name a place by its number need neither file.
pub(super) fn operations_need_no_schema(workshop: &Workshop) -> Result<()> {
    let objects = workshop.build("operations", Without::Nothing)?;
    let rollout = object(&objects, "Rollout", "web")?;
    let images = at_path(rollout, "spec/template/spec/containers/image");
    ensure!(
        images == ["registry.example/app:1", "registry.example/side:2"],
        "the operations made the images {images:?}"
    );
    let steps = json!(at_path(rollout, "spec/strategy/canary/steps"));
    let wanted = json!([{"setWeight": 20}, {"pause": {"duration": "5m"}}, {"setWeight": 60}]);
    ensure!(steps == wanted, "the operations made the steps {steps}");
    println!("ok     JSON6902 patches need no schema");
    Ok(())
}
