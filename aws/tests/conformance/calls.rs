//! The client's calls: pages, portions, repetitions, errors.

use crate::server::elbv2::{Account, LoadBalancer};
use crate::server::{Key, Server};
use crate::setting::{
    DNS_NAME, KEY_ID, REGION, SECRET, Settings, account, arn, begin, group, group_arn, met, rule, target,
};
use aws::{Client, Error};
use std::time::Duration;
use tokio::time::Instant;

/// An account with so many load balancers before the one that is meant, so many target groups, and rules.
fn large(balancers: usize, groups: usize, rules: usize) -> Account {
    let rule = |number| rule(number, &[("g0", 10), ("g1", 90)]);
    let mut account = account((0..rules).map(rule).collect());
    account.load_balancers[0].groups = (0..groups).map(|number| group(&format!("g{number}"))).collect();
    let other = |number: usize| LoadBalancer {
        arn: arn(&format!("loadbalancer/app/other/{number}")),
        name: format!("other-{number}"),
        dns_name: format!("other-{number}.{REGION}.elb.amazonaws.com"),
        groups: Vec::new(),
        listeners: Vec::new(),
    };
    account.load_balancers.splice(0..0, (0..balancers).map(other));
    account
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let (server, client) = met(large(7, 45, 5));
    server.state().page_limit = 3;
    let found = client.load_balancer(DNS_NAME, begin()).await.unwrap().unwrap();
    assert_eq!((found.arn.clone(), found.name.as_str()), (arn("loadbalancer/app/web/1"), "k8s-shop-web"));
    assert_eq!(server.actions(), ["DescribeLoadBalancers"; 3]);
    let groups = client.target_groups(&found.arn, begin()).await.unwrap();
    assert_eq!((groups.len(), groups[44].name.as_str()), (45, "g44"));
    let listeners = client.listeners(&found.arn, begin()).await.unwrap();
    assert_eq!((listeners.len(), listeners[0].port), (1, Some(80)));
    let rules = client.rules(&listeners[0].arn, begin()).await.unwrap();
    assert_eq!((rules.len(), rules[4].forwards[0][1].weight), (5, Some(90)));
    assert_eq!(client.load_balancer("nobody.example", begin()).await, Ok(None));
}

#[tokio::test]
async fn a_load_balancer_that_is_found_ends_the_search() {
    let (server, client) = met(large(0, 0, 0));
    let more = large(5, 0, 0).load_balancers.into_iter().take(5);
    server.state().account.load_balancers.extend(more);
    server.state().page_limit = 1;
    assert!(client.load_balancer(&DNS_NAME.to_uppercase(), begin()).await.unwrap().is_some());
    assert_eq!(server.actions().len(), 1);
}

#[tokio::test]
async fn a_list_that_does_not_end_is_given_up() {
    let (server, client) = met(large(150, 0, 0));
    server.state().page_limit = 1;
    let error = client.load_balancer(DNS_NAME, begin()).await.unwrap_err();
    assert_eq!(error, Error::TooLong { action: "DescribeLoadBalancers", pages: 100 });
    assert_eq!(server.actions().len(), 100);
}

#[tokio::test]
async fn tags_are_asked_for_in_portions_of_twenty() {
    let (server, client) = met(large(0, 45, 0));
    let arns: Vec<String> = (0..45).map(|number| group_arn(&format!("g{number}"))).collect();
    let tags = client.tags(&arns, begin()).await.unwrap();
    assert_eq!((tags.len(), server.actions().len()), (45, 3));
    assert_eq!(tags[44].arn, arns[44]);
    assert_eq!(tags[44].tags["ingress.k8s.aws/resource"], "shop/web-g44:80");
    assert_eq!(tags[44].tags["elbv2.k8s.aws/cluster"], "<prod> & more");
    assert_eq!(client.tags(&[], begin()).await, Ok(Vec::new()));
    assert_eq!(server.actions().len(), 3, "nothing is asked for nothing");
}

#[tokio::test]
async fn targets_have_their_health() {
    let (server, client) = met(account(Vec::new()));
    server.state().account.load_balancers[0].groups[0].targets =
        vec![target("10.0.0.1", 8080, "healthy"), target("fd00::1", 8080, "draining")];
    let health = client.target_health(&group_arn("stable"), begin()).await.unwrap();
    let seen: Vec<_> = health.iter().map(|one| (one.id.as_str(), one.port, one.state.as_str())).collect();
    assert_eq!(seen, [("10.0.0.1", Some(8080), "healthy"), ("fd00::1", Some(8080), "draining")]);
}

/// So many answers that are none, before the good one.
fn with_faults(faults: &[(u16, &'static str)]) -> (Server, Client) {
    let (server, client) = met(account(Vec::new()));
    server.state().faults = faults.iter().copied().collect();
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn throttling_is_asked_again_after_pauses() {
    for code in ["Throttling", "ThrottlingException", "RequestLimitExceeded"] {
        let (server, client) = with_faults(&[(400, code), (400, code), (503, "ServiceUnavailable")]);
        let start = Instant::now();
        assert!(client.load_balancer(DNS_NAME, begin()).await.unwrap().is_some(), "{code}");
        assert_eq!((server.actions().len(), start.elapsed()), (4, Duration::from_millis(3500)), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_that_stays_is_told() {
    let (server, client) = with_faults(&[(400, "Throttling"); 9]);
    let error = client.load_balancer(DNS_NAME, begin()).await.unwrap_err();
    assert!(error.is_throttling());
    assert_eq!(
        error.to_string(),
        "DescribeLoadBalancers: Throttling: as the test wants it (request f9880f01)"
    );
    assert_eq!(server.actions().len(), 4, "the first and three more");
}

#[tokio::test(start_paused = true)]
async fn other_errors_are_told_at_once_in_the_words_of_aws() {
    let (server, client) = with_faults(&[(403, "AccessDenied")]);
    let error = client.load_balancer(DNS_NAME, begin()).await.unwrap_err();
    assert_eq!((error.code(), error.is_throttling()), (Some("AccessDenied"), false));
    assert_eq!(server.actions().len(), 1);
    let error = client.target_health("arn:none", begin()).await.unwrap_err();
    assert_eq!(error.code(), Some("TargetGroupNotFound"));
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let server = Server::new(begin(), account(Vec::new()));
    server.knows(KEY_ID, Key { secret: SECRET.to_owned(), token: None, expires: None });
    let settings = Settings::with_keys();
    settings.set("AWS_SECRET_ACCESS_KEY", "another");
    let error = Client::new(settings, server.executor()).load_balancer(DNS_NAME, begin()).await.unwrap_err();
    assert_eq!(error.code(), Some("SignatureDoesNotMatch"));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_signature_goes_on_while_a_question_is_asked() {
    let (server, client) = met(large(3, 0, 0));
    server.state().page_limit = 1;
    server.state().faults = [(400, "Throttling"), (400, "Throttling"), (400, "Throttling")].into();
    client.load_balancer(DNS_NAME, begin()).await.unwrap();
    let times: Vec<String> = server
        .heard("elasticloadbalancing.")
        .iter()
        .map(|heard| heard.header("x-amz-date").unwrap().to_owned())
        .collect();
    assert_eq!(times[0], "20260301T120000Z");
    assert_eq!(times[3..], ["20260301T120003Z"; 4]);
}
