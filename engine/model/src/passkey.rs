//! Passkeys (`WebAuthn`): what a credential is known by, what an authenticator says when one is made and
//! when one signs, and everything about both that needs no cryptography beyond a digest. Checking a
//! signature is `placet-log`'s.
//!
//! What is signed is `authenticator data | SHA-256 of the client data`; the client data name the
//! challenge, and the challenge is the SHA-256 of the message of the decision document. So the
//! signature is over decision, digest, verdict, nonce and times, as that of any other key.
//!
//! An authenticator that counts says a higher number each time. One that does not rise is that of a
//! second authenticator with the same key ([`Counters`]).

use crate::event::decision::SignedVote;
use crate::nkey::UserKey;
use crate::signed::{DecisionDocument, DocumentError, text_of};
use crate::wire::wire_enum;
use crate::{Digest, Event, Principal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What the digest of a public key begins with.
const LABEL: &[u8] = b"placet-passkey-v1\n";
/// What the text of an id begins with.
const PREFIX: &str = "pk_";
/// What the text of an assertion begins with.
const ASSERTION: &str = "webauthn.";
/// Bytes of each part of an assertion; authenticators say a fraction of it.
const PART_MAX: usize = 4096;
/// Bytes of authenticator data before what is attested: digest of the party, flags, counter.
const HEAD: usize = 37;
/// Bytes of the make of an authenticator.
const AAGUID: usize = 16;
/// Bytes of a credential's id.
const CREDENTIAL_MAX: usize = 1023;
/// Somebody was there.
const PRESENT: u8 = 0x01;
/// It was they: by a PIN, a finger, a face.
const VERIFIED: u8 = 0x04;
/// A credential follows.
const ATTESTED: u8 = 0x40;

wire_enum! {
    /// How a passkey signs.
    Algorithm {
        /// ECDSA over P-256 with SHA-256.
        Es256 = 1 "ES256",
        /// Ed25519.
        EdDsa = 2 "EdDSA",
    }
}

/// A passkey by the digest of its public key, so that whoever signs with it names the key itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PasskeyId([u8; 32]);

impl Serialize for PasskeyId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for PasskeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

impl PasskeyId {
    /// The id of the passkey with this key.
    pub fn of(algorithm: Algorithm, public_key: &str) -> Self {
        let (word, key) = (algorithm.word().as_bytes(), public_key.as_bytes());
        let digest = Digest::of_parts(&[LABEL, word, b"\n", key]);
        Self(*digest.as_bytes())
    }
}

impl fmt::Display for PasskeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", text_of(&self.0))
    }
}

impl fmt::Debug for PasskeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that names no key with which somebody may sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("neither the public key of a user (U…) nor the id of a passkey (pk_…)")]
pub struct ParseSignerKeyError;

impl FromStr for PasskeyId {
    type Err = ParseSignerKeyError;
    fn from_str(text: &str) -> Result<Self, ParseSignerKeyError> {
        let rest = text.strip_prefix(PREFIX).ok_or(ParseSignerKeyError)?;
        let bytes = URL_SAFE_NO_PAD.decode(rest).map_err(|_malformed| ParseSignerKeyError)?;
        bytes.try_into().map(Self).map_err(|_length| ParseSignerKeyError)
    }
}

/// With what a decision document is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignerKey {
    /// An Ed25519 key of a client.
    Nkey(UserKey),
    /// A passkey.
    Passkey(PasskeyId),
}

impl From<UserKey> for SignerKey {
    fn from(key: UserKey) -> Self {
        Self::Nkey(key)
    }
}

impl fmt::Display for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nkey(key) => key.fmt(f),
            Self::Passkey(id) => id.fmt(f),
        }
    }
}

impl FromStr for SignerKey {
    type Err = ParseSignerKeyError;
    fn from_str(text: &str) -> Result<Self, ParseSignerKeyError> {
        if text.starts_with(PREFIX) {
            return text.parse().map(Self::Passkey);
        }
        text.parse()
            .map(Self::Nkey)
            .map_err(|_other: crate::nkey::ParseUserKeyError| ParseSignerKeyError)
    }
}

/// What an authenticator has made for somebody, checked as far as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// Its own name for it, in base64url.
    pub credential: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The public key, in base64url: 65 bytes of a point that is not compressed, or 32 of Ed25519.
    pub public_key: String,
}

impl Enrolled {
    /// Reads the answer to a request for a credential with this challenge, of this party.
    ///
    /// # Errors
    /// What does not hold of it, in words.
    pub fn read(
        (client_data, authenticator_data): (&[u8], &[u8]),
        challenge: &[u8],
        rp_id: &str,
    ) -> Result<Self, &'static str> {
        check_client(client_data, ("webauthn.create", challenge), rp_id)?;
        let flags = check_authenticator(authenticator_data, rp_id)?;
        if flags & ATTESTED == 0 {
            return Err("the authenticator names no credential");
        }
        let short = "the authenticator data are cut short";
        let rest = authenticator_data.get(HEAD + AAGUID..).ok_or(short)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if !(1..=CREDENTIAL_MAX).contains(&length) {
            return Err("the id of the credential is not of a length that one has");
        }
        let (credential, key) = rest.split_at_checked(length).ok_or(short)?;
        let (algorithm, public_key) =
            cose(key).ok_or("the key is neither one of ES256 nor one of Ed25519")?;
        let public_key = text_of(&public_key);
        Ok(Self { credential: text_of(credential), algorithm, public_key })
    }
}

/// A public key in the canonical form (CTAP2) of COSE: what it is of is told by the first bytes.
fn cose(key: &[u8]) -> Option<(Algorithm, Vec<u8>)> {
    const P256: &[u8] = &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
    const P256_Y: &[u8] = &[0x22, 0x58, 0x20];
    const ED25519: &[u8] = &[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
    if let Some(rest) = key.strip_prefix(P256) {
        let (x, rest) = rest.split_first_chunk::<32>()?;
        let (y, _extensions) = rest.strip_prefix(P256_Y)?.split_first_chunk::<32>()?;
        return Some((Algorithm::Es256, [&[0x04], &x[..], &y[..]].concat()));
    }
    let (x, _extensions) = key.strip_prefix(ED25519)?.split_first_chunk::<32>()?;
    Some((Algorithm::EdDsa, x.to_vec()))
}

/// What an authenticator says when it signs; its text stands in the place of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Whom it signs for, and how it knows that somebody is there.
    pub authenticator_data: Vec<u8>,
    /// What the browser was asked, where.
    pub client_data: Vec<u8>,
    /// The signature over both.
    pub signature: Vec<u8>,
}

impl Assertion {
    /// What the signature is over, where it is for this message and this party.
    ///
    /// # Errors
    /// What does not hold of it, in words.
    pub fn signed_bytes(&self, message: &str, rp_id: &str) -> Result<Vec<u8>, &'static str> {
        let challenge = Digest::of(message.as_bytes());
        check_client(&self.client_data, ("webauthn.get", challenge.as_bytes()), rp_id)?;
        check_authenticator(&self.authenticator_data, rp_id)?;
        let client = Digest::of(&self.client_data);
        Ok([&self.authenticator_data[..], client.as_bytes()].concat())
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [authenticator, client, signature] =
            [&self.authenticator_data, &self.client_data, &self.signature]
                .map(|part| text_of(part));
        write!(f, "{ASSERTION}{authenticator}.{client}.{signature}")
    }
}

impl FromStr for Assertion {
    type Err = DocumentError;
    fn from_str(text: &str) -> Result<Self, DocumentError> {
        let wrong = || DocumentError {
            member: "signature".to_owned(),
            what: "an assertion is `webauthn.` and three parts in base64url, with dots between"
                .to_owned(),
        };
        let rest = text.strip_prefix(ASSERTION).ok_or_else(wrong)?;
        let part = |text: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok();
            bytes.filter(|bytes| (1..=PART_MAX).contains(&bytes.len())).ok_or_else(wrong)
        };
        let parts: Vec<&str> = rest.split('.').collect();
        let [authenticator, client, signature] = parts[..] else { return Err(wrong()) };
        Ok(Self {
            authenticator_data: part(authenticator)?,
            client_data: part(client)?,
            signature: part(signature)?,
        })
    }
}

/// One use of a passkey: what its authenticator has counted, and for which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Which.
    pub passkey: PasskeyId,
    /// Uses that the authenticator has counted, this one included; 0 from one that does not count.
    pub counter: u32,
    /// What was signed: a document about several decisions is one use.
    pub document: Digest,
}

impl Use {
    /// Of what somebody has signed; none where that was no passkey.
    pub fn of(signed: &SignedVote) -> Option<Self> {
        let assertion: Assertion = signed.signature.parse().ok()?;
        let document = DecisionDocument::from_message(&signed.document).ok()?;
        let SignerKey::Passkey(passkey) = *document.key() else { return None };
        let counter = assertion.authenticator_data.get(HEAD - 4..HEAD)?.try_into().ok()?;
        let counter = u32::from_be_bytes(counter);
        Some(Self { passkey, counter, document: Digest::of(signed.document.as_bytes()) })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "two kinds of event hold what was signed")]
    fn in_event(event: &Event) -> Option<Self> {
        match event {
            Event::VoteCast(body) => body.signed.as_ref().and_then(Self::of),
            Event::ResolutionCast(body) => body.signed.as_ref().and_then(Self::of),
            _ => None,
        }
    }
}

/// The last use of every passkey whose authenticator counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters(BTreeMap<PasskeyId, (u32, Digest)>);

impl Counters {
    /// Folds what was said with a passkey. Gives whether this event has changed anything.
    pub fn apply(&mut self, event: &Event) -> bool {
        let Some(used) = Use::in_event(event).filter(|used| used.counter > 0) else {
            return false;
        };
        let last = self.0.entry(used.passkey).or_insert((0, used.document));
        if used.counter <= last.0 {
            return false;
        }
        *last = (used.counter, used.document);
        true
    }

    /// Whether it can be the same authenticator: it has counted on, or counts no use at all and never
    /// did, or the document is the very one that it signed last.
    pub fn admits(&self, used: &Use) -> bool {
        self.0.get(&used.passkey).is_none_or(|(counter, document)| {
            used.counter > *counter || (used.counter == *counter && used.document == *document)
        })
    }

    /// The last number that the authenticator of a passkey has said; 0 where it has said none.
    pub fn last(&self, passkey: &PasskeyId) -> u32 {
        self.0.get(passkey).map_or(0, |(counter, _document)| *counter)
    }
}

/// The browser asked for this, with this challenge, on a page of the party, and of no other inside it.
fn check_client(
    client_data: &[u8],
    (kind, challenge): (&str, &[u8]),
    rp_id: &str,
) -> Result<(), &'static str> {
    let client: Value =
        serde_json::from_slice(client_data).map_err(|_malformed| "the client data are no JSON")?;
    if client["type"] != kind {
        return Err("the client data are for another purpose");
    }
    if client["challenge"] != text_of(challenge) {
        return Err("the challenge is another one");
    }
    if !client["origin"].as_str().is_some_and(|origin| is_of(origin, rp_id)) {
        return Err("it was given on a page of another origin");
    }
    if client["crossOrigin"] == true || !client["topOrigin"].is_null() {
        return Err("it was given inside a page of another origin");
    }
    Ok(())
}

/// The authenticator signs for this party, somebody was there, and it was verified who. Gives its flags.
fn check_authenticator(data: &[u8], rp_id: &str) -> Result<u8, &'static str> {
    let (head, _more) =
        data.split_first_chunk::<HEAD>().ok_or("the authenticator data are cut short")?;
    if head[..32] != *Digest::of(rp_id.as_bytes()).as_bytes() {
        return Err("the authenticator signs for another party");
    }
    let flags = head[32];
    if flags & PRESENT == 0 {
        return Err("nobody was there");
    }
    if flags & VERIFIED == 0 {
        return Err("the authenticator did not verify who was there");
    }
    Ok(flags)
}

/// Whether a page of this origin may use the passkeys of the party: over TLS, or on this machine.
pub fn is_of(origin: &str, rp_id: &str) -> bool {
    let (host, is_plain) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(host), _) => (host, false),
        (_, Some(host)) => (host, true),
        (None, None) => return false,
    };
    let host = host.split_once(':').map_or(host, |(host, _port)| host);
    let is_local = host == "localhost" || host.ends_with(".localhost");
    let below = host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    below && (!is_plain || is_local)
}

/// Every passkey that was ever enrolled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkeys(BTreeMap<PasskeyId, KnownPasskey>);

/// A passkey that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPasskey {
    /// Whose it is, for life.
    pub principal: Principal,
    /// The authenticator's name for it, in base64url.
    pub credential: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// The public key, in base64url.
    pub public_key: String,
    /// The party that it was made for: a host.
    pub rp_id: String,
    /// Whether an admin has said that it is theirs; before that it is good for nothing.
    pub confirmed: bool,
    /// Whether it was revoked, which is for good.
    pub revoked: bool,
}

impl Passkeys {
    /// Folds an event; those that are about no passkey change nothing.
    #[expect(clippy::wildcard_enum_match_arm, reason = "three kinds of event are about passkeys")]
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::PasskeyEnrolled(body) => {
                self.0.entry(body.passkey).or_insert_with(|| KnownPasskey {
                    principal: body.principal.clone(),
                    credential: body.credential.clone(),
                    algorithm: body.algorithm,
                    public_key: body.public_key.clone(),
                    rp_id: body.rp_id.clone(),
                    confirmed: false,
                    revoked: false,
                });
            }
            Event::PasskeyConfirmed(body) => {
                if let Some(known) = self.0.get_mut(&body.passkey) {
                    known.confirmed = true;
                }
            }
            Event::PasskeyRevoked(body) => {
                if let Some(known) = self.0.get_mut(&body.passkey) {
                    known.revoked = true;
                }
            }
            _ => {}
        }
    }

    /// What is known of a passkey.
    pub fn get(&self, id: &PasskeyId) -> Option<&KnownPasskey> {
        self.0.get(id)
    }

    /// All of them, revoked ones included.
    pub fn iter(&self) -> impl Iterator<Item = (&PasskeyId, &KnownPasskey)> {
        self.0.iter()
    }

    /// Those with which somebody may sign now.
    pub fn of<'k>(
        &'k self,
        who: &'k Principal,
    ) -> impl Iterator<Item = (&'k PasskeyId, &'k KnownPasskey)> {
        self.iter().filter(move |(_, known)| known.principal == *who && known.is_good())
    }
}

impl KnownPasskey {
    /// Whether one may sign with it.
    pub const fn is_good(&self) -> bool {
        self.confirmed && !self.revoked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_party_or_below_it_may_and_no_other() {
        for (origin, rp_id, may) in [
            ("https://placet.example.com", "placet.example.com", true),
            ("https://placet.example.com:8443", "placet.example.com", true),
            ("https://a.placet.example.com", "placet.example.com", true),
            ("http://localhost:7480", "localhost", true),
            ("http://placet.example.com", "placet.example.com", false),
            ("https://evilplacet.example.com", "placet.example.com", false),
            ("https://placet.example.com.evil.example", "placet.example.com", false),
            ("https://placet.example.com@evil.example", "placet.example.com", false),
            ("null", "localhost", false),
        ] {
            assert_eq!(is_of(origin, rp_id), may, "{origin} {rp_id}");
        }
    }

    #[test]
    fn the_names_of_keys_have_one_spelling_each() {
        let id = PasskeyId::of(Algorithm::Es256, "BA");
        for key in [SignerKey::Passkey(id), SignerKey::Nkey(UserKey::from_ed25519([7; 32]))] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for bad in ["", "pk_", "pk_AAAA", &format!("{id}="), &id.to_string()[..45]] {
            assert!(bad.parse::<SignerKey>().is_err(), "{bad}");
        }
        assert_ne!(id, PasskeyId::of(Algorithm::EdDsa, "BA"), "the algorithm is part of it");
    }

    #[test]
    fn an_assertion_is_read_as_it_was_written() {
        let parts = ["authenticator", "client", "signature"].map(|part| part.as_bytes().to_vec());
        let [authenticator_data, client_data, signature] = parts;
        let assertion = Assertion { authenticator_data, client_data, signature };
        let text = assertion.to_string();
        assert_eq!(text.parse(), Ok(assertion));
        for bad in ["webauthn.", "webauthn.YQ.YQ", "webauthn.YQ.YQ.", "webauthn.YQ.YQ.YQ.YQ", "YQ"]
        {
            assert!(bad.parse::<Assertion>().is_err(), "{bad}");
        }
    }
}
