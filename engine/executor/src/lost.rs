//! Credentials that the log names, and a vault that is gone.
//!
//! A vault that is missing is never made anew in silence: its integrations would look connected and
//! fail one by one. Somebody says that it is lost; then what it held is on hold until it is
//! connected again.

use crate::mint::Mint;
use placet_log::{Append, AppendError, Expected, Log, NewEvent, ReadView};
use placet_model::event::integration::HealthCheckFailed;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_model::{Actor, Event, StreamId, Timestamp};
use placet_projections::Views;

/// Why an integration whose credential is lost is held.
pub const VAULT_LOST: &str = "vault_lost";

/// Why nothing is put on hold.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read.
    #[error("the integrations of the log cannot be read")]
    Log(#[from] placet_log::Error),
    /// The projections cannot be read.
    #[error("the integrations cannot be read")]
    Projections(#[from] placet_projections::Error),
    /// The log cannot be written.
    #[error("that the credentials are lost cannot be recorded")]
    Append(#[from] AppendError),
}

/// The integrations whose credential must be in the vault, by name.
///
/// # Errors
/// Where the projections cannot be read.
pub fn credentialed(view: &ReadView) -> Result<Vec<Integration>, Error> {
    let mut found = Views::new(view)?.integrations()?;
    found.retain(|integration| {
        integration.credential_version > 0 && integration.status != IntegrationStatus::Disconnected
    });
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Puts on hold whatever needs a credential of the lost vault, before there is a new one and before
/// any engine runs: a process that dies in between is told again that the vault is missing.
///
/// # Errors
/// Where the log cannot be read or written.
pub fn hold(log: &Log, now: Timestamp) -> Result<Vec<String>, Error> {
    let (lost, mint) = (credentialed(&log.read()?)?, Mint::default());
    for integration in &lost {
        if integration.status != IntegrationStatus::Active {
            continue;
        }
        let failed = HealthCheckFailed { integration: integration.id, code: VAULT_LOST.to_owned() };
        let event = NewEvent::new(mint.event(now), Actor::Engine, Event::from(failed));
        let stream = StreamId::Integration(integration.id);
        log.append_blocking(now, Append::new(stream, Expected::Any, vec![event]))?;
    }
    Ok(lost.into_iter().map(|integration| integration.name).collect())
}
