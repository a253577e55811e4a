//! A Rollout that takes its template from a Deployment: `docs/reference/behaviour/workload-ref.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use crds::analysis::AnalysisPhase;
use crds::template_eq::fill_template_defaults;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use support::Model;

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "demo"}}, "spec": {"containers": [{"name": "app", "image": image}]}})
}

/// As the API server gives it back: with all defaults.
fn deployment(replicas: i32, image: &str) -> Value {
    let mut template = template(image);
    fill_template_defaults(&mut template);
    json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": replicas,
        "selector": {"matchLabels": {"app": "demo"}}, "template": template}})
}

fn rollout(replicas: Option<i32>, scale_down: &str) -> Value {
    let mut spec = json!({"strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "2s"}}]}},
        "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "scaleDown": scale_down}});
    if let Some(replicas) = replicas {
        spec["replicas"] = json!(replicas);
    }
    json!({"apiVersion": crds::API_VERSION, "kind": "Rollout", "metadata": {"name": "demo"}, "spec": spec})
}

fn model(deployed: i32, replicas: Option<i32>, scale_down: &str) -> Model {
    let mut model = Model::new();
    model.create(&deployment(deployed, "app:1"));
    model.create(&rollout(replicas, scale_down));
    model
}

fn phase(model: &Model) -> String {
    model.world.rollout.status.clone().unwrap_or_default().phase
}

fn until_healthy(model: &mut Model) {
    let there = model.run_until(Duration::from_secs(4), Duration::from_secs(90), |model| {
        let generation = model.world.rollout.metadata.generation.unwrap().to_string();
        let status = model.world.rollout.status.clone().unwrap_or_default();
        status.phase == "Healthy" && status.observed_generation == generation
    });
    assert!(there, "never Healthy: {:?}", model.world.rollout.status);
}

fn wait(model: &mut Model, seconds: u64) {
    let end = model.now.plus(Duration::from_secs(seconds));
    model.run_until(Duration::from_secs(seconds), Duration::from_secs(seconds), |_| false);
    model.now = end;
    model.reconcile();
}

fn deployed(model: &Model) -> i32 {
    model.world.workload.as_ref().unwrap().replicas.unwrap()
}

#[test]
fn the_same_template_makes_no_new_version_whichever_way_it_comes() {
    let mut model = model(0, Some(3), "never");
    let reference = model.world.rollout.spec.workload_ref.clone();
    let mut own = rollout(Some(3), "never");
    own["spec"].as_object_mut().unwrap().remove("workloadRef");
    own["spec"]["selector"] = json!({"matchLabels": {"app": "demo"}});
    own["spec"]["template"] = template("app:1");
    model.create(&own);
    let workload = model.world.workload.take();
    until_healthy(&mut model);
    let names = |model: &Model| {
        model.world.replica_sets.iter().map(|set| (set.name.clone(), set.revision())).collect::<Vec<_>>()
    };
    let first = names(&model);
    assert_eq!(first.len(), 1);

    model.patch(&json!({"spec": {"template": null, "workloadRef": reference}}));
    model.world.workload = workload;
    until_healthy(&mut model);
    assert_eq!(names(&model), first);
    assert_eq!(model.world.rollout.status.clone().unwrap().workload_observed_generation, "1");

    model.patch(&json!({"spec": {"template": template("app:1"), "workloadRef": null}}));
    model.world.workload = None;
    until_healthy(&mut model);
    assert_eq!(names(&model), first);
    assert_eq!(model.world.rollout.status.clone().unwrap().workload_observed_generation, "");
}

#[test]
fn a_deployment_that_goes_away_takes_nothing_with_it() {
    let mut model = model(0, Some(3), "never");
    until_healthy(&mut model);
    let (sets, writes) = (model.world.replica_sets.clone(), model.writes);
    let gone = model.world.workload.take();
    wait(&mut model, 60);
    let status = model.world.rollout.status.clone().unwrap();
    let why = "InvalidSpec: The Rollout \"demo\" is invalid: deployments.apps \"ns/web\" not found";
    assert_eq!((status.phase.as_str(), status.message.as_str()), ("Degraded", why));
    assert_eq!((&model.world.replica_sets, model.writes), (&sets, writes));

    model.world.workload = gone;
    until_healthy(&mut model);
    assert_eq!(model.world.replica_sets, sets);
    assert_eq!(model.world.rollout.status.clone().unwrap().conditions.unwrap().len(), 4, "no InvalidSpec");
}

#[test]
fn nothing_of_the_workload_is_written_to_the_rollout() {
    let mut model = model(0, Some(3), "never");
    until_healthy(&mut model);
    model.patch_workload(&json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
    until_healthy(&mut model);
    let spec = &model.world.rollout.spec;
    assert!(spec.template.is_none() && spec.selector.is_none() && spec.workload_ref.is_some());
    let annotations = model.world.rollout.metadata.annotations.clone().unwrap();
    assert_eq!(annotations["rollout.argoproj.io/workload-generation"], "2");
    assert_eq!(annotations["rollout.argoproj.io/revision"], "2");
    for set in &model.world.replica_sets {
        assert!(!set.annotations.contains_key("rollout.argoproj.io/workload-generation"));
    }
}

#[test]
fn another_size_of_the_deployment_is_no_new_version() {
    let mut model = model(2, Some(3), "never");
    until_healthy(&mut model);
    model.patch_workload(&json!({"spec": {"replicas": 5}}));
    until_healthy(&mut model);
    assert_eq!((model.world.replica_sets.len(), deployed(&model)), (1, 5));
    assert_eq!(model.world.rollout.status.clone().unwrap().workload_observed_generation, "2");
}

#[test]
fn pods_of_the_deployment_go_as_those_of_the_rollout_come() {
    let mut model = model(5, Some(5), "progressively");
    model.inspect = |world, plan, now| {
        let faults = planner::check::check(world, plan, now);
        assert!(faults.is_empty(), "{faults:?}\n{plan:#?}");
        let available: i32 = world.replica_sets.iter().map(|set| set.counts.available).sum();
        let deployed = world.workload.as_ref().unwrap().replicas.unwrap();
        assert!(deployed + available >= 5, "{deployed} and {available}");
    };
    until_healthy(&mut model);
    assert_eq!(model.workload_sizes, [4, 3, 2, 1, 0]);
}

#[test]
fn a_size_that_is_not_given_is_that_of_the_deployment() {
    for (scale_down, want) in [("onsuccess", (20, 0)), ("progressively", (20, 0)), ("never", (1, 20))] {
        let mut model = model(20, None, scale_down);
        until_healthy(&mut model);
        let pods = model.world.replica_sets[0].counts.available;
        assert_eq!((pods, deployed(&model)), want, "{scale_down}");
        assert_eq!(model.world.rollout.spec.replicas, Some(pods));
    }
}

#[test]
fn a_smaller_rollout_lets_the_deployment_be_until_it_is_healthy() {
    let mut model = model(10, Some(2), "progressively");
    until_healthy(&mut model);
    assert_eq!(model.workload_sizes, [0]);
}

#[test]
fn what_fails_keeps_or_gets_back_the_pods_of_the_deployment() {
    let mut never = model(3, Some(3), "progressively");
    never.patch_workload(&json!({"spec": {"template": template("app:bad")}}));
    wait(&mut never, 700);
    assert_eq!((phase(&never).as_str(), never.workload_sizes.len()), ("Degraded", 0));

    let mut later = model(3, Some(3), "progressively");
    later.run_until(Duration::ZERO, Duration::from_secs(9), |model| deployed(model) == 1);
    assert_eq!(deployed(&later), 1);
    later.pods.iter_mut().for_each(|pod| pod.ready = None);
    wait(&mut later, 700);
    assert_eq!((phase(&later).as_str(), deployed(&later)), ("Degraded", 3));
}

#[test]
fn a_deployment_without_pods_is_never_brought_up() {
    for scale_down in ["onsuccess", "progressively", "never", "sometimes"] {
        let mut model = model(0, Some(3), scale_down);
        until_healthy(&mut model);
        model.act("deletePod", &json!({"revision": 1, "count": 3}));
        wait(&mut model, 700);
        assert_eq!((model.workload_sizes.len(), deployed(&model)), (0, 0), "{scale_down}");
    }
}

#[test]
fn what_a_syncer_brings_up_again_goes_again_and_that_is_told() {
    for scale_down in ["onsuccess", "progressively"] {
        let mut model = model(5, Some(5), scale_down);
        until_healthy(&mut model);
        model.patch_workload(&json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
        until_healthy(&mut model);
        wait(&mut model, 120);
        let told = |model: &Model| model.reasons().contains(&"WorkloadScaledDown");
        assert!(!told(&model));
        model.patch_workload(&json!({"spec": {"replicas": 5}}));
        until_healthy(&mut model);
        assert_eq!((deployed(&model), told(&model), model.world.replica_sets.len()), (0, true, 2));
    }
}

#[test]
fn pods_of_the_deployment_do_not_pass_the_gates_of_an_update() {
    let mut model = model(4, Some(4), "onsuccess");
    model.world.rollout.spec.strategy.as_mut().unwrap().canary.as_mut().unwrap().steps =
        serde_json::from_value(json!([{"setWeight": 25}, {"pause": {}}])).unwrap();
    until_healthy(&mut model);
    // Git has replicas and image in one manifest.
    model.patch_workload(&json!({"spec": {"replicas": 4, "template": template("app:2")}}));
    wait(&mut model, 30);
    assert_eq!((phase(&model).as_str(), deployed(&model)), ("Paused", 0));
    assert!(model.reasons().contains(&"WorkloadScaledDown"));
    let sizes: Vec<i32> = model.world.replica_sets.iter().map(|set| set.counts.available).collect();
    assert_eq!(sizes, [3, 1]);
}

#[test]
fn an_autoscaler_of_the_deployment_ends_with_it() {
    let mut model = model(3, Some(3), "progressively");
    for _ in 0..30 {
        wait(&mut model, 1);
        if (1..3).contains(&deployed(&model)) {
            model.patch_workload(&json!({"spec": {"replicas": 3}}));
        }
    }
    assert_eq!((phase(&model).as_str(), deployed(&model)), ("Healthy", 0));
}

/// Recorded of Argo Rollouts: the hash is that of the template with the API server's defaults in it.
#[test]
fn the_hash_is_that_of_the_workload_as_it_is_read() {
    let mut pods = json!({"metadata": {"labels": {"app": "ref-appears-later"}},
        "spec": {"containers": [{"name": "main", "image": "pause"}]}});
    fill_template_defaults(&mut pods);
    let mut model = model(0, Some(1), "never");
    model.world.workload.as_mut().unwrap().template = std::sync::Arc::new(crds::PodTemplate(pods));
    model.world.workload.as_mut().unwrap().selector =
        serde_json::from_value(json!({"matchLabels": {"app": "ref-appears-later"}})).unwrap();
    until_healthy(&mut model);
    assert_eq!(model.world.replica_sets[0].name, "demo-dbf974b74");
}

#[test]
fn who_wants_no_pods_or_has_paused_keeps_those_of_the_deployment() {
    let mut nothing = model(3, Some(0), "onsuccess");
    until_healthy(&mut nothing);
    let mut paused = model(3, Some(3), "onsuccess");
    paused.patch(&json!({"spec": {"paused": true}}));
    wait(&mut paused, 60);
    assert_eq!((deployed(&nothing), deployed(&paused)), (3, 3));
}

#[test]
fn a_workload_with_other_labels_takes_the_pods_of_the_former_over() {
    let mut model = model(0, Some(4), "never");
    until_healthy(&mut model);
    let mut other = deployment(0, "app:2");
    other["spec"]["selector"] = json!({"matchLabels": {"app": "other"}});
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    other["metadata"]["name"] = json!("other");
    model.create(&other);
    model.patch(&json!({"spec": {"workloadRef": {"name": "other"}}}));
    until_healthy(&mut model);
    let sizes: Vec<(i64, i32)> =
        model.world.replica_sets.iter().map(|set| (set.revision(), set.replicas)).collect();
    assert_eq!(sizes, [(1, 0), (2, 4)]);
    assert_eq!(model.world.rollout.status.clone().unwrap().selector, "app=other");
}

#[test]
fn a_template_without_a_deployment_is_not_scaled() {
    let mut model = model(0, Some(2), "onsuccess");
    model.world.workload.as_mut().unwrap().replicas = None;
    until_healthy(&mut model);
    assert_eq!(model.workload_sizes.len(), 0);
}

/// All orders of five things.
fn orders() -> Vec<Vec<usize>> {
    fn extend(done: &[usize], orders: &mut Vec<Vec<usize>>) {
        if done.len() == 5 {
            orders.push(done.to_vec());
        }
        for next in (0..5).filter(|next| !done.contains(next)) {
            extend(&[done, &[next]].concat(), orders);
        }
    }
    let mut orders = Vec::new();
    extend(&[], &mut orders);
    orders
}

/// What is there in the end: phase, revision, generation of the workload, sizes, Services, runs.
fn end(model: &Model) -> String {
    let status = model.world.rollout.status.clone().unwrap();
    let sets: Vec<_> = model
        .world
        .replica_sets
        .iter()
        .map(|set| (&set.name, set.revision(), set.replicas, set.counts.available))
        .collect();
    let services: Vec<_> =
        model.world.services.values().map(|service| (&service.name, service.hash())).collect();
    let runs: Vec<_> = model.world.analysis_runs.iter().map(|run| &run.name).collect();
    let (annotations, generation) =
        (&model.world.rollout.metadata.annotations, &status.workload_observed_generation);
    let (phase, message, stable) = (&status.phase, &status.message, &status.stable_rs);
    format!(
        "{phase} {message} {stable} {generation} {annotations:?} {sets:?} {services:?} {runs:?} {}",
        deployed(model)
    )
}

#[test]
fn all_orders_of_applying_come_to_the_same_end() {
    let metric = json!({"name": "m", "provider": {"prometheus": {"address": "http://a", "query": "q"}}});
    let service = |name: &str| json!({"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "demo"}}});
    let mut demo = rollout(Some(4), "progressively");
    demo["spec"]["strategy"]["canary"] = json!({"canaryService": "next", "stableService": "main",
        "steps": [{"setWeight": 25}, {"analysis": {"templates": [{"templateName": "t"}]}}]});
    let things = [
        deployment(4, "app:1"),
        demo,
        json!({"kind": "AnalysisTemplate", "metadata": {"name": "t"}, "spec": {"metrics": [metric]}}),
        service("main"),
        service("next"),
    ];
    let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
    for order in orders() {
        for gap in [0, 1, 5] {
            let mut model = Model::new();
            for thing in &order {
                model.create(&things[*thing]);
                wait(&mut model, gap);
            }
            until_healthy(&mut model);
            first.insert(end(&model));

            let succeeds = vec![(1000, AnalysisPhase::Successful, String::new())];
            model.scripts.insert("demo-h2-2-1".to_owned(), succeeds);
            model.patch_workload(&json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}));
            wait(&mut model, gap);
            until_healthy(&mut model);
            second.insert(end(&model));
        }
    }
    assert_eq!((first.len(), second.len()), (1, 1), "{first:#?} {second:#?}");
    assert!(first.iter().all(|end| end.starts_with("Healthy")), "{first:#?}");
}
