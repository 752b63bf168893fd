//! The queue into the writer loop: many fill it, whoever turns the loop empties it.

use crate::input::Input;
use crate::seat;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The queue. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Input>,
    /// Look again, although nothing may have come.
    nudged: bool,
    closed: bool,
}

/// The loop has ended: nobody takes what is sent.
#[derive(Debug)]
pub(crate) struct LoopEnded;

impl Inputs {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an input, and wakes the loop unless this thread turns it next.
    pub(crate) fn send(&self, input: Input) -> Result<(), LoopEnded> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(LoopEnded);
        }
        waiting.queue.push_back(input);
        drop(waiting);
        if !seat::attends() {
            self.0.changed.notify_one();
        }
        Ok(())
    }

    /// Has the loop's thread look again.
    pub(crate) fn nudge(&self) {
        self.lock().nudged = true;
        self.0.changed.notify_one();
    }

    /// The next input, if there is one.
    pub(crate) fn pop(&self) -> Option<Input> {
        self.lock().queue.pop_front()
    }

    /// Waits until there is an input, or a nudge, or the time is over.
    pub(crate) fn wait(&self, most: Option<Duration>) {
        let idle = |waiting: &mut Waiting| waiting.queue.is_empty() && !waiting.nudged;
        let waiting = self.lock();
        let mut waiting = match most {
            None => {
                let woken = self.0.changed.wait_while(waiting, idle);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
            Some(most) => {
                let woken = self.0.changed.wait_timeout_while(waiting, most, idle);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        waiting.nudged = false;
    }

    /// Takes nothing any more. What is left is dropped: whoever waits for an answer is told so.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        let left = std::mem::take(&mut waiting.queue);
        drop(waiting);
        drop(left);
    }
}
