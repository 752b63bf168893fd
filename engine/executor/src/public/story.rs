//! One run's story in plain sentences: who did what, when, on which digest.
//!
//! Beside the run's own events it tells what bore on it from outside: erasures, epochs, and between
//! its first and its last event pauses, policies, changes of its integrations, and a restart of the
//! engine in the midst of a call. What cannot be read is told in its place; nothing is left out.

mod flow;
mod gate;
mod lookup;
mod notice;
mod project;
mod sentence;
mod words;

use super::about::About;
use super::render;
use crate::handle::Error;
use crate::inbox::one_line;
pub(crate) use lookup::found;
use placet_core::Refusal;
use placet_log::ReadView;
use placet_model::event::{Event, EventKind};
use placet_model::{
    DecisionId, IntegrationId, Position, RecordedEvent, Revision, RunId, StreamId, id,
};
use placet_projections::Views;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use words::Teller;

/// Whose story is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// That of a run.
    Run(RunId),
    /// That of the run which asked for this decision.
    Decision(DecisionId),
    /// Only the event at this place.
    Position(Position),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(id) => id.fmt(f),
            Self::Decision(id) => id.fmt(f),
            Self::Position(position) => position.fmt(f),
        }
    }
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = |error: id::ParseIdError| error.to_string();
        match text.split_once('_') {
            Some((RunId::PREFIX, _)) => text.parse().map(Self::Run).map_err(words),
            Some((DecisionId::PREFIX, _)) => text.parse().map(Self::Decision).map_err(words),
            _ => match text.parse() {
                Ok(position) if position > 0 => Ok(Self::Position(Position::new(position))),
                _ => Err(format!("{text:?} is neither a run, a decision nor a position from 1")),
            },
        }
    }
}

/// A story, in the order of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Whose it is; none for a single event that is no run's.
    pub run: Option<RunId>,
    /// What is told.
    pub lines: Vec<Line>,
}

/// One sentence.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// What an event says.
    Told {
        /// The event.
        event: Box<RecordedEvent>,
        /// In words, on one line, with hidden characters made visible.
        sentence: String,
    },
    /// Something that cannot be read.
    Gap {
        /// Whose event it is.
        stream: StreamId,
        /// Which one.
        revision: Revision,
        /// Why not.
        sentence: String,
    },
}

impl Story {
    /// Tells it.
    ///
    /// # Errors
    /// Nobody of that name; a log that cannot be read at all.
    pub fn of(view: &ReadView, subject: Subject) -> Result<Self, Error> {
        match subject {
            Subject::Run(run) => Ok(told(view, run, gathered(view, run)?)),
            Subject::Decision(decision) => {
                let row = Views::new(view)?.decision(decision)?;
                let run = row.ok_or(Refusal::UnknownDecision { decision })?.run;
                Ok(told(view, run, gathered(view, run)?))
            }
            Subject::Position(position) => {
                let head = view.head().position();
                if position > head {
                    let detail = format!(
                        "there is no event at position {position}: the log holds 1 to {head}"
                    );
                    return Err(Error::Refused { code: "PL4003", detail });
                }
                let event = view.event(position)?;
                let run = if let StreamId::Run(run) = event.stream { Some(run) } else { None };
                Ok(Self { run, lines: vec![Line::of(view, Box::new(event))] })
            }
        }
    }

    /// The end of a run's story: its last lines, and before them those of the events that `also` wants. Says
    /// how many lines the whole has. Only what is told is put into words.
    ///
    /// # Errors
    /// As [`Story::of`].
    pub fn end_of(
        view: &ReadView,
        run: RunId,
        last: usize,
        also: impl Fn(&Event) -> bool,
    ) -> Result<(Self, usize), Error> {
        let mut all = gathered(view, run)?;
        let (count, mut place) = (all.len(), 0);
        let first = count.saturating_sub(last);
        all.retain(|found| {
            place += 1;
            place > first || matches!(found, Found::Event(event) if also(&event.event))
        });
        Ok((told(view, run, all), count))
    }

    /// Whether everything could be read.
    pub fn is_whole(&self) -> bool {
        self.lines.iter().all(|line| matches!(line, Line::Told { .. }))
    }

    /// `{run, workflow, mode, requester, plan_digest, whole, lines}`; a line is `{position, at, actor,
    /// type, sentence, event}`, or `{stream, revision, gap}`.
    pub fn to_json(&self) -> Value {
        let first = self.lines.iter().find_map(|line| match line {
            Line::Told { event, .. } => match &event.event {
                Event::RunStarted(body) => Some(body),
                _ => None,
            },
            Line::Gap { .. } => None,
        });
        json!({
            "run": self.run,
            "workflow": first.map(|body| body.workflow.to_string()),
            "mode": first.map(|body| body.mode),
            "requester": first.map(|body| body.requester.as_str()),
            "plan_digest": first.map(|body| body.plan_digest),
            "whole": self.is_whole(),
            "lines": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Line {
    fn of(view: &ReadView, event: Box<RecordedEvent>) -> Self {
        let sentence = one_line(&Teller::new(view, &event).sentence());
        Self::Told { event, sentence }
    }

    fn gap(stream: &StreamId, revision: Revision, error: &placet_log::Error) -> Self {
        let sentence = one_line(&format!(
            "an event cannot be read (revision {revision} of {stream}): {error}"
        ));
        Self::Gap { stream: stream.clone(), revision, sentence }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Told { event, sentence } => json!({
                "position": event.position,
                "at": event.recorded_at,
                "actor": event.actor,
                "type": event.event.type_name(),
                "sentence": sentence,
                "event": render(event),
            }),
            Self::Gap { stream, revision, sentence } => {
                json!({ "stream": stream.to_string(), "revision": revision, "gap": sentence })
            }
        }
    }
}

/// Something of a story that is not in words yet.
enum Found {
    Event(Box<RecordedEvent>),
    Gap(Line),
}

fn told(view: &ReadView, run: RunId, found: Vec<Found>) -> Story {
    let line = |found| match found {
        Found::Event(event) => Line::of(view, event),
        Found::Gap(gap) => gap,
    };
    Story { run: Some(run), lines: found.into_iter().map(line).collect() }
}

/// All that bears on a run, in the order of the log.
fn gathered(view: &ReadView, run: RunId) -> Result<Vec<Found>, Error> {
    let stream = StreamId::Run(run);
    let mut own = vec![];
    let mut all = vec![];
    read(view, &stream, Revision::START, &mut |read| match read {
        Ok(event) => own.push(event),
        Err((revision, error)) => {
            all.push((place(&error, &own), Found::Gap(Line::gap(&stream, revision, &error))));
        }
    })?;
    if own.is_empty() && all.is_empty() {
        let detail = format!("there is no run {run}");
        return Err(Error::Refused { code: "PL4001", detail });
    }
    let around = Around::of(run, &own);
    for stream in around.streams() {
        let start = around.start(view, &stream)?;
        read(view, &stream, start, &mut |read| match read {
            Ok(event) if around.concerns(&event) => {
                all.push((event.position, Found::Event(Box::new(event))));
            }
            Ok(_) => {}
            Err((revision, error)) => {
                all.push((place(&error, &own), Found::Gap(Line::gap(&stream, revision, &error))));
            }
        })?;
    }
    all.extend(own.into_iter().map(|event| (event.position, Found::Event(Box::new(event)))));
    // a gap stands behind the last event that was read before it
    all.sort_by_key(|(place, found)| (*place, matches!(found, Found::Gap(_))));
    Ok(all.into_iter().map(|(_, found)| found).collect())
}

/// Where something stands that cannot be read: behind what was read before it, if it is not known.
fn place(error: &placet_log::Error, own: &[RecordedEvent]) -> Position {
    match error {
        placet_log::Error::Damaged { position, .. }
        | placet_log::Error::UnknownEvent { position, .. } => *position,
        _ => own.last().map_or(Position::START, |event| event.position),
    }
}

type Read = Result<RecordedEvent, (Revision, placet_log::Error)>;

/// Every event of a stream after `after`, also those behind one that is damaged.
fn read(
    view: &ReadView,
    stream: &StreamId,
    after: Revision,
    visit: &mut dyn FnMut(Read),
) -> Result<(), Error> {
    let (mut at, last) = (after.next(), view.revision(stream)?);
    while at <= last {
        visit(view.stream_event(stream, at).map_err(|error| (at, error)));
        at = at.next();
    }
    Ok(())
}

/// What bears on a run from outside.
struct Around {
    run: RunId,
    integrations: BTreeSet<IntegrationId>,
    first: Position,
    /// Its last event, once it is over.
    last: Option<Position>,
    /// From the start of each call to what became of it.
    calls: Vec<(Position, Position)>,
}

impl Around {
    fn of(run: RunId, own: &[RecordedEvent]) -> Self {
        let integrations = own.iter().filter_map(|event| About::of(&event.event).integration);
        let is_end = |event: &&RecordedEvent| {
            matches!(
                event.event.kind(),
                EventKind::RunCompleted | EventKind::RunFaulted | EventKind::RunCancelled
            )
        };
        let is_over = own.iter().any(|event| is_end(&event));
        let calls = own.iter().enumerate().filter_map(|(place, event)| {
            let Event::AttemptStarted(started) = &event.event else { return None };
            let about =
                |later: &&RecordedEvent| About::of(&later.event).attempt == Some(started.attempt);
            let end = own[place + 1..].iter().find(about);
            Some((event.position, end.map_or(Position::new(u64::MAX), |end| end.position)))
        });
        Self {
            run,
            integrations: integrations.collect(),
            first: own.first().map_or(Position::START, |event| event.position),
            last: own.last().filter(|_| is_over).map(|event| event.position),
            calls: calls.collect(),
        }
    }

    fn streams(&self) -> Vec<StreamId> {
        let integrations = self.integrations.iter().map(|id| StreamId::Integration(*id));
        [StreamId::Project, StreamId::Policy].into_iter().chain(integrations).collect()
    }

    /// The revision of a stream behind which something may lie that concerns the run.
    fn start(&self, view: &ReadView, stream: &StreamId) -> Result<Revision, Error> {
        let (mut low, mut high) = (Revision::START.get(), view.revision(stream)?.get());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match view.stream_event(stream, Revision::new(middle)) {
                Ok(event) if event.position < self.first => low = middle,
                Ok(_) => high = middle - 1,
                // whatever is damaged there is told: begin before it
                Err(_damaged) => high = middle - 1,
            }
        }
        Ok(Revision::new(low))
    }

    fn concerns(&self, event: &RecordedEvent) -> bool {
        let during =
            event.position > self.first && self.last.is_none_or(|last| event.position < last);
        let mine = About::of(&event.event).integration;
        let mine = mine.is_none_or(|id| self.integrations.contains(&id));
        match event.event.kind() {
            EventKind::PayloadErased => {
                matches!(&event.event, Event::PayloadErased(body) if body.run == Some(self.run))
            }
            EventKind::EngineStarted => {
                let at = event.position;
                self.calls.iter().any(|(start, end)| *start < at && at < *end)
            }
            EventKind::EpochStarted | EventKind::PolicyChanged => during,
            EventKind::OutboundPaused
            | EventKind::OutboundResumed
            | EventKind::HealthCheckFailed
            | EventKind::IntegrationConnected
            | EventKind::IntegrationDisabled
            | EventKind::IntegrationEnabled
            | EventKind::IntegrationDisconnected
            | EventKind::IntegrationScoped => during && mine,
            _ => false,
        }
    }
}
