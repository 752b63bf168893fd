//! The providers of a test: first what the test has written down, then the sandbox. No way out.

use placet_adapters::{Call, OfRun, Performing, Response, Transport};
use placet_executor::Clock;
use placet_language::test_file::{
    CallTurn, Reply, ScriptedAnswer, ScriptedCall, Spanned, TestCase,
};
use placet_sandbox::{Rule, Sandbox, Turn};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A sandbox that gives scripted answers first, each once, in order.
#[derive(Debug)]
pub(crate) struct Answers {
    sandbox: Sandbox,
    scripted: Vec<Spanned<ScriptedAnswer>>,
    used: Mutex<BTreeSet<usize>>,
}

impl Answers {
    pub(crate) fn new(seed: u64, test: &TestCase, clock: &Clock) -> Self {
        let clock = clock.clone();
        let sandbox = Sandbox::new(seed).with_clock(Box::new(move |at| clock.advance_to(at)));
        let sandbox =
            test.calls.iter().fold(sandbox, |sandbox, call| sandbox.with_rule(rule(call)));
        Self { sandbox, scripted: test.answers.clone(), used: Mutex::default() }
    }

    /// Places of the answers that nothing has asked for.
    pub(crate) fn unused(&self) -> Vec<usize> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        (0..self.scripted.len()).filter(|place| !used.contains(place)).collect()
    }

    fn next_for(&self, call: &Call) -> Option<&Reply> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let url = call.request.url.to_string();
        let fits = |answer: &ScriptedAnswer| {
            let operation = answer.operation.as_ref();
            operation.is_none_or(|name| name.value == call.operation.name())
                && answer.url.as_ref().is_none_or(|wanted| *wanted == url)
        };
        let mut open = self.scripted.iter().enumerate().filter(|(place, _)| !used.contains(place));
        let (place, answer) = open.find(|(_, answer)| fits(&answer.value))?;
        used.insert(place);
        Some(&answer.value.reply)
    }
}

impl Transport for Answers {
    fn perform(&self, call: Call) -> Performing<'_> {
        self.sandbox.perform(call)
    }

    fn perform_of(&self, of: OfRun, call: Call) -> Performing<'_> {
        match self.next_for(&call) {
            None => self.sandbox.perform_of(of, call),
            Some(Reply::Error(name)) => {
                let told = Sandbox::new(0).with_error(call.operation.name(), &name.value);
                Box::pin(async move { told.perform(call).await })
            }
            Some(Reply::Response { status, headers, body }) => {
                let response = response(*status, headers.clone(), body.as_ref());
                Box::pin(async move { Ok(response) })
            }
        }
    }
}

fn rule(call: &Spanned<ScriptedCall>) -> Rule {
    let call = &call.value;
    Rule {
        operation: call.operation.as_ref().map(|name| name.value.clone()),
        call: call.call,
        turn: match &call.turn {
            CallTurn::Error(name) => Turn::Error(name.value.clone()),
            CallTurn::Latency(time) => Turn::Latency(millis(*time)),
            CallTurn::ApplyThenTimeout => Turn::ApplyThenTimeout,
            CallTurn::Malformed => Turn::Malformed,
        },
    }
}

fn millis(time: placet_model::Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.approximate_millis()).unwrap_or(0))
}

fn response(status: u16, mut headers: Vec<(String, String)>, body: Option<&Value>) -> Response {
    let (bytes, media) = match body {
        None => (vec![], None),
        Some(Value::String(text)) => (text.clone().into_bytes(), Some("text/plain")),
        Some(value) => (value.to_string().into_bytes(), Some("application/json")),
    };
    let is_told = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(media) = media.filter(|_| !is_told) {
        headers.push(("content-type".to_owned(), media.to_owned()));
    }
    Response::new(status, headers, bytes)
}
