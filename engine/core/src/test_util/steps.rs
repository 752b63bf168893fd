//! The steps by which a scene gets somewhere. Each goes through `decide` or the claim, and does
//! first what must come before it.

use super::{Outcome, Scene, name};
use crate::decide::{Answer, Command, OutcomeVerdict, ResolveCommand, VoteCommand};
use crate::run::{Activity, Phase};
use placet_model::attempt::{DeferReason, Evidence, RefuseReason};
use placet_model::decision::{Assurance, Ballot, Resolution, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AnswerFacts, AttemptStarted};
use placet_model::event::run::{
    BranchFaulted, FaultFact, RunStarted, TaskCompleted, TaskFaulted, TaskShape, TaskStarted, Then,
};
use placet_model::manifest::Effect;
use placet_model::plan::WorkflowName;
use placet_model::{DataKeyId, DecisionId, Digest, Event, Iteration};

impl Scene {
    /// The body of the event that begins the run, caused by `req`.
    pub fn run_started(&self) -> RunStarted {
        RunStarted {
            workflow: WorkflowName {
                namespace: "sales".to_owned(),
                name: "follow-up".to_owned(),
                version: "1.0.0".to_owned(),
            },
            plan_digest: Digest::of(b"plan"),
            mode: Mode::Live,
            requester: name("req"),
            key: DataKeyId(1),
            input: self.run.slot(1, 0),
            first: self.run.slot(1, 0),
            seed: 7,
            deadline: None,
        }
    }

    /// The run began; its first task is due.
    #[must_use]
    pub fn begun(self) -> Self {
        let event = self.run_started();
        self.progress(event)
    }

    /// Records a fact of control flow.
    ///
    /// # Panics
    /// Where it cannot follow.
    #[must_use]
    pub fn progress(self, event: impl Into<Event>) -> Self {
        let outcome = self.when(Command::Progress(Box::new(event.into())));
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        outcome.after
    }

    /// The task began.
    #[must_use]
    pub fn started(self) -> Self {
        let scene = if matches!(self.run.phase, Phase::Absent) { self.begun() } else { self };
        let started = TaskStarted {
            task: scene.here.clone(),
            iteration: Iteration::none(),
            shape: TaskShape::Leaf,
            input: scene.content(),
            items: None,
            count: 0,
        };
        scene.progress(started)
    }

    /// The two branches of [`Scene::fork`] are under way, and nothing has begun in them.
    #[must_use]
    pub fn forked(self, shape: TaskShape) -> Self {
        let scene = if matches!(self.run.phase, Phase::Absent) { self.begun() } else { self };
        let started = TaskStarted {
            task: Self::fork(),
            iteration: Iteration::none(),
            shape,
            input: scene.content(),
            items: None,
            count: 2,
        };
        scene.progress(started)
    }

    /// The whole task of the next steps ends well.
    #[must_use]
    pub fn completed(self) -> Self {
        let (task, iteration) = (self.here.clone(), Iteration::none());
        let (output, then) = (self.run.slot(1, 0), Then::Continue);
        let (context, goto) = (None, None);
        self.progress(TaskCompleted { task, iteration, output, context, then, goto })
    }

    /// The task of the next steps faults.
    #[must_use]
    pub fn faulted(self) -> Self {
        let (task, iteration) = (self.here.clone(), Iteration::none());
        let fault = self.fault();
        self.progress(TaskFaulted { task, iteration, fault })
    }

    /// A fault, for the next event.
    pub fn fault(&self) -> FaultFact {
        let content = self.run.slot(1, 0);
        FaultFact { kind: "urn:example".to_owned(), status: 500, content }
    }

    /// The fault of branch `index` of [`Scene::fork`] leaves it.
    #[must_use]
    pub fn branch_faulted(self, index: u32) -> Self {
        let (task, iteration, fault) = (Self::fork(), Iteration::none(), self.fault());
        self.progress(BranchFaulted { task, iteration, branch: index, fault })
    }

    /// Its draft lies in the inbox.
    ///
    /// # Panics
    /// Where that cannot follow.
    #[must_use]
    pub fn asked(self) -> Self {
        let idle = matches!(self.branch().activity, Activity::Idle);
        let mut scene = if idle { self.started() } else { self };
        let (draft, decision) = (Box::new(scene.draft()), scene.mint_decision());
        let outcome = scene.when(Command::Propose { draft, decision });
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        outcome.after
    }

    /// The decision that is open, approved, or led to the last attempt.
    ///
    /// # Panics
    /// Where there is none.
    pub fn decision(&self) -> DecisionId {
        let of_attempt = || self.branch().activity.attempt()?.started.decision;
        let of_detached = || self.run.detached.values().next()?.attempt.started.decision;
        let of_denial = || {
            let Activity::Denied(_, denial) = &self.branch().activity else { return None };
            Some(denial.decision)
        };
        let open = self.branch().activity.ask().map(|ask| ask.decision);
        open.or_else(of_attempt)
            .or_else(of_detached)
            .or_else(of_denial)
            .or_else(|| self.run.closed.keys().next_back().copied())
            .expect("there is a decision")
    }

    /// A good vote on the open request, which a test may spoil.
    pub fn ballot(&mut self, voter: &str, verdict: Verdict) -> VoteCommand {
        let nonce = Digest::of(&self.mint()).hex();
        let digest = self
            .branch()
            .activity
            .ask()
            .map_or_else(|| Digest::of(b"none"), |ask| ask.draft.digest);
        let ballot = Ballot {
            decision: self.decision(),
            digest,
            verdict,
            nonce,
            time: self.now,
            reason: Some("because".to_owned()),
        };
        let voter = Voter { principal: name(voter), assurance: Assurance::Session };
        VoteCommand { ballot, voter, request_id: None, signed: None }
    }

    /// Somebody votes.
    #[must_use]
    pub fn vote(mut self, voter: &str, verdict: Verdict) -> Outcome {
        let vote = self.ballot(voter, verdict);
        self.when(Command::Vote(Box::new(vote)))
    }

    /// Somebody edits the draft; the next revision is not yet proposed.
    #[must_use]
    pub fn edit(mut self, voter: &str) -> Outcome {
        let vote = Box::new(self.ballot(voter, Verdict::Edit));
        self.when(Command::Edit { vote, original: Digest::of(b"original") })
    }

    /// Somebody has edited the draft, and the next revision is asked for: other bytes.
    ///
    /// # Panics
    /// Where the edit is refused.
    #[must_use]
    pub fn edited(self, voter: &str) -> Self {
        let scene = self.edit(voter).leaves_it("unsent");
        let bytes =
            format!("request of revision {}", scene.run.drafts.values().max().unwrap_or(&0));
        scene.with(|scene| scene.world.request_digest = Digest::of(bytes.as_bytes())).asked()
    }

    /// Somebody leaves the request to others.
    #[must_use]
    pub fn reassign(mut self, voter: &str, to: &[&str]) -> Outcome {
        let vote = Box::new(self.ballot(voter, Verdict::Reassign));
        self.when(Command::Reassign { vote, to: to.iter().map(|who| name(who)).collect() })
    }

    /// Somebody casts a vote that was spoilt first.
    #[must_use]
    pub fn spoilt(
        mut self,
        voter: &str,
        verdict: Verdict,
        spoil: impl FnOnce(&mut VoteCommand),
    ) -> Outcome {
        let mut vote = self.ballot(voter, verdict);
        spoil(&mut vote);
        self.when(Command::Vote(Box::new(vote)))
    }

    /// Approved and not yet claimed.
    #[must_use]
    pub fn approved(self) -> Self {
        let scene = if self.branch().activity.ask().is_none() { self.asked() } else { self };
        scene.vote("ana", Verdict::Approve).leaves_it("approved")
    }

    /// The approval is claimed; a try is under way.
    ///
    /// # Panics
    /// Where the claim does not start it.
    #[must_use]
    pub fn attempting(self) -> Self {
        let scene = if self.branch().activity.ask().is_none() { self.approved() } else { self };
        let outcome = scene.claim();
        let started = matches!(outcome.after.branch().activity, Activity::Attempting(..));
        assert!(started, "{:?}", outcome.result);
        outcome.after
    }

    /// The body of the event that begins an ungated read.
    pub fn read(&mut self) -> AttemptStarted {
        AttemptStarted {
            attempt: self.mint_attempt(),
            try_number: 1,
            task: self.here.clone(),
            iteration: Iteration::none(),
            decision: None,
            digest: None,
            send_id: String::new(),
            operation: "slack.users.info".to_owned(),
            operation_digest: Digest::of(b"read operation"),
            effect: Effect::Read,
            mode: Mode::Live,
            integration: None,
            credential_version: 1,
            with: self.run.slot(1, 0),
            request: self.run.slot(1, 1),
            request_digest: Digest::of(b"read request"),
            not_after: self.now.plus_millis(super::HOUR),
            uptime: None,
        }
    }

    /// An ungated read is under way.
    ///
    /// # Panics
    /// Where that cannot follow.
    #[must_use]
    pub fn reading(self) -> Self {
        let idle = matches!(self.branch().activity, Activity::Idle);
        let mut scene = if idle { self.started() } else { self };
        let read = scene.read();
        let outcome = scene.when(Command::Read(Box::new(read)));
        assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        outcome.after
    }

    /// The try that is under way, or was last, ends like this.
    ///
    /// # Panics
    /// Where there is no attempt.
    #[must_use]
    pub fn answer(self, verdict: OutcomeVerdict) -> Outcome {
        let of_detached = || self.run.detached.values().next().map(|d| &d.attempt);
        let attempt =
            self.branch().activity.attempt().or_else(of_detached).expect("there is a try");
        let (attempt, try_number) = (attempt.started.attempt, attempt.started.try_number);
        let facts = AnswerFacts::default();
        self.when(Command::Answered(Box::new(Answer { attempt, try_number, facts, verdict })))
    }

    /// The try succeeds.
    #[must_use]
    pub fn succeed(self) -> Outcome {
        let output = self.run.slot(1, 0);
        self.answer(OutcomeVerdict::Succeeded { output, would_have_sent: None })
    }

    /// The provider refuses.
    #[must_use]
    pub fn refuse(self, reason: RefuseReason) -> Outcome {
        self.answer(OutcomeVerdict::Refused { reason, code: None, detail: None })
    }

    /// The try proves that nothing happened, and is due again so many milliseconds later.
    #[must_use]
    pub fn defer(self, millis: i64) -> Outcome {
        let until = self.now.plus_millis(millis);
        self.answer(OutcomeVerdict::Deferred { until, reason: DeferReason::RateLimited })
    }

    /// Nobody knows how the try ended.
    #[must_use]
    pub fn doubt(self) -> Outcome {
        let detail = None;
        self.answer(OutcomeVerdict::InDoubt { evidence: Evidence::Timeout, detail })
    }

    /// Somebody settles the doubt.
    #[must_use]
    pub fn resolve(self, by: &str, resolution: Resolution) -> Outcome {
        self.resolve_as(by, resolution, |_| {})
    }

    /// As [`Scene::resolve`], with something wrong about it.
    #[must_use]
    pub fn resolve_as(
        mut self,
        by: &str,
        resolution: Resolution,
        spoil: impl FnOnce(&mut ResolveCommand),
    ) -> Outcome {
        let output = (resolution == Resolution::Sent).then(|| self.run.slot(2, 0));
        let decision = self.decision();
        let shown = self.run.in_doubt(decision).and_then(|attempt| attempt.started.digest);
        let mut said = ResolveCommand {
            decision,
            digest: shown.unwrap_or_else(|| Digest::of(b"nothing")),
            resolution,
            nonce: Digest::of(&self.mint()).hex()[..32].to_owned(),
            time: self.now,
            reason: None,
            by: Voter { principal: name(by), assurance: Assurance::Session },
            request_id: None,
            signed: None,
        };
        spoil(&mut said);
        self.when(Command::Resolve { said: Box::new(said), output })
    }

    /// Somebody stops the run.
    #[must_use]
    pub fn cancel(self, by: &str) -> Outcome {
        self.when(Command::Cancel { by: name(by), reason: None })
    }

    /// The timer of the open request, or of the unspent approval, comes due.
    #[must_use]
    pub fn expire(self) -> Outcome {
        let decision = self.decision();
        self.when(Command::Expire(decision))
    }
}
