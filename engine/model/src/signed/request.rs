//! The signed request: what an operator's key signs over NATS, where `serve` takes nothing unsigned
//! that changes a connection.
//!
//! ```text
//! message = "placet-request-v1" LF RFC 8785 form of the document
//! ```
//!
//! As with decisions, every value is a string, no member may be missing or added, and the message that
//! is verified is made again from the members. What is asked for travels beside the document, as
//! `body`; the document holds its digest.

use super::{
    DocumentError, EARLY_MS_MAX, NONCE_LEN, ORIGIN_MAX, VALID_MS_MAX, bytes, moment, only, parsed,
    seconds, text, text_of, with_digest, wrong,
};
use crate::nkey::UserKey;
use crate::{Digest, Principal, Timestamp, canonical};
use serde_json::{Value, json};

/// What a message begins with: what is signed for this purpose is good for no other.
const LABEL: &str = "placet-request-v1\n";
/// Letters of a word.
const WORD_MAX: usize = 64;
const MEMBERS: [&str; 8] =
    ["body", "expires_at", "issued_at", "key", "nonce", "origin", "user", "word"];

/// The document, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDocument {
    word: String,
    body: Digest,
    user: Principal,
    key: UserKey,
    nonce: String,
    origin: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

/// What a document is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDraft<'a> {
    /// What is asked for, such as `integrations.rotate`.
    pub word: &'a str,
    /// What it is asked with.
    pub body: &'a Value,
    /// Who signs.
    pub user: Principal,
    /// With which key.
    pub key: UserKey,
    /// 16 random bytes.
    pub nonce: [u8; NONCE_LEN],
    /// The log's origin.
    pub origin: String,
    /// From when; whole seconds count.
    pub issued_at: Timestamp,
    /// Until when; whole seconds count.
    pub expires_at: Timestamp,
}

impl RequestDocument {
    /// Makes a document.
    ///
    /// # Errors
    /// [`DocumentError`] where the parts make none.
    pub fn new(draft: RequestDraft<'_>) -> Result<Self, DocumentError> {
        let document = Self {
            word: draft.word.to_owned(),
            body: with_digest(draft.body)?,
            user: draft.user,
            key: draft.key,
            nonce: text_of(&draft.nonce),
            origin: draft.origin,
            issued_at: Timestamp::from_millis(draft.issued_at.as_secs() * 1000),
            expires_at: Timestamp::from_millis(draft.expires_at.as_secs() * 1000),
        };
        Self::parse(&document.to_value())
    }

    /// Parses a document.
    ///
    /// # Errors
    /// [`DocumentError`] for a member that is missing, added, or in another spelling.
    pub fn parse(document: &Value) -> Result<Self, DocumentError> {
        let members = document.as_object().ok_or_else(|| wrong("document", "no JSON object"))?;
        only(members, &MEMBERS, false)?;
        let document = Self {
            word: text(members, "word")?.to_owned(),
            body: parsed(members, "body")?,
            user: parsed(members, "user")?,
            key: parsed(members, "key")?,
            nonce: text(members, "nonce")?.to_owned(),
            origin: text(members, "origin")?.to_owned(),
            issued_at: moment(members, "issued_at")?,
            expires_at: moment(members, "expires_at")?,
        };
        document.check()?;
        Ok(document)
    }

    /// Parses the message that was signed.
    ///
    /// # Errors
    /// [`DocumentError`] when it is not exactly the message of a document.
    pub fn from_message(message: &str) -> Result<Self, DocumentError> {
        let document = message.strip_prefix(LABEL);
        let document = document.ok_or_else(|| wrong("message", "it is no request"))?;
        let document = serde_json::from_str(document);
        let document: Value = document.map_err(|error| wrong("message", error.to_string()))?;
        let parsed = Self::parse(&document)?;
        if parsed.message() == message {
            Ok(parsed)
        } else {
            Err(wrong("message", "it is not the canonical form of its document"))
        }
    }

    fn check(&self) -> Result<(), DocumentError> {
        bytes::<NONCE_LEN>("nonce", &self.nonce)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_');
        if !(1..=WORD_MAX).contains(&self.word.len()) || !self.word.bytes().all(is_plain) {
            return Err(wrong("word", format!("1 to {WORD_MAX} of a-z, '.' and '_' are needed")));
        }
        if self.origin.is_empty() || self.origin.len() > ORIGIN_MAX {
            return Err(wrong("origin", format!("1 to {ORIGIN_MAX} bytes are needed")));
        }
        let length = self.expires_at.millis_since(self.issued_at);
        if !(1..=VALID_MS_MAX).contains(&length) {
            return Err(wrong("expires_at", "it must be after issued_at, by 15 minutes at most"));
        }
        Ok(())
    }

    /// The document as JSON.
    pub fn to_value(&self) -> Value {
        json!({
            "body": self.body.to_string(),
            "expires_at": seconds(self.expires_at),
            "issued_at": seconds(self.issued_at),
            "key": self.key.to_string(),
            "nonce": self.nonce,
            "origin": self.origin,
            "user": self.user.as_str(),
            "word": self.word,
        })
    }

    /// The message to sign or to verify, made from the members.
    ///
    /// # Panics
    /// Never: a document is made of strings, which have a canonical form.
    pub fn message(&self) -> String {
        let document = canonical::to_bytes(&self.to_value());
        let document = document.expect("strings have a canonical form");
        format!("{LABEL}{}", String::from_utf8_lossy(&document))
    }

    /// Whether it may be taken at this moment, by the clock of the log.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check_time(&self, now: Timestamp) -> Result<(), String> {
        if self.issued_at.millis_since(now) > EARLY_MS_MAX {
            return Err(format!("it is from {}, and it is {now}", self.issued_at));
        }
        if now > self.expires_at {
            return Err(format!("it was good until {}, and it is {now}", self.expires_at));
        }
        Ok(())
    }

    /// Whether it is for this word with this body.
    ///
    /// # Errors
    /// Which of the two it is not for.
    pub fn check_of(&self, word: &str, body: &Value) -> Result<(), DocumentError> {
        if self.word != word {
            return Err(wrong("word", format!("it was signed for {}, not {word}", self.word)));
        }
        if self.body != with_digest(body)? {
            return Err(wrong("body", "what came beside the document is not what was signed for"));
        }
        Ok(())
    }

    /// What is asked for.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// Who signed.
    pub const fn user(&self) -> &Principal {
        &self.user
    }

    /// With which key.
    pub const fn key(&self) -> &UserKey {
        &self.key
    }

    /// Used once per key.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The log that it is for.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(change: impl FnOnce(&mut Value)) -> Result<RequestDocument, DocumentError> {
        let draft = RequestDraft {
            word: "integrations.rotate",
            body: &json!({"name": "slack"}),
            user: "wendy".parse().expect("a name"),
            key: UserKey::from_ed25519([7; 32]),
            nonce: [1; NONCE_LEN],
            origin: "placet.example/acme".to_owned(),
            issued_at: Timestamp::from_millis(1_000_000),
            expires_at: Timestamp::from_millis(1_300_000),
        };
        let mut value = RequestDocument::new(draft).expect("a document").to_value();
        change(&mut value);
        RequestDocument::parse(&value)
    }

    #[test]
    fn a_request_is_read_back_from_its_message_and_from_nothing_else() {
        let document = document(|_| {}).expect("a document");
        let message = document.message();
        assert_eq!(RequestDocument::from_message(&message), Ok(document));
        // what was signed as a decision is no request, and the other way round
        let as_decision = message.replace("placet-request-v1", "placet-decision-v1");
        assert!(RequestDocument::from_message(&as_decision).is_err());
        assert!(super::super::DecisionDocument::from_message(&message).is_err());
        assert!(RequestDocument::from_message(&message.replace("\",\"", "\", \"")).is_err());
    }

    #[test]
    fn every_member_is_needed_and_no_other_is_taken() {
        for member in MEMBERS {
            let without = document(|value| {
                value.as_object_mut().expect("an object").remove(member);
            });
            assert_eq!(without.expect_err("it lacks one").member, member);
        }
        assert!(document(|value| value["more"] = json!("x")).is_err());
        assert!(document(|value| value["word"] = json!("integrations.Rotate")).is_err());
        assert!(document(|value| value["expires_at"] = json!("1970-01-01T01:00:00Z")).is_err());
    }

    #[test]
    fn it_is_good_for_one_word_one_body_and_a_while() {
        let document = document(|_| {}).expect("a document");
        let body = json!({"name": "slack"});
        assert_eq!(document.check_of("integrations.rotate", &body), Ok(()));
        assert!(document.check_of("integrations.disconnect", &body).is_err());
        assert!(document.check_of("integrations.rotate", &json!({"name": "other"})).is_err());
        let at = Timestamp::from_millis;
        assert_eq!(document.check_time(at(1_000_000)), Ok(()));
        assert_eq!(document.check_time(at(1_300_000)), Ok(()));
        assert!(document.check_time(at(1_301_000)).is_err());
        assert!(document.check_time(at(939_000)).is_err());
    }
}
