//! Retention: the engine erases content whose time is over, as `placet.toml` says.
//!
//! Log time never runs backwards, so what is due stands in the order of the log: a look walks on
//! from a mark to the last event that is old enough, and says when the next one is due. Nothing is
//! kept in memory, nothing is polled. What cannot be erased yet (an attempt in doubt, a run whose end
//! its orderer has still to take) keeps the mark before it and is looked at again.
//!
//! With the policy `metadata_only` a run's content is erased once the run has ended. Until then its
//! bytes must be kept: what was approved is what is sent.

use crate::erasure::{Account, Erasure, EventPart, RunPart};
use crate::handle::{Error, Handle, Notice};
use crate::turn::{EraseRun, Job};
use placet_log::{Erasable, ReadView};
use placet_model::project::DataPolicy;
use placet_model::{
    Actor, Duration, Event, Position, RecordedEvent, Revision, RunId, StreamId, Timestamp,
};
use placet_projections::{OrderedBy, Views};
use std::collections::BTreeSet;
use tokio::sync::broadcast::error::RecvError;

/// Things that are erased in one go.
const BATCH_MAX: usize = 256;
/// Events that one look walks over before it sets its mark.
const WALK_MAX: usize = 50_000;
/// Looks that are due one after the other come in one, this late at most.
const LATE_MS: i64 = 60 * 60 * 1000;
/// The mark that was that of every end.
const EVERY_END: &str = "retention-runs";
/// With `metadata_only`, events from outside are kept this long where nothing is said.
const EVENTS_KEPT: Duration = Duration::from_days(1);

/// What is erased by age: each has a mark and a period of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// With `metadata_only`: runs that have ended, but for those that are kept.
    Ended,
    /// Runs that completed long ago.
    Completed,
    /// Runs that faulted long ago.
    Faulted,
    /// Runs that were cancelled long ago.
    Cancelled,
    /// Events that came from outside long ago.
    Events,
}

impl Sort {
    const ALL: [Self; 5] =
        [Self::Ended, Self::Completed, Self::Faulted, Self::Cancelled, Self::Events];

    const fn mark(self) -> &'static str {
        match self {
            Self::Ended => "retention-ended",
            Self::Completed => "retention-completed",
            Self::Faulted => "retention-faulted",
            Self::Cancelled => "retention-cancelled",
            Self::Events => "retention-events",
        }
    }

    /// Where to go on: ends of every kind had one mark before each had its own.
    fn from(self, view: &ReadView) -> Result<Position, Error> {
        let own = view.mark(self.mark())?;
        match self {
            Self::Completed | Self::Faulted | Self::Cancelled => Ok(own.max(view.mark(EVERY_END)?)),
            Self::Ended | Self::Events => Ok(own),
        }
    }

    /// The moment of a look that is due then: only an end is looked at at once.
    fn late(self, due: Timestamp, now: Timestamp) -> Timestamp {
        match self {
            Self::Ended => due,
            Self::Completed | Self::Faulted | Self::Cancelled | Self::Events => {
                due.max(now.plus_millis(LATE_MS))
            }
        }
    }

    /// Whether this event is an end of this sort.
    const fn is_end(self, event: &Event) -> bool {
        match self {
            Self::Ended => true,
            Self::Completed => matches!(event, Event::RunCompleted(_)),
            Self::Faulted => matches!(event, Event::RunFaulted(_)),
            Self::Cancelled => matches!(event, Event::RunCancelled(_)),
            Self::Events => false,
        }
    }
}

/// What a look has found.
#[derive(Debug)]
struct Look {
    erasure: Erasure,
    /// The last event that was walked over.
    to: Position,
    /// The place before the first thing that must wait.
    held: Option<Position>,
    /// Whether more is due already.
    more: bool,
    /// When the next event is old enough.
    next: Option<Timestamp>,
}

impl Handle {
    /// Erases by age for as long as the engine lives. Ends at once where nothing is erased by age.
    pub async fn keep_retention(self) {
        if Sort::ALL.iter().all(|sort| self.period(*sort).is_none()) {
            return;
        }
        let mut notices = self.notices();
        loop {
            let next = match self.enforce_retention().await {
                Ok(next) => next,
                Err(Error::Stopping | Error::CommitFailed { .. }) => return,
                Err(error) => {
                    let error = crate::turn::describe(&error);
                    tracing::error!(error, "content whose time is over is not erased");
                    Some(self.now().plus_millis(LATE_MS))
                }
            };
            let sleep = async {
                let Some(next) = next else { return std::future::pending().await };
                let wait = u64::try_from(next.millis_since(self.now())).unwrap_or(0);
                tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            };
            tokio::pin!(sleep);
            loop {
                tokio::select! {
                    () = &mut sleep => break,
                    notice = notices.recv() => match notice {
                        Err(RecvError::Closed) => return,
                        Ok(Notice::Finished { .. }) | Err(RecvError::Lagged(_))
                            if self.period(Sort::Ended).is_some() => break,
                        Ok(_) | Err(RecvError::Lagged(_)) => {}
                    },
                }
            }
        }
    }

    /// Erases whatever is due now; says when to look again.
    ///
    /// # Errors
    /// Where the project cannot be read or written.
    pub async fn enforce_retention(&self) -> Result<Option<Timestamp>, Error> {
        let mut next = None;
        for sort in Sort::ALL {
            if let Some(period) = self.period(sort) {
                let due = self.enforce(sort, period).await?;
                next = next.into_iter().chain(due).min();
            }
        }
        Ok(next)
    }

    async fn enforce(&self, sort: Sort, period: Duration) -> Result<Option<Timestamp>, Error> {
        let (mut from, mut low) = (sort.from(&self.view()?)?, None);
        loop {
            let handle = self.clone();
            let look = tokio::task::spawn_blocking(move || handle.look(sort, period, from)).await;
            let Look { mut erasure, to, held, more, next } =
                look.map_err(|_panicked| Error::Stopping)??;
            let stuck = self.erase_due(&mut erasure).await?;
            low = [low, held, stuck].into_iter().flatten().min();
            let mark = low.unwrap_or(to);
            if self.view()?.mark(sort.mark())? != mark {
                let log = self.env.log.clone();
                let set = tokio::task::spawn_blocking(move || log.set_mark(sort.mark(), mark));
                set.await.map_err(|_panicked| Error::Stopping)?.map_err(|error| failed(&error))?;
            }
            from = to;
            if !more {
                let again = low
                    .map(|_| self.now().plus_millis(if held.is_some() { 1000 } else { LATE_MS }));
                let next = next.map(|due| sort.late(due, self.now()));
                return Ok(next.into_iter().chain(again).min());
            }
        }
    }

    /// Erases what was found; what cannot be erased yet stays, and its place is where to go on.
    async fn erase_due(&self, erasure: &mut Erasure) -> Result<Option<Position>, Error> {
        if erasure.runs.is_empty() && erasure.events.is_empty() {
            return Ok(None);
        }
        let turn = self.act_turn().await;
        let mut stuck = None;
        let mut runs = vec![];
        for part in std::mem::take(&mut erasure.runs) {
            let requester = self.run_row(part.run)?.map(|row| row.requester);
            let Some(by) = requester else { continue };
            let erase = EraseRun { by, actor: Actor::Engine, account: Account::default() };
            match self.wish(part.run, Job::Erase(Box::new(erase))).await {
                Ok(_) => runs.push(part),
                Err(Error::Turn(crate::turn::Error::NotErasable { .. })) => {
                    let before = self.end_of(part.run)?;
                    stuck = [stuck, before].into_iter().flatten().min();
                }
                Err(error) => return Err(error),
            }
        }
        erasure.runs = runs;
        self.record_erasure(&Actor::Engine, erasure, Account::default(), turn).await?;
        Ok(stuck)
    }

    /// The place before the last event of a run.
    fn end_of(&self, run: RunId) -> Result<Option<Position>, Error> {
        let view = self.view()?;
        for event in view.stream(&StreamId::Run(run), Revision::START) {
            let event = event?;
            if ended(&event) == Some(run) {
                return Ok(Some(Position::new(event.position.get() - 1)));
            }
        }
        Ok(None)
    }

    fn look(&self, sort: Sort, period: Duration, from: Position) -> Result<Look, Error> {
        let view = self.view()?;
        let views = Views::new(&view)?;
        let (now, mut pending) = (self.now(), BTreeSet::new());
        for order in views.pending_orders()? {
            pending.insert(order.run);
            if let OrderedBy::Run { run, .. } = order.by {
                pending.insert(run);
            }
        }
        let erasure = Erasure::default();
        let mut look = Look { erasure, to: from, held: None, more: false, next: None };
        for (walked, event) in view.events(from.next()).enumerate() {
            let event = event?;
            let due = event.recorded_at.checked_add(period);
            if due.is_none_or(|due| due > now) {
                look.next = due;
                break;
            }
            let found = look.erasure.runs.len() + look.erasure.events.len();
            if found == BATCH_MAX || walked == WALK_MAX {
                look.more = true;
                break;
            }
            let end = ended(&event).filter(|_| sort.is_end(&event.event));
            if end.is_some_and(|run| pending.contains(&run)) {
                look.held = look.held.or(Some(look.to));
            } else {
                self.take(sort, &event, (&view, &views), &mut look.erasure)?;
            }
            look.to = event.position;
        }
        Ok(look)
    }

    /// Takes what this event is the end of, unless it is erased or kept.
    fn take(
        &self,
        sort: Sort,
        event: &RecordedEvent,
        (view, views): (&ReadView, &Views<'_>),
        erasure: &mut Erasure,
    ) -> Result<(), Error> {
        match (sort, ended(event), &event.event) {
            (sort, Some(run), end) if sort.is_end(end) => {
                let Some(row) = views.run(run)? else { return Ok(()) };
                let payloads = view.payloads_of(&Erasable::Stream(StreamId::Run(run)))?;
                let kept =
                    sort == Sort::Ended && self.env.config.data.is_kept(&row.workflow.family());
                if payloads > 0 && !kept {
                    let (workflow, status) = (row.workflow.to_string(), row.status.word());
                    erasure.runs.push(RunPart { run, workflow, status, payloads });
                }
            }
            (Sort::Events, _, Event::EventReceived(_) | Event::InboundReceived(_)) => {
                let position = event.position;
                let payloads = view.payloads_of(&Erasable::Arrival(position))?;
                if payloads > 0 {
                    let event = event.event_id;
                    erasure.events.push(EventPart { position, event, payloads });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The time after which something of this sort may go.
    fn period(&self, sort: Sort) -> Option<Duration> {
        let config = &self.env.config;
        let metadata_only = config.data.policy == DataPolicy::MetadataOnly;
        match sort {
            Sort::Ended => metadata_only.then(Duration::default),
            Sort::Completed => config.retention.completed.or(config.retention.runs),
            Sort::Faulted => config.retention.faulted.or(config.retention.runs),
            Sort::Cancelled => config.retention.cancelled.or(config.retention.runs),
            Sort::Events => {
                config.retention.events.or_else(|| metadata_only.then_some(EVENTS_KEPT))
            }
        }
    }
}

fn failed(error: &placet_log::AppendError) -> Error {
    Error::CommitFailed { reason: error.to_string() }
}

/// The run that this event ends.
fn ended(event: &RecordedEvent) -> Option<RunId> {
    match (&event.event, &event.stream) {
        (
            Event::RunCompleted(_) | Event::RunFaulted(_) | Event::RunCancelled(_),
            StreamId::Run(run),
        ) => Some(*run),
        _ => None,
    }
}
