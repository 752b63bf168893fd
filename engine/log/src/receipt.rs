//! The receipt of one decision: everything that proves it, in one file that needs no log.
//!
//! ```json
//! { "receipt": 1,
//!   "decision": "dec_…",
//!   "how_to_check": "…",
//!   "events": [ { "line": "<as in events.jsonl>", "leaf": "<base64>", "proof": "<tlog-proof>",
//!                 "content": [ { "index": 0, "salt": "sha256:…", "bytes": "<base64>" } ] } ] }
//! ```
//!
//! Each event stands with its leaf, its body (in the line) and a C2SP tlog-proof, which ends with
//! the checkpoint. A vote that was signed holds the approver's document and signature in its body,
//! and what the log says of the key goes along: the signature is verified again.
//! Content is there only on request, with the salt that ties it to the leaf.
//!
//! A receipt shows that these events are in the log. It cannot show that there are no others.

use crate::checkpoint::{Attested, Checkpoint};
use crate::envelope::Envelope;
use crate::export::{Asked, Content, Finding, Render, line};
use crate::note::Note;
use crate::payload;
use crate::proof::{TlogProof, check_inclusion, inclusion};
use crate::tree::leaf_hash;
use crate::votes::Votes;
use crate::{Error, ReadView};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_model::passkey::SignerKey;
use placet_model::signed::DecisionDocument;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, Position, RecordedEvent, Revision, RunId, StreamId,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// The form of receipts that this engine writes and reads.
const FORM: u64 = 1;
/// A receipt of at most so many events is read.
const EVENTS_MAX: usize = 10_000;
const HOW: &str = "placet audit verify FILE --key KEY, with the log's key from somewhere else; or, for each event, \
    any verifier of C2SP tlog-proof: leaf is the entry, proof the proof. The SHA-256 of the line's body_bytes \
    stands in the leaf at byte 48.";

/// Content that a receipt discloses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// Of which event.
    pub position: Position,
    /// Place among its payloads.
    pub index: u16,
    /// The content.
    pub bytes: Vec<u8>,
}

/// What a receipt was found to prove.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// Which decision it says to be about.
    pub decision: DecisionId,
    /// The checkpoint under which all of it stands.
    pub attested: Attested,
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
    /// The content that goes along.
    pub content: Vec<Disclosed>,
}

/// The events of a run that concern one decision: how the run began, the draft, the request, the
/// votes and the keys they were signed with, the end of the decision, and what was sent on the
/// strength of it.
///
/// # Errors
/// Whatever reading the run fails with.
pub fn of_decision(
    view: &ReadView,
    run: RunId,
    decision: DecisionId,
) -> Result<Vec<Position>, Error> {
    let stream = StreamId::Run(run);
    let events: Vec<RecordedEvent> =
        view.stream(&stream, Revision::START).collect::<Result<_, _>>()?;
    let mut positions: Vec<Position> =
        concerned(&events, decision).map(|event| event.position).collect();
    let keys = voting_keys(concerned(&events, decision));
    if !keys.is_empty() {
        for event in view.stream(&StreamId::Policy, Revision::START) {
            let event = event?;
            if is_of_keys(&event, &keys) {
                positions.push(event.position);
            }
        }
        positions.sort();
    }
    Ok(positions)
}

/// Those of a run's events that concern one decision.
fn concerned(
    events: &[RecordedEvent],
    decision: DecisionId,
) -> impl Iterator<Item = &RecordedEvent> {
    let requested = events.iter().find_map(|event| match &event.event {
        Event::DecisionRequested(body) if body.decision == decision => Some(body.digest),
        _ => None,
    });
    let attempts: BTreeSet<AttemptId> = events
        .iter()
        .filter_map(|event| match &event.event {
            Event::AttemptStarted(body) if body.decision == Some(decision) => Some(body.attempt),
            _ => None,
        })
        .collect();
    let concerns = move |event: &Event| match event {
        Event::RunStarted(_) => true,
        Event::DraftPrepared(body) => Some(body.digest) == requested,
        Event::DecisionRequested(body) => body.decision == decision,
        Event::VoteCast(body) => body.decision == decision,
        Event::DecisionSettled(body) => body.decision == decision,
        Event::DraftEdited(body) => body.decision == decision,
        Event::DecisionReassigned(body) => body.decision == decision,
        Event::RequirementRaised(body) => body.decision == decision,
        Event::DecisionVoided(body) => body.decision == decision,
        Event::StandingUsed(body) => body.decision == decision,
        Event::VoteDelegated(body) => body.decision == decision,
        Event::ResolutionCast(body) => body.decision == decision,
        Event::ApproversReminded(body) => body.decision == decision,
        Event::AttemptStarted(body) => body.decision == Some(decision),
        Event::AttemptSucceeded(body) => attempts.contains(&body.attempt),
        Event::AttemptRefused(body) => attempts.contains(&body.attempt),
        Event::AttemptDeferred(body) => attempts.contains(&body.attempt),
        Event::AttemptInDoubt(body) => attempts.contains(&body.attempt),
        Event::AttemptReconciled(body) => attempts.contains(&body.attempt),
        Event::LookupStarted(body) => attempts.contains(&body.attempt),
        Event::LookupEnded(body) => attempts.contains(&body.attempt),
        Event::EvidenceArrived(body) => attempts.contains(&body.attempt),
        _ => false,
    };
    events.iter().filter(move |event| concerns(&event.event))
}

/// The keys with which votes among these events were signed.
fn voting_keys<'e>(events: impl Iterator<Item = &'e RecordedEvent>) -> BTreeSet<SignerKey> {
    events
        .filter_map(|event| match &event.event {
            Event::VoteCast(vote) => vote.signed.as_ref(),
            Event::ResolutionCast(said) => said.signed.as_ref(),
            _ => None,
        })
        .filter_map(|signed| DecisionDocument::from_message(&signed.document).ok())
        .map(|document| *document.key())
        .collect()
}

/// Whether it is what the log says of one of these keys.
fn is_of_keys(event: &RecordedEvent, keys: &BTreeSet<SignerKey>) -> bool {
    let key = match &event.event {
        Event::KeyRegistered(body) => SignerKey::Nkey(body.key),
        Event::KeyRevoked(body) => SignerKey::Nkey(body.key),
        Event::PasskeyEnrolled(body) => SignerKey::Passkey(body.passkey),
        Event::PasskeyConfirmed(body) => SignerKey::Passkey(body.passkey),
        Event::PasskeyRevoked(body) => SignerKey::Passkey(body.passkey),
        _ => return false,
    };
    event.stream == StreamId::Policy && keys.contains(&key)
}

/// Writes the receipt of a decision with the events at these positions, all within the checkpoint.
///
/// # Errors
/// Damage, and [`Error::Erased`] for content that was asked for and is gone.
pub fn write(
    view: &ReadView,
    (decision, positions): (DecisionId, &[Position]),
    content: Content,
    render: Render<'_>,
    note: &Note,
) -> Result<Value, Error> {
    let size = note.text().parse::<Checkpoint>()?.size;
    let events = positions.iter().map(|position| {
        let entry = view.entry(*position, content)?;
        let envelope = Envelope::decode(&entry.leaf)
            .map_err(|error| Error::Damaged { position: *position, what: error.to_string() })?;
        let (line, _) = line(&envelope, &entry.body, render)?;
        let index = position.get() - 1;
        let hashes = inclusion(size, index, &mut |level, index| view.node(level, index))?;
        let proof = TlogProof { index, hashes, note: note.clone() };
        let opened = (0..).zip(&entry.plain).filter_map(|(index, plain): (u16, _)| {
            let plain = plain.as_ref()?;
            let bytes = STANDARD.encode(plain.payload.as_bytes());
            Some(json!({ "index": index, "salt": Digest::from_bytes(plain.salt), "bytes": bytes }))
        });
        let opened: Vec<Value> = opened.collect();
        let leaf = STANDARD.encode(&entry.leaf);
        Ok(json!({ "line": line, "leaf": leaf, "proof": proof.to_string(), "content": opened }))
    });
    let events: Vec<Value> = events.collect::<Result<_, Error>>()?;
    Ok(json!({ "receipt": FORM, "decision": decision, "how_to_check": HOW, "events": events }))
}

/// Whether a text is a receipt, well or badly made.
pub fn is_receipt(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value["receipt"].is_u64())
}

/// Checks a receipt; needs nothing but what the reader asks.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify(text: &str, asked: &Asked, render: Render<'_>) -> Result<Proven, Finding> {
    let no = |what: &dyn fmt::Display| Finding::in_file("receipt", what);
    let receipt: Value = serde_json::from_str(text).map_err(|error| no(&error))?;
    if receipt["receipt"] != FORM {
        return Err(no(&"it is of another form: check it with the Placet that wrote it"));
    }
    let decision: DecisionId = receipt["decision"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| no(&"it names no decision"))?;
    let listed = receipt["events"].as_array().filter(|events| events.len() <= EVENTS_MAX);
    let listed = listed.ok_or_else(|| no(&"it lists no events, or too many"))?;
    let mut check =
        Check { asked, render, votes: None, note: None, events: vec![], content: vec![] };
    for (place, event) in listed.iter().enumerate() {
        check.event(place, event)?;
    }
    let Check { note, events, content, .. } = check;
    let (_, attested) = note.ok_or_else(|| no(&"it lists no events"))?;
    about(decision, &events)?;
    Ok(Proven { decision, attested, events, content })
}

/// What it says to be about stands in no leaf: the events themselves must be about that decision, in
/// one run, or about a key with which a vote on it was signed.
fn about(decision: DecisionId, events: &[RecordedEvent]) -> Result<(), Finding> {
    let no = |what: &str| Finding::in_file("receipt", what);
    let asked = events.iter().find(|event| match &event.event {
        Event::DecisionRequested(body) => body.decision == decision,
        _ => false,
    });
    let asked = asked.ok_or_else(|| no("none of its events asks for the decision it names"))?;
    let about: BTreeSet<Position> = concerned(events, decision)
        .filter(|event| event.stream == asked.stream)
        .map(|event| event.position)
        .collect();
    let keys = voting_keys(events.iter().filter(|event| about.contains(&event.position)));
    let strange =
        |event: &&RecordedEvent| !about.contains(&event.position) && !is_of_keys(event, &keys);
    match events.iter().find(strange) {
        Some(other) => {
            Err(no("it is not about the decision that is named").at(other.position.get()))
        }
        None => Ok(()),
    }
}

struct Check<'a> {
    asked: &'a Asked,
    render: Render<'a>,
    /// None until the log is known.
    votes: Option<Votes>,
    /// The checkpoint of the first event, with who has signed it; the others must have the same.
    note: Option<(Note, Attested)>,
    events: Vec<RecordedEvent>,
    content: Vec<Disclosed>,
}

impl Check<'_> {
    fn event(&mut self, place: usize, given: &Value) -> Result<(), Finding> {
        let place = place + 1;
        let unread = |what: &str| Finding::in_file("receipt", format!("event {place}: {what}"));
        let text =
            |name: &str| given[name].as_str().ok_or_else(|| unread(&format!("it has no {name}")));
        let leaf =
            STANDARD.decode(text("leaf")?).ok().ok_or_else(|| unread("its leaf is no base64"))?;
        let envelope = Envelope::decode(&leaf).map_err(|error| unread(&error.to_string()))?;
        let position = envelope.position.get();
        let no = |what: &dyn fmt::Display| Finding::in_file("receipt", what).at(position);
        let proof: TlogProof = text("proof")?.parse().map_err(|error| no(&error))?;
        let attested = self.attested(&proof.note).map_err(|what| no(&what))?;
        let checkpoint = &attested.checkpoint;
        let tree = (checkpoint.size, &checkpoint.root);
        if proof.index + 1 != position {
            return Err(no(&"its proof is for another position"));
        }
        check_inclusion(tree, (proof.index, &leaf_hash(&leaf)), &proof.hashes)
            .map_err(|error| no(&format!("it is not in the log of the checkpoint: {error}")))?;
        let found = text("line")?;
        let (_, body) = crate::export::parts(found.as_bytes()).map_err(|what| no(&what))?;
        let (line, event) = line(&envelope, &body, self.render)
            .map_err(|_bad| no(&"the body in its line is not the one of the entry"))?;
        if line != found {
            return Err(no(&"its line is not what entry and body say"));
        }
        if self.events.last().is_some_and(|before| before.position >= event.position) {
            return Err(no(&"it stands twice, or out of order"));
        }
        let votes =
            self.votes.get_or_insert_with(|| Votes::new(attested.checkpoint.origin.clone()));
        votes.event(&event.event, &envelope.payloads).map_err(|what| no(&what))?;
        for item in given["content"].as_array().into_iter().flatten() {
            let disclosed = disclosed(item, &envelope).map_err(|what| no(&what))?;
            self.content.push(disclosed);
        }
        self.events.push(event);
        Ok(())
    }

    fn attested(&mut self, note: &Note) -> Result<Attested, String> {
        if let Some((known, attested)) = &self.note {
            if known == note {
                return Ok(attested.clone());
            }
            return Err("its checkpoint is not that of the events before it".to_owned());
        }
        let attested = self.asked.trust.check(note).map_err(|error| error.to_string())?;
        if let Some(older) = &self.asked.older {
            let found = &attested.checkpoint;
            if (&found.origin, found.size, found.root) != (&older.origin, older.size, older.root) {
                let words = "its checkpoint is not the one given, and a receipt cannot show that it continues that: \
                             compare an export";
                return Err(words.to_owned());
            }
        }
        self.note = Some((note.clone(), attested.clone()));
        Ok(attested)
    }
}

fn disclosed(item: &Value, envelope: &Envelope<'_>) -> Result<Disclosed, &'static str> {
    let index = item["index"].as_u64().and_then(|index| u16::try_from(index).ok());
    let index = index.ok_or("its content names no payload")?;
    let commitment = envelope.payloads.get(usize::from(index)).ok_or("it has no such payload")?;
    let salt: Option<Digest> = item["salt"].as_str().and_then(|text| text.parse().ok());
    let salt = salt.ok_or("its content has no salt")?;
    let bytes = item["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let bytes = bytes.ok_or("its content is no base64")?;
    payload::check_plain(&bytes, salt.as_bytes(), commitment)?;
    Ok(Disclosed { position: envelope.position, index, bytes })
}
