//! Beginning a run: the input is checked before anything is recorded.

use super::{Error, Turn};
use crate::values::Content;
use placet_model::actor::Actor;
use placet_model::draft::Mode;
use placet_model::event::decision::ActionRequested;
use placet_model::event::run::RunStarted;
use placet_model::fault::FaultKind;
use placet_model::plan::Plan;
use placet_model::{DataKeyId, Digest, Fault, Iteration, Principal, TaskPath, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// What a run begins with.
#[derive(Debug, Clone)]
pub(crate) struct StartRun {
    pub(crate) plan: Digest,
    pub(crate) input: Arc<Value>,
    pub(crate) requester: Principal,
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    pub(crate) key: DataKeyId,
    /// Set where an agent has asked for one action.
    pub(crate) action: Option<ActionRequested>,
}

/// What becomes of an input that the workflow refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkflowInput {
    /// Somebody waits for the answer: nothing is recorded.
    Asked,
    /// The run was ordered: it begins, and faults.
    Ordered,
}

impl Turn<'_> {
    pub(super) fn start(&mut self, start: StartRun, given: WorkflowInput) -> Result<(), Error> {
        let plan = self.env.plan(start.plan)?;
        let (first, refused) = match self.workflow_input(&plan, &start) {
            Ok(first) => (first, None),
            Err(Error::Input { reason }) if given == WorkflowInput::Ordered => {
                (None, Some(format!("the input: {reason}")))
            }
            Err(error) => return Err(error),
        };
        let deadline = self.run_deadline(&plan, &start)?;
        let input = self.out.run.slot(1, 0);
        let mut payloads = vec![Content::of_value(Arc::clone(&start.input))];
        let first = match first {
            None => input,
            Some(value) => {
                payloads.push(Content::of_value(Arc::new(value)));
                self.out.run.slot(1, 1)
            }
        };
        let started = RunStarted {
            workflow: plan.workflow.clone(),
            plan_digest: start.plan,
            mode: start.mode,
            requester: start.requester.clone(),
            key: start.key,
            input,
            first,
            seed: start.seed,
            deadline,
        };
        self.out.plan = Some(plan);
        let actor = Actor::Principal(start.requester);
        self.record(started, payloads, actor.clone())?;
        if let Some(action) = start.action {
            self.record(action, vec![], actor)?;
        }
        let Some(words) = refused else { return Ok(()) };
        let fault = Fault::new(FaultKind::Validation, words);
        self.fault_task(&TaskPath::root(), Iteration::none(), fault).map(|_| ())
    }

    /// When the run's own timeout passes.
    fn run_deadline(&self, plan: &Plan, start: &StartRun) -> Result<Option<Timestamp>, Error> {
        let limit = match (plan.timeout, &plan.timeout_from) {
            (Some(limit), _) => limit,
            (None, None) => return Ok(None),
            (None, Some(from)) => {
                let scope = self.start_scope(plan, start, &start.input);
                let refused = |reason: String| Error::Input { reason };
                let value = self.env.evaluator.expression(from, &start.input, &scope);
                let value = value.map_err(|error| refused(super::describe(&error)))?;
                let limit = placet_language::duration::from_value(&value);
                limit.map_err(|error| refused(format!("the timeout: {error}")))?
            }
        };
        Ok(self.now.checked_add(limit))
    }

    /// The transformed workflow input; none when nothing is transformed.
    fn workflow_input(&self, plan: &Plan, start: &StartRun) -> Result<Option<Value>, Error> {
        if let Some(schema) = &plan.input.schema {
            self.check_schema(schema, &start.input).map_err(|reason| Error::Input { reason })?;
        }
        let Some(from) = &plan.input.from else { return Ok(None) };
        let scope = self.start_scope(plan, start, &start.input);
        let value = self.env.evaluator.template(from, &start.input, &scope);
        value.map(Some).map_err(|error| Error::Input { reason: error.to_string() })
    }

    /// Checks a value against a schema of the document; the message names the smallest wrong place.
    pub(super) fn check_schema(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let registry = self.env.adapters.registry();
        let schema = registry.register(schema).map_err(|error| error.to_string())?;
        schema.validate(value).map_err(|violations| violations.to_string())
    }
}
