//! What the calls of a run were answered, as the log keeps it: for whoever makes an example of one.
//!
//! An attempt is found by its own id: `AttemptStarted` says which operation it was, the end of the
//! same attempt holds what the task got (the first payload of that event), and where the answer was
//! not as declared, `ResponseDrifted` in the stream of its connection names the attempt as well.

use crate::connections::Place;
use crate::erasure::unless_erased;
use crate::handle::{Error, Handle};
use placet_log::ReadView;
use placet_model::draft::Mode;
use placet_model::{
    AttemptId, Digest, Event, IntegrationId, PayloadRef, Revision, RunId, StreamId, TaskPath,
    Timestamp,
};
use placet_projections::Views;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The answer of one attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answered {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Which task.
    pub task: TaskPath,
    /// Operation name.
    pub operation: String,
    /// Semantic part of the operation as it was.
    pub operation_digest: Digest,
    /// Sandbox or live.
    pub mode: Mode,
    /// HTTP status.
    pub status: u16,
    /// When it was recorded.
    pub at: Timestamp,
    /// What the task got of it; null where the task failed on it, or where it is erased.
    pub output: Value,
    /// Whether the content is gone.
    pub erased: bool,
    /// Where it was not as declared.
    pub differs: Vec<Place>,
}

/// What an answer is told from, while the events go by.
struct Begun {
    task: TaskPath,
    operation: String,
    operation_digest: Digest,
    mode: Mode,
    integration: Option<IntegrationId>,
}

impl Handle {
    /// The answers of a run's attempts that were sent, in the order in which they came.
    ///
    /// # Errors
    /// An unknown run, data whose content may not be kept (PL3081), or a log that cannot be read.
    pub fn answers_of(&self, run: RunId) -> Result<Vec<Answered>, Error> {
        let view = self.view()?;
        let unknown =
            || Error::Refused { code: "PL4001", detail: format!("there is no run {run}") };
        let row = Views::new(&view)?.run(run)?.ok_or_else(unknown)?;
        let family = row.workflow.family();
        if !self.config().data.keeps(&family) {
            let detail = format!("the data policy keeps no content of {family}");
            return Err(Error::Refused { code: "PL3081", detail });
        }
        let mut begun: BTreeMap<AttemptId, Begun> = BTreeMap::new();
        let (mut answers, mut through) = (vec![], BTreeSet::new());
        for recorded in view.stream(&StreamId::Run(run), Revision::START) {
            let recorded = recorded?;
            if let Event::AttemptStarted(body) = &recorded.event {
                let integration = body.integration.as_ref().map(|bound| bound.id);
                let now = Begun {
                    task: body.task.clone(),
                    operation: body.operation.clone(),
                    operation_digest: body.operation_digest,
                    mode: body.mode,
                    integration,
                };
                begun.insert(body.attempt, now);
            }
            let Event::AttemptSucceeded(body) = &recorded.event else { continue };
            let Some(known) = begun.get(&body.attempt) else { continue };
            through.extend(known.integration);
            let output = content(&view, run, body.output)?;
            answers.push(Answered {
                attempt: body.attempt,
                task: known.task.clone(),
                operation: known.operation.clone(),
                operation_digest: known.operation_digest,
                mode: known.mode,
                status: body.answer.status,
                at: recorded.recorded_at,
                erased: output.is_none(),
                output: output.unwrap_or_default(),
                differs: vec![],
            });
        }
        for integration in through {
            differences(&view, integration, &mut answers)?;
        }
        Ok(answers)
    }
}

/// None where it was erased.
fn content(view: &ReadView, run: RunId, place: PayloadRef) -> Result<Option<Value>, Error> {
    let payload = unless_erased(view.payload(&StreamId::Run(run), place))?;
    let parsed = payload.map(|payload| serde_json::from_slice(payload.as_bytes())).transpose();
    parsed.map_err(|error| Error::Refused {
        code: "PL1003",
        detail: format!("the payload {place} is no JSON: {error}"),
    })
}

fn differences(
    view: &ReadView,
    integration: IntegrationId,
    answers: &mut [Answered],
) -> Result<(), Error> {
    for event in view.stream(&StreamId::Integration(integration), Revision::START) {
        let Event::ResponseDrifted(body) = event?.event else { continue };
        if let Some(answer) = answers.iter_mut().find(|answer| answer.attempt == body.attempt) {
            answer.differs = body.places.into_iter().map(Place::from).collect();
        }
    }
    Ok(())
}
