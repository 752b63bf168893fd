//! The new epoch of restored or copied data (GATE.md §7).
//!
//! Between the moment at which the data were copied and now, anything may have been approved and
//! sent that this log knows nothing of. So its first event says that, every decision that is open or
//! unspent is void and its task asks again, every try without a result is in doubt, and what is in
//! doubt goes to a person, never to the provider by itself. No engine runs meanwhile; repeating it
//! after a crash goes on where it was.

use crate::mint::Mint;
use placet_core::decide::{Context, decide};
use placet_core::{Command, Run};
use placet_log::{Append, AppendError, Erasable, Expected, Log, NewEvent, ReadView};
use placet_model::event::governance::{EpochStarted, PayloadErased};
use placet_model::event::integration::HealthCheckFailed;
use placet_model::integration::IntegrationStatus;
use placet_model::policy::Policy;
use placet_model::{
    Actor, DataKeyId, Event, EventId, IntegrationId, Revision, RunId, StreamId, Timestamp,
};
use placet_projections::{Due, Views};
use std::collections::BTreeSet;

/// The field of a credential that some providers replace at every use: the copy of it may be spent.
const SINGLE_USE: &str = "refresh_token";
/// Keys of one epoch: 2^40 of them.
const EPOCH_BITS: u32 = 40;
/// Why an integration with such a credential is held.
pub const RESTORED: &str = "restored";

/// Whether the epoch is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// It is; events to this size were known elsewhere and are given up.
    Anew {
        /// The size of the largest head known to be signed, when it is larger than the log.
        lost_to: Option<u64>,
        /// The last epoch that is known elsewhere; 1 where none is.
        after: u64,
    },
    /// The last one was begun and cut short: no engine has run since.
    Resumed,
}

/// What became of the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The epoch.
    pub epoch: u64,
    /// Decisions that were open or unspent: void, and asked again.
    pub voided: usize,
    /// Tries without a result: in doubt.
    pub in_doubt: usize,
    /// Runs and events from outside whose content had been erased, came back, and was erased again.
    pub erased: usize,
    /// Integrations to connect again: their refresh token may have been used up.
    pub reconnect: Vec<String>,
}

/// Why an epoch cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be read.
    #[error("the restored log cannot be read")]
    Log(#[from] placet_log::Error),
    /// The projections cannot be read.
    #[error("the restored projections cannot be read")]
    Projections(#[from] placet_projections::Error),
    /// The log cannot be written.
    #[error("the new epoch cannot be recorded")]
    Append(#[from] AppendError),
    /// A run cannot be folded.
    #[error("a restored run cannot be folded")]
    Replay(#[from] placet_core::replay::Error),
    /// A run does not take the events.
    #[error("a restored run does not take the events of the new epoch")]
    Decide(#[from] placet_core::decide::Error),
}

/// Begins the epoch: [`EpochStarted`] first, then run by run, each in one append.
///
/// # Errors
/// Where the log cannot be read or written; nothing may run on it then.
pub fn begin(log: &Log, now: Timestamp, beginning: Beginning) -> Result<Report, Error> {
    let epochs = Epochs { log, now, mint: Mint::default() };
    let known = log.read()?.epochs()?;
    // what another copy has given out since is not given out again, so that an erasure of its
    // content, which is known outside of the data, never concerns ours
    let last = known.last().map_or(1, |last| last.number);
    let number = match beginning {
        Beginning::Resumed => last,
        Beginning::Anew { after, .. } => last.max(after) + 1,
    };
    log.skip_data_keys(DataKeyId(number << EPOCH_BITS))?;
    if let Beginning::Anew { lost_to, .. } = beginning {
        epochs.record(number, lost_to)?;
    }
    let mut report = Report { epoch: number, ..Report::default() };
    epochs.record_erasures(&mut report)?;
    for run in affected(&log.read()?)? {
        epochs.renew(run, &mut report)?;
    }
    epochs.hold_spent_credentials(&mut report)?;
    Ok(report)
}

struct Epochs<'l> {
    log: &'l Log,
    now: Timestamp,
    mint: Mint,
}

impl Epochs<'_> {
    fn record(&self, epoch: u64, lost_to: Option<u64>) -> Result<(), Error> {
        let head = *self.log.read()?.head();
        let started = EpochStarted { epoch, size: head.size, root: head.root, lost_to };
        let event = self.event(started, None);
        let append = Append::new(StreamId::Project, Expected::Any, vec![event]);
        self.log.append_blocking(self.now, append)?;
        Ok(())
    }

    /// What had been erased after the copy was made is erased again by now: the log says so, and a run
    /// whose content is gone does not go on. What counts is that no event says it yet: a process may
    /// have erased it, and died before it could say so.
    fn record_erasures(&self, report: &mut Report) -> Result<(), Error> {
        let view = self.log.read()?;
        let told = told_erasures(&view)?;
        for (what, payloads) in view.erased()? {
            let mut erased =
                PayloadErased { run: None, arrival: None, subject: None, payloads, reason: None };
            match what {
                Erasable::Stream(StreamId::Run(run)) => erased.run = Some(run),
                Erasable::Arrival(at) => erased.arrival = Some(view.event(at)?.event_id),
                // nothing else is ever erased
                Erasable::Stream(_) => continue,
            }
            if told.contains(&(erased.run, erased.arrival)) {
                continue;
            }
            if let Some(run) = erased.run {
                self.cancel(run)?;
            }
            let events = vec![self.event(erased, None)];
            self.log
                .append_blocking(self.now, Append::new(StreamId::Project, Expected::Any, events))?;
            report.erased += 1;
        }
        Ok(())
    }

    fn cancel(&self, id: RunId) -> Result<(), Error> {
        let run = self.run(id)?;
        let Some(facts) = run.facts().filter(|_| !run.is_over()) else { return Ok(()) };
        let by = facts.started.requester.clone();
        self.append_to(&run, Command::Cancel { by, reason: None }).map(drop)
    }

    /// Takes back what is open or unspent in a run, and puts its tries in doubt.
    fn renew(&self, id: RunId, report: &mut Report) -> Result<(), Error> {
        let run = self.run(id)?;
        for fact in self.append_to(&run, Command::NewEpoch)? {
            match fact {
                Event::DecisionVoided(_) => report.voided += 1,
                Event::AttemptInDoubt(_) => report.in_doubt += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn run(&self, id: RunId) -> Result<Run, Error> {
        let view = self.log.read()?;
        let stream = StreamId::Run(id);
        let events: Vec<_> = view.stream(&stream, Revision::START).collect::<Result<_, _>>()?;
        let folded = events.iter().map(|e| (e.revision, e.recorded_at, &e.event));
        Ok(placet_core::replay(id, folded)?)
    }

    /// All that the command comes to, in one append.
    fn append_to(&self, run: &Run, command: Command) -> Result<Vec<Event>, Error> {
        let policy = Policy::default();
        let context = Context { now: self.now, uptime: None, policy: &policy };
        let facts = decide(run, command, context)?;
        if !facts.is_empty() {
            let story = EventId::from_bytes(run.id.to_bytes());
            let new = facts.iter().map(|fact| self.event(fact.clone(), Some(story)));
            let expected = Expected::Exact(run.revision);
            let append = Append::new(StreamId::Run(run.id), expected, new.collect());
            self.log.append_blocking(self.now, append)?;
        }
        Ok(facts)
    }

    /// A token that its provider replaces at every use may have been used since: the copy of it
    /// must not be tried, and only a person can connect again.
    fn hold_spent_credentials(&self, report: &mut Report) -> Result<(), Error> {
        let view = self.log.read()?;
        for integration in Views::new(&view)?.integrations()? {
            let usable = integration.status == IntegrationStatus::Active;
            let known = integration.reason.as_deref() == Some(RESTORED);
            if !(usable || known) || !has_single_use(&view, integration.id)? {
                continue;
            }
            if usable {
                let failed =
                    HealthCheckFailed { integration: integration.id, code: RESTORED.to_owned() };
                let stream = StreamId::Integration(integration.id);
                let events = vec![self.event(failed, None)];
                self.log.append_blocking(self.now, Append::new(stream, Expected::Any, events))?;
            }
            report.reconnect.push(integration.name);
        }
        Ok(())
    }

    fn event(&self, fact: impl Into<Event>, correlation: Option<EventId>) -> NewEvent {
        let id = self.mint.event(self.now);
        NewEvent { correlation, ..NewEvent::new(id, Actor::Engine, fact) }
    }
}

/// The run, or the event from outside, that an event says to be erased.
type Told = (Option<RunId>, Option<EventId>);

/// The runs and events from outside of which the log says that they are erased.
fn told_erasures(view: &ReadView) -> Result<BTreeSet<Told>, Error> {
    let mut told = BTreeSet::new();
    for event in view.stream(&StreamId::Project, Revision::START) {
        if let Event::PayloadErased(body) = event?.event {
            told.insert((body.run, body.arrival));
        }
    }
    Ok(told)
}

/// Runs with something open, unspent, put off, or under way; a run that was renewed has none of it.
fn affected(view: &ReadView) -> Result<BTreeSet<RunId>, Error> {
    let views = Views::new(view)?;
    let mut runs: BTreeSet<RunId> = views.in_flight()?.into_iter().collect();
    runs.extend(views.open(None, usize::MAX)?.into_iter().map(|row| row.run));
    let due = views.due(Timestamp::from_millis(i64::MAX), usize::MAX)?.into_iter();
    let asked = |due: &Due| matches!(due, Due::Retry(_) | Due::Expiry(_));
    runs.extend(due.filter(|row| asked(&row.due)).map(|row| row.run));
    Ok(runs)
}

/// Whether the credential in force has a part that its provider may have replaced.
fn has_single_use(view: &ReadView, id: IntegrationId) -> Result<bool, Error> {
    let mut found = false;
    for event in view.stream(&StreamId::Integration(id), Revision::START) {
        if let Event::CredentialStored(body) = event?.event {
            found = body.fields.iter().any(|field| field == SINGLE_USE);
        }
    }
    Ok(found)
}
