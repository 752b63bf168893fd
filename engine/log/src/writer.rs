//! The writer thread: takes all appends that wait, writes them in one transaction, and answers
//! each after the durable commit.
//!
//! There is no timer: the sync of one commit is the time in which the next batch gathers. Every
//! commit is a quick-repair one (so two-phase): restart takes milliseconds. After any failure the
//! thread writes nothing more; it answers every append that the outcome is unknown, until the log
//! is dropped.

use crate::append::{AppendResult, EVENTS_MAX};
use crate::commit::{self, Committer, Prepared};
use crate::projector::Projector;
use crate::shared::Shared;
use crate::storage::panic_text;
use crate::{AppendError, BoxError};
use redb::WriteTransaction;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

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
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append(prepared, _) => f.debug_tuple("Append").field(prepared).finish(),
            Self::Maintain(..) => f.write_str("Maintain"),
            Self::Alone(_) => f.write_str("Alone"),
        }
    }
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    committer: Committer,
    projector: Box<dyn Projector>,
    requests: Receiver<Request>,
    /// What ended the batch before it was full: it begins the next.
    held: Option<Request>,
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
        committer: Committer,
        projector: Box<dyn Projector>,
        requests: Receiver<Request>,
    ) -> Self {
        Self { shared, committer, projector, requests, held: None }
    }

    /// Runs until every sender is gone.
    pub(crate) fn run(mut self) {
        while let Some(request) = self.next() {
            let stopped = match request {
                Request::Append(first, done) => self.append(first, done),
                Request::Maintain(work, done) => self.maintain(work, done),
                Request::Alone(work) => work().map_err(|reason| {
                    self.shared.stop();
                    Stopped::Unknown(reason)
                }),
            };
            if let Err(stopped) = stopped {
                tracing::error!(reason = ?stopped, "the log stopped");
                self.refuse_all(&stopped);
                return;
            }
        }
    }

    fn next(&mut self) -> Option<Request> {
        self.held.take().or_else(|| self.requests.recv().ok())
    }

    fn refuse_all(mut self, stopped: &Stopped) {
        while let Some(request) = self.next() {
            match request {
                Request::Append(_, done) => done(Err(stopped.error())),
                Request::Maintain(_, done) => done(Err(stopped.error())),
                Request::Alone(work) => drop(work),
            }
        }
    }

    /// Takes all appends that wait, at most [`EVENTS_MAX`] events or [`BYTES_MAX`] bytes.
    fn gather(&mut self, first: Prepared, done: Done) -> (Vec<Prepared>, Vec<Done>) {
        let (mut events, mut bytes) = (first.events(), first.bytes());
        let (mut batch, mut answers) = (vec![first], vec![done]);
        while let Ok(request) = self.requests.try_recv() {
            let Request::Append(prepared, done) = request else {
                self.held = Some(request);
                break;
            };
            events += prepared.events();
            bytes += prepared.bytes();
            if events > EVENTS_MAX || bytes > BYTES_MAX {
                self.held = Some(Request::Append(prepared, done));
                break;
            }
            batch.push(prepared);
            answers.push(done);
        }
        (batch, answers)
    }

    fn append(&mut self, first: Prepared, done: Done) -> Result<(), Stopped> {
        let (batch, answers) = self.gather(first, done);
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
            tx.commit().map_err(|error| Stopped::Unknown(error.to_string()))?;
            self.shared.tail.publish(self.committer.head.position());
        }
        let mut recorded = recorded.into_iter();
        Ok(outcomes
            .into_iter()
            .map(|outcome| commit::acknowledge(outcome, &mut recorded))
            .collect())
    }

    fn maintain(&self, work: Maintain, done: Maintained) -> Result<(), Stopped> {
        let result = catch_unwind(AssertUnwindSafe(|| -> Result<_, Stopped> {
            let tx = self.begin()?;
            match work(&tx) {
                Ok(()) => {
                    tx.commit().map_err(|error| Stopped::Unknown(error.to_string()))?;
                    Ok(Ok(()))
                }
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
        #[cfg(placet_mutants)]
        if placet_mutants::is_planted(placet_mutants::Mutant::DurabilityNone) {
            let weak = tx.set_durability(redb::Durability::None);
            weak.map_err(|error| Stopped::Unknown(error.to_string()))?;
        }
        Ok(tx)
    }
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
