//! Gets a connection and keeps it, and refuses a server that cannot do what the outbox relies on.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr, jetstream};
use tokio::sync::watch;

use crate::error::{Error, Refusal};
use crate::service::Options;

/// Between two attempts to reach a server.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// How long one request to the server may take before its outcome counts as unknown.
const REQUEST: Duration = Duration::from_secs(5);

/// Between two signs of life that the client asks of the server. A way that takes everything and brings nothing back (a
/// partition) is given up once two have not come: the client's own minute would keep it for two.
const PING: Duration = Duration::from_secs(5);

/// Requests that wait in one inbox subscription: enough for a burst, bounded so that a flood is dropped by the client
/// (and repeated by its sender) instead of filling memory.
const SUBSCRIPTION_CAPACITY: usize = 1024;

/// The oldest server that has atomic batches.
const OLDEST: (i64, i64, i64) = (2, 12, 0);

/// Whether the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    Down,
}

/// A client, and whether its connection stands. The client finds its way back to the server by itself.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    link: watch::Receiver<Link>,
}

impl Connection {
    /// One attempt.
    pub(crate) async fn open(options: &Options) -> Result<Self, Error> {
        let address: ServerAddr =
            options.url.parse().map_err(Error::unavailable("reading the address"))?;
        let (up, link) = watch::channel(Link::Up);
        let client = login(&address, options.seed.as_deref())
            .name("placet")
            .connection_timeout(REQUEST)
            .request_timeout(Some(REQUEST))
            .ping_interval(PING)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(|attempts| if attempts <= 1 { Duration::ZERO } else { RETRY })
            .event_callback(move |event| {
                if let Some(link) = link_after(&event) {
                    tracing::info!(%event, "nats connection");
                    up.send_replace(link);
                } else {
                    tracing::warn!(%event, "nats");
                }
                std::future::ready(())
            })
            .connect(address)
            .await
            .map_err(Error::unavailable("connecting"))?;
        Ok(Self { client, link })
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        jetstream::context::ContextBuilder::new().timeout(REQUEST).build(self.client.clone())
    }

    /// Waits until the connection stands.
    pub(crate) async fn up(&self) -> Result<(), Error> {
        let mut link = self.link.clone();
        link.wait_for(|link| *link == Link::Up)
            .await
            .map_err(Error::unavailable("waiting for the connection"))?;
        Ok(())
    }

    /// Does `work`, and gives up at once when the connection breaks: its outcome is unknown then, and there is no point in
    /// waiting for the request to time out.
    pub(crate) async fn unless_lost<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut link = self.link.clone();
        tokio::select! {
            done = work => done,
            _ = link.wait_for(|link| *link == Link::Down) => Err(Error::Lost),
        }
    }

    /// Refuses a server below 2.12 and one without `JetStream`; asked again whenever the server may have changed.
    pub(crate) fn check_server(&self) -> Result<(), Refusal> {
        let server = self.client.server_info();
        if !self.client.is_server_compatible(OLDEST.0, OLDEST.1, OLDEST.2) {
            return Err(Refusal::too_old(&server.version));
        }
        if !server.jetstream {
            return Err(Refusal::no_jetstream(format!(
                "the server at {}:{} has none",
                server.host, server.port
            )));
        }
        Ok(())
    }

    /// What the server calls its version.
    pub(crate) fn server_version(&self) -> String {
        self.client.server_info().version
    }
}

/// By key where there is one, else by what stands in the address.
pub(crate) fn login(address: &ServerAddr, seed: Option<&str>) -> ConnectOptions {
    match (seed, address.username(), address.password()) {
        (Some(seed), _, _) => ConnectOptions::with_nkey(seed.to_owned()),
        (None, Some(user), Some(password)) => {
            ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        (None, None, _) | (None, _, None) => ConnectOptions::new(),
    }
}

fn link_after(event: &Event) -> Option<Link> {
    match event {
        Event::Connected => Some(Link::Up),
        Event::Disconnected | Event::Closed => Some(Link::Down),
        Event::LameDuckMode
        | Event::Draining
        | Event::SlowConsumer(_)
        | Event::ServerError(_)
        | Event::ClientError(_) => None,
    }
}
