//! Events in a plan: what is waited for, what is sent, and what starts a run.

use super::{Expression, OutputSpec, TaskList, Template};
use crate::Duration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An event that a task sends; the engine adds `specversion`, and `id`, `time` and `source` where
/// they are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Emit {
    /// Attributes as written, `data` and extensions among them.
    pub event: Vec<(String, Template)>,
}

/// A wait for events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Which events end it.
    pub to: Consume,
    /// What of each event becomes the output.
    pub read: EventRead,
    /// Runs for each event, first in, first out.
    pub each: Option<ForEach>,
}

/// What of an event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventRead {
    /// Its `data`.
    #[default]
    Data,
    /// The whole event in its JSON form.
    Envelope,
    /// The bytes as received: UTF-8 text, else base64.
    Raw,
}

/// Which events are consumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consume {
    /// The first match.
    One(EventFilter),
    /// One match of each filter, in any order.
    All(Vec<EventFilter>),
    /// Matches of any filter.
    Any {
        /// The filters; none is every event.
        filters: Vec<EventFilter>,
        /// When it ends; without it the first match does.
        until: Option<Until>,
    },
}

/// When a wait for any events ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Evaluated on the list of events so far, after each.
    Condition(Expression),
    /// When these have come; never an `Any` with an `until` of its own.
    Events(Box<Consume>),
}

/// A filter on events: every attribute and every correlation must match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventFilter {
    /// At least one attribute.
    pub with: Vec<(String, AttributeMatch)>,
    /// What ties the event to the run.
    pub correlate: Vec<Correlation>,
}

/// How one attribute must be; one that the event lacks never matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeMatch {
    /// Equal, in depth.
    Equal(Value),
    /// A regular expression over the whole value, with its `^` and `$`.
    Pattern(String),
    /// Evaluated on the attribute's value: a boolean decides, anything else must be equal to it.
    Expression(Expression),
}

/// One key that ties an event to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Its name; filters of one wait share the value that is expected under it.
    pub key: String,
    /// On the event's envelope.
    pub from: Expression,
    /// The value it must have; without it the first value seen.
    pub expect: Option<Template>,
}

/// What runs for each event of a wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEach {
    /// Variable of the event as read.
    pub item: String,
    /// Variable of the index.
    pub at: String,
    /// The body.
    pub tasks: Option<TaskList>,
    /// Gives the element of the output; without a transform it is the event as read.
    pub output: OutputSpec,
    /// Context after each event.
    pub export: OutputSpec,
}

/// What starts runs; each of them does so on its own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// At a fixed interval, whether or not the last run has ended.
    pub every: Option<Duration>,
    /// Five fields, in UTC.
    pub cron: Option<String>,
    /// This long after the last run has ended; the first run is at deploy.
    pub after: Option<Duration>,
    /// For each match; the run's input is the list of the events.
    pub on: Option<Consume>,
    /// What of each event becomes the input.
    pub read: EventRead,
}
