//! A log with projections, and short ways to fill and read it.

use placet_log::{
    Append, Expected, KeyPlace, Log, NewEvent, NoProjections, OpenOptions, ProjectKey, ReadView,
    Storage,
};
use placet_model::{Actor, Event, EventId, RecordedEvent, RunId, StreamId, Timestamp};
use placet_projections::{Error, Projections, Rebuilt, Views, compare, rebuild};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The moment `seconds` after the tests begin.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    NOW.plus_millis(seconds * 1000)
}

/// A file in memory that outlives the log that has it open.
#[derive(Debug, Clone)]
struct Shared(Arc<InMemoryBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }
}

/// A log in memory that can be closed and opened again.
pub(crate) struct World {
    files: [Shared; 3],
    log: Option<Log>,
    events: u128,
    pub(crate) now: Timestamp,
}

/// What is in the log's transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    Projections,
    Nothing,
}

impl World {
    pub(crate) fn new() -> Self {
        let files = [(); 3].map(|()| Shared(Arc::new(InMemoryBackend::new())));
        let mut world = Self { files, log: None, events: 0, now: NOW };
        world.open(With::Projections).unwrap();
        world
    }

    /// Closes the log and opens it again.
    pub(crate) fn open(&mut self, with: With) -> Result<(), placet_log::Error> {
        self.log = None;
        let [log, keys, journal] = self.files.clone().map(|file| Box::new(file) as _);
        let storage = Storage::Backends { log, keys, journal };
        let options = OpenOptions::with_storage(storage, "sales")
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])));
        let options = match with {
            With::Projections => options.projector(Projections::new()),
            With::Nothing => options.projector(NoProjections),
        };
        self.log = Some(Log::open(options)?);
        Ok(())
    }

    pub(crate) fn restart(&mut self) {
        self.open(With::Projections).unwrap();
    }

    pub(crate) fn log(&self) -> &Log {
        self.log.as_ref().unwrap()
    }

    pub(crate) fn view(&self) -> ReadView {
        self.log().read().unwrap()
    }

    /// Reads through the views of now.
    pub(crate) fn see<T>(&self, read: impl FnOnce(Views<'_>) -> Result<T, Error>) -> T {
        let view = self.view();
        read(Views::new(&view).unwrap()).unwrap()
    }

    /// Appends to one stream in one commit.
    pub(crate) fn append(
        &mut self,
        stream: StreamId,
        events: impl IntoIterator<Item = Event>,
    ) -> Vec<RecordedEvent> {
        self.append_all(vec![(stream, events.into_iter().collect())])
    }

    /// Appends to several streams in one commit.
    pub(crate) fn append_all(&mut self, group: Vec<(StreamId, Vec<Event>)>) -> Vec<RecordedEvent> {
        let appends = group.into_iter().map(|(stream, events)| {
            let events = events.into_iter().map(|event| {
                self.events += 1;
                let id = EventId::from_bytes(self.events.to_be_bytes());
                NewEvent::new(id, Actor::Engine, event)
            });
            Append::new(stream, Expected::Any, events.collect())
        });
        let appends = appends.collect();
        self.log().append_group(self.now, appends).wait().unwrap().events
    }

    /// Appends to one run in one commit.
    pub(crate) fn run(&mut self, run: RunId, events: impl IntoIterator<Item = Event>) {
        self.append(StreamId::Run(run), events);
    }

    /// The live tables are byte for byte what the log gives.
    pub(crate) fn check(&self) {
        if let Err(difference) = compare(&self.view()) {
            panic!("{difference:?}");
        }
    }
}

/// Makes the tables again, to the end.
pub(crate) fn rebuilt(log: &Log) -> Rebuilt {
    rebuild(log, |_progress| ControlFlow::Continue(())).unwrap().expect("nobody broke it off")
}
