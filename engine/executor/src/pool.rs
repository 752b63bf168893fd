//! The pool that works turns through: a few threads, one job per run at a time.

use crate::engine::Pace;
use crate::env::Env;
use crate::input::{Input, ReplyTo};
use crate::turn::{Error, Job, Turn, Turned};
use crate::values::Values;
use crate::world::World;
use placet_core::Run;
use placet_model::RunId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
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
    pub(crate) outcome: Result<Turned, Error>,
}

/// The threads. They end when the pool is dropped. At a stepwise pace there are none: a turn is
/// worked through where it is submitted.
#[derive(Debug)]
pub(crate) struct Pool {
    tasks: Option<Sender<Box<Task>>>,
    threads: Vec<JoinHandle<()>>,
    here: Option<(Arc<Env>, Sender<Input>)>,
}

impl Pool {
    /// Starts the threads; answers go to `inputs`.
    pub(crate) fn start(env: &Arc<Env>, inputs: &Sender<Input>, pace: Pace) -> Self {
        if pace == Pace::Stepwise {
            let here = Some((Arc::clone(env), inputs.clone()));
            return Self { tasks: None, threads: vec![], here };
        }
        let (tasks, queue) = channel::<Box<Task>>();
        let queue = Arc::new(Mutex::new(queue));
        let count =
            std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 16);
        let threads = (0..count)
            .map(|number| {
                let (env, queue, inputs) = (Arc::clone(env), Arc::clone(&queue), inputs.clone());
                std::thread::Builder::new()
                    .name(format!("turn-{number}"))
                    .spawn(move || work(&env, &queue, &inputs))
                    .expect("the system can start a thread")
            })
            .collect();
        Self { tasks: Some(tasks), threads, here: None }
    }

    /// Queues a turn. The queue is bounded by the number of active runs: each has one turn at most.
    pub(crate) fn submit(&self, task: Task) {
        if let Some((env, inputs)) = &self.here {
            let _the_loop_is_here = inputs.send(worked(env, task));
            return;
        }
        let sent = self.tasks.as_ref().is_some_and(|tasks| tasks.send(Box::new(task)).is_ok());
        debug_assert!(sent, "the threads live as long as the pool");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a turn thread panicked");
            }
        }
    }
}

fn work(env: &Env, queue: &Mutex<Receiver<Box<Task>>>, inputs: &Sender<Input>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        if inputs.send(worked(env, *task)).is_err() {
            return;
        }
    }
}

fn worked(env: &Env, task: Task) -> Input {
    let worked = catch_unwind(AssertUnwindSafe(|| turn(env, &task)));
    // a panic is a bug of ours: the run stands as it was, the thread goes on
    let outcome = worked.unwrap_or(Err(Error::Panicked));
    Input::Turned(Box::new(Done { task, outcome }))
}

fn turn(env: &Env, task: &Task) -> Result<Turned, Error> {
    let turn = Turn::new(env, &task.world, task.run, task.known.clone())?;
    turn.perform(task.job.clone())
}
