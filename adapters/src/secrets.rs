//! Which secrets a request would carry, and whether the operator lets them go there.
//!
//! Said before anybody is asked for an approval, in every mode; the one who fills the holes says it
//! again.

use crate::{fill, oauth};
use placet_model::fault::FaultKind;
use placet_model::project::SecretBinding;
use placet_model::request::{Hole, HoleKind, PreparedRequest};
use std::collections::BTreeMap;

/// A secret that may not go where a request would take it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error(
        "the secret {name} is not configured: write [secrets.{name}] with `env` and `hosts` into placet.toml"
    )]
    Unknown { name: String },
    #[error(
        "the secret {name} may not go to {host}: list it under `hosts` of [secrets.{name}] in placet.toml"
    )]
    Host { name: String, host: String },
}

impl Denied {
    /// The fault that the task gets: 403.
    pub const fn fault_kind(&self) -> FaultKind {
        match self {
            Self::Unknown { .. } | Self::Host { .. } => FaultKind::Authorization,
        }
    }
}

/// Whether every secret of the request is bound to its host. One with which a token is obtained is
/// bound to the authorization server too: it goes there, and what it buys goes here.
///
/// # Errors
/// The first one that is not.
pub fn check(
    request: &PreparedRequest,
    bindings: &BTreeMap<String, SecretBinding>,
) -> Result<(), Denied> {
    let host = fill::host(request);
    for hole in request.holes() {
        for name in names(hole) {
            bound(&name, &host, bindings)?;
            if let Some(server) = oauth::server_host(hole) {
                bound(&name, &server, bindings)?;
            }
        }
    }
    Ok(())
}

fn bound(name: &str, host: &str, bindings: &BTreeMap<String, SecretBinding>) -> Result<(), Denied> {
    let name = || name.to_owned();
    let binding = bindings.get(&name()).ok_or_else(|| Denied::Unknown { name: name() })?;
    if binding.hosts.iter().any(|bound| bound.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Denied::Host { name: name(), host: host.to_owned() })
}

/// The names of the operator's secrets behind a hole.
pub fn names(hole: &Hole) -> Vec<String> {
    match hole.hole {
        HoleKind::Secret => vec![hole.name.clone()],
        HoleKind::Basic => hole.name.split(':').map(str::to_owned).collect(),
        HoleKind::Token => oauth::secret_names(hole),
        HoleKind::Credential | HoleKind::Timestamp | HoleKind::Signature => vec![],
    }
}
