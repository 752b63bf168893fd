//! Signed votes that were recorded long ago: each is verified again with the keys of the log itself, and
//! the first that does not hold is named by its place. Whoever writes the log cannot make one up.
//!
//! covers: S12

use crate::support::*;
use placet_log::votes::{check_request, check_signature};
use placet_log::{Append, Error, Expected, Log, NewEvent, Payload};
use placet_model::decision::{Assurance, Resolution, Verdict};
use placet_model::event::decision::{ResolutionCast, SignedVote, VoteCast};
use placet_model::event::people::{KeyRegistered, KeyRevoked, RequestSigned};
use placet_model::nkey::UserKey;
use placet_model::signed::{
    DecisionDocument, Draft, Item, RequestDocument, RequestDraft, Said, text_digest, text_of,
};
use placet_model::{Actor, DecisionId, Digest, Event, PayloadRef, Position, Revision, StreamId};
use ring::signature::{Ed25519KeyPair, KeyPair};

const SALT: [u8; 32] = [9; 32];

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()
}

fn key() -> UserKey {
    UserKey::from_ed25519(pair().public_key().as_ref().try_into().unwrap())
}

fn decision() -> DecisionId {
    DecisionId::from_bytes([3; 16])
}

fn draft(log: &Log) -> Draft {
    Draft {
        items: vec![Item::new(decision(), Digest::of(b"draft"))],
        said: Said::Vote(Verdict::Reject),
        user: "ana".parse().unwrap(),
        key: key().into(),
        nonce: [5; 16],
        origin: log.origin(),
        issued_at: NOW,
        expires_at: NOW.plus_millis(60_000),
        reason: Some(text_digest(&SALT, "because")),
        with: None,
    }
}

/// The vote that this document is, signed by the key.
fn vote(draft: Draft) -> VoteCast {
    let document = DecisionDocument::new(draft).unwrap();
    let signature = text_of(pair().sign(document.message().as_bytes()).as_ref());
    check_signature(&document, &signature, None).unwrap();
    VoteCast {
        decision: decision(),
        digest: Digest::of(b"draft"),
        verdict: Verdict::Reject,
        voter: "ana".parse().unwrap(),
        assurance: Assurance::Nkey,
        voted_at: NOW,
        nonce: document.nonce().to_owned(),
        reason: Some(PayloadRef::new(Revision::new(1), 0)),
        request_id: None,
        signed: Some(SignedVote { document: document.message(), signature }),
    }
}

fn registered(who: &str) -> Event {
    KeyRegistered { principal: who.parse().unwrap(), key: key() }.into()
}

fn revoked() -> Event {
    KeyRevoked { principal: "ana".parse().unwrap(), key: key() }.into()
}

/// Verifies a log with these events about keys, and then the vote with this text of its reason.
fn verify(
    log: &Log,
    keys: impl IntoIterator<Item = Event>,
    (vote, text): (impl Into<Event>, &str),
) -> Result<u64, Error> {
    let keys: Vec<NewEvent> =
        (1..).zip(keys).map(|(n, event)| NewEvent::new(id(n), Actor::Engine, event)).collect();
    if !keys.is_empty() {
        log.append_blocking(NOW, Append::new(StreamId::Policy, Expected::Any, keys)).unwrap();
    }
    let mut new = NewEvent::new(id(100), Actor::Principal("ana".parse().unwrap()), vote);
    new.payloads = vec![
        Payload::from(b"\"because\"".to_vec()),
        Payload::salted(text.as_bytes().to_vec(), SALT),
    ];
    log.append_blocking(NOW, Append::new(run(1), Expected::Any, vec![new])).unwrap();
    log.read().unwrap().verify().map(|verified| verified.signatures)
}

#[test]
fn a_signed_vote_verifies_again_also_after_its_key_was_revoked() {
    let log = memory();
    let good = (vote(draft(&log)), "because");
    assert_eq!(verify(&log, [registered("ana")], good).unwrap(), 1);
    let late = vec![NewEvent::new(id(200), Actor::Engine, revoked())];
    log.append_blocking(NOW, Append::new(StreamId::Policy, Expected::Any, late)).unwrap();
    assert_eq!(log.read().unwrap().verify().unwrap().signatures, 1);
}

/// A vote that was recorded as it may not be, and the words that say why.
type Forged = (&'static str, fn(&Log) -> VoteCast, &'static str);

#[test]
fn a_vote_that_nobody_signed_so_is_named_by_its_position() {
    let cases: [Forged; 8] = [
        (
            "approve instead",
            |log| VoteCast { verdict: Verdict::Approve, ..vote(draft(log)) },
            "something else",
        ),
        (
            "another draft",
            |log| VoteCast { digest: Digest::of(b"x"), ..vote(draft(log)) },
            "something else",
        ),
        (
            "another decision",
            |log| VoteCast { decision: DecisionId::from_bytes([4; 16]), ..vote(draft(log)) },
            "something else",
        ),
        (
            "another voter",
            |log| VoteCast { voter: "ben".parse().unwrap(), ..vote(draft(log)) },
            "something else",
        ),
        (
            "another nonce",
            |log| VoteCast { nonce: "n".to_owned(), ..vote(draft(log)) },
            "something else",
        ),
        (
            "another log",
            |log| vote(Draft { origin: "placet/0/other".to_owned(), ..draft(log) }),
            "signed for the log placet/0/other",
        ),
        (
            "another signature",
            |log| {
                let good = vote(draft(log));
                let document = good.signed.as_ref().unwrap().document.clone();
                let signed = SignedVote { document, signature: text_of(&[7; 64]) };
                VoteCast { signed: Some(signed), ..good }
            },
            "does not verify",
        ),
        (
            "no signature at all",
            |log| VoteCast { signed: None, ..vote(draft(log)) },
            "holds no signature",
        ),
    ];
    for (what, forged, words) in cases {
        let log = memory();
        let forged = forged(&log);
        let error = verify(&log, [registered("ana")], (forged, "because")).unwrap_err();
        let Error::Damaged { position, what: found } = &error else { panic!("{what}: {error}") };
        assert_eq!(*position, Position::new(2), "{what}");
        assert!(found.contains(words), "{what}: {found}");
    }
}

#[test]
fn the_key_must_have_been_the_voters_when_the_vote_was_recorded() {
    let cases: [(Vec<Event>, &str); 3] = [
        (vec![], "was not registered"),
        (vec![registered("ben")], "is that of ben"),
        (vec![registered("ana"), revoked()], "had been revoked"),
    ];
    for (keys, words) in cases {
        let log = memory();
        let good = (vote(draft(&log)), "because");
        let error = verify(&log, keys, good).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn the_words_that_stand_beside_a_vote_are_those_that_were_signed() {
    let log = memory();
    let other = (vote(draft(&log)), "because of you");
    let error = verify(&log, [registered("ana")], other).unwrap_err().to_string();
    assert!(error.contains("its reason is not the one that was signed"), "{error}");
}

/// What this document says of an attempt in doubt, signed by the key.
fn resolution(draft: Draft) -> ResolutionCast {
    let cast = vote(Draft { said: Said::Resolution(Resolution::Sent), ..draft });
    ResolutionCast {
        decision: cast.decision,
        digest: cast.digest,
        resolution: Resolution::Sent,
        by: cast.voter,
        assurance: cast.assurance,
        said_at: cast.voted_at,
        nonce: cast.nonce,
        reason: cast.reason,
        request_id: None,
        signed: cast.signed,
    }
}

type Forge = fn(ResolutionCast) -> ResolutionCast;

#[test]
fn what_was_signed_of_an_attempt_in_doubt_verifies_again_and_a_forgery_does_not() {
    let log = memory();
    let good = (resolution(draft(&log)), "because");
    assert_eq!(verify(&log, [registered("ana")], good).unwrap(), 1);
    let forged: [(Forge, &str); 4] = [
        (|said| ResolutionCast { resolution: Resolution::NotSent, ..said }, "something else"),
        (|said| ResolutionCast { digest: Digest::of(b"x"), ..said }, "something else"),
        (|said| ResolutionCast { by: "ben".parse().unwrap(), ..said }, "something else"),
        (|said| ResolutionCast { signed: None, ..said }, "holds no signature"),
    ];
    for (forge, words) in forged {
        let log = memory();
        let said = (forge(resolution(draft(&log))), "because");
        let error = verify(&log, [registered("ana")], said).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    // a signed vote is no resolution, nor the other way round
    let log = memory();
    let signed = vote(draft(&log)).signed;
    let said = (ResolutionCast { signed, ..resolution(draft(&log)) }, "because");
    let error = verify(&log, [registered("ana")], said).unwrap_err().to_string();
    assert!(error.contains("something else"), "{error}");
}

/// What an operator has asked for, signed by the key, as it is recorded.
fn request(origin: &str) -> RequestSigned {
    let draft = RequestDraft {
        word: "integrations.disconnect",
        body: &serde_json::json!({"name": "slack"}),
        user: "ana".parse().unwrap(),
        key: key(),
        nonce: [6; 16],
        origin: origin.to_owned(),
        issued_at: NOW,
        expires_at: NOW.plus_millis(60_000),
    };
    let document = RequestDocument::new(draft).unwrap();
    let signature = text_of(pair().sign(document.message().as_bytes()).as_ref());
    check_request(&document, &signature).unwrap();
    let (user, word) = (document.user().clone(), document.word().to_owned());
    RequestSigned { user, word, document: document.message(), signature }
}

#[test]
fn a_signed_request_verifies_again_and_one_that_nobody_signed_so_does_not() {
    let log = memory();
    let good = request(&log.origin());
    assert_eq!(verify(&log, [registered("ana")], (good.clone(), "")).unwrap(), 1);
    let forged: [(RequestSigned, &str); 5] = [
        (
            RequestSigned { word: "integrations.enable".to_owned(), ..good.clone() },
            "something else",
        ),
        (RequestSigned { user: "ben".parse().unwrap(), ..good.clone() }, "something else"),
        (RequestSigned { signature: text_of(&[0; 64]), ..good.clone() }, "its signature"),
        (
            RequestSigned { document: good.document.replace("disconnect", "enable"), ..good },
            "its signature",
        ),
        (request("another.example/log"), "it was signed for the log"),
    ];
    for (forged, words) in forged {
        let log = memory();
        let error = verify(&log, [registered("ana")], (forged, "")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // with nobody's key, or one that was revoked before
    for (keys, words) in
        [(vec![], "not registered"), (vec![registered("ana"), revoked()], "revoked")]
    {
        let log = memory();
        let good = request(&log.origin());
        let error = verify(&log, keys, (good, "")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
