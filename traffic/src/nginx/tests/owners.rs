//! Names, owners, and what is said when something is wrong.

use super::*;

fn problem(router: &dyn Router, objects: &Objects) -> String {
    let problem = router.observe(objects).expect_err("a problem");
    assert_eq!(router.edit(objects, &intent(0, 100)), Err(problem.clone()), "both say the same");
    problem.to_string()
}

#[test]
fn the_stable_ingress_must_be_there_and_lead_to_the_stable_service() {
    let missing = problem(plain().as_ref(), &objects([("demo-web-canary", made())]));
    assert_eq!(missing, "Ingress \"web\" not found in namespace \"shop\"");
    let mut astray = stable_ingress();
    astray["spec"]["rules"] = json!([{"http": {"paths": [path("/", "other")]}}]);
    let text =
        "Ingress \"web\" has no rule with Service \"stable\": add a path with this Service as its backend";
    assert_eq!(problem(plain().as_ref(), &objects([("web", astray)])), text);
}

#[test]
fn an_ingress_of_somebody_else_is_not_touched() {
    let of_others = |owners: Value| {
        let mut canary = made();
        canary["metadata"]["ownerReferences"] = owners;
        problem(plain().as_ref(), &objects([("web", stable_ingress()), ("demo-web-canary", canary)]))
    };
    let said = |whose: &str| {
        format!(
            "Ingress \"demo-web-canary\": it has the name of the canary Ingress of Rollout \"demo\", but is controlled \
             by {whose}: delete or rename it, and the Rollout makes its own"
        )
    };
    let owner =
        |uid: &str, yes: bool| json!({"kind": "Rollout", "name": "demo", "uid": uid, "controller": yes});
    assert_eq!(of_others(json!(null)), said("nobody"));
    assert_eq!(of_others(json!([owner("uid-of-demo", false)])), said("nobody"));
    assert_eq!(of_others(json!([owner("gone", true)])), said("Rollout \"demo\" with another uid"));
}

#[test]
fn names_are_cut_before_their_suffix() {
    let long = "i".repeat(250);
    let router = router(&json!({"stableIngress": long}), None);
    let name = router.references()[1].name.clone();
    assert_eq!((name.len(), name.ends_with("i-canary")), (253, true));
}

#[test]
fn two_ingresses_cannot_share_a_canary_ingress() {
    let name = |last: &str| format!("{}{last}", "i".repeat(249));
    let router = router(&json!({"stableIngresses": [name("a"), name("b")]}), None);
    assert_eq!(router.references(), []);
    assert!(problem(router.as_ref(), &Objects::default()).ends_with("so shorten the names of the Ingresses"));
}

#[test]
fn a_rollout_names_one_ingress_or_several() {
    for nginx in [
        json!({}),
        json!({"stableIngress": "", "stableIngresses": []}),
        json!({"stableIngress": "a", "stableIngresses": ["b"]}),
        json!({"stableIngresses": ["a", ""]}),
    ] {
        let router = router(&nginx, None);
        let said = problem(router.as_ref(), &Objects::default());
        let choice = "Either StableIngress or StableIngresses must be configured.";
        assert!(said.starts_with(choice) || said.ends_with("and no empty name"), "{nginx}: {said}");
    }
}
