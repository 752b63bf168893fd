//! An HTTP door without an engine behind it: whoever opens it says what each request is answered. The
//! sandbox's server for other people's clients stands on it.

use crate::server::Error;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 4 << 20;
/// For requests under way, once the door closes.
const GRACE: Duration = Duration::from_secs(2);

/// A request as it came.
#[derive(Debug, Clone)]
pub struct MockRequest {
    /// Upper case.
    pub method: String,
    /// With its first slash, percent-encoded as it came.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What becomes of it.
#[derive(Debug, Clone)]
pub enum MockAnswer {
    /// An answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers; what no header may be is left out.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Vec<u8>,
    },
    /// None: the connection breaks in the middle of one.
    Lost,
}

type Answering = Arc<dyn Fn(MockRequest) -> MockAnswer + Send + Sync>;

/// A door that is bound and not yet open.
pub struct Mock {
    listener: TcpListener,
    address: SocketAddr,
    answer: Answering,
}

impl fmt::Debug for Mock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Mock {
    /// Takes the address; port 0 takes a free one.
    ///
    /// # Errors
    /// One that cannot be listened on.
    pub async fn bind(
        address: SocketAddr,
        answer: impl Fn(MockRequest) -> MockAnswer + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, answer: Arc::new(answer) })
    }

    /// Where it listens, the port that was taken included.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is ready, and lets what is under way end.
    ///
    /// # Errors
    /// What the operating system says of the listener.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let Self { listener, address, answer } = self;
        let failed = |source| Error::Serve { address, source };
        let limit = DefaultBodyLimit::max(BODY_BYTES_MAX);
        let router = Router::new().fallback(answered).layer(limit).with_state(answer);
        let (close, mut closing) = watch::channel(false);
        let closed = async move {
            // an error means that the sender is gone, which closes too
            let _closed_either_way = closing.wait_for(|closing| *closing).await;
        };
        let mut serving =
            pin!(axum::serve(listener, router).with_graceful_shutdown(closed).into_future());
        tokio::select! {
            ended = &mut serving => return ended.map_err(failed),
            () = shutdown => {}
        }
        close.send_replace(true);
        // a client that keeps its connection open holds nothing up
        tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(())).map_err(failed)
    }
}

async fn answered(
    State(answer): State<Answering>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let request = MockRequest {
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers.iter().map(text).collect(),
        body: body.to_vec(),
    };
    match answer(request) {
        MockAnswer::Answer { status, headers, body } => response(status, headers, body),
        MockAnswer::Lost => {
            let cut = std::io::Error::other("the sandbox was told not to answer");
            let body = futures_util::stream::once(async move { Err::<Bytes, _>(cut) });
            Response::new(Body::from_stream(body))
        }
    }
}

fn response(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name), HeaderValue::try_from(value.as_str()))
        {
            response.headers_mut().append(name, value);
        }
    }
    response
}
