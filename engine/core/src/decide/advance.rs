//! Votes that are not cast in the plain way: given in advance under a standing approval, in the place
//! of somebody, or alone in an emergency. And what only tells people of a request again.

use super::{AdvanceVotes, Context, VoteCommand, open_ask};
use crate::policy::Electorate;
use crate::refusal::Refusal;
use crate::run::Run;
use placet_model::approval::ReasonRequired;
use placet_model::decision::{Settlement, Verdict};
use placet_model::event::decision::{
    ApproversReminded, DecisionSettled, NoticeKind, StandingUsed, VoteCast, VoteDelegated,
};
use placet_model::{DecisionId, Duration, Event, Principal, Timestamp};

/// What is said of a vote that is given in the place of others.
pub(super) fn delegated(cast: &VoteCast, electorate: Electorate<'_>) -> Option<Event> {
    let instead_of: Vec<Principal> = match cast.verdict {
        Verdict::Approve | Verdict::Reject | Verdict::Respond => {
            electorate.instead_of(&cast.voter).into_iter().collect()
        }
        Verdict::Edit | Verdict::Withdraw | Verdict::Reassign | Verdict::BreakGlass => vec![],
    };
    let (decision, voter) = (cast.decision, cast.voter.clone());
    (!instead_of.is_empty()).then(|| VoteDelegated { decision, voter, instead_of }.into())
}

/// It must be sure enough who votes.
pub(super) fn check_assurance(
    vote: &VoteCommand,
    electorate: Electorate<'_>,
) -> Result<(), Refusal> {
    let (given, needed) = (vote.voter.assurance, electorate.least_assurance(vote.ballot.verdict));
    if given >= needed { Ok(()) } else { Err(Refusal::AssuranceTooLow { given, needed }) }
}

/// Only those whom the policy names may send alone, and never what they have caused themselves.
pub(super) fn check_glass(voter: &Principal, electorate: Electorate<'_>) -> Result<(), Refusal> {
    if electorate.may_break_glass(voter) {
        return Ok(());
    }
    let voter = voter.clone();
    if voter == *electorate.requester {
        return Err(Refusal::OwnRequest { voter });
    }
    if Some(&voter) == electorate.editor {
        return Err(Refusal::OwnEdit { voter });
    }
    Err(Refusal::NoBreakGlass { voter })
}

/// Votes given in advance: they are cast together, and only where together they are enough.
pub(super) fn stand(
    run: &Run,
    given: AdvanceVotes,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let decision = given.decision;
    let ask = open_ask(run, decision).ok_or(Refusal::UnknownDecision { decision })?;
    let requester = run.facts().map(|facts| facts.started.requester.clone());
    let requester = requester.ok_or(Refusal::UnknownDecision { decision })?;
    let (policy, requirement) = (context.policy, &ask.requirement);
    let electorate = ask.electorate(policy, &requester, context.now);
    let name = given.standing.clone();
    let refuse = |why: String| Err(Refusal::StandingInsufficient { standing: name.clone(), why });
    let mine = |standing: &&placet_model::policy::Standing| standing.digest() == given.digest;
    let Some(standing) = policy.standing.iter().find(mine) else {
        return refuse("the policy in force does not have it".to_owned());
    };
    if context.now >= standing.until || given.count > standing.max_per_day {
        return refuse("it is over, or used up for today".to_owned());
    }
    if requirement.reason_required == ReasonRequired::Always {
        return refuse("every approval needs a reason of its own here".to_owned());
    }
    let digest = ask.draft.digest;
    let votes: Vec<VoteCast> = given
        .votes
        .into_iter()
        .filter(|(voter, ..)| electorate.is_entitled(voter))
        .map(|(voter, assurance, nonce)| VoteCast {
            decision,
            digest,
            verdict: Verdict::Approve,
            voter,
            assurance,
            voted_at: context.now,
            nonce,
            reason: None,
            request_id: None,
            signed: None,
        })
        .collect();
    let missing = electorate.tally(&votes).missing;
    if !missing.is_empty() {
        return refuse(format!("it lacks {}", missing.join("; ")));
    }
    let used = StandingUsed {
        decision,
        standing: given.standing,
        digest: given.digest,
        voters: votes.iter().map(|vote| vote.voter.clone()).collect(),
        day: given.day,
        count: given.count,
    };
    let settled =
        DecisionSettled { decision, digest, settlement: Settlement::Approved, reason: None };
    let votes = votes.into_iter().map(Event::from);
    Ok(std::iter::once(used.into()).chain(votes).chain([settled.into()]).collect())
}

/// What people hear again of an open request by now, each once. It never touches an answer: where
/// the request is not open any more, nothing comes of it.
pub(super) fn remind(run: &Run, decision: DecisionId, now: Timestamp) -> Vec<Event> {
    let Some(ask) = open_ask(run, decision) else { return vec![] };
    ask.notices_due()
        .into_iter()
        .filter(|(at, ..)| *at <= now && *at < ask.expires_at)
        .map(|(at, kind, to)| {
            let due_at = match kind {
                NoticeKind::Escalation => at,
                // while nobody was there to remind, one reminder is enough
                NoticeKind::Reminder => latest(at, ask.requirement.remind, now),
            };
            ApproversReminded { decision, kind, to, due_at }.into()
        })
        .collect()
}

/// The last of the moments that follow one another from `at`, up to now.
fn latest(mut at: Timestamp, every: Option<Duration>, now: Timestamp) -> Timestamp {
    while let Some(next) = every.and_then(|every| at.checked_add(every)) {
        if next > now || next <= at {
            break;
        }
        at = next;
    }
    at
}
