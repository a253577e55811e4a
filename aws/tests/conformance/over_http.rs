//! The same server behind a socket: what the network sends is what was signed.

use crate::server::{Heard, Instance, Key, Server};
use crate::setting::{DNS_NAME, KEY_ID, SECRET, Settings, account, begin, rule};
use aws::{Chain, Client, Source};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use chrono::TimeDelta;

/// Speaks HTTP on loopback; gives the URL.
async fn listening(server: Server) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let answer = server.answer(&heard(&method, &uri, &headers, &body));
        async move {
            match answer {
                Some(answer) => (StatusCode::from_u16(answer.status).unwrap(), answer.body),
                None => (StatusCode::NOT_FOUND, String::new()),
            }
        }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
    format!("http://{address}")
}

fn heard(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Heard {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let host = headers.iter().find(|(name, _)| name == "host").unwrap().1.clone();
    // Both services are behind the one socket.
    let host = if uri.path().starts_with("/latest/") { "169.254.169.254".to_owned() } else { host };
    Heard {
        method: method.to_string(),
        host,
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        reach: None,
    }
}

fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tokio::test]
async fn a_signed_request_arrives_as_it_was_signed() {
    install_tls();
    let server = Server::new(begin(), account(vec![rule(1, &[("canary", 10), ("stable", 90)])]));
    server.knows(KEY_ID, Key { secret: SECRET.to_owned(), token: Some("t/+=".to_owned()), expires: None });
    let settings = Settings::with_keys();
    settings.set("AWS_SESSION_TOKEN", "t/+=");
    settings.set("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", &listening(server.clone()).await);
    let client = Client::new(settings, aws::network());
    let found = client.load_balancer(DNS_NAME, begin()).await.unwrap().unwrap();
    let groups = client.target_groups(&found.arn, begin()).await.unwrap();
    let arns: Vec<String> = groups.into_iter().map(|group| group.arn).collect();
    assert_eq!(client.tags(&arns, begin()).await.unwrap().len(), 2);
    let error = client.target_health("arn:none", begin()).await.unwrap_err();
    assert_eq!(error.code(), Some("TargetGroupNotFound"));
}

#[tokio::test]
async fn the_instance_is_asked_over_http() {
    install_tls();
    let server = Server::new(begin(), account(Vec::new()));
    server.state().instance = Some(Instance {
        host: "169.254.169.254",
        role: Some("node"),
        region: "eu-west-3",
        lends_for: TimeDelta::hours(1),
    });
    let url = listening(server.clone()).await;
    let settings = Settings::new(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    let chain = Chain::new(settings, aws::network());
    assert_eq!(chain.credentials(begin()).await.unwrap().source, Source::InstanceMetadata);
    assert_eq!(chain.region().await.unwrap().name(), "eu-west-3");
    assert_eq!(server.heard("169.")[0].header("content-length"), Some("0"));
}

#[tokio::test]
async fn who_is_not_there_is_named_without_what_is_secret() {
    install_tls();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let settings = Settings::with_keys();
    settings.set("AWS_ENDPOINT_URL", &url);
    let error = Client::new(settings, aws::network()).load_balancer(DNS_NAME, begin()).await.unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with(&format!("DescribeLoadBalancers: POST {url}/: ")), "{error}");
    assert!(error.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    install_tls();
    let server = Server::new(begin(), account(Vec::new()));
    let target = listening(server.clone()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let away = move || async move { (StatusCode::TEMPORARY_REDIRECT, [("location", target)]) };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(away)).await });
    let settings = Settings::with_keys();
    settings.set("AWS_ENDPOINT_URL", &url);
    let error = Client::new(settings, aws::network()).load_balancer(DNS_NAME, begin()).await.unwrap_err();
    assert_eq!(error.to_string(), "DescribeLoadBalancers: HTTP 307");
    assert!(server.heard("127.").is_empty());
}
