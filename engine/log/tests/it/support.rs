//! Small events and a log to put them in.

use placet_log::{Append, Error, Expected, KeyPlace, Log, NewEvent, OpenOptions};
use placet_model::event::governance::{OutboundPaused, OutboundResumed};
use placet_model::{
    Actor, EventId, IntegrationId, RecordedEvent, Revision, RunId, StreamId, Timestamp,
};
use uuid::Uuid;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn memory() -> Log {
    Log::open(OpenOptions::in_memory("sales")).unwrap()
}

/// Directories for the data of a log and for its keys.
pub(crate) struct Place {
    pub(crate) data: tempfile::TempDir,
    pub(crate) keys: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), keys: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn options(&self, project: &str) -> OpenOptions {
        let keys = KeyPlace::Directory(self.keys.path().to_owned());
        OpenOptions::new(self.data.path(), project).keys(keys)
    }

    pub(crate) fn open(&self) -> Result<Log, Error> {
        Log::open(self.options("sales"))
    }
}

pub(crate) fn run(n: u128) -> StreamId {
    StreamId::Run(RunId::new(Uuid::from_u128(n)))
}

pub(crate) fn id(n: u128) -> EventId {
    EventId::new(Uuid::from_u128(n))
}

/// An event whose body names `n`, so that one can be told from another.
pub(crate) fn event(n: u128) -> NewEvent {
    let integration = Some(IntegrationId::new(Uuid::from_u128(n)));
    if n.is_multiple_of(2) {
        NewEvent::new(id(n), Actor::Engine, OutboundPaused { integration })
    } else {
        let ana = Actor::Principal("ana".parse().unwrap());
        NewEvent::new(id(n), ana, OutboundResumed { integration })
    }
}

pub(crate) fn events(ids: impl IntoIterator<Item = u128>) -> Vec<NewEvent> {
    ids.into_iter().map(event).collect()
}

pub(crate) fn exactly(stream: StreamId, revision: u64, events: Vec<NewEvent>) -> Append {
    Append::new(stream, Expected::Exact(Revision::new(revision)), events)
}

/// Whether a recorded event is the n-th one of these tests, whole.
pub(crate) fn is(recorded: &RecordedEvent, n: u128) -> bool {
    let new = event(n);
    recorded.event == new.event && recorded.event_id == new.event_id && recorded.actor == new.actor
}

pub(crate) fn all(log: &Log) -> Vec<RecordedEvent> {
    let view = log.read().unwrap();
    view.events(placet_model::Position::START).collect::<Result<_, _>>().unwrap()
}
