//! What a run did, as expectations are held against it: from the log alone.

use super::bench::Bench;
use crate::exit::refused;
use anyhow::Result;
use placet_log::ReadView;
use placet_model::event::attempt::AttemptStarted;
use placet_model::request::PreparedRequest;
use placet_model::{AttemptId, Event, Position, RunId, StreamId};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a run did.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// `{run, status, output, error, trace}`; null when the run never began.
    pub(crate) report: Value,
    /// What would have been sent, of this run and of those that it runs, in order.
    pub(crate) sent: Vec<Value>,
    /// Virtual time from the first event of the run to its last one, in milliseconds.
    pub(crate) duration_ms: i64,
}

impl Seen {
    /// How the run stands.
    pub(crate) fn status(&self) -> &str {
        self.report["status"].as_str().unwrap_or_default()
    }
}

pub(crate) fn read(bench: &Bench, run: RunId) -> Result<Seen> {
    let handle = bench.handle();
    let report = handle.report(run).map_err(|error| refused(&error))?;
    let row = handle.run_row(run).map_err(|error| refused(&error))?;
    let duration_ms = row.map_or(0, |row| row.updated_at.millis_since(row.started_at));
    Ok(Seen { report, sent: sent(bench)?, duration_ms })
}

/// Every gated call that a provider has taken.
fn sent(bench: &Bench) -> Result<Vec<Value>> {
    let view = bench.handle().view().map_err(|error| refused(&error))?;
    let mut started: BTreeMap<AttemptId, (StreamId, AttemptStarted)> = BTreeMap::new();
    let mut sent = vec![];
    for recorded in view.events(Position::START) {
        let recorded = recorded?;
        match recorded.event {
            Event::AttemptStarted(body) => {
                started.insert(body.attempt, (recorded.stream, body));
            }
            Event::AttemptSucceeded(body) => {
                let call = started.get(&body.attempt);
                if let Some((stream, call)) = call.filter(|(_, call)| call.decision.is_some()) {
                    sent.push(entry(bench, &view, stream, call)?);
                }
            }
            _ => {}
        }
    }
    Ok(sent)
}

fn entry(
    bench: &Bench,
    view: &ReadView,
    stream: &StreamId,
    call: &AttemptStarted,
) -> Result<Value> {
    let request = PreparedRequest::from_bytes(view.payload(stream, call.request)?.as_bytes())?;
    let world = bench.handle().world();
    let integration = call.integration.as_ref().and_then(|of| world.integrations.get(&of.id));
    let mut entry = Map::new();
    entry.insert("task".to_owned(), json!(call.task.as_str()));
    if !call.iteration.is_none() {
        entry.insert("iteration".to_owned(), json!(call.iteration.indices()));
    }
    entry.insert("operation".to_owned(), json!(call.operation));
    if let Some(integration) = integration {
        entry.insert("integration".to_owned(), json!(integration.name));
    }
    if let Value::Object(shown) = request.to_view() {
        entry.extend(shown);
    }
    // header names are the same in whatever case
    if let Some(Value::Object(headers)) = entry.get_mut("headers") {
        let lower = std::mem::take(headers).into_iter();
        *headers = lower.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    }
    entry.insert("digest".to_owned(), json!(call.digest));
    Ok(Value::Object(entry))
}
