//! Power goes at any operation of the disk, again and again: what was acknowledged is there.

use crate::crash_disk::{Disk, Honesty, Random};
use crate::support::*;
use placet_log::{
    Append, AppendError, BoxError, Expected, KeyPlace, Log, Novelty, OpenOptions, ProjectKey,
    Projector, ReadView, Storage,
};
use placet_model::{Digest, Position, RecordedEvent, Revision, StreamId};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::collections::BTreeMap;

/// Seeds to try; `PLACET_SEEDS` asks for more (a nightly run takes a million).
const SEEDS: u64 = 200;
const CYCLES: u64 = 3;

/// How many events each stream has, kept in the log's transactions.
struct Counts;

const COUNTS: TableDefinition<'_, &str, u64> = TableDefinition::new("proj_counts_v1");

impl Projector for Counts {
    fn prepare(&mut self, tx: &WriteTransaction, _view: &ReadView) -> Result<(), BoxError> {
        tx.open_table(COUNTS)?;
        Ok(())
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        let mut counts = tx.open_table(COUNTS)?;
        for event in events {
            let stream = event.stream.to_string();
            let count = counts.get(stream.as_str())?.map_or(0, |row| row.value());
            counts.insert(stream.as_str(), count + 1)?;
        }
        Ok(())
    }
}

struct World {
    log: Disk,
    keys: Disk,
    random: Random,
    /// Numbers of the acknowledged events, in order, and the root after each append.
    acknowledged: Vec<u128>,
    roots: Vec<(u64, Digest)>,
    next: u128,
    crashes: u64,
}

impl World {
    /// A log that was made and closed while the power was on: files are created under another
    /// name and renamed, which a single backend cannot show.
    fn new(seed: u64, honesty: Honesty) -> Self {
        let mut world = Self {
            log: Disk::new(honesty),
            keys: Disk::new(Honesty::Honest),
            random: Random::new(seed),
            acknowledged: Vec::new(),
            roots: Vec::new(),
            next: 1,
            crashes: 0,
        };
        drop(world.open().unwrap());
        for disk in [&world.log, &world.keys] {
            disk.keep_all();
        }
        world.restart();
        world
    }

    fn open(&self) -> Result<Log, placet_log::Error> {
        let storage = Storage::Backends { log: self.log.backend(), keys: self.keys.backend() };
        let options = OpenOptions::with_storage(storage, "sales")
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
            .cache_bytes(1 << 20)
            .projector(Counts);
        Log::open(options)
    }

    fn restart(&mut self) {
        self.log.restart(&mut self.random);
        self.keys.restart(&mut self.random);
        self.crashes += 1;
    }

    /// One life of the engine; `Err` says what was lost.
    fn cycle(&mut self) -> Result<(), String> {
        let operations = 1 + self.random.below(120);
        self.log.cut_power_after(operations);
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
            self.log.cut_power_after(operations);
            drop(self.open());
            self.restart();
        }
        let log = self.open().map_err(|error| format!("does not open: {error:?}"))?;
        self.check(&log)
    }

    fn append_until_dark(&mut self, log: &Log) {
        for _ in 0..12 {
            let count = 1 + u128::from(self.random.below(3));
            let numbers: Vec<u128> = (self.next..self.next + count).collect();
            self.next += count;
            let mut new = events(numbers.iter().copied());
            if self.random.one_in(2) {
                new[0] = new[0].clone().with_payload(numbers[0].to_be_bytes().to_vec());
            }
            let stream = run(u128::from(self.random.below(4)));
            match log.append_blocking(NOW, Append::new(stream, Expected::Any, new)) {
                Ok(_) => {
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
        if found.iter().any(|event| !is(event, event.event_id.as_u128())) {
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
    }
    let table = view.transaction().open_table(COUNTS).map_err(|error| error.to_string())?;
    let mut live = BTreeMap::new();
    for row in table.iter().map_err(|error| error.to_string())? {
        let (stream, count) = row.map_err(|error| error.to_string())?;
        live.insert(stream.value().to_owned(), count.value());
    }
    if live == replayed { Ok(()) } else { Err(format!("{live:?} is not {replayed:?}")) }
}

fn survive(seed: u64, honesty: Honesty) -> Result<u64, String> {
    let mut world = World::new(seed, honesty);
    for _ in 0..CYCLES {
        world.cycle()?;
    }
    Ok(world.crashes)
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power_at_any_operation() {
    let seeds = std::env::var("PLACET_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = seeds.unwrap_or(SEEDS);
    let mut crashes = 0;
    for seed in 0..seeds {
        crashes +=
            survive(seed, Honesty::Honest).unwrap_or_else(|lost| panic!("seed {seed}: {lost}"));
    }
    println!("{seeds} seeds, {crashes} crashes, 0 lost");
}

#[test]
fn a_disk_that_lies_about_syncs_is_caught_by_this_very_check() {
    let caught = (0..20).filter(|seed| survive(*seed, Honesty::LiesAboutSync).is_err()).count();
    assert!(caught > 15, "caught {caught} of 20");
}

#[test]
fn after_a_failed_commit_nothing_is_answered_before_the_log_is_opened_again() {
    for failing_sync in 0..12 {
        let mut world = World::new(failing_sync, Honesty::Honest);
        let log = world.open().unwrap();
        let append = |n: u128, at| exactly(run(1), at, events([n]));
        log.append_blocking(NOW, append(1, 0)).unwrap();
        world.log.fail_sync_after(failing_sync);
        let failed = (1..100).find(|at| {
            let result = log.append_blocking(NOW, append(u128::from(*at) + 1, *at));
            matches!(result, Err(AppendError::CommitUnknown { .. }))
        });
        let at = failed.unwrap();

        // the writer is poisoned: also for other streams, also much later
        for n in 0..3 {
            let other = Append::new(StreamId::Policy, Expected::Any, events([1000 + n]));
            let error = log.append_blocking(NOW, other).unwrap_err();
            assert!(matches!(error, AppendError::CommitUnknown { .. }), "{error}");
            assert!(!error.wrote_nothing());
        }
        assert!(matches!(log.read(), Err(placet_log::Error::Stopped)));
        drop(log);
        world.restart();

        // opened again, the answer is what is found
        let log = world.open().unwrap();
        let there = log.read().unwrap().revision(&run(1)).unwrap();
        assert!(there == Revision::new(at) || there == Revision::new(at + 1), "{there} after {at}");
        let again = log.append_blocking(NOW, append(u128::from(at) + 1, at)).unwrap();
        let expected =
            if there == Revision::new(at) { Novelty::Written } else { Novelty::Repeated };
        assert_eq!(again.novelty, expected);
        assert_eq!(again.revision(), Revision::new(at + 1));
    }
}
