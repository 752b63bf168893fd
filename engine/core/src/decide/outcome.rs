//! How tries end.

use crate::refusal::Refusal;
use crate::run::{Activity, Attempt, Run};
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::event::attempt::{
    AnswerFacts, AttemptDeferred, AttemptInDoubt, AttemptRefused, AttemptSucceeded,
};
use placet_model::manifest::Effect;
use placet_model::{AttemptId, Event, PayloadRef, Timestamp};
#[cfg(placet_mutants)]
use placet_mutants::Mutant;

/// What came of one try.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which try.
    pub try_number: u32,
    /// What may be remembered in clear.
    pub facts: AnswerFacts,
    /// What it means.
    pub verdict: Verdict,
}

/// What one try means, in the words of the manifest turned into events.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Sent.
    Succeeded {
        /// The raw output.
        output: PayloadRef,
        /// In sandbox mode: the request that would have left.
        would_have_sent: Option<PayloadRef>,
    },
    /// Nothing was sent, and it is not tried again.
    Refused {
        /// Why.
        reason: RefuseReason,
        /// The provider's own code.
        code: Option<String>,
        /// What the provider said.
        detail: Option<PayloadRef>,
    },
    /// Nothing happened; again later.
    Deferred {
        /// Not before.
        until: Timestamp,
        /// Why.
        reason: DeferReason,
    },
    /// Nobody knows.
    InDoubt {
        /// Why.
        evidence: Evidence,
        /// What is known beyond that.
        detail: Option<PayloadRef>,
    },
}

/// The attempts of which a try is under way, whether or not their task is still there.
fn all_under_way(run: &Run) -> impl Iterator<Item = &Attempt> {
    let attached = run.branches().iter().filter_map(|branch| branch.activity.attempting());
    let detached = run.detached.values().filter(|d| !d.in_doubt).map(|d| &d.attempt);
    attached.chain(detached)
}

/// The attempt with this id, while a try of it is under way.
fn under_way(run: &Run, id: AttemptId) -> Option<&Attempt> {
    all_under_way(run).find(|attempt| attempt.started.attempt == id)
}

/// What a try can say about its attempt. Once an earlier try is in doubt, a later one that did
/// nothing settles nothing: the first may have arrived. A read without a decision is never in
/// doubt: nobody could settle it, and reading changes nothing.
fn truthful(verdict: Verdict, attempt: &Attempt) -> Verdict {
    match verdict {
        Verdict::Refused { detail, .. } if attempt.doubted => {
            Verdict::InDoubt { evidence: Evidence::Answer, detail }
        }
        Verdict::Deferred { .. } if attempt.doubted => {
            Verdict::InDoubt { evidence: Evidence::Answer, detail: None }
        }
        Verdict::InDoubt { detail, .. } if attempt.ask.is_none() => {
            Verdict::Refused { reason: RefuseReason::Exhausted, code: None, detail }
        }
        Verdict::Succeeded { .. }
        | Verdict::Refused { .. }
        | Verdict::Deferred { .. }
        | Verdict::InDoubt { .. } => verdict,
    }
}

pub(super) fn record(run: &Run, answer: Answer) -> Result<Vec<Event>, Refusal> {
    let Answer { attempt, try_number, facts, verdict } = answer;
    let Some(known) = under_way(run, attempt).filter(|a| a.started.try_number == try_number) else {
        return Err(Refusal::DoesNotFit {
            what: format!("an answer to try {try_number} of {attempt}"),
            state: run.doing().to_owned(),
        });
    };
    let not_after = known.started.not_after;
    let verdict = truthful(verdict, known);
    #[cfg(placet_mutants)]
    let verdict = match verdict {
        Verdict::Deferred { .. }
            if known.ask.is_some() && placet_mutants::is_planted(Mutant::DeferredIsDoubt) =>
        {
            Verdict::InDoubt { evidence: Evidence::Answer, detail: None }
        }
        Verdict::Succeeded { .. }
        | Verdict::Refused { .. }
        | Verdict::Deferred { .. }
        | Verdict::InDoubt { .. } => verdict,
    };
    Ok(vec![match verdict {
        Verdict::Succeeded { output, would_have_sent } => {
            AttemptSucceeded { attempt, try_number, answer: facts, output, would_have_sent }.into()
        }
        Verdict::Refused { reason, code, detail } => {
            AttemptRefused { attempt, try_number, reason, answer: facts, code, detail }.into()
        }
        Verdict::Deferred { until, .. } if until >= not_after => AttemptRefused {
            attempt,
            try_number,
            reason: RefuseReason::Exhausted,
            answer: facts,
            code: None,
            detail: None,
        }
        .into(),
        Verdict::Deferred { until, reason } => {
            AttemptDeferred { attempt, try_number, until, reason }.into()
        }
        Verdict::InDoubt { evidence, detail } => {
            AttemptInDoubt { attempt, try_number, evidence, answer: facts, detail }.into()
        }
    }])
}

/// After a restart every try without a result is in doubt; an ungated read is read again, and what was
/// being looked up is looked up again.
pub(super) fn recover(run: &Run, detail: Option<PayloadRef>, now: Timestamp) -> Vec<Event> {
    let tries = all_under_way(run).map(|attempt| recovered(attempt, detail, now));
    tries.chain(super::lookup::recover(run, now)).collect()
}

fn recovered(attempt: &Attempt, detail: Option<PayloadRef>, now: Timestamp) -> Event {
    let (id, try_number) = (attempt.started.attempt, attempt.started.try_number);
    #[cfg(placet_mutants)]
    if placet_mutants::is_planted(Mutant::RestartMeansUnsent) && !attempt.doubted {
        let reason = DeferReason::Restart;
        return AttemptDeferred { attempt: id, try_number, until: now, reason }.into();
    }
    match attempt.started.effect {
        Effect::Read if attempt.ask.is_none() => {
            AttemptDeferred { attempt: id, try_number, until: now, reason: DeferReason::Restart }
                .into()
        }
        Effect::Read | Effect::Write | Effect::Send | Effect::Destructive => AttemptInDoubt {
            attempt: id,
            try_number,
            evidence: Evidence::Restart,
            answer: AnswerFacts::default(),
            detail,
        }
        .into(),
    }
}

/// The next try of an attempt: of an ungated read that was put off, or of one in doubt whose
/// provider deduplicates on our key. The caller has checked that the key is still young enough.
pub(super) fn resend(run: &Run, id: AttemptId, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let does_not_fit = |what: &str| Refusal::DoesNotFit {
        what: format!("{what} of {id}"),
        state: run.doing().to_owned(),
    };
    let mine = run.attempts().find(|(_, attempt)| attempt.started.attempt == id);
    let activity = mine.map(|(branch, _)| &branch.activity);
    let Some(Activity::InDoubt(_, attempt) | Activity::Deferred(_, attempt, _)) = activity else {
        return Err(does_not_fit("another try"));
    };
    if matches!(activity, Some(Activity::Deferred(..))) && attempt.ask.is_some() {
        return Err(does_not_fit("another try without a claim"));
    }
    let early = matches!(activity, Some(Activity::Deferred(_, _, until)) if now < *until);
    // a read has no approval that could expire
    let late = attempt.ask.is_some() && now >= attempt.started.not_after;
    if early || late {
        return Err(does_not_fit("a timely try"));
    }
    let mut next = attempt.started.clone();
    next.try_number += 1;
    let expires = attempt.ask.is_some();
    #[cfg(placet_mutants)]
    let expires = expires || placet_mutants::is_planted(Mutant::PutOffReadExpires);
    if !expires {
        // a read may take as long as the first, however long it was put off
        let allowed = attempt.started.not_after.millis_since(attempt.started_at);
        next.not_after = now.plus_millis(allowed);
    }
    Ok(vec![next.into()])
}
