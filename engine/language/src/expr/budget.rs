//! What one evaluation may spend, and how it is stopped from inside.
//!
//! Every operation on values pays here. An evaluation that is over its time, its memory or its depth
//! unwinds its thread: an error of jq could be caught by the expression's own `try`, this cannot.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

use super::Error;

/// Bytes that one evaluation may make in all, those given back in between included.
const BYTES_MAX: usize = 256 * 1024 * 1024;
/// Operations between two looks at the clock.
const TICKS_PER_LOOK: u32 = 128;

/// Why an evaluation was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Deadline { deadline_ms: u64 },
    Memory,
    Depth,
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        let limit = match stop {
            Stop::Deadline { deadline_ms } => return Self::Deadline { deadline_ms },
            Stop::Memory => format!("at most {BYTES_MAX} bytes in all while evaluating"),
            Stop::Depth => {
                format!("at most {} levels while evaluating", super::value::DEPTH_MAX)
            }
        };
        Self::ResultLimit { limit }
    }
}

#[derive(Clone, Copy)]
struct Budget {
    until: Instant,
    deadline_ms: u64,
    bytes: usize,
    ticks: u32,
}

thread_local! {
    static BUDGET: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Gives the evaluation that starts on this thread its budget.
pub(crate) fn start(deadline: Duration) {
    let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
    let until = Instant::now() + deadline;
    BUDGET.set(Some(Budget { until, deadline_ms, bytes: BYTES_MAX, ticks: TICKS_PER_LOOK }));
}

/// Pays for one operation that makes about `bytes` bytes; does not return when the budget is used
/// up. Ask **before** making them.
pub(crate) fn spend(bytes: usize) {
    let Some(mut budget) = BUDGET.get() else { return };
    let Some(left) = budget.bytes.checked_sub(bytes) else { stop(Stop::Memory) };
    budget.bytes = left;
    budget.ticks -= 1;
    if budget.ticks == 0 {
        budget.ticks = TICKS_PER_LOOK;
        if Instant::now() >= budget.until {
            stop(Stop::Deadline { deadline_ms: budget.deadline_ms });
        }
    }
    BUDGET.set(Some(budget));
}

/// Ends the evaluation of this thread.
pub(crate) fn stop(why: Stop) -> ! {
    BUDGET.set(None);
    resume_unwind(Box::new(why))
}
