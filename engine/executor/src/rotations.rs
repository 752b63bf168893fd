//! That the vault has a new master key comes into the log, whoever asked for it and wherever it was cut short.
//!
//! The vault keeps a rotation in mind, from the transaction that turns to the new key, until it is told that the log
//! has it; how, and why there is no event of the beginning, stands in [`placet_vault::Rotated`]'s own module. What
//! is here is the step between the two files: the event goes in under the id that the vault has kept, so doing
//! it twice is doing it once, and only then is the vault told.
//!
//! ```text
//! POST /vault/rotate        the caller                         Handle::rotate_vault
//! placet vault rotate       the operator, on data nobody has   record
//! an engine starts          the engine, of one cut short       record
//! ```

use crate::engine::policy_of;
use crate::handle::{Error, Handle};
use placet_log::{Append, AppendError, Expected, Log, NewEvent};
use placet_model::actor::Role;
use placet_model::event::governance::VaultRotated;
use placet_model::{Actor, Principal, StreamId, Timestamp};
use placet_vault::{Rotated, Vault};
use std::sync::Arc;

/// Who may have the vault sealed by a new key.
pub const ROLES: [Role; 2] = [Role::Operator, Role::Admin];

/// Why a rotation is not on record. The next start of an engine, or the next rotation, records it.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The log cannot be written.
    #[error("that the vault has a new key cannot be recorded yet; the next start does it")]
    Append(#[from] AppendError),
    /// The vault cannot be written.
    #[error("the vault cannot note that its new key is on record")]
    Vault(#[from] placet_vault::Error),
}

/// Whether somebody may rotate the key of data that no engine has: whoever operates the project, by the policy in
/// force; anybody before there is one.
///
/// # Errors
/// When they may not, or the policy cannot be read.
pub fn demand(log: &Log, actor: &Principal) -> Result<(), Error> {
    let Some(policy) = policy_of(&log.read()?)? else { return Ok(()) };
    if ROLES.iter().any(|role| policy.has_role(actor, *role)) {
        return Ok(());
    }
    let roles = ROLES.map(Role::word).join(", ");
    let detail = format!("{actor} needs one of the roles {roles}");
    Err(Error::Refused { code: "PL4005", detail })
}

/// Records a rotation on a log that no engine has.
///
/// # Errors
/// Where the log or the vault cannot be written.
pub fn record(
    (log, now): (&Log, Timestamp),
    (vault, rotated): (&Vault, &Rotated),
    actor: Actor,
) -> Result<(), NotRecorded> {
    let Some(append) = append_of(rotated, actor) else { return Ok(()) };
    let event = append.events.first().map(|new| new.event_id);
    log.append_blocking(now, append)?;
    if let Some(event) = event {
        vault.on_record(event)?;
    }
    Ok(())
}

impl Handle {
    /// Records a rotation of a running engine's vault, by whoever asked for it.
    ///
    /// # Errors
    /// Where the log or the vault cannot be written.
    pub async fn vault_rotated(
        &self,
        actor: Actor,
        (vault, rotated): (&Arc<Vault>, &Rotated),
    ) -> Result<(), Error> {
        let Some(append) = append_of(rotated, actor) else { return Ok(()) };
        let event = append.events.first().map(|new| new.event_id);
        let turn = self.act_turn().await;
        self.change(vec![append], None, turn).await?;
        let vault = Arc::clone(vault);
        let noted = tokio::task::spawn_blocking(move || event.map(|event| vault.on_record(event)));
        let noted = noted.await.ok().flatten();
        if let Some(Err(error)) = noted {
            // it is on record: the next start says so to the vault again
            tracing::warn!(%error, "the vault does not know that its new key is on record");
        }
        Ok(())
    }
}

/// None where there is nothing to tell.
fn append_of(rotated: &Rotated, actor: Actor) -> Option<Append> {
    let body = VaultRotated {
        key: rotated.key.to_string(),
        from: rotated.from.iter().map(ToString::to_string).collect(),
        moved: rotated.moved,
        stuck: rotated.stuck.len() as u64,
        asked_by: rotated.asked_by.clone(),
    };
    let new = NewEvent::new(rotated.event?, actor, body);
    Some(Append::new(StreamId::Project, Expected::Any, vec![new]))
}
