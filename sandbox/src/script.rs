//! What a scenario has decided: how the n-th call of an operation goes instead of well. And how an
//! error of a manifest becomes an answer.

use placet_adapters::mock::MockError;
use placet_adapters::{Answer, Cause, Failed, Operation, Phase, Response};
use std::time::Duration;

/// One rule of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Of which operation; none for any.
    pub operation: Option<String>,
    /// Which call of it, from 1; none for every call.
    pub call: Option<u64>,
    /// How it goes.
    pub turn: Turn,
}

/// How a call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// An error of the manifest, by its name (`rate_limited`, `not_found`, …).
    Error(String),
    /// The answer takes so long, in virtual time; longer than the call may take is no answer.
    Latency(Duration),
    /// The provider does it, and its answer is lost.
    ApplyThenTimeout,
    /// The provider does it, and its answer breaks off in the middle.
    Malformed,
}

impl Rule {
    pub(crate) fn is_for(&self, operation: &str, call: u64) -> bool {
        self.operation.as_ref().is_none_or(|name| name == operation)
            && self.call.is_none_or(|number| number == call)
    }
}

impl Turn {
    /// How much virtual time a call takes that goes so, and may take so long.
    pub(crate) fn takes(&self, timeout: Duration) -> Duration {
        match self {
            Self::Latency(latency) => timeout.min(*latency),
            Self::ApplyThenTimeout => timeout,
            Self::Error(_) | Self::Malformed => Duration::ZERO,
        }
    }
}

/// What becomes of an answer that was ready.
pub(crate) fn turned(turn: &Turn, answer: Answer, timeout: Duration) -> Answer {
    let mut response = answer?;
    match turn {
        Turn::Error(_) => Ok(response),
        Turn::Latency(latency) if *latency > timeout => {
            Err(Failed::after(Cause::Timeout, format!("the scenario takes {latency:?} to answer")))
        }
        Turn::Latency(latency) => {
            response.notes.push(format!("the scenario took {latency:?} to answer (virtual time)"));
            Ok(response)
        }
        Turn::ApplyThenTimeout => {
            Err(Failed::after(Cause::Timeout, "the scenario did it and did not answer"))
        }
        Turn::Malformed => {
            response.body.truncate(response.body.len() / 2);
            response.notes.push("the scenario broke the answer off in the middle".to_owned());
            Ok(response)
        }
    }
}

pub(crate) fn answer_error(error: &MockError) -> Answer {
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

/// The operation's own error of this name, else a bare status.
pub(crate) fn error_or(operation: &Operation, name: &str, status: u16) -> Answer {
    match operation.mock().errors().get(name) {
        Some(error) => answer_error(error),
        None => Ok(Response::new(status, Vec::new(), Vec::new())),
    }
}
