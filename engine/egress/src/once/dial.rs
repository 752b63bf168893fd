//! A new connection, stage by stage: look up, connect, shake hands. Whatever fails here is before the
//! send, and says at which stage.

use crate::destination::Destination;
use crate::timeouts::Clock;
use crate::transport::Egress;
use placet_adapters::{Cause, Failed, Stage};
use rustls::ClientConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Host;

/// An address that does not answer holds the next one up for so long (RFC 8305 §5: 250 ms).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is spoken over a connection; the server chooses during the TLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

pub(super) struct Dialled {
    pub(super) stream: Box<dyn Stream>,
    pub(super) protocol: Protocol,
}

pub(super) async fn dial(
    egress: &Egress,
    (destination, secured): (&Destination, Option<Arc<ClientConfig>>),
    clock: &Clock,
) -> Result<Dialled, Failed> {
    let addresses = timeout_at(clock.until(Stage::Resolve), addresses(egress, destination));
    let addresses = addresses.await.map_err(|_elapsed| clock.late(Stage::Resolve))??;
    let connected = timeout_at(clock.until(Stage::Connect), connect(addresses)).await;
    let stream = connected
        .map_err(|_elapsed| clock.late(Stage::Connect))?
        .map_err(|error| Failed::before(Cause::Connect, error.to_string()).at(Stage::Connect))?;
    // a request is written whole: waiting for more of it only makes it slower
    drop(stream.set_nodelay(true));
    let Some(config) = secured else {
        return Ok(Dialled { stream: Box::new(stream), protocol: Protocol::Http1 });
    };
    timeout_at(clock.until(Stage::Tls), secure(config, destination, stream))
        .await
        .map_err(|_elapsed| clock.late(Stage::Tls))?
        .map_err(|words| Failed::before(Cause::Tls, words).at(Stage::Tls))
}

/// The addresses that may be connected to, and no others are.
async fn addresses(egress: &Egress, destination: &Destination) -> Result<Vec<SocketAddr>, Failed> {
    let refused = |words: &str| Failed::before(Cause::Refused, words).at(Stage::Resolve);
    let url = &destination.url;
    let port = url.port_or_known_default().ok_or_else(|| refused("the url has no port"))?;
    let found: Vec<IpAddr> = match url.host() {
        // a literal was judged with the url
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => {
            let allowed = egress.resolver(destination.reach).allowed(name).await;
            allowed.map_err(|error| {
                Failed::before(error.cause(), error.to_string()).at(Stage::Resolve)
            })?
        }
        None => return Err(refused("the url names no host")),
    };
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
}

/// The first address that answers. Each waits a moment for those before it; the others are let go.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter().peekable();
    let mut racing = JoinSet::new();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        match left.next() {
            Some(address) => drop(racing.spawn(TcpStream::connect(address))),
            None if racing.is_empty() => return Err(last),
            None => {}
        }
        let wait = if left.peek().is_some() { NEXT_ADDRESS } else { Duration::MAX };
        match timeout(wait, racing.join_next()).await {
            Ok(Some(Ok(Ok(stream)))) => return Ok(stream),
            Ok(Some(Ok(Err(error)))) => last = error,
            Ok(Some(Err(_ended))) => last = io::Error::from(io::ErrorKind::ConnectionAborted),
            Ok(None) | Err(_) => {}
        }
    }
}

async fn secure(
    config: Arc<ClientConfig>,
    destination: &Destination,
    stream: TcpStream,
) -> Result<Dialled, String> {
    let host = destination.url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_no_name| "the host is no name of a certificate".to_owned())?;
    let secured = TlsConnector::from(config).connect(name, stream).await;
    let stream = secured.map_err(|error| error.to_string())?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        Some(_) | None => Protocol::Http1,
    };
    Ok(Dialled { stream: Box::new(stream), protocol })
}
