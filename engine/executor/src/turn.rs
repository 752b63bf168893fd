//! A turn: one command against one run, worked through until the run is parked or over.
//!
//! A turn runs on the evaluation pool, outside every transaction. It folds its own events into its
//! own copy of the run and hands the facts to the writer, which appends them with the expected
//! revision. It performs nothing: calls come back as data and are made after the commit.

mod answer;
mod begin;
mod budget;
mod child;
mod drift;
mod edit;
mod emit;
mod evidence;
mod fault;
mod finish;
mod fork;
mod gate;
mod listen;
mod lookup;
mod perform;
mod policy;
mod preview;
mod resend;
mod retry;
mod route;
mod scope;
mod start;
mod stop;
mod witness;

pub(crate) use answer::{Answered, Ending};
pub(crate) use edit::proposal;
pub(crate) use gate::{CallPlan, Wanted};
pub(crate) use perform::CallShape;
pub(crate) use policy::subject as policy_subject;
pub(crate) use preview::WAIT_MS;
pub(crate) use route::{astray, literal};
pub(crate) use start::StartRun;
use start::WorkflowInput;
pub(crate) use witness::doubts;

use crate::env::Env;
use crate::erasure::Account;
use crate::uptime::Stopwatch;
use crate::values::{Content, Values};
use crate::world::World;
use placet_core::claim::Hold;
use placet_core::decide::{Context, ResolveCommand, VoteCommand};
use placet_core::run::{Branch, BranchKey, Frame, FrameKind, Phase};
use placet_core::{Command, Next, Refusal, Run};
use placet_log::{Append, PAYLOAD_MAX, ReadView};
use placet_model::event::integration::ResponseDrifted;
use placet_model::fault::FaultKind;
use placet_model::plan::Plan;
use placet_model::signed::Salt;
use placet_model::{
    Actor, AttemptId, DecisionId, Digest, Event, Fault, IntegrationId, Iteration, PayloadRef,
    Position, Principal, RunId, StreamId, TaskPath, TimerId, Timestamp, Uptime, subject,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Events of one append at most; a longer turn goes on in a further append.
const FACTS_MAX: usize = 256;
/// No limit of payloads is smaller than this: a fault must always be recordable.
const PAYLOAD_BYTES_LEAST: usize = 16 * 1024;
/// Values kept at hand before the unreachable ones are dropped.
const VALUES_KEPT: usize = 64;

/// What a turn is to do first.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    /// Begin the run.
    Start(Box<StartRun>),
    /// Go on from where it stands.
    Advance,
    /// A person votes; with the salt of a signed reason.
    Vote(Box<VoteCommand>, Option<Salt>),
    /// A person replaces the draft by one with this `with`.
    Edit(Box<VoteCommand>, Option<Salt>, Arc<Value>),
    /// A person names who is to decide instead.
    Reassign(Box<VoteCommand>, Option<Salt>, Vec<Principal>),
    /// A person settles an attempt in doubt.
    Resolve(Box<ResolveCommand>, Option<Salt>),
    /// Somebody stops it.
    Cancel { by: Principal, reason: Option<String> },
    /// A call has ended.
    Answered(Box<Answered>),
    /// A timer is due.
    Timer(TimerId),
    /// An open or unspent request may have expired.
    Expire(DecisionId),
    /// People may have to hear of an open request again.
    Remind(DecisionId),
    /// A try that was put off is due.
    Retry(AttemptId),
    /// There may be room in a budget that was used up.
    Room,
    /// The run's own timeout has passed.
    Deadline,
    /// The engine has restarted.
    Recover,
    /// An attempt is in doubt: send the same bytes again if the provider deduplicates.
    Reconcile(AttemptId),
    /// As [`Job::Reconcile`], for whatever is in doubt after a restart.
    ReconcileAny,
    /// A look-up of an attempt in doubt is due.
    LookUp(AttemptId),
    /// A provider has told us, at this place in the log, of something that may be in doubt.
    Witnessed(Position),
    /// Look for what a provider may have told us of something in doubt.
    LookBack,
    /// The run waits: take what has come before.
    Hear,
    /// An event has come, at this place in the log.
    Arrived(Position),
    /// Begin a run that was ordered.
    StartOrdered,
    /// A run that is awaited has ended.
    ChildOver(RunId),
    /// Whoever has ordered this run does not await it any more.
    Drop,
    /// Its content is erased: what is open is taken back, the run is cancelled, and all of it goes, in
    /// one commit. A run that is over stays as it is.
    Erase(Box<EraseRun>),
    /// Go on under another version of the workflow.
    Migrate { plan: Digest, by: Principal },
}

/// By whom a run is erased, and what is said of it.
#[derive(Debug, Clone)]
pub(crate) struct EraseRun {
    pub(crate) by: Principal,
    pub(crate) actor: Actor,
    pub(crate) account: Account,
}

/// An event with its content.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) event: Event,
    pub(crate) payloads: Vec<Content>,
    pub(crate) actor: Actor,
}

/// What came of a turn.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) run: Run,
    /// The moment at which it was worked through: becomes log time unless the log is later.
    pub(crate) at: Timestamp,
    pub(crate) values: Values,
    pub(crate) plan: Option<Arc<Plan>>,
    pub(crate) facts: Vec<Fact>,
    /// What is appended to another stream in the same commit.
    pub(crate) beside: Option<Append>,
    /// Whom the content of the facts is about; usually nobody that can be told from it.
    pub(crate) subjects: BTreeSet<String>,
    pub(crate) calls: Vec<CallPlan>,
    /// Why an approval stays unspent.
    pub(crate) held: Option<Hold>,
    /// What a claim waits for that somebody must obtain.
    pub(crate) wanted: Option<Wanted>,
    /// When there may be room in a budget that was used up.
    pub(crate) room_at: Option<Timestamp>,
    /// Whether a claim or a read was worked out against the world.
    pub(crate) used_world: bool,
    /// Whether more is to be done after this append.
    pub(crate) more: bool,
    /// An integration whose credential was refused, and the provider's word for it.
    pub(crate) failed: Option<(IntegrationId, String)>,
    /// An answer that was not as its operation declares.
    pub(crate) drifted: Option<Box<ResponseDrifted>>,
    /// Why the run does not go on after an answer that is recorded.
    pub(crate) broken: Option<Error>,
}

/// Why a turn came to nothing. Nothing is recorded then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A lawful no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The input does not match the workflow's schema.
    #[error("the input does not match the workflow's schema: {reason}")]
    Input {
        /// Where and how.
        reason: String,
    },
    /// A plan or the log cannot be read.
    #[error(transparent)]
    Env(#[from] crate::env::Error),
    /// Content cannot be read.
    #[error(transparent)]
    Values(#[from] crate::values::Error),
    /// The run's stream cannot be replayed.
    #[error(transparent)]
    Replay(#[from] placet_core::replay::Error),
    /// The executor asked for what cannot follow: a bug.
    #[error("a bug: the turn recorded what cannot follow")]
    Illegal(#[from] placet_core::evolve::Illegal),
    /// A bug of ours, seen in time: nothing was recorded.
    #[error("a bug: the turn panicked; the log of the process says where")]
    Panicked,
    /// Too many expressions had to be given up: the process must restart, in order.
    #[error("too many expressions did not end; the engine must be restarted")]
    MustRestart,
    /// The edited draft cannot be asked for.
    #[error("the edit cannot be taken: {reason}")]
    Edit {
        /// Why.
        reason: String,
    },
    /// The run cannot go on under the other version.
    #[error("{run} cannot go on under the other version: {reason}")]
    Migration {
        /// Which run.
        run: RunId,
        /// Why.
        reason: String,
    },
    /// The content of the run cannot be erased now.
    #[error("{run} cannot be erased yet: {reason}")]
    NotErasable {
        /// Which run.
        run: RunId,
        /// What stands in the way, and what to do first.
        reason: String,
    },
    /// Content that is larger than the operator allows.
    #[error(
        "{bytes} bytes are more than the {most} of one payload: see limits.payload_bytes_max in placet.toml"
    )]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// The limit.
        most: usize,
    },
    /// A document has no canonical form.
    #[error("a document of the run has no canonical form")]
    Canonical(#[from] placet_model::canonical::Error),
}

impl From<placet_core::decide::Error> for Error {
    fn from(error: placet_core::decide::Error) -> Self {
        match error {
            placet_core::decide::Error::Refused(refusal) => Self::Refused(refusal),
            placet_core::decide::Error::Illegal(illegal) => Self::Illegal(illegal),
        }
    }
}

impl From<crate::signals::Error> for Error {
    fn from(error: crate::signals::Error) -> Self {
        match error {
            crate::signals::Error::Log(error) => error.into(),
        }
    }
}

impl From<placet_log::Error> for Error {
    fn from(error: placet_log::Error) -> Self {
        Self::Env(error.into())
    }
}

/// A step of a turn either went well, or the workflow faults: a fault is not an error of ours.
pub(crate) type Outcome<T> = Result<Result<T, Fault>, Error>;

/// Unwraps an [`Outcome`], giving the workflow's fault back to the caller.
macro_rules! or_fault {
    ($outcome:expr) => {
        match $outcome? {
            Ok(value) => value,
            Err(fault) => return Ok(Err(fault)),
        }
    };
}
pub(crate) use or_fault;

/// A turn at work.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) env: &'a Env,
    pub(crate) world: &'a World,
    pub(crate) now: Timestamp,
    /// The same moment by the clock that nobody can set.
    pub(crate) uptime: Option<Uptime>,
    /// How long ago that was.
    pub(crate) since: Stopwatch,
    pub(crate) stream: StreamId,
    /// The branch that is worked on.
    pub(crate) branch: BranchKey,
    /// Branches that cannot go on in this turn.
    waiting: BTreeSet<BranchKey>,
    pub(crate) out: Turned,
}

impl<'a> Turn<'a> {
    /// A turn over a run that is in memory, or that is read back from its stream.
    pub(crate) fn new(
        env: &'a Env,
        world: &'a World,
        id: RunId,
        known: Option<(Run, Values)>,
    ) -> Result<Self, Error> {
        let stream = StreamId::Run(id);
        let (run, values) = match known {
            Some(known) => known,
            None => (load(env, id)?, Values::default()),
        };
        let plan = run.plan_digest().map(|digest| env.plan(digest)).transpose()?;
        // in this order, so that what is judged by them is rather older than younger
        let (since, uptime) = (Stopwatch::start(), env.clock.uptime());
        let now = env.now();
        let out = Turned {
            run,
            at: now,
            values,
            plan,
            facts: vec![],
            beside: None,
            subjects: BTreeSet::new(),
            calls: vec![],
            held: None,
            wanted: None,
            room_at: None,
            used_world: false,
            more: false,
            failed: None,
            drifted: None,
            broken: None,
        };
        let (branch, waiting) = (BranchKey::main(), BTreeSet::new());
        Ok(Self { env, world, now, uptime, since, stream, branch, waiting, out })
    }

    /// Does the job, then goes on until the run is parked or over.
    pub(crate) fn perform(mut self, job: Job) -> Result<Turned, Error> {
        let answer = matches!(job, Job::Answered(_));
        let again = matches!(job, Job::Reconcile(_) | Job::ReconcileAny);
        let begins = answer || matches!(job, Job::Recover);
        let doubts = again || begins;
        if again {
            // before anything goes again
            self.look_back()?;
        }
        match job {
            Job::Start(start) => self.start(*start, WorkflowInput::Asked)?,
            Job::Vote(vote, salt) => self.vote(*vote, salt)?,
            Job::Edit(vote, salt, with) => self.edit(*vote, salt, &with)?,
            Job::Reassign(vote, salt, to) => self.reassign(*vote, salt, to)?,
            Job::Resolve(said, salt) => self.resolve(*said, salt)?,
            Job::Cancel { by, reason } => self.cancel(&by, reason.as_deref())?,
            Job::Answered(answered) => self.answered(&answered)?,
            Job::Timer(timer) => self.timer(timer)?,
            Job::Expire(decision) => self.command(Command::Expire(decision), vec![])?,
            Job::Remind(decision) => self.command(Command::Remind(decision), vec![])?,
            Job::Retry(attempt) => self.retry(attempt)?,
            Job::Room => self.room()?,
            // at an advance: what came before may answer what is known only now to have arrived
            Job::Hear | Job::Advance => self.hear()?,
            Job::Arrived(position) => self.arrived(position)?,
            Job::StartOrdered => self.start_ordered()?,
            Job::ChildOver(child) => self.child_over(child)?,
            Job::Drop => self.drop_run()?,
            Job::Erase(erase) => self.erase(&erase)?,
            Job::Migrate { plan, by } => self.migrate(plan, &by)?,
            Job::Deadline => self.deadline()?,
            Job::Recover => self.command(Command::Recover { detail: None }, vec![])?,
            Job::Reconcile(attempt) => self.reconcile(Some(attempt))?,
            Job::ReconcileAny => self.reconcile(None)?,
            Job::LookUp(attempt) => self.look_up(attempt)?,
            Job::Witnessed(position) => self.witnessed(position)?,
            Job::LookBack => self.look_back()?,
        }
        if doubts {
            if begins {
                self.look_back()?;
            }
            self.plan_lookups()?;
        }
        match (&self.out.failed, answer) {
            (Some(_), _) => {}
            (None, true) => self.advance_after_answer(),
            (None, false) => self.advance()?,
        }
        self.hear_again();
        if self.out.values.len() > VALUES_KEPT {
            self.forget();
        }
        Ok(self.out)
    }

    /// Whether content is larger than the operator, and the log, allow.
    pub(crate) fn is_too_large(&self, content: &Content) -> bool {
        content.bytes().len() > self.payload_bytes_max()
    }

    fn payload_bytes_max(&self) -> usize {
        let allowed = usize::try_from(self.env.config.limits.payload_bytes_max);
        allowed.unwrap_or(PAYLOAD_MAX).clamp(PAYLOAD_BYTES_LEAST, PAYLOAD_MAX)
    }

    /// What is said of such content.
    pub(crate) fn too_large(&self, content: &Content) -> Error {
        Error::TooLarge { bytes: content.bytes().len(), most: self.payload_bytes_max() }
    }

    /// Goes on after a provider's answer. Whatever stands in the way of the next step, the answer
    /// is recorded: it may be the only proof of what was sent.
    fn advance_after_answer(&mut self) {
        let (run, facts, calls) =
            (self.out.run.clone(), self.out.facts.len(), self.out.calls.len());
        let went = catch_unwind(AssertUnwindSafe(|| self.advance()));
        let Err(error) = went.unwrap_or(Err(Error::Panicked)) else { return };
        self.out.run = run;
        self.out.facts.truncate(facts);
        self.out.calls.truncate(calls);
        (self.out.more, self.out.broken) = (false, Some(error));
    }

    fn advance(&mut self) -> Result<(), Error> {
        let Some(plan) = self.out.plan.clone() else { return Ok(()) };
        loop {
            if self.out.facts.len() >= FACTS_MAX {
                self.out.more = true;
                return Ok(());
            }
            let (branch, next) =
                placet_core::flow::next_beside(&plan, &self.out.run, &self.waiting);
            if matches!(next, Next::Parked | Next::Over) {
                return Ok(());
            }
            self.branch = branch;
            let place = place_of(&next);
            let went_on = match self.step(&plan, next) {
                Err(Error::TooLarge { bytes, most }) => {
                    self.fault_too_large(place, &Error::TooLarge { bytes, most })?
                }
                other => other?,
            };
            if !went_on {
                self.waiting.insert(self.branch.clone());
            }
        }
    }

    /// One step of control flow. False when the branch must wait.
    fn step(&mut self, plan: &Arc<Plan>, next: Next<'_>) -> Result<bool, Error> {
        let more = matches!(
            next,
            Next::Begin { .. } | Next::Iterate { .. } | Next::Listen { .. } | Next::Handled { .. }
        );
        if let Some((task, iteration)) = place_of(&next).filter(|_| more)
            && let Some(fault) = self.history_is_full()
        {
            return self.fault_task(&task, iteration, fault);
        }
        Ok(match next {
            Next::Parked | Next::Over => false,
            Next::Begin { task, iteration, raw } => self.begin(task, iteration, raw)?,
            Next::Perform { task, leaf } => self.perform_leaf(task, leaf)?,
            Next::Iterate { task, iteration, index, value } => {
                self.iterate(task, iteration, (index, value))?
            }
            Next::Listen { task, iteration } => self.listen(task, iteration)?,
            Next::Handled { task, iteration, index, event, value } => {
                self.handled(task, iteration, (index, event, value))?
            }
            Next::Heard { task, iteration, input, elements } => {
                self.heard(task, iteration, (input, elements))?
            }
            Next::Join { task, leaf, ends } => self.join(task, &leaf, &ends)?,
            Next::Finish { task, iteration, input, output, then } => {
                self.finish_started(task, iteration, (input, output), then)?
            }
            Next::Claim { task, decision, .. } => self.claim(task, decision)?,
            Next::Redraft { task, leaf, last } => self.redraft(task, leaf, &last)?,
            Next::Fault { leaf, cause } => self.fault_leaf(&leaf, cause)?,
            Next::Unwind { fault, tries, branch } => {
                self.unwind(&fault, &tries, branch.as_ref())?
            }
            Next::Complete { value } => self.complete(plan, value)?,
            Next::Astray { task } => self.astray(&task)?,
        })
    }

    /// What a run says that has recorded as much as the operator allows, instead of beginning anything
    /// more. Nothing catches that; the few events that end the run are still recorded.
    pub(crate) fn history_is_full(&self) -> Option<Fault> {
        let (now, most) = (self.out.run.revision.get(), self.env.config.limits.history_events_max);
        (now >= most && !self.is_listener()).then(|| {
            let words = format!(
                "the run's history has {now} events: raise limits.history_events_max in placet.toml if that is meant"
            );
            Fault::new(FaultKind::Runtime, words)
        })
    }

    /// Whether the run listens for the events of a schedule: it lives as long as its workflow.
    pub(crate) fn is_listener(&self) -> bool {
        let workflow = self.out.run.facts().map(|facts| &facts.started.workflow);
        workflow.is_some_and(|workflow| workflow.namespace == crate::schedules::NAMESPACE)
    }

    /// The branch that is worked on.
    pub(crate) fn here(&self) -> &Branch {
        self.out.run.branch(&self.branch)
    }

    /// Records an event; its payloads are those that its body refers to by the next revision.
    pub(crate) fn record(
        &mut self,
        event: impl Into<Event>,
        payloads: Vec<Content>,
        actor: Actor,
    ) -> Result<(), Error> {
        let event = event.into();
        if let Some(large) = payloads.iter().find(|content| self.is_too_large(content)) {
            return Err(self.too_large(large));
        }
        for (index, content) in payloads.iter().enumerate() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            subject::find(content.bytes(), &mut self.out.subjects);
            self.out.values.put(self.out.run.slot(1, index), content.clone());
        }
        self.out.run.apply(&event, self.now)?;
        self.out.facts.push(Fact { event, payloads, actor });
        Ok(())
    }

    /// Where content of the next event stands: where the run has the same already, or behind the
    /// payloads that the event has so far. Not for what an approval binds: a draft's bytes are its own.
    pub(crate) fn place(&self, content: Content, payloads: &mut Vec<Content>) -> PayloadRef {
        self.out.values.place_of(&content).unwrap_or_else(|| {
            let index = u16::try_from(payloads.len()).unwrap_or(u16::MAX);
            payloads.push(content);
            self.out.run.slot(1, index)
        })
    }

    /// Records what the engine did by itself.
    pub(crate) fn note(
        &mut self,
        event: impl Into<Event>,
        payloads: Vec<Content>,
    ) -> Result<(), Error> {
        self.record(event, payloads, Actor::Engine)
    }

    /// Decides a command and records its events; the payloads belong to the first of them.
    pub(crate) fn command(
        &mut self,
        command: Command,
        payloads: Vec<Content>,
    ) -> Result<(), Error> {
        self.command_by(command, payloads, &Actor::Engine)
    }

    /// The project against which calls are weighed, and since when.
    const fn against(&self) -> (u64, Stopwatch) {
        (self.world.version, self.since)
    }

    /// What commands are weighed against.
    fn context(&self) -> Context<'_> {
        Context { now: self.now, uptime: self.uptime, policy: &self.world.policy }
    }

    /// As [`Turn::command`], caused by somebody.
    pub(crate) fn command_by(
        &mut self,
        command: Command,
        payloads: Vec<Content>,
        actor: &Actor,
    ) -> Result<(), Error> {
        let events = placet_core::decide(&self.out.run, command, self.context())?;
        let mut payloads = Some(payloads);
        for event in events {
            self.record(event, payloads.take().unwrap_or_default(), actor.clone())?;
        }
        Ok(())
    }

    /// The JSON value behind a reference.
    pub(crate) fn value(&mut self, reference: PayloadRef) -> Result<Arc<Value>, Error> {
        let env = self.env;
        let view = || env.view();
        Ok(self.out.values.value(reference, &self.stream, &view)?)
    }

    /// The bytes behind a reference.
    pub(crate) fn bytes(&mut self, reference: PayloadRef) -> Result<Content, Error> {
        let env = self.env;
        let view = || env.view();
        Ok(self.out.values.bytes(reference, &self.stream, &view)?)
    }

    /// Drops the values that the run can no longer reach by itself; they can be read back.
    fn forget(&mut self) {
        let run = &self.out.run;
        let mut reachable: BTreeSet<PayloadRef> = BTreeSet::new();
        if let Phase::Ending(_, value) = &run.phase {
            reachable.insert(*value);
        }
        reachable.extend(run.facts().map(|facts| facts.started.input));
        for branch in run.branches() {
            reachable.extend(branch.context);
            reachable.extend(branch.fault.iter().map(|(fault, _)| fault.content));
            reachable.extend(branch.failed.iter().map(|fault| fault.content));
            reachable.extend(branch.activity.leaf().map(|leaf| leaf.input));
            branch.frames.iter().for_each(|frame| reach(frame, &mut reachable));
        }
        // this turn's events and those of the one before it may not be on disk yet
        let fresh = run.revision.get().saturating_sub(3 * FACTS_MAX as u64);
        self.out.values.keep_only(|reference| {
            reference.revision.get() > fresh || reachable.contains(reference)
        });
    }
}

/// What a frame refers to.
fn reach(frame: &Frame, reachable: &mut BTreeSet<PayloadRef>) {
    reachable.extend([frame.input, frame.value]);
    reachable.extend(frame.steps.values().copied());
    match &frame.kind {
        FrameKind::For { items, .. } => drop(reachable.insert(*items)),
        FrameKind::Catch { fault } | FrameKind::Backoff { fault, .. } => {
            reachable.insert(*fault);
        }
        FrameKind::Listen(wait) => {
            reachable.extend(wait.values.iter().chain(&wait.elements).chain(&wait.expected));
        }
        FrameKind::List | FrameKind::Branch | FrameKind::Function | FrameKind::Try(_) => {}
    }
}

/// The task that a step is about; none for the run itself.
fn place_of(next: &Next<'_>) -> Option<(TaskPath, Iteration)> {
    match next {
        Next::Begin { task, iteration, .. }
        | Next::Iterate { task, iteration, .. }
        | Next::Listen { task, iteration }
        | Next::Handled { task, iteration, .. }
        | Next::Heard { task, iteration, .. }
        | Next::Finish { task, iteration, .. } => Some((task.path.clone(), iteration.clone())),
        Next::Perform { leaf, .. }
        | Next::Claim { leaf, .. }
        | Next::Redraft { leaf, .. }
        | Next::Join { leaf, .. }
        | Next::Fault { leaf, .. } => Some((leaf.task.clone(), leaf.iteration.clone())),
        Next::Astray { task } => Some((task.clone(), Iteration::none())),
        Next::Parked | Next::Over | Next::Unwind { .. } | Next::Complete { .. } => None,
    }
}

/// An error and its causes, in one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    perform::chain(error)
}

/// Reads a run back from its stream.
pub(crate) fn load(env: &Env, id: RunId) -> Result<Run, Error> {
    let view: ReadView = env.view()?;
    let stream = StreamId::Run(id);
    let mut events = Vec::new();
    for event in view.stream(&stream, placet_model::Revision::START) {
        events.push(event?);
    }
    let folded = events.iter().map(|e| (e.revision, e.recorded_at, &e.event));
    Ok(placet_core::replay(id, folded)?)
}
