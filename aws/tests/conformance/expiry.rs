//! Credentials that are lent: held, renewed before they expire, replaced when they are refused.

use crate::server::{Agent, Server};
use crate::setting::{DNS_NAME, REGION, Settings, account, begin};
use aws::{Chain, Client};
use chrono::TimeDelta;
use std::sync::Arc;
use std::time::Duration;

/// An agent that lends for so many minutes, and settings that name it.
fn lending(minutes: i64) -> (Server, Arc<Settings>) {
    let server = Server::new(begin(), account(Vec::new()));
    server.state().agent = Some(Agent {
        host: "169.254.170.23",
        path: "/v1/credentials",
        token: None,
        lends_for: TimeDelta::minutes(minutes),
    });
    let settings = Settings::new(&[
        ("AWS_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
    ]);
    (server, settings)
}

async fn id(chain: &Chain, server: &Server) -> Result<String, String> {
    chain.credentials(server.now()).await.map(|it| it.access_key_id).map_err(|error| error.to_string())
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn credentials_are_held_and_renewed_five_minutes_before_they_expire() {
    let (server, settings) = lending(60);
    let chain = Chain::new(settings, server.executor());
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA1");
    pass(55 * 60 - 1).await;
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA1");
    pass(1).await;
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA2");
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA2");
    assert_eq!(server.heard("169.").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_renew_once() {
    let (server, settings) = lending(60);
    let chain = Chain::new(settings, server.executor());
    let now = server.now();
    let (a, b, c) = tokio::join!(chain.credentials(now), chain.credentials(now), chain.credentials(now));
    assert!(a == b && b == c && a.is_ok());
    assert_eq!(server.heard("169.").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_good_is_used_while_it_cannot_be_renewed() {
    let (server, settings) = lending(60);
    let chain = Chain::new(settings, server.executor());
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA1");
    let agent = server.state().agent.take();
    pass(56 * 60).await;
    for _ in 0..3 {
        assert_eq!(id(&chain, &server).await.unwrap(), "ASIA1");
    }
    assert_eq!(server.heard("169.").len(), 2, "a renewal that failed is not tried again at once");
    pass(30).await;
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA1");
    assert_eq!(server.heard("169.").len(), 3);
    pass(4 * 60).await;
    let error = id(&chain, &server).await.unwrap_err();
    assert!(error.contains("container: no route to host"), "{error}");
    server.state().agent = agent;
    assert_eq!(id(&chain, &server).await.unwrap(), "ASIA2");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_have_expired_are_not_taken_from_a_source() {
    let (server, settings) = lending(-1);
    let error = id(&Chain::new(settings, server.executor()), &server).await.unwrap_err();
    assert!(
        error.contains("container: the credentials that it gave expired at 2026-03-01T11:59:00Z"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_refused_as_expired_are_replaced_once() {
    let (server, settings) = lending(60);
    let client = Client::new(settings, server.executor());
    assert!(client.load_balancer(DNS_NAME, server.now()).await.unwrap().is_some());
    // The service knows better than the source when they expire.
    let ends_now = server.now();
    server.state().keys.get_mut("ASIA1").unwrap().expires = Some(ends_now);
    assert!(client.load_balancer(DNS_NAME, server.now()).await.unwrap().is_some());
    assert_eq!((server.heard("169.").len(), server.actions().len()), (2, 3));

    server.state().faults = [(403, "ExpiredTokenException"); 3].into();
    let error = client.load_balancer(DNS_NAME, server.now()).await.unwrap_err();
    assert_eq!(error.code(), Some("ExpiredTokenException"));
    assert_eq!((server.heard("169.").len(), server.actions().len()), (3, 5));
}
