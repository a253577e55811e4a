use super::*;
use planner::traffic::Split;

const TEN: &str = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"80","Weight":10},{"ServiceName":"stable","ServicePort":"80","Weight":90}]}}"#;

#[test]
fn the_action_and_the_bookkeeping_are_written_as_argo_rollouts_writes_them() {
    let after = edited(&*plain(), &web(), &intent(10));
    assert_eq!(text(&after, ACTION), TEN);
    assert_eq!(text(&after, LEDGER), r#"{"guestbook":["alb.ingress.kubernetes.io/actions.root"]}"#);
    assert_eq!(after["spec"], web()["spec"]);
}

#[test]
fn experiments_stand_between_canary_and_stable() {
    let wanted =
        Intent { additional: vec![share("experiment", 20)], stable: share("stable", 70), ..intent(10) };
    let sticky = router(&json!({"stickinessConfig": {"enabled": true, "durationSeconds": 3600}}));
    let after = edited(&*sticky, &web(), &wanted);
    assert_eq!(
        text(&after, ACTION),
        r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"80","Weight":10},{"ServiceName":"experiment","ServicePort":"80","Weight":20},{"ServiceName":"stable","ServicePort":"80","Weight":70}],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":3600}}}"#
    );
}

#[test]
fn the_rollout_says_where_the_action_stands() {
    for (alb, key) in [
        (json!({"annotationPrefix": "lb.example"}), "lb.example/actions.root"),
        (json!({"annotationPrefix": ""}), ACTION),
        (json!({"rootService": ""}), "alb.ingress.kubernetes.io/actions.stable"),
    ] {
        let mut ingress = web();
        ingress["spec"]["rules"][0]["http"]["paths"] =
            json!([path_to("root", "use-annotation"), path_to("stable", "use-annotation")]);
        assert_eq!(text(&edited(&*router(&alb), &ingress, &intent(10)), key), TEN, "{alb}");
    }
}

#[test]
fn with_ping_pong_the_roles_change_and_the_action_keeps_its_name() {
    let mut rollout = rollout(&json!({}));
    let canary = rollout.spec.strategy.as_mut().unwrap().canary.as_mut().unwrap();
    canary.ping_pong = serde_json::from_value(json!({"pingService": "ping", "pongService": "pong"})).unwrap();
    let roles =
        |canary: &str, stable: &str| Services { canary: canary.to_owned(), stable: stable.to_owned() };
    let mut ingress = web();
    for (canary, stable) in [("ping", "pong"), ("pong", "ping")] {
        let router = super::super::of(&rollout, &roles(canary, stable)).unwrap();
        let wanted = Intent { canary: share(canary, 10), stable: share(stable, 90), ..intent(10) };
        ingress = edited(&*router, &ingress, &wanted);
        assert_eq!(text(&ingress, ACTION), TEN.replace("canary", canary).replace("stable", stable));
    }
}

#[test]
fn what_says_the_same_stays_as_the_user_has_formatted_it() {
    let written = edited(&*plain(), &web(), &intent(10));
    let is_kept = |action: &str| {
        edited(&*plain(), &annotated(written.clone(), &[(ACTION, action)]), &intent(10)) == {
            annotated(written.clone(), &[(ACTION, action)])
        }
    };
    for same in [
        TEN,
        r#"{"type": "forward", "forwardConfig": {"targetGroups": [{"serviceName": "canary", "servicePort": 80, "weight": 10}, {"serviceName": "stable", "servicePort": "80", "weight": 90}]}}"#,
        r#"{"ForwardConfig":{"TargetGroupStickinessConfig":{"Enabled":false},"TargetGroups":[{"Weight":9,"ServiceName":"stable","ServicePort":"80"},{"ServiceName":"canary","ServicePort":"80"}]},"Type":"forward"}"#,
    ] {
        assert!(is_kept(same), "{same}");
    }
    for other in [
        "",
        "null",
        "{}",
        &TEN.replace("forward\"", "redirect\""),
        &TEN.replace("10", "11"),
        &TEN.replace("90", "-90"),
        &TEN.replace("\"80\"", "\"http\""),
        &TEN.replace("canary", "another"),
        &TEN.replace("]}}", r#"],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":1}}}"#),
        // The load balancer's controller would not prepare the canary's target group.
        r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"stable","ServicePort":"80","Weight":100}]}}"#,
    ] {
        assert!(!is_kept(other), "{other}");
    }
}

#[test]
fn what_is_not_written_yet_shows_nothing() {
    for ingress in [web(), annotated(web(), &[(ACTION, "{}")])] {
        let before = objects(std::slice::from_ref(&ingress));
        let observed = plain().observe(&before).unwrap();
        assert_eq!(observed.splits, [Split::default()]);
        assert!(!observed.shows(&intent(0)));
        assert_eq!(plain().edit(&before, &intent(0)).unwrap().len(), 1);
    }
    let mut bare = web();
    bare["metadata"] = json!({"name": "web"});
    assert_eq!(text(&edited(&*plain(), &bare, &intent(10)), ACTION), TEN);
}

#[test]
fn every_ingress_is_edited_that_is_behind() {
    let both = router(&json!({"ingress": null, "ingresses": ["web", "more", "web"]}));
    let names: Vec<String> = both.references().into_iter().map(|reference| reference.name).collect();
    assert_eq!(names, ["web", "more"]);
    let mut more = web();
    more["metadata"]["name"] = json!("more");
    let ahead = edited(&*plain(), &web(), &intent(10));
    let before = objects(&[ahead, more]);
    let weights: Vec<i64> = both.observe(&before).unwrap().splits.iter().map(|split| split.canary).collect();
    assert_eq!(weights, [10, 0]);
    let edits = both.edit(&before, &intent(10)).unwrap();
    assert_eq!(edits.iter().map(|edit| edit.object.name.as_str()).collect::<Vec<_>>(), ["more"]);
}

#[test]
fn the_bookkeeping_of_others_stays_and_the_old_one_goes() {
    let others = r#"{"zoo":["lb/actions.zoo"], "guestbook": ["lb/actions.old"]}"#;
    let after = edited(&*plain(), &annotated(web(), &[(LEDGER, others), (OLD_LEDGER, "{}")]), &intent(10));
    assert_eq!(
        text(&after, LEDGER),
        r#"{"guestbook":["lb/actions.old","alb.ingress.kubernetes.io/actions.root"],"zoo":["lb/actions.zoo"]}"#
    );
    assert_eq!(text(&after, OLD_LEDGER), "nothing");
    let again = annotated(after.clone(), &[(OLD_LEDGER, "{}")]);
    assert_eq!(edited(&*plain(), &again, &intent(10)), after);
}

#[test]
fn what_aws_is_asked_for_is_found_by_tags() {
    let mut ingress = edited(&*plain(), &web(), &intent(10));
    let asked = |ingress: &Value| plain().balancers(&objects(std::slice::from_ref(ingress))).swap_remove(0);
    assert_eq!(asked(&ingress).host, None, "it has no address yet");
    ingress["status"]["loadBalancer"]["ingress"] = json!([{"hostname": "lb-1.eu.elb.amazonaws.com"}]);
    let found = asked(&ingress);
    assert_eq!(found.host.as_deref(), Some("lb-1.eu.elb.amazonaws.com"));
    assert_eq!((found.canary.as_str(), found.stable.as_str()), ("shop/web-canary:80", "shop/web-stable:80"));
    assert_eq!(found.shown, Split { canary: 10, stable: 90, ..Split::default() });
    assert!(plain().balancers(&objects(&[])).is_empty());
}
