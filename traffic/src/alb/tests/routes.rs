use super::*;

const FAST: &str = "alb.ingress.kubernetes.io/actions.fast";
const FAST_IF: &str = "alb.ingress.kubernetes.io/conditions.fast";

fn two_rules() -> Value {
    let mut ingress = web();
    let other =
        json!({"http": {"paths": [path_to("ssl-redirect", "use-annotation"), path_to("blog", "http")]}});
    let rules = ingress["spec"]["rules"].as_array_mut().unwrap();
    rules.push(other);
    rules.push(json!({"host": "nothing.example"}));
    ingress
}

#[test]
fn a_header_route_is_an_action_with_conditions_and_a_first_path_in_every_rule() {
    let after = edited(&*plain(), &two_rules(), &with_routes(10, &["fast", "slow", "wide"]));
    assert_eq!(
        text(&after, FAST),
        r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"80","Weight":100}]}}"#
    );
    let conditions = |name: &str| text(&after, &format!("alb.ingress.kubernetes.io/conditions.{name}"));
    assert_eq!(
        conditions("slow"),
        r#"[{"Field":"http-header","HttpHeaderConfig":{"HttpHeaderName":"Lane","Values":["slow","slower"]}},{"Field":"http-header","HttpHeaderConfig":{"HttpHeaderName":"Agent","Values":["old"]}}]"#
    );
    assert_eq!(
        conditions("wide"),
        r#"[{"Field":"http-header","HttpHeaderConfig":{"HttpHeaderName":"Text","Values":["\u003ca\u0026b\u003e"]}}]"#
    );
    assert_eq!(
        after["spec"]["rules"][0]["http"]["paths"][0],
        json!({
            "path": "/*", "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "fast", "port": {"name": "use-annotation"}}},
        })
    );
    let placed = [vec!["fast", "slow", "wide", "root"], vec!["fast", "slow", "wide", "ssl-redirect", "blog"]];
    assert_eq!(backends(&after), placed);
    let key = |name: &str| format!(r#""alb.ingress.kubernetes.io/{name}""#);
    let keys = ["actions.root", "actions.fast", "conditions.fast"].map(key).join(",");
    assert!(
        text(&after, LEDGER).starts_with(&format!(r#"{{"guestbook":[{keys},"#)),
        "{}",
        text(&after, LEDGER)
    );
    let shown = plain().observe(&objects(&[after])).unwrap().routes;
    assert_eq!(shown, [route("fast"), route("slow"), route("wide")]);
}

#[test]
fn routes_come_in_the_order_of_precedence_whichever_was_first() {
    let slow = edited(&*plain(), &two_rules(), &with_routes(10, &["slow"]));
    let both = edited(&*plain(), &slow, &with_routes(10, &["fast", "slow"]));
    assert_eq!(backends(&both)[0], ["fast", "slow", "root"]);
    let swapped = edited(&*plain(), &both, &with_routes(10, &["slow", "fast"]));
    assert_eq!(backends(&swapped)[1], ["slow", "fast", "ssl-redirect", "blog"]);
}

#[test]
fn what_is_not_wanted_any_more_is_taken_out() {
    let without = edited(&*plain(), &two_rules(), &intent(10));
    let with = edited(&*plain(), &two_rules(), &with_routes(10, &["fast", "slow"]));
    assert_eq!(edited(&*plain(), &with, &intent(10)), without);
    // Also when the Rollout does not name it any more.
    let mut rollout = rollout(&json!({}));
    let canary = rollout.spec.strategy.as_mut().unwrap().canary.as_mut().unwrap();
    canary.steps = None;
    canary.traffic_routing.as_mut().unwrap().managed_routes = None;
    let router = super::super::of(&rollout, &services()).unwrap();
    let wanted = Intent { managed: Vec::new(), ..intent(10) };
    assert!(!router.observe(&objects(std::slice::from_ref(&with))).unwrap().shows(&wanted));
    assert_eq!(edited(&*router, &with, &wanted), without);
}

#[test]
fn what_is_only_partly_there_is_neither_wanted_nor_unwanted() {
    let with = edited(&*plain(), &two_rules(), &with_routes(10, &["fast"]));
    let paths = |ingress: &mut Value, rule: usize, paths: Value| {
        ingress["spec"]["rules"][rule]["http"]["paths"] = paths
    };
    let fast = || ingress::path("fast");
    let breaks: [&dyn Fn(&mut Value); 7] = [
        &|ingress| ingress["metadata"]["annotations"][FAST] = Value::Null,
        &|ingress| ingress["metadata"]["annotations"][FAST_IF] = json!("[]"),
        &|ingress| {
            ingress["metadata"]["annotations"][FAST] = json!(text(&with, FAST).replace("canary", "stable"))
        },
        // As GitOps reverts it: a list is one value.
        &|ingress| ingress["spec"] = two_rules()["spec"].clone(),
        &|ingress| paths(ingress, 0, json!([path_to("root", "use-annotation"), fast()])),
        &|ingress| paths(ingress, 1, json!([fast(), fast()])),
        &|ingress| paths(ingress, 1, json!([path_to("blog", "http")])),
    ];
    for (number, spoil) in breaks.into_iter().enumerate() {
        let mut spoilt = with.clone();
        spoil(&mut spoilt);
        let observed = plain().observe(&objects(std::slice::from_ref(&spoilt))).unwrap();
        let wanted = with_routes(10, &["fast"]);
        assert!(!observed.shows(&wanted) && !observed.shows(&intent(10)), "break {number}: {observed:?}");
        let mended = edited(&*plain(), &spoilt, &wanted);
        assert!(plain().observe(&objects(&[mended])).unwrap().shows(&wanted), "break {number}");
        let removed = edited(&*plain(), &spoilt, &intent(10));
        assert!(!backends(&removed).concat().contains(&"fast"), "break {number}");
        assert!(plain().observe(&objects(&[removed])).unwrap().shows(&intent(10)), "break {number}");
    }
}

#[test]
fn ingresses_that_differ_show_no_route_as_it_is_wanted() {
    let both = router(&json!({"ingress": null, "ingresses": ["web", "more"]}));
    let with = edited(&*plain(), &web(), &with_routes(10, &["fast"]));
    let mut more = edited(&*plain(), &web(), &intent(10));
    more["metadata"]["name"] = json!("more");
    let before = objects(&[with, more]);
    let observed = both.observe(&before).unwrap();
    for wanted in [with_routes(10, &["fast"]), intent(10)] {
        assert!(!observed.shows(&wanted));
        assert_eq!(both.edit(&before, &wanted).unwrap().len(), 1);
        assert!(both.observe(&carry_out(&*both, &before, &wanted)).unwrap().shows(&wanted));
    }
}

#[test]
fn what_others_have_under_the_name_of_a_route_is_theirs() {
    let redirect =
        r#"{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS","Port":"443","StatusCode":"HTTP_301"}}"#;
    let theirs = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"80"}]}}"#;
    let ledger =
        r#"{"zoo":["alb.ingress.kubernetes.io/actions.fast","alb.ingress.kubernetes.io/conditions.fast"]}"#;
    for annotations in [vec![(FAST, redirect)], vec![(FAST, theirs), (FAST_IF, "[]"), (LEDGER, ledger)]] {
        let mut ingress = annotated(web(), &annotations);
        ingress["spec"]["rules"][0]["http"]["paths"] =
            json!([ingress::path("fast"), path_to("root", "use-annotation")]);
        let after = edited(&*plain(), &ingress, &intent(10));
        assert_eq!((text(&after, FAST), &after["spec"]), (text(&ingress, FAST), &ingress["spec"]));
        assert!(plain().observe(&objects(&[after])).unwrap().shows(&intent(10)));
    }
    // What forwards to our Services alone, and is nobody else's, was written by us before there was a bookkeeping.
    let forgotten = annotated(web(), &[(FAST, theirs)]);
    assert_eq!(text(&edited(&*plain(), &forgotten, &intent(10)), FAST), "nothing");
}

#[test]
fn two_rollouts_have_their_routes_on_one_ingress_without_taking_turns() {
    let ours = edited(&*plain(), &web(), &with_routes(10, &["fast"]));
    let theirs = r#"{"guestbook":["alb.ingress.kubernetes.io/actions.root","alb.ingress.kubernetes.io/actions.fast","alb.ingress.kubernetes.io/conditions.fast"],"zoo":["alb.ingress.kubernetes.io/actions.zoo","alb.ingress.kubernetes.io/conditions.zoo"]}"#;
    let mut shared = annotated(ours, &[(LEDGER, theirs), ("alb.ingress.kubernetes.io/conditions.zoo", "[]")]);
    shared["spec"]["rules"][0]["http"]["paths"].as_array_mut().unwrap().insert(0, ingress::path("zoo"));
    assert_eq!(edited(&*plain(), &shared, &with_routes(10, &["fast"])), shared);
}
