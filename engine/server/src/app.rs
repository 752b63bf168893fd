//! What every request is answered with: the engine, who may come in, and a few bounded tables that
//! may be lost at any time.

use crate::access::Access;
use crate::authorizations::Authorizations;
use crate::challenges::Challenges;
use crate::hooks::Hooks;
use crate::login::Login;
use crate::metrics::Measures;
use crate::problem::Problem;
use crate::rates::Rates;
use crate::rebuilds::Rebuilds;
use crate::repeat::Repeats;
use crate::server::ServerOptions;
use crate::session::Sessions;
use crate::verifying::Verifying;
use crate::waits::Waits;
use placet_adapters::Transport;
use placet_executor::Handle;
use placet_log::Subscription;
use placet_model::Position;
use placet_model::draft::Mode;
use placet_vault::Vault;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// Event streams at once; each holds a connection open.
pub(crate) const STREAMS_MAX: usize = 64;
/// Verifications and replays at once: each reads the whole log.
const AUDITS_MAX: usize = 2;

/// The state of the server.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) access: Access,
    pub(crate) sessions: Sessions,
    /// The login server, where people log in at one.
    pub(crate) login: Option<Login>,
    pub(crate) authorizations: Authorizations,
    pub(crate) repeats: Repeats,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) live: Option<Arc<dyn Transport>>,
    pub(crate) nats: watch::Receiver<Value>,
    pub(crate) mode: Mode,
    pub(crate) address: SocketAddr,
    /// Names under which we are reached besides those of this machine.
    pub(crate) hosts: Vec<String>,
    /// The head of the log, as a wake-up.
    pub(crate) heads: watch::Receiver<Position>,
    /// Requests that wait for a run.
    pub(crate) waits: Arc<Waits>,
    /// Whether the server is closing.
    pub(crate) closing: watch::Receiver<bool>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) audits: Semaphore,
    pub(crate) verifying: Arc<Verifying>,
    pub(crate) hooks: Hooks,
    /// Challenges for passkeys that are to be made.
    pub(crate) challenges: Challenges,
    /// How often one caller may ask.
    pub(crate) rates: Rates,
    /// What is counted of requests.
    pub(crate) measures: Measures,
    /// Making the derived tables again.
    pub(crate) rebuilds: Rebuilds,
    /// Connecting goes one at a time.
    pub(crate) connecting: tokio::sync::Mutex<()>,
    /// Figures are read on by one at a time.
    pub(crate) counting: tokio::sync::Mutex<()>,
    /// Backups go one at a time.
    pub(crate) backing_up: tokio::sync::Mutex<()>,
    _follows: Subscription,
}

impl App {
    pub(crate) fn new(
        options: ServerOptions,
        address: SocketAddr,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let ServerOptions {
            handle,
            mut access,
            login_token,
            hosts,
            vault,
            live,
            nats,
            mode,
            listen: _,
        } = options;
        if !access.is_dev() {
            handle.demand_signatures();
        }
        let each = handle.config().limits.caller_second_max;
        let rates = Rates::new((!access.is_dev()).then_some(each));
        let (moved, heads) = watch::channel(Position::START);
        let moved = Arc::new(moved);
        let follower = Arc::clone(&moved);
        let follows = handle.log().subscribe(move |head| {
            follower.send_replace(head);
        });
        // what was committed before the subscription; a later head must not be overwritten
        let head = handle.log().head();
        moved.send_modify(|known| *known = head.max(*known));
        let waits = Waits::follow(handle.notices());
        let login = access.take_oidc().map(|oidc| Login::new(oidc, address.port()));
        Self {
            handle,
            access,
            sessions: Sessions::new(login_token.as_ref(), address.port()),
            login,
            authorizations: Authorizations::new(address.port()),
            repeats: Repeats::default(),
            vault,
            live,
            nats,
            mode,
            address,
            hosts,
            heads,
            waits,
            closing,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            audits: Semaphore::new(AUDITS_MAX),
            verifying: Arc::default(),
            hooks: Hooks::default(),
            challenges: Challenges::default(),
            rates,
            measures: Measures::default(),
            rebuilds: Rebuilds::default(),
            connecting: tokio::sync::Mutex::default(),
            counting: tokio::sync::Mutex::default(),
            backing_up: tokio::sync::Mutex::default(),
            _follows: follows,
        }
    }
}

impl App {
    /// Whether a proxy that ends TLS stands before us: then cookies are for TLS alone.
    pub(crate) const fn is_behind_tls(&self) -> bool {
        !self.hosts.is_empty()
    }
}

/// Reads block on the disk, so they have threads of their own.
pub(crate) async fn reading<T: Send + 'static>(
    app: &Arc<App>,
    read: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    match tokio::task::spawn_blocking(move || read(&app)).await {
        Ok(result) => result,
        Err(error) => Err(Problem::internal(&error)),
    }
}
