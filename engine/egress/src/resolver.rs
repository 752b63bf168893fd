//! Names → addresses, checked; what is checked here is what is connected to, so a name that
//! changes its mind between two look-ups (rebinding) gains nothing.

use crate::address::is_public;
use crate::config::EgressConfig;
use crate::destination::Reach;
use placet_adapters::Cause;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// What [`Lookup::look_up`] returns.
pub type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Asks for the addresses of a name. The system's resolver in production; tests bring their own,
/// to be lied to.
pub trait Lookup: fmt::Debug + Send + Sync {
    fn look_up(&self, name: &str) -> Looking;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn look_up(&self, name: &str) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name that has no address we may call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("the name has no public address")]
    NotPublic,
    #[error("the name is not listed")]
    NotListed,
    #[error("the name cannot be resolved: {reason}")]
    Failed { reason: String },
}

impl ResolveError {
    pub(crate) const fn cause(&self) -> Cause {
        match self {
            Self::NotPublic | Self::NotListed => Cause::Refused,
            Self::Failed { .. } => Cause::Dns,
        }
    }
}

/// The resolver of one client: it returns allowed addresses only.
#[derive(Debug, Clone)]
pub(crate) struct GuardedResolver {
    pub(crate) lookup: Arc<dyn Lookup>,
    pub(crate) config: Arc<EgressConfig>,
    pub(crate) reach: Reach,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        let name = name.as_str().to_owned();
        Box::pin(async move {
            let addresses = guard.allowed(&name).await?;
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

impl GuardedResolver {
    pub(crate) async fn allowed(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        if self.reach == Reach::Listed && !self.config.lists_host(name) {
            return Err(ResolveError::NotListed);
        }
        let found = self
            .lookup
            .look_up(name)
            .await
            .map_err(|error| ResolveError::Failed { reason: error.kind().to_string() })?;
        if found.is_empty() {
            return Err(ResolveError::Failed { reason: "no address".to_owned() });
        }
        let allowed: Vec<IpAddr> = match self.reach {
            Reach::Listed => found,
            Reach::Public => found.into_iter().filter(|address| is_public(*address)).collect(),
        };
        if allowed.is_empty() { Err(ResolveError::NotPublic) } else { Ok(allowed) }
    }
}
