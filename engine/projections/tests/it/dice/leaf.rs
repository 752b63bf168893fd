//! What a leaf task may do next.

use super::flow::complete;
use super::{Dice, end, stopping, void};
use crate::make::*;
use placet_core::Run;
use placet_core::run::{Activity, Ask, Branch, Detached, Fork, Leaf};
use placet_model::approval::Escalation;
use placet_model::decision::{DecisionState, Settlement, Verdict, VoidReason};
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::child::{ChildDropped, ChildEnded, ChildStarted};
use placet_model::event::decision::{
    ApproversReminded, DecisionReassigned, DecisionRequested, DraftEdited, DraftOrigin,
    DraftPrepared, RequirementRaised, StandingUsed, VoteCast, VoteDelegated,
};
use placet_model::event::preview::{PreviewRead, PreviewStep};
use placet_model::event::route::SendRouted;
use placet_model::event::run::{TaskFaulted, Then, TimerArmed, TimerKind};
use placet_model::{AttemptId, Duration, Event, Iteration, TaskPath};

impl Dice {
    pub(super) fn in_leaf(&mut self, run: &Run, branch: &Branch) -> Vec<Event> {
        let leaf = branch.activity.leaf().unwrap();
        let here = (leaf.task.clone(), leaf.iteration.clone());
        let faulted = |(task, iteration)| TaskFaulted { task, iteration, fault: fault() }.into();
        vec![match &branch.activity {
            Activity::Idle => unreachable!("a leaf"),
            Activity::Forked(_, fork) => return self.in_fork(run, (leaf, *fork)),
            Activity::Awaiting(_, child) if self.one_in(3) => {
                return vec![ChildDropped { child: *child }.into(), faulted(here)];
            }
            Activity::Awaiting(_, child) => ChildEnded { child: *child, output: content(1) }.into(),
            Activity::Started(_) => self.in_started(run, here),
            Activity::Unsent(leaf, last) => return self.in_unsent(run, leaf, last),
            Activity::Drafted(_, draft) => {
                let (decision, expires_at) = (decision(self.id()), self.soon(run));
                let (digest, (task, iteration)) = (draft.digest, here);
                DecisionRequested { decision, task, iteration, digest, expires_at, uptime: None }
                    .into()
            }
            Activity::Waiting(_, timer) => fired(*timer),
            Activity::Waited(_) | Activity::Answered(..) => complete(here, Then::Continue),
            Activity::Denied(..)
            | Activity::Refused(..)
            | Activity::GivenUp(_)
            | Activity::Dropped(_) => faulted(here),
            Activity::Asked(_, ask) => return self.on_request(ask),
            Activity::Approved(_, ask) => self.on_approval(ask),
            Activity::Attempting(_, current) => {
                let (attempt, in_doubt) = (current.as_ref().clone(), false);
                return self.outcome(&Detached { attempt, in_doubt });
            }
            Activity::Deferred(_, last, _) => match &last.ask {
                Some(ask) if self.one_in(3) => self.on_approval(ask),
                Some(_) | None => next_try(&last.started),
            },
            Activity::InDoubt(_, last) if self.one_in(3) => next_try(&last.started),
            Activity::InDoubt(_, last) => {
                let (attempt, in_doubt) = (last.as_ref().clone(), true);
                return self.outcome(&Detached { attempt, in_doubt });
            }
        }]
    }

    /// What was edited has its next revision in the same commit.
    fn in_unsent(&mut self, run: &Run, leaf: &Leaf, last: &DraftPrepared) -> Vec<Event> {
        let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
        let draft = self.draft(run, (task.clone(), iteration.clone()));
        let decision = leaf.decision.unwrap();
        if run.closed[&decision] != DecisionState::Superseded {
            return vec![draft];
        }
        let Event::DraftPrepared(draft) = draft else { unreachable!("a draft") };
        let (digest, editor, original) = (last.digest, who("ana"), digest("original"));
        let edited = DraftEdited { decision, digest, task, iteration, editor, original };
        vec![edited.into(), DraftPrepared { origin: DraftOrigin::Edit, ..draft }.into()]
    }

    /// What the card of the draft that is due is to show: asked for, answered or given up.
    fn previewed(&mut self, run: &Run, key: (TaskPath, Iteration)) -> Event {
        let known = run.previews.get(&key).filter(|known| !known.ended);
        let (read, step) = match known {
            Some(known) if known.begun_at.as_millis() % 2 == 0 => {
                (known.read, PreviewStep::Answered)
            }
            Some(known) => (known.read, PreviewStep::Unanswered),
            None => (attempt(self.id()), PreviewStep::Begun),
        };
        let Event::AttemptStarted(like) = tried(read, 1, None) else { unreachable!("a try") };
        PreviewRead {
            read,
            revision: run.drafts.get(&key).map_or(1, |last| last + 1),
            task: key.0,
            iteration: key.1,
            step,
            operation: "stripe.payment_intents.get".into(),
            operation_digest: like.operation_digest,
            integration: like.integration,
            credential_version: 1,
            with: Some(like.with),
            request: Some(like.request),
            request_digest: Some(like.request_digest),
            shown: (step != PreviewStep::Begun).then(|| content(3)),
            status: 200,
        }
        .into()
    }

    fn in_started(&mut self, run: &Run, (task, iteration): (TaskPath, Iteration)) -> Event {
        match self.below(9) {
            // one throw for both, so that whatever else the dice reach stays as likely as it was
            8 if run.routes.contains_key(&(task.clone(), iteration.clone())) => {
                self.previewed(run, (task, iteration))
            }
            8 => SendRouted {
                task,
                iteration,
                operation: "notify.send".into(),
                channel: "slack".into(),
                to: "slack.chat.postMessage".into(),
                integration: integration(1),
            }
            .into(),
            0 | 1 => {
                let (timer, due_at) = (timer(self.id()), self.soon(run));
                let kind = self.pick(&[TimerKind::TaskTimeout, TimerKind::Wait]);
                TimerArmed { timer, task, iteration, kind, due_at }.into()
            }
            2 => {
                let Event::AttemptStarted(read) = tried(attempt(self.id()), 1, None) else {
                    unreachable!("a try")
                };
                AttemptStarted { task, iteration, ..read }.into()
            }
            3 => ChildStarted {
                task,
                iteration,
                child: self.child(),
                workflow: workflow("child"),
                plan_digest: digest("child"),
                input: content(2),
                awaited: !self.one_in(3),
            }
            .into(),
            _ => self.draft(run, (task, iteration)),
        }
    }

    /// The branches are joined, or left, once enough of them have ended.
    fn in_fork(&mut self, run: &Run, (leaf, fork): (&Leaf, Fork)) -> Vec<Event> {
        let here = (leaf.task.clone(), leaf.iteration.clone());
        if self.one_in(12) {
            let (timer, due_at) = (timer(self.id()), self.soon(run));
            let ((task, iteration), kind) = (here, TimerKind::TaskTimeout);
            return vec![TimerArmed { timer, task, iteration, kind, due_at }.into()];
        }
        let inside = || run.branches_inside(&leaf.task);
        let failed = inside().filter(|branch| branch.failed.is_some()).count();
        if failed >= if fork.race { fork.count as usize } else { 1 } {
            let (task, iteration) = here;
            return stopping(inside(), TaskFaulted { task, iteration, fault: fault() }.into());
        }
        stopping(inside(), complete(here, Then::Continue))
    }

    fn draft(&mut self, run: &Run, (task, iteration): (TaskPath, Iteration)) -> Event {
        let key = (task.clone(), iteration.clone());
        let revision = run.drafts.get(&key).map_or(1, |last| last + 1);
        let mut made = draft(&task, revision);
        made.integration = made.integration.filter(|_| !self.one_in(3));
        if self.one_in(3) {
            made.requirement.remind = Some(Duration::from_millis(4000));
            let (after, to) = (Duration::from_millis(9000), vec![who("leads")]);
            made.requirement.thresholds[0].escalate = Some(Escalation { after, to });
        }
        let unique = format!("{revision} of {iteration} of {task}");
        DraftPrepared {
            iteration,
            send_id: unique.clone(),
            digest: digest(&unique),
            nonce: unique,
            ..made
        }
        .into()
    }

    fn on_request(&mut self, ask: &Ask) -> Vec<Event> {
        let decision = ask.decision;
        if ask.votes.is_empty() && self.one_in(8) {
            return self.in_advance(ask);
        }
        let next = ask.notices_due().into_iter().next().filter(|_| self.one_in(2));
        if let Some((due_at, kind, to)) = next {
            return vec![ApproversReminded { decision, kind, to, due_at }.into()];
        }
        if self.one_in(2) {
            let name = self.pick(&["ana", "ben"]);
            let request = self.one_in(2).then(|| format!("r{}", self.id()));
            // an emergency keeps its mark for ever: the executor's tests hold that
            let verdict = self.pick(&Verdict::ALL[..6]);
            let Event::VoteCast(vote) = vote(ask.decision, name, verdict, request.as_deref())
            else {
                unreachable!("a vote")
            };
            let cast = VoteCast { digest: ask.draft.digest, ..vote }.into();
            let (voter, instead_of) = (who(name), vec![who("cara")]);
            let place = VoteDelegated { decision, voter, instead_of }.into();
            return std::iter::once(cast).chain(self.one_in(4).then_some(place)).collect();
        }
        if self.one_in(6) {
            let to = vec![who(self.pick(&["ana", "leads"]))];
            return vec![DecisionReassigned { decision, to }.into()];
        }
        let settlement =
            if self.one_in(3) { self.pick(Settlement::ALL) } else { Settlement::Approved };
        vec![end(ask, settlement)]
    }

    /// A vote that was given in advance, and what it settles.
    fn in_advance(&mut self, ask: &Ask) -> Vec<Event> {
        let (decision, day) = (ask.decision, self.pick(&[1, 2]));
        let standing = self.pick(&["status", "heartbeat"]).to_owned();
        let (digest, voters, count) = (digest(&standing), vec![who("ana")], 1);
        let used = StandingUsed { decision, standing, digest, voters, day, count };
        let Event::VoteCast(vote) = vote(decision, "ana", Verdict::Approve, None) else {
            unreachable!("a vote")
        };
        let vote = VoteCast { digest: ask.draft.digest, ..vote };
        vec![used.into(), vote.into(), end(ask, Settlement::Approved)]
    }

    fn on_approval(&mut self, ask: &Ask) -> Event {
        let decision = ask.decision;
        match self.below(8) {
            0 => {
                let (requirement, missing) = (ask.requirement.clone(), vec!["one".to_owned()]);
                RequirementRaised { decision, requirement, missing }.into()
            }
            1 => void(decision, VoidReason::Expired),
            _ => {
                let new = attempt(self.id());
                let (attempt, tries) = ask.prior.unwrap_or((new, 0));
                claim(ask, attempt, tries + 1)
            }
        }
    }
}

/// A try of exactly what was approved.
fn claim(ask: &Ask, id: AttemptId, try_number: u32) -> Event {
    let Event::AttemptStarted(body) = tried(id, try_number, Some(ask.decision)) else {
        unreachable!("a try")
    };
    let draft = ask.draft.clone();
    AttemptStarted {
        task: draft.task,
        iteration: draft.iteration,
        digest: Some(draft.digest),
        send_id: draft.send_id,
        integration: draft.integration,
        not_after: ask.expires_at,
        ..body
    }
    .into()
}

fn next_try(last: &AttemptStarted) -> Event {
    let mut next = last.clone();
    next.try_number += 1;
    next.into()
}
