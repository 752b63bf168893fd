//! The pool that works turns through: a few threads, one job per run at a time.

use crate::engine::Pace;
use crate::env::Env;
use crate::input::{Input, ReplyTo};
use crate::seat::{self, Seat};
use crate::submit::Submitter;
use crate::turn::{Error, Job, Turn, Turned};
use crate::values::Values;
use crate::world::World;
use placet_core::Run;
use placet_model::RunId;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// One turn that is to be worked through.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) run: RunId,
    pub(crate) known: Option<(Run, Values)>,
    pub(crate) job: Job,
    pub(crate) world: Arc<World>,
    pub(crate) reply: Option<ReplyTo>,
}

/// A turn that was worked through. What it began with is kept: a turn that is refused, or that was
/// overtaken by a change of the project, leaves no trace.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) task: Task,
    pub(crate) outcome: Outcome,
}

/// What has become of a turn.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its facts, if there are any, are the loop's to hand over.
    Worked(Box<Turned>),
    /// Its facts are on their way to the log, or there already.
    HandedOver(Box<Turned>),
    /// The project has changed meanwhile: what was worked out may not hold any more.
    Overtaken,
    /// It came to nothing.
    Refused(Error),
}

/// Turns that wait to be worked through. At a stepwise pace there is no pool: a turn is worked
/// through where it is submitted.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    queue: Arc<Queue>,
    here: Option<Submitter>,
}

impl Turns {
    /// No turns yet.
    pub(crate) fn new(submitter: &Submitter) -> Self {
        let here = (submitter.pace == Pace::Stepwise).then(|| submitter.clone());
        Self { queue: Arc::default(), here }
    }

    /// Queues a turn. The queue is bounded by the number of active runs: each has one turn at most.
    pub(crate) fn submit(&self, task: Task) {
        match &self.here {
            None => self.queue.push(Box::new(task)),
            Some(submitter) => work_through(submitter, task, Load::Light),
        }
    }
}

/// The threads. They end when the pool is dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads, which turn the loop as well when nobody else does.
    pub(crate) fn start(submitter: &Submitter, turns: &Turns, seat: &Arc<Seat>) -> Self {
        let queue = Arc::clone(&turns.queue);
        let count =
            std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 16);
        let threads = (0..count)
            .map(|number| {
                let (submitter, queue, seat) =
                    (submitter.clone(), Arc::clone(&queue), Arc::clone(seat));
                std::thread::Builder::new()
                    .name(format!("turn-{number}"))
                    .spawn(move || work(&submitter, &queue, &seat))
                    .expect("the system can start a thread")
            })
            .collect();
        Self { queue, threads }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a turn thread panicked");
            }
        }
    }
}

/// Whether tasks wait for a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// None does.
    Light,
    /// Some do.
    Heavy,
}

/// Tasks that wait for a thread.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    tasks: VecDeque<Box<Task>>,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, task: Box<Task>) {
        let mut waiting = self.lock();
        // a thread of the pool that turns the loop takes the first one itself
        let mine = waiting.tasks.is_empty() && seat::attends();
        waiting.tasks.push_back(task);
        drop(waiting);
        if !mine {
            self.changed.notify_one();
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn load(&self) -> Load {
        if self.lock().tasks.is_empty() { Load::Light } else { Load::Heavy }
    }

    /// The next task; none once the pool is dropped and nothing waits.
    fn next(&self) -> Option<Box<Task>> {
        let idle = |waiting: &mut Waiting| waiting.tasks.is_empty() && !waiting.closed;
        let waiting = self.changed.wait_while(self.lock(), idle);
        waiting.unwrap_or_else(PoisonError::into_inner).tasks.pop_front()
    }
}

fn work(submitter: &Submitter, queue: &Queue, seat: &Seat) {
    while let Some(task) = queue.next() {
        match queue.load() {
            Load::Light => seat.attend(|| work_through(submitter, *task, Load::Light)),
            Load::Heavy => work_through(submitter, *task, Load::Heavy),
        }
    }
}

fn work_through(submitter: &Submitter, task: Task, load: Load) {
    let worked = catch_unwind(AssertUnwindSafe(|| turn(&submitter.env, &task)));
    // a panic is a bug of ours: the run stands as it was, the thread goes on
    match worked.unwrap_or(Err(Error::Panicked)) {
        Ok(turned) if load == Load::Light => hand_over(submitter, task, Box::new(turned)),
        Ok(turned) => tell(submitter, task, Outcome::Worked(Box::new(turned))),
        Err(error) => tell(submitter, task, Outcome::Refused(error)),
    }
}

/// Hands the turn's facts to the log from here, which saves the way through the loop: a tenth of a
/// run's time when there is one run, and nothing when there are many, where the loop hands over many
/// at once and wakes fewer threads (`cargo bench --bench runs`). It is done with the project
/// locked as it was when they were worked out. Then the loop is told, not before: it gives the run's
/// next turn away at once, whose facts must come behind these. A turn that ends with a refused
/// credential, or with an answer that is not as declared, is left to the loop, which records that of the
/// integration in the same step.
fn hand_over(submitter: &Submitter, mut task: Task, mut turned: Box<Turned>) {
    if turned.failed.is_some() || turned.drifted.is_some() {
        return tell(submitter, task, Outcome::Worked(turned));
    }
    let Some(submission) = submitter.take(&mut turned, &mut task.reply) else {
        return tell(submitter, task, Outcome::Worked(turned));
    };
    let (run, version, used) = (task.run, task.world.version, turned.used_world);
    let send = |submission| submitter.send_here(run, submission);
    let sent =
        if used { submitter.while_at(version, submission, send) } else { Ok(send(submission)) };
    match sent {
        Ok(begun) => {
            tell(submitter, task, Outcome::HandedOver(turned));
            begun.go_on(run);
        }
        Err(submission) => {
            task.reply = submission.into_reply();
            tell(submitter, task, Outcome::Overtaken);
        }
    }
}

fn tell(submitter: &Submitter, task: Task, outcome: Outcome) {
    let done = Box::new(Done { task, outcome });
    let _the_loop_has_ended = submitter.inputs.send(Input::Turned(done));
}

fn turn(env: &Env, task: &Task) -> Result<Turned, Error> {
    let turn = Turn::new(env, &task.world, task.run, task.known.clone())?;
    turn.perform(task.job.clone())
}
