//! Who turns the writer loop.
//!
//! The loop is one at a time, but not one thread: it sits behind a lock. Its own thread sleeps until
//! something comes or is due, and turns it then. A thread of the pool that has just worked a turn
//! through turns it as well, if nobody does: what it has to tell and what follows from it need no
//! other thread to wake up, which costs more than the turn where a machine is otherwise idle.
//! Inputs are taken under the lock only, so they are handled in the order in which they came.

use crate::inputs::Inputs;
use crate::pool::Pool;
use crate::writer::{Ended, Round, Writer};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

thread_local! {
    /// Whether this thread is going to turn the loop, or to take a turn out of the queue, itself.
    static ATTENDS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread looks after what it sends, so that no other needs to be woken for it.
pub(crate) fn attends() -> bool {
    ATTENDS.get()
}

/// The place from which the loop is turned.
#[derive(Debug)]
pub(crate) struct Seat {
    inputs: Inputs,
    seated: Mutex<Seated>,
}

#[derive(Debug)]
struct Seated {
    writer: Writer,
    /// Until when the loop's thread sleeps, at the longest; none while nothing is due.
    sleeps: Option<Instant>,
    ended: Option<Result<Ended, Panic>>,
}

/// What a turn of the loop panicked with.
struct Panic(Box<dyn Any + Send>);

impl std::fmt::Debug for Panic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Panic")
    }
}

/// Tells everybody who sends that the loop has ended, however it did.
struct Closing(Inputs);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Turns the loop on this thread, and lets the pool's threads turn it, until it ends.
pub(crate) fn sit(writer: Writer, inputs: &Inputs) -> Ended {
    let _closing = Closing(inputs.clone());
    let (submitter, turns) = (writer.submitter.clone(), writer.turns.clone());
    let seated = Mutex::new(Seated { writer, sleeps: None, ended: None });
    let seat = Arc::new(Seat { inputs: inputs.clone(), seated });
    let pool = Pool::start(&submitter, &turns, &seat);
    loop {
        let turned = seat.turn(&mut seat.lock());
        match turned {
            Turned::Idle(wait) => inputs.wait(wait),
            Turned::Ended => break,
        }
    }
    // its threads see that it has ended, and turn it no more
    drop(pool);
    let ended = seat.lock().ended.take();
    match ended.expect("turning it said so") {
        Ok(ended) => ended,
        Err(Panic(panic)) => resume_unwind(panic),
    }
}

/// While it lives, this thread attends.
struct Attending<'i>(&'i Inputs);

impl<'i> Attending<'i> {
    fn begin(inputs: &'i Inputs) -> Self {
        ATTENDS.set(true);
        Self(inputs)
    }
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        ATTENDS.set(false);
        if std::thread::panicking() {
            self.0.nudge();
        }
    }
}

enum Turned {
    Ended,
    Idle(Option<Duration>),
}

impl Seat {
    fn lock(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, seated: &mut Seated) -> Turned {
        if seated.ended.is_some() {
            return Turned::Ended;
        }
        match catch_unwind(AssertUnwindSafe(|| seated.writer.round(&self.inputs))) {
            Ok(Round::Idle(wait)) => {
                seated.sleeps = wait.map(|wait| Instant::now() + wait);
                Turned::Idle(wait)
            }
            Ok(Round::Ended(ended)) => {
                seated.ended = Some(Ok(ended));
                Turned::Ended
            }
            Err(panic) => {
                seated.ended = Some(Err(Panic(panic)));
                Turned::Ended
            }
        }
    }

    /// Does `work` on this thread, then turns the loop for what came of it.
    pub(crate) fn attend(&self, work: impl FnOnce()) {
        let _attending = Attending::begin(&self.inputs);
        work();
        self.help();
    }

    fn help(&self) {
        let Ok(mut seated) = self.seated.try_lock() else {
            // whoever turns it may have looked for the last time already
            return self.inputs.nudge();
        };
        let slept = seated.sleeps;
        let earlier = match self.turn(&mut seated) {
            Turned::Ended => true,
            Turned::Idle(_) => {
                seated.sleeps.is_some_and(|now| slept.is_none_or(|before| now < before))
            }
        };
        drop(seated);
        if earlier {
            self.inputs.nudge();
        }
    }
}
