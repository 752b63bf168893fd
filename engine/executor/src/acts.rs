//! One nonce, one act: a vote waits for an earlier one with the same nonce, until that is on disk or
//! refused, and only then looks at what the nonce was used for.

use placet_model::Digest;
use placet_model::signed::Act;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Votes with other nonces seldom wait for each other.
const STRIPES: usize = 256;

/// The nonces of votes under way.
#[derive(Debug, Clone)]
pub(crate) struct Nonces(Arc<[Arc<Mutex<()>>]>);

impl Default for Nonces {
    fn default() -> Self {
        Self((0..STRIPES).map(|_| Arc::default()).collect())
    }
}

impl Nonces {
    /// Waits for its turn; held until the vote is on disk or refused.
    pub(crate) async fn hold(&self, act: &Act, nonce: &str) -> OwnedMutexGuard<()> {
        let digest = Digest::of_parts(&[act.by.as_bytes(), &[0], nonce.as_bytes()]);
        let stripe = usize::from(digest.as_bytes()[0]) % STRIPES;
        Arc::clone(&self.0[stripe]).lock_owned().await
    }
}
