//! Look-ups: when one is due, what may be begun, and what its finding settles. Only exactly one match
//! settles anything here; every absence leaves the attempt in doubt.

use crate::refusal::Refusal;
use crate::run::{LookupStage, Run};
use placet_model::decision::Resolution;
use placet_model::event::attempt::{AnswerFacts, AttemptReconciled, ReconciledBy};
use placet_model::event::lookup::{
    AbsenceWorth, EvidenceArrived, LookupEnded, LookupFinding, LookupPlanned, LookupStarted,
};
use placet_model::{AttemptId, Event, PayloadRef, Timestamp};

/// What came of a look-up.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedUp {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which look-up of it.
    pub number: u32,
    /// What it found.
    pub found: Found,
    /// What may be remembered in clear.
    pub facts: AnswerFacts,
    /// When to look again, should the doubt last.
    pub next_at: Option<Timestamp>,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Exactly one; the raw output is the payload of the second event.
    One {
        /// The task's output.
        output: PayloadRef,
    },
    /// None.
    None {
        /// What that is worth.
        worth: AbsenceWorth,
        /// How far it has read, in words.
        detail: Option<PayloadRef>,
    },
    /// More than one.
    Several {
        /// How many.
        count: u32,
    },
    /// Nothing was said.
    Unanswered {
        /// Why, in words.
        detail: Option<PayloadRef>,
    },
}

fn does_not_fit(run: &Run, what: &str, id: AttemptId) -> Refusal {
    Refusal::DoesNotFit { what: format!("{what} of {id}"), state: run.doing().to_owned() }
}

/// The first look-up of an attempt in doubt.
pub(super) fn plan(run: &Run, planned: LookupPlanned) -> Result<Vec<Event>, Refusal> {
    let stage = run.lookup_stage(planned.attempt);
    let idle = stage.is_none_or(|stage| stage == LookupStage::Outdated);
    if !idle || !run.is_in_doubt(planned.attempt) {
        return Err(does_not_fit(run, "a first look-up", planned.attempt));
    }
    let number = run.lookups.get(&planned.attempt).map_or(0, |known| known.number) + 1;
    Ok(vec![LookupPlanned { number, ..planned }.into()])
}

/// A look-up that is due begins.
pub(super) fn begin(
    run: &Run,
    started: LookupStarted,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    match run.lookup_stage(started.attempt) {
        Some(LookupStage::Due(at)) if at <= now => Ok(vec![started.into()]),
        Some(_) | None => Err(does_not_fit(run, "a timely look-up", started.attempt)),
    }
}

/// What was found is recorded, also where the doubt was settled meanwhile; found while it lasts, it
/// settles it.
pub(super) fn end(run: &Run, looked_up: LookedUp) -> Result<Vec<Event>, Refusal> {
    let LookedUp { attempt, number, found, facts, next_at } = looked_up;
    let known = run.lookups.get(&attempt).filter(|known| known.number == number);
    let open = known.is_some_and(|known| match known.stage {
        LookupStage::Due(_) | LookupStage::UnderWay => true,
        LookupStage::Over | LookupStage::Absent | LookupStage::Outdated => false,
    });
    if !open {
        return Err(does_not_fit(run, "the end of a look-up", attempt));
    }
    let in_doubt = run.is_in_doubt(attempt);
    let (finding, worth, count, detail) = match found {
        Found::One { .. } => (LookupFinding::Found, None, 1, None),
        Found::None { worth, detail } => (LookupFinding::Absent, Some(worth), 0, detail),
        Found::Several { count } => (LookupFinding::Several, None, count, None),
        Found::Unanswered { detail } => (LookupFinding::Unanswered, None, 0, detail),
    };
    let ended = LookupEnded {
        attempt,
        number,
        finding,
        worth,
        count,
        answer: facts,
        detail,
        next_at: next_at.filter(|_| in_doubt && finding != LookupFinding::Found),
    };
    let mut events = vec![ended.into()];
    if let (Found::One { output }, true) = (found, in_doubt) {
        let (resolution, by) = (Resolution::Sent, ReconciledBy::Lookup);
        events.push(AttemptReconciled { attempt, resolution, by, output: Some(output) }.into());
    }
    Ok(events)
}

/// What a provider told us by itself of an attempt in doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct Witnessed {
    /// What it told; the raw output is the payload of the second event.
    pub evidence: EvidenceArrived,
    /// The task's output.
    pub output: PayloadRef,
}

/// The provider has told us that it has it, which settles the doubt once.
pub(super) fn witness(run: &Run, witnessed: Witnessed) -> Result<Vec<Event>, Refusal> {
    let Witnessed { evidence, output } = witnessed;
    let attempt = evidence.attempt;
    let through = run.attempt(attempt).and_then(|known| known.started.integration.as_ref());
    let ours = through.is_some_and(|bound| bound.id == evidence.integration);
    if !ours || !run.is_in_doubt(attempt) {
        return Err(does_not_fit(run, "evidence", attempt));
    }
    let (resolution, by) = (Resolution::Sent, ReconciledBy::Arrival);
    let settled = AttemptReconciled { attempt, resolution, by, output: Some(output) };
    Ok(vec![evidence.into(), settled.into()])
}

/// The engine has stopped while it was looking: it looks again, where that is still of use.
pub(super) fn recover(run: &Run, now: Timestamp) -> Vec<Event> {
    let under_way = run.lookups.iter().filter(|(_, known)| known.stage == LookupStage::UnderWay);
    under_way
        .map(|(id, known)| {
            let ended = LookupEnded {
                attempt: *id,
                number: known.number,
                finding: LookupFinding::Unanswered,
                worth: None,
                count: 0,
                answer: AnswerFacts::default(),
                detail: None,
                next_at: run.is_in_doubt(*id).then_some(now),
            };
            ended.into()
        })
        .collect()
}
