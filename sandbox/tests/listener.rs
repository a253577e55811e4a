//! The port of the API server, spoken to by a plain HTTP client.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sandbox::listener::{ListenError, Listener};
use sandbox::{Cluster, Options};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::TcpStream;

const TOKEN: &str = "a-token";

async fn open() -> (Cluster, Listener) {
    let cluster = Cluster::new(&Options::default());
    tokio::spawn(cluster.clone().run());
    let listener = Listener::start(&cluster, "127.0.0.1:0".parse().unwrap(), TOKEN).await.unwrap();
    (cluster, listener)
}

async fn ask(
    address: SocketAddr,
    method: Method,
    path: &str,
    token: &str,
    body: impl Into<Bytes>,
) -> http::Response<Incoming> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "sandbox")
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(body.into()))
        .unwrap();
    sender.send_request(request).await.unwrap()
}

async fn json_of(response: http::Response<Incoming>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn only_those_with_the_token_are_let_in() {
    let (_cluster, listener) = open().await;
    let refused = ask(listener.address(), Method::GET, "/api/v1/namespaces", "another", "").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(json_of(refused).await["reason"], "Unauthorized");
    let healthy = ask(listener.address(), Method::GET, "/healthz", "another", "").await;
    assert_eq!(healthy.status(), StatusCode::OK);

    let list = ask(listener.address(), Method::GET, "/api/v1/namespaces", TOKEN, "").await;
    assert_eq!(list.status(), StatusCode::OK);
    let list = json_of(list).await;
    assert_eq!(list["kind"], "NamespaceList");
    assert_eq!(list["items"][0]["metadata"]["name"], "default");

    // `kubectl` has it in the address.
    let path = format!("/token/{TOKEN}/api/v1/namespaces?labelSelector=none");
    let list = json_of(ask(listener.address(), Method::GET, &path, "another", "").await).await;
    assert_eq!(list["items"], json!([]));
    for path in ["/token/another/api/v1/namespaces", "/token/a-token", "/token//api"] {
        let refused = ask(listener.address(), Method::GET, path, "another", "").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_watch_tells_each_change_when_it_happens() {
    let (cluster, listener) = open().await;
    let watch = ask(listener.address(), Method::GET, "/api/v1/configmaps?watch=1", TOKEN, "").await;
    assert_eq!(watch.status(), StatusCode::OK);
    let mut lines = watch.into_body();
    for name in ["one", "two"] {
        let body = json!({"metadata": {"name": name}, "data": {"a": "b"}}).to_string();
        let path = "/api/v1/namespaces/default/configmaps";
        let made = ask(listener.address(), Method::POST, path, TOKEN, body).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        // The line comes although the stream goes on; what the namespace has from its beginning comes, too.
        loop {
            let line = lines.frame().await.unwrap().unwrap().into_data().unwrap();
            let event: Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(event["type"], "ADDED");
            if event["object"]["metadata"]["name"] == name {
                break;
            }
        }
    }
    assert!(cluster.object("v1", "ConfigMap", "default", "two").is_some());
    // The port closes with its listener, and the watch with the port.
    drop(listener);
    assert!(!matches!(lines.frame().await, Some(Ok(_))));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (cluster, listener) = open().await;
    let body = json!({"metadata": {"name": "large"}, "data": {"a": "x".repeat(4 * 1024 * 1024)}}).to_string();
    let path = "/api/v1/namespaces/default/configmaps";
    let refused = ask(listener.address(), Method::POST, path, TOKEN, body).await;
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(cluster.object("v1", "ConfigMap", "default", "large").is_none());
}

#[tokio::test]
async fn the_port_is_open_to_this_machine_only() {
    let cluster = Cluster::new(&Options::default());
    let refused = Listener::start(&cluster, "0.0.0.0:0".parse().unwrap(), TOKEN).await.unwrap_err();
    assert!(matches!(refused, ListenError::NotLoopback { .. }), "{refused}");
    assert!(refused.to_string().contains("127.0.0.1"));
    for token in ["", "a b", "a/b"] {
        let refused = Listener::start(&cluster, "127.0.0.1:0".parse().unwrap(), token).await.unwrap_err();
        assert!(matches!(refused, ListenError::Token), "{refused}");
    }
}

#[tokio::test]
async fn a_kubeconfig_names_port_and_token() {
    let (_cluster, listener) = open().await;
    let config: Value = serde_saphyr::from_str(&listener.kubeconfig()).unwrap();
    let server = format!("http://{}/token/{TOKEN}", listener.address());
    assert_eq!(config["clusters"][0]["cluster"]["server"], server.as_str());
    assert_eq!(config["users"][0]["user"]["token"], TOKEN);
    assert_eq!(config["current-context"], config["contexts"][0]["name"]);
}
