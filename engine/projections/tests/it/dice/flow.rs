//! What the flow may do next: begin and end tasks, catch faults, wait for events.

use super::{Dice, stopping};
use crate::make::*;
use crate::support::NOW;
use placet_core::Run;
use placet_core::run::{Branch, Frame, FrameKind, Wait};
use placet_model::event::run::{
    BranchFaulted, FaultCaught, IterationStarted, RetryScheduled, TaskCompleted, TaskFaulted,
    TaskShape, TaskSkipped, TaskStarted, Then, TimerArmed, TimerKind,
};
use placet_model::event::wait::{EventEmitted, EventHandled, EventMatched, Taken, WaitStarted};
use placet_model::{Event, Iteration, Position, TaskPath};

impl Dice {
    pub(super) fn in_frame(&mut self, run: &Run, branch: &Branch) -> Vec<Event> {
        let frame = branch.frames.last().unwrap();
        match &frame.kind {
            FrameKind::Backoff { timer, .. } => vec![fired(*timer)],
            FrameKind::Listen(wait) if wait.current.is_none() => vec![self.listening(frame, wait)],
            FrameKind::Listen(wait) if self.one_in(3) => vec![
                EventHandled {
                    task: frame.task.clone(),
                    iteration: frame.iteration.clone(),
                    index: wait.current.unwrap(),
                    element: content(1),
                    context: self.one_in(2).then_some(content(2)),
                    ends: self.one_in(4),
                }
                .into(),
            ],
            FrameKind::For { current, .. } if current.is_none() || self.one_in(3) => {
                let index = current.map_or(0, |now| now + 1);
                let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
                vec![IterationStarted { task, iteration, index }.into()]
            }
            FrameKind::For { .. }
            | FrameKind::Listen(_)
            | FrameKind::List
            | FrameKind::Branch
            | FrameKind::Function
            | FrameKind::Try(_)
            | FrameKind::Catch { .. } => self.in_list(run, (branch, frame)),
        }
    }

    /// A wait begins, takes an event, or has had enough.
    fn listening(&mut self, frame: &Frame, wait: &Wait) -> Event {
        let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
        if wait.since.is_none() {
            let types = self.pick(&[&["order"][..], &["order", "invoice"], &[""]]);
            let types = types.iter().map(|kind| (*kind).to_owned()).collect();
            return WaitStarted { task, iteration, since: NOW, types }.into();
        }
        if wait.ended {
            return complete((task, iteration), Then::Continue);
        }
        EventMatched {
            task,
            iteration,
            arrival: Position::new(u64::try_from(self.id()).unwrap()),
            taken: self.pick(Taken::ALL),
            filter: u32::from(self.one_in(2)),
            value: content(1),
            expected: self.one_in(2).then_some(content(1)),
            ends: self.one_in(4),
        }
        .into()
    }

    fn in_list(&mut self, run: &Run, (branch, frame): (&Branch, &Frame)) -> Vec<Event> {
        let task = child_of(branch, frame);
        let iteration = frame.child_iteration();
        match self.below(14) {
            0..=6 => vec![self.begin(run, (task, iteration))],
            7 => match self.below(12) {
                0 => stopping(run.branches(), complete((task, iteration), Then::End)),
                1 => vec![complete((task, iteration), Then::Exit)],
                2 => vec![complete((task, iteration), Then::Goto)],
                _ => vec![complete((task, iteration), Then::Continue)],
            },
            8 => vec![TaskSkipped { task, iteration }.into()],
            9 => vec![TaskFaulted { task, iteration, fault: fault() }.into()],
            10 => {
                let kind = self.pick(&["order", "invoice", "other"]).to_owned();
                let identity = self.identity();
                let (emitting, of) = (task.clone(), iteration.clone());
                let envelope = content(1);
                let emitted =
                    EventEmitted { task: emitting, iteration: of, kind, identity, envelope };
                vec![emitted.into(), complete((task, iteration), Then::Continue)]
            }
            11 => vec![self.arm(run, frame)],
            _ if branch.frames.len() > 1 => {
                let whole = (frame.task.clone(), frame.iteration.clone());
                vec![complete(whole, Then::Continue)]
            }
            _ => vec![run_completed()],
        }
    }

    fn begin(&mut self, run: &Run, (task, iteration): (TaskPath, Iteration)) -> Event {
        let mut shape = self.pick(TaskShape::ALL);
        let crowded = run.branches().len() > 6;
        if self.one_in(2) || crowded && matches!(shape, TaskShape::Fork | TaskShape::Race) {
            shape = TaskShape::Leaf;
        }
        let items = matches!(shape, TaskShape::For | TaskShape::Function).then_some(content(1));
        let count = match shape {
            TaskShape::For => 2,
            TaskShape::Fork | TaskShape::Race => 2 + u32::from(self.one_in(3)),
            TaskShape::Leaf
            | TaskShape::List
            | TaskShape::Try
            | TaskShape::Listen
            | TaskShape::ListenEach
            | TaskShape::Function => 0,
        };
        TaskStarted { task, iteration, shape, input: content(1), items, count }.into()
    }

    /// A container has its timeout armed while it is worked through, a `try` also that of its
    /// attempt.
    fn arm(&mut self, run: &Run, frame: &Frame) -> Event {
        let attempt = matches!(frame.kind, FrameKind::Try(_)) && self.one_in(2);
        let kind = if attempt { TimerKind::AttemptTimeout } else { TimerKind::TaskTimeout };
        let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
        let (timer, due_at) = (timer(self.id()), self.soon(run));
        TimerArmed { timer, task, iteration, kind, due_at }.into()
    }

    /// The innermost `try` around the fault catches it, or tries again; where there is none it
    /// leaves the branch, or ends the run.
    pub(super) fn unwind(&mut self, run: &Run, branch: &Branch, from: &TaskPath) -> Event {
        let around = branch.frames.iter().rev().find_map(|frame| match frame.kind {
            FrameKind::Try(tries) if from.is_inside(&frame.task) => Some((frame, tries)),
            _ => None,
        });
        let Some((frame, tries)) = around else {
            return branch_of(branch).map_or_else(run_faulted, Into::into);
        };
        let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
        if self.one_in(2) {
            return FaultCaught { task, iteration, fault: content(3) }.into();
        }
        RetryScheduled {
            task,
            iteration,
            retry: tries.retries + 1,
            fault: content(3),
            timer: timer(self.id()),
            due_at: self.soon(run),
        }
        .into()
    }
}

/// The path of the child that is due.
fn child_of(branch: &Branch, frame: &Frame) -> TaskPath {
    let list = match &frame.kind {
        FrameKind::Branch => return TaskPath::new(&format!("{}/b", branch.key.head.as_str())),
        FrameKind::Try(_) | FrameKind::Backoff { .. } => "try",
        FrameKind::Catch { .. } => "catch/do",
        FrameKind::Listen(_) => "foreach/do",
        FrameKind::List | FrameKind::Function | FrameKind::For { .. } => "do",
    };
    frame.task.child(list, frame.index as usize, &format!("t{}", frame.index))
}

/// The end of a branch of a fork by a fault; none for the workflow itself.
fn branch_of(branch: &Branch) -> Option<BranchFaulted> {
    let frame = branch.frames.first().filter(|frame| frame.kind == FrameKind::Branch)?;
    let number = branch.key.head.as_str().rsplit('/').next()?.parse().ok()?;
    Some(BranchFaulted {
        task: frame.task.clone(),
        iteration: frame.iteration.clone(),
        branch: number,
        fault: fault(),
    })
}

pub(super) fn complete((task, iteration): (TaskPath, Iteration), then: Then) -> Event {
    let goto = (then == Then::Goto).then_some(0);
    TaskCompleted { task, iteration, output: content(1), context: None, then, goto }.into()
}
