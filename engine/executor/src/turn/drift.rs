//! An answer that is not as its operation declares: recorded, and a fault only where the workflow
//! reads what differs.

use super::perform::chain;
use super::{CallPlan, Turn};
use placet_adapters::{Response, Sent, drift, reduce};
use placet_model::Fault;
use placet_model::draft::Mode;
use placet_model::event::integration::{DriftedPlace, ResponseDrifted};
use placet_model::fault::FaultKind;
use serde_json::Value;

impl Turn<'_> {
    /// The output and the fault of an answer that does not match. What the sandbox answers is our
    /// own: there a mismatch is a fault, as it is where nobody can say what differs.
    pub(super) fn drifted(
        &mut self,
        plan: &CallPlan,
        response: &Response,
        (sent, error): (Sent<'_>, &reduce::Error),
    ) -> (Value, Option<Fault>) {
        let operation = &plan.target.operation;
        let fault = || (Value::Null, Some(Fault::new(FaultKind::Validation, chain(error))));
        let places = drift::places(operation, error);
        let Some(integration) = plan.target.integration.as_ref() else { return fault() };
        if plan.mode == Mode::Sandbox || places.is_empty() {
            return fault();
        }
        let is_read = self.is_read(plan, &places);
        self.out.drifted = Some(Box::new(ResponseDrifted {
            integration: integration.id,
            operation: operation.name().to_owned(),
            operation_digest: operation.digest(),
            attempt: plan.attempt,
            status: response.status,
            places,
        }));
        if is_read {
            return fault();
        }
        (placet_adapters::output_as_it_is(operation, response, sent), None)
    }

    /// Whether an expression of the workflow reads one of these places of the task's output.
    fn is_read(&self, plan: &CallPlan, places: &[DriftedPlace]) -> bool {
        let task = self.out.run.attempt(plan.attempt).map(|attempt| &attempt.started.task);
        let (Some(task), Some(plan)) = (task, self.out.plan.as_ref()) else { return true };
        let reads = placet_language::reads_of_output(plan, task);
        reads.iter().any(|read| places.iter().any(|place| drift::touches(place, read)))
    }
}
