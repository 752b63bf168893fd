//! The log alone. Power goes at any operation of the disk, again and again: what was acknowledged is
//! there, in order, with the same hashes, and what was kept up beside it is what it gives. At the end
//! single bits flip: each is reported, or changes nothing.

use crate::life::{Failure, Setting, Tally};
use placet_log::{
    Append, BoxError, Expected, KeyPlace, Log, NewEvent, OpenOptions, ProjectKey, Projector,
    ReadView, Storage,
};
use placet_model::event::governance::{OutboundPaused, OutboundResumed};
use placet_model::{
    Actor, Digest, EventId, IntegrationId, Position, RecordedEvent, RunId, StreamId, Timestamp,
};
use placet_test_support::disk::{Disk, Honesty};
use placet_test_support::random::Random;
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::collections::BTreeMap;

/// Lives of one seed.
const CYCLES: u64 = 3;
/// Bits flipped, one after the other, in the files of one seed.
const FLIPS: u64 = 6;
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// An event whose body names `n`, so that one can be told from another.
fn event(n: u128) -> NewEvent {
    let integration = Some(IntegrationId::from_bytes(n.to_be_bytes()));
    let id = EventId::from_bytes(n.to_be_bytes());
    if n.is_multiple_of(2) {
        NewEvent::new(id, Actor::Engine, OutboundPaused { integration })
    } else {
        let ana = Actor::Principal("ana".parse().expect("a good name"));
        NewEvent::new(id, ana, OutboundResumed { integration })
    }
}

/// Whether a recorded event is the one that was appended, whole.
fn is_whole(recorded: &RecordedEvent) -> bool {
    let new = event(recorded.event_id.as_u128());
    recorded.event == new.event && recorded.actor == new.actor
}

fn stream(n: u64) -> StreamId {
    StreamId::Run(RunId::from_bytes(u128::from(n).to_be_bytes()))
}

/// How many events each stream has, kept in the log's transactions; under "" how many there are in all.
struct Counts;

const COUNTS: TableDefinition<'_, &str, u64> = TableDefinition::new("proj_counts_v1");

impl Projector for Counts {
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        let counted = tx.open_table(COUNTS)?.get("")?.map_or(0, |row| row.value());
        let behind: Result<Vec<_>, _> = view.events(Position::new(counted + 1)).collect();
        self.apply(tx, &behind?)
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        let mut counts = tx.open_table(COUNTS)?;
        for event in events {
            for of in [event.stream.to_string(), String::new()] {
                let count = counts.get(of.as_str())?.map_or(0, |row| row.value());
                counts.insert(of.as_str(), count + 1)?;
            }
        }
        Ok(())
    }
}

struct World {
    story: Vec<String>,
    trace: bool,
    log: Disk,
    keys: Disk,
    journal: Disk,
    random: Random,
    /// Numbers of the acknowledged events, in order, and the root after each append.
    acknowledged: Vec<u128>,
    roots: Vec<(u64, Digest)>,
    next: u128,
    tally: Tally,
}

impl World {
    /// A log that was made and closed while the power was on: files are created under another
    /// name and renamed, which a single backend cannot show.
    fn new(seed: u64, setting: Setting) -> Self {
        let log = Disk::new(setting.honesty);
        let mut world = Self {
            story: vec![],
            trace: setting.trace,
            keys: log.beside(Vec::new(), Honesty::Honest),
            journal: log.beside(Vec::new(), setting.honesty),
            log,
            random: Random::new(seed),
            acknowledged: Vec::new(),
            roots: Vec::new(),
            next: 1,
            tally: Tally { seeds: 1, ..Tally::default() },
        };
        drop(world.open().expect("nothing is wrong yet"));
        for disk in [&world.log, &world.keys, &world.journal] {
            disk.keep_all();
        }
        world.restart();
        world
    }

    fn open(&self) -> Result<Log, placet_log::Error> {
        let storage = Storage::Backends {
            log: self.log.backend(),
            keys: self.keys.backend(),
            journal: self.journal.backend(),
        };
        let options = OpenOptions::with_storage(storage, "sales")
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
            .cache_bytes(1 << 20)
            // a few appends
            .journal_bytes(5 * 4096)
            // the rest is checked when it is read
            .checked_events(4)
            .projector(Counts);
        Log::open(options)
    }

    fn tell(&mut self, line: String) {
        if self.trace {
            println!("{line}");
        }
        self.story.push(line);
    }

    fn restart(&mut self) {
        for disk in [&self.log, &self.journal, &self.keys] {
            disk.restart(&mut self.random);
            disk.make_room();
        }
        self.log.power_on();
        self.tally.crashes += 1;
    }

    /// One life of the engine; `Err` says what was lost.
    fn cycle(&mut self) -> Result<(), String> {
        let operations = 1 + self.random.below(120);
        let disk = if self.random.one_in(2) { &self.log } else { &self.journal };
        match self.random.below(8) {
            0 => disk.fail_sync_after(1 + self.random.below(12)),
            1 => disk.fill(),
            _ => disk.cut_power_after(operations),
        }
        self.tell(format!("power for {operations} operations, or a disk that fails or is full"));
        if self.random.one_in(4) {
            self.keys.cut_power_after(1 + self.random.below(60));
        }
        if let Ok(log) = self.open() {
            self.append_until_dark(&log);
        }
        self.restart();
        // crash in recovery, up to three times
        for _ in 0..self.random.below(4) {
            let operations = 1 + self.random.below(40);
            let disk = if self.random.one_in(2) { &self.log } else { &self.journal };
            disk.cut_power_after(operations);
            drop(self.open());
            self.tell(format!("in recovery, power for {operations} operations"));
            self.restart();
        }
        let log = self.open().map_err(|error| format!("does not open: {error:?}"))?;
        self.tally.recoveries += 1;
        self.check(&log)
    }

    fn append_until_dark(&mut self, log: &Log) {
        for _ in 0..12 {
            self.tally.steps += 1;
            let count = 1 + u128::from(self.random.below(3));
            let numbers: Vec<u128> = (self.next..self.next + count).collect();
            self.next += count;
            let mut new: Vec<NewEvent> = numbers.iter().copied().map(event).collect();
            if self.random.one_in(2) {
                new[0] = new[0].clone().with_payload(numbers[0].to_be_bytes().to_vec());
            }
            let stream = stream(self.random.below(4));
            match log.append_blocking(NOW, Append::new(stream, Expected::Any, new)) {
                Ok(_) => {
                    self.tell(format!("{numbers:?} acknowledged"));
                    self.acknowledged.extend(numbers);
                    if let Ok(view) = log.read() {
                        self.roots.push((view.head().size, view.head().root));
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// What is there: all that was acknowledged, in order, then at most one append more.
    fn check(&mut self, log: &Log) -> Result<(), String> {
        let text = |error: placet_log::Error| error.to_string();
        let view = log.read().map_err(text)?;
        let found: Vec<RecordedEvent> =
            view.events(Position::START).collect::<Result<_, _>>().map_err(text)?;
        let numbers: Vec<u128> = found.iter().map(|event| event.event_id.as_u128()).collect();
        if !numbers.starts_with(&self.acknowledged) {
            return Err(format!("{numbers:?} do not begin with {:?}", self.acknowledged));
        }
        if numbers.len() > self.acknowledged.len() + 3 {
            return Err("more than one unacknowledged append".to_owned());
        }
        if !found.iter().all(is_whole) {
            return Err("an event is not what was appended".to_owned());
        }
        for (size, root) in &self.roots {
            if view.root_at(*size).map_err(text)? != *root {
                return Err(format!("the root at {size} changed"));
            }
        }
        view.verify().map_err(text)?;
        check_payloads(&view, &found)?;
        check_counts(&view, &found)?;
        // what was found is from now on acknowledged
        self.acknowledged = numbers;
        Ok(())
    }
}

fn check_payloads(view: &ReadView, found: &[RecordedEvent]) -> Result<(), String> {
    for event in found {
        match view.payload_at(event.position, 0) {
            Ok(opened) if opened.payload.as_bytes() == event.event_id.as_u128().to_be_bytes() => {}
            Err(placet_log::Error::NoSuchPayload { .. }) => {}
            other => return Err(format!("payload of {}: {other:?}", event.position)),
        }
    }
    Ok(())
}

fn check_counts(view: &ReadView, found: &[RecordedEvent]) -> Result<(), String> {
    let mut replayed: BTreeMap<String, u64> = BTreeMap::new();
    for event in found {
        *replayed.entry(event.stream.to_string()).or_default() += 1;
        *replayed.entry(String::new()).or_default() += 1;
    }
    let table = view.transaction().open_table(COUNTS).map_err(|error| error.to_string())?;
    let mut live = BTreeMap::new();
    for row in table.iter().map_err(|error| error.to_string())? {
        let (stream, count) = row.map_err(|error| error.to_string())?;
        live.insert(stream.value().to_owned(), count.value());
    }
    if live == replayed { Ok(()) } else { Err(format!("{live:?} is not {replayed:?}")) }
}

/// All that can be read of a log.
#[derive(Debug, PartialEq)]
struct Contents {
    events: Vec<RecordedEvent>,
    payloads: Vec<Option<Vec<u8>>>,
    root: Digest,
}

fn contents(log: &Log) -> Result<Contents, placet_log::Error> {
    let view = log.read()?;
    let events = view.events(Position::START).collect::<Result<Vec<_>, _>>()?;
    let payload = |event: &RecordedEvent| match view.payload_at(event.position, 0) {
        Ok(opened) => Ok(Some(opened.payload.as_bytes().to_vec())),
        Err(placet_log::Error::NoSuchPayload { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let payloads = events.iter().map(payload).collect::<Result<_, _>>()?;
    Ok(Contents { events, payloads, root: view.root_at(view.head().size)? })
}

impl World {
    /// A flipped bit is reported, or changes nothing.
    fn flip_bits(&mut self) -> Result<(), String> {
        let words = |error: placet_log::Error| error.to_string();
        let whole = contents(&self.open().map_err(words)?).map_err(words)?;
        for disk in [&self.log, &self.keys, &self.journal] {
            disk.keep_all();
        }
        let image = self.log.image();
        for _ in 0..FLIPS {
            let (place, bit) = (self.random.index(image.len()), self.random.below(8));
            let mut flipped = image.clone();
            flipped[place] ^= 1 << bit;
            self.log = Disk::of(flipped, Honesty::Honest);
            for disk in [&self.keys, &self.journal] {
                disk.restart(&mut self.random);
                disk.power_on();
            }
            self.tell(format!("bit {bit} of byte {place} flips"));
            let found = self.open().and_then(|log| contents(&log));
            if found.is_ok_and(|found| found != whole) {
                return Err(format!("bit {bit} of byte {place} changes what is read"));
            }
        }
        Ok(())
    }
}

/// Plays a seed; gives what was counted, and the whole story.
pub(crate) fn play(seed: u64, setting: Setting) -> Result<(Tally, Vec<String>), Failure> {
    let mut world = World::new(seed, setting);
    let went = (0..CYCLES).try_for_each(|_| world.cycle()).and_then(|()| world.flip_bits());
    match went {
        Ok(()) => Ok((world.tally, world.story)),
        Err(what) => Err(Failure { what, story: world.story }),
    }
}
