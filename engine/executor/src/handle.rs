//! The engine as others hold it: start runs, vote, resolve, cancel, change the project. Every
//! answer comes after the commit. Cheap to clone.

use crate::acts::{Nonces, Once};
use crate::arrivals::{self, Refusing};
use crate::checkpoints::Checkpoints;
use crate::connections::Connections;
use crate::env::Env;
use crate::events::{self, Envelope};
use crate::figures::Figures;
use crate::input::{ActTurn, Change, Input};
use crate::inputs::Inputs;
use crate::start::Start;
use crate::telemetry::Telemetry;
use crate::turn::Job;
use crate::world::World;
use placet_core::Refusal;
use placet_core::decide::VoteCommand;
use placet_log::{Append, Expected, Log, NewEvent, PAYLOAD_MAX, ReadView, SUBJECTS_MAX};
use placet_model::actor::Role;
use placet_model::decision::{Ballot, DecisionState, Verdict, Voter};
use placet_model::event::decision::SignedVote;
use placet_model::event::wait::EventReceived;
use placet_model::passkey::Use;
use placet_model::project::ProjectConfig;
use placet_model::signed::{Act, Salt};
use placet_model::{
    Actor, AttemptId, DecisionId, Digest, Event, IntegrationId, PayloadRef, Position, Principal,
    RecordedEvent, Revision, RunId, StreamId, Timestamp, subject,
};
use placet_projections::{DecisionRow, RunRow, RunStatus, Views, WaitingFor};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, Semaphore, broadcast, oneshot};

/// Outside wishes that are being worked on at once; further ones wait at the door, in order.
const WISHES_MAX: usize = 8192;

/// Something changed; whoever is interested reads it. A hint, never a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Somebody's inbox.
    Inbox {
        /// The run.
        run: RunId,
        /// The decision.
        decision: DecisionId,
    },
    /// An attempt is in doubt.
    InDoubt {
        /// The run.
        run: RunId,
        /// The attempt.
        attempt: AttemptId,
    },
    /// The run waits for something from outside.
    Parked {
        /// The run.
        run: RunId,
    },
    /// A connection has come to stand otherwise: failed, good again, switched off or on, gone.
    Integration {
        /// Which.
        integration: IntegrationId,
    },
    /// The run is over.
    Finished {
        /// The run.
        run: RunId,
    },
    /// A commit failed; the engine has stopped.
    Failed,
}

/// Why a wish came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine is stopping, or has stopped.
    #[error("the engine is stopping")]
    Stopping,
    /// A commit failed and its outcome is unknown.
    #[error("a commit failed and its outcome is unknown: {reason}")]
    CommitFailed {
        /// What the log said.
        reason: String,
    },
    /// Refused, or impossible.
    #[error(transparent)]
    Turn(#[from] crate::turn::Error),
    /// The project cannot be read.
    #[error(transparent)]
    Env(#[from] crate::env::Error),
    /// More than somebody may ask for within a time.
    #[error("{detail}")]
    TooMuch {
        /// How much that is, and when there is room again.
        detail: String,
        /// Whole seconds until then, at least one.
        retry_after_s: u64,
    },
    /// A wish about the project that is refused.
    #[error("{detail}")]
    Refused {
        /// The code of the reference page.
        code: &'static str,
        /// Why.
        detail: String,
    },
}

impl From<placet_log::Error> for Error {
    fn from(error: placet_log::Error) -> Self {
        Self::Env(error.into())
    }
}

impl From<placet_projections::Error> for Error {
    fn from(error: placet_projections::Error) -> Self {
        Self::Env(error.into())
    }
}

impl From<placet_vault::Error> for Error {
    /// No error of the vault holds a secret.
    fn from(error: placet_vault::Error) -> Self {
        use placet_vault::Error as E;
        let code = match &error {
            E::FieldCount { .. } | E::FieldName { .. } | E::FieldSize { .. } => "PL4003",
            _ => error.code().unwrap_or("PL9001"),
        };
        let words = crate::turn::describe(&error);
        Self::Refused { code, detail: format!("the credential: {words}") }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Turn(refusal.into())
    }
}

impl Error {
    /// The code of the reference page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopping => "PL4006",
            Self::CommitFailed { .. } => "PL1006",
            Self::Refused { code, .. } => code,
            Self::TooMuch { .. } => "PL4040",
            Self::Turn(crate::turn::Error::Refused(refusal)) => refusal.code(),
            Self::Turn(crate::turn::Error::Input { .. }) => "PL4010",
            Self::Turn(crate::turn::Error::TooLarge { .. }) => "PL4014",
            Self::Turn(crate::turn::Error::Edit { .. }) => "PL3051",
            Self::Turn(crate::turn::Error::Migration { .. }) => "PL4019",
            Self::Turn(crate::turn::Error::NotErasable { .. }) => "PL4031",
            Self::Turn(crate::turn::Error::Values(crate::values::Error::Unreadable {
                source,
                ..
            })) => source.code(),
            Self::Env(error) | Self::Turn(crate::turn::Error::Env(error)) => error.code(),
            Self::Turn(crate::turn::Error::Values(_) | crate::turn::Error::Replay(_)) => "PL1003",
            Self::Turn(_) => "PL9001",
        }
    }
}

/// A vote on its way.
#[derive(Debug, Clone)]
pub struct Vote {
    /// What the person says.
    pub ballot: Ballot,
    /// Who, and how that is known.
    pub voter: Voter,
    /// The client's request id.
    pub request_id: Option<String>,
    /// The signed form, already verified.
    pub signed: Option<Signature>,
}

/// The signed form of a vote, and what ties the text of its reason to it.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Document and signature.
    pub form: SignedVote,
    /// The salt under which the reason was signed.
    pub reason_salt: Option<Salt>,
}

/// The answer to a vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// Place of the vote in the log.
    pub position: Position,
    /// Where the decision stands after it.
    pub state: DecisionState,
    /// The decision that has taken its place, after an edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<DecisionId>,
}

/// How much the loop has in memory: what is parked costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Runs that are being worked on, or called for.
    pub runs: usize,
    /// Of these, the ones of which more than calls is under way.
    pub worked_on: usize,
    /// Calls under way.
    pub calls: usize,
    /// Reminders that stand in no row.
    pub reminders: usize,
    /// Due rows that were handed out and still stand.
    pub handed_out: usize,
    /// What a virtual clock waits for.
    pub awaited: usize,
}

/// A fact of the project: its stream, the event, and the content of its payloads.
pub(crate) type ProjectFact = (StreamId, Event, Vec<Vec<u8>>);

/// The engine.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) env: Arc<Env>,
    pub(crate) inputs: Inputs,
    pub(crate) world: Arc<RwLock<Arc<World>>>,
    notices: broadcast::WeakSender<Notice>,
    door: Arc<Semaphore>,
    pub(crate) agents: Arc<crate::actions::Agents>,
    pub(crate) connections: Arc<Connections>,
    acts: Arc<Mutex<()>>,
    pub(crate) checkpoints: Checkpoints,
    /// Votes under way, by their nonces.
    pub(crate) nonces: Nonces,
    /// Whether votes must be signed.
    pub(crate) signed_only: Arc<AtomicBool>,
    /// Whether schedules start runs.
    pub(crate) schedules: Arc<AtomicBool>,
    /// Arrivals that were not taken, counted.
    pub(crate) refusing: Refusing,
    /// Figures over time, made from the log as somebody looks.
    pub(crate) figures: Arc<Figures>,
    /// What is told of runs elsewhere, and for whom they were started.
    pub(crate) telemetry: Arc<Telemetry>,
    _alive: Arc<Alive>,
}

/// Ends the loop when the last handle is gone.
#[derive(Debug)]
struct Alive(Inputs);

impl Drop for Alive {
    fn drop(&mut self) {
        let (done, _nobody_waits) = oneshot::channel();
        let _ended_anyway = self.0.send(Input::Stop(done));
    }
}

impl Handle {
    pub(crate) fn new(
        env: Arc<Env>,
        inputs: Inputs,
        world: Arc<RwLock<Arc<World>>>,
        notices: broadcast::WeakSender<Notice>,
    ) -> Self {
        let alive = Arc::new(Alive(inputs.clone()));
        let checkpoints = Checkpoints::new(Arc::clone(&env), inputs.clone());
        Self {
            checkpoints,
            env,
            inputs,
            world,
            notices,
            door: Arc::new(Semaphore::new(WISHES_MAX)),
            acts: Arc::default(),
            nonces: Nonces::default(),
            signed_only: Arc::default(),
            agents: Arc::default(),
            connections: Arc::default(),
            schedules: Arc::default(),
            refusing: Refusing::default(),
            figures: Arc::default(),
            telemetry: Arc::default(),
            _alive: alive,
        }
    }

    /// The same, with a way to ask providers who we are.
    pub(crate) fn through(self, connections: Arc<Connections>) -> Self {
        Self { connections, ..self }
    }

    /// The operator's configuration.
    pub fn config(&self) -> &ProjectConfig {
        &self.env.config
    }

    /// The adapters of the project.
    pub fn adapters(&self) -> &Arc<placet_adapters::Adapters> {
        &self.env.adapters
    }

    /// The log, for reading and tailing.
    pub fn log(&self) -> &Log {
        &self.env.log
    }

    /// A snapshot of the log.
    ///
    /// # Errors
    /// Where the log cannot be read.
    pub fn view(&self) -> Result<ReadView, Error> {
        Ok(self.env.view()?)
    }

    /// Log time, or what it would be if something were recorded now.
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// The project as it is.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hints that something changed, from now on; closed once the engine has ended.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        match self.notices.upgrade() {
            Some(notices) => notices.subscribe(),
            None => broadcast::channel(1).1,
        }
    }

    /// What was counted since the engine has started.
    pub fn measured(&self) -> crate::Measured {
        self.env.measures.read()
    }

    /// A fresh nonce for a vote: 16 random bytes, hex.
    pub fn nonce(&self) -> String {
        self.env.mint.nonce()
    }

    /// Casts a vote. The same request id gives the same answer.
    ///
    /// # Errors
    /// Every refusal of GATE.md §3; nothing is recorded then.
    pub async fn vote(&self, vote: Vote) -> Result<Receipt, Error> {
        self.cast(vote, |vote, salt| Job::Vote(Box::new(vote), salt)).await
    }

    /// Replaces a draft by one with another `with`, which is asked for anew.
    ///
    /// # Errors
    /// Every refusal of GATE.md §3, and where the operation does not take this `with`; nothing is
    /// recorded then.
    pub async fn edit(&self, vote: Vote, with: Value) -> Result<Receipt, Error> {
        self.cast(vote, |vote, salt| Job::Edit(Box::new(vote), salt, Arc::new(with))).await
    }

    /// Leaves a request to others among those who may decide it.
    ///
    /// # Errors
    /// Every refusal of GATE.md §3, and where they could not decide it; nothing is recorded then.
    pub async fn reassign(&self, vote: Vote, to: Vec<Principal>) -> Result<Receipt, Error> {
        self.cast(vote, |vote, salt| Job::Reassign(Box::new(vote), salt, to)).await
    }

    async fn cast(
        &self,
        vote: Vote,
        job: impl FnOnce(VoteCommand, Option<Salt>) -> Job,
    ) -> Result<Receipt, Error> {
        let decision = vote.ballot.decision;
        let run = self.run_of(decision)?;
        let verdict = vote.ballot.verdict;
        // an agent takes back what it has caused itself, which is no opinion on it
        let world = self.world();
        let agents_own = verdict == Verdict::Withdraw
            && placet_core::policy::is_agent(&world.policy, &vote.voter.principal);
        if vote.signed.is_none() && !agents_own && self.demands_signatures() {
            return Err(crate::keys::unsigned());
        }
        let (voter, request_id) = (vote.voter.principal.clone(), vote.request_id.clone());
        let Vote { ballot, voter: who, request_id: request, signed } = vote;
        let (signed, salt) = signed.map(|signed| (signed.form, signed.reason_salt)).unzip();
        let once = Once {
            act: Act::of(&voter, signed.as_ref()),
            nonce: ballot.nonce.clone(),
            by: voter.clone(),
            decision,
            request_id: request_id.clone(),
            used: signed.as_ref().and_then(Use::of),
        };
        let command = VoteCommand { ballot, voter: who, request_id: request, signed };
        let events = self.once(run, once, job(command, salt.flatten())).await?;
        let cast = if events.is_empty() {
            self.earlier_receipt(run, &voter, request_id.as_deref())?
        } else {
            receipt(&events, |body| body.decision == decision && body.voter == voter)
        };
        cast.ok_or_else(|| Refusal::UnknownDecision { decision }.into())
    }

    fn earlier_receipt(
        &self,
        run: RunId,
        voter: &Principal,
        request_id: Option<&str>,
    ) -> Result<Option<Receipt>, Error> {
        let view = self.view()?;
        let events: Result<Vec<_>, _> = view.stream(&StreamId::Run(run), Revision::START).collect();
        Ok(receipt(&events?, |body| {
            body.voter == *voter && body.request_id.as_deref() == request_id
        }))
    }

    /// Stops a run.
    ///
    /// # Errors
    /// When it is over, unknown, or the person may not.
    pub async fn cancel(
        &self,
        run: RunId,
        by: Principal,
        reason: Option<String>,
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.run_row(run)?.ok_or_else(|| no_run(run))?;
        self.wish(run, Job::Cancel { by, reason }).await
    }

    /// Starts a run again that has faulted or was cancelled: a new run of the same version with the
    /// same input.
    ///
    /// # Errors
    /// When there is no such run, or it has not ended so.
    pub async fn retry(&self, run: RunId, by: Principal) -> Result<RunId, Error> {
        let row = self.run_row(run)?.ok_or_else(|| no_run(run))?;
        if !matches!(row.status, RunStatus::Faulted | RunStatus::Cancelled) {
            let detail = format!("{run} has neither faulted nor was it cancelled");
            return Err(Error::Refused { code: "PL4003", detail });
        }
        let (seed, input) = {
            let view = self.view()?;
            let stream = StreamId::Run(run);
            let first = view.stream(&stream, Revision::START).next().transpose()?;
            let Some(Event::RunStarted(body)) = first.map(|first| first.event) else {
                return Err(no_run(run));
            };
            let payload = view.payload(&stream, body.input)?;
            let input = serde_json::from_slice(payload.as_bytes()).map_err(|error| {
                let detail = format!("the input of {run} cannot be read: {error}");
                Error::Refused { code: "PL1003", detail }
            })?;
            (body.seed, input)
        };
        let (plan, mode) = (row.plan_digest, row.mode);
        self.start(Start { plan, input, requester: by, mode, seed }).await
    }

    /// Has a waiting run go on under another version of its workflow; what is open is asked again.
    ///
    /// # Errors
    /// When it does not wait, the other version has not every task that it is at, or the person may
    /// not.
    pub async fn migrate(
        &self,
        run: RunId,
        plan: Digest,
        by: Principal,
    ) -> Result<Vec<RecordedEvent>, Error> {
        self.run_row(run)?.ok_or_else(|| no_run(run))?;
        self.wish(run, Job::Migrate { plan, by }).await
    }

    /// Records an event that came from outside, and tells whoever waits for it. The same source and
    /// id again is the same event: its place is the answer.
    ///
    /// # Errors
    /// When it is no event, or the principal may not send one.
    pub async fn publish(
        &self,
        event: Value,
        to: Option<RunId>,
        by: &Principal,
    ) -> Result<Position, Error> {
        let turn = self.act_turn().await;
        let world = self.world();
        let may = [Role::Author, Role::Operator, Role::Admin];
        if !may.into_iter().any(|role| world.policy.has_role(by, role)) {
            let detail = format!("{by} needs the role author, operator or admin to send an event");
            return Err(Error::Refused { code: "PL4005", detail });
        }
        if let Some(run) = to {
            let row = self.run_row(run)?.ok_or_else(|| no_run(run))?;
            if !matches!(row.status, RunStatus::Running | RunStatus::Waiting) {
                return Err(Refusal::RunOver { phase: row.status.word() }.into());
            }
        }
        let Envelope { kind, identity, value } = self.envelope(event, by)?;
        let revision = {
            let view = self.view()?;
            if let Some(known) = Views::new(&view)?.arrival_of(&identity)? {
                return Ok(known);
            }
            view.revision(&StreamId::Events)?.next()
        };
        let envelope = PayloadRef::new(revision, 0);
        let received = EventReceived { kind, identity, envelope, to };
        let content = value.to_string().into_bytes();
        let mut subjects = BTreeSet::new();
        subject::find(&content, &mut subjects);
        // taken here, so that the loop never waits for keys to be made
        let key = self.env.log.new_data_key()?;
        let facts = vec![(StreamId::Events, received.into(), vec![content])];
        let mut group = self.group(&Actor::Principal(by.clone()), facts)?;
        if let Some(append) = group.first_mut() {
            append.subjects = self.pseudonyms(&subjects);
            append.key = Some(key);
        }
        let recorded = self.change(group, None, turn).await?;
        Ok(recorded.first().map_or(Position::START, |event| event.position))
    }

    /// The place of an event that this principal has sent, if it has come.
    ///
    /// # Errors
    /// When it is no event, or the log cannot be read.
    pub fn published(&self, event: Value, by: &Principal) -> Result<Option<Position>, Error> {
        let identity = self.envelope(event, by)?.identity;
        Ok(Views::new(&self.view()?)?.arrival_of(&identity)?)
    }

    /// What a principal sends, checked, with what it leaves out.
    fn envelope(&self, event: Value, by: &Principal) -> Result<Envelope, Error> {
        let malformed = |detail: String| Error::Refused { code: "PL4018", detail };
        let Value::Object(given) = event else {
            return Err(malformed("an event is an object with at least a `type`".to_owned()));
        };
        let defaults = events::Defaults {
            id: self.env.mint.event(self.now()).to_string(),
            source: format!("placet:principal:{by}"),
            time: self.now(),
        };
        let envelope = events::envelope(given, defaults)
            .map_err(|problem| malformed(format!("the event: {problem}")))?;
        let source = envelope.value["source"].as_str().unwrap_or_default();
        if source.starts_with(arrivals::SOURCE) {
            let detail =
                format!("the event: sources `{}…` are the providers' own", arrivals::SOURCE);
            return Err(malformed(detail));
        }
        Ok(envelope)
    }

    /// The row of a run.
    ///
    /// # Errors
    /// Where the projections cannot be read.
    pub fn run_row(&self, run: RunId) -> Result<Option<RunRow>, Error> {
        let view = self.view()?;
        Ok(Views::new(&view)?.run(run)?)
    }

    /// In words, that an approved call, or the look-up of one in doubt, waits for room in its
    /// provider's budget, and until when at least; none where it does not.
    pub fn budget_wait(&self, row: &DecisionRow) -> Option<String> {
        let may = row.state == DecisionState::Approved || row.in_doubt.is_some();
        let by = crate::budgets::caller(row.run, &row.task, &row.iteration);
        let left = self.env.budgets.wait_left(&by).filter(|_| may)?;
        let until = self.now().plus_millis(left);
        Some(format!(
            "its provider allows no more calls for now; it goes on by itself, not before {until}"
        ))
    }

    /// The same of what a run waits for.
    ///
    /// # Errors
    /// Where the projections cannot be read.
    pub fn budget_wait_of(&self, row: &RunRow) -> Result<Option<String>, Error> {
        let Some(WaitingFor::Decision(decision)) = row.waiting_for else { return Ok(None) };
        let view = self.view()?;
        let decision = Views::new(&view)?.decision(decision)?;
        Ok(decision.and_then(|decision| self.budget_wait(&decision)))
    }

    /// Has the engine look at its clock: a virtual one was moved from outside.
    pub fn wake(&self) {
        let _ended_anyway = self.inputs.send(Input::Wake);
    }

    /// How much the loop has in memory.
    ///
    /// # Errors
    /// [`Error::Stopping`] when it has ended.
    pub async fn load(&self) -> Result<Load, Error> {
        let (reply, answer) = oneshot::channel();
        self.inputs.send(Input::Count(reply)).map_err(|_ended| Error::Stopping)?;
        answer.await.map_err(|_ended| Error::Stopping)
    }

    /// Finishes what is under way, then ends the loop.
    pub async fn stop(&self) {
        self.tell_refused().await;
        let (done, ended) = oneshot::channel();
        if self.inputs.send(Input::Stop(done)).is_ok() {
            let _ended_anyway = ended.await;
        }
    }

    /// The plan with this digest.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn plan(&self, digest: Digest) -> Result<Arc<placet_model::plan::Plan>, Error> {
        Ok(self.env.plan(digest)?)
    }

    /// The run that a decision belongs to.
    pub(crate) fn run_of(&self, decision: DecisionId) -> Result<RunId, Error> {
        let view = self.view()?;
        let row = Views::new(&view)?.decision(decision)?;
        row.map(|row| row.run).ok_or_else(|| Refusal::UnknownDecision { decision }.into())
    }

    pub(crate) async fn wish(&self, run: RunId, job: Job) -> Result<Vec<RecordedEvent>, Error> {
        let _permit = self.door.acquire().await.map_err(|_closed| Error::Stopping)?;
        let (reply, answer) = oneshot::channel();
        let input = Input::Job { run, job, reply: Some(reply) };
        self.inputs.send(input).map_err(|_ended| Error::Stopping)?;
        answer.await.map_err(|_ended| Error::Stopping)?
    }

    /// Waits until no other act is under way. What is looked at from then on (rights, revisions)
    /// still holds when the act is recorded, even if whoever wished for it is gone by then.
    pub(crate) async fn act_turn(&self) -> ActTurn {
        Arc::clone(&self.acts).lock_owned().await
    }

    /// Records facts of the project, caused by `actor`.
    pub(crate) async fn govern(
        &self,
        actor: &Actor,
        facts: Vec<ProjectFact>,
        policy: Option<Arc<placet_model::policy::Policy>>,
        turn: ActTurn,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let group = self.group(actor, facts)?;
        self.change(group, policy, turn).await
    }

    /// The pseudonyms of those whom content is about.
    pub(crate) fn pseudonyms(&self, subjects: &BTreeSet<String>) -> Vec<Digest> {
        subjects.iter().take(SUBJECTS_MAX).map(|who| self.env.log.pseudonym(who)).collect()
    }

    fn group(&self, actor: &Actor, facts: Vec<ProjectFact>) -> Result<Vec<Append>, Error> {
        let mut group: Vec<Append> = vec![];
        for (stream, event, payloads) in facts {
            if let Some(large) = payloads.iter().find(|content| content.len() > PAYLOAD_MAX) {
                let detail = format!(
                    "{} bytes are too many: at most {PAYLOAD_MAX} can be stored",
                    large.len()
                );
                return Err(Error::Refused { code: "PL4014", detail });
            }
            let mut new = NewEvent::new(self.env.mint.event(self.now()), actor.clone(), event);
            new.payloads = payloads.into_iter().map(Into::into).collect();
            match group.iter_mut().find(|append| append.stream == stream) {
                Some(append) => append.events.push(new),
                None => group.push(Append::new(stream, Expected::Any, vec![new])),
            }
        }
        Ok(group)
    }

    /// Records appends of the project.
    pub(crate) async fn change(
        &self,
        group: Vec<Append>,
        policy: Option<Arc<placet_model::policy::Policy>>,
        turn: ActTurn,
    ) -> Result<Vec<RecordedEvent>, Error> {
        let (reply, answer) = oneshot::channel();
        let change = Change { group, policy, reply, turn: Some(turn) };
        self.inputs.send(Input::Govern(Box::new(change))).map_err(|_ended| Error::Stopping)?;
        answer.await.map_err(|_ended| Error::Stopping)?
    }
}

fn no_run(run: RunId) -> Error {
    Error::Refused { code: "PL4001", detail: format!("there is no run {run}") }
}

/// What a vote came to: its own place, and the settlement recorded right after it.
fn receipt(
    events: &[RecordedEvent],
    mine: impl Fn(&placet_model::event::decision::VoteCast) -> bool,
) -> Option<Receipt> {
    let place = events
        .iter()
        .position(|event| matches!(&event.event, Event::VoteCast(body) if mine(body)))?;
    // what is said of the vote stands between it and what it settles
    let said = |event: &&RecordedEvent| matches!(event.event, Event::VoteDelegated(_));
    let next = events[place + 1..].iter().find(|event| !said(event));
    let state = match next.map(|event| &event.event) {
        Some(Event::DecisionSettled(settled)) => settled.settlement.into(),
        _ => DecisionState::Requested,
    };
    let edited = matches!(events.get(place + 2).map(|e| &e.event), Some(Event::DraftEdited(_)));
    let mut later = events[place..].iter().filter_map(|event| match &event.event {
        Event::DecisionRequested(asked) => Some(asked.decision),
        _ => None,
    });
    let successor = if edited { later.next() } else { None };
    Some(Receipt { position: events[place].position, state, successor })
}
