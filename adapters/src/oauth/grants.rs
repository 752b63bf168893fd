//! The ways in which a provider's tokens are had: by what a person has given, or by what a credential signs.
//! Each kept grant says which of them is its own.

use super::answer::TokenAnswer;
use super::assertion::AssertionSpec;
use super::grant::{GrantError, GrantSpec, Granted};
use super::keep::{KeepGrants, KeptGrant, Renews};
use crate::fill::FilledRequest;
use crate::transport::{Answer, CallIntegration};
use placet_model::Timestamp;
use std::sync::Arc;

/// `auth.oauth` and `auth.assertion` of a manifest; one of them at least.
#[derive(Debug)]
pub struct Grants {
    pub(crate) person: Option<Arc<GrantSpec>>,
    pub(crate) signed: Option<Arc<AssertionSpec>>,
}

/// Why there is nothing to ask with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotRenew {
    /// What keeps grants says this.
    #[error("{words}")]
    Kept { words: String },
    #[error(transparent)]
    Grant(#[from] GrantError),
}

impl Grants {
    /// Asks for the next token of a grant.
    ///
    /// # Errors
    /// What there is does not do for it.
    pub fn renewal(
        &self,
        (of, grant): (&CallIntegration, &KeptGrant),
        keeper: &dyn KeepGrants,
    ) -> Result<FilledRequest, CannotRenew> {
        let kept = |words| CannotRenew::Kept { words };
        match (&grant.renews, &self.person, &self.signed) {
            (Renews::By(token), Some(spec), _) => {
                let client = keeper.client(of).map_err(kept)?;
                Ok(spec.renewal(&grant.settings, &client, token)?)
            }
            (Renews::BySigning, _, Some(spec)) => {
                let fields = keeper.credential(of).map_err(kept)?;
                let request = spec.exchange(&grant.settings, &fields, keeper.now());
                Ok(request.map_err(GrantError::from)?)
            }
            (Renews::Never | Renews::By(_) | Renews::BySigning, _, _) => {
                Err(GrantError::NoWay.into())
            }
        }
    }

    /// What an answer to it that came at `now` is worth.
    ///
    /// # Errors
    /// Each way in which there is no token in it.
    pub fn granted(
        &self,
        (grant, host): (&KeptGrant, &str),
        answer: &Answer,
        now: Timestamp,
    ) -> Result<Granted, GrantError> {
        self.answer(grant).ok_or(GrantError::NoWay)?.granted(host, answer, now)
    }

    /// When a grant is renewed that ends; none where the manifest of now has no word for it.
    pub fn due_at(&self, grant: &KeptGrant, spread: u8) -> Option<Timestamp> {
        let expires_at = grant.expires_at?;
        Some(self.answer(grant)?.due_at(grant.issued_at, expires_at, spread))
    }

    fn answer(&self, grant: &KeptGrant) -> Option<&TokenAnswer> {
        match grant.renews {
            Renews::Never | Renews::By(_) => self.person.as_ref().map(|spec| &spec.answer),
            Renews::BySigning => self.signed.as_ref().map(|spec| &spec.answer),
        }
    }
}
