//! The bytes to and from a mail server: an address that was checked, TLS by rustls, replies.

use super::reply::{self, Reply};
use super::session::Left;
use super::target::{Security, Target};
use crate::client::Speaking;
use crate::transport::Egress;
use placet_adapters::{Cause, Failed, Stage};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Why a conversation ended before the dot.
#[derive(Debug)]
pub(super) enum Stop {
    /// The server said no.
    Said(Left),
    Broken(Broken),
}

/// A connection that cannot go on.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) cause: Cause,
    pub(super) detail: String,
    /// While the connection is made; later the conversation has stages of its own.
    stage: Option<Stage>,
}

impl Broken {
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), stage: None }
    }

    fn at(self, stage: Stage) -> Self {
        Self { stage: Some(stage), ..self }
    }

    /// Before the dot.
    pub(super) fn failed(self) -> Failed {
        Failed { stage: self.stage, ..Failed::before(self.cause, self.detail) }
    }
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection and what has come over it and was not read yet.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    came: Vec<u8>,
    pub(super) is_secret: bool,
    peer: IpAddr,
}

/// Connects to the first address that answers; TLS at once where the scheme says so.
pub(super) async fn connect(
    egress: &Egress,
    target: &Target,
    until: Instant,
) -> Result<Wire, Broken> {
    let late = |stage: Stage, what: &str| {
        Broken::new(Cause::Timeout, format!("{what} took too long")).at(stage)
    };
    let addresses = timeout_at(until, addresses(egress, target))
        .await
        .map_err(|_elapsed| late(Stage::Resolve, "looking up the mail server"))?
        .map_err(|failed| Broken::new(failed.cause, failed.detail).at(Stage::Resolve))?;
    let mut last = Broken::new(Cause::Connect, "the mail server has no address").at(Stage::Connect);
    for address in addresses {
        match timeout_at(until, TcpStream::connect(address)).await {
            Err(_elapsed) => return Err(late(Stage::Connect, "connecting to the mail server")),
            Ok(Err(error)) => {
                last = Broken::new(Cause::Connect, words(&error)).at(Stage::Connect);
            }
            Ok(Ok(stream)) => {
                let wire = Wire::plain(stream, address);
                if target.security != Security::Implicit {
                    return Ok(wire);
                }
                let secured = timeout_at(until, wire.secure(egress, target)).await;
                return secured
                    .map_err(|_elapsed| late(Stage::Tls, "the TLS handshake"))?
                    .map_err(|broken| broken.at(Stage::Tls));
            }
        }
    }
    Err(last)
}

impl Wire {
    fn plain(stream: TcpStream, address: SocketAddr) -> Self {
        // small commands wait for replies anyway: without it they are only slower
        drop(stream.set_nodelay(true));
        let peer = address.ip();
        Self { stream: Box::new(stream), came: Vec::new(), is_secret: false, peer }
    }

    /// Speaks TLS from here on. What came before in the clear must not be taken for what comes
    /// after (RFC 3207 §4.2, CVE-2011-0411).
    pub(super) async fn secure(self, egress: &Egress, target: &Target) -> Result<Self, Broken> {
        if !self.came.is_empty() {
            return Err(Broken::new(Cause::Tls, "the server spoke before the TLS handshake"));
        }
        let config = egress.tls(Speaking::Mail).map_err(|words| Broken::new(Cause::Tls, words))?;
        let name = ServerName::try_from(target.bare_host().to_owned())
            .map_err(|_no_name| Broken::new(Cause::Tls, "the host is no name of a certificate"))?;
        let secured = TlsConnector::from(config).connect(name, self.stream).await;
        let stream = secured.map_err(|error| Broken::new(Cause::Tls, words(&error)))?;
        Ok(Self { stream: Box::new(stream), is_secret: true, ..self })
    }

    /// Whether a password may go over it: under TLS, or within this very machine.
    pub(super) fn may_carry_secrets(&self) -> bool {
        self.is_secret || self.peer.is_loopback()
    }

    pub(super) async fn write(&mut self, bytes: &[u8], until: Instant) -> Result<(), Broken> {
        let writing = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(until, writing).await {
            Err(_elapsed) => Err(Broken::new(Cause::Timeout, "the mail server takes no bytes")),
            Ok(Err(error)) => Err(Broken::new(Cause::Reset, words(&error))),
            Ok(Ok(())) => Ok(()),
        }
    }

    pub(super) async fn reply(&mut self, until: Instant) -> Result<Reply, Broken> {
        loop {
            let parsed = reply::parse(&self.came);
            let parsed = parsed.map_err(|words| Broken::new(Cause::Unreadable, words))?;
            if let Some((reply, read)) = parsed {
                self.came.drain(..read);
                return Ok(reply);
            }
            let mut chunk = [0; 2048];
            match timeout_at(until, self.stream.read(&mut chunk)).await {
                Err(_elapsed) => {
                    return Err(Broken::new(Cause::Timeout, "the mail server does not reply"));
                }
                Ok(Err(error)) => return Err(Broken::new(Cause::Reset, words(&error))),
                Ok(Ok(0)) => {
                    return Err(Broken::new(Cause::Reset, "the mail server has hung up"));
                }
                Ok(Ok(count)) => self.came.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// Addresses with the port, each allowed; those that were checked are the ones connected to.
async fn addresses(egress: &Egress, target: &Target) -> Result<Vec<SocketAddr>, Failed> {
    let found = match target.literal() {
        Some(address) => vec![address],
        None => egress
            .resolver(target.reach)
            .allowed(target.bare_host())
            .await
            .map_err(|error| Failed::before(error.cause(), error.to_string()))?,
    };
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, target.port)).collect())
}

/// A system's error in its own words; it names no content.
fn words(error: &io::Error) -> String {
    error.to_string()
}
