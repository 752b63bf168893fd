//! A bounded pool of threads with deep stacks and a watchdog.
//!
//! An evaluation over its budget ends itself ([`super::budget`]), as long as it works on values.
//! What is deep in a regular expression or a sort does not, so a thread that is long over its
//! deadline is given up and counted: its caller gets an error, the thread dies when (if) its work
//! ends, and after
//! [`super::Limits::abandoned_max`] of them nothing more is accepted until the process restarts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::budget::Stop;
use super::{Error, STACK_BYTES};

/// An evaluation ends itself at its deadline; only one that cannot is given up, after twice the
/// time and this.
const GRACE: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce() + Send>;

/// A thread that waits for its next job; it ends when this is dropped.
#[derive(Debug)]
struct Worker {
    jobs: SyncSender<Job>,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Worker>,
    /// Threads that are idle or at work, the abandoned ones not counted.
    live: usize,
    abandoned: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    state: Mutex<State>,
    returned: Condvar,
    workers_max: usize,
    abandoned_max: usize,
}

impl Pool {
    pub(crate) fn new(workers_max: usize, abandoned_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            returned: Condvar::new(),
            workers_max: workers_max.max(1),
            abandoned_max,
        }
    }

    /// Threads given up since the start.
    pub(crate) fn abandoned(&self) -> usize {
        self.lock().abandoned
    }

    /// Runs `work` on a thread of the pool and waits for its result: `deadline` and as long again
    /// for it to end itself, counted from the moment a thread is free.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let worker = self.check_out()?;
        let (reply, answer) = sync_channel(1);
        let job: Job = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            // Nobody waits any more when the caller has given this thread up.
            reply.send(result).unwrap_or_default();
        });
        if worker.jobs.send(job).is_err() {
            self.lock().live -= 1;
            return Err(Error::EnginePanicked);
        }
        match answer.recv_timeout(deadline.saturating_mul(2) + GRACE) {
            Ok(result) => {
                self.check_in(worker);
                result.map_err(|unwound| match unwound.downcast::<Stop>() {
                    Ok(stop) => Error::from(*stop),
                    Err(_panic) => Error::EnginePanicked,
                })
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.lock().live -= 1;
                Err(Error::EnginePanicked)
            }
            Err(RecvTimeoutError::Timeout) => {
                let mut state = self.lock();
                state.live -= 1;
                state.abandoned += 1;
                drop(state);
                self.returned.notify_one();
                let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
                Err(Error::Deadline { deadline_ms })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_out(&self) -> Result<Worker, Error> {
        let mut state = self.lock();
        loop {
            if state.abandoned >= self.abandoned_max {
                return Err(Error::MustRestart { abandoned: state.abandoned });
            }
            if let Some(worker) = state.idle.pop() {
                return Ok(worker);
            }
            if state.live < self.workers_max {
                let worker = spawn().ok_or(Error::MustRestart { abandoned: state.abandoned })?;
                state.live += 1;
                return Ok(worker);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn check_in(&self, worker: Worker) {
        self.lock().idle.push(worker);
        self.returned.notify_one();
    }
}

fn spawn() -> Option<Worker> {
    let (jobs, next) = sync_channel::<Job>(1);
    let run = move || {
        for job in next {
            job();
        }
    };
    std::thread::Builder::new()
        .name("placet-expression".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .ok()
        .map(|_detached| Worker { jobs })
}
