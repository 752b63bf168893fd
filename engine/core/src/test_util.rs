//! Given / when / then over one run: tests read as specifications and reach every state through
//! real events.
//!
//! A [`Scene`] is a run and the world around it. Its steps (`begun`, `asked`, `attempting` …) go
//! through [`crate::decide`] and [`crate::decide::claim`] and record what comes of it;
//! [`Scene::when`] tries one more command and gives an [`Outcome`] to make claims about.
//!
//! ```
//! use placet_core::test_util::Scene;
//! use placet_model::decision::Verdict::Approve;
//!
//! Scene::new().asked().vote("ana", Approve).records(&["VoteCast(approve)", "DecisionSettled(approved)"]);
//! ```

mod outcome;
mod people;
mod steps;
mod words;

pub use outcome::Outcome;
pub use people::{default_policy, name, quorum, requirement, threshold};
pub use words::{describe, state};

use crate::claim::{Circumstances, Claim, Hold};
use crate::decide::{Command, Context, Error};
use crate::run::{Activity, Ask, Branch, Run};
use placet_model::approval::Requirement;
use placet_model::draft::{BoundIntegration, DraftDocument};
use placet_model::event::decision::{DraftOrigin, DraftPrepared};
use placet_model::integration::{Identity, Integration, IntegrationStatus};
use placet_model::manifest::Effect;
use placet_model::policy::Policy;
use placet_model::{
    AttemptId, DecisionId, Digest, Event, IntegrationId, Iteration, PayloadRef, Revision, RunId,
    TaskPath, Timestamp, Uptime,
};
use std::collections::BTreeMap;

/// 2026-01-05T09:00:00Z, when every scene opens.
pub const START: Timestamp = Timestamp::from_millis(1_767_603_600_000);
/// A minute in milliseconds.
pub const MINUTE: i64 = 60_000;
/// An hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
/// A day in milliseconds.
pub const DAY: i64 = 24 * HOUR;

/// A run and the world around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// The run.
    pub run: Run,
    /// Log time.
    pub now: Timestamp,
    /// The same moment by the clock that nobody can set.
    pub uptime: Option<Uptime>,
    /// The policy in force.
    pub policy: Policy,
    /// What the claim looks at besides.
    pub world: World,
    /// Everything that was recorded.
    pub recorded: Vec<(Revision, Timestamp, Event)>,
    /// Draft documents in the payload store, by the digest under which they were put there.
    pub documents: BTreeMap<Digest, DraftDocument>,
    /// The task that the steps perform.
    pub here: TaskPath,
    minted: u128,
}

/// The world as the claim sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// The project's name.
    pub project: String,
    /// What the policy in force asks for this action.
    pub requirement: Requirement,
    /// The integration as it is.
    pub integration: Option<Integration>,
    /// Digest of its settings as they are.
    pub settings_digest: Option<Digest>,
    /// Digest of the stored request bytes.
    pub request_digest: Digest,
    /// Digest of the operation stored with the draft.
    pub operation_digest: Digest,
    /// Whether the policy refuses the action.
    pub forbidden: bool,
    /// Whether its channel leads elsewhere by now.
    pub rerouted: bool,
    /// A temporary condition.
    pub hold: Option<Hold>,
}

impl World {
    fn new() -> Self {
        let settings_digest = Digest::of(b"settings");
        Self {
            project: "acme".to_owned(),
            requirement: Requirement::default_for_project(),
            integration: Some(Integration {
                id: IntegrationId::from_bytes([9; 16]),
                name: "sales-slack".to_owned(),
                provider: "slack".to_owned(),
                settings: placet_model::plan::InputSpec::default().schema.unwrap_or_default(),
                identity: Identity { id: "U1".to_owned(), tenant: "T1".to_owned() },
                label: "Sales".to_owned(),
                status: IntegrationStatus::Active,
                reason: None,
                credential_version: 1,
                is_default: true,
                scopes: vec![],
                used_in: placet_model::integration::UseScope::default(),
            }),
            settings_digest: Some(settings_digest),
            request_digest: Digest::of(b"request"),
            operation_digest: Digest::of(b"operation"),
            forbidden: false,
            rerouted: false,
            hold: None,
        }
    }
}

impl Default for Scene {
    fn default() -> Self {
        Self::new()
    }
}

impl Scene {
    /// A run without any event, in a world where everything works.
    pub fn new() -> Self {
        Self {
            run: Run::absent(RunId::from_bytes([1; 16])),
            now: START,
            uptime: None,
            policy: default_policy(),
            world: World::new(),
            recorded: vec![],
            documents: BTreeMap::new(),
            here: Self::task(),
            minted: 0,
        }
    }

    /// The same scene, changed.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The same scene, so many milliseconds later.
    #[must_use]
    pub fn later(self, millis: i64) -> Self {
        self.with(|scene| scene.now = scene.now.plus_millis(millis))
    }

    /// The same scene, in which drafts are made under this requirement.
    #[must_use]
    pub fn requiring(self, requirement: Requirement) -> Self {
        self.with(|scene| scene.world.requirement = requirement)
    }

    /// The task that a scene performs, unless it goes on elsewhere: see [`Scene::at`].
    pub fn task() -> TaskPath {
        TaskPath::root().child("do", 0, "send")
    }

    /// The task with branches of a scene that has forked.
    pub fn fork() -> TaskPath {
        TaskPath::root().child("do", 0, "fork")
    }

    /// The task of branch `index` of [`Scene::fork`].
    pub fn branch_task(index: u32) -> TaskPath {
        TaskPath::new(&format!("{}/send", Self::fork().branch(index)))
    }

    /// The same scene, whose next steps concern this task.
    #[must_use]
    pub fn at(self, task: TaskPath) -> Self {
        self.with(|scene| scene.here = task)
    }

    /// The same scene, whose next steps concern branch `index` of [`Scene::fork`].
    #[must_use]
    pub fn in_branch(self, index: u32) -> Self {
        self.at(Self::branch_task(index))
    }

    /// The branch in which the task of the next steps runs, or would run.
    pub fn branch(&self) -> &Branch {
        self.run.branch_of(&self.here)
    }

    /// Sixteen bytes that no other id has.
    pub fn mint(&mut self) -> [u8; 16] {
        self.minted += 1;
        self.minted.to_be_bytes()
    }

    /// A new decision id.
    pub fn mint_decision(&mut self) -> DecisionId {
        DecisionId::from_bytes(self.mint())
    }

    /// A new attempt id.
    pub fn mint_attempt(&mut self) -> AttemptId {
        AttemptId::from_bytes(self.mint())
    }

    /// The next draft revision of the task, made from the world as it is, and its document put
    /// into the payload store.
    ///
    /// # Panics
    /// Where the run has not begun.
    pub fn draft(&mut self) -> DraftPrepared {
        let (task, iteration) = (self.here.clone(), Iteration::none());
        let revision = self.run.drafts.get(&(task.clone(), iteration.clone())).unwrap_or(&0) + 1;
        let action =
            placet_model::draft::ActionId { run: self.run.id, task: &task, iteration: &iteration };
        let send_id = placet_model::draft::send_id("install", &action, revision);
        let nonce = Digest::of(&self.mint()).hex()[..32].to_owned();
        let origin = match (revision, self.is_edited()) {
            (1, _) => DraftOrigin::Task,
            (_, false) => DraftOrigin::Resend,
            (_, true) => DraftOrigin::Edit,
        };
        let mut draft = DraftPrepared {
            task,
            iteration,
            revision,
            origin,
            send_id,
            operation: "slack.chat.postMessage".to_owned(),
            operation_digest: self.world.operation_digest,
            effect: Effect::Send,
            integration: self.bound_integration(),
            with: self.run.slot(1, 0),
            request: self.run.slot(1, 1),
            request_digest: self.world.request_digest,
            requirement: self.world.requirement.clone(),
            nonce,
            document: self.run.slot(1, 2),
            digest: Digest::of(b""),
            summary: None,
            notes: vec![],
        };
        self.seal(&mut draft);
        draft
    }

    /// Whether the next draft is that of an edit.
    fn is_edited(&self) -> bool {
        let Activity::Unsent(leaf, _) = &self.branch().activity else { return false };
        let last = leaf.decision.and_then(|decision| self.run.closed.get(&decision));
        last == Some(&placet_model::decision::DecisionState::Superseded)
    }

    /// Makes the draft's document, digests it and puts it into the payload store.
    ///
    /// # Panics
    /// Where the run has not begun.
    pub fn seal(&mut self, draft: &mut DraftPrepared) {
        let document = self.run.document(&self.world.project, draft).expect("the run has begun");
        draft.digest = document.digest();
        self.documents.insert(draft.digest, document);
    }

    fn bound_integration(&self) -> Option<BoundIntegration> {
        let integration = self.world.integration.as_ref()?;
        Some(BoundIntegration {
            id: integration.id,
            settings_digest: self.world.settings_digest?,
            identity: integration.identity.clone(),
        })
    }

    /// Tries a command; what it gives is recorded in the outcome's scene.
    #[must_use]
    pub fn when(self, command: Command) -> Outcome {
        let result = self.decide(command);
        Outcome::new(self, result)
    }

    /// Decides without recording.
    ///
    /// # Errors
    /// As [`crate::decide()`].
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        crate::decide(&self.run, command, self.context())
    }

    const fn context(&self) -> Context<'_> {
        Context { now: self.now, uptime: self.uptime, policy: &self.policy }
    }

    /// Claims without recording.
    ///
    /// # Errors
    /// As [`crate::decide::claim`].
    ///
    /// # Panics
    /// Where the payload store has lost the document.
    pub fn try_claim(&mut self) -> Result<Claim, Error> {
        let attempt = self.mint_attempt();
        let activity = &self.branch().activity;
        let ask = activity.ask().or_else(|| activity.attempt()?.ask.as_ref());
        let Some(ask) = ask else { return Ok(Claim::Nothing) };
        let claim = (ask.decision, attempt);
        crate::decide::claim(&self.run, claim, &self.circumstances(ask))
    }

    /// The next try of an attempt in doubt, without recording.
    ///
    /// # Panics
    /// Where the payload store has lost the document.
    pub fn again(&self) -> Claim {
        let attempt = self.branch().activity.attempt();
        let ask =
            attempt.and_then(|attempt| Some((attempt.started.attempt, attempt.ask.as_ref()?)));
        let Some((attempt, ask)) = ask else { return Claim::Nothing };
        crate::claim::again(&self.run, attempt, &self.circumstances(ask))
    }

    /// What holds now, for the claim of this request.
    fn circumstances(&self, ask: &Ask) -> Circumstances<'_> {
        Circumstances {
            now: self.now,
            uptime: self.uptime,
            project: &self.world.project,
            policy: &self.policy,
            requirement: self.world.requirement.clone(),
            integration: self.world.integration.as_ref(),
            settings_digest: self.world.settings_digest,
            approved: self.documents.get(&ask.draft.digest).expect("the document is stored"),
            request_digest: self.world.request_digest,
            operation_digest: self.world.operation_digest,
            forbidden: self.world.forbidden,
            rerouted: self.world.rerouted,
            hold: self.world.hold,
        }
    }

    /// Claims; what it gives is recorded in the outcome's scene. A hold records nothing.
    ///
    /// # Panics
    /// Where the claim is illegal, or the payload store has lost the document.
    #[must_use]
    pub fn claim(mut self) -> Outcome {
        let result = self.try_claim().map(|claim| match claim {
            Claim::Nothing | Claim::Hold(_) => vec![],
            Claim::Decided(events) => events,
        });
        Outcome::new(self, result)
    }

    /// Records an event.
    ///
    /// # Panics
    /// Where it cannot follow.
    #[must_use]
    pub fn record(mut self, event: impl Into<Event>) -> Self {
        self.append(event.into());
        self
    }

    fn append(&mut self, event: Event) {
        self.run.apply(&event, self.now).expect("the event follows");
        self.recorded.push((self.run.revision, self.now, event));
    }

    /// The payload that an event already recorded carries.
    pub const fn content(&self) -> PayloadRef {
        self.run.slot(0, 0)
    }
}
