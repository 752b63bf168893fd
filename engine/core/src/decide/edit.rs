//! What people do to a request besides saying yes or no: replace its draft, or name others.
//!
//! Every check of a vote holds here too (`vote.rs`). An edit approves nothing: it ends the request,
//! with all its votes, and what is asked next is another draft.

use super::vote::{answered_before, check, to_event};
use super::{Context, VoteCommand, closed, open_ask};
use crate::refusal::Refusal;
use crate::run::{Ask, Run};
use placet_model::decision::{DecisionState, Settlement, Verdict};
use placet_model::event::decision::{DecisionReassigned, DecisionSettled, DraftEdited};
use placet_model::{DecisionId, Digest, Event, Principal};

/// The events of an edit: the vote, the end of the request, and whose words the next draft is. The
/// caller proposes that draft in the same append.
pub(super) fn edit(
    run: &Run,
    vote: VoteCommand,
    original: Digest,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let Some(ask) = votable(run, &vote, Verdict::Edit, context)? else { return Ok(vec![]) };
    let (decision, digest) = (ask.decision, ask.draft.digest);
    let (task, iteration) = (ask.draft.task.clone(), ask.draft.iteration.clone());
    let editor = vote.voter.principal.clone();
    let reason = vote.ballot.reason.as_ref().map(|_| run.slot(1, 0));
    let settlement = Settlement::Superseded;
    Ok(vec![
        to_event(vote, reason).into(),
        DecisionSettled { decision, digest, settlement, reason }.into(),
        DraftEdited { decision, digest, task, iteration, editor, original }.into(),
    ])
}

/// The events of a reassignment: the vote that says so, and to whom.
pub(super) fn reassign(
    run: &Run,
    vote: VoteCommand,
    to: Vec<Principal>,
    context: Context<'_>,
) -> Result<Vec<Event>, Refusal> {
    let Some(ask) = votable(run, &vote, Verdict::Reassign, context)? else { return Ok(vec![]) };
    let requester = requester(run, ask.decision)?;
    let electorate = ask.electorate(context.policy, requester, context.now);
    electorate.may_be_left_to(&to).map_err(|why| Refusal::Reassignment { why })?;
    let decision = ask.decision;
    let reason = vote.ballot.reason.as_ref().map(|_| run.slot(1, 0));
    Ok(vec![to_event(vote, reason).into(), DecisionReassigned { decision, to }.into()])
}

/// The open request on which this vote may be cast; none when it was answered before.
fn votable<'r>(
    run: &'r Run,
    vote: &VoteCommand,
    verdict: Verdict,
    context: Context<'_>,
) -> Result<Option<&'r Ask>, Refusal> {
    if answered_before(run, vote)? {
        return Ok(None);
    }
    if vote.ballot.verdict != verdict {
        let what = format!("the verdict {} as {verdict}", vote.ballot.verdict);
        return Err(Refusal::DoesNotFit { what, state: run.doing().to_owned() });
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
    let requester = requester(run, decision)?;
    check(vote, ask.electorate(context.policy, requester, context.now), ask, context)?;
    Ok(Some(ask))
}

fn requester(run: &Run, decision: DecisionId) -> Result<&Principal, Refusal> {
    let facts = run.facts().ok_or(Refusal::UnknownDecision { decision })?;
    Ok(&facts.started.requester)
}
