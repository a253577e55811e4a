use super::*;
use crate::alb::release;
use std::collections::BTreeSet;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn released(ingress: &Value, referring: &[&str]) -> Value {
    release(ingress, &names(referring)).unwrap().unwrap()
}

#[test]
fn the_action_of_a_rollout_that_is_gone_leads_to_its_own_service() {
    let sticky = router(&json!({"stickinessConfig": {"enabled": true, "durationSeconds": 60}}));
    let after = released(&edited(&*sticky, &web(), &with_routes(10, &["fast"])), &[]);
    let own = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"root","ServicePort":"80","Weight":100}],"TargetGroupStickinessConfig":{"Enabled":true,"DurationSeconds":60}}}"#;
    assert_eq!(after, annotated(web(), &[(ACTION, own)]));
    assert_eq!(release(&after, &names(&[])), Ok(None));
}

#[test]
fn the_port_is_that_of_the_own_service() {
    let stable = "alb.ingress.kubernetes.io/actions.stable";
    let action = r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"canary","ServicePort":"1"},{"ServiceName":"stable","ServicePort":"2"}]}}"#;
    let ledger = r#"{"guestbook":["alb.ingress.kubernetes.io/actions.stable"]}"#;
    let after = released(&annotated(web(), &[(stable, action), (LEDGER, ledger)]), &[]);
    assert_eq!(
        text(&after, stable),
        r#"{"Type":"forward","ForwardConfig":{"TargetGroups":[{"ServiceName":"stable","ServicePort":"2","Weight":100}]}}"#
    );
}

#[test]
fn rollouts_that_stay_keep_what_they_have() {
    let ours = edited(&*plain(), &web(), &intent(10));
    assert_eq!(release(&ours, &names(&["guestbook"])), Ok(None));
    assert_eq!(release(&web(), &names(&[])), Ok(None));
    // The Rollout was renamed: the new one has the same action.
    let ledger = r#"{"old":["alb.ingress.kubernetes.io/actions.root"],"guestbook":["alb.ingress.kubernetes.io/actions.root"]}"#;
    let after = released(&annotated(ours.clone(), &[(LEDGER, ledger)]), &["guestbook"]);
    assert_eq!(after, ours);
}

#[test]
fn what_cannot_be_reset_is_left() {
    let redirect = r#"{"Type":"redirect"}"#;
    let ledger = format!(r#"{{"gone":["{ACTION}","odd",7],"odder":1}}"#);
    let left = annotated(web(), &[(ACTION, redirect), (LEDGER, &ledger), (OLD_LEDGER, "{}")]);
    assert_eq!(released(&left, &[]), annotated(web(), &[(ACTION, redirect)]));
    assert!(release(&annotated(web(), &[(LEDGER, "[]")]), &names(&[])).is_err());
}
