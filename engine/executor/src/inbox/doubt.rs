//! What is known of an attempt in doubt, for whoever is to say what became of it: how the doubt came about, how often it was
//! tried, what the provider answered, if anything, and what each look-up found. Most of what is in doubt was delivered, so that is the answer that
//! stands first.

use crate::erasure::{ERASED, unless_erased};
use crate::handle::Error;
use placet_log::ReadView;
use placet_model::attempt::Evidence;
use placet_model::event::lookup::LookupEnded;
use placet_model::{Event, PayloadRef, Revision, StreamId, Timestamp};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// `{attempt, since, words, default, answers, evidence, lookups, next_lookup_at}`; none where nothing is
/// in doubt.
pub(super) fn doubt(view: &ReadView, row: &DecisionRow) -> Result<Option<Value>, Error> {
    let Some((attempt, since)) = row.in_doubt else { return Ok(None) };
    let (mut tries, mut found) = (vec![], None);
    let (mut lookups, mut next_at) = (vec![], None);
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        let event = event?;
        match event.event {
            Event::AttemptStarted(body) if body.attempt == attempt => tries.push(event.recorded_at),
            Event::AttemptInDoubt(body) if body.attempt == attempt => found = Some(body),
            Event::LookupPlanned(body) if body.attempt == attempt => next_at = Some(body.due_at),
            Event::LookupEnded(body) if body.attempt == attempt => {
                next_at = body.next_at;
                lookups.push(looked_up(view, row, (&body, event.recorded_at))?);
            }
            _ => {}
        }
    }
    let evidence = match found {
        None => Value::Null,
        Some(body) => {
            let detail = words_of(view, row, body.detail)?;
            let status = (body.answer.status != 0).then_some(body.answer.status);
            json!({
                "kind": body.evidence,
                "words": words(body.evidence),
                "tries": tries,
                "status": status,
                "detail": detail,
            })
        }
    };
    let known = evidence["words"].as_str().unwrap_or("no answer came that says what became of it");
    Ok(Some(json!({
        "attempt": attempt,
        "since": since,
        "words": format!("probably sent: {known}; look at the provider before you say otherwise"),
        "default": "sent",
        "answers": ["sent", "not_sent", "give_up"],
        "evidence": evidence,
        "lookups": lookups,
        "next_lookup_at": next_at,
    })))
}

/// `{number, at, finding, worth, words, count, status, detail}` of one look-up.
fn looked_up(
    view: &ReadView,
    row: &DecisionRow,
    (body, at): (&LookupEnded, Timestamp),
) -> Result<Value, Error> {
    Ok(json!({
        "number": body.number,
        "at": at,
        "finding": body.finding,
        "worth": body.worth,
        "words": crate::public::found(body),
        "count": body.count,
        "status": (body.answer.status != 0).then_some(body.answer.status),
        "detail": words_of(view, row, body.detail)?,
    }))
}

/// What was said, in one line.
fn words_of(
    view: &ReadView,
    row: &DecisionRow,
    detail: Option<PayloadRef>,
) -> Result<Option<String>, Error> {
    let detail = detail.map(|detail| view.payload(&StreamId::Run(row.run), detail));
    let detail = detail.map(unless_erased).transpose()?;
    Ok(detail.map(|text| match text {
        Some(text) => super::one_line(&String::from_utf8_lossy(text.as_bytes())),
        None => ERASED.to_owned(),
    }))
}

const fn words(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Restart => {
            "the engine stopped after it had recorded the call and before any answer"
        }
        Evidence::Timeout => "bytes left, and no answer came in time",
        Evidence::Reset => "bytes left, and the connection broke before an answer",
        Evidence::Answer => "the provider answered, and not what became of it",
        Evidence::LeaseExpired => "the engine stood still between the record and the call",
        Evidence::CommitUnknown => "the call ended, and its outcome could not be recorded",
        Evidence::MovedOn => {
            "it went again, and what it changes has moved on: by the first try, or by others"
        }
        Evidence::NotFinal => "the provider has taken it, and has not said yet how it ends",
    }
}
