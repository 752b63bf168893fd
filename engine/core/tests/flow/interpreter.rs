//! An interpreter that evaluates nothing: it does what `next` names, and writes down what began.

use placet_core::decide::{Answer, Command, OutcomeVerdict};
use placet_core::flow::{Cause, Next, next};
use placet_core::test_util::Scene;
use placet_model::attempt::RefuseReason;
use placet_model::event::attempt::{AnswerFacts, AttemptStarted};
use placet_model::event::run::{
    FaultCaught, FaultFact, IterationStarted, RunCompleted, RunFaulted, TaskCompleted, TaskFaulted,
    TaskShape, TaskSkipped, TaskStarted, Then, TimerArmed, TimerFired, TimerKind,
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
                let Cause::Refused(_) = cause else { unreachable!("calls here are refused") };
                self.lines.push(format!("!{}", leaf.task.name()));
                faulted(scene, (leaf.task, leaf.iteration), "refused")
            }
            Next::Unwind { fault, tries } => self.unwind(scene, &fault, &tries),
            Next::Complete { value } => scene.progress(RunCompleted { output: value }),
            Next::Claim { .. } | Next::Redraft { .. } | Next::Astray { .. } => {
                unreachable!("no plan here comes to {next:?}")
            }
            Next::Over | Next::Parked => unreachable!("the driver stops there"),
        }
    }

    fn note(&mut self, line: String, scene: &Scene) {
        let frames = scene.run.frames.iter();
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
        self.note(format!("{}{place}", task.name), &scene);
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
            TaskKind::Fork(_)
            | TaskKind::Listen(_)
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
        tries: &[(&Task, placet_core::run::Frame)],
    ) -> Scene {
        for (task, frame) in tries {
            let TaskKind::Try(inner) = &task.kind else { unreachable!("only a try catches") };
            if inner.catch.errors.kind.as_ref().is_none_or(|kind| *kind == fault.kind) {
                self.lines.push(format!("?{}", task.name));
                let (task, iteration) = (frame.task.clone(), frame.iteration.clone());
                return scene.progress(FaultCaught { task, iteration, fault: fault.content });
            }
        }
        scene.progress(RunFaulted { fault: fault.clone() })
    }
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
    let leaf = scene.run.activity.leaf().expect("a leaf is performed").clone();
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
