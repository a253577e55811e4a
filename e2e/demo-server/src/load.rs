//! The load generator: GET requests at a steady rate, each on a new connection, each written down.
//!
//! A new connection per request, because a kept one stays with the pod that it first met and would see nothing of a
//! weight that moves.

use std::{
    future::Future,
    io::{self, Write},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Uri, header::HOST};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::{Semaphore, mpsc},
    time::Instant,
};

use crate::{
    record::{Outcome, Record},
    server::VERSION_HEADER,
};

/// A user who waits longer than this has left.
const REQUEST_TIMEOUT_SECONDS: u64 = 2;
/// Requests in flight at once; at the highest rate, this many are open when the server answers in 250 ms.
const MAX_IN_FLIGHT: usize = 256;
/// Requests per second that the generator keeps up with on one core.
pub const MAX_RATE_PER_SECOND: u32 = 1000;
/// One hour: longer than any scenario.
pub const MAX_SECONDS: u32 = 3600;
/// The page is tens of bytes; an answer beyond this is not ours.
const MAX_BODY_BYTES: usize = 65_536;

/// What to send.
#[derive(Debug, Clone)]
pub struct Load {
    /// The page, `http://HOST[:PORT]/PATH`.
    pub url: Uri,
    /// Requests per second, 1 to [`MAX_RATE_PER_SECOND`].
    pub rate: u32,
    /// How long, up to [`MAX_SECONDS`].
    pub seconds: u32,
}

/// Why a load did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The address is not one that the generator can speak to.
    #[error("{0} is not an address for the load generator: use http://HOST:PORT/")]
    Url(Uri),
    /// The rate is out of bounds.
    #[error("a rate of {0} requests per second is out of bounds: use 1 to {MAX_RATE_PER_SECOND}")]
    Rate(u32),
    /// The time is out of bounds.
    #[error("a load of {0} seconds is out of bounds: use 1 to {MAX_SECONDS}")]
    Seconds(u32),
    /// The log cannot be written.
    #[error("cannot write the load log: {0}")]
    Log(#[from] io::Error),
}

/// Sends the load and writes one line per request to `log`, until its time is over or `stop` resolves. Requests in
/// flight are waited for.
///
/// # Errors
/// When the load is out of bounds or the log cannot be written; failed requests are lines, not errors.
pub async fn send(
    load: &Load,
    mut log: impl Write,
    stop: impl Future<Output = ()>,
) -> Result<u64, LoadError> {
    check(load)?;
    let (lines, mut written) = mpsc::channel::<Record>(MAX_IN_FLIGHT);
    let pace = pace(load.clone(), lines, stop);
    let write = async {
        let mut count = 0_u64;
        while let Some(record) = written.recv().await {
            // One write per line: whoever reads the log while the load runs sees whole lines.
            log.write_all(format!("{record}\n").as_bytes())?;
            count = count.saturating_add(1);
        }
        log.flush()?;
        Ok::<_, LoadError>(count)
    };
    let ((), count) = tokio::join!(biased; pace, write);
    count
}

fn check(load: &Load) -> Result<(), LoadError> {
    if load.url.scheme_str() != Some("http") || load.url.host().is_none() {
        return Err(LoadError::Url(load.url.clone()));
    }
    if !(1..=MAX_RATE_PER_SECOND).contains(&load.rate) {
        return Err(LoadError::Rate(load.rate));
    }
    if !(1..=MAX_SECONDS).contains(&load.seconds) {
        return Err(LoadError::Seconds(load.seconds));
    }
    Ok(())
}

/// Starts request `n` at `start + n / rate`, whatever became of the ones before: a slow server gets no fewer
/// requests, as with real users, until too many are open.
async fn pace(load: Load, lines: mpsc::Sender<Record>, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let (start, open) = (Instant::now(), Arc::new(Semaphore::new(MAX_IN_FLIGHT)));
    for nth in 0..load.rate.saturating_mul(load.seconds) {
        let due = start + Duration::from_secs(1).saturating_mul(nth) / load.rate;
        let permit = tokio::select! {
            biased;
            () = &mut stop => return,
            permit = async { tokio::time::sleep_until(due).await; open.clone().acquire_owned().await } => permit,
        };
        let Ok(permit) = permit else { return };
        let (lines, url) = (lines.clone(), load.url.clone());
        tokio::spawn(async move {
            // The receiver lives until the last sender is gone; it ends early only when the log cannot be written.
            drop(lines.send(request(&url).await).await);
            drop(permit);
        });
    }
}

/// One request, timed.
async fn request(url: &Uri) -> Record {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let begun = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(REQUEST_TIMEOUT_SECONDS), get(url)).await;
    let (outcome, version) = match answer {
        Ok(Ok((code, version))) => (Outcome::Status(code), version),
        Ok(Err(outcome)) => (outcome, None),
        Err(_elapsed) => (Outcome::Timeout, None),
    };
    Record { epoch_ms: millis(epoch), took_ms: millis(begun.elapsed()), outcome, version }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One GET on a new connection; the whole body is read, for an answer torn off in the middle is a failure.
async fn get(url: &Uri) -> Result<(u16, Option<String>), Outcome> {
    let host = url.host().unwrap_or_default();
    let address = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(|_refused| Outcome::Connect)?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_torn| Outcome::Broken)?;
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let authority = url.authority().map_or(host, http::uri::Authority::as_str);
    let ask = Request::get(path)
        .header(HOST, authority)
        .body(Empty::<Bytes>::new())
        .map_err(|_unusable| Outcome::Broken)?;
    let exchange = async {
        let response = sender.send_request(ask).await.map_err(|_torn| Outcome::Broken)?;
        let code = response.status().as_u16();
        let version =
            response.headers().get(VERSION_HEADER).and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
        Limited::new(response.into_body(), MAX_BODY_BYTES)
            .collect()
            .await
            .map_err(|_torn| Outcome::Broken)?;
        Ok((code, version))
    };
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The connection's task may end first (the server closed after its answer): what was read still counts.
        _ended = connection => exchange.await,
    }
}
