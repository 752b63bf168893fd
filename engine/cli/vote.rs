//! Votes of `placet run`: those of test principals, or of the person at the terminal.

use crate::exit::refused;
use crate::out::{self, Stream};
use crate::view;
use anyhow::Result;
use clap::ValueEnum;
use placet_core::policy::Electorate;
use placet_executor::inbox::Caller;
use placet_executor::{Handle, Vote};
use placet_model::decision::{Assurance, Ballot, DecisionState, Verdict, Voter};
use placet_model::{DecisionId, Principal};
use placet_projections::{DecisionRow, Views};
use serde_json::json;
use std::io::{BufRead, IsTerminal};

/// Who answers the decision requests of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Approve {
    /// Test principals say yes, as often as it takes; nothing real can leave.
    Auto,
    /// A test principal says no.
    Deny,
    /// The person at the terminal; without one the run waits.
    Ask,
}

/// What came of a decision request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is settled.
    Settled,
    /// Nobody here can or wants to settle it.
    Open,
}

/// The decision as it stands.
pub(crate) fn row(handle: &Handle, decision: DecisionId) -> Result<Option<DecisionRow>> {
    let view = handle.view().map_err(|error| refused(&error))?;
    Ok(Views::new(&view)?.decision(decision)?)
}

/// Answers a request the way that was asked for.
pub(crate) async fn answer(
    handle: &Handle,
    decision: DecisionId,
    how: Approve,
) -> Result<Answered> {
    match how {
        Approve::Auto => cast(handle, decision, Verdict::Approve).await,
        Approve::Deny => cast(handle, decision, Verdict::Reject).await,
        Approve::Ask if std::io::stdin().is_terminal() => ask(handle, decision).await,
        Approve::Ask => Ok(Answered::Open),
    }
}

/// People whose vote would still count.
fn electors(handle: &Handle, row: &DecisionRow) -> Vec<Principal> {
    let world = handle.world();
    let electorate = Electorate {
        policy: &world.policy,
        requirement: &row.requirement,
        requester: &row.requester,
        editor: row.editor.as_ref(),
        assigned: &row.assigned,
        moment: handle.moment(row.requested_at),
    };
    let voted = |name: &Principal| row.votes.iter().any(|(voter, ..)| voter == name);
    let people = world.policy.principals.keys();
    people.filter(|name| electorate.is_entitled(name) && !voted(name)).cloned().collect()
}

/// Casts this verdict for one elector after the other until the request is settled.
async fn cast(handle: &Handle, decision: DecisionId, verdict: Verdict) -> Result<Answered> {
    let Some(row) = row(handle, decision)? else { return Ok(Answered::Open) };
    for elector in electors(handle, &row) {
        let voter = Voter { principal: elector, assurance: Assurance::Test };
        if vote(handle, &row, verdict, voter).await? == Answered::Settled {
            return Ok(Answered::Settled);
        }
    }
    Ok(Answered::Open)
}

async fn vote(
    handle: &Handle,
    row: &DecisionRow,
    verdict: Verdict,
    voter: Voter,
) -> Result<Answered> {
    let reason = if voter.assurance == Assurance::Test {
        "cast by placet run --approve"
    } else {
        "said at the terminal of placet run"
    };
    let ballot = Ballot {
        decision: row.decision,
        digest: row.digest,
        verdict,
        nonce: handle.nonce(),
        time: handle.now(),
        reason: Some(reason.to_owned()),
    };
    let vote = Vote { ballot, voter, request_id: None, signed: None };
    let receipt = handle.vote(vote).await.map_err(|error| refused(&error))?;
    let is_open = receipt.state == DecisionState::Requested;
    Ok(if is_open { Answered::Open } else { Answered::Settled })
}

/// Shows the card and asks, once per elector that is needed.
async fn ask(handle: &Handle, decision: DecisionId) -> Result<Answered> {
    let Some(row) = row(handle, decision)? else { return Ok(Answered::Open) };
    for elector in electors(handle, &row) {
        let caller = Caller {
            principal: elector.clone(),
            assurance: Assurance::Transport,
            request_id: None,
        };
        let card = handle.inbox_get(&caller, &json!({ "decision": decision }));
        let card = card.map_err(|error| refused(&error))?;
        out::say(&view::card::text(&card, handle.now(), Stream::Err));
        out::say(&format!("send exactly this, as {elector}? [y]es, [n]o, anything else: later"));
        let verdict = match line().await?.trim() {
            "y" | "yes" => Verdict::Approve,
            "n" | "no" => Verdict::Reject,
            _ => return Ok(Answered::Open),
        };
        let voter = Voter { principal: elector, assurance: Assurance::Transport };
        if vote(handle, &row, verdict, voter).await? == Answered::Settled {
            return Ok(Answered::Settled);
        }
    }
    Ok(Answered::Open)
}

async fn line() -> Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_length| line)
    });
    Ok(read.await??)
}
