//! Erasing content: of a run, or of everything that is about a person.
//!
//! The order, so that a kill anywhere leaves a state that is true:
//!
//! 1. What waits has its decisions withdrawn, is cancelled and is erased in one commit, run by run: no
//!    run is cancelled for an erasure that has not come about. A kill between two of them leaves
//!    the others as they are, and the erasure unacknowledged: the same command does the rest.
//! 2. One commit does the same for what is over and for events from outside: it appends
//!    `PayloadErased` for each, deletes the payload rows and puts the keys down for destruction.
//!    From here on the erasure is a fact.
//! 3. The keys are destroyed, tombstones first. A kill here is finished by the next open of the
//!    log (`placet_log`), before anybody can read.
//!
//! An erasure never rewrites an event, and reads nothing of the content that it erases.

use crate::env::Env;
use crate::handle::{Error, Handle};
use crate::input::ActTurn;
use crate::turn::{EraseRun, Job};
use placet_log::{Append, AppendError, Compacted, Erasable, Expected, NewEvent, Payload, ReadView};
use placet_model::actor::Role;
use placet_model::event::governance::PayloadErased;
use placet_model::{
    Actor, Digest, Event, EventId, PayloadRef, Position, Principal, RecordedEvent, Revision, RunId,
    StreamId, Timestamp, subject,
};
use placet_projections::{OrderStage, OrderedBy, RunStatus, Views};
use serde::Serialize;
use std::collections::BTreeSet;

/// What stands in the place of content that was erased.
pub const ERASED: &str = "[erased]";

/// Content, or none when it was erased; every other error stays one.
///
/// # Errors
/// What reading it failed with.
pub fn unless_erased(
    payload: Result<Payload, placet_log::Error>,
) -> Result<Option<Payload>, placet_log::Error> {
    match payload {
        Ok(payload) => Ok(Some(payload)),
        Err(placet_log::Error::Erased { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Erasures of one transaction at most.
const GROUP_MAX: usize = 256;

/// What is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erase {
    /// A run, and the runs that it has ordered.
    Run(RunId),
    /// Whatever is about the person whom this value identifies: an e-mail address, a phone number,
    /// an id of a provider.
    Subject(String),
}

/// What an erasure takes: shown before, and told after.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Erasure {
    /// Runs, with what they hold now.
    pub runs: Vec<RunPart>,
    /// Events from outside.
    pub events: Vec<EventPart>,
    /// Payloads of all of them.
    pub payloads: u64,
    /// Until when backups taken before may hold the destroyed keys.
    pub backups_until: Option<Timestamp>,
    /// Place of the last event that says so; none before.
    pub position: Option<Position>,
}

/// A run of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunPart {
    /// Which run.
    pub run: RunId,
    /// `namespace/name@version`.
    pub workflow: String,
    /// Where it stands: what is not over is cancelled.
    pub status: &'static str,
    /// Its payloads.
    pub payloads: u64,
}

/// An event from outside of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventPart {
    /// Its place.
    pub position: Position,
    /// Its id.
    pub event: EventId,
    /// Its payloads.
    pub payloads: u64,
}

impl Handle {
    /// What would be erased. Changes nothing.
    ///
    /// # Errors
    /// An unknown run; a run that cannot be erased yet; a project that cannot be read.
    pub fn erasure(&self, what: &Erase) -> Result<Erasure, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let mut found = Found::default();
        match what {
            Erase::Run(run) => found.with_descendants(&view, &views, *run)?,
            Erase::Subject(value) => {
                let who = normalised(value)?;
                for holds in view.subject(&self.env.log.pseudonym(&who))? {
                    match holds {
                        Erasable::Stream(StreamId::Run(run)) => drop(found.runs.insert(run)),
                        Erasable::Arrival(position) => drop(found.events.insert(position)),
                        Erasable::Stream(_) => {}
                    }
                }
            }
        }
        let mut erasure = found.read(&view, &views)?;
        erasure.backups_until = self.backups_until();
        Ok(erasure)
    }

    /// Erases. Answers once the keys are destroyed.
    ///
    /// # Errors
    /// When the actor is neither operator nor admin, a run has a call under way or in doubt, or the
    /// project cannot be written.
    pub async fn erase(
        &self,
        by: &Principal,
        what: &Erase,
        reason: Option<String>,
    ) -> Result<Erasure, Error> {
        let turn = self.act_turn().await;
        self.demand_eraser(by)?;
        let mut erasure = self.erasure(what)?;
        let subject = match what {
            Erase::Run(_) => None,
            Erase::Subject(value) => Some(self.env.log.pseudonym(&normalised(value)?)),
        };
        let (actor, account) = (Actor::Principal(by.clone()), Account { subject, reason });
        let waiting = self.erase_waiting(by, &mut erasure, &account).await?;
        self.record_erasure(&actor, &mut erasure, account, turn).await?;
        erasure.payloads += waiting.iter().map(|part| part.payloads).sum::<u64>();
        erasure.runs.extend(waiting);
        erasure.runs.sort_by_key(|part| part.run);
        if erasure.runs.iter().any(|part| part.workflow.starts_with(crate::schedules::NAMESPACE)) {
            self.listen_for_all().await?;
        }
        Ok(erasure)
    }

    /// Takes the runs that wait out of the erasure: each is cancelled and erased in one commit. What is
    /// over stays in it.
    async fn erase_waiting(
        &self,
        by: &Principal,
        erasure: &mut Erasure,
        account: &Account,
    ) -> Result<Vec<RunPart>, Error> {
        let (mut done, mut over) = (vec![], vec![]);
        for mut part in std::mem::take(&mut erasure.runs) {
            let actor = Actor::Principal(by.clone());
            let erase = EraseRun { by: by.clone(), actor, account: account.clone() };
            let recorded = self.wish(part.run, Job::Erase(Box::new(erase))).await?;
            match recorded.iter().find_map(told_of) {
                Some((position, payloads)) => {
                    part.payloads = payloads;
                    erasure.position = Some(position);
                    done.push(part);
                }
                None => over.push(part),
            }
        }
        erasure.runs = over;
        Ok(done)
    }

    /// Writes the files anew without what was erased; appends wait while the log is packed.
    ///
    /// # Errors
    /// When the principal is neither operator nor admin; when somebody reads all the time, or the
    /// files cannot be written.
    pub async fn compact(&self, by: &Principal) -> Result<Compacted, Error> {
        self.demand_eraser(by)?;
        let log = self.env.log.clone();
        let compacted = tokio::task::spawn_blocking(move || log.compact(|_step| {})).await;
        compacted.map_err(|_panicked| Error::Stopping)?.map_err(|error| match error {
            AppendError::Log { source } => Error::from(*source),
            other => Error::CommitFailed { reason: other.to_string() },
        })
    }

    fn demand_eraser(&self, by: &Principal) -> Result<(), Error> {
        let world = self.world();
        let may = [Role::Operator, Role::Admin];
        if may.into_iter().any(|role| world.policy.has_role(by, role)) {
            return Ok(());
        }
        let detail = format!("{by} needs the role operator or admin to erase content");
        Err(Error::Refused { code: "PL4005", detail })
    }

    /// Appends the events, erasing in the same transaction; then destroys the keys.
    pub(crate) async fn record_erasure(
        &self,
        actor: &Actor,
        erasure: &mut Erasure,
        account: Account,
        turn: ActTurn,
    ) -> Result<(), Error> {
        let mut turn = Some(turn);
        let parts = self.parts(erasure)?;
        erasure.payloads = parts.iter().map(|part| part.payloads).sum();
        for group in parts.chunks(GROUP_MAX) {
            let append = told(&self.env, actor, group, &account)?;
            let held = match turn.take() {
                Some(held) => held,
                None => self.act_turn().await,
            };
            let recorded = self.change(vec![append], None, held).await?;
            erasure.position = recorded.last().map(|event| event.position);
        }
        let log = self.env.log.clone();
        let finished = tokio::task::spawn_blocking(move || log.finish_erasures()).await;
        match finished {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(unfinished(&error)),
            Err(error) => Err(unfinished(&error)),
        }
    }

    /// What is still there of an erasure, as it is now: cancelling has added events.
    fn parts(&self, erasure: &mut Erasure) -> Result<Vec<Part>, Error> {
        let view = self.view()?;
        let mut parts = vec![];
        for run in &mut erasure.runs {
            run.payloads = view.payloads_of(&Erasable::Stream(StreamId::Run(run.run)))?;
            parts.push(Part::of_run(run.run, run.payloads));
        }
        for event in &mut erasure.events {
            let what = Erasable::Arrival(event.position);
            event.payloads = view.payloads_of(&what)?;
            let (payloads, story) = (event.payloads, event.event);
            parts.push(Part { what, run: None, arrival: Some(event.event), story, payloads });
        }
        Ok(parts)
    }

    /// Backups taken before now may hold what is destroyed now, until the operator deletes them; at
    /// the latest then, if they are deleted as he has said.
    fn backups_until(&self) -> Option<Timestamp> {
        self.now().checked_add(self.env.config.retention.backups?)
    }
}

/// On whose account something is erased, and why.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Pseudonym of the person.
    pub(crate) subject: Option<Digest>,
    pub(crate) reason: Option<String>,
}

/// The append that says what is erased, and erases it. Whoever makes it has the turn to act: the
/// reason is content of the next event of the project.
pub(crate) fn told(
    env: &Env,
    actor: &Actor,
    parts: &[Part],
    account: &Account,
) -> Result<Append, placet_log::Error> {
    let next = env.view()?.revision(&StreamId::Project)?.next();
    let Account { subject, reason } = account;
    let mut events = vec![];
    for part in parts {
        let erased = PayloadErased {
            run: part.run,
            arrival: part.arrival,
            subject: *subject,
            payloads: part.payloads,
            reason: reason.as_ref().map(|_| PayloadRef::new(next, 0)),
        };
        let id = env.mint.event(env.now());
        let mut new = NewEvent::new(id, actor.clone(), Event::from(erased));
        new.correlation = Some(part.story);
        if let Some(reason) = reason.as_ref().filter(|_| events.is_empty()) {
            let text = serde_json::Value::from(reason.as_str()).to_string();
            new = new.with_payload(text.into_bytes());
        }
        events.push(new);
    }
    let erases = parts.iter().map(|part| part.what.clone()).collect();
    Ok(Append::new(StreamId::Project, Expected::Any, events).erasing(erases))
}

/// What an event says of an erasure: where it stands, and how many payloads are gone.
fn told_of(event: &RecordedEvent) -> Option<(Position, u64)> {
    let Event::PayloadErased(body) = &event.event else { return None };
    Some((event.position, body.payloads))
}

/// One thing that is erased.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    what: Erasable,
    run: Option<RunId>,
    arrival: Option<EventId>,
    /// The story that it belongs to.
    story: EventId,
    payloads: u64,
}

impl Part {
    /// All content of a run.
    pub(crate) fn of_run(run: RunId, payloads: u64) -> Self {
        let (what, story) =
            (Erasable::Stream(StreamId::Run(run)), EventId::from_bytes(run.to_bytes()));
        Self { what, run: Some(run), arrival: None, story, payloads }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    runs: BTreeSet<RunId>,
    events: BTreeSet<Position>,
}

impl Found {
    /// The run, and what it has ordered: what these hold came from it.
    fn with_descendants(
        &mut self,
        view: &ReadView,
        views: &Views<'_>,
        run: RunId,
    ) -> Result<(), Error> {
        let mut wanted = vec![run];
        while let Some(run) = wanted.pop() {
            if views.run(run)?.is_none() {
                let detail = format!("there is no run {run}");
                return Err(Error::Refused { code: "PL4001", detail });
            }
            if !self.runs.insert(run) {
                continue;
            }
            for event in view.stream(&StreamId::Run(run), Revision::START) {
                if let Event::ChildStarted(body) = event?.event
                    && views.run(body.child)?.is_some()
                {
                    wanted.push(body.child);
                }
            }
        }
        Ok(())
    }

    fn read(self, view: &ReadView, views: &Views<'_>) -> Result<Erasure, Error> {
        self.refuse_orderers(views)?;
        let mut erasure = Erasure::default();
        for run in self.runs {
            let Some(row) = views.run(run)? else { continue };
            let payloads = view.payloads_of(&Erasable::Stream(StreamId::Run(run)))?;
            // what was erased before is not erased again
            if payloads == 0 && is_over(row.status) {
                continue;
            }
            let (workflow, status) = (row.workflow.to_string(), row.status.word());
            erasure.payloads += payloads;
            erasure.runs.push(RunPart { run, workflow, status, payloads });
        }
        for position in self.events {
            let payloads = view.payloads_of(&Erasable::Arrival(position))?;
            let event = view.event(position)?.event_id;
            erasure.payloads += payloads;
            erasure.events.push(EventPart { position, event, payloads });
        }
        Ok(erasure)
    }

    /// A run that was ordered and has not begun still needs what its orderer holds for it.
    fn refuse_orderers(&self, views: &Views<'_>) -> Result<(), Error> {
        for order in views.pending_orders()? {
            if let (OrderedBy::Run { run, .. }, OrderStage::Ordered) = (&order.by, order.stage)
                && self.runs.contains(run)
            {
                let reason = format!("{} was ordered by it and has not begun", order.run);
                return Err(crate::turn::Error::NotErasable { run: *run, reason }.into());
            }
        }
        Ok(())
    }
}

const fn is_over(status: RunStatus) -> bool {
    matches!(status, RunStatus::Completed | RunStatus::Faulted | RunStatus::Cancelled)
}

fn normalised(value: &str) -> Result<String, Error> {
    let form = subject::normalise(value);
    if form.is_empty() {
        let detail = "a subject is an e-mail address, a phone number, or an id".to_owned();
        return Err(Error::Refused { code: "PL4003", detail });
    }
    Ok(form)
}

/// The erasure is a fact; what is left of it is done by the next open.
fn unfinished(error: &dyn std::error::Error) -> Error {
    let detail = format!(
        "the content is erased from the log, but its keys are not destroyed yet ({}): restart the engine, which finishes it",
        crate::turn::describe(error)
    );
    Error::Refused { code: "PL1002", detail }
}
