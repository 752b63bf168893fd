//! Finishing a task: `output.as`, `export.as`, what follows; and finishing the run.

use super::begin::Held;
use super::scope::Place;
use super::{Error, Outcome, Turn, or_fault};
use crate::values::Content;
use placet_model::event::run::{RunCompleted, RunFaulted, TaskCompleted, Then};
use placet_model::fault::FaultKind;
use placet_model::plan::{Directive, OutputSpec, Plan, Task};
use placet_model::{Fault, Iteration, PayloadRef, TaskPath};
use serde_json::Value;
use std::sync::Arc;

impl Turn<'_> {
    /// Finishes a task that has begun: its output is recorded already.
    pub(super) fn finish_started(
        &mut self,
        task: &Task,
        iteration: Iteration,
        (input, output): (PayloadRef, PayloadRef),
        then: &Directive,
    ) -> Result<bool, Error> {
        let plain = task.output.is_plain() && task.export.is_plain();
        if plain {
            self.end_others(then)?;
            self.completed(task, &iteration, (output, None), (then, vec![]))?;
            return Ok(true);
        }
        let input = Held { value: self.value(input)?, at: Some(input) };
        let output = Held { value: self.value(output)?, at: Some(output) };
        match self.finish_instant(task, &iteration, (&input, output), then)? {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&task.path, iteration, fault),
        }
    }

    /// Transforms, exports, records.
    pub(super) fn finish_instant(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (input, raw): (&Held, Held),
        then: &Directive,
    ) -> Outcome<()> {
        self.finish_with(task, iteration, (input, raw, None), then)
    }

    /// As [`Turn::finish_instant`], for a fork whose branches have left a context.
    pub(super) fn finish_joined(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        joined: (&Held, Held, Option<Value>),
    ) -> Outcome<()> {
        self.finish_with(task, iteration, joined, &task.then)
    }

    fn finish_with(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (input, raw, merged): (&Held, Held, Option<Value>),
        then: &Directive,
    ) -> Outcome<()> {
        let merged = merged.map(Held::fresh);
        let mut place = Place {
            task: Some(task),
            input: Some(Arc::clone(&input.value)),
            output: Some(Arc::clone(&raw.value)),
            context: merged.as_ref().map(|merged| Arc::clone(&merged.value)),
            ..Place::default()
        };
        let output = or_fault!(self.transform(&task.output, raw, &place, "the output"));
        place.output = Some(Arc::clone(&output.value));
        let context = if task.export.is_plain() {
            merged
        } else {
            Some(or_fault!(self.transform(&task.export, output.clone(), &place, "the context")))
        };
        self.end_others(then)?;
        let (reference, mut payloads) = self.place_first(&output);
        let context = context.map(|context| {
            context.at.unwrap_or_else(|| {
                let index = u16::try_from(payloads.len()).unwrap_or(u16::MAX);
                payloads.push(Content::of_value(context.value));
                self.out.run.slot(1, index)
            })
        });
        self.completed(task, iteration, (reference, context), (then, payloads))?;
        Ok(Ok(()))
    }

    /// The run is about to end by this task: what is open in other branches is taken back.
    fn end_others(&mut self, then: &Directive) -> Result<(), Error> {
        if *then == Directive::End { self.abandon(&TaskPath::root()) } else { Ok(()) }
    }

    pub(super) fn transform(
        &mut self,
        spec: &OutputSpec,
        raw: Held,
        place: &Place<'_>,
        what: &str,
    ) -> Outcome<Held> {
        let held = match &spec.transform {
            None => raw,
            Some(template) => Held::fresh(or_fault!(self.template(template, &raw.value, place))),
        };
        if let Some(schema) = &spec.schema
            && let Err(reason) = self.check_schema(schema, &held.value)
        {
            return Ok(Err(Fault::new(FaultKind::Validation, format!("{what}: {reason}"))));
        }
        Ok(Ok(held))
    }

    fn completed(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (output, context): (PayloadRef, Option<PayloadRef>),
        (then, payloads): (&Directive, Vec<Content>),
    ) -> Result<(), Error> {
        let (then, goto) = match then {
            Directive::Continue => (Then::Continue, None),
            Directive::Exit => (Then::Exit, None),
            Directive::End => (Then::End, None),
            Directive::Goto { index, .. } => (Then::Goto, Some(*index)),
        };
        let (task, iteration) = (task.path.clone(), iteration.clone());
        self.note(TaskCompleted { task, iteration, output, context, then, goto }, payloads)
    }

    /// Makes the run's output.
    pub(super) fn complete(&mut self, plan: &Plan, value: PayloadRef) -> Result<bool, Error> {
        if plan.output.is_plain() {
            self.note(RunCompleted { output: value }, vec![])?;
            return Ok(true);
        }
        let raw = Held { value: self.value(value)?, at: Some(value) };
        match self.transform(&plan.output, raw, &Place::default(), "the run's output")? {
            Ok(output) => {
                let (output, payloads) = self.place_first(&output);
                self.note(RunCompleted { output }, payloads)?;
            }
            Err(fault) => {
                let (fault, payloads) = self.fault_fact(&fault.at(&TaskPath::root()));
                self.end_with(fault, payloads)?;
            }
        }
        Ok(true)
    }

    /// The run's own output transform has failed: nothing can catch that.
    pub(super) fn end_with(
        &mut self,
        fault: placet_model::event::run::FaultFact,
        payloads: Vec<Content>,
    ) -> Result<(), Error> {
        if let placet_core::run::Phase::Running(_) = self.out.run.phase {
            let (task, iteration) = (TaskPath::root(), Iteration::none());
            let body =
                placet_model::event::run::TaskFaulted { task, iteration, fault: fault.clone() };
            self.note(body, payloads)?;
            return self.note(RunFaulted { fault }, vec![]);
        }
        self.note(RunFaulted { fault }, payloads)
    }

    /// The value behind an optional reference, or null.
    pub(super) fn value_or_null(
        &mut self,
        reference: Option<PayloadRef>,
    ) -> Result<Arc<Value>, Error> {
        match reference {
            Some(reference) => self.value(reference),
            None => Ok(Arc::new(Value::Null)),
        }
    }
}
