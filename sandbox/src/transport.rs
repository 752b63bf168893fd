//! [`Sandbox`]: the answers of providers that are not there.

use crate::generate::generate;
use crate::overlay::Overlay;
use crate::seed::{Asked, Choices};
use placet_adapters::mock::MockError;
use placet_adapters::{
    Answer, Call, Cause, Failed, Operation, Performing, Phase, Response, Transport, target_of,
};
use placet_model::Digest;
use placet_schemas::Schema;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Ids that are remembered, so that none is given twice in a run.
const IDS_MAX: usize = 1_000_000;
/// The stream of choices that ids are drawn from; attempts count up from 0.
const STREAM_OF_IDS: u64 = u64::MAX;

/// The same for ids in headers.
const STREAM_OF_HEADER_IDS: u64 = u64::MAX - 1;
/// Draws until an id is found that nobody has.
const DRAWS_MAX: usize = 1000;

/// The sandbox transport. Its state is one sandbox run's: what was seen, which ids were given.
#[derive(Debug, Default)]
pub struct Sandbox {
    seed: u64,
    errors: BTreeMap<String, String>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    seen: BTreeMap<Digest, u64>,
    ids: BTreeSet<String>,
}

impl Sandbox {
    /// Equal seeds give equal answers; the default is 0.
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// From now on this operation answers with this error of its manifest (`rate_limited`,
    /// `not_found`, `validation`, `auth`, `timeout_in_doubt`).
    #[must_use]
    pub fn with_error(mut self, operation: &str, error: &str) -> Self {
        self.errors.insert(operation.to_owned(), error.to_owned());
        self
    }

    fn answer(&self, call: &Call) -> Answer {
        let operation = &*call.operation;
        if let Some(error) =
            self.errors.get(operation.name()).and_then(|name| operation.mock().errors().get(name))
        {
            return answer_error(error);
        }
        if let Some(refusal) = refused_input(operation, &call.input) {
            return refusal;
        }
        let asked = Asked {
            sandbox_seed: self.seed,
            integration: call
                .integration
                .as_ref()
                .map_or("", |integration| integration.name.as_str()),
            operation: operation.name(),
            input: &call.input,
        };
        let seed = asked.seed(self.seen(&asked, call.occurrence.seen));
        let mut answer = match operation.output_schema() {
            Some(schema) => self.generated(call, schema, &seed)?,
            None => status_only(operation),
        };
        answer.headers.extend(self.header_ids(call, &seed));
        Ok(answer)
    }

    fn generated(&self, call: &Call, schema: &Schema, seed: &Digest) -> Answer {
        let operation = &*call.operation;
        let now = call.occurrence.now;
        let plain = generate(schema, seed, now).map_err(|error| {
            Failed::before(Cause::Refused, format!("the sandbox cannot answer: {error}"))
        })?;
        let overlay = Overlay {
            operation,
            schema,
            input: &call.input,
            target: target_of(operation, &call.input),
            now,
        };
        let mut choices = Choices::new(seed, STREAM_OF_IDS);
        let answer = overlay.applied(plain, &mut choices, &|id| self.claim(id));
        let body = serde_json::to_vec(&answer).expect("a JSON value always serializes into memory");
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(Response::new(operation.mock().status(), headers, body))
    }

    /// Ids that the provider gives in headers.
    fn header_ids(&self, call: &Call, seed: &Digest) -> Vec<(String, String)> {
        let mut choices = Choices::new(seed, STREAM_OF_HEADER_IDS);
        let ids = call.operation.mock().header_ids().iter();
        ids.filter_map(|(name, id)| {
            let mut drawn = (0..DRAWS_MAX)
                .map_while(|_| crate::overlay::id_text(id, &mut choices, call.occurrence.now));
            Some((name.to_ascii_lowercase(), drawn.find(|text| self.claim(text))?))
        })
        .collect()
    }

    /// How often this combination came before, by the caller's count or by our own.
    fn seen(&self, asked: &Asked<'_>, told: Option<u64>) -> u64 {
        if let Some(told) = told {
            return told;
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let count = memory.seen.entry(asked.digest()).or_insert(0);
        *count += 1;
        *count - 1
    }

    /// Whether nobody has this id yet; from now on somebody has.
    fn claim(&self, id: &str) -> bool {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.ids.len() >= IDS_MAX || memory.ids.insert(id.to_owned())
    }
}

impl Transport for Sandbox {
    fn perform(&self, call: Call) -> Performing<'_> {
        Box::pin(async move { self.answer(&call) })
    }
}

/// An input that the operation's schema refuses gets the provider's own kind of refusal (R0).
fn refused_input(operation: &Operation, input: &Value) -> Option<Answer> {
    let violations = operation.input_schema()?.validate(input).err()?;
    let mut answer = match operation.mock().errors().get("validation") {
        Some(error) => answer_error(error),
        None => Ok(Response::new(400, Vec::new(), Vec::new())),
    };
    if let Ok(response) = &mut answer {
        response.notes.push(format!("the sandbox refused the input: {violations}"));
    }
    Some(answer)
}

fn answer_error(error: &MockError) -> Answer {
    match error {
        MockError::Answer { status, headers, body, text } => {
            let mut headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect();
            let body = body.as_ref().map(|body| {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                body.to_string().into_bytes()
            });
            let text = text.as_ref().map(|text| text.clone().into_bytes());
            Ok(Response::new(*status, headers, body.or(text).unwrap_or_default()))
        }
        MockError::Lost { phase: Phase::BeforeSend, .. } => {
            Err(Failed::before(Cause::Connect, "the sandbox was told not to connect"))
        }
        MockError::Lost { phase: Phase::AfterSend, .. } => {
            Err(Failed::after(Cause::Timeout, "the sandbox was told not to answer"))
        }
    }
}

/// R13: an answer is never invented where no schema describes one.
fn status_only(operation: &Operation) -> Response {
    let mut response = Response::new(operation.mock().status(), Vec::new(), Vec::new());
    response
        .notes
        .push(format!("{} declares no response schema: status only, empty body", operation.name()));
    response
}
