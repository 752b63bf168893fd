//! An interpreter that evaluates nothing: it does what `next` names, and writes down what began.

use placet_core::decide::{Answer, Command, OutcomeVerdict};
use placet_core::flow::{BranchPlace, Cause, Next, next};
use placet_core::run::FrameKind;
use placet_core::test_util::Scene;
use placet_model::attempt::RefuseReason;
use placet_model::event::attempt::{AnswerFacts, AttemptStarted};
use placet_model::event::run::{
    BranchFaulted, FaultCaught, FaultFact, IterationStarted, RetryScheduled, RunCompleted,
    RunFaulted, TaskCompleted, TaskFaulted, TaskShape, TaskSkipped, TaskStarted, Then, TimerArmed,
    TimerFired, TimerKind,
};
use placet_model::plan::{Directive, Plan, Task, TaskKind, Template};
use placet_model::{Iteration, PayloadRef, TaskPath, TimerId};

/// More turns than any plan here takes.
const TURNS_MAX: usize = 500;

/// What a run did.
pub(crate) struct Trace {
    /// What began, in order: `name`, `name[iteration]`, `-name` when skipped, `!name` when it
    /// faulted, `?name` when a `try` caught it.
    pub(crate) lines: Vec<String>,
    /// Names in `$steps` when each task began, by its line.
    pub(crate) steps: Vec<(String, Vec<String>)>,
    /// The scene at the end.
    pub(crate) scene: Scene,
}

/// Drives the plan to its end.
pub(crate) fn run(plan: &Plan) -> Trace {
    let mut trace = Trace { lines: vec![], steps: vec![], scene: Scene::new().begun() };
    for _ in 0..TURNS_MAX {
        let scene = trace.scene.clone();
        match next(plan, &scene.run) {
            Next::Over | Next::Parked => return trace,
            next => trace.scene = trace.turn(scene, next),
        }
    }
    unreachable!("the plan does not end: {:?}", trace.lines)
}

impl Trace {
    fn turn(&mut self, scene: Scene, next: Next<'_>) -> Scene {
        match next {
            Next::Begin { task, iteration, raw } => self.begin(scene, task, (iteration, raw)),
            Next::Perform { task, .. } => perform(scene, task),
            Next::Iterate { task, iteration, index, value } => {
                let TaskKind::For(inner) = &task.kind else { unreachable!("only loops iterate") };
                let stop = inner.condition.as_ref().map(|text| text.0.parse::<u32>());
                if stop.is_some_and(|stop| Ok(index) == stop) {
                    return completed(scene, (task, iteration), value, &task.then);
                }
                let task = task.path.clone();
                scene.progress(IterationStarted { task, iteration, index })
            }
            Next::Finish { task, iteration, output, then, .. } => {
                completed(scene, (task, iteration), output, then)
            }
            Next::Fault { leaf, cause } => {
                self.lines.push(format!("!{}", leaf.task.name()));
                let kind = match cause {
                    Cause::Refused(_) => "refused".to_owned(),
                    Cause::Branch(fault) => fault.kind,
                    Cause::Denied(_) | Cause::GivenUp => unreachable!("nothing here is gated"),
                };
                let scene = abandon(scene, &leaf.task);
                faulted(scene, (leaf.task, leaf.iteration), &kind)
            }
            Next::Unwind { fault, tries, branch } => self.unwind(scene, &fault, (&tries, branch)),
            Next::Join { task, leaf, ends } => {
                let Some(last) = ends.last() else { unreachable!("a fork has branches") };
                let scene = abandon(scene, &leaf.task);
                completed(scene, (task, leaf.iteration), last.value, &task.then)
            }
            Next::Complete { value } => scene.progress(RunCompleted { output: value }),
            Next::Claim { .. }
            | Next::Redraft { .. }
            | Next::Astray { .. }
            | Next::Listen { .. }
            | Next::Handled { .. }
            | Next::Heard { .. } => {
                unreachable!("no plan here comes to {next:?}")
            }
            Next::Over | Next::Parked => unreachable!("the driver stops there"),
        }
    }

    fn note(&mut self, line: String, (path, scene): (&TaskPath, &Scene)) {
        let branch = scene.run.branch_of(path);
        let frames = scene.run.frames_around(branch);
        let seen: std::collections::BTreeSet<_> =
            frames.flat_map(|frame| frame.steps.keys().cloned()).collect();
        self.steps.push((line.clone(), seen.into_iter().collect()));
        self.lines.push(line);
    }

    fn begin(
        &mut self,
        scene: Scene,
        task: &Task,
        (iteration, raw): (Iteration, PayloadRef),
    ) -> Scene {
        let path = task.path.clone();
        if task.condition.as_ref().is_some_and(|text| text.0 == "false") {
            self.lines.push(format!("-{}", task.name));
            return scene.progress(TaskSkipped { task: path, iteration });
        }
        let place = iteration.to_string();
        let place = if place.is_empty() { place } else { format!("[{place}]") };
        self.note(format!("{}{place}", task.name), (&path, &scene));
        let begun = |shape| TaskStarted {
            task: path.clone(),
            iteration: iteration.clone(),
            shape,
            input: raw,
            items: None,
            count: 0,
        };
        match &task.kind {
            TaskKind::Set(_) => {
                let output = scene.run.slot(1, 0);
                completed(scene, (task, iteration), output, &task.then)
            }
            TaskKind::Switch(cases) => {
                let chosen = cases
                    .iter()
                    .find(|case| case.when.as_ref().is_some_and(|text| text.0 == "true"))
                    .or_else(|| cases.iter().find(|case| case.when.is_none()));
                let then = chosen.map_or(&task.then, |case| &case.then);
                completed(scene, (task, iteration), raw, then)
            }
            TaskKind::Raise(spec) => {
                let Template::Literal(kind) = &spec.kind else { unreachable!("types are literal") };
                faulted(scene, (path, iteration), kind.as_str().unwrap_or_default())
            }
            TaskKind::Call(_) | TaskKind::Wait(_) => scene.progress(begun(TaskShape::Leaf)),
            TaskKind::Do(_) => scene.progress(begun(TaskShape::List)),
            TaskKind::Try(_) => scene.progress(begun(TaskShape::Try)),
            TaskKind::For(inner) => {
                let Template::Literal(items) = &inner.items else { unreachable!("literal items") };
                let count = items.as_array().map_or(0, Vec::len);
                let count = u32::try_from(count).expect("a short loop");
                scene.progress(TaskStarted { items: Some(raw), count, ..begun(TaskShape::For) })
            }
            TaskKind::Fork(fork) => {
                let shape = if fork.compete { TaskShape::Race } else { TaskShape::Fork };
                let count = u32::try_from(fork.branches.0.len()).expect("few branches");
                scene.progress(TaskStarted { count, ..begun(shape) })
            }
            TaskKind::Listen(_)
            | TaskKind::Emit(_)
            | TaskKind::Run(_)
            | TaskKind::OpenApi(_)
            | TaskKind::Function(_) => unreachable!("a sketch holds no such task"),
        }
    }

    fn unwind(
        &mut self,
        scene: Scene,
        fault: &FaultFact,
        (tries, branch): (&[(&Task, placet_core::run::Frame)], Option<BranchPlace>),
    ) -> Scene {
        for (task, frame) in tries {
            let TaskKind::Try(inner) = &task.kind else { unreachable!("only a try catches") };
            if inner.catch.errors.kind.as_ref().is_none_or(|kind| *kind == fault.kind) {
                let FrameKind::Try(tries) = frame.kind else { unreachable!("only a try catches") };
                let retries = inner.catch.retry.as_ref().and_then(|policy| policy.limit.count);
                if retries.is_some_and(|most| tries.retries < u32::from(most)) {
                    self.lines.push(format!("~{}", task.name));
                    return retry(scene, (frame, tries.retries + 1), fault);
                }
                self.lines.push(format!("?{}", task.name));
                let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
                return scene.progress(FaultCaught { task, iteration, fault: fault.content });
            }
        }
        let fault = fault.clone();
        match branch {
            None => scene.progress(RunFaulted { fault }),
            Some(BranchPlace { fork: task, iteration, index: branch }) => {
                scene.progress(BranchFaulted { task, iteration, branch, fault })
            }
        }
    }
}

/// Takes back what is open in the branches of a fork.
fn abandon(scene: Scene, fork: &TaskPath) -> Scene {
    let outcome = scene.when(Command::Abandon { inside: fork.clone() });
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    outcome.after
}

fn retry(
    mut scene: Scene,
    (frame, retry): (&placet_core::run::Frame, u32),
    fault: &FaultFact,
) -> Scene {
    let timer = TimerId::from_bytes(scene.mint());
    let scheduled = RetryScheduled {
        task: frame.task.clone(),
        iteration: frame.iteration.clone(),
        retry,
        fault: fault.content,
        timer,
        due_at: scene.now.plus_millis(1000),
    };
    scene.progress(scheduled).later(1000).progress(TimerFired { timer })
}

fn completed(
    scene: Scene,
    (task, iteration): (&Task, Iteration),
    output: PayloadRef,
    then: &Directive,
) -> Scene {
    let (then, goto) = match then {
        Directive::Continue => (Then::Continue, None),
        Directive::Exit => (Then::Exit, None),
        Directive::End => (Then::End, None),
        Directive::Goto { index, .. } => (Then::Goto, Some(*index)),
    };
    let (task, context) = (task.path.clone(), None);
    scene.progress(TaskCompleted { task, iteration, output, context, then, goto })
}

fn faulted(scene: Scene, (task, iteration): (TaskPath, Iteration), kind: &str) -> Scene {
    let content = scene.run.slot(1, 0);
    let fault = FaultFact { kind: kind.to_owned(), status: 500, content };
    scene.progress(TaskFaulted { task, iteration, fault })
}

fn perform(mut scene: Scene, task: &Task) -> Scene {
    let leaf = scene.run.branch_of(&task.path).activity.leaf().expect("a leaf begins").clone();
    let (path, iteration) = (leaf.task, leaf.iteration);
    if let TaskKind::Wait(_) = &task.kind {
        let timer = TimerId::from_bytes(scene.mint());
        let (kind, due_at) = (TimerKind::Wait, scene.now.plus_millis(1000));
        let armed = TimerArmed { timer, task: path, iteration, kind, due_at };
        return scene.progress(armed).later(1000).progress(TimerFired { timer });
    }
    let read = AttemptStarted { task: path, iteration, ..scene.read() };
    let attempt = read.attempt;
    let scene = scene.when(Command::Read(Box::new(read))).leaves_it("attempting (ungated)");
    let verdict = if task.name.starts_with("bad") {
        OutcomeVerdict::Refused { reason: RefuseReason::Permanent, code: None, detail: None }
    } else {
        OutcomeVerdict::Succeeded { output: scene.run.slot(1, 0), would_have_sent: None }
    };
    let (try_number, facts) = (1, AnswerFacts::default());
    let answer = Answer { attempt, try_number, facts, verdict };
    let outcome = scene.when(Command::Answered(Box::new(answer)));
    assert!(outcome.result.is_ok(), "{:?}", outcome.result);
    outcome.after
}
