//! The two questions: which weights are shown, and which targets are registered.

use crate::server::Server;
use crate::server::elbv2::Rule;
use crate::setting::{DNS_NAME, account, arn, begin, group, group_arn, id, met, rule, target};
use aws::{Client, DEFAULT_TAG_KEY, Question, Registration, ResourceId, Verified, registration, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

fn wanted(weights: &[(&str, u32)]) -> BTreeMap<ResourceId, u32> {
    weights.iter().map(|(service, weight)| (id(service), *weight)).collect()
}

async fn ask(client: &Client, weights: &[(&str, u32)]) -> Verified {
    let wanted = wanted(weights);
    let question = Question { dns_name: DNS_NAME, tag_key: DEFAULT_TAG_KEY, wanted: &wanted };
    verify(client, &question, begin()).await.unwrap()
}

/// Whether the wanted weights of `canary` and `stable` are shown, where these rules are.
async fn shown(rules: Vec<Rule>, weights: &[(&str, u32)]) -> bool {
    let (_, client) = met(account(rules));
    ask(&client, weights).await.all_shown
}

#[tokio::test]
async fn weights_are_compared_with_those_of_the_rules() {
    let rules = vec![rule(1, &[("canary", 20), ("stable", 80)])];
    let (server, client) = met(account(rules));
    let answer = ask(&client, &[("canary", 20), ("stable", 80)]).await;
    assert!(answer.all_shown);
    let balancer = answer.load_balancer.unwrap();
    assert_eq!((balancer.name.as_str(), balancer.arn), ("k8s-shop-web", arn("loadbalancer/app/web/1")));
    let groups: Vec<_> = answer
        .target_groups
        .iter()
        .map(|group| (group.resource_id.0.as_str(), group.name.as_str(), group.arn.clone(), group.weight()))
        .collect();
    assert_eq!(
        groups,
        [
            ("shop/web-canary:80", "canary", group_arn("canary"), Some(20)),
            ("shop/web-stable:80", "stable", group_arn("stable"), Some(80)),
        ]
    );
    assert!(ask(&client, &[("canary", 20)]).await.all_shown, "only what is wanted is looked at");
    assert!(!ask(&client, &[("canary", 30), ("stable", 70)]).await.all_shown);
    assert!(!server.actions().is_empty());
}

#[tokio::test]
async fn a_load_balancer_that_is_not_there_is_told() {
    let (server, client) = met(account(Vec::new()));
    server.state().account.load_balancers.clear();
    let answer = ask(&client, &[("canary", 0)]).await;
    assert_eq!(answer, Verified { load_balancer: None, target_groups: Vec::new(), all_shown: false });
}

#[tokio::test]
async fn a_load_balancer_is_looked_for_once_until_it_is_gone() {
    let (server, client) = met(account(vec![rule(1, &[("canary", 20), ("stable", 80)])]));
    let looked = || server.actions().iter().filter(|action| *action == "DescribeLoadBalancers").count();
    for _ in 0..3 {
        assert!(ask(&client, &[("canary", 20)]).await.all_shown);
    }
    assert_eq!(looked(), 1);
    server.state().account.load_balancers[0].arn = arn("loadbalancer/app/web/2");
    let answer = ask(&client, &[("canary", 20)]).await;
    assert_eq!(answer.load_balancer.unwrap().arn, arn("loadbalancer/app/web/2"), "made anew");
    assert_eq!(looked(), 2);
    server.state().account.load_balancers.clear();
    assert_eq!(ask(&client, &[("canary", 20)]).await.load_balancer, None);
    assert_eq!(looked(), 3);
}

#[tokio::test]
async fn a_target_group_that_is_not_there_or_gets_nothing_is_not_shown() {
    let rules = || vec![rule(1, &[("stable", 100)])];
    assert!(!shown(rules(), &[("canary", 0)]).await, "no rule names it");
    assert!(!shown(rules(), &[("preview", 0)]).await, "there is none");
    let (_, client) = met(account(rules()));
    let answer = ask(&client, &[("canary", 0), ("preview", 0)]).await;
    assert_eq!((answer.target_groups.len(), answer.target_groups[0].weight()), (1, None));
    assert!(shown(rules(), &[("stable", 100)]).await, "one group alone counts where no rule chooses");
}

#[tokio::test]
async fn rules_that_do_not_choose_say_nothing_of_weights() {
    let rules = vec![
        rule(1, &[("canary", 100)]),
        rule(2, &[("canary", 5), ("stable", 95)]),
        rule(3, &[("stable", 1)]),
    ];
    assert!(shown(rules, &[("canary", 5), ("stable", 95)]).await);
}

#[tokio::test]
async fn rules_that_differ_are_not_shown() {
    let halfway = vec![rule(1, &[("canary", 5), ("stable", 95)]), rule(2, &[("canary", 10), ("stable", 90)])];
    let (_, client) = met(account(halfway.clone()));
    let answer = ask(&client, &[("canary", 10), ("stable", 90)]).await;
    assert!(!answer.all_shown);
    assert_eq!(answer.target_groups[0].weights, BTreeSet::from([5, 10]));
    assert_eq!(answer.target_groups[0].weight(), None);
    let both = vec![halfway[1].clone(), halfway[1].clone()];
    assert!(shown(both, &[("canary", 10), ("stable", 90)]).await);
}

#[tokio::test]
async fn the_rules_of_all_listeners_count() {
    let (server, client) = met(account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    let mut second = server.state().account.load_balancers[0].listeners[0].clone();
    second.arn = arn("listener/app/web/1/3");
    second.rules = vec![rule(9, &[("canary", 0), ("stable", 100)])];
    server.state().account.load_balancers[0].listeners.push(second);
    assert!(!ask(&client, &[("canary", 10)]).await.all_shown);
}

#[tokio::test]
async fn a_group_that_is_left_over_does_not_count() {
    let (server, client) = met(account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    let mut old = group("canary");
    old.arn = group_arn("canary-old");
    old.name = "canary-old".to_owned();
    server.state().account.load_balancers[0].groups.push(old);
    let answer = ask(&client, &[("canary", 10), ("stable", 90)]).await;
    assert_eq!(answer.target_groups.len(), 3);
    assert!(answer.all_shown);
}

#[tokio::test]
async fn another_tag_key_can_be_asked_for() {
    let (server, client) = met(account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    let wanted = wanted(&[("canary", 10)]);
    let question = Question { dns_name: DNS_NAME, tag_key: "team/resource", wanted: &wanted };
    let answer = verify(&client, &question, begin()).await.unwrap();
    assert!(!answer.all_shown && answer.target_groups.is_empty());
    assert!(!server.actions().contains(&"DescribeRules".to_owned()), "rules of nothing are not asked for");
    for group in &mut server.state().account.load_balancers[0].groups {
        group.tags.push(("team/resource".to_owned(), format!("shop/web-{}:80", group.name)));
    }
    assert!(verify(&client, &question, begin()).await.unwrap().all_shown);
}

#[tokio::test]
async fn many_groups_and_rules_are_read_to_their_end() {
    let (server, client) = met(account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    server.state().page_limit = 2;
    let others = (0..50).map(|number| group(&format!("other{number}")));
    server.state().account.load_balancers[0].groups.splice(0..0, others);
    assert!(ask(&client, &[("canary", 10), ("stable", 90)]).await.all_shown);
    assert_eq!(server.actions().iter().filter(|action| *action == "DescribeTags").count(), 3);
}

fn addresses(list: &[&str]) -> BTreeSet<SocketAddr> {
    list.iter().map(|address| address.parse().unwrap()).collect()
}

/// A server whose target group `stable` has three targets.
fn with_targets() -> (Server, Client) {
    let (server, client) = met(account(Vec::new()));
    let mut gone = target("10.0.0.9", 80, "unused");
    gone.reason = Some("Target.NotRegistered".to_owned());
    server.state().account.load_balancers[0].groups[0].targets = vec![
        target("10.0.0.1", 80, "healthy"),
        target("10.0.0.2", 80, "initial"),
        target("fd00:0::1", 80, "unhealthy"),
        target("i-0123456789", 80, "healthy"),
        target("10.0.0.3", 80, "draining"),
        target("10.0.0.4", 80, "unused"),
        gone,
    ];
    (server, client)
}

#[tokio::test]
async fn targets_that_are_missing_or_not_checked_yet_are_named() {
    let (_, client) = with_targets();
    let stable = group_arn("stable");
    let other_port = "10.0.0.1:81";
    let good = ["10.0.0.1:80", "[fd00::1]:80", "10.0.0.4:80"];
    let (starting, leaving, left) = ("10.0.0.2:80", "10.0.0.3:80", "10.0.0.9:80");
    let asked = addresses(&[&good[..], &[other_port, starting, leaving, left]].concat());
    let said = registration(&client, &stable, &asked, begin()).await.unwrap();
    assert_eq!(said.missing, addresses(&[other_port, leaving, left]));
    assert_eq!(said.unchecked, addresses(&[starting]));
    let said = registration(&client, &stable, &addresses(&good), begin()).await.unwrap();
    assert_eq!(said, Registration::default());
}

#[tokio::test]
async fn of_no_targets_none_is_missing_and_nobody_is_asked() {
    let (server, client) = with_targets();
    let none = BTreeSet::new();
    assert_eq!(registration(&client, "arn:none", &none, begin()).await, Ok(Registration::default()));
    assert!(server.actions().is_empty());
    let one = addresses(&["10.0.0.1:80"]);
    let error = registration(&client, "arn:none", &one, begin()).await.unwrap_err();
    assert_eq!(error.code(), Some("TargetGroupNotFound"));
}

#[tokio::test]
async fn questions_can_be_asked_from_any_task() {
    let (_, client) = met(account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    let asked = tokio::spawn(async move {
        let verified = ask(&client, &[("canary", 10)]).await;
        let (stable, one) = (group_arn("stable"), addresses(&["10.0.0.1:80"]));
        let said = registration(&client, &stable, &one, begin()).await.unwrap();
        (verified.all_shown, said.missing.len())
    });
    assert_eq!(asked.await.unwrap(), (true, 1));
}
