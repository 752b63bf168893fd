//! One nonce, one act: a vote waits for an earlier one with the same nonce, until that is on disk or
//! refused, and only then looks at what the nonce was used for. What is signed with a passkey waits for
//! everything of the same passkey, whose authenticator may count.

use crate::handle::{Error, Handle};
use crate::turn::Job;
use placet_core::Refusal;
use placet_model::passkey::Use;
use placet_model::signed::Act;
use placet_model::{DecisionId, Digest, Principal, RecordedEvent, RunId};
use placet_projections::Views;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Votes with other nonces seldom wait for each other.
const STRIPES: usize = 256;
/// Bytes of a client's request id, which stands in the event of its vote.
const REQUEST_ID_MAX: usize = 256;

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
    pub(crate) async fn hold(
        &self,
        act: &Act,
        nonce: &str,
        used: Option<&Use>,
    ) -> OwnedMutexGuard<()> {
        // the nonces of a passkey are its own, so its turn is theirs too
        let nonce = if used.is_some() { "" } else { nonce };
        let digest = Digest::of_parts(&[act.by.as_bytes(), &[0], nonce.as_bytes()]);
        let stripe = usize::from(digest.as_bytes()[0]) % STRIPES;
        Arc::clone(&self.0[stripe]).lock_owned().await
    }
}

/// An act of somebody: its nonce is used for nothing else, and its request id has one answer.
#[derive(Debug)]
pub(crate) struct Once {
    pub(crate) act: Act,
    pub(crate) nonce: String,
    pub(crate) by: Principal,
    pub(crate) decision: DecisionId,
    pub(crate) request_id: Option<String>,
    /// The passkey that it was signed with, and its count.
    pub(crate) used: Option<Use>,
}

/// Whether an act on several decisions has been taken for another of them already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Now,
    Before,
}

impl Handle {
    /// Does what somebody says under a nonce of theirs, which is good for one act, in whatever run and
    /// for ever. Nothing is recorded where the same request was answered before.
    pub(crate) async fn once(
        &self,
        run: RunId,
        once: Once,
        job: Job,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let held = self.nonces.hold(&once.act, &once.nonce, once.used.as_ref()).await;
        if !self.is_answered(&once)? && self.check_nonce(&once)? == Begun::Now {
            self.check_counter(&once).await?;
        }
        // the nonce stays held until it is on disk, even if whoever said it is gone by then
        let this = self.clone();
        let wish = tokio::spawn(async move {
            let _held = held;
            this.wish(run, job).await
        });
        wish.await.map_err(|_panicked| Error::Stopping)?
    }

    fn check_nonce(&self, once: &Once) -> Result<Begun, Error> {
        let view = self.view()?;
        match Views::new(&view)?.spent(&once.act, &once.nonce)? {
            None => Ok(Begun::Now),
            Some(spent) if spent.is_used_again(&once.act, once.decision) => {
                Err(Refusal::NonceReused.into())
            }
            Some(_) => Ok(Begun::Before),
        }
    }

    /// Whether the same request has its answer already. A request id is one act's, in whatever run;
    /// within a run the law looks again.
    fn is_answered(&self, once: &Once) -> Result<bool, Error> {
        let Some(request) = &once.request_id else { return Ok(false) };
        if request.len() > REQUEST_ID_MAX {
            let detail = format!("the request id is longer than {REQUEST_ID_MAX} bytes");
            return Err(Error::Refused { code: "PL4003", detail });
        }
        let view = self.view()?;
        let earlier = Views::new(&view)?.request(&once.by, request)?;
        match earlier {
            Some(earlier) if earlier != once.decision => Err(Refusal::RequestIdReused.into()),
            earlier => Ok(earlier.is_some()),
        }
    }
}
