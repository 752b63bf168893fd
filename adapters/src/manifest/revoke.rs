//! What becomes of a credential that is forgotten here: a call that takes it back, or words.

use super::own_request::OwnRequest;
use crate::oauth::CLIENT_ID;
use crate::predicate::{Observed, When};
use crate::secret::SecretText;
use crate::transport::Answer;
use placet_model::request::PreparedRequest;
use serde_json::Value;
use std::collections::BTreeMap;

/// What becomes of a credential that is forgotten here.
#[derive(Debug)]
pub struct Revoke {
    /// Where a person takes it back.
    pub manual_url: Option<String>,
    /// What else ends with it.
    pub shared_with: Option<String>,
    /// What of the credential the call does not end, as it stands in a sentence.
    pub remains: Option<String>,
    /// Whether the call ends all that the person has given the app, and not this token alone.
    pub ends_grant: bool,
    /// What else is ended, in this order, before the credential is.
    pub(crate) also: Vec<RevokeAlso>,
    pub(crate) request: Option<RevokeRequest>,
}

/// One thing more that a disconnect ends at the provider: a webhook, a watch, a second token.
#[derive(Debug)]
pub struct RevokeAlso {
    pub(crate) ends: String,
    pub(crate) request: RevokeRequest,
}

impl RevokeAlso {
    /// What it ends, as it stands in a sentence.
    pub fn ends(&self) -> &str {
        &self.ends
    }

    /// The request that ends it, its secrets as named holes, for [`own_filled`](super::own_filled); none where
    /// the credential lacks what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        self.request.prepared(settings, fields)
    }

    /// What an answer to it is worth.
    pub fn outcome(&self, answer: &Answer) -> Revoked {
        self.request.outcome(answer)
    }

    /// How it went, for a person.
    pub fn words(&self, revoked: &Revoked) -> String {
        let ends = &self.ends;
        match revoked {
            Revoked::Yes | Revoked::Ended => format!("{ends} ended with it"),
            Revoked::NoCall => format!("{ends} goes on: the credential lacks what ends it"),
            Revoked::No { words } => format!("{ends} did not end ({words})"),
        }
    }
}

/// The call that takes a credential back.
#[derive(Debug)]
pub(crate) struct RevokeRequest {
    pub(crate) request: OwnRequest,
    pub(crate) success: Vec<When>,
    pub(crate) oauth_only: bool,
}

/// What came of taking a credential back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// The provider has said so.
    Yes,
    /// What it would have taken back had ended by itself.
    Ended,
    /// There is no call for a credential such as this one.
    NoCall,
    /// It was asked and did not say that it is done.
    No { words: String },
}

impl Revoke {
    /// The request that takes a credential with these fields back, its secrets as named holes, for
    /// [`own_filled`](super::own_filled); none where the provider has no such call, or the credential lacks
    /// what it takes.
    pub fn request(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        self.request.as_ref()?.prepared(settings, fields)
    }

    /// What else is ended, in the order in which it is asked for.
    pub fn also(&self) -> &[RevokeAlso] {
        &self.also
    }

    /// What an answer to it is worth.
    pub fn outcome(&self, answer: &Answer) -> Revoked {
        self.request.as_ref().map_or(Revoked::NoCall, |request| request.outcome(answer))
    }

    /// What a disconnect does, before it is known how it goes.
    pub fn in_words(&self) -> String {
        let of_it =
            self.words(if self.request.is_some() { &Revoked::Yes } else { &Revoked::NoCall });
        let also = self.also.iter().map(|also| also.words(&Revoked::Yes));
        std::iter::once(of_it).chain(also).collect::<Vec<_>>().join("; ")
    }

    /// What a person must know after a disconnect.
    pub fn words(&self, revoked: &Revoked) -> String {
        let mut words = match revoked {
            Revoked::Yes if self.ends_grant => {
                "forgotten here, and the provider has ended the grant".to_owned()
            }
            Revoked::Yes => "forgotten here, and the provider has taken it back".to_owned(),
            Revoked::Ended => "forgotten here, and its token had ended".to_owned(),
            Revoked::NoCall => "forgotten here, still good at the provider".to_owned(),
            Revoked::No { words } => {
                format!("forgotten here; the provider did not take it back ({words})")
            }
        };
        let is_over = matches!(revoked, Revoked::Yes | Revoked::Ended);
        if let Some(remains) = self.remains.as_ref().filter(|_| is_over) {
            words.push_str("; ");
            words.push_str(remains);
            words.push_str(" is still good there");
        }
        if let Some(url) = self.manual_url.as_ref().filter(|_| !is_over || self.remains.is_some()) {
            words.push_str(": revoke it yourself at ");
            words.push_str(url);
        }
        if let Some(shared) = &self.shared_with {
            words.push_str("; it also ends ");
            words.push_str(shared);
        }
        words
    }
}

impl RevokeRequest {
    fn prepared(
        &self,
        settings: &Value,
        fields: &BTreeMap<String, SecretText>,
    ) -> Option<PreparedRequest> {
        if self.oauth_only && !fields.contains_key(CLIENT_ID) {
            return None;
        }
        self.request.prepared(settings, fields)
    }

    fn outcome(&self, answer: &Answer) -> Revoked {
        let response = match answer {
            Ok(response) => response,
            Err(failed) => return Revoked::No { words: failed.to_string() },
        };
        let observed = Observed::new(answer);
        let good = (200..=299).contains(&response.status)
            && self.success.iter().all(|when| when.holds(&observed));
        if good {
            return Revoked::Yes;
        }
        let said = crate::oauth::provider_words(observed.body.as_ref().unwrap_or(&Value::Null));
        let status = format!("it answered with status {}", response.status);
        Revoked::No { words: if said.is_empty() { status } else { format!("{status}: {said}") } }
    }
}
