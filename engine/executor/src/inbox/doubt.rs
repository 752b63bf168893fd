//! What is known of an attempt in doubt, for whoever is to say what became of it: how the doubt came about, how often it was
//! tried, and what the provider answered, if anything. Most of what is in doubt was delivered, so that is the answer that
//! stands first.

use crate::erasure::{ERASED, unless_erased};
use crate::handle::Error;
use placet_log::ReadView;
use placet_model::attempt::Evidence;
use placet_model::{Event, Revision, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// `{attempt, since, words, default, answers, evidence}`; none where nothing is in doubt.
pub(super) fn doubt(view: &ReadView, row: &DecisionRow) -> Result<Option<Value>, Error> {
    let Some((attempt, since)) = row.in_doubt else { return Ok(None) };
    let mut tries = vec![];
    let mut found = None;
    for event in view.stream(&StreamId::Run(row.run), Revision::START) {
        let event = event?;
        match event.event {
            Event::AttemptStarted(body) if body.attempt == attempt => tries.push(event.recorded_at),
            Event::AttemptInDoubt(body) if body.attempt == attempt => found = Some(body),
            _ => {}
        }
    }
    let evidence = match found {
        None => Value::Null,
        Some(body) => {
            let detail = body.detail.map(|detail| view.payload(&StreamId::Run(row.run), detail));
            let detail = detail.map(unless_erased).transpose()?;
            let detail = detail.map(|text| match text {
                Some(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
                None => ERASED.to_owned(),
            });
            let status = (body.answer.status != 0).then_some(body.answer.status);
            json!({
                "kind": body.evidence,
                "words": words(body.evidence),
                "tries": tries,
                "status": status,
                "detail": detail.map(|text| super::one_line(&text)),
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
    })))
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
    }
}
