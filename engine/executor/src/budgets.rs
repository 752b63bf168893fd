//! What providers allow within a time, shared by all runs: a call takes its share before it is
//! claimed, so that an approval is not consumed by waiting.
//!
//! A share is taken from the claim until a whole window has gone by since the call has *ended*. The
//! provider sees a call at some moment between the two; so whatever window it counts in, and however
//! long claims, connections and answers take, it never sees more than its rate of this engine.
//!
//! Who must wait is told when to come again, in the order in which they came. Nothing of this is
//! recorded: after a restart it is made anew from the attempts of the log (`recall`).

mod bucket;
mod recall;

use crate::clock::Clock;
use bucket::Bucket;
use placet_adapters::limits::Charge;
use placet_model::{Iteration, RunId, TaskPath};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Nobody waits longer than this, or than one window, until they look again: whoever was ahead may
/// be gone.
const LOOK_AGAIN_MS: i64 = 60_000;
/// Budgets that nobody uses are looked for after so many calls.
const SWEEP_EVERY: u32 = 1024;

/// The budgets of the process.
#[derive(Debug)]
pub(crate) struct Budgets {
    clock: Clock,
    began: Instant,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    buckets: BTreeMap<String, Bucket>,
    /// Who must wait, and until when at least.
    waits: BTreeMap<String, i64>,
    serial: u64,
    calls: u32,
}

impl Budgets {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, began: Instant::now(), all: Mutex::default() }
    }

    /// Takes a share of each of these budgets for a call that is about to be claimed, or of none;
    /// then it says after how many milliseconds there may be room. Taking twice is taking once.
    pub(crate) fn take(&self, charges: &[Charge], by: &str) -> Result<(), i64> {
        let now = self.ticks();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.sweep(now);
        let mut wake = None;
        for charge in charges {
            let serial = all.serial;
            let bucket = all.buckets.entry(charge.key.clone()).or_default();
            bucket.give_back(by);
            if let Err(at) = bucket.room_for((charge, by), now, serial) {
                wake = wake.max(Some(at));
            }
        }
        all.serial += 1;
        let Some(wake) = wake else {
            for charge in charges {
                all.buckets.entry(charge.key.clone()).or_default().take(charge, by, now);
            }
            all.waits.remove(by);
            return Ok(());
        };
        let longest = charges.iter().map(window_ms).max().unwrap_or(0).max(LOOK_AGAIN_MS);
        let left = (wake - now).clamp(1, longest);
        all.waits.insert(by.to_owned(), now.saturating_add(left));
        Err(left)
    }

    /// For how many milliseconds at least this call still waits for room; none where it does not.
    pub(crate) fn wait_left(&self, by: &str) -> Option<i64> {
        let now = self.ticks();
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.waits.get(by).map(|until| until - now).filter(|left| *left > 0)
    }

    /// The call was not claimed.
    pub(crate) fn give_back(&self, charges: &[Charge], by: &str) {
        self.each(charges, |bucket, _| bucket.give_back(by));
    }

    /// The call has ended: its share is free one window from now.
    pub(crate) fn ended(&self, charges: &[Charge], by: &str) {
        self.each(charges, |bucket, now| bucket.ended(by, now));
    }

    /// The provider has said to wait: whoever counts in the same budgets waits too.
    pub(crate) fn hold(&self, charges: &[Charge], millis: i64) {
        self.each(charges, |bucket, now| bucket.hold_until(now.saturating_add(millis)));
    }

    fn each(&self, charges: &[Charge], mut change: impl FnMut(&mut Bucket, i64)) {
        let now = self.ticks();
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for charge in charges {
            change(all.buckets.entry(charge.key.clone()).or_default(), now);
        }
    }

    /// Milliseconds of a clock that nobody sets.
    fn ticks(&self) -> i64 {
        match &self.clock {
            Clock::System => i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX),
            Clock::Virtual(_) => {
                let steady = self.clock.uptime().map(|uptime| i64::try_from(uptime.millis));
                steady.and_then(Result::ok).unwrap_or(i64::MAX)
            }
        }
    }
}

impl All {
    fn sweep(&mut self, now: i64) {
        self.calls += 1;
        if self.calls.is_multiple_of(SWEEP_EVERY) {
            self.buckets.retain(|_, bucket| !bucket.is_idle(now));
            self.waits.retain(|_, until| *until > now);
        }
    }
}

/// In whose name a call takes its share: the task's, whatever its drafts and tries.
pub(crate) fn caller(run: RunId, task: &TaskPath, iteration: &Iteration) -> String {
    format!("{run} {task} {iteration:?}")
}

fn window_ms(charge: &Charge) -> i64 {
    i64::try_from(charge.window.as_millis()).unwrap_or(i64::MAX)
}
