//! The tokens of a grant as they are kept, and who keeps them.

use super::grant::AppClient;
use crate::secret::SecretText;
use crate::transport::CallIntegration;
use placet_model::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The tokens in hand. Kept sealed, whole, one at a time for each credential version.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptGrant {
    /// Counts renewals, from 0.
    pub generation: u64,
    /// The credential field in which the token stands.
    pub access_field: String,
    pub access: SecretText,
    pub renews: Renews,
    /// The settings under which it was given: what renews it goes nowhere else.
    pub settings: Value,
    pub issued_at: Timestamp,
    /// None where it lasts until it is taken back.
    pub expires_at: Option<Timestamp>,
    /// Since when an answer is awaited that takes the place of these: written before it is asked for,
    /// so that a process that dies in between leaves a trace.
    pub asking_since: Option<Timestamp>,
    /// Why nothing more is asked with it.
    pub over: Option<String>,
}

/// What the next token is given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renews {
    /// Nothing: this one lasts until it is taken back.
    Never,
    /// What came with it.
    By(SecretText),
    /// An assertion that the credential signs.
    BySigning,
}

impl KeptGrant {
    /// What renews it, where it came with that.
    pub const fn refresh(&self) -> Option<&SecretText> {
        match &self.renews {
            Renews::By(token) => Some(token),
            Renews::Never | Renews::BySigning => None,
        }
    }

    /// Whether another token can be had without a person.
    pub fn is_renewable(&self) -> bool {
        self.renews != Renews::Never
    }
}

impl Renews {
    /// What a refresh token, or none, leads to.
    pub fn by(refresh: Option<SecretText>) -> Self {
        refresh.map_or(Self::Never, Self::By)
    }
}

impl fmt::Debug for KeptGrant {
    /// No token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant(generation {})", self.generation)
    }
}

/// What others hear of a grant; no token is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A token was asked for with the credential of this version.
    Renewed { integration: CallIntegration, generation: u64 },
}

/// Keeps grants. What is kept is durable when it returns.
pub trait KeepGrants: fmt::Debug + Send + Sync {
    /// The grant of a credential version; none where it has none.
    ///
    /// # Errors
    /// In words, without a secret.
    fn grant(&self, of: &CallIntegration) -> Result<Option<KeptGrant>, String>;

    /// The app that it was given to.
    ///
    /// # Errors
    /// In words, without a secret.
    fn client(&self, of: &CallIntegration) -> Result<AppClient, String>;

    /// The fields of the credential itself, for what signs.
    ///
    /// # Errors
    /// In words, without a secret.
    fn credential(&self, of: &CallIntegration) -> Result<BTreeMap<String, SecretText>, String>;

    /// Takes the place of the one before, if that is of the generation `after`.
    ///
    /// # Errors
    /// In words, without a secret.
    fn keep(&self, of: &CallIntegration, after: u64, grant: &KeptGrant) -> Result<(), String>;

    /// Tells those who keep the record.
    fn tell(&self, news: News);

    /// The wall clock.
    fn now(&self) -> Timestamp;
}
