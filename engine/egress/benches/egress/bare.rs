//! hyper's connections and nothing else: no rules, no limits, the address known beforehand.

use crate::Failure;
use crate::server::{AUTHORITY, Protocol, Server};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) struct Bare {
    address: SocketAddr,
    connector: TlsConnector,
    protocol: Protocol,
    /// Connections that nobody uses; over HTTP/2 one serves all.
    kept: Mutex<Vec<Sender>>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Bare {
    pub(crate) fn new(server: &Server, protocol: Protocol) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(AUTHORITY))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.name()];
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { address: server.address, connector, protocol, kept: Mutex::default() })
    }

    /// A POST over a connection of its own.
    pub(crate) async fn over_new(&self, body: &'static str) -> Result<(), Failure> {
        let mut sender = self.connect().await?;
        let request =
            self.request(Method::POST, Full::from(Bytes::from_static(body.as_bytes())))?;
        sender.send(request).await
    }

    /// A GET over a connection that is there, if one is.
    pub(crate) async fn over_kept(&self) -> Result<(), Failure> {
        let free = self.take();
        let mut sender = match free {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let done = sender.send(self.request(Method::GET, Full::default())?).await;
        self.keep(sender);
        done
    }

    fn take(&self) -> Option<Sender> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.last() {
            Some(Sender::Http2(sender)) => Some(Sender::Http2(sender.clone())),
            Some(Sender::Http1(_)) | None => kept.pop(),
        }
    }

    fn keep(&self, sender: Sender) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(sender, Sender::Http1(_)) || kept.is_empty() {
            kept.push(sender);
        }
    }

    async fn connect(&self) -> Result<Sender, Failure> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.address.ip());
        let io = TokioIo::new(self.connector.connect(name, stream).await?);
        Ok(match self.protocol {
            Protocol::Http1 => {
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                sender.ready().await?;
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        })
    }

    fn request(&self, method: Method, body: Full<Bytes>) -> Result<Request<Full<Bytes>>, Failure> {
        let authority = self.address.to_string();
        let request = Request::builder().method(method).header("content-type", "application/json");
        Ok(match self.protocol {
            Protocol::Http1 => request.uri("/").header("host", authority).body(body)?,
            Protocol::Http2 => request.uri(format!("https://{authority}/")).body(body)?,
        })
    }
}

impl Sender {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(), Failure> {
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let is_ok = answer.status().as_u16() == 200;
        answer.into_body().collect().await?;
        if is_ok { Ok(()) } else { Err("the server says something else".into()) }
    }
}
