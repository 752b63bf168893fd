//! Approvers' keys: registered and revoked by an authenticated act, which is an event. A key is one
//! person's for life; the engine never sees a seed.

use crate::handle::{Error, Handle};
use placet_model::actor::Role;
use placet_model::event::people::{KeyRegistered, KeyRevoked};
use placet_model::nkey::UserKey;
use placet_model::{Actor, Event, Principal, StreamId};
use std::sync::atomic::Ordering;

impl Handle {
    /// Registers a public key as that of a principal. An admin must know, from somewhere else, that
    /// it is theirs.
    ///
    /// # Errors
    /// When the actor is no admin, the principal is unknown, or the key was registered before.
    pub async fn register_key(
        &self,
        actor: &Principal,
        principal: Principal,
        key: UserKey,
    ) -> Result<(), Error> {
        let turn = self.act_turn().await;
        self.demand(actor, Role::Admin)?;
        let world = self.world();
        if !world.policy.principals.contains_key(&principal) {
            return Err(placet_core::Refusal::UnknownPrincipal { name: principal }.into());
        }
        match world.keys.get(&key) {
            Some(known) if known.principal == principal && !known.revoked => return Ok(()),
            Some(known) => {
                let now = if known.revoked { "and is revoked" } else { "and stays theirs" };
                let detail = format!("the key was registered for {} {now}", known.principal);
                return Err(Error::Refused { code: "PL3049", detail });
            }
            None => {}
        }
        let facts = vec![(StreamId::Policy, KeyRegistered { principal, key }.into(), vec![])];
        self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        Ok(())
    }

    /// Revokes a key for good: by an admin, or by whoever it is. Again, it changes nothing.
    ///
    /// # Errors
    /// When the actor may not, or there is no such key.
    pub async fn revoke_key(&self, actor: &Principal, key: UserKey) -> Result<Principal, Error> {
        let turn = self.act_turn().await;
        let known = self.world().keys.get(&key).cloned();
        let Some(known) = known else {
            self.demand(actor, Role::Admin)?;
            let detail = format!("there is no key {key}");
            return Err(Error::Refused { code: "PL4012", detail });
        };
        if known.principal != *actor {
            self.demand(actor, Role::Admin)?;
        }
        let principal = known.principal;
        if !known.revoked {
            let revoked = Event::from(KeyRevoked { principal: principal.clone(), key });
            let facts = vec![(StreamId::Policy, revoked, vec![])];
            self.govern(&Actor::Principal(actor.clone()), facts, None, turn).await?;
        }
        Ok(principal)
    }

    /// From now on no vote is taken that nobody has signed.
    pub fn demand_signatures(&self) {
        self.signed_only.store(true, Ordering::SeqCst);
    }

    /// Whether votes must be signed.
    pub fn demands_signatures(&self) -> bool {
        self.signed_only.load(Ordering::SeqCst)
    }
}

/// A vote, or what is like one, that nobody has signed, where only signed ones are taken.
pub(crate) fn unsigned() -> Error {
    let detail = "a vote to this engine is a signed decision document: `placet keys new` makes a key, and an \
                  admin registers it";
    Error::Refused { code: "PL3017", detail: detail.to_owned() }
}
