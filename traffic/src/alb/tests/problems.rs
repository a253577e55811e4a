use super::*;
use crate::Problem;

/// What the router says of an intent, and of these Ingresses.
fn problem(router: &dyn Router, ingresses: &[Value], intent: &Intent) -> String {
    router.edit(&objects(ingresses), intent).unwrap_err().to_string()
}

#[test]
fn an_ingress_must_be_there_and_lead_to_the_action() {
    let missing = problem(&*plain(), &[], &intent(10));
    assert_eq!(missing, r#"Ingress "web" not found in namespace "shop""#);
    let mut elsewhere = web();
    elsewhere["spec"]["rules"][0]["http"]["paths"] = json!([path_to("another", "http")]);
    let lost = problem(&*plain(), std::slice::from_ref(&elsewhere), &intent(10));
    assert!(lost.starts_with(r#"Ingress "web" has no rule with Service "root": add a path"#), "{lost}");
    let observed = plain().observe(&objects(&[elsewhere])).unwrap_err();
    assert_eq!(observed.to_string(), lost);
}

#[test]
fn a_bookkeeping_that_cannot_be_read_is_not_overwritten() {
    for ledger in ["[", "[1]", "7"] {
        let said = problem(&*plain(), &[annotated(web(), &[(LEDGER, ledger)])], &intent(10));
        assert!(said.contains(LEDGER) && said.contains("mend it"), "{said}");
    }
    for empty in ["", " ", "null", "{}"] {
        let after = edited(&*plain(), &annotated(web(), &[(LEDGER, empty)]), &intent(10));
        assert!(text(&after, LEDGER).contains("guestbook"));
    }
}

#[test]
fn annotations_must_be_a_map() {
    let mut ingress = web();
    ingress["metadata"]["annotations"] = json!(["a"]);
    assert!(problem(&*plain(), &[ingress], &intent(10)).contains("metadata.annotations"));
}

#[test]
fn a_rollout_must_say_all_that_is_needed() {
    let sticky = |seconds: i64| json!({"stickinessConfig": {"enabled": true, "durationSeconds": seconds}});
    for (alb, said) in [
        (json!({"ingress": ""}), "Neither are configured"),
        (sticky(0), "durationSeconds is 0"),
        (sticky(604_801), "durationSeconds is 604801"),
    ] {
        let problem = problem(&*router(&alb), &[web()], &intent(10));
        assert!(problem.contains(said), "{problem}");
    }
    let unused = json!({"stickinessConfig": {"enabled": false, "durationSeconds": 0}});
    assert!(router(&unused).edit(&objects(&[web()]), &intent(10)).is_ok());
    let mut rollout = rollout(&json!({"rootService": null}));
    let nameless = super::super::of(&rollout, &Services { canary: String::new(), ..services() }).unwrap();
    assert!(problem(&*nameless, &[web()], &intent(10)).contains("canaryService"));
    let canary = rollout.spec.strategy.as_mut().unwrap().canary.as_mut().unwrap();
    canary.ping_pong = serde_json::from_value(json!({"pingService": "ping", "pongService": "pong"})).unwrap();
    let rootless = super::super::of(&rollout, &services()).unwrap();
    assert!(problem(&*rootless, &[web()], &intent(10)).contains("rootService, which pingPong needs"));
}

#[test]
fn weights_must_be_what_aws_takes() {
    let wanted =
        Intent { additional: vec![share("experiment", 95)], stable: share("stable", -5), ..intent(10) };
    assert!(problem(&*plain(), &[web()], &wanted).contains(r#"Service "stable" would get the weight -5"#));
}

#[test]
fn a_header_route_must_be_one_that_an_alb_can_have() {
    let matching = |value: StringMatch| {
        let matches = vec![HeaderRoutingMatch { header_name: "Lane".to_owned(), header_value: value }];
        Intent { routes: vec![Route::Header { name: "fast".to_owned(), matches }], ..intent(10) }
    };
    let text = || Some("fast".to_owned());
    for value in [
        StringMatch::default(),
        StringMatch { prefix: text(), ..StringMatch::default() },
        StringMatch { exact: text(), regex: text(), prefix: None },
    ] {
        assert!(problem(&*plain(), &[web()], &matching(value)).contains("exact value"));
    }
    let named = |name: &str, matches| Intent {
        routes: vec![Route::Header { name: name.to_owned(), matches }],
        ..intent(10)
    };
    // Without conditions, it would take all traffic.
    assert!(problem(&*plain(), &[web()], &named("fast", Vec::new())).contains("at least one header"));
    assert!(problem(&*plain(), &[web()], &named("root", Vec::new())).contains("rename the route"));
    let ledger =
        r#"{"zoo":["alb.ingress.kubernetes.io/actions.fast","alb.ingress.kubernetes.io/conditions.fast"]}"#;
    let shared = annotated(web(), &[(LEDGER, ledger)]);
    let said = plain().edit(&objects(&[shared]), &with_routes(10, &["fast"]));
    assert!(matches!(said, Err(Problem::Rollout(said)) if said.contains(r#"by Rollout "zoo""#)));
}
