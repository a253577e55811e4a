//! The load generator: requests at a steady rate, each written down.
//!
//! Users come in four ways ([`Way`]): the plain one is a new connection per request, because a kept one that no proxy
//! shares out stays with the pod that it first met and would see nothing of a weight that moves.

use crate::{
    record::{Outcome, Record, Way},
    users::{Answer, Users},
};
use futures::{FutureExt, future::Shared};
use http::Uri;
use std::{
    future::Future,
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

/// A user who waits longer than this has left.
const REQUEST_TIMEOUT_SECONDS: u64 = 2;
/// Requests in flight at once; at the highest rate, this many are open when the server answers in 250 ms.
const MAX_IN_FLIGHT: usize = 256;
/// Requests per second, of all ways together, that the generator keeps up with on one core.
pub const MAX_RATE_PER_SECOND: u32 = 1000;
/// Streams at once.
pub const MAX_STREAMS: u32 = 16;
/// One hour: longer than any scenario.
pub const MAX_SECONDS: u32 = 3600;
/// Before a user whose stream failed comes back.
const STREAM_PAUSE: Duration = Duration::from_millis(200);

/// How many users come in which way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Requests per second on connections of their own.
    pub new: u32,
    /// Requests per second on kept connections.
    pub kept: u32,
    /// Requests per second by HTTP/2.
    pub http2: u32,
    /// Streams that are open at once; one that the server ends is opened again.
    pub streams: u32,
}

impl Rates {
    /// So many requests per second, each on a connection of its own.
    #[must_use]
    pub const fn new_connections(rate: u32) -> Self {
        Self { new: rate, kept: 0, http2: 0, streams: 0 }
    }

    fn per_second(self) -> u32 {
        self.new.saturating_add(self.kept).saturating_add(self.http2)
    }
}

/// What to send.
#[derive(Debug, Clone)]
pub struct Load {
    /// The page, `http://HOST[:PORT]/PATH`.
    pub url: Uri,
    /// Where to connect, when that is not what the address says: a proxy's port, for names that nobody resolves.
    pub connect: Option<SocketAddr>,
    /// Users, up to [`MAX_RATE_PER_SECOND`] and [`MAX_STREAMS`].
    pub rates: Rates,
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
    #[error("a rate of {0} requests per second is out of bounds: use 1 to {MAX_RATE_PER_SECOND}, or streams")]
    Rate(u32),
    /// Too many streams.
    #[error("{0} streams at once are too many: use up to {MAX_STREAMS}")]
    Streams(u32),
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
    let stop = stop.shared();
    let users = Arc::new(Users::of(load.url.clone(), load.connect));
    let come = {
        let (users, rates, stop) = (&users, load.rates, &stop);
        async move {
            let pace = |way, rate| pace(users, way, rate, load.seconds, lines.clone(), stop.clone());
            let end = Instant::now() + Duration::from_secs(load.seconds.into());
            let follow = (0..rates.streams).map(|_nth| follow(users, end, lines.clone(), stop.clone()));
            tokio::join!(
                biased;
                pace(Way::New, rates.new),
                pace(Way::Kept, rates.kept),
                pace(Way::Http2, rates.http2),
                futures::future::join_all(follow),
            );
        }
    };
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
    let ((), count) = tokio::join!(biased; come, write);
    count
}

fn check(load: &Load) -> Result<(), LoadError> {
    if load.url.scheme_str() != Some("http") || load.url.host().is_none() {
        return Err(LoadError::Url(load.url.clone()));
    }
    let rate = load.rates.per_second();
    if rate > MAX_RATE_PER_SECOND || rate.saturating_add(load.rates.streams) == 0 {
        return Err(LoadError::Rate(rate));
    }
    if load.rates.streams > MAX_STREAMS {
        return Err(LoadError::Streams(load.rates.streams));
    }
    if !(1..=MAX_SECONDS).contains(&load.seconds) {
        return Err(LoadError::Seconds(load.seconds));
    }
    Ok(())
}

/// Starts request `n` at `start + n / rate`, whatever became of the ones before: a slow server gets no fewer
/// requests, as with real users, until too many are open.
async fn pace<S: Future<Output = ()>>(
    users: &Arc<Users>,
    way: Way,
    rate: u32,
    seconds: u32,
    lines: mpsc::Sender<Record>,
    mut stop: Shared<S>,
) {
    let (start, open) = (Instant::now(), Arc::new(Semaphore::new(MAX_IN_FLIGHT)));
    for nth in 0..rate.saturating_mul(seconds) {
        let due = start + Duration::from_secs(1).saturating_mul(nth) / rate;
        let permit = tokio::select! {
            biased;
            () = &mut stop => return,
            permit = async { tokio::time::sleep_until(due).await; open.clone().acquire_owned().await } => permit,
        };
        let Ok(permit) = permit else { return };
        let (lines, users) = (lines.clone(), users.clone());
        tokio::spawn(async move {
            // The receiver lives until the last sender is gone; it ends early only when the log cannot be written.
            drop(lines.send(request(&users, way).await).await);
            drop(permit);
        });
    }
}

/// Keeps a stream open, and opens the next one when it has ended.
async fn follow<S: Future<Output = ()>>(
    users: &Arc<Users>,
    end: Instant,
    lines: mpsc::Sender<Record>,
    stop: Shared<S>,
) {
    let over = async { tokio::select!(biased; () = stop => (), () = tokio::time::sleep_until(end) => ()) };
    let over = over.shared();
    while over.peek().is_none() {
        let (epoch, begun) = (now(), Instant::now());
        let answer = users.follow(over.clone()).await;
        let failed = answer.is_err();
        if lines.send(record(Way::Stream, epoch, begun, answer)).await.is_err() {
            return;
        }
        if failed {
            tokio::select!(biased; () = over.clone() => (), () = tokio::time::sleep(STREAM_PAUSE) => ());
        }
    }
}

/// One request, timed.
async fn request(users: &Users, way: Way) -> Record {
    let (epoch, begun) = (now(), Instant::now());
    let answer = tokio::time::timeout(Duration::from_secs(REQUEST_TIMEOUT_SECONDS), users.ask(way)).await;
    record(way, epoch, begun, answer.unwrap_or(Err(Outcome::Timeout)))
}

fn record(way: Way, epoch: Duration, begun: Instant, answer: Result<Answer, Outcome>) -> Record {
    let (epoch_ms, took_ms) = (millis(epoch), millis(begun.elapsed()));
    let (outcome, answer) = match answer {
        Ok(answer) => (Outcome::Status(answer.code), answer),
        Err(outcome) => (outcome, Answer::default()),
    };
    let Answer { version, pod, leaving, .. } = answer;
    Record { epoch_ms, took_ms, outcome, version, pod, leaving, way }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
