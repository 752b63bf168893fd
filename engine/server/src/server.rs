//! Binding and running.

use crate::access::Access;
use crate::api::backup;
use crate::app::App;
use crate::router::router;
use crate::token::Token;
use crate::words::{Carries, Desk};
use placet_adapters::Transport;
use placet_executor::Handle;
use placet_model::draft::Mode;
use placet_vault::Vault;
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// For requests under way, once the server closes.
const GRACE: Duration = Duration::from_secs(10);

/// What a server is made of.
#[derive(Debug)]
pub struct ServerOptions {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The engine.
    pub handle: Handle,
    /// Who may come in.
    pub access: Access,
    /// The token of the login link, where there is one; good for one login.
    pub login_token: Option<Token>,
    /// Names under which others reach this server (`host` or `host:port`), such as that of a proxy
    /// that ends TLS.
    pub hosts: Vec<String>,
    /// Where credentials are sealed; without one none can be connected.
    pub vault: Option<Arc<Vault>>,
    /// Asks a provider who a credential belongs to.
    pub live: Option<Arc<dyn Transport>>,
    /// How NATS is doing; null where there is none.
    pub nats: watch::Receiver<Value>,
    /// Mode of runs whose request names none.
    pub mode: Mode,
}

/// Why a server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Dev tokens may act as anybody, so they are not offered to the network.
    #[error("{address} can be reached by others: listen on 127.0.0.1 or [::1]")]
    NotLoopback {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Others could reach it, and nobody has said under which name: every request would be refused.
    #[error("{address} can be reached by others: name the hosts under which they do")]
    NoHosts {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The listener broke.
    #[error("listening on {address} ended")]
    Serve {
        /// Where it listened.
        address: SocketAddr,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// A server that is bound and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    close: watch::Sender<bool>,
}

impl Server {
    /// Takes the address.
    ///
    /// # Errors
    /// An address that is not loopback, with the tokens of `dev` or without the names of its hosts;
    /// one that cannot be listened on.
    pub async fn bind(options: ServerOptions) -> Result<Self, Error> {
        let address = options.listen;
        let is_public = !address.ip().is_loopback();
        if is_public && options.access.is_dev() {
            return Err(Error::NotLoopback { address });
        }
        if is_public && options.hosts.is_empty() {
            return Err(Error::NoHosts { address });
        }
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (close, closing) = watch::channel(false);
        if let Some(data) = options.handle.log().directory()
            && let Err(error) = backup::clear(data)
        {
            tracing::warn!(%error, "copies for backups that nobody has taken are not removed");
        }
        let app = Arc::new(App::new(options, address, closing));
        Ok(Self { listener, address, app, close })
    }

    /// The same acts for what comes over a message bus.
    pub fn desk(&self, carries: Carries) -> Desk {
        Desk::new(Arc::clone(&self.app), carries)
    }

    /// Where it listens, the port that was taken included.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then ends event streams and lets requests under way end.
    ///
    /// # Errors
    /// What the operating system says of the listener.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let Self { listener, address, app, close } = self;
        let failed = |source| Error::Serve { address, source };
        let closing = close.subscribe();
        crate::hooks::read_what_came(&app);
        let serving = axum::serve(listener, router(app)).with_graceful_shutdown(closed(closing));
        let mut serving = pin!(serving.into_future());
        tokio::select! {
            ended = &mut serving => return ended.map_err(failed),
            () = shutdown => {}
        }
        close.send_replace(true);
        match tokio::time::timeout(GRACE, serving).await {
            Ok(ended) => ended.map_err(failed),
            Err(_elapsed) => {
                tracing::warn!("requests that did not end in time are cut off");
                Ok(())
            }
        }
    }
}

async fn closed(mut closing: watch::Receiver<bool>) {
    // an error means that the sender is gone, which closes too
    let _closed_either_way = closing.wait_for(|closing| *closing).await;
}
