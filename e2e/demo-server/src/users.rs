//! How a user asks, in each of the ways.

use crate::{
    record::{Outcome, Way},
    server::{LEAVING_HEADER, POD_HEADER, VERSION_HEADER},
    stream,
};
use bytes::Bytes;
use http::{
    HeaderMap, Request, Response, Uri,
    header::{CONTENT_TYPE, HOST, TE},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use std::{future::Future, io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;
use tower::util::BoxCloneSyncService;

/// The page is tens of bytes; an answer beyond this is not ours.
const MAX_BODY_BYTES: usize = 65_536;
/// A stream that is silent for so long is dead, for its server speaks every [`stream::BEAT`].
const SILENCE: Duration = Duration::from_secs(5);
/// Kept connections that wait for their next request, at most.
const KEPT_MAX: usize = 8;

type Connector = BoxCloneSyncService<Uri, TokioIo<TcpStream>, io::Error>;
type Pool = Client<Connector, Empty<Bytes>>;

/// What an answer told.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) version: Option<String>,
    pub(crate) pod: Option<String>,
    pub(crate) leaving: bool,
}

impl Answer {
    fn of<B>(response: &Response<B>) -> Self {
        let word = |headers: &HeaderMap, name| {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let headers = response.headers();
        Self {
            code: response.status().as_u16(),
            version: word(headers, VERSION_HEADER),
            pod: word(headers, POD_HEADER),
            leaving: headers.contains_key(LEAVING_HEADER),
        }
    }
}

/// All users of one page.
#[derive(Debug)]
pub(crate) struct Users {
    url: Uri,
    connect: Option<SocketAddr>,
    kept: Pool,
    http2: Pool,
}

impl Users {
    pub(crate) fn of(url: Uri, connect: Option<SocketAddr>) -> Self {
        let pool = |http2: bool| {
            let connector = tower::service_fn(move |url: Uri| async move {
                Ok::<_, io::Error>(TokioIo::new(dial(&url, connect).await?))
            });
            let mut client = Client::builder(TokioExecutor::new());
            client.http2_only(http2).pool_max_idle_per_host(KEPT_MAX);
            client.build(BoxCloneSyncService::new(connector))
        };
        Self { url, connect, kept: pool(false), http2: pool(true) }
    }

    /// One GET; the whole body is read, for an answer torn off in the middle is a failure.
    pub(crate) async fn ask(&self, way: Way) -> Result<Answer, Outcome> {
        let pool = match way {
            Way::New | Way::Stream => return self.ask_anew().await,
            Way::Kept => &self.kept,
            Way::Http2 => &self.http2,
        };
        let ask = Request::get(self.url.clone()).body(Empty::new()).map_err(|_unusable| Outcome::Broken)?;
        let response = pool.request(ask).await;
        read(response.map_err(|error| if error.is_connect() { Outcome::Connect } else { Outcome::Broken })?)
            .await
    }

    /// On a connection of its own.
    async fn ask_anew(&self) -> Result<Answer, Outcome> {
        let stream = dial(&self.url, self.connect).await.map_err(|_refused| Outcome::Connect)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|_torn| Outcome::Broken)?;
        let path = self.url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let authority = self.url.authority().map_or("", http::uri::Authority::as_str);
        let ask = Request::get(path)
            .header(HOST, authority)
            .body(Empty::<Bytes>::new())
            .map_err(|_unusable| Outcome::Broken)?;
        let exchange = async { read(sender.send_request(ask).await.map_err(|_torn| Outcome::Broken)?).await };
        let mut exchange = std::pin::pin!(exchange);
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            // The connection's task may end first (the server closed after its answer): what was read still counts.
            _ended = connection => exchange.await,
        }
    }

    /// One stream, until its server ends it or `over` resolves: both are good ends.
    pub(crate) async fn follow(&self, over: impl Future<Output = ()>) -> Result<Answer, Outcome> {
        let stream = dial(&self.url, self.connect).await.map_err(|_refused| Outcome::Connect)?;
        let (mut sender, connection) =
            http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .map_err(|_torn| Outcome::Broken)?;
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(http::uri::PathAndQuery::from_static(stream::METHOD));
        let url = Uri::from_parts(parts).map_err(|_unusable| Outcome::Broken)?;
        let ask = Request::post(url)
            .header(CONTENT_TYPE, stream::GRPC)
            .header(TE, "trailers")
            .body(Empty::new())
            .map_err(|_unusable| Outcome::Broken)?;
        let listen = async {
            let first = tokio::time::timeout(SILENCE, sender.send_request(ask)).await;
            let response = first.map_err(|_silent| Outcome::Timeout)?.map_err(|_torn| Outcome::Broken)?;
            let answer = Answer::of(&response);
            listen(response, over).await.map(|()| answer)
        };
        let mut listen = std::pin::pin!(listen);
        tokio::select! {
            biased;
            answer = &mut listen => answer,
            _ended = connection => listen.await,
        }
    }
}

/// Messages, until the status that ends them.
async fn listen(response: Response<Incoming>, over: impl Future<Output = ()>) -> Result<(), Outcome> {
    if response.status() != http::StatusCode::OK {
        return Err(Outcome::Status(response.status().as_u16()));
    }
    let mut over = std::pin::pin!(over);
    let mut body = response.into_body();
    loop {
        let next = tokio::select! {
            biased;
            () = &mut over => return Ok(()),
            next = tokio::time::timeout(SILENCE, body.frame()) => next,
        };
        match next {
            Err(_silent) => return Err(Outcome::Timeout),
            Ok(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    let well = trailers.get(stream::STATUS).is_some_and(|status| status == "0");
                    return if well { Ok(()) } else { Err(Outcome::Broken) };
                }
            }
            // Torn, or ended without a word.
            Ok(Some(Err(_)) | None) => return Err(Outcome::Broken),
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Outcome> {
    let answer = Answer::of(&response);
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    body.map(|_whole| answer).map_err(|_torn| Outcome::Broken)
}

async fn dial(url: &Uri, connect: Option<SocketAddr>) -> io::Result<TcpStream> {
    let stream = match connect {
        Some(address) => TcpStream::connect(address).await?,
        None => {
            let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
            TcpStream::connect((host, url.port_u16().unwrap_or(80))).await?
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}
