//! The variables that an expression may read, built only when it mentions them (facts of the
//! language, section 3).

use super::{Error, Turn};
use crate::turn::StartRun;
use placet_core::run::{Frame, FrameKind};
use placet_language::Scope;
use placet_model::plan::{ForEach, Plan, Task, TaskKind, Template};
use placet_model::{PayloadRef, Revision, StreamId, TaskPath, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The place at which something is evaluated.
#[derive(Debug, Clone, Default)]
pub(super) struct Place<'p> {
    /// The task.
    pub(super) task: Option<&'p Task>,
    /// Its raw input.
    pub(super) raw: Option<PayloadRef>,
    /// Its transformed input, as `$input`.
    pub(super) input: Option<Arc<Value>>,
    /// Its output, as `$output` and `$task.output`.
    pub(super) output: Option<Arc<Value>>,
    /// A loop that is about to begin this iteration.
    pub(super) index: Option<u32>,
    /// `$context`, where it is not that of the branch.
    pub(super) context: Option<Arc<Value>>,
    /// Variables of an event that is being looked at.
    pub(super) event: Option<(&'p ForEach, u32, Arc<Value>)>,
    /// A fault that is being judged, with its variable.
    pub(super) fault: Option<(&'p str, Arc<Value>)>,
}

/// Text of every expression in a template, to see which variables it mentions.
fn text_of(template: &Template, text: &mut String) {
    match template {
        Template::Literal(_) => {}
        Template::Expression(expression) => {
            text.push_str(&expression.0);
            text.push('\n');
        }
        Template::Map(entries) => entries.iter().for_each(|(_, value)| text_of(value, text)),
        Template::List(items) => items.iter().for_each(|item| text_of(item, text)),
    }
}

/// The expressions of a template as one text.
pub(super) fn words_of(template: &Template) -> String {
    let mut text = String::new();
    text_of(template, &mut text);
    text
}

/// The scheme by which a call proves who it is; the parameter is a place that is filled when the
/// request is sent, and no expression sees it.
fn authorization(task: Option<&Task>) -> Value {
    let shape = task.and_then(|task| super::perform::CallShape::of(&task.kind));
    let authentication = shape.and_then(|shape| shape.authentication);
    let scheme = authentication.map(placet_adapters::http_call::scheme);
    scheme.map_or(Value::Null, |scheme| json!({ "scheme": scheme }))
}

fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": at.as_secs(), "milliseconds": at.as_millis()},
    })
}

impl Turn<'_> {
    /// The variables that `words` mentions, at this place.
    pub(super) fn scope(&mut self, words: &str, place: &Place<'_>) -> Result<Scope, Error> {
        let mut scope = Scope::new();
        if !words.contains('$') {
            return Ok(scope);
        }
        let mentions = |name: &str| words.contains(&format!("${name}"));
        if mentions("context") {
            let context = match (&place.context, self.here().context) {
                (Some(context), _) => Arc::clone(context),
                (None, Some(reference)) => self.value(reference)?,
                (None, None) => Arc::new(json!({})),
            };
            scope.set("context", context);
        }
        if mentions("workflow") {
            scope.set("workflow", self.workflow_variable()?);
        }
        if mentions("runtime") {
            scope.set("runtime", self.runtime_variable(words, place)?);
        }
        if mentions("task")
            && let Some(task) = place.task
        {
            scope.set("task", self.task_variable(task, place)?);
        }
        if mentions("authorization") {
            scope.set("authorization", authorization(place.task));
        }
        if mentions("steps") {
            scope.set("steps", self.steps_variable(words)?);
        }
        if let Some(input) = &place.input {
            scope.set("input", Arc::clone(input));
        }
        if let Some(output) = &place.output {
            scope.set("output", Arc::clone(output));
        }
        self.loop_variables(&mut scope, words, place)?;
        if let Some((each, index, event)) = &place.event {
            scope.set(&each.item, Arc::clone(event));
            scope.set(&each.at, json!(index));
        }
        if let Some((name, fault)) = &place.fault {
            scope.set(name, Arc::clone(fault));
        }
        Ok(scope)
    }

    /// The variables of the workflow's own input transform.
    pub(super) fn start_scope(&self, plan: &Plan, start: &StartRun, input: &Value) -> Scope {
        let workflow = json!({
            "id": self.out.run.id.to_string(),
            "definition": plan.definition,
            "input": input,
            "startedAt": moment(self.now),
        });
        let runtime = json!({"name": "placet", "version": env!("CARGO_PKG_VERSION"), "metadata": {"mode": start.mode}});
        Scope::new().with("workflow", workflow).with("runtime", runtime)
    }

    fn workflow_variable(&mut self) -> Result<Value, Error> {
        let Some(facts) = self.out.run.facts() else { return Ok(Value::Null) };
        let (input, started_at) = (facts.started.input, facts.started_at);
        let input = self.value(input)?;
        let definition = self.out.plan.as_ref().map(|plan| plan.definition.clone());
        Ok(json!({
            "id": self.out.run.id.to_string(),
            "definition": definition,
            "input": *input,
            "startedAt": moment(started_at),
        }))
    }

    fn runtime_variable(&mut self, words: &str, place: &Place<'_>) -> Result<Value, Error> {
        let mode = self.out.run.facts().map(|facts| facts.started.mode);
        let approval = match place.task {
            Some(task) if words.contains("approval") => self.evidence(&task.path)?,
            Some(_) | None => Value::Null,
        };
        Ok(json!({
            "name": "placet",
            "version": env!("CARGO_PKG_VERSION"),
            "metadata": {"mode": mode, "approval": approval},
        }))
    }

    /// Who has agreed to the call that a task has just made; null where nobody was asked.
    fn evidence(&mut self, task: &TaskPath) -> Result<Value, Error> {
        let leaf = self.out.run.branch_of(task).activity.leaf();
        let leaf = leaf.filter(|leaf| leaf.task == *task);
        let Some((decision, leaf)) = leaf.and_then(|leaf| Some((leaf.decision?, leaf))) else {
            return Ok(Value::Null);
        };
        let mut evidence = super::evidence::Evidence::new(decision, leaf.editor.is_some());
        let view = self.env.view()?;
        for event in view.stream(&self.stream, Revision::START) {
            evidence.see(&event?);
        }
        for event in view.stream(&StreamId::Policy, Revision::START) {
            evidence.see_policy(&event?);
        }
        let reasons = evidence.reasons();
        let mut words = vec![];
        for reason in reasons {
            words.push((*self.value_or_null(reason)?).clone());
        }
        Ok(evidence.into_value(&words))
    }

    fn task_variable(&mut self, task: &Task, place: &Place<'_>) -> Result<Value, Error> {
        let input = match place.raw {
            Some(raw) => Some(self.value(raw)?),
            None => None,
        };
        Ok(json!({
            "name": task.name,
            "reference": task.path.as_str(),
            "definition": task.definition,
            "input": input.as_deref(),
            "output": place.output.as_deref(),
            "startedAt": moment(self.now),
        }))
    }

    /// The finished tasks that are visible and that the expression can mean.
    fn steps_variable(&mut self, words: &str) -> Result<Value, Error> {
        let computed = words
            .match_indices("$steps")
            .any(|(at, found)| !words[at + found.len()..].starts_with(['.', '[']));
        let mut visible: Vec<(String, PayloadRef)> = vec![];
        let frames: Vec<&Frame> = self.out.run.frames_around(self.here()).collect();
        // a function does not see the steps around it
        let inside = frames.iter().rposition(|frame| frame.kind == FrameKind::Function);
        for frame in &frames[inside.unwrap_or(0)..] {
            let wanted =
                frame.steps.iter().filter(|(name, _)| computed || words.contains(name.as_str()));
            visible.extend(wanted.map(|(name, reference)| (name.clone(), *reference)));
        }
        let mut steps = Map::new();
        for (name, reference) in visible {
            let value = self.value(reference)?;
            steps.insert(name, (*value).clone());
        }
        Ok(Value::Object(steps))
    }

    /// `$item`, `$index` or their names, of every enclosing loop, and `$error` of every enclosing
    /// catch.
    fn loop_variables(
        &mut self,
        scope: &mut Scope,
        words: &str,
        place: &Place<'_>,
    ) -> Result<(), Error> {
        let Some(plan) = self.out.plan.clone() else { return Ok(()) };
        let frames: Vec<Frame> = self.out.run.frames_around(self.here()).cloned().collect();
        let last = frames.len().saturating_sub(1);
        for (depth, frame) in frames.into_iter().enumerate() {
            let kind = plan.task(&frame.task).map(|task| &task.kind);
            match (&frame.kind, kind) {
                (FrameKind::For { items, current, .. }, Some(TaskKind::For(inner))) => {
                    let starting = place.index.filter(|_| depth == last);
                    let Some(index) = starting.or(*current) else { continue };
                    if words.contains(&format!("${}", inner.each)) {
                        let items = self.value(*items)?;
                        let item = items.get(index as usize).cloned().unwrap_or_default();
                        scope.set(&inner.each, item);
                    }
                    scope.set(&inner.at, json!(index));
                }
                (FrameKind::Catch { fault }, Some(TaskKind::Try(inner))) => {
                    let fault = self.value(*fault)?;
                    scope.set(&inner.catch.variable, fault);
                }
                (FrameKind::Listen(wait), Some(TaskKind::Listen(listen))) => {
                    let (Some(each), Some(index)) = (&listen.each, wait.current) else { continue };
                    let value = wait.values.get(index as usize).copied();
                    let value = self.value_or_null(value)?;
                    scope.set(&each.item, value);
                    scope.set(&each.at, json!(index));
                }
                (
                    FrameKind::List
                    | FrameKind::Branch
                    | FrameKind::Function
                    | FrameKind::Try(_)
                    | FrameKind::Backoff { .. }
                    | FrameKind::Catch { .. }
                    | FrameKind::For { .. }
                    | FrameKind::Listen(_),
                    _,
                ) => {}
            }
        }
        Ok(())
    }
}
