//! The signed decision: the one document that an approver's key signs, and its canonical form.
//!
//! ```text
//! message = "placet-decision-v1" LF RFC 8785 form of the document
//! ```
//!
//! Every value is a string, but `items`, which is an array of objects of strings. No member may be
//! missing or added, and each has one spelling only, so the message that is verified is made again
//! from the parsed members and is never taken from the sender. Checking a signature needs
//! cryptography and is `placet-log`'s.

mod request;

pub use request::{RequestDocument, RequestDraft};

use crate::decision::{Resolution, Verdict};
use crate::event::decision::SignedVote;
use crate::passkey::SignerKey;
use crate::{DecisionId, Digest, Principal, Timestamp, canonical};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use std::fmt;

/// What a message begins with: what is signed for this purpose is good for no other.
const LABEL: &str = "placet-decision-v1\n";
/// What a digest of text is made over, with a salt: the form of a payload's commitment.
const TEXT_LABEL: &[u8] = b"placet-pt-v1";
/// A document is good for at most this long.
pub const VALID_MS_MAX: i64 = 15 * 60 * 1000;
/// A clock may be this far behind the signer's.
pub const EARLY_MS_MAX: i64 = 60 * 1000;
/// Items of one act: a person looks at each of them.
pub const ITEMS_MAX: usize = 200;
/// Bytes of a salt.
pub const SALT_LEN: usize = 32;

/// The salt of a signed text.
pub type Salt = [u8; SALT_LEN];
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 16;
const ORIGIN_MAX: usize = 512;

/// One decision of an act, bound to its draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which decision: its id in the text form, as it was signed.
    pub decision: String,
    /// The draft digest that was shown.
    pub digest: Digest,
}

impl Item {
    /// The item for a decision of a log.
    pub fn new(decision: DecisionId, digest: Digest) -> Self {
        Self { decision: decision.to_string(), digest }
    }

    /// `{decision, digest}`.
    pub fn to_value(&self) -> Value {
        serde_json::json!({ "decision": self.decision, "digest": self.digest })
    }

    /// The decision, where the text is an id of ours.
    pub fn id(&self) -> Option<DecisionId> {
        self.decision.parse().ok()
    }
}

/// What is said of the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A verdict on requests.
    Vote(Verdict),
    /// What became of an attempt in doubt.
    Resolution(Resolution),
}

/// The document, parsed: what it says has the form that the page asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionDocument {
    items: Vec<Item>,
    said: Said,
    user: Principal,
    key: SignerKey,
    nonce: String,
    origin: String,
    issued_at: Timestamp,
    expires_at: Timestamp,
    reason: Option<Digest>,
    with: Option<Digest>,
}

/// What a document is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// In any order.
    pub items: Vec<Item>,
    /// What is said of them.
    pub said: Said,
    /// Who signs.
    pub user: Principal,
    /// With which key.
    pub key: SignerKey,
    /// 16 random bytes.
    pub nonce: [u8; NONCE_LEN],
    /// The log's origin.
    pub origin: String,
    /// From when; whole seconds count.
    pub issued_at: Timestamp,
    /// Until when; whole seconds count.
    pub expires_at: Timestamp,
    /// [`text_digest`] of the reason.
    pub reason: Option<Digest>,
    /// Digest of the canonical bytes of what travels beside it as `with`.
    pub with: Option<Digest>,
}

/// What a vote is part of, so that its nonce is not used for another: the signed document, or the
/// vote itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Who uses the nonce: a key, else a principal. One cannot be taken for the other.
    pub by: String,
    /// Digest of the document, where there is one.
    pub document: Option<Digest>,
}

impl Act {
    /// Of a vote.
    pub fn of(voter: &Principal, signed: Option<&SignedVote>) -> Self {
        let document = signed.and_then(|signed| {
            let document = DecisionDocument::from_message(&signed.document).ok()?;
            Some((document.key.to_string(), Digest::of(signed.document.as_bytes())))
        });
        match document {
            Some((by, digest)) => Self { by, document: Some(digest) },
            None => Self { by: voter.to_string(), document: None },
        }
    }
}

/// A document, or what travels with it, that has another form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {what}")]
pub struct DocumentError {
    /// The member.
    pub member: String,
    /// What is wrong with it.
    pub what: String,
}

fn wrong(member: &str, what: impl Into<String>) -> DocumentError {
    DocumentError { member: member.to_owned(), what: what.into() }
}

/// The digest of text that stands in a document in its place.
pub fn text_digest(salt: &[u8; SALT_LEN], text: &str) -> Digest {
    Digest::of_parts(&[TEXT_LABEL, salt, text.as_bytes()])
}

/// The digest of a JSON value that stands in a document in its place.
///
/// # Errors
/// A number that has no canonical form.
pub fn with_digest(with: &Value) -> Result<Digest, DocumentError> {
    canonical::digest(with).map_err(|error| wrong("with", error.to_string()))
}

/// Bytes of this length in base64url without padding, in their one spelling.
///
/// # Errors
/// When the text is anything else.
pub fn bytes<const N: usize>(member: &str, text: &str) -> Result<[u8; N], DocumentError> {
    let error = || wrong(member, format!("{N} bytes in base64url without padding are needed"));
    let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_malformed| error())?;
    decoded.try_into().map_err(|_length| error())
}

/// The text of [`bytes`].
pub fn text_of(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl DecisionDocument {
    /// Makes a document.
    ///
    /// # Errors
    /// [`DocumentError`] where the parts make none.
    pub fn new(draft: Draft) -> Result<Self, DocumentError> {
        let Draft { mut items, said, user, key, nonce, origin, .. } = draft;
        items.sort_by(|left, right| left.decision.cmp(&right.decision));
        let document = Self {
            items,
            said,
            user,
            key,
            nonce: text_of(&nonce),
            origin,
            issued_at: Timestamp::from_millis(draft.issued_at.as_secs() * 1000),
            expires_at: Timestamp::from_millis(draft.expires_at.as_secs() * 1000),
            reason: draft.reason,
            with: draft.with,
        };
        Self::parse(&document.to_value())
    }

    /// Parses a document.
    ///
    /// # Errors
    /// [`DocumentError`] for a member that is missing, added, or in another spelling.
    pub fn parse(document: &Value) -> Result<Self, DocumentError> {
        let members = document.as_object().ok_or_else(|| wrong("document", "no JSON object"))?;
        let said = said(text(members, "verdict")?)?;
        let carries_with = matches!(said, Said::Vote(Verdict::Edit | Verdict::Reassign));
        only(members, &MEMBERS, carries_with)?;
        let document = Self {
            items: items(&members["items"])?,
            said,
            user: parsed(members, "user")?,
            key: parsed(members, "key")?,
            nonce: text(members, "nonce")?.to_owned(),
            origin: text(members, "origin")?.to_owned(),
            issued_at: moment(members, "issued_at")?,
            expires_at: moment(members, "expires_at")?,
            reason: match text(members, "reason")? {
                "" => None,
                _ => Some(parsed(members, "reason")?),
            },
            with: if carries_with { Some(parsed(members, "with")?) } else { None },
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
        let document = document.ok_or_else(|| wrong("message", "it is no decision"))?;
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
        if self.origin.is_empty() || self.origin.len() > ORIGIN_MAX {
            return Err(wrong("origin", format!("1 to {ORIGIN_MAX} bytes are needed")));
        }
        let length = self.expires_at.millis_since(self.issued_at);
        if !(1..=VALID_MS_MAX).contains(&length) {
            return Err(wrong("expires_at", "it must be after issued_at, by 15 minutes at most"));
        }
        if self.with.is_some() && self.items.len() != 1 {
            return Err(wrong("items", "this verdict is for exactly one decision"));
        }
        if self.reason.is_none() && self.said == Said::Vote(Verdict::Respond) {
            return Err(wrong("reason", "to respond is to say something"));
        }
        Ok(())
    }

    /// The document as JSON.
    pub fn to_value(&self) -> Value {
        let digest = |digest: &Digest| json!(digest.to_string());
        let item =
            |item: &Item| json!({ "decision": item.decision, "digest": item.digest.to_string() });
        let mut value = json!({
            "expires_at": seconds(self.expires_at),
            "issued_at": seconds(self.issued_at),
            "items": self.items.iter().map(item).collect::<Vec<_>>(),
            "key": self.key.to_string(),
            "nonce": self.nonce,
            "origin": self.origin,
            "reason": self.reason.as_ref().map_or_else(|| json!(""), digest),
            "user": self.user.as_str(),
            "verdict": self.said.to_string(),
        });
        if let Some(with) = &self.with {
            value["with"] = digest(with);
        }
        value
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

    /// The digest of the message: one act.
    pub fn digest(&self) -> Digest {
        Digest::of(self.message().as_bytes())
    }

    /// The decisions, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What is said of them.
    pub const fn said(&self) -> Said {
        self.said
    }

    /// Who signed.
    pub const fn user(&self) -> &Principal {
        &self.user
    }

    /// With which key.
    pub const fn key(&self) -> &SignerKey {
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

    /// When it was signed.
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Until when it is taken.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// [`text_digest`] of the reason, where one is given.
    pub const fn reason(&self) -> Option<&Digest> {
        self.reason.as_ref()
    }

    /// [`with_digest`] of what travels beside it.
    pub const fn with(&self) -> Option<&Digest> {
        self.with.as_ref()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vote(verdict) => verdict.word(),
            Self::Resolution(resolution) => resolution.word(),
        })
    }
}

/// Every member but `with`.
const MEMBERS: [&str; 9] =
    ["expires_at", "issued_at", "items", "key", "nonce", "origin", "reason", "user", "verdict"];

fn only(
    members: &Map<String, Value>,
    known: &[&str],
    carries_with: bool,
) -> Result<(), DocumentError> {
    let with = carries_with.then_some("with");
    let known: Vec<&str> = known.iter().copied().chain(with).collect();
    if let Some(missing) = known.iter().find(|name| !members.contains_key(**name)) {
        return Err(wrong(missing, "it is missing"));
    }
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(added) => Err(wrong(added, "there is no such member")),
        None => Ok(()),
    }
}

fn text<'m>(members: &'m Map<String, Value>, member: &str) -> Result<&'m str, DocumentError> {
    let value = members.get(member).ok_or_else(|| wrong(member, "it is missing"))?;
    value.as_str().ok_or_else(|| wrong(member, "it must be a string"))
}

/// A member whose type has one spelling for each value.
fn parsed<T>(members: &Map<String, Value>, member: &str) -> Result<T, DocumentError>
where
    T: std::str::FromStr + fmt::Display,
    T::Err: fmt::Display,
{
    spelled(member, text(members, member)?)
}

fn spelled<T>(member: &str, text: &str) -> Result<T, DocumentError>
where
    T: std::str::FromStr + fmt::Display,
    T::Err: fmt::Display,
{
    let value: T = text.parse().map_err(|error: T::Err| wrong(member, error.to_string()))?;
    if value.to_string() == text { Ok(value) } else { Err(wrong(member, "another spelling")) }
}

fn said(word: &str) -> Result<Said, DocumentError> {
    let vote = word.parse().map(Said::Vote);
    vote.or_else(|_none| word.parse().map(Said::Resolution))
        .map_err(|_none: crate::wire::UnknownWord| wrong("verdict", format!("{word:?} is none")))
}

/// RFC 3339 in UTC with whole seconds and `Z`.
fn seconds(moment: Timestamp) -> String {
    moment.to_string().replace(".000Z", "Z")
}

fn moment(members: &Map<String, Value>, member: &str) -> Result<Timestamp, DocumentError> {
    let text = text(members, member)?;
    let moment: Result<Timestamp, _> = text.parse();
    let moment = moment.ok().filter(|moment| seconds(*moment) == text);
    moment.ok_or_else(|| wrong(member, "a moment such as 2026-01-01T00:00:00Z is needed"))
}

/// `dec_` and lower-case letters and digits: that it is a decision is for the log to say.
fn is_id(text: &str) -> bool {
    let rest = text.strip_prefix("dec_").unwrap_or_default();
    (1..=64).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn items(given: &Value) -> Result<Vec<Item>, DocumentError> {
    let list = given.as_array().filter(|list| (1..=ITEMS_MAX).contains(&list.len()));
    let list = list.ok_or_else(|| wrong("items", format!("1 to {ITEMS_MAX} are needed")))?;
    let items = list.iter().map(|item| {
        let members = item.as_object().ok_or_else(|| wrong("items", "each is an object"))?;
        only(members, &["decision", "digest"], false)?;
        let decision = text(members, "decision")?;
        if !is_id(decision) {
            return Err(wrong("decision", "the id of a decision is needed"));
        }
        Ok(Item { decision: decision.to_owned(), digest: parsed(members, "digest")? })
    });
    let items: Vec<Item> = items.collect::<Result<_, _>>()?;
    let in_order = |pair: &[Item]| pair[0].decision < pair[1].decision;
    if items.windows(2).all(in_order) {
        Ok(items)
    } else {
        Err(wrong("items", "they must be sorted by decision, without repeats"))
    }
}

#[cfg(test)]
mod tests;
