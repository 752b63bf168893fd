//! Signatures of approvers: checking one, and checking all of a log again long afterwards, with the
//! keys that the log itself says were people's at the time.
//!
//! What holds of a signed vote, and of what was signed of an attempt in doubt: its document is canonical and names this log, this decision, this
//! draft, this verdict, this voter; its signature verifies; the key was the voter's and was not
//! revoked; the authenticator of a passkey has counted on; and where a reason is given, the payload that holds its text is committed to by the same
//! digest that was signed.

use crate::envelope::Commitment;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::decision::Assurance;
use placet_model::event::decision::{ResolutionCast, SignedVote, VoteCast};
use placet_model::event::people::RequestSigned;
use placet_model::keys::Keys;
use placet_model::nkey::UserKey;
use placet_model::passkey::{
    Algorithm, Assertion, Counters, KnownPasskey, PasskeyId, Passkeys, SignerKey, Use,
};
use placet_model::signed::{self, DecisionDocument, Item, RequestDocument, Said};
use placet_model::{Digest, Event, Principal, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use std::collections::BTreeSet;

/// The payload of a signed vote that holds the text of its reason, sealed with the signer's salt.
pub const REASON_TEXT: usize = 1;
const SIGNATURE_LEN: usize = 64;

/// Whether this signature over the document is its key's. A passkey is named by a digest only, so of
/// one it must be known what it is.
///
/// # Errors
/// What is wrong with it.
pub fn check_signature(
    document: &DecisionDocument,
    signature: &str,
    passkey: Option<&KnownPasskey>,
) -> Result<(), &'static str> {
    match (document.key(), passkey) {
        (SignerKey::Nkey(key), _) => check((key, &document.message()), signature),
        (SignerKey::Passkey(id), Some(known))
            if *id == PasskeyId::of(known.algorithm, &known.public_key) =>
        {
            check_assertion(&document.message(), signature, known)
        }
        (SignerKey::Passkey(_), _) => Err("the passkey is not known"),
    }
}

/// What a passkey says in the place of a signature: that of its key, over this message, given by whoever
/// it belongs to on a page of its party.
fn check_assertion(
    message: &str,
    signature: &str,
    known: &KnownPasskey,
) -> Result<(), &'static str> {
    let assertion: Assertion =
        signature.parse().map_err(|_malformed| "it is no assertion of a passkey")?;
    let signed = assertion.signed_bytes(message, &known.rp_id)?;
    let algorithm: &dyn VerificationAlgorithm = match known.algorithm {
        Algorithm::Es256 => &ECDSA_P256_SHA256_ASN1,
        Algorithm::EdDsa => &ED25519,
    };
    let key = URL_SAFE_NO_PAD.decode(&known.public_key);
    let key = key.map_err(|_malformed| "the key of the passkey cannot be read")?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(&signed, &assertion.signature)
        .map_err(|_unspecified| "it does not verify under the key of the passkey")
}

/// Whether this signature over a request is its key's.
///
/// # Errors
/// What is wrong with it.
pub fn check_request(document: &RequestDocument, signature: &str) -> Result<(), &'static str> {
    check((document.key(), &document.message()), signature)
}

fn check((key, message): (&UserKey, &str), signature: &str) -> Result<(), &'static str> {
    let bytes: [u8; SIGNATURE_LEN] = signed::bytes("signature", signature)
        .map_err(|_malformed| "it is not 64 bytes in base64url without padding")?;
    UnparsedPublicKey::new(&ED25519, key.ed25519())
        .verify(message.as_bytes(), &bytes)
        .map_err(|_unspecified| "it does not verify under the document's key")
}

/// How sure one is of who has signed with such a key.
pub const fn assurance_of(key: &SignerKey) -> Assurance {
    match key {
        SignerKey::Nkey(_) => Assurance::Nkey,
        SignerKey::Passkey(_) => Assurance::Passkey,
    }
}

/// The keys that were people's, and the log that votes must be for.
#[derive(Debug, Clone)]
pub(crate) struct Votes {
    keys: Keys,
    passkeys: Passkeys,
    counters: Counters,
    /// Documents about several decisions: each of these is a vote, and all of them are one use of a key.
    several: BTreeSet<Digest>,
    origin: String,
    signatures: u64,
}

impl Votes {
    pub(crate) fn new(origin: String) -> Self {
        Self {
            keys: Keys::default(),
            passkeys: Passkeys::default(),
            counters: Counters::default(),
            several: BTreeSet::new(),
            origin,
            signatures: 0,
        }
    }

    /// Signatures that were verified.
    pub(crate) const fn signatures(&self) -> u64 {
        self.signatures
    }

    /// Takes the events of a log one after the other.
    ///
    /// # Errors
    /// What does not hold of a vote, in words.
    pub(crate) fn event(
        &mut self,
        event: &Event,
        commitments: &[Commitment],
    ) -> Result<(), String> {
        self.keys.apply(event);
        self.passkeys.apply(event);
        let claim = match event {
            Event::VoteCast(vote) => Claim::of_vote(vote),
            Event::ResolutionCast(said) => Claim::of_resolution(said),
            Event::RequestSigned(asked) => return self.request(asked),
            _ => return Ok(()),
        };
        let signed = match (claim.signed, claim.assurance) {
            (Some(signed), _) => signed,
            (None, Assurance::Nkey | Assurance::Passkey) => {
                return Err("it says that it was signed, and holds no signature".to_owned());
            }
            (None, _) => return Ok(()),
        };
        let document = self.check(&claim, signed)?;
        let committed = commitments.get(REASON_TEXT).map(|commitment| &commitment.pt_commit);
        if document.reason() != committed {
            return Err("its reason is not the one that was signed".to_owned());
        }
        self.check_counter(signed, &document)?;
        let _whether_it_counts = self.counters.apply(event);
        self.signatures += 1;
        Ok(())
    }

    /// The authenticator of a passkey has counted on.
    fn check_counter(
        &mut self,
        signed: &SignedVote,
        document: &DecisionDocument,
    ) -> Result<(), String> {
        let Some(used) = Use::of(signed) else { return Ok(()) };
        let is_known = self.several.contains(&used.document);
        if !is_known && !self.counters.admits(&used) {
            let last = self.counters.last(&used.passkey);
            return Err(format!("its authenticator counts {}, and had said {last}", used.counter));
        }
        if document.items().len() > 1 {
            let _may_be_there = self.several.insert(used.document);
        }
        Ok(())
    }

    fn check(&self, claim: &Claim<'_>, signed: &SignedVote) -> Result<DecisionDocument, String> {
        let document = DecisionDocument::from_message(&signed.document)
            .map_err(|error| format!("its signed document: {error}"))?;
        let passkey = match document.key() {
            SignerKey::Passkey(id) => self.passkeys.get(id),
            SignerKey::Nkey(_) => None,
        };
        check_signature(&document, &signed.signature, passkey)
            .map_err(|what| format!("its signature: {what}"))?;
        if claim.assurance != assurance_of(document.key()) {
            return Err(format!("it says {}, and was signed otherwise", claim.assurance));
        }
        let says_the_same = document.items().contains(&claim.item)
            && document.said() == claim.said
            && document.user() == claim.by
            && document.nonce() == claim.nonce
            && document.issued_at() == claim.at;
        if !says_the_same {
            return Err("its signed document says something else than the event".to_owned());
        }
        self.check_signer(claim.by, (document.key(), document.origin()))?;
        Ok(document)
    }

    /// What an operator has asked for.
    fn request(&mut self, asked: &RequestSigned) -> Result<(), String> {
        let document = RequestDocument::from_message(&asked.document)
            .map_err(|error| format!("its signed document: {error}"))?;
        check_request(&document, &asked.signature)
            .map_err(|what| format!("its signature: {what}"))?;
        if document.user() != &asked.user || document.word() != asked.word {
            return Err("its signed document says something else than the event".to_owned());
        }
        let key = SignerKey::Nkey(*document.key());
        self.check_signer(&asked.user, (&key, document.origin()))?;
        self.signatures += 1;
        Ok(())
    }

    fn check_signer(
        &self,
        by: &Principal,
        (key, origin): (&SignerKey, &str),
    ) -> Result<(), String> {
        if origin != self.origin {
            return Err(format!("it was signed for the log {origin}"));
        }
        let known = match key {
            SignerKey::Nkey(key) => {
                self.keys.get(key).map(|known| (&known.principal, known.revoked))
            }
            SignerKey::Passkey(id) => {
                let known = self.passkeys.get(id).filter(|known| known.confirmed);
                known.map(|known| (&known.principal, known.revoked))
            }
        };
        match known {
            Some((whose, _)) if whose != by => Err(format!("its key is that of {whose}")),
            Some((_, true)) => Err("its key had been revoked".to_owned()),
            Some((_, false)) => Ok(()),
            None => Err("its key was not registered".to_owned()),
        }
    }
}

/// What an event says that somebody has said.
struct Claim<'e> {
    item: Item,
    said: Said,
    by: &'e Principal,
    nonce: &'e str,
    at: Timestamp,
    assurance: Assurance,
    signed: Option<&'e SignedVote>,
}

impl<'e> Claim<'e> {
    fn of_vote(vote: &'e VoteCast) -> Self {
        Self {
            item: Item::new(vote.decision, vote.digest),
            said: Said::Vote(vote.verdict),
            by: &vote.voter,
            nonce: &vote.nonce,
            at: vote.voted_at,
            assurance: vote.assurance,
            signed: vote.signed.as_ref(),
        }
    }

    fn of_resolution(said: &'e ResolutionCast) -> Self {
        Self {
            item: Item::new(said.decision, said.digest),
            said: Said::Resolution(said.resolution),
            by: &said.by,
            nonce: &said.nonce,
            at: said.said_at,
            assurance: said.assurance,
            signed: said.signed.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const DOCUMENT: &str = "{\"expires_at\":\"2026-11-21T12:00:00Z\",\"issued_at\":\"2026-11-21T11:55:00Z\",\"items\":[{\"decision\":\"dec_example1\",\"digest\":\"sha256:50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c\"}],\"key\":\"UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK\",\"nonce\":\"q83vEjRWeJCrze8SNFZ4kA\",\"origin\":\"placet.example/acme\",\"reason\":\"\",\"user\":\"approver-a\",\"verdict\":\"approve\"}";
    const SIGNATURE: &str =
        "32wgrD4OTTGzl35MqRMdT671kuDqhUfhrgIvqVJABsX9zCeIuXn0M8Yryr9rJtQKK13dEy3NBosdGAA_-2AVBw";

    fn document(change: impl FnOnce(&mut Value)) -> DecisionDocument {
        let mut value: Value = serde_json::from_str(DOCUMENT).unwrap();
        change(&mut value);
        DecisionDocument::parse(&value).unwrap()
    }

    #[test]
    fn the_signature_of_the_test_vector_verifies() {
        check_signature(&document(|_| {}), SIGNATURE, None).unwrap();
    }

    #[test]
    fn a_document_that_says_anything_else_does_not_verify() {
        for (member, other) in [
            ("verdict", "reject"),
            ("origin", "placet.example/other"),
            ("user", "approver-b"),
            ("issued_at", "2026-11-21T11:56:00Z"),
            ("nonce", "AAAAAAAAAAAAAAAAAAAAAA"),
        ] {
            let changed = document(|value| value[member] = other.into());
            assert!(check_signature(&changed, SIGNATURE, None).is_err(), "{member}");
        }
        for (place, byte) in SIGNATURE.bytes().enumerate().take(80) {
            let other = if byte == b'A' { 'B' } else { 'A' };
            let mut text = SIGNATURE.to_owned();
            text.replace_range(place..=place, &other.to_string());
            assert!(check_signature(&document(|_| {}), &text, None).is_err(), "character {place}");
        }
        assert!(check_signature(&document(|_| {}), &format!("{SIGNATURE}=="), None).is_err());
    }
}
