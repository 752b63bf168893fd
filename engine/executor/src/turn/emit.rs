//! Sending an event to whoever listens in the project (language 4.10).

use super::begin::Held;
use super::scope::Place;
use super::{Outcome, Turn, or_fault};
use crate::events::{self, Envelope};
use crate::values::Content;
use placet_model::event::wait::EventEmitted;
use placet_model::fault::FaultKind;
use placet_model::plan::{Emit, Task};
use placet_model::{Fault, Iteration};
use serde_json::Map;
use std::sync::Arc;

impl Turn<'_> {
    /// Sends the event and ends the task, in one append. Its output is the event.
    pub(super) fn emit(
        &mut self,
        task: &Task,
        iteration: &Iteration,
        (input, emit, place): (&Held, &Emit, &Place<'_>),
    ) -> Outcome<()> {
        let mut given = Map::new();
        for (name, template) in &emit.event {
            let value = or_fault!(self.template(template, &input.value, place));
            given.insert(name.clone(), value);
        }
        let envelope = match events::envelope(given, self.defaults()) {
            Ok(envelope) => envelope,
            Err(problem) => {
                let words = format!("the event: {problem}");
                return Ok(Err(Fault::new(FaultKind::Validation, words)));
            }
        };
        let Envelope { kind, identity, value } = envelope;
        let reference = self.out.run.slot(1, 0);
        let value = Arc::new(value);
        let body = EventEmitted {
            task: task.path.clone(),
            iteration: iteration.clone(),
            kind,
            identity,
            envelope: reference,
        };
        self.note(body, vec![Content::of_value(Arc::clone(&value))])?;
        let output = Held { value, at: Some(reference) };
        self.finish_instant(task, iteration, (input, output), &task.then)
    }

    /// What an event has that leaves it out.
    fn defaults(&self) -> events::Defaults {
        let workflow = self.out.run.facts().map(|facts| &facts.started.workflow);
        let source = workflow.map(|w| format!("/{}/{}/{}", w.namespace, w.name, w.version));
        events::Defaults {
            id: self.env.mint.event(self.now).to_string(),
            source: source.unwrap_or_default(),
            time: self.now,
        }
    }
}
