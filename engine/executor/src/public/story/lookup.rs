//! What was asked of a provider about an attempt in doubt, and what it said.

use super::gate::{account, answered};
use super::words::{Teller, brief, moment, task};
use placet_model::Event;
use placet_model::event::lookup::{
    AbsenceWorth, EvidenceArrived, LookupEnded, LookupFinding, LookupPlanned, LookupStarted,
};
use placet_model::event::preview::{PreviewRead, PreviewStep};

pub(super) fn sentence(teller: &Teller<'_>) -> String {
    match &teller.event.event {
        Event::LookupPlanned(body) => planned(body),
        Event::LookupStarted(body) => started(teller, body),
        Event::LookupEnded(body) => ended(teller, body),
        Event::EvidenceArrived(body) => told(body),
        other => other.type_name().to_owned(),
    }
}

pub(super) fn preview(teller: &Teller<'_>, body: &PreviewRead) -> String {
    let PreviewRead { operation, revision, status, .. } = body;
    let of = task(&body.task, &body.iteration);
    match body.step {
        PreviewStep::Begun => {
            let bytes = match (body.request, body.request_digest) {
                (Some(request), Some(digest)) => format!(
                    " with the bytes {}{}",
                    brief(digest),
                    teller.unless_readable("the bytes themselves are", request)
                ),
                _ => String::new(),
            };
            let whose = account(body.integration.as_ref());
            format!(
                "for the card of draft {revision} of {of} the engine began {operation}{bytes}{whose}"
            )
        }
        PreviewStep::Answered => {
            format!(
                "{operation} was answered with status {status}: the card of draft {revision} of {of} shows it"
            )
        }
        PreviewStep::Unanswered => format!(
            "{operation} was not answered: the card of draft {revision} of {of} says so{}",
            teller.because(body.shown)
        ),
    }
}

fn planned(body: &LookupPlanned) -> String {
    format!(
        "the engine will ask the provider whether {} arrived, by {}, from {} on",
        body.attempt,
        body.operation,
        moment(body.due_at)
    )
}

fn started(teller: &Teller<'_>, body: &LookupStarted) -> String {
    format!(
        "the engine began look-up {} of {}: {} with the bytes {}{}{}",
        body.number,
        body.attempt,
        body.operation,
        brief(body.request_digest),
        account(body.integration.as_ref()),
        teller.unless_readable("the bytes themselves are", body.request)
    )
}

fn told(body: &EvidenceArrived) -> String {
    format!(
        "the provider told of {} by itself: {}, event {} of the log, bears its mark{}",
        body.attempt,
        body.kind,
        body.arrival.get(),
        answered(&body.answer)
    )
}

fn ended(teller: &Teller<'_>, body: &LookupEnded) -> String {
    let then = match body.next_at {
        Some(at) => format!("; it looks again from {} on", moment(at)),
        None => String::new(),
    };
    format!(
        "look-up {} of {}: {}{}{}{then}",
        body.number,
        body.attempt,
        found(body),
        answered(&body.answer),
        teller.because(body.detail)
    )
}

/// What was found, in words for people.
pub(crate) fn found(body: &LookupEnded) -> String {
    match (body.finding, body.worth) {
        (LookupFinding::Found, _) => "the provider has it".to_owned(),
        (LookupFinding::Absent, Some(AbsenceWorth::TooEarly)) => {
            "the provider does not show it yet, and may still".to_owned()
        }
        (LookupFinding::Absent, Some(AbsenceWorth::Evidence)) => {
            "the provider does not show it, which is evidence and no proof".to_owned()
        }
        (LookupFinding::Absent, Some(AbsenceWorth::Proof)) => {
            "the provider does not have it: nothing was sent".to_owned()
        }
        (LookupFinding::Absent, Some(AbsenceWorth::Nothing) | None) => {
            "the provider does not show it, which says nothing here".to_owned()
        }
        (LookupFinding::Several, _) => {
            format!("the provider shows {} that fit: nobody can say which is ours", body.count)
        }
        (LookupFinding::Unanswered, _) => "the look-up said nothing".to_owned(),
    }
}
