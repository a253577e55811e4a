//! `try` on the example folders: the whole time line, and the exit code that a pipeline reads.
#![allow(clippy::unwrap_used, reason = "tests")]

use sandbox::{Cluster, Options};
use std::path::{Path, PathBuf};

/// Set to write what is printed now in the place of what was expected.
const UPDATE: &str = "UPDATE_GOLDEN";

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(words: &[&str]) -> (u8, String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // `try` does not look at it.
        let unused = kube::Client::new(Cluster::new(&Options::default()).client("user"), "default");
        let (terminal, transcript) = cli::Terminal::recorded(crds::Time::default);
        let code = cli::run(words, unused, "default", &terminal).await.unwrap();
        (code, transcript.out(), transcript.err())
    })
}

fn folder(name: &str) -> String {
    here(&format!("../docs/examples/{name}")).to_str().unwrap().to_owned()
}

fn golden(name: &str, code: u8) {
    let (found, out, err) = run(&["try", "-f", &folder(name)]);
    let path = here(&format!("tests/golden/{name}.txt"));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &out).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(out, expected, "{}: run with {UPDATE}=1 if this is what it should print now", path.display());
    assert_eq!((found, err.as_str()), (code, ""));
}

#[test]
fn a_canary_gated_by_prometheus_is_stopped() {
    golden("canary-prometheus", 0);
}

#[test]
fn a_job_keeps_a_bad_version_from_users() {
    golden("blue-green-job", 0);
}

#[test]
fn nothing_stops_a_canary_without_a_gate() {
    golden("canary-no-gate", 2);
}

#[test]
fn for_programs_it_is_one_object() {
    let (code, out, _) = run(&["try", "-f", &folder("canary-no-gate"), "--good-only", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["exitCode"]), (0, &serde_json::json!(0)));
    let plays = told["plays"].as_array().unwrap();
    assert_eq!(plays.len(), 1);
    assert_eq!((&plays[0]["release"], &plays[0]["end"]), (&"good".into(), &"completed".into()));
    assert!(plays[0]["lines"].as_array().unwrap().iter().any(|line| line["what"] == "promote"), "{out}");
}

/// A folder of its own with one file in it.
fn with(name: &str, text: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn example(name: &str) -> String {
    std::fs::read_to_string(here(&format!("../docs/examples/{name}/rollout.yaml"))).unwrap()
}

#[test]
fn what_is_not_valid_is_told_as_lint_does_or_as_the_controller_does() {
    let wrong = with("wrong.yaml", &example("canary-no-gate").replace("setWeight: 50", "setWeight: 500"));
    let (code, out, err) = run(&["try", "-f", &wrong]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert_eq!(err, run(&["lint", "-f", &wrong]).2);
    let incomplete = with("incomplete.yaml", &example("canary-prometheus"));
    let (code, out, _) = run(&["try", "-f", &incomplete]);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("not valid: InvalidSpec") && out.contains("shop-stable"), "{out}");
    let (code, _, err) =
        run(&["try", "-f", &with("empty.yaml", "kind: Service\napiVersion: v1\nmetadata: {name: a}\n")]);
    assert_eq!((code, err.contains("no Rollout in it")), (3, true), "{err}");
}

#[test]
fn a_condition_that_nothing_meets_fails_the_good_release() {
    let text = example("blue-green-job").replace(
        "      provider:\n        job:",
        "      successCondition: result > 1 && result < 1\n      provider:\n        web:\n          url: http://gate.example/\n        #",
    );
    let text = text.split("          spec:\n            backoffLimit").next().unwrap().to_owned()
        + "---\n"
        + &["payments", "payments-preview"].map(|name| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: payments}}, ports: [{{port: 80}}]}}\n")).join("---\n");
    let (code, out, err) = run(&["try", "-f", &with("never.yaml", &text), "--good-only"]);
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("ASSUMED: nobody is called; no value that was tried meets its conditions"), "{out}");
    assert!(out.contains("NOT COMPLETED"), "{out}");
}

#[test]
fn a_canary_behind_a_gateway_is_played_with_its_route() {
    golden("canary-gateway", 0);
}

#[test]
fn routers_of_all_kinds_take_part() {
    let text = example("canary-gateway")
        + "---\n"
        + &std::fs::read_to_string(folder("canary-gateway") + "/routes.yaml").unwrap();
    let (services, _) = text.split_once("---\napiVersion: gateway").unwrap();
    let of = |routing: &str, objects: &str| {
        let rollout = services.replace("gatewayAPI: {httpRoute: search}", routing);
        // Not every one of them makes header routes.
        let rollout = rollout.replace("        managedRoutes: [{name: testers}]\n", "");
        // Subsets split one Service, which has to select the pods of both versions.
        let named = "      canaryService: search-canary\n      stableService: search\n";
        let rollout = if routing.contains("destinationRule") { rollout.replace(named, "") } else { rollout };
        let (before, rest) = rollout.split_once("        - setHeaderRoute:").unwrap();
        let (_, after) = rest.split_once("        - pause: {duration: 5m}\n").unwrap();
        run(&["try", "-f", &with("routed.yaml", &format!("{before}{after}---\n{objects}")), "--good-only"])
    };
    let to = |subset: &str, weight: u8| {
        format!("{{destination: {{host: search, subset: {subset}}}, weight: {weight}}}")
    };
    let mesh = format!(
        "{{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {{name: mesh}}, spec: {{hosts: [search], \
         http: [{{route: [{}, {}]}}]}}}}\n---\n{{apiVersion: networking.istio.io/v1beta1, kind: DestinationRule, metadata: \
         {{name: rule}}, spec: {{host: search, subsets: [{{name: stable, labels: {{app: search}}}}, {{name: canary, \
         labels: {{app: search}}}}]}}}}\n",
        to("stable", 100),
        to("canary", 0)
    );
    let istio = "istio: {virtualService: {name: mesh}, destinationRule: {name: rule, canarySubsetName: canary, \
        stableSubsetName: stable}}";
    let traefik = "{apiVersion: traefik.io/v1alpha1, kind: TraefikService, metadata: {name: split}, spec: {weighted: \
        {services: [{name: search, port: 80}, {name: search-canary, port: 80}]}}}\n";
    let nginx = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: public}, spec: {ingressClassName: \
        nginx, rules: [{host: search.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: \
        search, port: {number: 80}}}}]}}]}}\n";
    for (routing, objects, users) in [
        (istio, mesh.as_str(), "VirtualService mesh"),
        ("traefik: {weightedTraefikServiceName: split}", traefik, "TraefikService split"),
        ("nginx: {stableIngress: public}", nginx, "Ingress public"),
    ] {
        let (code, out, err) = of(routing, objects);
        assert_eq!(code, 0, "{out}{err}");
        assert!(out.contains(&format!("10 requests a second to {users}\n")), "{out}");
        assert!(out.contains("routers are asked for 60 of 100 to the canary"), "{out}");
    }
    let (code, out, _) =
        of("traefik: {weightedTraefikServiceName: split}", &format!("{traefik}---\n{nginx}"));
    assert!(code == 0 && out.contains("No part in it have: Ingress public."), "{out}");
    let (code, out, _) = of("nginx: {stableIngress: other}", nginx);
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("stableIngress") && out.contains("\"other\" not found"), "{out}");
}
