//! What a run did, as its author reads it: one entry per task execution, in the order in which they
//! started, and the run's own end. Made from the log alone.

use crate::erasure::{ERASED, unless_erased};
use crate::handle::{Error, Handle};
use placet_log::ReadView;
use placet_model::event::attempt::AttemptStarted;
use placet_model::request::PreparedRequest;
use placet_model::{
    AttemptId, Event, Iteration, PayloadRef, RecordedEvent, Revision, RunId, StreamId, TaskPath,
};
use placet_projections::{RunStatus, Views};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Place of a transport's notes among the payloads of `AttemptSucceeded`, after the output.
const NOTES: u16 = 1;

/// One task execution.
#[derive(Debug, Clone)]
struct Entry {
    task: TaskPath,
    iteration: Iteration,
    status: &'static str,
    output: Value,
    error: Option<Value>,
    would_have_sent: Option<Value>,
    /// What the transport remarked.
    notes: Vec<String>,
    /// Which attempt of the innermost `try` that was tried again.
    attempt: Option<u32>,
}

/// The trace while the events go by.
struct Tracer<'v> {
    view: &'v ReadView,
    stream: StreamId,
    entries: Vec<Entry>,
    requests: BTreeMap<AttemptId, AttemptStarted>,
    /// Attempts of each `try` that is tried again.
    tries: BTreeMap<TaskPath, u32>,
}

impl Handle {
    /// `{run, status, output, error, trace[]}` of a run.
    ///
    /// # Errors
    /// An unknown run, or a project that cannot be read.
    pub fn report(&self, run: RunId) -> Result<Value, Error> {
        let view = self.view()?;
        let unknown =
            || Error::Refused { code: "PL4001", detail: format!("there is no run {run}") };
        let row = Views::new(&view)?.run(run)?.ok_or_else(unknown)?;
        let stream = StreamId::Run(run);
        let mut tracer = Tracer {
            view: &view,
            stream: stream.clone(),
            entries: vec![],
            requests: BTreeMap::new(),
            tries: BTreeMap::new(),
        };
        for event in view.stream(&stream, Revision::START) {
            tracer.see(&event?)?;
        }
        let output = row.output.map(|reference| tracer.value(reference)).transpose()?;
        let error = row.fault.map(|(_, _, content)| tracer.value(content)).transpose()?;
        let status = match row.status {
            RunStatus::Running | RunStatus::Waiting => "waiting",
            RunStatus::Completed => "completed",
            RunStatus::Faulted => "faulted",
            RunStatus::Cancelled => "cancelled",
        };
        Ok(json!({
            "run": run,
            "workflow": row.workflow.to_string(),
            "mode": row.mode,
            "status": status,
            "output": output,
            "error": error,
            "trace": tracer.entries.iter().map(Entry::to_json).collect::<Vec<_>>(),
        }))
    }
}

impl Tracer<'_> {
    fn value(&self, reference: PayloadRef) -> Result<Value, Error> {
        let Some(payload) = unless_erased(self.view.payload(&self.stream, reference))? else {
            return Ok(json!(ERASED));
        };
        serde_json::from_slice(payload.as_bytes()).map_err(|error| Error::Refused {
            code: "PL1003",
            detail: format!("the payload {reference} is no JSON: {error}"),
        })
    }

    fn see(&mut self, recorded: &RecordedEvent) -> Result<(), Error> {
        match &recorded.event {
            Event::TaskStarted(body) => {
                self.tries.remove(&body.task);
                self.open(&body.task, &body.iteration);
            }
            Event::TaskCompleted(body) => {
                // of a race, or left by `end`
                self.close_inside(&body.task, "cancelled");
                let output = self.value(body.output)?;
                let entry = self.entry(&body.task, &body.iteration);
                entry.status = "completed";
                entry.output = output;
            }
            Event::TaskSkipped(body) => self.entry(&body.task, &body.iteration).status = "skipped",
            Event::TaskFaulted(body) if !body.task.as_str().is_empty() => {
                let error = self.value(body.fault.content)?;
                if let Some(tried) = tried(&body.task) {
                    self.close_inside(&tried, "faulted");
                    return Ok(());
                }
                let entry = self.entry(&body.task, &body.iteration);
                entry.status = "faulted";
                entry.error = Some(error);
                self.close_inside(&body.task, "cancelled");
            }
            Event::FaultCaught(body) => self.close_inside(&body.task, "faulted"),
            Event::RetryScheduled(body) => {
                self.close_inside(&body.task, "faulted");
                self.tries.insert(body.task.clone(), body.retry + 1);
            }
            // `then: end` leaves every container at once
            Event::RunCompleted(_) => self.close_inside(&TaskPath::root(), "completed"),
            Event::RunFaulted(_) => self.close_inside(&TaskPath::root(), "faulted"),
            Event::RunCancelled(_) => self.close_inside(&TaskPath::root(), "cancelled"),
            Event::AttemptStarted(body) => {
                self.requests.insert(body.attempt, body.clone());
            }
            Event::AttemptSucceeded(body) => {
                if body.would_have_sent.is_some() {
                    self.sent(body.attempt)?;
                }
                self.noted(body.attempt, PayloadRef::new(recorded.revision, NOTES));
            }
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, task: &TaskPath, iteration: &Iteration) {
        let around = self.tries.iter().filter(|(tried, _)| task.is_inside(tried));
        let innermost = around.max_by_key(|(tried, _)| tried.as_str().len());
        let attempt = innermost.map(|(_, attempt)| *attempt);
        self.entries.push(Entry {
            task: task.clone(),
            iteration: iteration.clone(),
            status: "waiting",
            output: Value::Null,
            error: None,
            would_have_sent: None,
            notes: vec![],
            attempt,
        });
    }

    /// The execution that is open, or a new one: instant tasks have only an end.
    fn entry(&mut self, task: &TaskPath, iteration: &Iteration) -> &mut Entry {
        let open =
            |e: &Entry| e.status == "waiting" && e.task == *task && e.iteration == *iteration;
        let place = self.entries.iter().rposition(open).unwrap_or_else(|| {
            self.open(task, iteration);
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }

    /// Containers that a fault or an end has left.
    fn close_inside(&mut self, container: &TaskPath, status: &'static str) {
        let inside = |e: &&mut Entry| e.status == "waiting" && e.task.is_inside(container);
        for entry in self.entries.iter_mut().filter(inside) {
            entry.status = status;
        }
    }

    /// What would have left in sandbox mode: exactly the approved bytes.
    fn sent(&mut self, attempt: AttemptId) -> Result<(), Error> {
        let Some(started) = self.requests.get(&attempt).cloned() else { return Ok(()) };
        let shown = match unless_erased(self.view.payload(&self.stream, started.request))? {
            None => json!(ERASED),
            Some(payload) => {
                let request = PreparedRequest::from_bytes(payload.as_bytes()).map_err(|error| {
                    Error::Refused { code: "PL1003", detail: error.to_string() }
                })?;
                let mut shown = request.to_view();
                shown["digest"] = json!(started.digest.unwrap_or(started.request_digest));
                shown
            }
        };
        if let Some(entry) = self.last(&started) {
            entry.would_have_sent = Some(shown);
        }
        Ok(())
    }

    /// The execution that a try belongs to, also when its task is gone.
    fn last(&mut self, started: &AttemptStarted) -> Option<&mut Entry> {
        let mine = |e: &&mut Entry| e.task == started.task && e.iteration == started.iteration;
        self.entries.iter_mut().rev().find(mine)
    }

    /// What the transport remarked, if it did: most answers have no such payload.
    fn noted(&mut self, attempt: AttemptId, reference: PayloadRef) {
        let Some(started) = self.requests.get(&attempt).cloned() else { return };
        let Ok(payload) = self.view.payload(&self.stream, reference) else { return };
        let notes: Vec<String> = serde_json::from_slice(payload.as_bytes()).unwrap_or_default();
        if let Some(entry) = self.last(&started) {
            entry.notes.extend(notes);
        }
    }
}

/// The `try` whose attempt took too long: that is no task of its own.
fn tried(task: &TaskPath) -> Option<TaskPath> {
    task.as_str().strip_suffix("/try").map(TaskPath::new)
}

impl Entry {
    fn to_json(&self) -> Value {
        let mut entry = json!({
            "task": self.task.as_str(),
            "name": self.task.name(),
            "status": self.status,
            "output": self.output,
            "would_have_sent": self.would_have_sent,
        });
        if !self.iteration.is_none() {
            entry["iteration"] = json!(self.iteration.indices());
        }
        if let Some(attempt) = self.attempt {
            entry["attempt"] = json!(attempt);
        }
        if let Some(error) = &self.error {
            entry["error"] = error.clone();
        }
        if !self.notes.is_empty() {
            entry["notes"] = json!(self.notes);
        }
        entry
    }
}
