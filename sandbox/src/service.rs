//! The API server as a service: what `kube::Client` and the HTTP listener speak to.

use crate::api::failure::Failure;
use crate::api::reply::Reply;
use crate::api::request::Request;
use crate::api::watch::{Line, Told, Watch};
use crate::cluster::Shared;
use crate::kubectl::protobuf;
use crate::weather::{Call, Delivery, Fate, News};
use bytes::Bytes;
use crds::Time;
use futures::future::BoxFuture;
use futures::stream::{self, Stream};
use http::{HeaderValue, Method, Response, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// How often a watch that asks for bookmarks gets one.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);
/// How long before its end a watch gets its last bookmarks.
const LAST_BOOKMARKS: Duration = Duration::from_secs(2);
/// How often it gets them.
const LAST_BOOKMARK_INTERVAL: Duration = Duration::from_secs(1);
/// Longest watch, for clients that do not say.
const WATCH_MAX_SECONDS: u64 = 1_800;
/// When a client takes a connection on which nothing comes for dead; that of `kube::Config`.
const READ_TIMEOUT: Duration = Duration::from_secs(295);
/// Largest body of a request.
const BODY_MAX_BYTES: usize = 3 * 1024 * 1024;

/// The connection ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection to the API server broke")]
pub struct Broken;

/// Whatever a request body fails with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// A client's end of the API server.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    client: Arc<str>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, client: &str) -> Self {
        Self { shared, client: client.into() }
    }

    async fn answer<B>(self, request: http::Request<B>) -> Result<Response<Body>, Broken>
    where
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let limited = http_body_util::Limited::new(body, BODY_MAX_BYTES);
        let Ok(body) = limited.collect().await else {
            let failure =
                Failure::other(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728");
            return Ok(failed(&failure));
        };
        let request = match Request::parse(&parts, body.to_bytes()) {
            Ok(request) => request,
            Err(failure) => return Ok(failed(&failure)),
        };
        let call = self.call_of(&request);
        let now = self.shared.clock.now();
        let fate = self.shared.lock().weather.call(&call, now);
        match fate {
            Fate::Answered => Ok(self.carry_out(&call, &request)),
            Fate::Refused { applied, code, reason, message } => {
                if applied {
                    self.carry_out(&call, &request);
                }
                Ok(failed(&Failure::other(code, reason, message)))
            }
            Fate::Broken { applied } => {
                if applied {
                    self.carry_out(&call, &request);
                }
                Err(Broken)
            }
            Fate::Silent { applied } => {
                if applied {
                    self.carry_out(&call, &request);
                }
                tokio::time::sleep(READ_TIMEOUT).await;
                Err(Broken)
            }
            Fate::Slow { before, after } => {
                // What is on its way arrives, whether or not its sender still waits or lives.
                let arrival = tokio::spawn(async move {
                    tokio::time::sleep(before).await;
                    self.carry_out(&call, &request)
                });
                let answer = arrival.await.map_err(|_| Broken)?;
                tokio::time::sleep(after).await;
                Ok(answer)
            }
        }
    }

    fn call_of(&self, request: &Request) -> Call {
        let place = request.place.clone().unwrap_or_default();
        let named = place.name.is_some();
        let verb = match request.method {
            Method::GET if request.query.watch => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if named => "delete",
            _ => "deletecollection",
        };
        Call {
            client: self.client.to_string(),
            verb,
            resource: place.plural,
            namespace: place.namespace.unwrap_or_default(),
            name: place.name.unwrap_or_default(),
            subresource: place.subresource.unwrap_or_default(),
            body: request.body.clone(),
        }
    }

    fn carry_out(&self, call: &Call, request: &Request) -> Response<Body> {
        let mut state = self.shared.lock();
        let before = state.api.revision();
        let reply = state.api.answer(request);
        let code = match &reply {
            Ok(Reply::Json(code, _)) => *code,
            Ok(Reply::Watch(_) | Reply::Other(..)) => 200,
            Err(failure) => failure.code,
        };
        let warnings = std::mem::take(&mut state.api.warnings);
        let (revision, now) = (state.api.revision(), self.shared.clock.now());
        state.weather.done(call, code, revision, now);
        state.tell();
        drop(state);
        if revision != before {
            self.shared.changed.notify_one();
        }
        let mut response = match reply {
            Ok(Reply::Json(code, body)) => whole(code, body),
            Ok(Reply::Other(content_type, body)) => {
                let mut response = whole(200, body);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
                response
            }
            Ok(Reply::Watch(watch)) => self.stream(*watch, call.resource.clone()),
            Err(failure) => refused(&failure, request),
        };
        for warning in warnings {
            // 299 is for warnings of all kinds, and the dash for those who do not say their name.
            if let Ok(text) = HeaderValue::from_str(&format!("299 - {warning:?}")) {
                response.headers_mut().append(header::WARNING, text);
            }
        }
        response
    }

    fn stream(&self, watch: Watch, resource: String) -> Response<Body> {
        let seconds = watch.timeout_seconds.unwrap_or(WATCH_MAX_SECONDS).min(WATCH_MAX_SECONDS);
        let now = Instant::now();
        let news = self.shared.lock().api.store.news(watch.resource);
        let watcher = Watcher {
            handle: self.clone(),
            watch,
            resource,
            news,
            end: now + Duration::from_secs(seconds),
            bookmark: now
                + BOOKMARK_INTERVAL.min(Duration::from_secs(seconds).saturating_sub(LAST_BOOKMARKS)),
            held: None,
            state: Going::On,
        };
        let body = BodyExt::boxed_unsync(StreamBody::new(watcher.lines()));
        respond(200, body)
    }
}

impl<B> tower::Service<http::Request<B>> for Handle
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Broken;
    type Future = BoxFuture<'static, Result<Response<Body>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

fn respond(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn whole(code: u16, body: Bytes) -> Response<Body> {
    respond(code, BodyExt::boxed_unsync(Full::new(body).map_err(|never| match never {})))
}

fn failed(failure: &Failure) -> Response<Body> {
    if failure.plain {
        let mut response = whole(failure.code, failure.message.clone().into());
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        return response;
    }
    let mut response = whole(failure.code, failure.status().to_string().into());
    let seconds = failure.details.as_ref().and_then(|details| details.get("retryAfterSeconds")?.as_u64());
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A refusal in the form that the client takes: protobuf for those who take nothing else.
fn refused(failure: &Failure, request: &Request) -> Response<Body> {
    if failure.plain || request.accept != protobuf::CONTENT_TYPE {
        return failed(failure);
    }
    let mut response =
        whole(failure.code, protobuf::status(failure.code, failure.reason, &failure.message).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(protobuf::CONTENT_TYPE));
    response
}

/// How a stream goes on.
enum Going {
    On,
    Ended,
}

/// A watch that is being told.
struct Watcher {
    handle: Handle,
    watch: Watch,
    resource: String,
    news: Arc<Notify>,
    end: Instant,
    bookmark: Instant,
    /// A line that is delivered next, whatever the weather.
    held: Option<Line>,
    state: Going,
}

/// What to do about a line.
enum Step {
    Deliver(Line),
    Wait(Time, Line),
    Break,
    End,
    Stall,
}

impl Watcher {
    fn lines(self) -> impl Stream<Item = Result<Frame<Bytes>, Broken>> {
        stream::unfold(self, |mut watcher| async move {
            let item = watcher.next().await?;
            Some((item.map(|line| Frame::data(line.json)), watcher))
        })
    }

    async fn next(&mut self) -> Option<Result<Line, Broken>> {
        if matches!(self.state, Going::Ended) {
            return None;
        }
        loop {
            if let Some(line) = self.held.take() {
                return Some(Ok(line));
            }
            let news = self.news.clone();
            let mut changed = pin!(news.notified());
            changed.as_mut().enable();
            let told = self.handle.shared.lock().api.tell(&mut self.watch);
            let line = match told {
                Told::Line(line) => line,
                Told::Nothing => match self.wait(changed).await {
                    Some(line) => line,
                    None if Instant::now() >= self.end => return None,
                    None => continue,
                },
            };
            match self.meet(line) {
                Step::Deliver(line) => return Some(Ok(line)),
                Step::Wait(until, line) => {
                    tokio::time::sleep_until(self.handle.shared.clock.instant(until)).await;
                    return Some(Ok(line));
                }
                Step::Break => {
                    self.state = Going::Ended;
                    return Some(Err(Broken));
                }
                Step::End => return None,
                Step::Stall => {
                    tokio::time::sleep_until(self.end).await;
                    return None;
                }
            }
        }
    }

    /// Waits for news, for the time of a bookmark, or for the end.
    async fn wait(&mut self, changed: Pin<&mut Notified<'_>>) -> Option<Line> {
        let until = if self.watch.bookmarks { self.bookmark.min(self.end) } else { self.end };
        tokio::select! {
            biased;
            () = changed => None,
            () = tokio::time::sleep_until(until) => {
                if until == self.end {
                    return None;
                }
                let regular = self.bookmark + BOOKMARK_INTERVAL;
                let last = self.end.checked_sub(LAST_BOOKMARKS).unwrap_or(self.end);
                self.bookmark = if self.bookmark >= last {
                    self.bookmark + LAST_BOOKMARK_INTERVAL
                } else {
                    regular.min(last)
                };
                let mut state = self.handle.shared.lock();
                // Whatever came in this moment is told first.
                if let Told::Line(line) = state.api.tell(&mut self.watch) {
                    return Some(line);
                }
                let revision = state.api.revision();
                self.watch.told = self.watch.told.max(revision);
                Some(state.api.bookmark(&mut self.watch, revision))
            }
        }
    }

    /// What the weather does to a line.
    fn meet(&mut self, line: Line) -> Step {
        if line.event == "ERROR" {
            self.held = None;
            self.state = Going::Ended;
            return Step::Deliver(line);
        }
        let news = News {
            client: &self.handle.client,
            resource: &self.resource,
            event: line.event,
            revision: line.revision,
        };
        let mut state = self.handle.shared.lock();
        let now = self.handle.shared.clock.now();
        let mut with_error = |failure: &Failure| {
            self.state = Going::Ended;
            Step::Deliver(Line::error(failure))
        };
        match state.weather.news(&news, now) {
            Delivery::Delivered => Step::Deliver(line),
            Delivery::Until(time) => Step::Wait(time, line),
            Delivery::Twice => {
                self.held = Some(line.clone());
                Step::Deliver(line)
            }
            Delivery::Closed => Step::End,
            Delivery::Broken => Step::Break,
            Delivery::Gone => with_error(&Failure::expired(line.revision, state.api.revision())),
            Delivery::Failed => with_error(&Failure::other(
                500,
                "InternalError",
                "an error on the server has ended the watch",
            )),
            Delivery::Stalled => Step::Stall,
        }
    }
}
