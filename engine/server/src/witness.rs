//! A witness over HTTP: `POST /add-checkpoint` (C2SP tlog-witness) and nothing else. It needs no
//! token: what it takes is signed by a log that it knows, and what it gives is meant for everybody.

use crate::server::Error;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use placet_executor::Clock;
use placet_log::witness::{REQUEST_MAX, Verdict, Witness};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// A bound witness.
#[derive(Debug)]
pub struct WitnessServer {
    listener: TcpListener,
    address: SocketAddr,
    witness: Arc<Witness>,
}

impl WitnessServer {
    /// Takes the address.
    ///
    /// # Errors
    /// [`Error`] when it cannot be had.
    pub async fn bind(listen: SocketAddr, witness: Witness) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, witness: Arc::new(witness) })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is ready.
    ///
    /// # Errors
    /// [`Error`] when the socket fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let router = Router::new()
            .route("/add-checkpoint", post(add))
            .layer(DefaultBodyLimit::max(REQUEST_MAX))
            .with_state(self.witness);
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(stop);
        serving.await.map_err(|source| Error::Serve { address: self.address, source })
    }
}

async fn add(State(witness): State<Arc<Witness>>, body: Bytes) -> Response {
    let Ok(request) = String::from_utf8(body.to_vec()) else {
        return (StatusCode::BAD_REQUEST, "it is no text\n").into_response();
    };
    let now = u64::try_from(Clock::System.now().as_millis() / 1000).unwrap_or(0);
    let asked = tokio::task::spawn_blocking(move || witness.add(&request, now)).await;
    match asked {
        Ok(Ok(Verdict::Cosigned(line))) => format!("{line}\n").into_response(),
        Ok(Ok(Verdict::Conflict { size })) => {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
        }
        Ok(Ok(Verdict::Refused { status, what })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, format!("{what}\n")).into_response()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the witness cannot sign");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        Err(panicked) => {
            tracing::error!(%panicked, "the witness cannot sign");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
