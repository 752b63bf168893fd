//! Where a run goes from here: control flow over the plan, without evaluating anything.
//!
//! [`next`] is a pure function of plan and state. The executor evaluates what it names and turns
//! the result into a [`crate::Command`]; whatever it learns is recorded, so that replay never
//! comes here.

use crate::run::Wait;
use crate::run::{Activity, Branch, BranchKey, Denial, Fork, Frame, FrameKind, Leaf};
use crate::run::{Phase, Refused, Run};
use placet_model::event::decision::DraftPrepared;
use placet_model::event::run::FaultFact;
use placet_model::plan::{Directive, ForEach, Plan, Task, TaskKind, TaskList};
use placet_model::{DecisionId, Iteration, PayloadRef, TaskPath};
use std::collections::BTreeSet;

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
    /// A `listen` waits: begin to, or take what has come.
    Listen {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
    },
    /// What runs for an event has ended: make the element of the output.
    Handled {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
        /// Which event, from 0.
        index: u32,
        /// The event as read.
        event: PayloadRef,
        /// The body's output.
        value: PayloadRef,
    },
    /// A `listen` has taken all its events: its output is the list of the elements.
    Heard {
        /// The task.
        task: &'a Task,
        /// Which execution of it.
        iteration: Iteration,
        /// Its transformed input.
        input: PayloadRef,
        /// The elements.
        elements: Vec<PayloadRef>,
    },
    /// Enough branches of a fork have ended: join them.
    Join {
        /// The task.
        task: &'a Task,
        /// The leaf.
        leaf: Leaf,
        /// What each branch that counts has come to, in declared order; one for a race.
        ends: Vec<BranchEnd>,
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
        /// The enclosing `try` tasks of its branch, innermost first.
        tries: Vec<(&'a Task, Frame)>,
        /// The branch that it leaves where none catches it; none is the workflow itself.
        branch: Option<BranchPlace>,
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

/// What a branch of a fork has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BranchEnd {
    /// Its output.
    pub value: PayloadRef,
    /// Its context; none is `{}`.
    pub context: Option<PayloadRef>,
}

/// One branch of a fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchPlace {
    /// The `fork` task.
    pub fork: TaskPath,
    /// Which execution of it.
    pub iteration: Iteration,
    /// Which branch, from 0.
    pub index: u32,
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
    /// A branch has faulted, or each branch of a race.
    Branch(FaultFact),
}

/// Where the run goes from here: what the first branch that can go on does next.
pub fn next<'a>(plan: &'a Plan, run: &Run) -> Next<'a> {
    next_beside(plan, run, &BTreeSet::new()).1
}

/// As [`next`], leaving out branches of which the caller knows that they must wait, and naming the
/// branch.
pub fn next_beside<'a>(
    plan: &'a Plan,
    run: &Run,
    waiting: &BTreeSet<BranchKey>,
) -> (BranchKey, Next<'a>) {
    match &run.phase {
        Phase::Absent | Phase::Completed(_) | Phase::Faulted(..) | Phase::Cancelled(_) => {
            (BranchKey::main(), Next::Over)
        }
        Phase::Ending(_, value) => (BranchKey::main(), Next::Complete { value: *value }),
        Phase::Running(_) => {
            for branch in run.branches().iter().filter(|branch| !waiting.contains(&branch.key)) {
                let next = in_branch(plan, run, branch);
                if next != Next::Parked {
                    return (branch.key.clone(), next);
                }
            }
            (BranchKey::main(), Next::Parked)
        }
    }
}

fn in_branch<'a>(plan: &'a Plan, run: &Run, branch: &Branch) -> Next<'a> {
    if branch.failed.is_some() || branch.ended().is_some() {
        return Next::Parked;
    }
    if let Some((fault, task)) = &branch.fault {
        return unwind(plan, branch, fault, task);
    }
    match branch.activity.leaf() {
        None => in_frame(plan, branch),
        Some(leaf) => match plan.task(&leaf.task) {
            None => Next::Astray { task: leaf.task.clone() },
            Some(task) => in_leaf(task, leaf.clone(), (run, branch)),
        },
    }
}

fn in_leaf<'a>(task: &'a Task, leaf: Leaf, (run, branch): (&Run, &Branch)) -> Next<'a> {
    let finish = |leaf: Leaf, output| Next::Finish {
        task,
        iteration: leaf.iteration,
        input: leaf.input,
        output,
        then: &task.then,
    };
    match &branch.activity {
        Activity::Idle
        | Activity::Waiting(..)
        | Activity::Drafted(..)
        | Activity::Asked(..)
        | Activity::Attempting(..)
        | Activity::Deferred(..)
        | Activity::InDoubt(..)
        | Activity::Awaiting(..)
        | Activity::Dropped(_) => Next::Parked,
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
        Activity::Forked(_, fork) => join(task, leaf, (run, *fork)),
    }
}

/// All branches of a fork must end well, and the first fault counts. Of a race one is enough, and
/// a fault counts when every branch has faulted: the last one.
fn join<'a>(task: &'a Task, leaf: Leaf, (run, fork): (&Run, Fork)) -> Next<'a> {
    let path = leaf.task.clone();
    let branches = || run.fork_branches(&path, fork);
    let failed: Vec<_> = branches().filter_map(|branch| branch.failed.as_ref()).collect();
    let ends: Vec<_> = branches()
        .filter_map(|b| Some(BranchEnd { value: b.ended()?, context: b.context }))
        .collect();
    let (needed, faults) = if fork.race { (1, fork.count) } else { (fork.count, 1) };
    if ends.len() >= needed as usize {
        let ends = ends.into_iter().take(needed as usize).collect();
        return Next::Join { task, leaf, ends };
    }
    let last = failed.iter().max_by_key(|fault| fault.content);
    match last.filter(|_| failed.len() >= faults as usize) {
        Some(fault) => Next::Fault { leaf, cause: Cause::Branch((*fault).clone()) },
        None => Next::Parked,
    }
}

fn in_frame<'a>(plan: &'a Plan, branch: &Branch) -> Next<'a> {
    let Some(frame) = branch.frames.last() else { return Next::Over };
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
    let list = |list: &'a TaskList| {
        current(list, frame).map_or_else(|| finish(&task.then), |child| begin(child, frame))
    };
    match (&frame.kind, &task.kind) {
        (FrameKind::List, TaskKind::Do(tasks)) => list(tasks),
        (FrameKind::Function, TaskKind::Function(call)) => list(&call.body),
        (FrameKind::Try(_), TaskKind::Try(inner)) => list(&inner.tasks),
        (FrameKind::Backoff { .. }, TaskKind::Try(_)) => Next::Parked,
        (FrameKind::Branch, TaskKind::Fork(fork)) => in_branch_root(fork, (frame, branch)),
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
        (FrameKind::Listen(wait), TaskKind::Listen(listen)) => {
            in_listen(task, (wait, frame), listen.each.as_ref())
        }
        (
            FrameKind::List
            | FrameKind::Function
            | FrameKind::Branch
            | FrameKind::Try(_)
            | FrameKind::Backoff { .. }
            | FrameKind::Catch { .. }
            | FrameKind::For { .. }
            | FrameKind::Listen(_),
            _,
        ) => Next::Astray { task: frame.task.clone() },
    }
}

/// A branch is one task.
fn in_branch_root<'a>(
    fork: &'a placet_model::plan::Fork,
    (frame, branch): (&Frame, &Branch),
) -> Next<'a> {
    let mut tasks = fork.branches.0.iter();
    match tasks.find(|task| task.path.is_inside(&branch.key.head)) {
        Some(task) => begin(task, frame),
        None => Next::Astray { task: branch.key.head.clone() },
    }
}

fn in_listen<'a>(
    task: &'a Task,
    (wait, frame): (&Wait, &Frame),
    each: Option<&'a ForEach>,
) -> Next<'a> {
    let iteration = frame.iteration.clone();
    if let Some(index) = wait.current {
        let body = each.and_then(|each| each.tasks.as_ref());
        if let Some(child) = body.and_then(|list| current(list, frame)) {
            return begin(child, frame);
        }
        let event = wait.values.get(index as usize).copied().unwrap_or(frame.value);
        return Next::Handled { task, iteration, index, event, value: frame.value };
    }
    if wait.ended {
        let elements = wait.elements.clone();
        return Next::Heard { task, iteration, input: frame.input, elements };
    }
    Next::Listen { task, iteration }
}

fn current<'a>(list: &'a TaskList, frame: &Frame) -> Option<&'a Task> {
    if frame.exited { None } else { list.0.get(frame.index as usize) }
}

fn begin<'a>(task: &'a Task, frame: &Frame) -> Next<'a> {
    Next::Begin { task, iteration: frame.child_iteration(), raw: frame.value }
}

/// Only a `try` around the faulting task can catch: one that has itself taken too long cannot.
fn unwind<'a>(plan: &'a Plan, branch: &Branch, fault: &FaultFact, from: &TaskPath) -> Next<'a> {
    let around =
        |frame: &&Frame| matches!(frame.kind, FrameKind::Try(_)) && from.is_inside(&frame.task);
    let tries = branch
        .frames
        .iter()
        .rev()
        .filter(around)
        .filter_map(|frame| plan.task(&frame.task).map(|task| (task, frame.clone())))
        .collect();
    Next::Unwind { fault: fault.clone(), tries, branch: place(branch) }
}

/// Which branch of which fork this is.
fn place(branch: &Branch) -> Option<BranchPlace> {
    let frame = branch.frames.first().filter(|frame| frame.kind == FrameKind::Branch)?;
    let index = branch.key.head.as_str().rsplit('/').next()?.parse().ok()?;
    let iteration = frame.iteration.clone();
    Some(BranchPlace { fork: frame.task.clone(), iteration, index })
}
