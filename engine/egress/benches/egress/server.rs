//! The server that both ways call: it reads a request and says `{"ok":true}`.

use crate::Failure;
use hyper::body::Bytes;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) const AUTHORITY: &[u8] = include_bytes!("../../tests/tls/authority.der");
const CERTIFICATE: &[u8] = include_bytes!("../../tests/tls/server.der");
const KEY: &[u8] = include_bytes!("../../tests/tls/server.key.der");
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    pub(crate) fn name(self) -> Vec<u8> {
        match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub(crate) async fn start(protocol: Protocol) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let acceptor = acceptor(protocol)?;
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // a caller that has gone ends it
                    drop(serve(acceptor, stream, protocol).await);
                });
            }
        });
        Ok(Self { address, accepting })
    }
}

fn acceptor(protocol: Protocol) -> Result<TlsAcceptor, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(KEY)?.clone_key();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)?;
    config.alpn_protocols = vec![protocol.name()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    protocol: Protocol,
) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    match protocol {
        Protocol::Http1 => serve_http1(stream).await,
        Protocol::Http2 => serve_http2(stream).await,
    }
}

async fn serve_http1(mut stream: TlsStream<TcpStream>) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        bytes.extend_from_slice(&chunk[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let is_post = bytes.starts_with(b"POST");
        if !is_post || bytes.len() >= end + 4 + crate::BODY.len() {
            bytes.clear();
            stream.write_all(ANSWER).await?;
            stream.flush().await?;
        }
    }
}

async fn serve_http2(stream: TlsStream<TcpStream>) -> Result<(), Failure> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(request) = connection.accept().await {
        let (request, mut respond) = request?;
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(piece)) = body.data().await {
                drop(body.flow_control().release_capacity(piece.len()));
            }
            let head = hyper::Response::new(());
            if let Ok(mut stream) = respond.send_response(head, false) {
                drop(stream.send_data(Bytes::from_static(b"{\"ok\":true}"), true));
            }
        });
    }
    Ok(())
}
