//! A person's secret key, on the person's side: it signs decisions and logs in to the server. The
//! engine never holds one but its own.

use std::fmt;

use nkeys::{KeyPair, KeyPairType};
use placet_model::nkey::UserKey;
use placet_model::signed::{DecisionDocument, Draft, RequestDocument, RequestDraft, text_of};
use serde_json::{Map, Value, json};

/// The seed of a user nkey (`SU…`).
pub struct Seed {
    pair: KeyPair,
    key: UserKey,
}

/// Text that is no seed of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no seed of a user: 58 characters that begin with SU")]
pub struct ParseSeedError;

impl Seed {
    /// A fresh one, from the system's randomness.
    ///
    /// # Errors
    /// Never, but for a key library that makes keys which it cannot read.
    pub fn random() -> Result<Self, ParseSeedError> {
        Self::of(KeyPair::new_user())
    }

    /// Reads a seed.
    ///
    /// # Errors
    /// [`ParseSeedError`]; it does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, ParseSeedError> {
        let pair = KeyPair::from_seed(text.trim()).map_err(|_secret| ParseSeedError)?;
        if pair.key_pair_type() == KeyPairType::User { Self::of(pair) } else { Err(ParseSeedError) }
    }

    fn of(pair: KeyPair) -> Result<Self, ParseSeedError> {
        let key = pair.public_key().parse().map_err(|_foreign| ParseSeedError)?;
        Ok(Self { pair, key })
    }

    /// The public key.
    pub const fn key(&self) -> UserKey {
        self.key
    }

    /// The text to keep, secret.
    ///
    /// # Errors
    /// As [`Seed::random`].
    pub fn expose(&self) -> Result<String, ParseSeedError> {
        self.pair.seed().map_err(|_none| ParseSeedError)
    }

    /// The envelope of a decision; `reason` is the text whose digest the draft holds, with its salt.
    ///
    /// # Errors
    /// Where the parts make no document, in words.
    pub fn sign(
        &self,
        draft: Draft,
        reason: Option<(&str, &[u8])>,
    ) -> Result<Map<String, Value>, String> {
        let document = DecisionDocument::new(draft).map_err(|error| error.to_string())?;
        let signature = self.pair.sign(document.message().as_bytes());
        let signature = signature.map_err(|error| error.to_string())?;
        let mut envelope = Map::new();
        envelope.insert("document".to_owned(), document.to_value());
        envelope.insert("signature".to_owned(), json!(text_of(&signature)));
        if let Some((text, salt)) = reason {
            envelope.insert("reason".to_owned(), json!(text));
            envelope.insert("reason_salt".to_owned(), json!(text_of(salt)));
        }
        Ok(envelope)
    }

    /// The envelope of a request; `body` travels beside the document.
    ///
    /// # Errors
    /// Where the parts make no document, in words.
    pub fn sign_request(&self, draft: RequestDraft<'_>) -> Result<Map<String, Value>, String> {
        let body = draft.body.clone();
        let document = RequestDocument::new(draft).map_err(|error| error.to_string())?;
        let signature = self.pair.sign(document.message().as_bytes());
        let signature = signature.map_err(|error| error.to_string())?;
        Ok(Map::from_iter([
            ("document".to_owned(), document.to_value()),
            ("signature".to_owned(), json!(text_of(&signature))),
            ("body".to_owned(), body),
        ]))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed of {}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_it_was_kept_and_has_the_key_of_the_test_vector() {
        let text = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";
        let seed = Seed::parse(&format!("{text}\n")).unwrap();
        let key = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";
        assert_eq!(seed.key().to_string(), key);
        assert_eq!(seed.expose().as_deref(), Ok(text));
        assert!(!format!("{seed:?}").contains(text));
        let server = KeyPair::new_server().seed().unwrap();
        for bad in ["", key, &text[..57], &server] {
            assert_eq!(Seed::parse(bad).err(), Some(ParseSeedError), "{bad}");
        }
    }
}
