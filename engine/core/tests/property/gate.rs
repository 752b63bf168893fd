//! What must hold of every log.

use super::acts::{Act, act, perform};
use placet_core::policy::is_agent;
use placet_core::test_util::{Scene, default_policy, describe, name};
use placet_model::decision::{Settlement, Verdict};
use placet_model::event::EventKind;
use placet_model::event::attempt::AttemptStarted;
use placet_model::event::decision::{DraftOrigin, ResolutionCast};
use placet_model::manifest::Effect;
use placet_model::{AttemptId, DecisionId, Event, Principal, TaskPath, Timestamp};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::collections::{BTreeMap, BTreeSet};

/// The same cases each time, unless somebody asks for others.
fn config() -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_261_121),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config { rng_seed, failure_persistence: None, ..config }
}

#[test]
fn whatever_happens_the_gate_holds() {
    let mut runner = TestRunner::new(config());
    let result = runner.run(&vec(act(), 1..120), |acts| {
        check(&acts);
        Ok(())
    });
    result.unwrap_or_else(|error| unreachable!("{error}"));
}

/// A search that reaches nothing proves nothing.
#[test]
fn the_acts_reach_every_kind_of_event_of_the_gate() {
    let seen = std::cell::RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config { cases: 256, ..config() });
    let result = runner.run(&vec(act(), 1..120), |acts| {
        let scene = acts.iter().fold(Scene::new(), perform);
        seen.borrow_mut().extend(scene.recorded.iter().map(|(_, _, event)| event.kind()));
        Ok(())
    });
    result.unwrap_or_else(|error| unreachable!("{error}"));
    let all = EventKind::ALL.iter().copied();
    let mut gate: BTreeSet<_> = all.filter(|kind| (20..40).contains(&kind.type_id())).collect();
    gate.extend([EventKind::BranchFaulted, EventKind::RunMigrated, EventKind::RunCancelled]);
    let seen = seen.into_inner();
    let missed: Vec<_> = gate.difference(&seen).collect();
    assert!(missed.is_empty(), "never seen: {missed:?}");
}

fn check(acts: &[Act]) {
    let scene = acts.iter().fold(Scene::new(), |scene, act| {
        let scene = perform(scene, act);
        let open = scene.run.asks().count() + usize::from(scene.run.branches().len() > 1);
        assert!(!scene.run.is_over() || open == 0, "over, and something is open: {scene:?}");
        scene
    });
    let told: Vec<_> = scene.recorded.iter().map(|(_, _, event)| describe(event)).collect();
    let events = scene.recorded.iter().map(|(revision, at, event)| (*revision, *at, event));
    let replayed = placet_core::replay(scene.run.id, events);
    assert_eq!(replayed.as_ref(), Ok(&scene.run), "replay gives the same run");
    let mut witness = Witness::default();
    for (_, at, event) in &scene.recorded {
        witness.sees(event, *at, &told);
        witness.leaves(event);
    }
    for decision in &witness.unspent {
        assert!(scene.run.unsettled(*decision).is_some(), "left open: {decision} {told:?}");
    }
    let gone = witness.unspent.intersection(&witness.gone).next();
    assert!(gone.is_none(), "open, and its branch is gone: {gone:?} {told:?}");
}

/// Reads a log as an auditor would: from its events alone.
#[derive(Default)]
struct Witness {
    /// Decisions that may be claimed now.
    open: BTreeSet<DecisionId>,
    /// Which attempt has claimed a decision.
    claimed: BTreeMap<DecisionId, AttemptId>,
    /// Digest and send id that a decision is about.
    drafts: BTreeMap<DecisionId, (placet_model::Digest, String, Timestamp)>,
    drafted: Option<(placet_model::Digest, String)>,
    /// The task, and so the branch, that a decision is about.
    tasks: BTreeMap<DecisionId, TaskPath>,
    /// Decisions that are requested, or approved and never claimed.
    unspent: BTreeSet<DecisionId>,
    /// Decisions whose branch has been left.
    gone: BTreeSet<DecisionId>,
    send_ids: BTreeSet<String>,
    approvals: BTreeMap<DecisionId, u32>,
    under_way: BTreeSet<AttemptId>,
    doubted: BTreeSet<AttemptId>,
    settled: BTreeSet<AttemptId>,
    over: bool,
    /// Who has written what a task drafts now, and what a decision is about.
    editors: BTreeMap<TaskPath, Principal>,
    edited: BTreeMap<DecisionId, Principal>,
}

impl Witness {
    fn sees(&mut self, event: &Event, at: Timestamp, told: &[String]) {
        match event {
            Event::DraftPrepared(body) => {
                assert!(self.send_ids.insert(body.send_id.clone()), "a send id twice: {told:?}");
                if body.origin == DraftOrigin::Task {
                    self.editors.remove(&body.task);
                }
                self.drafted = Some((body.digest, body.send_id.clone()));
            }
            Event::DecisionRequested(body) => {
                let (digest, send_id) = self.drafted.take().expect("a draft comes first");
                let old = self.drafts.insert(body.decision, (digest, send_id, body.expires_at));
                assert!(old.is_none(), "a decision id twice: {told:?}");
                self.tasks.insert(body.decision, body.task.clone());
                self.unspent.insert(body.decision);
                let editor = self.editors.get(&body.task).cloned();
                self.edited.extend(editor.map(|editor| (body.decision, editor)));
            }
            Event::VoteCast(body) => {
                assert_eq!(body.digest, self.drafts[&body.decision].0, "{told:?}");
                assert!(at < self.drafts[&body.decision].2, "a late vote: {told:?}");
                if body.verdict == Verdict::Approve {
                    assert!(!is_agent(&default_policy(), &body.voter), "{told:?}");
                    assert_ne!(body.voter, name("req"), "the requester: {told:?}");
                    let editor = self.edited.get(&body.decision);
                    assert_ne!(editor, Some(&body.voter), "the editor: {told:?}");
                    *self.approvals.entry(body.decision).or_default() += 1;
                }
            }
            Event::DecisionSettled(body) => {
                self.open.remove(&body.decision);
                if body.settlement == Settlement::Approved {
                    assert!(self.approvals[&body.decision] > 0, "no approval: {told:?}");
                    self.open.insert(body.decision);
                } else {
                    self.unspent.remove(&body.decision);
                }
            }
            Event::DraftEdited(body) => {
                assert!(!self.unspent.contains(&body.decision), "still open: {told:?}");
                self.editors.insert(body.task.clone(), body.editor.clone());
            }
            Event::RequirementRaised(body) => drop(self.open.remove(&body.decision)),
            Event::DecisionVoided(body) => {
                self.open.remove(&body.decision);
                self.unspent.remove(&body.decision);
            }
            Event::AttemptStarted(body) => self.starts(body, at, told),
            Event::AttemptSucceeded(body) => self.ends(body.attempt, told),
            Event::AttemptRefused(body) => {
                assert!(!self.doubted.contains(&body.attempt), "a doubt forgotten: {told:?}");
                self.pauses(body.attempt, told);
            }
            Event::AttemptDeferred(body) => {
                assert!(!self.doubted.contains(&body.attempt), "a doubt forgotten: {told:?}");
                self.pauses(body.attempt, told);
            }
            Event::AttemptInDoubt(body) => {
                self.pauses(body.attempt, told);
                self.doubted.insert(body.attempt);
            }
            Event::ResolutionCast(body) => self.resolves(body, told),
            Event::AttemptReconciled(body) => self.reconciles(body.attempt, told),
            Event::RunCancelled(_) | Event::RunFaulted(_) | Event::RunCompleted(_) => {
                assert!(!self.over, "over twice: {told:?}");
                self.over = true;
            }
            _ => assert!(!self.over, "{} after the end: {told:?}", describe(event)),
        }
    }

    fn reconciles(&mut self, attempt: AttemptId, told: &[String]) {
        assert!(!self.under_way.contains(&attempt), "still under way: {told:?}");
        assert!(self.settled.insert(attempt), "settled twice: {told:?}");
    }

    fn resolves(&self, body: &ResolutionCast, told: &[String]) {
        let attempt = self.claimed.get(&body.decision).expect("it was claimed");
        assert!(self.doubted.contains(attempt), "no doubt: {told:?}");
        assert_eq!(body.digest, self.drafts[&body.decision].0, "other bytes: {told:?}");
        assert!(!is_agent(&default_policy(), &body.by), "{told:?}");
    }

    fn starts(&mut self, body: &AttemptStarted, at: Timestamp, told: &[String]) {
        assert!(!self.over, "a try after the end: {told:?}");
        assert!(!self.settled.contains(&body.attempt), "a settled attempt again: {told:?}");
        assert!(self.under_way.insert(body.attempt), "two tries at once: {told:?}");
        let Some(decision) = body.decision else {
            assert_eq!(body.effect, Effect::Read, "a write without a decision: {told:?}");
            return;
        };
        let (digest, send_id, expires_at) = &self.drafts[&decision];
        assert_eq!(body.digest.as_ref(), Some(digest), "other bytes: {told:?}");
        assert_eq!(body.send_id, *send_id, "another send id: {told:?}");
        assert!(at < *expires_at, "a try after the expiry: {told:?}");
        assert_eq!(self.tasks[&decision], body.task, "another branch's approval: {told:?}");
        assert!(!self.gone.contains(&decision), "its branch is gone: {told:?}");
        self.unspent.remove(&decision);
        let first = self.claimed.insert(decision, body.attempt);
        match first {
            None => assert_eq!(body.try_number, 1, "{told:?}"),
            Some(first) => {
                assert_eq!(first, body.attempt, "a second claim of one decision: {told:?}");
                assert!(body.try_number > 1, "a first try twice: {told:?}");
            }
        }
        assert!(self.open.contains(&decision), "nothing allows it: {told:?}");
    }

    /// A task that ends takes with it what stands inside it.
    fn leaves(&mut self, event: &Event) {
        let task = match event {
            Event::TaskCompleted(body) => &body.task,
            Event::TaskFaulted(body) => &body.task,
            Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_) => {
                self.gone.extend(self.tasks.keys());
                return;
            }
            _ => return,
        };
        let inside = self.tasks.iter().filter(|(_, of)| *of == task || of.is_inside(task));
        self.gone.extend(inside.map(|(decision, _)| decision));
    }

    fn pauses(&mut self, attempt: AttemptId, told: &[String]) {
        assert!(self.under_way.remove(&attempt), "no try is under way: {told:?}");
    }

    fn ends(&mut self, attempt: AttemptId, told: &[String]) {
        self.pauses(attempt, told);
        assert!(self.settled.insert(attempt), "settled twice: {told:?}");
    }
}
