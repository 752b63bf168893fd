//! Scripted people: which of the test's decisions answers which request, and the votes.

use super::Failure;
use super::bench::{Bench, requester};
use crate::exit::refused;
use crate::out::{self, Stream};
use crate::view;
use crate::vote;
use anyhow::Result;
use placet_core::policy::Electorate;
use placet_executor::Vote;
use placet_executor::inbox::{Caller, Problem};
use placet_language::source::Span;
use placet_language::test_file::{
    ScriptedDecision, ScriptedVerdict, ScriptedVote, Spanned, TestCase, TestFile,
};
use placet_model::decision::{Assurance, Ballot, DecisionState, Verdict, Voter};
use placet_model::plan::Plan;
use placet_model::{DecisionId, Principal};
use placet_projections::DecisionRow;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The decisions of one test, and how far they are used up.
#[derive(Debug)]
pub(crate) struct Script<'t> {
    test: &'t TestCase,
    /// Paths of the tasks that each decision is about; none for any.
    tasks: Vec<Option<BTreeSet<String>>>,
    used: BTreeSet<usize>,
    /// Requests that a decision was chosen for and that are still open.
    chosen: BTreeMap<DecisionId, usize>,
}

impl<'t> Script<'t> {
    pub(crate) fn new(test: &'t TestCase, plans: &[&Plan]) -> Self {
        let tasks = test.decisions.iter().map(|decision| {
            let task = decision.value.task.as_ref();
            task.map(|task| TestFile::tasks_named(&task.value, plans))
        });
        Self { test, tasks: tasks.collect(), used: BTreeSet::new(), chosen: BTreeMap::new() }
    }

    /// The decision for a request: the first that is not used up and is about its task, or about
    /// any. It is used up by this request.
    pub(crate) fn decision(&mut self, row: &DecisionRow) -> Option<(usize, &'t ScriptedDecision)> {
        let place = self.chosen.get(&row.decision).copied().or_else(|| self.choose(row))?;
        Some((place, &self.test.decisions[place].value))
    }

    fn choose(&mut self, row: &DecisionRow) -> Option<usize> {
        let is_about = |tasks: &BTreeSet<String>| tasks.contains(row.task.as_str());
        let fits = |(place, tasks): &(usize, &Option<BTreeSet<String>>)| {
            !self.used.contains(place) && tasks.as_ref().is_none_or(is_about)
        };
        let (place, _) = self.tasks.iter().enumerate().find(fits)?;
        self.used.insert(place);
        self.chosen.insert(row.decision, place);
        Some(place)
    }

    /// The decision has been said; what comes next to this request is another's.
    pub(crate) fn said(&mut self, decision: DecisionId) {
        let _was_chosen = self.chosen.remove(&decision);
    }

    /// Decisions that nothing has asked for.
    pub(crate) fn unused(&self) -> Vec<Failure> {
        let open = self.test.decisions.iter().enumerate();
        open.filter(|(place, _)| !self.used.contains(place))
            .map(|(place, decision)| {
                let message = match &decision.value.task {
                    Some(task) => format!("{} never asked for it", task.value),
                    None => "nothing ever asked for it".to_owned(),
                };
                Failure::new(format!("decisions[{place}]"), decision.span, message)
            })
            .collect()
    }
}

/// Casts the votes of one decision. The failure says which vote did not go as scripted.
pub(crate) async fn cast(
    bench: &Bench,
    row: &DecisionRow,
    test: &TestCase,
    (place, scripted): (usize, &ScriptedVote),
) -> Result<Option<Failure>> {
    let what = format!("decisions[{place}]");
    let whole = test.decisions[place].span;
    let voters = voters(bench, row, test, scripted, whole);
    if voters.is_empty() {
        let mut failure = Failure::new(what, whole, "nobody may give this answer");
        failure.detail = Some(card(bench, row)?);
        return Ok(Some(failure));
    }
    for Spanned { value: voter, span } in voters {
        let vote = ballot(bench, row, scripted, &voter);
        let failure = |message: String| Some(Failure::new(what.clone(), span, message));
        let said = match &scripted.with {
            Some(with) => bench.handle().edit(vote, with.clone()).await,
            None => bench.handle().vote(vote).await,
        };
        match (said, &scripted.refused) {
            (Ok(_), Some(code)) => {
                let message = format!("the vote of {voter} counts, expected {}", code.value);
                return Ok(failure(message));
            }
            (Err(error), Some(code)) if error.code() == code.value => {}
            (Err(error), expected) => {
                let Problem { code, title, detail } = Problem::from(&error);
                let more = if detail.is_empty() || detail == title {
                    String::new()
                } else {
                    format!(" ({detail})")
                };
                let wanted = expected.as_ref().map(|code| format!(", expected {}", code.value));
                let wanted = wanted.unwrap_or_default();
                let message =
                    format!("the vote of {voter} is refused: {code} {title}{more}{wanted}");
                return Ok(failure(message));
            }
            // whoever may: as many as it takes
            (Ok(receipt), None) => {
                if scripted.by.is_empty() && receipt.state != DecisionState::Requested {
                    return Ok(None);
                }
            }
        }
    }
    Ok(None)
}

/// Whoever may approves, until the request is settled. The failure says why it is not.
pub(crate) async fn approve(
    bench: &Bench,
    row: &DecisionRow,
    test: &TestCase,
) -> Result<Option<Failure>> {
    let (verdict, by) = (ScriptedVerdict::Approve, vec![]);
    let scripted = ScriptedVote { verdict, by, reason: None, with: None, refused: None };
    for voter in electors(bench, row) {
        match bench.handle().vote(ballot(bench, row, &scripted, &voter)).await {
            Ok(receipt) if receipt.state != DecisionState::Requested => return Ok(None),
            Ok(_) => {}
            Err(error) => {
                let Problem { code, title, .. } = Problem::from(&error);
                let message = format!("the vote of {voter} is refused: {code} {title}");
                return Ok(Some(Failure::new("decisions", test.name.span, message)));
            }
        }
    }
    unexpected(bench, row, test).map(Some)
}

fn voters(
    bench: &Bench,
    row: &DecisionRow,
    test: &TestCase,
    scripted: &ScriptedVote,
    whole: Span,
) -> Vec<Spanned<Principal>> {
    if !scripted.by.is_empty() {
        return scripted.by.clone();
    }
    let names = match scripted.verdict {
        ScriptedVerdict::Withdraw => vec![requester(test)],
        ScriptedVerdict::Approve
        | ScriptedVerdict::Reject
        | ScriptedVerdict::Edit
        | ScriptedVerdict::Respond => electors(bench, row),
    };
    names.into_iter().map(|value| Spanned { value, span: whole }).collect()
}

/// People whose vote would still count.
fn electors(bench: &Bench, row: &DecisionRow) -> Vec<Principal> {
    let world = bench.handle().world();
    let (policy, requirement, requester) = (&world.policy, &row.requirement, &row.requester);
    let moment = bench.handle().moment(row.requested_at);
    let (editor, assigned) = (row.editor.as_ref(), &row.assigned[..]);
    let electorate = Electorate { policy, requirement, requester, editor, assigned, moment };
    let voted = |name: &Principal| row.votes.iter().any(|(voter, ..)| voter == name);
    let people = world.policy.principals.keys();
    people.filter(|name| electorate.is_entitled(name) && !voted(name)).cloned().collect()
}

fn ballot(bench: &Bench, row: &DecisionRow, scripted: &ScriptedVote, voter: &Principal) -> Vote {
    let verdict = match scripted.verdict {
        ScriptedVerdict::Approve => Verdict::Approve,
        ScriptedVerdict::Reject => Verdict::Reject,
        ScriptedVerdict::Respond => Verdict::Respond,
        ScriptedVerdict::Edit => Verdict::Edit,
        ScriptedVerdict::Withdraw => Verdict::Withdraw,
    };
    let ballot = Ballot {
        decision: row.decision,
        digest: row.digest,
        verdict,
        nonce: bench.handle().nonce(),
        time: bench.handle().now(),
        reason: scripted.reason.clone(),
    };
    let voter = Voter { principal: voter.clone(), assurance: Assurance::Test };
    Vote { ballot, voter, request_id: None, signed: None }
}

/// The request is there and the script has nothing to say to it.
pub(crate) fn unexpected(bench: &Bench, row: &DecisionRow, test: &TestCase) -> Result<Failure> {
    let row = vote::row(bench.handle(), row.decision)?.unwrap_or_else(|| row.clone());
    let asked = format!("{} asks for {}", row.task.as_str(), row.operation);
    let message = if row.votes.is_empty() {
        format!("an unexpected request: {asked}, and `decisions` has no answer for it")
    } else {
        let needed = needed(bench, &row).join("; ");
        format!("{asked}, and the votes in `decisions` are not enough: it still needs {needed}")
    };
    let span = test.decisions.last().map_or(test.name.span, |last| last.span);
    let mut failure = Failure::new("decisions", span, message);
    failure.detail = Some(card(bench, &row)?);
    Ok(failure)
}

fn needed(bench: &Bench, row: &DecisionRow) -> Vec<String> {
    let world = bench.handle().world();
    let (policy, requirement, requester) = (&world.policy, &row.requirement, &row.requester);
    let moment = bench.handle().moment(row.requested_at);
    let (editor, assigned) = (row.editor.as_ref(), &row.assigned[..]);
    let electorate = Electorate { policy, requirement, requester, editor, assigned, moment };
    let approvals = |people: &BTreeSet<Principal>| {
        let yes = |(voter, verdict, _): &&(Principal, Verdict, _)| {
            *verdict == Verdict::Approve && people.contains(voter)
        };
        row.votes.iter().filter(yes).count()
    };
    let missing = requirement.thresholds.iter().filter_map(|threshold| {
        let people = electorate.entitled(threshold);
        let needed = usize::from(threshold.approve.max(1)).saturating_sub(approvals(&people));
        let names: Vec<String> = people.iter().map(ToString::to_string).collect();
        (needed > 0).then(|| format!("{needed} more of {}", names.join(", ")))
    });
    missing.collect()
}

/// The card of a request, as an operator sees it.
fn card(bench: &Bench, row: &DecisionRow) -> Result<String> {
    let caller = Caller {
        principal: crate::people::principal(crate::people::AUTHOR),
        assurance: Assurance::Test,
        request_id: None,
    };
    let handle = bench.handle();
    let card = handle.inbox_get(&caller, &json!({ "decision": row.decision }));
    let card = card.map_err(|error| refused(&error))?;
    Ok(out::visible(&view::card::text(&card, handle.now(), Stream::Err)))
}
