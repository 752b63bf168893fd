//! The part of the fold that concerns tasks, faults and timers.

use super::{No, Step};
use crate::run::{
    Activity, Branch, BranchKey, Fork, Frame, FrameKind, Leaf, Run, Timer, Tries, Wait,
};
use placet_model::event::child::{ChildDropped, ChildEnded, ChildStarted};
use placet_model::event::run::{
    BranchFaulted, FaultCaught, IterationStarted, RetryScheduled, TaskCompleted, TaskFaulted,
    TaskShape, TaskStarted, Then, TimerArmed, TimerKind,
};
use placet_model::{Iteration, TaskPath, TimerId, Timestamp};

impl Run {
    pub(super) fn task_started(&mut self, body: &TaskStarted, at: Timestamp) -> Step {
        let place = self.ready_for(&body.task, &body.iteration)?;
        self.steps += 1;
        let (task, iteration, input) = (body.task.clone(), body.iteration.clone(), body.input);
        let leaf = || Leaf {
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            input,
            started_at: at,
            decision: None,
            editor: None,
        };
        let tries = Tries { retries: 0, since: at };
        let mut value = input;
        let kind = match (body.shape, body.items) {
            (TaskShape::Leaf, None) => {
                // an earlier try of it asked with other words
                self.previews.remove(&(body.task.clone(), body.iteration.clone()));
                self.branches_mut()[place].activity = Activity::Started(leaf());
                return Ok(());
            }
            (TaskShape::Fork | TaskShape::Race, None) => {
                let fork = Fork { count: body.count, race: body.shape == TaskShape::Race };
                return self.fork(place, leaf(), fork);
            }
            (TaskShape::List, None) => FrameKind::List,
            (TaskShape::Try, None) => FrameKind::Try(tries),
            (TaskShape::Listen, None) => FrameKind::Listen(Box::new(Wait::new(false))),
            (TaskShape::ListenEach, None) => FrameKind::Listen(Box::new(Wait::new(true))),
            (TaskShape::For, Some(items)) => {
                FrameKind::For { items, count: body.count, current: None }
            }
            (TaskShape::Function, Some(argument)) => {
                value = argument;
                FrameKind::Function
            }
            (
                TaskShape::Leaf
                | TaskShape::Fork
                | TaskShape::Race
                | TaskShape::List
                | TaskShape::Try
                | TaskShape::Listen
                | TaskShape::ListenEach,
                Some(_),
            )
            | (TaskShape::For | TaskShape::Function, None) => return Err(No),
        };
        let frame = Frame { value, kind, ..Frame::list(task, iteration, input) };
        self.branches_mut()[place].frames.push(frame);
        Ok(())
    }

    fn fork(&mut self, place: usize, leaf: Leaf, fork: Fork) -> Step {
        let context = self.branches()[place].context;
        for index in 0..fork.count {
            let head = leaf.task.branch(index);
            let key = BranchKey { head, iteration: leaf.iteration.clone() };
            let frame = Frame::list(leaf.task.clone(), leaf.iteration.clone(), leaf.input);
            let frames = vec![Frame { kind: FrameKind::Branch, ..frame }];
            self.branches_mut().push(Branch { context, frames, ..Branch::new(key) });
        }
        self.branches_mut()[place].activity = Activity::Forked(leaf, fork);
        if fork.count == 0 { Err(No) } else { Ok(()) }
    }

    /// Place of the branch in which this child of its innermost container may begin.
    pub(super) fn ready_for(&self, task: &TaskPath, iteration: &Iteration) -> Result<usize, No> {
        self.running()?;
        let place = self.place_of(task);
        let branch = &self.branches()[place];
        if !branch.is_idle() || branch.ended().is_some() {
            return Err(No);
        }
        let frame = branch.frames.last().ok_or(No)?;
        let between = match &frame.kind {
            FrameKind::For { current, .. } => current.is_none(),
            FrameKind::Listen(wait) => wait.current.is_none(),
            FrameKind::Backoff { .. } => true,
            FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Catch { .. } => false,
        };
        let ready = !between && !frame.exited && frame.child_iteration() == *iteration;
        if ready { Ok(place) } else { Err(No) }
    }

    /// The innermost container of the branch that works on this task, when nothing else goes on.
    pub(super) fn innermost(
        &mut self,
        task: &TaskPath,
        iteration: &Iteration,
    ) -> Result<&mut Frame, No> {
        self.running()?;
        let place = self.place_of(task);
        let branch = &mut self.branches_mut()[place];
        if !branch.is_idle() {
            return Err(No);
        }
        branch.frames.last_mut().filter(|frame| frame.is(task, iteration)).ok_or(No)
    }

    pub(super) fn iteration_started(&mut self, body: &IterationStarted) -> Step {
        let index = body.index;
        let frame = self.innermost(&body.task, &body.iteration)?;
        let FrameKind::For { count, ref mut current, .. } = frame.kind else { return Err(No) };
        let due = current.map_or(0, |now| now + 1);
        if index != due || index >= count {
            return Err(No);
        }
        *current = Some(index);
        let value = frame.value;
        frame.restart(value);
        frame.steps.clear();
        Ok(())
    }

    pub(super) fn task_completed(&mut self, body: &TaskCompleted) -> Step {
        self.running()?;
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        let instant = branch.is_idle();
        let container = instant
            && branch.frames.len() > 1
            && branch.frames.last().is_some_and(|f| f.is(&body.task, &body.iteration));
        let mut inner = None;
        if container {
            inner = branch.frames.pop();
        } else if instant {
            self.ready_for(&body.task, &body.iteration)?;
            self.steps += 1;
        } else {
            self.end_leaf(place, &body.task, &body.iteration)?;
        }
        self.disarm(&body.task, &body.iteration);
        let branch = &mut self.branches_mut()[place];
        branch.context = body.context.or(branch.context);
        let frame = branch.frames.last_mut().ok_or(No)?;
        frame.value = body.output;
        if let Some(inner) = inner {
            frame.adopt(inner);
        }
        frame.steps.insert(body.task.name(), body.output);
        match (body.then, body.goto) {
            (Then::Continue, None) => frame.index += 1,
            (Then::Exit, None) => frame.exited = true,
            (Then::Goto, Some(index)) => frame.index = index,
            (Then::End, None) => return self.end_run(body.output),
            (Then::Continue | Then::Exit | Then::End, Some(_)) | (Then::Goto, None) => {
                return Err(No);
            }
        }
        Ok(())
    }

    /// A leaf may end when nothing of it is open any more; a fork when enough branches have ended.
    fn end_leaf(&mut self, place: usize, task: &TaskPath, iteration: &Iteration) -> Step {
        let branch = &self.branches()[place];
        let (Activity::Waited(leaf) | Activity::Answered(leaf, _) | Activity::Forked(leaf, _)) =
            &branch.activity
        else {
            return Err(No);
        };
        if leaf.task != *task || leaf.iteration != *iteration || branch.fault.is_some() {
            return Err(No);
        }
        if let Activity::Forked(_, fork) = branch.activity {
            let ended = self.fork_branches(task, fork).filter(|b| b.ended().is_some()).count();
            let needed = if fork.race { 1 } else { fork.count as usize };
            if ended < needed {
                return Err(No);
            }
            self.leave(task)?;
        }
        self.branches_mut()[place].activity = Activity::Idle;
        Ok(())
    }

    /// The branches of a fork, in declared order.
    pub(crate) fn fork_branches<'a>(
        &'a self,
        task: &'a TaskPath,
        fork: Fork,
    ) -> impl Iterator<Item = &'a Branch> {
        let heads = (0..fork.count).map(|index| task.branch(index));
        heads.filter_map(|head| self.branches().iter().find(|branch| branch.key.head == head))
    }

    pub(super) fn task_skipped(&mut self, task: &TaskPath, iteration: &Iteration) -> Step {
        let place = self.ready_for(task, iteration)?;
        self.steps += 1;
        let frame = self.branches_mut()[place].frames.last_mut().ok_or(No)?;
        frame.steps.remove(&task.name());
        frame.index += 1;
        Ok(())
    }

    // ---- faults --------------------------------------------------------------------------

    pub(super) fn task_faulted(&mut self, body: &TaskFaulted) -> Step {
        self.running()?;
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        if branch.is_done() {
            return Err(No);
        }
        let activity = std::mem::replace(&mut branch.activity, Activity::Idle);
        // a request must be settled before its task may fault
        if activity.is_open() {
            return Err(No);
        }
        branch.fault = Some((body.fault.clone(), body.task.clone()));
        if let Activity::Forked(leaf, _) = &activity {
            self.leave(&leaf.task)?;
        }
        self.detach(activity);
        Ok(())
    }

    pub(super) fn fault_caught(&mut self, body: &FaultCaught) -> Step {
        let frame = self.caught(&body.task, &body.iteration)?;
        frame.kind = FrameKind::Catch { fault: body.fault };
        let input = frame.input;
        frame.restart(input);
        Ok(())
    }

    pub(super) fn retry_scheduled(&mut self, body: &RetryScheduled) -> Step {
        let frame = self.caught(&body.task, &body.iteration)?;
        let FrameKind::Try(tries) = frame.kind else { return Err(No) };
        if body.retry != tries.retries + 1 {
            return Err(No);
        }
        let tries = Tries { retries: body.retry, ..tries };
        frame.kind = FrameKind::Backoff { tries, fault: body.fault, timer: body.timer };
        let timer = Timer {
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            kind: TimerKind::Retry,
            due_at: body.due_at,
        };
        if self.timers.insert(body.timer, timer).is_some() { Err(No) } else { Ok(()) }
    }

    /// The frame of the `try` that catches the fault of its branch; what was open inside is over.
    fn caught(&mut self, task: &TaskPath, iteration: &Iteration) -> Result<&mut Frame, No> {
        self.running()?;
        let place = self.place_of(task);
        let branch = &mut self.branches_mut()[place];
        branch.fault.take().ok_or(No)?;
        let catches = |f: &Frame| f.is(task, iteration) && matches!(f.kind, FrameKind::Try(_));
        let at = branch.frames.iter().rposition(catches).ok_or(No)?;
        let mut inside = vec![];
        while branch.frames.len() > at + 1 {
            let inner = branch.frames.pop().ok_or(No)?;
            inside.push((inner.task.clone(), inner.iteration.clone()));
            branch.frames.last_mut().ok_or(No)?.adopt(inner);
        }
        for (task, iteration) in inside {
            self.disarm(&task, &iteration);
        }
        self.timers.retain(|_, timer| {
            let of_attempt = timer.kind == TimerKind::AttemptTimeout && timer.task == *task;
            !of_attempt && !timer.task.is_inside(task)
        });
        self.branches_mut()[place].frames.last_mut().ok_or(No)
    }

    pub(super) fn branch_faulted(&mut self, body: &BranchFaulted) -> Step {
        self.running()?;
        let head = body.task.branch(body.branch);
        let branch = self.branches_mut().iter_mut();
        let branch = branch.filter(|b| b.key.head == head && b.key.iteration == body.iteration);
        let branch = branch.last().ok_or(No)?;
        branch.fault.take().ok_or(No)?;
        branch.failed = Some(body.fault.clone());
        branch.frames.clear();
        self.timers.retain(|_, timer| !timer.task.is_inside(&head));
        Ok(())
    }

    // ---- timers --------------------------------------------------------------------------

    pub(super) fn timer_armed(&mut self, body: &TimerArmed) -> Step {
        self.running()?;
        let timer = Timer {
            task: body.task.clone(),
            iteration: body.iteration.clone(),
            kind: body.kind,
            due_at: body.due_at,
        };
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        if branch.is_done() {
            return Err(No);
        }
        match (body.kind, &branch.activity) {
            (TimerKind::Wait, Activity::Started(leaf)) => {
                branch.activity = Activity::Waiting(leaf.clone(), body.timer);
            }
            // a retry is armed by its own event
            (TimerKind::Wait | TimerKind::Retry, _) => return Err(No),
            (TimerKind::TaskTimeout | TimerKind::RunTimeout | TimerKind::AttemptTimeout, _) => {}
        }
        if self.timers.insert(body.timer, timer).is_some() { Err(No) } else { Ok(()) }
    }

    pub(super) fn timer_fired(&mut self, id: TimerId) -> Step {
        self.running()?;
        let fired = self.timers.remove(&id).ok_or(No)?;
        let place = self.place_of(&fired.task);
        let branch = &mut self.branches_mut()[place];
        if branch.fault.is_some() {
            return Err(No);
        }
        match fired.kind {
            TimerKind::Wait => {
                let Activity::Waiting(leaf, armed) = &branch.activity else { return Err(No) };
                if *armed != id {
                    return Err(No);
                }
                branch.activity = Activity::Waited(leaf.clone());
            }
            TimerKind::Retry => {
                let frame = branch.frames.last_mut().ok_or(No)?;
                let FrameKind::Backoff { tries, timer, .. } = frame.kind else { return Err(No) };
                if timer != id {
                    return Err(No);
                }
                frame.kind = FrameKind::Try(tries);
                frame.steps.clear();
                let input = frame.input;
                frame.restart(input);
            }
            TimerKind::TaskTimeout | TimerKind::RunTimeout | TimerKind::AttemptTimeout => {}
        }
        Ok(())
    }

    /// The timers of a task that has ended.
    fn disarm(&mut self, task: &TaskPath, iteration: &Iteration) {
        self.timers.retain(|_, timer| timer.task != *task || timer.iteration != *iteration);
    }

    // ---- other runs ----------------------------------------------------------------------

    pub(super) fn child_started(&mut self, body: &ChildStarted) -> Step {
        self.running()?;
        let place = self.place_of(&body.task);
        let branch = &mut self.branches_mut()[place];
        let Activity::Started(leaf) = &branch.activity else { return Err(No) };
        if leaf.task != body.task || leaf.iteration != body.iteration {
            return Err(No);
        }
        let leaf = leaf.clone();
        branch.activity = if body.awaited {
            Activity::Awaiting(leaf, body.child)
        } else {
            let output = leaf.input;
            Activity::Answered(leaf, output)
        };
        Ok(())
    }

    pub(super) fn child_ended(&mut self, body: &ChildEnded) -> Step {
        let (branch, leaf) = self.awaiting(body.child)?;
        branch.activity = Activity::Answered(leaf, body.output);
        Ok(())
    }

    pub(super) fn child_dropped(&mut self, body: &ChildDropped) -> Step {
        let (branch, leaf) = self.awaiting(body.child)?;
        branch.activity = Activity::Dropped(leaf);
        Ok(())
    }

    fn awaiting(&mut self, child: placet_model::RunId) -> Result<(&mut Branch, Leaf), No> {
        self.running()?;
        for branch in self.branches_mut() {
            if let Activity::Awaiting(leaf, awaited) = &branch.activity
                && *awaited == child
            {
                let leaf = leaf.clone();
                return Ok((branch, leaf));
            }
        }
        Err(No)
    }
}
