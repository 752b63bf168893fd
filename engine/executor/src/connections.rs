//! The life of a connection after it was made: who the provider says we are, what its scopes are good
//! for, what depends on it, a new credential, and where it may be used. Connecting itself is in
//! `govern`, and asks in the same way.
//!
//! Invariants:
//!
//! * A credential is tested before it counts: a version that the provider refuses is forgotten, and
//!   the one before it stays in force.
//! * Every use of a credential is on record before it leaves (`CredentialUsed`), and never the value; what a call
//!   of our own sends is, too, by its digest (`OwnCallStarted`).
//! * What holds sends is a refusal, never silence: a provider that cannot be reached says nothing about
//!   a credential.
//! * An account that has changed without anybody asking holds its sends until a person has looked.

mod ask;
mod assertion;
mod desk;
mod drift;
mod features;
mod health;
mod hears;
mod hooks;
mod lapses;
mod mode;
mod own_calls;
mod pairing;
mod refetch;
mod remote;
mod rotate;
mod scope;
mod steps;
mod sync;
mod test;
mod uses;

pub use ask::Said;
pub use drift::{Drift, Place};
pub use features::{Feature, features};
pub use hooks::{Subscription, Wish};
pub use lapses::{LAPSED, Warning};
pub use mode::NoMode;
pub use own_calls::{Begun, OwnCall};
pub use pairing::{Offer, Pairing};
pub use rotate::{Account, GRACE, GRACE_MAX, Rotate, Rotated};
pub use steps::{Missing, ToChoose};
pub use sync::Synced;
pub use test::{Tested, UNATTENDED};
pub use uses::Uses;

pub(crate) use health::Keeper;
pub(crate) use hears::Brings;
pub(crate) use refetch::notices;

use placet_adapters::Transport;
use placet_model::{EventId, IntegrationId, Timestamp};
use placet_vault::Vault;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use tokio::sync::{Mutex, Notify};

/// What asking takes besides the project. Without a live way out nobody is asked.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    live: Option<Arc<dyn Transport>>,
    vault: OnceLock<Arc<Vault>>,
    /// Credentials change one at a time.
    turn: Mutex<()>,
    /// A mailbox is read by one at a time.
    reading: Mutex<()>,
    /// Objects are read by one at a time: nobody reads what another is reading.
    fetching: Mutex<()>,
    /// Objects that are not to be read before this.
    unread: std::sync::Mutex<BTreeMap<EventId, Timestamp>>,
    /// Something was heard of whose object is to be read.
    heard: Notify,
    /// Whether somebody reads such objects.
    reads: AtomicBool,
    /// What was last recorded of the pairing of a connection, where that was read; changed under the turn of
    /// acts alone.
    paired: std::sync::Mutex<BTreeMap<IntegrationId, Option<pairing::Last>>>,
    /// When this process began to look after connections.
    started_at: OnceLock<Timestamp>,
}

impl Connections {
    pub(crate) fn new(live: Option<Arc<dyn Transport>>) -> Self {
        Self { live, ..Self::default() }
    }

    /// Takes the vault of a live engine; the first one stays.
    pub(crate) fn keep(&self, vault: Arc<Vault>) {
        let _is_kept = self.vault.set(vault);
    }

    fn started_at(&self, now: Timestamp) -> Timestamp {
        *self.started_at.get_or_init(|| now)
    }

    /// Whether what is heard of is read by somebody.
    pub(crate) fn reads_objects(&self) -> bool {
        self.live.is_some() && self.reads.load(Ordering::Relaxed)
    }

    /// Something was heard of.
    pub(crate) fn has_heard(&self) {
        self.heard.notify_one();
    }

    fn not_before(&self, id: EventId) -> Option<Timestamp> {
        self.unread().get(&id).copied()
    }

    fn fetch_at(&self, id: EventId, at: Timestamp) {
        self.unread().insert(id, at);
    }

    fn fetched(&self, id: EventId) {
        self.unread().remove(&id);
    }

    fn unread(&self) -> std::sync::MutexGuard<'_, BTreeMap<EventId, Timestamp>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pairings(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<IntegrationId, Option<pairing::Last>>> {
        self.paired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn vault(&self) -> Option<Arc<Vault>> {
        self.vault.get().cloned()
    }
}
