//! HTTP over a connection that stands.

use super::dial::{Dialled, Protocol, Stream};
use super::unsent;
use super::watch::{Watch, Watched};
use crate::headers::{HEADER_LIST_BYTES_MAX, RESPONSE_BYTES_MAX, RESPONSE_HEADERS_MAX};
use crate::timeouts::Clock;
use crate::transport::Hop;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use placet_adapters::{Cause, Failed, Stage};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use tokio::time::{Sleep, sleep_until};
use url::{Position, Url};

type Sent = Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>>;
type Io = TokioIo<Watched<Box<dyn Stream>>>;

/// The connection under way. It moves only while somebody waits for something of it.
pub(super) struct Road {
    connection: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    watch: Watch,
    protocol: Protocol,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Writes the request and waits for the head of its answer.
pub(super) async fn ask(
    dialled: Dialled,
    hop: &Hop,
    clock: &Clock,
) -> Result<(Road, Parts, Incoming), Failed> {
    let request = request(hop, dialled.protocol)?;
    let (mut road, mut sender) = road(dialled, clock).await?;
    let ready = road.until(Stage::Write, clock, sender.ready()).await?;
    ready.map_err(|error| unsent::given_back(&error))?;
    let protocol = road.protocol;
    let watch = road.watch.clone();
    let sending = sender.send(request);
    let answer = road.head(sending, hop.body.len(), clock).await?;
    let answer = answer.map_err(|error| unsent::lost(&error, (protocol, &watch)))?;
    let (head, body) = answer.into_parts();
    Ok((road, head, body))
}

async fn road(dialled: Dialled, clock: &Clock) -> Result<(Road, Sender), Failed> {
    let Dialled { stream, protocol } = dialled;
    let watch = Watch::default();
    let io: Io = TokioIo::new(Watched::new(stream, watch.clone()));
    let broken = |error: hyper::Error| unsent::given_back(&error);
    let (connection, sender): (Pin<Box<dyn Future<Output = ()> + Send>>, _) = match protocol {
        Protocol::Http1 => {
            let mut builder = http1::Builder::new();
            builder.max_headers(RESPONSE_HEADERS_MAX).max_header_size(RESPONSE_BYTES_MAX);
            let (sender, connection) = builder.handshake(io).await.map_err(broken)?;
            (Box::pin(async move { drop(connection.await) }), Sender::Http1(sender))
        }
        Protocol::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.max_header_list_size(HEADER_LIST_BYTES_MAX);
            let shaken = tokio::time::timeout_at(clock.until(Stage::Tls), builder.handshake(io));
            let shaken = shaken.await.map_err(|_elapsed| clock.late(Stage::Tls))?;
            let (sender, connection) = shaken.map_err(broken)?;
            (Box::pin(async move { drop(connection.await) }), Sender::Http2(sender))
        }
    };
    Ok((Road { connection: Some(connection), watch, protocol }, sender))
}

/// The approved bytes, framed for the protocol.
fn request(hop: &Hop, protocol: Protocol) -> Result<Request<Full<Bytes>>, Failed> {
    let refuse = |words: &str| Failed::before(Cause::Refused, words);
    let url = &hop.destination.url;
    let (target, version) = match protocol {
        Protocol::Http1 => (&url[Position::BeforePath..Position::AfterQuery], Version::HTTP_11),
        Protocol::Http2 => (&url[..Position::AfterQuery], Version::HTTP_2),
    };
    let mut request = Request::new(Full::new(Bytes::from(hop.body.clone())));
    *request.method_mut() = hop.method.clone();
    *request.uri_mut() = target.parse().map_err(|_bad| refuse("the url cannot be written"))?;
    *request.version_mut() = version;
    request.headers_mut().clone_from(&hop.headers);
    if protocol == Protocol::Http1 && !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(&host(url));
        let host = host.map_err(|_bad| refuse("the host cannot be written"))?;
        request.headers_mut().insert(HOST, host);
    }
    Ok(request)
}

/// With the port, where it is not the usual one.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

impl Sender {
    async fn ready(&mut self) -> hyper::Result<()> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Sent> + Send>> {
        match self {
            Self::Http1(sender) => Box::pin(sender.try_send_request(request)),
            Self::Http2(sender) => Box::pin(sender.try_send_request(request)),
        }
    }
}

impl Road {
    /// Lets the connection move on.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(cx).is_ready()
        {
            self.connection = None;
        }
    }

    /// Waits for something that the connection brings about.
    async fn until<T>(
        &mut self,
        stage: Stage,
        clock: &Clock,
        wanted: impl Future<Output = T>,
    ) -> Result<T, Failed> {
        let (mut wanted, mut end) = (pin!(wanted), pin!(sleep_until(clock.until(stage))));
        poll_fn(|cx| {
            self.drive(cx);
            if let Poll::Ready(got) = wanted.as_mut().poll(cx) {
                return Poll::Ready(Ok(got));
            }
            end.as_mut().poll(cx).map(|()| Err(clock.late(stage)))
        })
        .await
    }

    /// The same for the answer's head: first as long as a request may take to be written, and from
    /// then on as long as an answer may take to come.
    async fn head(
        &mut self,
        mut sending: Pin<Box<dyn Future<Output = Sent> + Send>>,
        body_bytes: usize,
        clock: &Clock,
    ) -> Result<Sent, Failed> {
        let before = self.watch.taken();
        let mut stage = Stage::Write;
        let mut end: Pin<&mut Sleep> = pin!(sleep_until(clock.until(stage)));
        poll_fn(|cx| {
            self.drive(cx);
            if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                return Poll::Ready(Ok(sent));
            }
            // a head is longer than nothing
            let is_whole = self.watch.is_out() && self.watch.taken() > before + body_bytes;
            if stage == Stage::Write && is_whole {
                stage = Stage::FirstByte;
                end.as_mut().reset(clock.until(stage));
            }
            end.as_mut().poll(cx).map(|()| Err(self.too_late(stage, clock)))
        })
        .await
    }

    /// Without a single write it is before the send, however long it took.
    fn too_late(&self, stage: Stage, clock: &Clock) -> Failed {
        let late = clock.late(stage);
        if self.protocol == Protocol::Http1 && !self.watch.has_begun() {
            return Failed::before(late.cause, late.detail).at(stage);
        }
        late
    }

    /// The next piece of a body; none at its end.
    pub(super) async fn next(
        &mut self,
        body: &mut Incoming,
        clock: &Clock,
    ) -> Result<Option<Bytes>, Failed> {
        loop {
            let Some(frame) = self.until(Stage::Body, clock, body.frame()).await? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| unsent::cut_short(&error))?;
            // trailers are nothing that a manifest reads
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }
}
