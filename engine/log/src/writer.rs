//! The writer: takes all appends that wait, writes them in one transaction, and answers each after
//! the durable commit.
//!
//! There is one writer, behind a lock. Its thread serves whatever is queued; who may block writes
//! on its own thread while nothing is queued ([`Desk::write_here`]), which saves waking another one.
//! There is no timer: the sync of one commit is the time in which the next batch gathers. A batch is
//! durable once its rows are in the journal ([`crate::journal`]); when that is full, and for every
//! maintenance, once redb has committed it, and with it all before. Those commits are quick-repair ones
//! (so two-phase): restart takes milliseconds. After any failure the writer writes nothing more; it
//! answers every append that the outcome is unknown, until the log is dropped.

use crate::append::{AppendResult, EVENTS_MAX};
use crate::commit::{self, Committer, Prepared};
use crate::journal::{Journal, Next};
use crate::projector::Projector;
use crate::shared::Shared;
use crate::storage::panic_text;
use crate::{AppendError, BoxError};
use placet_model::Position;
use redb::WriteTransaction;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A batch is closed when it holds this much.
const BYTES_MAX: usize = 1024 * 1024;

pub(crate) type Done = Box<dyn FnOnce(AppendResult) + Send>;
pub(crate) type Maintain = Box<dyn FnOnce(&WriteTransaction) -> Result<(), BoxError> + Send>;
pub(crate) type Maintained = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// All that the writer can be asked.
pub(crate) enum Request {
    Append(Prepared, Done),
    Maintain(Maintain, Maintained),
    /// Runs between appends, outside every transaction; an error stops the log.
    Alone(Box<dyn FnOnce() -> Result<(), String> + Send>),
    /// Empties the journal, and leaves none of its bytes.
    Wipe(Maintained),
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(prepared, _) => f.debug_tuple("Append").field(prepared).finish(),
            Self::Maintain(..) => f.write_str("Maintain"),
            Self::Alone(_) => f.write_str("Alone"),
            Self::Wipe(_) => f.write_str("Wipe"),
        }
    }
}

/// Where appends are brought to: the queue, and the writer behind its lock.
pub(crate) struct Desk {
    queue: SyncSender<Request>,
    /// Requests that are queued, and not in the writer's hands yet.
    queued: Arc<AtomicUsize>,
    writer: Arc<Mutex<Writer>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("queued", &self.queued).finish_non_exhaustive()
    }
}

impl Desk {
    /// Queues a request for the writer's thread: waits while the queue is full. Gives it back when
    /// that thread has ended.
    pub(crate) fn queue(&self, request: Request) -> Result<(), Request> {
        self.queued.fetch_add(1, Ordering::AcqRel);
        self.queue.send(request).map_err(|unsent| unsent.0)
    }

    /// Writes on this thread, until it is durable and answered, when the writer has nothing else to
    /// do; else queues. Nothing that was queued before is overtaken.
    pub(crate) fn write_here(&self, prepared: Prepared, done: Done) -> Result<(), Request> {
        let writer = match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        };
        // only who holds the lock takes from the queue, so that none stays none
        match writer.filter(|_| self.queued.load(Ordering::Acquire) == 0) {
            Some(mut writer) => {
                writer.serve(Request::Append(prepared, done), || None);
                Ok(())
            }
            None => self.queue(Request::Append(prepared, done)),
        }
    }
}

/// Starts a writer; its thread ends when the desk is gone.
pub(crate) fn start(
    writer: Writer,
    room: usize,
) -> std::io::Result<(Desk, std::thread::JoinHandle<()>)> {
    let (queue, requests) = std::sync::mpsc::sync_channel(room);
    let (queued, writer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(writer)));
    let desk = Desk { queue, queued: Arc::clone(&queued), writer: Arc::clone(&writer) };
    let thread = std::thread::Builder::new()
        .name("placet-log".into())
        .spawn(move || run(&writer, &requests, &queued))?;
    Ok((desk, thread))
}

/// Serves until the desk is gone.
fn run(writer: &Mutex<Writer>, requests: &Receiver<Request>, queued: &AtomicUsize) {
    let lock = || writer.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held = None;
    while let Some(request) = held.take().or_else(|| requests.recv().ok()) {
        held = serve_queue(lock(), request, (requests, queued));
    }
    lock().close();
}

/// Serves a request that was taken from the queue, and those behind it that it can be served with.
/// Gives back the one that ended the batch: it begins the next, and counts as queued till then.
fn serve_queue(
    mut writer: MutexGuard<'_, Writer>,
    request: Request,
    (requests, queued): (&Receiver<Request>, &AtomicUsize),
) -> Option<Request> {
    queued.fetch_sub(1, Ordering::AcqRel);
    let held = writer.serve(request, || {
        let next = requests.try_recv().ok()?;
        queued.fetch_sub(1, Ordering::AcqRel);
        Some(next)
    });
    if held.is_some() {
        queued.fetch_add(1, Ordering::AcqRel);
    }
    held
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    committer: Committer,
    projector: Box<dyn Projector>,
    journal: Journal,
    /// Why it writes nothing more.
    stopped: Option<Stopped>,
}

/// Why the writer stopped.
#[derive(Debug, Clone)]
enum Stopped {
    Unknown(String),
    Projection(String),
}

impl Stopped {
    fn error(&self) -> AppendError {
        match self {
            Self::Unknown(reason) => AppendError::CommitUnknown { reason: reason.clone() },
            Self::Projection(reason) => AppendError::Projection { reason: reason.clone() },
        }
    }
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        (committer, journal): (Committer, Journal),
        projector: Box<dyn Projector>,
    ) -> Self {
        Self { shared, committer, projector, journal, stopped: None }
    }

    /// Serves one request, an append together with those that `next` gives. Returns the request
    /// that ended its batch.
    fn serve(
        &mut self,
        request: Request,
        next: impl FnMut() -> Option<Request>,
    ) -> Option<Request> {
        if let Some(stopped) = &self.stopped {
            refuse(request, stopped);
            return None;
        }
        let mut held = None;
        let served = match request {
            Request::Append(first, done) => {
                let (batch, answers, ended_by) = gather((first, done), next);
                held = ended_by;
                self.append(batch, answers)
            }
            Request::Maintain(work, done) => self.maintain(work, done),
            Request::Alone(work) => work().map_err(|reason| {
                self.shared.stop();
                Stopped::Unknown(reason)
            }),
            Request::Wipe(done) => self.wiped(done),
        };
        if let Err(stopped) = served {
            tracing::error!(reason = ?stopped, "the log stopped");
            self.stopped = Some(stopped);
        }
        held
    }

    fn append(&mut self, batch: Vec<Prepared>, answers: Vec<Done>) -> Result<(), Stopped> {
        let results = match catch_unwind(AssertUnwindSafe(|| self.commit(batch))) {
            Ok(Ok(results)) => results,
            failed => {
                // before the first answer, so that nobody who got one reads from this handle
                self.shared.stop();
                let stopped = match failed {
                    Ok(Err(stopped)) => stopped,
                    Ok(Ok(_)) => Stopped::Unknown("unreachable".to_owned()),
                    Err(panic) => Stopped::Unknown(panic_text(&*panic)),
                };
                for done in answers {
                    done(Err(stopped.error()));
                }
                return Err(stopped);
            }
        };
        for (done, result) in answers.into_iter().zip(results) {
            done(result);
        }
        Ok(())
    }

    fn commit(&mut self, batch: Vec<Prepared>) -> Result<Vec<AppendResult>, Stopped> {
        let begun = Instant::now();
        let tx = self.begin()?;
        let (outcomes, recorded) = self
            .committer
            .write(&tx, batch.into_iter())
            .map_err(|error| Stopped::Unknown(chain(&error)))?;
        if recorded.is_empty() {
            tx.abort().map_err(|error| Stopped::Unknown(error.to_string()))?;
        } else {
            self.projector
                .apply(&tx, &recorded)
                .map_err(|error| Stopped::Projection(chain(&*error)))?;
            self.keep(tx, recorded.first().map(|event| event.position))?;
            self.shared.commits.note(begun.elapsed());
            self.shared.tail.publish(self.committer.head.position());
        }
        let mut recorded = recorded.into_iter();
        Ok(outcomes
            .into_iter()
            .map(|outcome| commit::acknowledge(outcome, &mut recorded))
            .collect())
    }

    /// Makes a batch durable whose first new event is at `first`, then shows it to readers.
    fn keep(&mut self, mut tx: WriteTransaction, first: Option<Position>) -> Result<(), Stopped> {
        let (head, rows) = (&self.committer.head, &self.committer.rows);
        let journalled = first.map_or(Ok(false), |first| self.journal.write(first, (head, rows)));
        if !journalled.map_err(|error| Stopped::Unknown(chain(&error)))? {
            return self.fold(tx, Next::Journalled);
        }
        let unknown = |error: &dyn std::error::Error| Stopped::Unknown(error.to_string());
        // the journal has it: redb need not sync
        tx.set_durability(redb::Durability::None).map_err(|error| unknown(&error))?;
        tx.commit().map_err(|error| unknown(&error))
    }

    /// Commits durably in redb, and with it all that was journalled.
    fn fold(&mut self, tx: WriteTransaction, next: Next) -> Result<(), Stopped> {
        let standing = self.journal.fold(&tx, next);
        let standing = standing.map_err(|error| Stopped::Unknown(chain(&error)))?;
        tx.commit().map_err(|error| Stopped::Unknown(error.to_string()))?;
        self.journal.folded(standing);
        Ok(())
    }

    /// Commits a transaction of maintenance durably.
    fn fold_if_used(&mut self, tx: WriteTransaction) -> Result<(), Stopped> {
        if self.journal.is_in_use() {
            return self.fold(tx, Next::Journalled);
        }
        tx.commit().map_err(|error| Stopped::Unknown(error.to_string()))
    }

    /// Leaves everything in redb, where all went well.
    fn close(&mut self) {
        if self.stopped.is_some() || !self.journal.is_in_use() {
            return;
        }
        let closed = catch_unwind(AssertUnwindSafe(|| {
            let tx = self.begin()?;
            self.fold(tx, Next::Nothing)
        }));
        match closed {
            Ok(Ok(())) => {}
            // the next open puts the journal into it
            Ok(Err(reason)) => tracing::warn!(?reason, "the log is not closed in order"),
            Err(panic) => {
                tracing::warn!(panic = panic_text(&*panic), "the log is not closed in order");
            }
        }
    }

    fn wiped(&mut self, done: Maintained) -> Result<(), Stopped> {
        let wiped = self.wipe();
        if wiped.is_err() {
            self.shared.stop();
        }
        done(wiped.as_ref().map_err(Stopped::error).copied());
        wiped
    }

    /// Empties the journal, and leaves none of its bytes.
    fn wipe(&mut self) -> Result<(), Stopped> {
        let tx = self.begin()?;
        self.fold_if_used(tx)?;
        self.journal.wipe().map_err(|error| Stopped::Unknown(chain(&error)))
    }

    fn maintain(&mut self, work: Maintain, done: Maintained) -> Result<(), Stopped> {
        let result = catch_unwind(AssertUnwindSafe(|| -> Result<_, Stopped> {
            let tx = self.begin()?;
            match work(&tx) {
                Ok(()) => self.fold_if_used(tx).map(Ok),
                Err(error) => {
                    tx.abort().map_err(|error| Stopped::Unknown(error.to_string()))?;
                    Ok(Err(AppendError::Projection { reason: chain(&*error) }))
                }
            }
        }));
        if !matches!(result, Ok(Ok(_))) {
            self.shared.stop();
        }
        match result {
            Ok(Ok(answer)) => {
                done(answer);
                Ok(())
            }
            Ok(Err(stopped)) => {
                done(Err(stopped.error()));
                Err(stopped)
            }
            Err(panic) => {
                let stopped = Stopped::Unknown(panic_text(&*panic));
                done(Err(stopped.error()));
                Err(stopped)
            }
        }
    }

    fn begin(&self) -> Result<WriteTransaction, Stopped> {
        let begun = self.shared.db.0.begin_write();
        let mut tx = begun.map_err(|error| Stopped::Unknown(error.to_string()))?;
        tx.set_quick_repair(true);
        Ok(tx)
    }
}

fn refuse(request: Request, stopped: &Stopped) {
    match request {
        Request::Append(_, done) => done(Err(stopped.error())),
        Request::Maintain(_, done) | Request::Wipe(done) => done(Err(stopped.error())),
        Request::Alone(work) => drop(work),
    }
}

/// Takes all appends that wait, at most [`EVENTS_MAX`] events or [`BYTES_MAX`] bytes, and what ends
/// the batch before it is full.
fn gather(
    (first, done): (Prepared, Done),
    mut next: impl FnMut() -> Option<Request>,
) -> (Vec<Prepared>, Vec<Done>, Option<Request>) {
    let (mut events, mut bytes) = (first.events(), first.bytes());
    let (mut batch, mut answers) = (vec![first], vec![done]);
    while let Some(request) = next() {
        let Request::Append(prepared, done) = request else {
            return (batch, answers, Some(request));
        };
        events += prepared.events();
        bytes += prepared.bytes();
        if events > EVENTS_MAX || bytes > BYTES_MAX {
            return (batch, answers, Some(Request::Append(prepared, done)));
        }
        batch.push(prepared);
        answers.push(done);
    }
    (batch, answers, None)
}

/// An error and its sources in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
