//! The part of the fold that concerns events: what a `listen` has taken, and what was sent.

use super::{No, Step};
use crate::run::{FrameKind, Run, Wait};
use placet_model::event::wait::{EventEmitted, EventHandled, EventMatched, Taken, WaitStarted};
use placet_model::{Iteration, TaskPath, Timestamp};

impl Run {
    fn wait(&mut self, task: &TaskPath, iteration: &Iteration) -> Result<&mut Wait, No> {
        match &mut self.innermost(task, iteration)?.kind {
            FrameKind::Listen(wait) => Ok(wait),
            FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Backoff { .. }
            | FrameKind::Catch { .. }
            | FrameKind::For { .. } => Err(No),
        }
    }

    pub(super) fn wait_started(&mut self, body: &WaitStarted) -> Step {
        let begun = self.revision.next();
        let wait = self.wait(&body.task, &body.iteration)?;
        wait.begun = begun;
        if wait.since.replace(body.since).is_some() { Err(No) } else { Ok(()) }
    }

    pub(super) fn event_matched(&mut self, body: &EventMatched) -> Step {
        if !self.taken.insert(body.arrival) {
            return Err(No);
        }
        let wait = self.wait(&body.task, &body.iteration)?;
        if !wait.is_open() {
            return Err(No);
        }
        wait.after = wait.after.max(body.arrival);
        wait.expected = body.expected.or(wait.expected);
        wait.ended = body.ends;
        if body.taken == Taken::Until {
            wait.until.insert(body.filter);
            return Ok(());
        }
        wait.matched.insert(body.filter);
        wait.values.push(body.value);
        if !wait.each {
            wait.elements.push(body.value);
            return Ok(());
        }
        let index = u32::try_from(wait.values.len() - 1).map_err(|_too_many| No)?;
        wait.current = Some(index);
        let frame = self.innermost(&body.task, &body.iteration)?;
        frame.restart(body.value);
        frame.steps.clear();
        Ok(())
    }

    pub(super) fn event_handled(&mut self, body: &EventHandled) -> Step {
        let wait = self.wait(&body.task, &body.iteration)?;
        if wait.current.take() != Some(body.index) {
            return Err(No);
        }
        wait.elements.push(body.element);
        wait.ended |= body.ends;
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        branch.context = body.context.or(branch.context);
        Ok(())
    }

    pub(super) fn event_emitted(&mut self, body: &EventEmitted, at: Timestamp) -> Step {
        let place = self.ready_for(&body.task, &body.iteration)?;
        let frame = self.branches_mut()[place].frames.last_mut().ok_or(No)?;
        frame.effect_at = Some(at);
        Ok(())
    }
}
