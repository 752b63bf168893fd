//! Where a run goes from here: control flow over the plan, without evaluating anything.
//!
//! [`next`] is a pure function of plan and state. The executor evaluates what it names and turns
//! the result into a [`crate::Command`]; whatever it learns is recorded, so that replay never
//! comes here.

use crate::run::{Activity, Denial, Frame, FrameKind, Leaf, Phase, Refused, Run};
use placet_model::event::decision::DraftPrepared;
use placet_model::event::run::FaultFact;
use placet_model::plan::{Directive, Plan, Task, TaskKind, TaskList};
use placet_model::{DecisionId, Iteration, PayloadRef, TaskPath};

/// What is to be done next.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one value at a time, on the stack of the turn")]
pub enum Next<'a> {
    /// Nothing can go on by itself: a vote, a timer or an answer is awaited.
    Parked,
    /// The run is over, or has not begun.
    Over,
    /// Begin a task: `if`, input, then what its kind asks for.
    Begin {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
        /// Its raw input.
        raw: PayloadRef,
    },
    /// A leaf has begun: arm its timer, propose its draft, or start its read.
    Perform {
        /// The task.
        task: &'a Task,
        /// The leaf.
        leaf: Leaf,
    },
    /// Begin iteration `index` of a `for`, or finish it: the `while` decides.
    Iterate {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
        /// Which item, from 0; equal to the count when the items are used up.
        index: u32,
        /// The value so far.
        value: PayloadRef,
    },
    /// A task has its raw output: transform, export, record.
    Finish {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
        /// Its transformed input.
        input: PayloadRef,
        /// Its raw output.
        output: PayloadRef,
        /// What follows.
        then: &'a Directive,
    },
    /// An approval is unspent: claim it.
    Claim {
        /// The task.
        task: &'a Task,
        /// The leaf.
        leaf: Leaf,
        /// Which decision.
        decision: DecisionId,
    },
    /// A person said that the last draft was not sent: make the next revision.
    Redraft {
        /// The task.
        task: &'a Task,
        /// The leaf.
        leaf: Leaf,
        /// The last draft.
        last: DraftPrepared,
    },
    /// A task is to fault.
    Fault {
        /// The leaf.
        leaf: Leaf,
        /// Why.
        cause: Cause,
    },
    /// A fault looks for the innermost `try` that catches it.
    Unwind {
        /// The fault.
        fault: FaultFact,
        /// The enclosing `try` tasks, innermost first.
        tries: Vec<(&'a Task, Frame)>,
    },
    /// Make the run's output.
    Complete {
        /// The last task's transformed output.
        value: PayloadRef,
    },
    /// The plan has no task where the log says that the run is.
    Astray {
        /// The place that is missing.
        task: TaskPath,
    },
}

/// Why a leaf faults.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// The request ended without permission.
    Denied(Box<Denial>),
    /// The provider refused for good.
    Refused(Refused),
    /// A person gave up an attempt in doubt.
    GivenUp,
}

/// Where the run goes from here.
pub fn next<'a>(plan: &'a Plan, run: &Run) -> Next<'a> {
    match &run.phase {
        Phase::Absent | Phase::Completed(_) | Phase::Faulted(..) | Phase::Cancelled(_) => {
            Next::Over
        }
        Phase::Ending(_, value) => Next::Complete { value: *value },
        Phase::Faulting(_, fault, task) => unwind(plan, run, fault, task),
        Phase::Running(_) => match run.activity.leaf() {
            None => in_frame(plan, run),
            Some(leaf) => match plan.task(&leaf.task) {
                None => Next::Astray { task: leaf.task.clone() },
                Some(task) => in_leaf(task, leaf.clone(), run),
            },
        },
    }
}

fn in_leaf<'a>(task: &'a Task, leaf: Leaf, run: &Run) -> Next<'a> {
    let finish = |leaf: Leaf, output| Next::Finish {
        task,
        iteration: leaf.iteration,
        input: leaf.input,
        output,
        then: &task.then,
    };
    match &run.activity {
        Activity::Idle
        | Activity::Waiting(..)
        | Activity::Drafted(..)
        | Activity::Asked(..)
        | Activity::Attempting(..)
        | Activity::Deferred(..)
        | Activity::InDoubt(..) => Next::Parked,
        Activity::Started(_) => Next::Perform { task, leaf },
        Activity::Waited(_) => {
            let output = leaf.input;
            finish(leaf, output)
        }
        Activity::Answered(_, output) => finish(leaf, *output),
        Activity::Approved(_, ask) => Next::Claim { task, leaf, decision: ask.decision },
        Activity::Unsent(_, last) => Next::Redraft { task, leaf, last: (**last).clone() },
        Activity::Denied(_, denial) => Next::Fault { leaf, cause: Cause::Denied(denial.clone()) },
        Activity::Refused(_, refused) => {
            Next::Fault { leaf, cause: Cause::Refused(refused.clone()) }
        }
        Activity::GivenUp(_) => Next::Fault { leaf, cause: Cause::GivenUp },
    }
}

fn in_frame<'a>(plan: &'a Plan, run: &Run) -> Next<'a> {
    let Some(frame) = run.frames.last() else { return Next::Over };
    if frame.task.as_str().is_empty() {
        return match current(&plan.tasks, frame) {
            Some(task) => begin(task, frame),
            None => Next::Complete { value: frame.value },
        };
    }
    let Some(task) = plan.task(&frame.task) else {
        return Next::Astray { task: frame.task.clone() };
    };
    let finish = |then| Next::Finish {
        task,
        iteration: frame.iteration.clone(),
        input: frame.input,
        output: frame.value,
        then,
    };
    match (&frame.kind, &task.kind) {
        (FrameKind::List, TaskKind::Do(list)) => {
            current(list, frame).map_or_else(|| finish(&task.then), |child| begin(child, frame))
        }
        (FrameKind::Try, TaskKind::Try(inner)) => current(&inner.tasks, frame)
            .map_or_else(|| finish(&task.then), |child| begin(child, frame)),
        (FrameKind::Catch { .. }, TaskKind::Try(inner)) => {
            let list = inner.catch.tasks.as_ref();
            let then = inner.catch.then.as_ref().unwrap_or(&task.then);
            list.and_then(|list| current(list, frame))
                .map_or_else(|| finish(then), |child| begin(child, frame))
        }
        (FrameKind::For { count, current: at, .. }, TaskKind::For(inner)) => {
            if let Some(child) = at.and_then(|_| current(&inner.tasks, frame)) {
                return begin(child, frame);
            }
            let index = at.map_or(0, |now| now + 1);
            if index >= *count {
                return finish(&task.then);
            }
            let iteration = frame.iteration.clone();
            Next::Iterate { task, iteration, index, value: frame.value }
        }
        (FrameKind::List | FrameKind::Try | FrameKind::Catch { .. } | FrameKind::For { .. }, _) => {
            Next::Astray { task: frame.task.clone() }
        }
    }
}

fn current<'a>(list: &'a TaskList, frame: &Frame) -> Option<&'a Task> {
    if frame.exited { None } else { list.0.get(frame.index as usize) }
}

fn begin<'a>(task: &'a Task, frame: &Frame) -> Next<'a> {
    Next::Begin { task, iteration: frame.child_iteration(), raw: frame.value }
}

/// Only a `try` around the faulting task can catch: one that has itself taken too long cannot.
fn unwind<'a>(plan: &'a Plan, run: &Run, fault: &FaultFact, from: &TaskPath) -> Next<'a> {
    let around = |frame: &&Frame| {
        let inside = from.as_str().strip_prefix(frame.task.as_str());
        frame.kind == FrameKind::Try && inside.is_some_and(|rest| rest.starts_with('/'))
    };
    let tries = run
        .frames
        .iter()
        .rev()
        .filter(around)
        .filter_map(|frame| plan.task(&frame.task).map(|task| (task, frame.clone())))
        .collect();
    Next::Unwind { fault: fault.clone(), tries }
}
