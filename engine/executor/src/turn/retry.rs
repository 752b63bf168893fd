//! Retries (language 5.3): whether a caught fault is tried again, and after what wait. The wait is
//! recorded, so that replay reads it from the log.

use super::scope::Place;
use super::{Error, Outcome, Turn, or_fault};
use crate::values::Content;
use placet_core::run::{Frame, FrameKind, Tries};
use placet_model::event::run::{FaultCaught, RetryScheduled, TimerFired, TimerKind};
use placet_model::plan::{Backoff, Jitter, RetryPolicy, Task, TaskKind};
use placet_model::{Digest, Duration, Iteration, PayloadRef, TaskPath, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// A policy without any limit waits at least this long.
const ENDLESS_MS_MIN: i64 = 1000;

/// What became of a fault that a `try` catches.
pub(super) enum Caught {
    /// It is tried again, or `catch.do` runs.
    Recorded,
    /// The retries are used up, and there is no `catch.do`.
    Propagates,
}

impl Turn<'_> {
    /// A `try` catches the fault: it tries again while its policy allows, then does what `catch`
    /// says.
    pub(super) fn caught(
        &mut self,
        task: &Task,
        frame: &Frame,
        (content, fault, payloads): (&Arc<Value>, PayloadRef, &[Content]),
    ) -> Outcome<Caught> {
        let TaskKind::Try(inner) = &task.kind else { return Ok(Ok(Caught::Propagates)) };
        if let (Some(policy), FrameKind::Try(tries)) = (&inner.catch.retry, &frame.kind) {
            let place = Place {
                task: Some(task),
                fault: Some((&inner.catch.variable, Arc::clone(content))),
                ..Place::default()
            };
            if let Some(wait) = or_fault!(self.wait_before(policy, *tries, (content, &place))) {
                let payloads = payloads.to_vec();
                let due_at = self.now.plus_millis(wait);
                self.schedule_retry(frame, tries.retries + 1, (fault, payloads, due_at))?;
                return Ok(Ok(Caught::Recorded));
            }
            if inner.catch.tasks.is_none() {
                return Ok(Ok(Caught::Propagates));
            }
        }
        let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
        self.note(FaultCaught { task, iteration, fault }, payloads.to_vec())?;
        Ok(Ok(Caught::Recorded))
    }

    fn schedule_retry(
        &mut self,
        frame: &Frame,
        retry: u32,
        (fault, payloads, due_at): (PayloadRef, Vec<Content>, Timestamp),
    ) -> Result<(), Error> {
        let timer = self.env.mint.timer(self.now);
        let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
        let body = RetryScheduled { task, iteration, retry, fault, timer, due_at };
        self.note(body, payloads)?;
        if due_at > self.now {
            return Ok(());
        }
        self.note(TimerFired { timer }, vec![])?;
        self.attempt_begins(&frame.task, &frame.iteration)
    }

    /// The wait in milliseconds before the next retry; none when it is not made.
    fn wait_before(
        &mut self,
        policy: &RetryPolicy,
        tries: Tries,
        (content, place): (&Arc<Value>, &Place<'_>),
    ) -> Outcome<Option<i64>> {
        let retry = tries.retries + 1;
        if policy.limit.count.is_some_and(|most| retry > u32::from(most)) {
            return Ok(Ok(None));
        }
        if let Some(when) = &policy.when
            && !or_fault!(self.condition(when, content, place))
        {
            return Ok(Ok(None));
        }
        if let Some(except) = &policy.except_when
            && or_fault!(self.condition(except, content, place))
        {
            return Ok(Ok(None));
        }
        let Some(task) = place.task else { return Ok(Ok(None)) };
        let delay = match &policy.delay {
            None => 0,
            Some(spec) => millis(or_fault!(self.duration(spec, task, content))),
        };
        let mut wait = backed_off(policy.backoff, delay, retry);
        if let Some(jitter) = &policy.jitter {
            wait = wait.saturating_add(or_fault!(self.jitter(jitter, (task, retry), content)));
        }
        if policy.limit.is_endless() {
            wait = wait.max(ENDLESS_MS_MIN);
        }
        if let Some(total) = &policy.limit.total {
            let total = millis(or_fault!(self.duration(total, task, content)));
            let begins = self.now.plus_millis(wait);
            if begins.millis_since(tries.since) > total {
                return Ok(Ok(None));
            }
        }
        Ok(Ok(Some(wait)))
    }

    /// Drawn uniformly from both bounds and what is between them, from the seed of the run.
    fn jitter(
        &mut self,
        jitter: &Jitter,
        (task, retry): (&Task, u32),
        content: &Arc<Value>,
    ) -> Outcome<i64> {
        let from = millis(or_fault!(self.duration(&jitter.from, task, content)));
        let to = millis(or_fault!(self.duration(&jitter.to, task, content)));
        let span = to.saturating_sub(from).max(0).unsigned_abs();
        let seed = self.out.run.facts().map_or(0, |facts| facts.started.seed);
        let draw = Digest::of_parts(&[
            &seed.to_be_bytes(),
            &self.out.run.revision.get().to_be_bytes(),
            task.path.as_str().as_bytes(),
            &retry.to_be_bytes(),
        ]);
        let head = draw.as_bytes().first_chunk::<8>().copied().unwrap_or_default();
        let drawn = u64::from_be_bytes(head) % (span.saturating_add(1)).max(1);
        Ok(Ok(from.saturating_add(i64::try_from(drawn).unwrap_or(0))))
    }

    /// An attempt of a `try` begins: its own limit counts from here.
    pub(super) fn attempt_begins(
        &mut self,
        task: &TaskPath,
        iteration: &Iteration,
    ) -> Result<(), Error> {
        let Some(plan) = self.out.plan.clone() else { return Ok(()) };
        let Some(task) = plan.task(task) else { return self.astray(task).map(|_| ()) };
        match self.arm_attempt(task, iteration)? {
            Ok(()) => Ok(()),
            Err(fault) => self.fault_task(&task.path, iteration.clone(), fault).map(|_| ()),
        }
    }

    /// Arms the limit on one attempt of a `try`, if it has one.
    pub(super) fn arm_attempt(&mut self, task: &Task, iteration: &Iteration) -> Outcome<()> {
        let TaskKind::Try(inner) = &task.kind else { return Ok(Ok(())) };
        let limit = inner.catch.retry.as_ref().and_then(|policy| policy.limit.attempt.as_ref());
        let Some(limit) = limit else { return Ok(Ok(())) };
        let frames = &self.out.run.branch_of(&task.path).frames;
        let frame = frames.iter().rev().find(|frame| frame.task == task.path);
        let input = self.value_or_null(frame.map(|frame| frame.input))?;
        let after = or_fault!(self.duration(limit, task, &input));
        self.arm((task, iteration), TimerKind::AttemptTimeout, after)
    }
}

fn millis(duration: Duration) -> i64 {
    duration.approximate_millis()
}

/// The wait before retry number `retry`, from 1, of the delay `d`: `d`, `d · n`, `d · 2^(n−1)`.
fn backed_off(backoff: Backoff, delay: i64, retry: u32) -> i64 {
    match backoff {
        Backoff::Constant => delay,
        Backoff::Linear => delay.saturating_mul(i64::from(retry)),
        Backoff::Exponential => {
            let factor = 1_i64.checked_shl(retry - 1).filter(|factor| *factor > 0);
            delay.saturating_mul(factor.unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_waits_grow_by_the_formulas_of_the_table_and_saturate() {
        let waits = |backoff| [1, 2, 3, 4].map(|retry| backed_off(backoff, 100, retry));
        assert_eq!(waits(Backoff::Constant), [100, 100, 100, 100]);
        assert_eq!(waits(Backoff::Linear), [100, 200, 300, 400]);
        assert_eq!(waits(Backoff::Exponential), [100, 200, 400, 800]);
        assert_eq!(backed_off(Backoff::Exponential, 100, 64), i64::MAX);
        assert_eq!(backed_off(Backoff::Exponential, 100, 200), i64::MAX);
        assert_eq!(backed_off(Backoff::Linear, i64::MAX, 2), i64::MAX);
        assert_eq!(backed_off(Backoff::Exponential, 0, 200), 0);
    }
}
