//! What a run did, as its author reads it: one entry per task execution, in the order in which they
//! started, and the run's own end. Made from the log alone.
//!
//! The events are walked whole, but only what is shown is read: outputs may be large, and a step hands
//! on what it was given, so that those of a long loop together are far larger than the run is long.

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
use std::collections::{BTreeMap, BTreeSet};

/// Place of a transport's notes among the payloads of `AttemptSucceeded`, after the output.
const NOTES: u16 = 1;

/// One task execution.
#[derive(Debug, Clone)]
struct Entry {
    task: TaskPath,
    iteration: Iteration,
    status: &'static str,
    output: Option<PayloadRef>,
    error: Option<PayloadRef>,
    would_have_sent: Option<AttemptStarted>,
    /// What the transport remarked, if it did: most answers have no such payload.
    notes: Vec<PayloadRef>,
    /// Which attempt of the innermost `try` that was tried again.
    attempt: Option<u32>,
}

/// The trace while the events go by.
struct Tracer<'v> {
    view: &'v ReadView,
    stream: StreamId,
    entries: Vec<Entry>,
    /// Those of them that have not ended.
    open: BTreeSet<usize>,
    requests: BTreeMap<AttemptId, AttemptStarted>,
    /// Attempts of each `try` that is tried again.
    tries: BTreeMap<TaskPath, u32>,
}

impl<'v> Tracer<'v> {
    fn of(view: &'v ReadView, run: RunId) -> Result<Self, Error> {
        let stream = StreamId::Run(run);
        let mut tracer = Self {
            view,
            stream: stream.clone(),
            entries: vec![],
            open: BTreeSet::new(),
            requests: BTreeMap::new(),
            tries: BTreeMap::new(),
        };
        for event in view.stream(&stream, Revision::START) {
            tracer.see(&event?);
        }
        Ok(tracer)
    }
}

impl Handle {
    /// `{run, status, output, error, trace[]}` of a run.
    ///
    /// # Errors
    /// An unknown run, or a project that cannot be read.
    pub fn report(&self, run: RunId) -> Result<Value, Error> {
        self.report_of(run, None)
    }

    /// As [`Handle::report`]. With `steps`, the trace has the last so many executions and those that are
    /// open, and `steps_before` says how many there are besides.
    ///
    /// # Errors
    /// As [`Handle::report`].
    pub fn report_of(&self, run: RunId, steps: Option<usize>) -> Result<Value, Error> {
        let view = self.view()?;
        let unknown =
            || Error::Refused { code: "PL4001", detail: format!("there is no run {run}") };
        let row = Views::new(&view)?.run(run)?.ok_or_else(unknown)?;
        let tracer = Tracer::of(&view, run)?;
        let output = row.output.map(|reference| tracer.value(reference)).transpose()?;
        let error = row.fault.map(|(_, _, content)| tracer.value(content)).transpose()?;
        let status = match row.status {
            RunStatus::Running | RunStatus::Waiting => "waiting",
            RunStatus::Completed => "completed",
            RunStatus::Faulted => "faulted",
            RunStatus::Cancelled => "cancelled",
        };
        let first = steps.map_or(0, |steps| tracer.entries.len().saturating_sub(steps));
        let shown = |place: &usize| *place >= first || tracer.open.contains(place);
        let shown: Vec<usize> = (0..tracer.entries.len()).filter(shown).collect();
        let trace: Vec<Value> = shown
            .iter()
            .map(|place| tracer.told(&tracer.entries[*place]))
            .collect::<Result<_, _>>()?;
        let mut report = json!({
            "run": run,
            "workflow": row.workflow.to_string(),
            "mode": row.mode,
            "status": status,
            "output": output,
            "error": error,
            "trace": trace,
        });
        if steps.is_some() {
            report["steps_before"] = json!(tracer.entries.len() - shown.len());
        }
        Ok(report)
    }

    /// How far a run has come: of each task the status of its last execution.
    ///
    /// # Errors
    /// A project that cannot be read.
    pub fn progress(&self, run: RunId) -> Result<BTreeMap<TaskPath, &'static str>, Error> {
        let view = self.view()?;
        let entries = Tracer::of(&view, run)?.entries;
        Ok(entries.into_iter().map(|entry| (entry.task, entry.status)).collect())
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

    fn see(&mut self, recorded: &RecordedEvent) {
        match &recorded.event {
            Event::TaskStarted(body) => {
                self.tries.remove(&body.task);
                self.open(&body.task, &body.iteration);
            }
            Event::TaskCompleted(body) => {
                // of a race, or left by `end`
                self.close_inside(&body.task, "cancelled");
                self.end(&body.task, &body.iteration, "completed").output = Some(body.output);
            }
            Event::TaskSkipped(body) => {
                let _entry = self.end(&body.task, &body.iteration, "skipped");
            }
            Event::TaskFaulted(body) if !body.task.as_str().is_empty() => {
                if let Some(tried) = tried(&body.task) {
                    return self.close_inside(&tried, "faulted");
                }
                let error = Some(body.fault.content);
                self.end(&body.task, &body.iteration, "faulted").error = error;
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
                let Some(started) = self.requests.get(&body.attempt).cloned() else { return };
                // also when its task is gone
                let mine =
                    |e: &&mut Entry| e.task == started.task && e.iteration == started.iteration;
                let Some(entry) = self.entries.iter_mut().rev().find(mine) else { return };
                entry.notes.push(PayloadRef::new(recorded.revision, NOTES));
                if body.would_have_sent.is_some() {
                    entry.would_have_sent = Some(started);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, task: &TaskPath, iteration: &Iteration) {
        let around = self.tries.iter().filter(|(tried, _)| task.is_inside(tried));
        let innermost = around.max_by_key(|(tried, _)| tried.as_str().len());
        let attempt = innermost.map(|(_, attempt)| *attempt);
        let _is_new = self.open.insert(self.entries.len());
        self.entries.push(Entry {
            task: task.clone(),
            iteration: iteration.clone(),
            status: "waiting",
            output: None,
            error: None,
            would_have_sent: None,
            notes: vec![],
            attempt,
        });
    }

    /// Ends the execution that is open, or a new one: instant tasks have only an end.
    fn end(&mut self, task: &TaskPath, iteration: &Iteration, status: &'static str) -> &mut Entry {
        let mine = |place: &&usize| {
            let entry = &self.entries[**place];
            entry.task == *task && entry.iteration == *iteration
        };
        let place = self.open.iter().rev().find(mine).copied().unwrap_or_else(|| {
            self.open(task, iteration);
            self.entries.len() - 1
        });
        let _was_open = self.open.remove(&place);
        let entry = &mut self.entries[place];
        entry.status = status;
        entry
    }

    /// Containers that a fault or an end has left.
    fn close_inside(&mut self, container: &TaskPath, status: &'static str) {
        let entries = &mut self.entries;
        self.open.retain(|place| {
            let is_left = entries[*place].task.is_inside(container);
            if is_left {
                entries[*place].status = status;
            }
            !is_left
        });
    }

    /// What would have left in sandbox mode: exactly the approved bytes.
    fn sent(&self, started: &AttemptStarted) -> Result<Value, Error> {
        let Some(payload) = unless_erased(self.view.payload(&self.stream, started.request))? else {
            return Ok(json!(ERASED));
        };
        let request = PreparedRequest::from_bytes(payload.as_bytes())
            .map_err(|error| Error::Refused { code: "PL1003", detail: error.to_string() })?;
        let mut shown = request.to_view();
        shown["digest"] = json!(started.digest.unwrap_or(started.request_digest));
        Ok(shown)
    }

    fn notes(&self, entry: &Entry) -> Vec<String> {
        let read = |reference: &PayloadRef| {
            let payload = self.view.payload(&self.stream, *reference).ok()?;
            serde_json::from_slice::<Vec<String>>(payload.as_bytes()).ok()
        };
        entry.notes.iter().filter_map(read).flatten().collect()
    }

    fn told(&self, entry: &Entry) -> Result<Value, Error> {
        let value = |reference: PayloadRef| self.value(reference);
        let mut told = json!({
            "task": entry.task.as_str(),
            "name": entry.task.name(),
            "status": entry.status,
            "output": entry.output.map(value).transpose()?,
            "would_have_sent":
                entry.would_have_sent.as_ref().map(|started| self.sent(started)).transpose()?,
        });
        if !entry.iteration.is_none() {
            told["iteration"] = json!(entry.iteration.indices());
        }
        if let Some(attempt) = entry.attempt {
            told["attempt"] = json!(attempt);
        }
        if let Some(error) = entry.error {
            told["error"] = self.value(error)?;
        }
        let notes = self.notes(entry);
        if !notes.is_empty() {
            told["notes"] = json!(notes);
        }
        Ok(told)
    }
}

/// The `try` whose attempt took too long: that is no task of its own.
fn tried(task: &TaskPath) -> Option<TaskPath> {
    task.as_str().strip_suffix("/try").map(TaskPath::new)
}
