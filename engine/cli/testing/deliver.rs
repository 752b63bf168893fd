//! What comes from outside in a test, and when: at a virtual moment, or once a task has begun.

use super::Failure;
use super::bench::Bench;
use crate::people::{self, AUTHOR};
use anyhow::Result;
use placet_language::test_file::{ScriptedEvent, Spanned, TestFile, When};
use placet_model::plan::Plan;
use placet_model::{Digest, RunId, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// Hands an event to the engine. The same one again is the same event: it comes once.
///
/// # Errors
/// It is no event: said at its place.
pub(crate) async fn deliver(
    bench: &Bench,
    (event, scripted): (Value, &Spanned<ScriptedEvent>),
) -> Result<(), Failure> {
    let author = people::principal(AUTHOR);
    let published = bench.handle().publish(event, None, &author).await;
    let problem =
        |error| Failure::new("events", scripted.span, format!("the event is refused: {error}"));
    published.map(|_position| ()).map_err(problem)
}

/// The events of one test, and which of them have come.
#[derive(Debug)]
pub(crate) struct Arrivals<'t> {
    run: RunId,
    events: &'t [Spanned<ScriptedEvent>],
    /// Paths of the tasks that events wait for; empty for those that wait for a moment.
    tasks: Vec<BTreeSet<String>>,
    come: BTreeSet<usize>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The event at this place, now.
    Now(usize),
    /// Something, at this moment.
    At(Timestamp),
    /// Nothing that is known yet.
    Nothing,
}

impl<'t> Arrivals<'t> {
    pub(crate) fn new(
        run: RunId,
        (events, plans): (&'t [Spanned<ScriptedEvent>], &[&Plan]),
    ) -> Self {
        let tasks = events.iter().map(|event| match &event.value.when {
            When::Begun(task) => TestFile::tasks_named(&task.value, plans),
            When::After(_) => BTreeSet::new(),
        });
        Self { run, events, tasks: tasks.collect(), come: BTreeSet::new() }
    }

    /// What comes next in a run that started then and whose tasks so far are these. Of what is due
    /// at once the first in the file comes first.
    pub(crate) fn next(
        &self,
        (started_at, now): (Timestamp, Timestamp),
        begun: impl FnOnce() -> Result<BTreeSet<String>>,
    ) -> Result<Next> {
        let open =
            || self.events.iter().enumerate().filter(|(place, _)| !self.come.contains(place));
        if open().next().is_none() {
            return Ok(Next::Nothing);
        }
        let (begun, mut moments) = (begun()?, vec![]);
        for (place, event) in open() {
            match &event.value.when {
                When::Begun(_) if !self.tasks[place].is_disjoint(&begun) => {
                    return Ok(Next::Now(place));
                }
                When::Begun(_) => {}
                When::After(after) => match started_at.checked_add(*after) {
                    Some(at) if at <= now => return Ok(Next::Now(place)),
                    Some(at) => moments.push(at),
                    None => {}
                },
            }
        }
        Ok(moments.into_iter().min().map_or(Next::Nothing, Next::At))
    }

    /// In a run that goes on, what is on record has come. The time tells nothing of it: a process may
    /// have ended at the very moment at which something was due.
    pub(crate) fn recall(
        &mut self,
        mut is_on_record: impl FnMut(Value) -> Result<bool>,
    ) -> Result<()> {
        for place in 0..self.events.len() {
            if is_on_record(self.event(place))? {
                self.come.insert(place);
            }
        }
        Ok(())
    }

    /// The event at this place, which comes now, and how it was scripted.
    pub(crate) fn take(&mut self, place: usize) -> (Value, &'t Spanned<ScriptedEvent>) {
        self.come.insert(place);
        (self.event(place), &self.events[place])
    }

    /// The event at this place. An id that its author has left out follows from the run and from what is
    /// scripted, so that whoever goes on with the run hands in the same event.
    fn event(&self, place: usize) -> Value {
        let text = text(&self.events[place]);
        let before = self.events[..place].iter().filter(|&other| self::text(other) == text).count();
        let (run, before) = (self.run.to_string(), before.to_string());
        let parts: [&[u8]; 4] = [b"scripted", run.as_bytes(), text.as_bytes(), before.as_bytes()];
        let id = || Value::String(format!("scripted-{}", Digest::of_parts(&parts)));
        let mut event = self.events[place].value.event.clone();
        if let Some(event) = event.as_object_mut() {
            event.entry("id").or_insert_with(id);
        }
        event
    }

    /// Events that never came: the run was over before.
    pub(crate) fn missed(&self) -> Vec<Failure> {
        let open = self.events.iter().enumerate().filter(|(place, _)| !self.come.contains(place));
        open.map(|(place, event)| {
            let message = "the run was over before it came";
            Failure::new(format!("events[{place}]"), event.span, message)
        })
        .collect()
    }
}

/// What is scripted, wherever it stands in its file.
fn text(event: &Spanned<ScriptedEvent>) -> String {
    let when = match &event.value.when {
        When::After(after) => format!("after {after:?}"),
        When::Begun(task) => format!("once {} has begun", task.value),
    };
    format!("{when}: {}", event.value.event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_language::{Source, check_test};

    /// What comes, in order, in a run whose tasks begin as told; moments pass as they are asked for.
    fn arrivals(events: &str, begun: &[&str]) -> Vec<String> {
        let text = format!(
            "workflow: a.yaml\ntests:\n  - name: a\n    events: {events}\n    expect: {{ sent: [] }}\n"
        );
        let (file, findings) = check_test(&Source::new("a.test.yaml", text));
        let file = file.unwrap_or_else(|| panic!("{findings:?}"));
        let mut arrivals = Arrivals::new(RunId::from_bytes([7; 16]), (&file.tests[0].events, &[]));
        // no plans here: a task is its own path
        for (place, event) in file.tests[0].events.iter().enumerate() {
            if let When::Begun(task) = &event.value.when {
                arrivals.tasks[place] = BTreeSet::from([task.value.clone()]);
            }
        }
        let (mut now, mut told) = (Timestamp::EPOCH, vec![]);
        loop {
            let begun = || Ok(begun.iter().map(|task| (*task).to_owned()).collect());
            match arrivals.next((Timestamp::EPOCH, now), begun).unwrap() {
                Next::Now(place) => {
                    let (event, _) = arrivals.take(place);
                    let kind = event["type"].as_str().unwrap_or_default();
                    told.push(format!("{kind} {}", now.as_millis()));
                }
                Next::At(at) => now = at,
                Next::Nothing => break,
            }
        }
        told.extend(arrivals.missed().into_iter().map(|failure| failure.what));
        told
    }

    #[test]
    fn events_come_at_their_moment_or_once_their_task_has_begun() {
        let events = "[{ after: PT2S, event: { type: late, source: s } }, { afterTask: b, event: { type: of-b, source: s } }, { after: PT1S, event: { type: soon, source: s } }, { after: PT0S, event: { type: first, source: s } }]";
        assert_eq!(arrivals(events, &["a", "b"]), ["of-b 0", "first 0", "soon 1000", "late 2000"]);
        assert_eq!(arrivals(events, &["a"]), ["first 0", "soon 1000", "late 2000", "events[1]"]);
    }
}
