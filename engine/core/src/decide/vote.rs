//! Votes: every check of GATE.md §3, each with its own refusal, then the count.

use super::{Context, VoteCommand, closed, open_ask};
use crate::policy::Electorate;
use crate::refusal::Refusal;
use crate::run::{Ask, Run};
use placet_model::actor::Role;
use placet_model::approval::ReasonRequired;
use placet_model::decision::{DecisionState, Settlement, Verdict};
use placet_model::event::decision::{DecisionSettled, VoteCast};
use placet_model::{Event, PayloadRef, Principal, Timestamp};
#[cfg(placet_mutants)]
use placet_mutants::Mutant;

/// A vote is accepted from this long before the engine's clock …
const OLDEST_MS: i64 = 15 * 60 * 1000;
/// … to this long after it.
const FUTURE_MS: i64 = 60 * 1000;

/// The events of a vote; none when the same request id was answered before.
pub(super) fn cast(
    run: &Run,
    vote: VoteCommand,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    if answered_before(run, &vote)? {
        return Ok(vec![]);
    }
    let decision = vote.ballot.decision;
    let Some(ask) = open_ask(run, decision) else {
        let approved = run.asks().any(|ask| ask.decision == decision);
        return Err(if approved {
            Refusal::Closed { state: DecisionState::Approved }
        } else {
            closed(run, decision)
        });
    };
    let requester = run.facts().map(|facts| facts.started.requester.clone());
    let requester = requester.ok_or(Refusal::UnknownDecision { decision })?;
    if matches!(vote.ballot.verdict, Verdict::Edit | Verdict::Reassign) {
        let what = format!("the verdict {} without its content", vote.ballot.verdict);
        return Err(Refusal::DoesNotFit { what, state: run.doing().to_owned() });
    }
    let electorate = ask.electorate(context.policy, &requester, context.now);
    check(&vote, electorate, ask, context)?;
    let reason = vote.ballot.reason.as_ref().map(|_| run.slot(1, 0));
    let cast = to_event(vote, reason);
    #[cfg(placet_mutants)]
    let cast = if placet_mutants::is_planted(Mutant::VoteForOtherBytes) {
        VoteCast { digest: ask.draft.digest, ..cast }
    } else {
        cast
    };
    let mut votes = ask.counted(context.policy, context.now);
    votes.push(cast.clone());
    let delegated = super::advance::delegated(&cast, electorate);
    let settlement = settle(cast.verdict, electorate, &votes);
    let digest = ask.draft.digest;
    let settled = settlement
        .map(|settlement| Event::from(DecisionSettled { decision, digest, settlement, reason }));
    Ok(std::iter::once(Event::from(cast)).chain(delegated).chain(settled).collect())
}

pub(super) fn answered_before(run: &Run, vote: &VoteCommand) -> Result<bool, Refusal> {
    let Some(request) = &vote.request_id else { return Ok(false) };
    let key = (vote.voter.principal.to_string(), request.clone());
    if run.resolutions.contains_key(&key) {
        return Err(Refusal::RequestIdReused);
    }
    match run.requests.get(&key) {
        None => Ok(false),
        Some(cast)
            if cast.decision == vote.ballot.decision && cast.verdict == vote.ballot.verdict =>
        {
            Ok(true)
        }
        Some(_) => Err(Refusal::RequestIdReused),
    }
}

/// Every check of a vote on an open request.
pub(super) fn check(
    vote: &VoteCommand,
    electorate: Electorate<'_>,
    ask: &Ask,
    context: Context<'_>,
) -> Result<(), Refusal> {
    check_moment(ask, vote, context)?;
    check_voter(vote, electorate, ask)?;
    check_words(vote, ask)
}

fn check_moment(ask: &Ask, vote: &VoteCommand, context: Context<'_>) -> Result<(), Refusal> {
    if ask.is_expired(context.now, context.uptime) {
        return Err(Refusal::Expired);
    }
    let other_bytes = vote.ballot.digest != ask.draft.digest;
    #[cfg(placet_mutants)]
    let other_bytes = other_bytes && !placet_mutants::is_planted(Mutant::VoteForOtherBytes);
    if other_bytes {
        return Err(Refusal::WrongDigest { given: vote.ballot.digest, actual: ask.draft.digest });
    }
    if timely(context.now, vote.ballot.time) { Ok(()) } else { Err(Refusal::VoteTime) }
}

/// Whether what is said to be of that moment is taken now.
pub(super) fn timely(now: Timestamp, said: Timestamp) -> bool {
    (-FUTURE_MS..=OLDEST_MS).contains(&now.millis_since(said))
}

fn check_voter(vote: &VoteCommand, electorate: Electorate<'_>, ask: &Ask) -> Result<(), Refusal> {
    let voter = &vote.voter.principal;
    if !electorate.policy.principals.contains_key(voter) {
        return Err(Refusal::UnknownPrincipal { name: voter.clone() });
    }
    if ask.votes.iter().any(|v| v.voter == *voter && v.nonce == vote.ballot.nonce) {
        return Err(Refusal::NonceReused);
    }
    if vote.ballot.verdict == Verdict::Withdraw {
        return check_withdrawal(voter, electorate);
    }
    if electorate.is_agent(voter) {
        return Err(Refusal::Agent { voter: voter.clone() });
    }
    let counted = ask.counted(electorate.policy, electorate.moment.now);
    let voted = |v: &VoteCast| v.verdict != Verdict::Reassign && v.voter == *voter;
    if counted.iter().any(voted) {
        return Err(Refusal::AlreadyVoted { voter: voter.clone() });
    }
    super::advance::check_assurance(vote, electorate)?;
    if vote.ballot.verdict == Verdict::BreakGlass {
        return super::advance::check_glass(voter, electorate);
    }
    // an editor may go on editing, and an operator may name others
    let mut entitled = electorate.is_entitled(voter);
    entitled |= vote.ballot.verdict == Verdict::Edit
        && Electorate { editor: None, ..electorate }.is_entitled(voter);
    entitled |= vote.ballot.verdict == Verdict::Reassign
        && electorate.policy.has_role(voter, Role::Operator)
        && *voter != *electorate.requester;
    if entitled {
        return Ok(());
    }
    if *voter == *electorate.requester {
        return Err(Refusal::OwnRequest { voter: voter.clone() });
    }
    if Some(voter) == electorate.editor {
        return Err(Refusal::OwnEdit { voter: voter.clone() });
    }
    Err(Refusal::NotEntitled { voter: voter.clone() })
}

/// Taking a draft back is no opinion on it: whoever caused the run may, an agent too, and an
/// operator, also after a vote of their own.
fn check_withdrawal(voter: &Principal, electorate: Electorate<'_>) -> Result<(), Refusal> {
    if *voter == *electorate.requester {
        return Ok(());
    }
    if electorate.is_agent(voter) {
        return Err(Refusal::Agent { voter: voter.clone() });
    }
    if electorate.policy.has_role(voter, Role::Operator) {
        return Ok(());
    }
    Err(Refusal::NotEntitled { voter: voter.clone() })
}

fn check_words(vote: &VoteCommand, ask: &Ask) -> Result<(), Refusal> {
    let verdict = vote.ballot.verdict;
    let needed = match (verdict, ask.requirement.reason_required) {
        (Verdict::Respond | Verdict::BreakGlass, _)
        | (Verdict::Approve | Verdict::Reject, ReasonRequired::Always)
        | (Verdict::Reject, ReasonRequired::OnReject) => true,
        (Verdict::Withdraw | Verdict::Edit | Verdict::Reassign, _)
        | (Verdict::Approve, ReasonRequired::OnReject)
        | (Verdict::Approve | Verdict::Reject, ReasonRequired::Never) => false,
    };
    let given = vote.ballot.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    if needed && !given { Err(Refusal::ReasonRequired) } else { Ok(()) }
}

pub(super) fn to_event(vote: VoteCommand, reason: Option<PayloadRef>) -> VoteCast {
    VoteCast {
        decision: vote.ballot.decision,
        digest: vote.ballot.digest,
        verdict: vote.ballot.verdict,
        voter: vote.voter.principal,
        assurance: vote.voter.assurance,
        voted_at: vote.ballot.time,
        nonce: vote.ballot.nonce,
        reason,
        request_id: vote.request_id,
        signed: vote.signed,
    }
}

/// A request is settled as approved by an approval only: a rejection that is not enough leaves it
/// open, even where the votes before it would do.
fn settle(verdict: Verdict, electorate: Electorate<'_>, votes: &[VoteCast]) -> Option<Settlement> {
    match verdict {
        Verdict::Respond => return Some(Settlement::Responded),
        Verdict::Withdraw => return Some(Settlement::Withdrawn),
        Verdict::BreakGlass => return Some(Settlement::Approved),
        Verdict::Approve | Verdict::Reject | Verdict::Edit | Verdict::Reassign => {}
    }
    let tally = electorate.tally(votes);
    if tally.denied {
        return Some(Settlement::Rejected);
    }
    let enough = verdict == Verdict::Approve && tally.missing.is_empty();
    enough.then_some(Settlement::Approved)
}
