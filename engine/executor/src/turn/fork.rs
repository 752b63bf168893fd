//! Branches: beginning a fork, joining it, leaving what is still open in it; and the body of a
//! function.

use super::begin::Held;
use super::scope::Place;
use super::{Error, Outcome, Turn, or_fault};
use crate::values::Content;
use placet_core::Command;
use placet_core::flow::BranchEnd;
use placet_core::run::Leaf;
use placet_model::event::run::{FaultFact, TaskFaulted, TaskShape, TaskStarted};
use placet_model::fault::FaultKind;
use placet_model::plan::{Fork, FunctionCall, Task, TaskKind};
use placet_model::{Fault, Iteration, PayloadRef, TaskPath};
use serde_json::{Map, Value};
use std::sync::Arc;

impl Turn<'_> {
    /// Begins the branches of a fork, each with the fork's input.
    pub(super) fn forked(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (input, fork): (&Held, &Fork),
    ) -> Outcome<()> {
        let most = self.env.config.limits.branches_max;
        let branches = fork.branches.0.len();
        let count = u32::try_from(branches).ok().filter(|count| u64::from(*count) <= most);
        let Some(count) = count.filter(|count| *count > 0) else {
            let words = format!(
                "the fork has {branches} branches, more than {most}: raise limits.branches_max in placet.toml if that is meant"
            );
            return Ok(Err(Fault::new(FaultKind::Runtime, words)));
        };
        let (reference, payloads) = self.place_first(input);
        let body = TaskStarted {
            task: task.path.clone(),
            iteration: iteration.clone(),
            shape: if fork.compete { TaskShape::Race } else { TaskShape::Fork },
            input: reference,
            items: None,
            count,
        };
        self.note(body, payloads)?;
        self.arm_timeout(task, iteration)
    }

    /// Enough branches have ended: what is still open in the others is taken back, and the fork has
    /// its output. What branches have exported is merged in declared order, the later wins.
    pub(super) fn join(
        &mut self,
        task: &Task,
        leaf: &Leaf,
        ends: &[BranchEnd],
    ) -> Result<bool, Error> {
        let TaskKind::Fork(fork) = &task.kind else { return self.astray(&leaf.task) };
        self.abandon(&leaf.task)?;
        let mut outputs = Vec::with_capacity(ends.len());
        for end in ends {
            outputs.push((*self.value(end.value)?).clone());
        }
        let output =
            if fork.compete { outputs.pop().unwrap_or_default() } else { Value::Array(outputs) };
        let context = self.merged(ends)?;
        let input = Held { value: self.value(leaf.input)?, at: Some(leaf.input) };
        let joined = (&input, Held::fresh(output), context);
        match self.finish_joined(task, &leaf.iteration, joined)? {
            Ok(()) => Ok(true),
            Err(fault) => self.fault_task(&leaf.task, leaf.iteration.clone(), fault),
        }
    }

    /// The context after a join; none when no branch has exported.
    fn merged(&mut self, ends: &[BranchEnd]) -> Result<Option<Value>, Error> {
        let before = self.here().context;
        let changed: Vec<PayloadRef> =
            ends.iter().filter_map(|end| end.context.filter(|now| Some(*now) != before)).collect();
        if changed.is_empty() {
            return Ok(None);
        }
        let mut merged = match before {
            Some(before) => (*self.value(before)?).clone(),
            None => Value::Object(Map::new()),
        };
        for context in changed {
            let theirs = self.value(context)?;
            match (&mut merged, &*theirs) {
                (Value::Object(merged), Value::Object(theirs)) => {
                    merged.extend(theirs.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
                (merged, theirs) => *merged = theirs.clone(),
            }
        }
        Ok(Some(merged))
    }

    /// A branch has faulted: the others are left, and the fork faults with the same fault.
    pub(super) fn fault_fork(&mut self, leaf: &Leaf, fault: FaultFact) -> Result<bool, Error> {
        self.abandon(&leaf.task)?;
        let (task, iteration) = (leaf.task.clone(), leaf.iteration.clone());
        self.note(TaskFaulted { task, iteration, fault }, vec![])?;
        Ok(true)
    }

    /// Takes back whatever is open in the branches inside a container.
    pub(super) fn abandon(&mut self, container: &TaskPath) -> Result<(), Error> {
        if self.out.run.branches_inside(container).next().is_none() {
            return Ok(());
        }
        self.command(Command::Abandon { inside: container.clone() }, vec![])
    }

    /// Begins the body of a function, with the evaluated `with` as its raw input.
    pub(super) fn function(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (input, call, place): (&Held, &FunctionCall, &Place<'_>),
    ) -> Outcome<()> {
        let with = or_fault!(self.template(&call.with, &input.value, place));
        let (reference, mut payloads) = self.place_first(input);
        let index = u16::try_from(payloads.len()).unwrap_or(u16::MAX);
        payloads.push(Content::of_value(Arc::new(with)));
        let body = TaskStarted {
            task: task.path.clone(),
            iteration: iteration.clone(),
            shape: TaskShape::Function,
            input: reference,
            items: Some(self.out.run.slot(1, index)),
            count: 0,
        };
        self.note(body, payloads)?;
        self.arm_timeout(task, iteration)
    }
}
