//! The server and the load generator speak HTTP to each other over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use clap::Parser;
use demo_server::{
    load::{Load, LoadError, Rates, send},
    record::{Outcome, Record, Way},
    server::serve,
    settings::Settings,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

struct Running {
    url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// A server on a port of the system's choice.
async fn start(flags: &[&str]) -> Running {
    start_with_grace("0", flags).await
}

async fn start_with_grace(seconds: &str, flags: &[&str]) -> Running {
    let settings =
        Flags::parse_from([&["demo", "--shutdown-grace-seconds", seconds], flags].concat()).settings;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve(listener, settings, async move { drop(stopped.await) }));
    Running { url, stop, task }
}

async fn users_saw(url: &str, rate: u32) -> Vec<Record> {
    users_of_ways_saw(url, None, Rates::new_connections(rate), 1).await
}

async fn users_of_ways_saw(
    url: &str,
    connect: Option<std::net::SocketAddr>,
    rates: Rates,
    seconds: u32,
) -> Vec<Record> {
    let mut log = Vec::new();
    let load = Load { url: url.parse().unwrap(), connect, rates, seconds };
    let count = send(&load, &mut log, std::future::pending()).await.unwrap();
    let records: Vec<Record> = String::from_utf8(log).unwrap().lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(records.len(), usize::try_from(count).unwrap());
    records
}

async fn body(url: &str, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    (text.split(' ').nth(1).unwrap().parse().unwrap(), text)
}

#[tokio::test]
async fn every_nth_request_fails_and_the_metrics_agree() {
    let demo = start(&["--version", "v2", "--error-every", "10"]).await;
    let seen = users_saw(&demo.url, 100).await;
    assert_eq!(seen.len(), 100);
    assert_eq!(seen.iter().filter(|r| r.outcome == Outcome::Status(200)).count(), 90);
    assert_eq!(seen.iter().filter(|r| r.outcome == Outcome::Status(500)).count(), 10);
    assert!(seen.iter().all(|r| r.version.as_deref() == Some("v2")));
    let (_, metrics) = body(&demo.url, "/metrics").await;
    assert!(metrics.contains("http_requests_total{code=\"200\",version=\"v2\"} 90"), "{metrics}");
    assert!(metrics.contains("http_requests_total{code=\"500\",version=\"v2\"} 10"), "{metrics}");
    assert!(metrics.contains("http_request_duration_seconds_count{version=\"v2\"} 100"), "{metrics}");
}

#[tokio::test]
async fn probes_are_neither_counted_nor_failed() {
    let demo = start(&["--error-percent", "100"]).await;
    assert_eq!(body(&demo.url, "/healthz").await.0, 200);
    assert_eq!(body(&demo.url, "/livez").await.0, 200);
    let (_, metrics) = body(&demo.url, "/metrics").await;
    assert!(metrics.contains("http_requests_total{code=\"500\",version=\"v1\"} 0"), "{metrics}");
    assert_eq!(body(&demo.url, "/").await.0, 500);
}

#[tokio::test]
async fn a_release_may_never_be_ready_and_still_lives() {
    let demo = start(&["--ready", "never"]).await;
    assert_eq!(body(&demo.url, "/healthz").await.0, 503);
    assert_eq!(body(&demo.url, "/livez").await.0, 200);
    let demo = start(&["--ready-after-seconds", "3600"]).await;
    assert_eq!(body(&demo.url, "/readyz").await.0, 503);
}

#[tokio::test]
async fn after_termination_the_server_ends_and_users_see_a_closed_port() {
    let demo = start(&[]).await;
    assert_eq!(body(&demo.url, "/").await.0, 200);
    demo.stop.send(()).unwrap();
    demo.task.await.unwrap().unwrap();
    let seen = users_saw(&demo.url, 3).await;
    assert!(seen.iter().all(|r| r.outcome == Outcome::Connect && r.version.is_none()), "{seen:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let seen = users_saw(&format!("http://{}/", silent.local_addr().unwrap()), 1).await;
    assert_eq!(seen.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Outcome::Timeout]);
}

#[tokio::test]
async fn a_load_is_bounded() {
    let refused = |url: &str, rate, seconds| {
        let load =
            Load { url: url.parse().unwrap(), connect: None, rates: Rates::new_connections(rate), seconds };
        async move { send(&load, Vec::new(), std::future::pending()).await.unwrap_err() }
    };
    assert!(matches!(refused("https://demo/", 1, 1).await, LoadError::Url(_)));
    assert!(matches!(refused("http://demo/", 0, 1).await, LoadError::Rate(0)));
    assert!(matches!(refused("http://demo/", 1, 3601).await, LoadError::Seconds(3601)));
    let rates = Rates { kept: 1000, http2: 1, ..Rates::default() };
    let load = Load { url: "http://demo/".parse().unwrap(), connect: None, rates, seconds: 1 };
    let error = send(&load, Vec::new(), std::future::pending()).await.unwrap_err();
    assert!(matches!(error, LoadError::Rate(1001)), "{error}");
    let load = Load { rates: Rates { streams: 17, ..Rates::default() }, ..load };
    let error = send(&load, Vec::new(), std::future::pending()).await.unwrap_err();
    assert!(matches!(error, LoadError::Streams(17)), "{error}");
}

#[tokio::test]
async fn users_come_in_every_way_and_are_told_who_answers() {
    let demo = start(&["--version", "v3", "--pod", "web-1"]).await;
    let address = demo.url.trim_start_matches("http://").parse().unwrap();
    let rates = Rates { new: 20, kept: 30, http2: 40, streams: 2 };
    // A name that nobody resolves: only the address to connect to counts.
    let seen = users_of_ways_saw("http://web.nowhere.test/", Some(address), rates, 1).await;
    let of = |way| seen.iter().filter(|record| record.way == way).count();
    assert_eq!(Way::ALL.map(of), [20, 30, 40, 2]);
    for record in &seen {
        assert_eq!(record.outcome, Outcome::Status(200), "{record}");
        assert_eq!((record.version.as_deref(), record.pod.as_deref()), (Some("v3"), Some("web-1")));
        assert!(!record.leaving, "{record}");
    }
}

#[tokio::test]
async fn a_server_that_leaves_says_so_and_ends_its_streams_well() {
    let demo = start_with_grace("3600", &[]).await;
    let address = Some(demo.url.trim_start_matches("http://").parse().unwrap());
    let rates = Rates { new: 10, streams: 1, ..Rates::default() };
    let seen = tokio::join!(users_of_ways_saw(&demo.url, address, rates, 4), async {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        demo.stop.send(()).unwrap();
    })
    .0;
    assert!(seen.iter().all(|record| record.outcome == Outcome::Status(200)), "{seen:?}");
    let of = |way, leaving| seen.iter().filter(|r| r.way == way && r.leaving == leaving).count();
    assert!(of(Way::New, false) > 0 && of(Way::New, true) > 0, "{seen:?}");
    // The one that was open when the server was told to leave, and at least one after it.
    assert!(of(Way::Stream, false) == 1 && of(Way::Stream, true) >= 1, "{seen:?}");
}

#[tokio::test]
async fn a_stream_that_is_torn_is_broken() {
    let torn = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", torn.local_addr().unwrap());
    let rates = Rates { streams: 1, ..Rates::default() };
    let accept = async {
        loop {
            drop(torn.accept().await);
        }
    };
    tokio::select! {
        biased;
        seen = users_of_ways_saw(&url, None, rates, 1) => {
            assert!(!seen.is_empty() && seen.iter().all(|r| r.outcome == Outcome::Broken), "{seen:?}");
        }
        () = accept => (),
    }
}
