//! The executor against servers on loopback: what comes back, and what is said where nothing does.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests speak to servers of their own"
)]

use flate2::{Compression, write::GzEncoder};
use providers::execute::network;
use providers::http::{NoAnswer, Request, Response, send};
use rcgen::{CertificateParams, KeyPair};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Longer than the executor takes; a server that never answers is given up after this.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

fn request(url: String) -> Request {
    Request {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: String::new(),
        timeout: LONG,
        insecure: false,
    }
}

async fn ask(request: Request) -> Result<Response, NoAnswer> {
    providers::install_tls();
    send(network(), request).await
}

/// Reads a request up to the end of its headers and of the body that they announce.
async fn heard(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let got = stream.read(&mut chunk).await.unwrap_or(0);
        text.extend_from_slice(&chunk[..got]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            if got == 0 {
                return so_far;
            }
            continue;
        };
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if got == 0 || body.len() >= length.unwrap_or(0) {
            return so_far;
        }
    }
}

/// A server that gives each connection the next of these answers; gives its address and what it hears.
async fn server(answers: Vec<Vec<u8>>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, hear) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            tell.send(heard(&mut stream).await).unwrap();
            write(&mut stream, &answer).await;
        }
    });
    (address, hear)
}

/// The other side may have had enough before the end.
async fn write(stream: &mut (impl AsyncWrite + Unpin), answer: &[u8]) {
    drop(stream.write_all(answer).await);
    drop(stream.shutdown().await);
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn headers_and_body_arrive_and_the_answer_comes_back() {
    let (address, mut hear) =
        server(vec![answer("201 Created", "", b"hello"), answer("200 OK", "", b"")]).await;
    let mut sent = request(format!("http://{address}/x?y=1"));
    sent.method = "POST".to_owned();
    sent.headers.push(("X-Team".to_owned(), "a".to_owned()));
    sent.body = "body".to_owned();
    assert_eq!(ask(sent.clone()).await.unwrap(), Response { status: 201, body: b"hello".to_vec() });
    let heard = hear.recv().await.unwrap().to_lowercase();
    assert!(heard.starts_with("post /x?y=1 http/1.1\r\n") && heard.ends_with("\r\n\r\nbody"), "{heard}");
    assert!(heard.contains("x-team: a\r\n") && heard.contains("user-agent: stepgate/"), "{heard}");

    sent.method = "PUT".to_owned();
    sent.body = String::new();
    assert_eq!(ask(sent).await.unwrap().status, 200);
    let heard = hear.recv().await.unwrap().to_lowercase();
    assert!(heard.contains("content-length: 0\r\n"), "an empty body is announced: {heard}");
}

#[tokio::test]
async fn a_redirect_is_followed() {
    let (target, _hear) = server(vec![answer("200 OK", "", b"there")]).await;
    let away = format!("Location: http://{target}/there\r\n");
    let (address, _hear) = server(vec![answer("302 Found", &away, b"")]).await;
    assert_eq!(ask(request(format!("http://{address}/"))).await.unwrap().body, b"there");
}

#[tokio::test]
async fn who_is_not_there_or_does_not_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut slow = request(format!("http://user:secret@{address}/slow?token=secret"));
    slow.timeout = SHORT;
    // It accepts by its backlog, and never reads.
    let silent = ask(slow.clone()).await.unwrap_err().to_string();
    assert_eq!(
        silent,
        format!(
            "Get \"http://*****@{address}/slow?*****\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )
    );
    drop(listener);
    let refused = ask(slow).await.unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("refused") && !refused.contains("secret"), "{refused}");
    let unknown = ask(request("http://no-such-host.invalid/".to_owned())).await.unwrap_err().to_string();
    assert!(unknown.starts_with("Get \"http://no-such-host.invalid/\": "), "{unknown}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_told_apart_from_headers_that_never_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let holding = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        heard(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        stream
    });
    let mut slow = request(format!("http://{address}/"));
    slow.timeout = SHORT;
    let error = ask(slow).await.unwrap_err().to_string();
    assert!(error.ends_with("while reading body)"), "{error}");
    drop(holding.await.unwrap());
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_bound_also_when_it_was_packed() {
    const MANY: usize = 6 * 1024 * 1024;
    let plain = answer("200 OK", "", &vec![b'a'; MANY]);
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![b'a'; MANY]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 100_000);
    let packed = answer("200 OK", "Content-Encoding: gzip\r\n", &packed);
    for body in [plain, packed] {
        let (address, _hear) = server(vec![body]).await;
        let error = ask(request(format!("http://{address}/"))).await.unwrap_err().to_string();
        assert!(error.ends_with("the answer is longer than 4194304 bytes"), "{error}");
    }
}

/// A server whose certificate nobody has signed but itself; gives its address and its certificate.
async fn tls_server(connections: usize) -> (String, String) {
    providers::install_tls();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for _ in 0..connections {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust us ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            heard(&mut stream).await;
            write(&mut stream, &answer("200 OK", "", b"secret")).await;
        }
    });
    (format!("https://localhost:{port}/"), certificate.pem())
}

#[tokio::test]
async fn a_certificate_is_verified_unless_the_metric_asks_not_to() {
    let (url, _certificate) = tls_server(2).await;
    let refused = ask(request(url.clone())).await.unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("certificate"), "{refused}");
    let mut insecure = request(url);
    insecure.insecure = true;
    assert_eq!(ask(insecure).await.unwrap().body, b"secret");
}

/// Runs one of the tests below in a process of its own, because the environment belongs to the whole process.
fn in_environment(test: &str, variables: &[(&str, &str)]) {
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", test, "--nocapture", "--ignored"])
        .env("SSL_CERT_DIR", "/nonexistent")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_roots_plain_http_works_and_https_says_what_to_do() {
    in_environment("rootless", &[("SSL_CERT_FILE", "/nonexistent/roots.pem")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_roots_of_the_environment_are_trusted() {
    let (url, certificate) = tls_server(1).await;
    let file = std::env::temp_dir().join(format!("roots-{}.pem", std::process::id()));
    std::fs::write(&file, certificate).unwrap();
    let path = file.to_string_lossy().into_owned();
    tokio::task::block_in_place(|| in_environment("trusting", &[("SSL_CERT_FILE", &path), (URL, &url)]));
    std::fs::remove_file(&file).unwrap();
}

/// Tells `trusting` where the server is.
const URL: &str = "STEPGATE_TEST_URL";

#[tokio::test]
#[ignore = "run by the_roots_of_the_environment_are_trusted, in an environment of its own"]
async fn trusting() {
    let url = std::env::var(URL).unwrap();
    assert_eq!(ask(request(url)).await.unwrap().body, b"secret");
}

#[tokio::test]
#[ignore = "run by without_roots_plain_http_works_and_https_says_what_to_do, in an environment of its own"]
async fn rootless() {
    let (address, _hear) = server(vec![answer("200 OK", "", b"plain")]).await;
    assert_eq!(ask(request(format!("http://{address}/"))).await.unwrap().body, b"plain");
    let error = ask(request("https://localhost:1/".to_owned())).await.unwrap_err().to_string();
    assert!(error.contains("set SSL_CERT_FILE"), "{error}");
}
