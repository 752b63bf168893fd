//! What the log's API reaches beside the disk's own limit, measured in the same run.
//!
//! `cargo bench -p placet-log [-- SECONDS]`. Three figures per number of concurrent writers: raw
//! append + fdatasync with group commit, bare redb with an ordered index and quick repair, and
//! this log (512-byte rows; then W1, the events and payloads of a three-step run). Ratios carry
//! over to other machines, absolute figures do not. Nothing here fails on a slow machine.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use placet_log::{
    Append, BoxError, Expected, KeyPlace, Log, NewEvent, OpenOptions, ProjectKey, Projector,
};
use placet_model::event::governance::{OperationRegistered, OutboundPaused};
use placet_model::{
    Actor, Digest, EventId, IntegrationId, PayloadRef, Position, RecordedEvent, Revision, RunId,
    StreamId, Timestamp,
};
use redb::{Database, TableDefinition, WriteTransaction};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const ROW: usize = 512;
const BATCH_MAX: usize = 1024;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(seconds);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("writers  what                     per s   p50 ms   p99 ms   of raw  of redb");
    for writers in [1, 16, 64, 128, 1024] {
        let raw = drive(writers, time, raw_file(&dir.path().join("raw")));
        let bare = drive(writers, time, bare_redb(&dir.path().join("redb")));
        let log = append_one(writers, time, &dir.path().join(format!("log{writers}")));
        raw.print(writers, "raw append + fdatasync", None);
        bare.print(writers, "bare redb, ordered index", Some((&raw, &bare)));
        log.print(writers, "log, one event", Some((&raw, &bare)));
        let runs = w1(writers, time, &dir.path().join(format!("w1-{writers}")));
        runs.print(writers, "log, W1 runs", None);
    }
    replay(&dir.path().join("log1024"));
}

/// Reads everything back, decoded and checked.
fn replay(dir: &Path) {
    let begun = Instant::now();
    let log = open(dir, placet_log::NoProjections);
    let opened = begun.elapsed();
    let view = log.read().unwrap();
    let events = u32::try_from(view.head().size).unwrap();
    let begun = Instant::now();
    assert!(view.events(Position::START).all(|event| event.is_ok()));
    let read = f64::from(events) / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    view.verify().unwrap();
    let verified = f64::from(events) / begun.elapsed().as_secs_f64();
    println!("{events} events: opened in {:.1} ms", opened.as_secs_f64() * 1e3);
    println!("replayed at {read:.0} per s, verified in full at {verified:.0} per s");
}

struct Figures {
    per_second: f64,
    millis: Vec<f64>,
}

impl Figures {
    fn new(mut millis: Vec<f64>, elapsed: Duration) -> Self {
        millis.sort_by(f64::total_cmp);
        Self { per_second: count(millis.len()) / elapsed.as_secs_f64(), millis }
    }

    fn percentile(&self, percent: usize) -> f64 {
        let at = (self.millis.len() * percent / 100).min(self.millis.len().saturating_sub(1));
        self.millis.get(at).copied().unwrap_or(0.0)
    }

    fn print(&self, writers: usize, what: &str, yardsticks: Option<(&Self, &Self)>) {
        let ratios = yardsticks.map_or_else(String::new, |(raw, bare)| {
            let (raw, bare) = (raw.per_second, bare.per_second);
            format!("{:>9.2}{:>9.2}", self.per_second / raw, self.per_second / bare)
        });
        let (p50, p99) = (self.percentile(50), self.percentile(99));
        println!("{writers:>7}  {what:<24}{:>7.0}{p50:>9.2}{p99:>9.2}{ratios}", self.per_second);
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// Runs `writer` on many threads until the time is over; each call is one unit of work.
fn measure(writers: usize, time: Duration, work: impl Fn(usize) + Sync) -> Figures {
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let millis = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                let (stop, work) = (&stop, &work);
                scope.spawn(move || {
                    let mut millis = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        work(writer);
                        millis.push(start.elapsed().as_secs_f64() * 1e3);
                    }
                    millis
                })
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Figures::new(millis, begun.elapsed())
}

type Waiting = Sender<()>;

/// Group commit around `commit`, as the log's writer does it: all that wait, then one sync.
fn drive(writers: usize, time: Duration, mut commit: impl FnMut(usize) + Send) -> Figures {
    let (queue, waiting): (Sender<Waiting>, Receiver<Waiting>) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(first) = waiting.recv() {
                let mut batch = vec![first];
                batch.extend(waiting.try_iter().take(BATCH_MAX - 1));
                commit(batch.len());
                for done in batch {
                    done.send(()).unwrap();
                }
            }
        });
        let figures = measure(writers, time, |_| {
            let (done, wait) = channel();
            queue.send(done).unwrap();
            wait.recv().unwrap();
        });
        drop(queue);
        figures
    })
}

fn raw_file(path: &Path) -> impl FnMut(usize) + Send {
    let mut file = std::fs::File::create(path).unwrap();
    move |events| {
        file.write_all(&vec![7; events * ROW]).unwrap();
        file.sync_data().unwrap();
    }
}

fn bare_redb(path: &Path) -> impl FnMut(usize) + Send {
    const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    const INDEX: TableDefinition<'_, (u64, u64), u64> = TableDefinition::new("index");
    if path.exists() {
        std::fs::remove_file(path).unwrap();
    }
    let db = Database::create(path).unwrap();
    let mut position = 0;
    move |events| {
        let mut tx = db.begin_write().unwrap();
        tx.set_quick_repair(true);
        {
            let mut rows = tx.open_table(ROWS).unwrap();
            let mut index = tx.open_table(INDEX).unwrap();
            for _ in 0..events {
                rows.insert(position, [7; ROW].as_slice()).unwrap();
                index.insert((position / 8, position), position).unwrap();
                position += 1;
            }
        }
        tx.commit().unwrap();
    }
}

/// Ids in the order of time, as UUIDs of version 7 are.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next_id() -> [u8; 16] {
    (u128::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 64).to_be_bytes()
}

fn open(dir: &Path, projector: impl Projector + 'static) -> Log {
    let options = OpenOptions::new(dir, "bench")
        .keys(KeyPlace::Given(ProjectKey::from_bytes([1; 32])))
        .projector(projector);
    Log::open(options).unwrap()
}

/// An event whose row takes [`ROW`] bytes.
fn wide_event() -> NewEvent {
    let body = OperationRegistered {
        operation: "o".repeat(230),
        digest: Digest::of(b"operation"),
        document: PayloadRef::new(Revision::new(1), 0),
    };
    NewEvent::new(EventId::from_bytes(next_id()), Actor::Engine, body)
}

fn append_one(writers: usize, time: Duration, dir: &Path) -> Figures {
    let log = open(dir, placet_log::NoProjections);
    measure(writers, time, |_| {
        let stream = StreamId::Run(RunId::from_bytes(next_id()));
        log.append(NOW, Append::new(stream, Expected::NoStream, vec![wide_event()]))
            .wait()
            .unwrap();
    })
}

/// One row per run, written with every commit, as the runs projection does.
struct RunRows;

impl Projector for RunRows {
    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        const RUNS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("proj_runs_v1");
        let mut runs = tx.open_table(RUNS)?;
        for event in events {
            runs.insert(event.stream.to_string().as_bytes(), [5; 150].as_slice())?;
        }
        Ok(())
    }
}

/// The four durable points of a three-step run: 11 events, 5 payloads.
fn w1(writers: usize, time: Duration, dir: &Path) -> Figures {
    let log = open(dir, RunRows);
    let event = |payloads: usize| {
        let integration = Some(IntegrationId::from_bytes([4; 16]));
        let id = EventId::from_bytes(next_id());
        let mut event = NewEvent::new(id, Actor::Engine, OutboundPaused { integration });
        event.causation = Some(id);
        event.correlation = Some(id);
        (0..payloads).fold(event, |event, _| event.with_payload(vec![7; 60]))
    };
    measure(writers, time, |_| {
        let stream = StreamId::Run(RunId::from_bytes(next_id()));
        let mut revision = Revision::START;
        for payloads in [&[2, 0][..], &[1, 0, 0], &[1, 0, 0], &[1, 0, 0]] {
            let events: Vec<_> = payloads.iter().map(|count| event(*count)).collect();
            let append = Append::new(stream.clone(), Expected::Exact(revision), events);
            revision = log.append(NOW, append).wait().unwrap().revision();
        }
    })
}
