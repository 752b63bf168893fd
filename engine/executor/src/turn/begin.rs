//! Beginning a task: its condition, its input, and what its kind asks for.

use super::scope::{Place, words_of};
use super::{Error, Outcome, Turn, or_fault};
use crate::values::Content;
use placet_language::ExpressionError;
use placet_model::event::run::{
    IterationStarted, TaskShape, TaskSkipped, TaskStarted, TimerArmed, TimerKind,
};
use placet_model::fault::FaultKind;
use placet_model::plan::{
    Case, Directive, DurationSpec, Expression, For, RaiseSpec, Task, TaskKind, Template,
};
use placet_model::{Duration, Fault, Iteration, PayloadRef};
use serde_json::Value;
use std::sync::Arc;

/// A value, and where it stands if it is recorded already.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) value: Arc<Value>,
    pub(super) at: Option<PayloadRef>,
}

impl Held {
    pub(super) fn fresh(value: Value) -> Self {
        Self { value: Arc::new(value), at: None }
    }
}

impl Turn<'_> {
    /// Begins a task, or faults it. Always goes on.
    pub(super) fn begin(
        &mut self,
        task: &Task,
        iteration: Iteration,
        raw: PayloadRef,
    ) -> Result<bool, Error> {
        match self.try_begin(task, &iteration, raw)? {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&task.path, iteration, fault),
        }
    }

    fn try_begin(&mut self, task: &Task, iteration: &Iteration, raw: PayloadRef) -> Outcome<()> {
        if let Some(fault) = self.bound_reached() {
            return Ok(Err(fault));
        }
        let value = self.value(raw)?;
        let mut place = Place { task: Some(task), raw: Some(raw), ..Place::default() };
        if let Some(condition) = &task.condition
            && !or_fault!(self.condition(condition, &value, &place))
        {
            let (task, iteration) = (task.path.clone(), iteration.clone());
            self.note(TaskSkipped { task, iteration }, vec![])?;
            return Ok(Ok(()));
        }
        let input = or_fault!(self.task_input(task, raw, value, &place));
        place.input = Some(Arc::clone(&input.value));
        match &task.kind {
            TaskKind::Set(template) => {
                let output = or_fault!(self.template(template, &input.value, &place));
                self.finish_instant(task, iteration, (&input, Held::fresh(output)), &task.then)
            }
            TaskKind::Switch(cases) => {
                let then =
                    or_fault!(self.choose(cases, &input.value, &place)).unwrap_or(&task.then);
                self.finish_instant(task, iteration, (&input, input.clone()), then)
            }
            TaskKind::Raise(raise) => Ok(Err(or_fault!(self.raised(raise, &input.value, &place)))),
            TaskKind::Do(_) => self.started(task, iteration, TaskShape::List, &input),
            TaskKind::Try(_) => self.started(task, iteration, TaskShape::Try, &input),
            TaskKind::Call(_) | TaskKind::OpenApi(_) | TaskKind::Wait(_) | TaskKind::Run(_) => {
                self.started(task, iteration, TaskShape::Leaf, &input)
            }
            TaskKind::Listen(listen) => {
                let each = listen.each.is_some();
                let shape = if each { TaskShape::ListenEach } else { TaskShape::Listen };
                self.started(task, iteration, shape, &input)
            }
            TaskKind::Fork(fork) => self.forked(task, iteration, (&input, fork)),
            TaskKind::Emit(emit) => self.emit(task, iteration, (&input, emit, &place)),
            TaskKind::Function(call) => self.function(task, iteration, (&input, call, &place)),
            TaskKind::For(inner) => {
                let items = or_fault!(self.items(inner, &input.value, &place));
                self.started_for(task, iteration, &input, items)
            }
        }
    }

    /// What a run says that has executed, or nested, as many tasks as the operator allows.
    fn bound_reached(&self) -> Option<Fault> {
        if self.is_listener() {
            return None;
        }
        let limits = &self.env.config.limits;
        let depth = self.out.run.frames_around(self.here()).count() as u64;
        let words = if self.out.run.steps >= limits.steps_max {
            let most = limits.steps_max;
            format!(
                "the run has executed {most} tasks: raise limits.steps_max in placet.toml if that is meant"
            )
        } else if depth > limits.nesting_max {
            let most = limits.nesting_max;
            format!(
                "tasks are nested {most} deep: raise limits.nesting_max in placet.toml if that is meant"
            )
        } else {
            return None;
        };
        Some(Fault::new(FaultKind::Runtime, words))
    }

    fn task_input(
        &mut self,
        task: &Task,
        raw: PayloadRef,
        value: Arc<Value>,
        place: &Place<'_>,
    ) -> Outcome<Held> {
        if let Some(schema) = &task.input.schema
            && let Err(reason) = self.check_schema(schema, &value)
        {
            return Ok(Err(Fault::new(FaultKind::Validation, format!("the input: {reason}"))));
        }
        match &task.input.from {
            None => Ok(Ok(Held { value, at: Some(raw) })),
            Some(from) => Ok(self.template(from, &value, place)?.map(Held::fresh)),
        }
    }

    pub(super) fn started(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        shape: TaskShape,
        input: &Held,
    ) -> Outcome<()> {
        let (reference, payloads) = self.place_first(input);
        let body = TaskStarted {
            task: task.path.clone(),
            iteration: iteration.clone(),
            shape,
            input: reference,
            items: None,
            count: 0,
        };
        self.note(body, payloads)?;
        if shape == TaskShape::Try
            && let Err(fault) = self.arm_attempt(task, iteration)?
        {
            return Ok(Err(fault));
        }
        self.arm_timeout(task, iteration)
    }

    fn started_for(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        input: &Held,
        items: Vec<Value>,
    ) -> Outcome<()> {
        let most = self.env.config.limits.iterations_max;
        let count = u32::try_from(items.len()).ok().filter(|count| u64::from(*count) <= most);
        let Some(count) = count else {
            let words = format!(
                "the loop has {} items, more than {most}: raise limits.iterations_max in placet.toml if that is meant",
                items.len()
            );
            return Ok(Err(Fault::new(FaultKind::Runtime, words)));
        };
        let (reference, mut payloads) = self.place_first(input);
        let index = u16::try_from(payloads.len()).unwrap_or(u16::MAX);
        payloads.push(Content::of_value(Arc::new(Value::Array(items))));
        let body = TaskStarted {
            task: task.path.clone(),
            iteration: iteration.clone(),
            shape: TaskShape::For,
            input: reference,
            items: Some(self.out.run.slot(1, index)),
            count,
        };
        self.note(body, payloads)?;
        self.arm_timeout(task, iteration)
    }

    /// The reference of a value: where it stands, or the first payload of the next event.
    pub(super) fn place_first(&self, held: &Held) -> (PayloadRef, Vec<Content>) {
        match held.at {
            Some(reference) => (reference, vec![]),
            None => (self.out.run.slot(1, 0), vec![Content::of_value(Arc::clone(&held.value))]),
        }
    }

    pub(super) fn arm_timeout(&mut self, task: &Task, iteration: &Iteration) -> Outcome<()> {
        let limit = match (&task.timeout, &task.timeout_from) {
            (Some(limit), _) => *limit,
            (None, None) => return Ok(Ok(())),
            (None, Some(from)) => {
                let spec = DurationSpec::Expression(from.clone());
                let input = self.here().activity.leaf().map(|leaf| leaf.input);
                let input = input.or_else(|| self.here().frames.last().map(|frame| frame.input));
                let input = self.value_or_null(input)?;
                or_fault!(self.duration(&spec, task, &input))
            }
        };
        if limit.is_zero() {
            return Ok(Err(Fault::new(FaultKind::Validation, "a timeout of nothing")));
        }
        self.arm((task, iteration), TimerKind::TaskTimeout, limit)
    }

    /// Arms a timer of a task.
    pub(super) fn arm(
        &mut self,
        (task, iteration): (&Task, &Iteration),
        kind: TimerKind,
        after: Duration,
    ) -> Outcome<()> {
        let Some(due_at) = self.now.checked_add(after) else {
            let words = format!("the {} is beyond the calendar", kind.word().replace('_', " "));
            return Ok(Err(Fault::new(FaultKind::Validation, words)));
        };
        let timer = self.env.mint.timer(self.now);
        let (task, iteration) = (task.path.clone(), iteration.clone());
        self.note(TimerArmed { timer, task, iteration, kind, due_at }, vec![])?;
        Ok(Ok(()))
    }

    /// Begins the next iteration of a loop, or finishes it when its `while` says so.
    pub(super) fn iterate(
        &mut self,
        task: &Task,
        iteration: Iteration,
        (index, value): (u32, PayloadRef),
    ) -> Result<bool, Error> {
        let TaskKind::For(inner) = &task.kind else { return self.astray(&task.path) };
        if let Some(condition) = &inner.condition {
            let input = self.value(value)?;
            let place = Place { task: Some(task), index: Some(index), ..Place::default() };
            match self.condition(condition, &input, &place)? {
                Ok(true) => {}
                Ok(false) => {
                    let frame = self.here().frames.last().map(|frame| frame.input);
                    let input = frame.unwrap_or(value);
                    return self.finish_started(task, iteration, (input, value), &task.then);
                }
                Err(fault) => return self.fault_task(&task.path, iteration, fault),
            }
        }
        self.note(IterationStarted { task: task.path.clone(), iteration, index }, vec![])?;
        Ok(true)
    }

    fn items(&mut self, inner: &For, input: &Value, place: &Place<'_>) -> Outcome<Vec<Value>> {
        match or_fault!(self.template(&inner.items, input, place)) {
            Value::Array(items) => Ok(Ok(items)),
            Value::Null => Ok(Ok(vec![])),
            other => {
                let words = format!("for.in must give an array or null, not {}", kind_of(&other));
                Ok(Err(Fault::new(FaultKind::Expression, words)))
            }
        }
    }

    /// The directive of the first case that holds, else of the default case.
    fn choose<'c>(
        &mut self,
        cases: &'c [Case],
        input: &Value,
        place: &Place<'_>,
    ) -> Outcome<Option<&'c Directive>> {
        for case in cases {
            if let Some(when) = &case.when
                && or_fault!(self.condition(when, input, place))
            {
                return Ok(Ok(Some(&case.then)));
            }
        }
        Ok(Ok(cases.iter().find(|case| case.when.is_none()).map(|case| &case.then)))
    }

    fn raised(&mut self, raise: &RaiseSpec, input: &Value, place: &Place<'_>) -> Outcome<Fault> {
        let kind = or_fault!(self.text(&raise.kind, input, place));
        let title = match &raise.title {
            Some(title) => Some(or_fault!(self.text(title, input, place))),
            None => None,
        };
        let detail = match &raise.detail {
            Some(detail) => Some(or_fault!(self.text(detail, input, place))),
            None => None,
        };
        Ok(Ok(Fault { kind, status: raise.status, title, detail, instance: None }))
    }

    pub(super) fn text(
        &mut self,
        template: &Template,
        input: &Value,
        place: &Place<'_>,
    ) -> Outcome<String> {
        match or_fault!(self.template(template, input, place)) {
            Value::String(text) => Ok(Ok(text)),
            other => {
                let words = format!("a text is needed here, not {}", kind_of(&other));
                Ok(Err(Fault::new(FaultKind::Expression, words)))
            }
        }
    }

    /// Evaluates a template; a failing expression is the workflow's fault.
    pub(super) fn template(
        &mut self,
        template: &Template,
        input: &Value,
        place: &Place<'_>,
    ) -> Outcome<Value> {
        if let Template::Literal(value) = template {
            return Ok(Ok(value.clone()));
        }
        let scope = self.scope(&words_of(template), place)?;
        let result = self.env.evaluator.template(template, input, &scope);
        evaluated(result)
    }

    /// Evaluates a condition; a failing expression is the workflow's fault.
    pub(super) fn condition(
        &mut self,
        condition: &Expression,
        input: &Value,
        place: &Place<'_>,
    ) -> Outcome<bool> {
        let scope = self.scope(&condition.0, place)?;
        let result = self.env.evaluator.condition(condition, input, &scope);
        evaluated(result)
    }
}

/// A failing expression is the workflow's fault; an evaluator that must restart is not.
pub(super) fn evaluated<T>(result: Result<T, ExpressionError>) -> Outcome<T> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(ExpressionError::MustRestart { .. }) => Err(Error::MustRestart),
        Err(error @ ExpressionError::ResultLimit { .. }) => {
            let words = format!(
                "{}, or raise limits.output_bytes_max in placet.toml",
                super::describe(&error)
            );
            Ok(Err(Fault::new(FaultKind::Expression, words)))
        }
        Err(error) => Ok(Err(Fault::new(FaultKind::Expression, super::describe(&error)))),
    }
}

/// The JSON type of a value, with an article.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
