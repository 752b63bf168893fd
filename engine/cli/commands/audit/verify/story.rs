//! What a receipt proves, in plain words, a line for each event; and what it does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_log::receipt::Proven;
use placet_model::decision::Assurance;
use placet_model::event::decision::{ResolutionCast, SignedVote, VoteCast};
use placet_model::signed::DecisionDocument;
use placet_model::{Digest, Event, RecordedEvent};
use serde_json::Value;

pub(super) fn tell(proven: &Proven) -> Vec<String> {
    let mut lines = vec![format!("about the decision {}:", proven.decision)];
    for event in &proven.events {
        let at = format!("{} (position {})", event.recorded_at, event.position);
        lines.extend(said(event).into_iter().map(|said| format!("  {at}  {said}")));
        lines.extend(disclosed(proven, event));
    }
    lines.push(
        "it proves that these events are in the log of the checkpoint, and that nothing in them was \
         changed; it does not prove that the log holds no others about the decision"
            .to_owned(),
    );
    lines
}

fn said(event: &RecordedEvent) -> Option<String> {
    Some(match &event.event {
        Event::RunStarted(body) => format!(
            "the run began: workflow {}, plan {}, for {}",
            body.workflow, body.plan_digest, body.requester
        ),
        Event::DraftPrepared(body) => format!(
            "the draft {}: {} with the request {}",
            body.digest, body.operation, body.request_digest
        ),
        Event::DecisionRequested(body) => {
            format!("a decision on {} was asked for, until {}", body.digest, body.expires_at)
        }
        Event::VoteCast(body) => vote(body),
        Event::ResolutionCast(body) => resolution(body),
        Event::DecisionSettled(body) => format!("the decision ended: {}", body.settlement),
        Event::DraftEdited(body) => format!("{} edited the draft {}", body.editor, body.digest),
        Event::DecisionReassigned(body) => {
            let to: Vec<_> = body.to.iter().map(placet_model::Principal::as_str).collect();
            format!("it was left to {}", to.join(", "))
        }
        Event::RequirementRaised(body) => {
            format!("the policy asked for more: {}", body.missing.join("; "))
        }
        Event::DecisionVoided(body) => format!("the decision became void: {}", body.reason),
        Event::StandingUsed(body) => {
            format!("the standing approval {:?} gave votes in advance", body.standing)
        }
        Event::VoteDelegated(body) => {
            let people: Vec<_> = body.instead_of.iter().map(ToString::to_string).collect();
            format!("{} voted in the place of {}", body.voter, people.join(", "))
        }
        Event::ApproversReminded(body) => format!("people heard of it again: {}", body.kind),
        Event::AttemptStarted(body) => format!(
            "it was spent: try {} of {} in {} mode, sending the request {}",
            body.try_number, body.operation, body.mode, body.request_digest
        ),
        Event::AttemptSucceeded(body) => {
            format!("it was answered with status {}", body.answer.status)
        }
        Event::AttemptRefused(body) => format!("it was refused: {}", body.reason),
        Event::AttemptDeferred(body) => format!("it was put off until {}", body.until),
        Event::AttemptInDoubt(body) => {
            format!("whether it was done is in doubt: {}", body.evidence)
        }
        Event::KeyRegistered(body) => {
            format!("the key {} was registered as that of {}", body.key, body.principal)
        }
        Event::KeyRevoked(body) => {
            format!("the key {} of {} was revoked", body.key, body.principal)
        }
        Event::LookupStarted(body) => format!(
            "it was looked up with {} in {} mode, by the request {}",
            body.operation, body.mode, body.request_digest
        ),
        Event::LookupEnded(body) => format!("the look-up ended: {}", body.finding),
        Event::EvidenceArrived(body) => format!(
            "the provider told of it by itself, with {} at {} of the log",
            body.kind,
            body.arrival.get()
        ),
        Event::AttemptReconciled(body) => format!("the doubt was settled: {}", body.resolution),
        other => return said_of_passkey(other),
    })
}

fn said_of_passkey(event: &Event) -> Option<String> {
    Some(match event {
        Event::PasskeyEnrolled(body) => {
            format!("the passkey {} was enrolled by {}", body.passkey, body.principal)
        }
        Event::PasskeyConfirmed(body) => {
            format!("the passkey {} was confirmed as that of {}", body.passkey, body.principal)
        }
        Event::PasskeyRevoked(body) => {
            format!("the passkey {} of {} was revoked", body.passkey, body.principal)
        }
        _ => return None,
    })
}

fn vote(body: &VoteCast) -> String {
    let signed = signature(body.signed.as_ref(), body.assurance);
    format!("{} voted {} on {}, {signed}", body.voter, body.verdict, body.digest)
}

fn resolution(body: &ResolutionCast) -> String {
    let signed = signature(body.signed.as_ref(), body.assurance);
    format!("{} said {} of the sending of {}, {signed}", body.by, body.resolution, body.digest)
}

fn signature(signed: Option<&SignedVote>, assurance: Assurance) -> String {
    match signed {
        Some(signed) => match DecisionDocument::from_message(&signed.document) {
            Ok(document) => {
                format!("signed with the key {}: the signature verifies", document.key())
            }
            Err(error) => format!("with a document that cannot be read: {error}"),
        },
        None => format!(
            "known by {assurance} only: the engine says so, no signature of the voter's own does"
        ),
    }
}

/// Content that goes along, compared with the digests that the approval binds.
fn disclosed(proven: &Proven, event: &RecordedEvent) -> Vec<String> {
    let Event::DraftPrepared(draft) = &event.event else { return vec![] };
    let content = |reference: placet_model::PayloadRef| {
        let here = reference.revision == event.revision;
        let mut all = proven.content.iter();
        all.find(|item| here && item.position == event.position && item.index == reference.index)
    };
    let mut lines = vec![];
    for (name, reference, digest) in [
        ("document", draft.document, draft.digest),
        ("request", draft.request, draft.request_digest),
    ] {
        let Some(item) = content(reference) else { continue };
        let fits = Digest::of(&item.bytes) == digest;
        let fits =
            if fits { "it is the one of that digest" } else { "it is NOT the one of that digest" };
        let text = String::from_utf8_lossy(&item.bytes);
        lines.push(format!("    its {name} ({fits}): {text}"));
        lines.extend(body(&item.bytes).map(|body| format!("    its body: {body}")));
    }
    lines
}

/// The body of a prepared request, where it is text.
fn body(request: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let bytes = STANDARD.decode(request["body"]["bytes"]["base64"].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}
