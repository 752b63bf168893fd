//! What projections cost, beside the same log without them, measured in the same run.
//!
//! `cargo bench -p placet-projections [-- SECONDS]`. W1 is a run of three ungated reads: 14 events
//! in four commits. Then 10,000 runs are parked on a decision, and what a restart and an inbox ask
//! is timed. Ratios carry over to other machines, absolute figures do not. Nothing here fails on a
//! slow machine.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use placet_log::{
    Append, BoxError, Expected, KeyPlace, Log, NewEvent, NoProjections, OpenOptions, ProjectKey,
    Projector, ReadView,
};
use placet_model::decision::Verdict;
use placet_model::{Actor, Event, EventId, RecordedEvent, Revision, RunId, StreamId, Timestamp};
use placet_projections::{Projections, Views, compare, rebuild};
use redb::WriteTransaction;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

#[path = "../tests/it/make.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod make;
mod support {
    //! The clock of the shared event makers.
    use placet_model::Timestamp;

    pub(crate) const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + seconds * 1000)
    }
}
use make::{
    asking, attempt, begun, completed, decision, run_completed, started, succeeded, task, tried,
    vote,
};
use support::at;

const PARKED: u64 = 10_000;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(2.0);
    let time = Duration::from_secs_f64(seconds);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("at once  W1 without /s  with /s  ratio  µs in apply per run  bytes more per run");
    for writers in [1, 16, 128] {
        let without = dir.path().join(format!("without{writers}"));
        let with = dir.path().join(format!("with{writers}"));
        let (runs, base) = w1(writers, time, &open(&without, NoProjections));
        let base_bytes = blocks(&without) / runs;
        let spent = Arc::new(AtomicU64::new(0));
        let timed = Timed(Projections::new(), Arc::clone(&spent));
        let (runs, full) = w1(writers, time, &open(&with, timed));
        let micros = spent.load(Ordering::Relaxed) / runs / 1000;
        let more = (blocks(&with) / runs).saturating_sub(base_bytes);
        println!("{writers:7}  {base:13.0}  {full:7.0}  {:5.2}  {micros:19}  {more}", full / base);
    }
    parked(&dir.path().join("parked"));
}

/// Projections, and the nanoseconds spent in them.
struct Timed(Projections, Arc<AtomicU64>);

impl Projector for Timed {
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        self.0.prepare(tx, view)
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        let begun = Instant::now();
        let applied = self.0.apply(tx, events);
        let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap();
        self.1.fetch_add(nanos, Ordering::Relaxed);
        applied
    }
}

fn open(dir: &Path, projector: impl Projector + 'static) -> Log {
    let key = KeyPlace::Given(ProjectKey::from_bytes([7; 32]));
    Log::open(OpenOptions::new(dir, "bench").keys(key).projector(projector)).unwrap()
}

fn blocks(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("log.redb")).unwrap().blocks() * 512
}

/// Ids in order, as the engine mints them.
fn next_id() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn append(log: &Log, run: RunId, after: Revision, events: Vec<Event>) -> Revision {
    let new = |event: Event| {
        NewEvent::new(EventId::from_bytes(next_id().to_be_bytes()), Actor::Engine, event)
    };
    let events = events.into_iter().map(new).collect();
    let append = Append::new(StreamId::Run(run), Expected::Exact(after), events);
    log.append(at(0), append).wait().unwrap().revision()
}

/// Runs per second over `time`, with so many at once.
fn w1(writers: usize, time: Duration, log: &Log) -> (u64, f64) {
    let done = AtomicU64::new(0);
    let start = Barrier::new(writers);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(|| {
                start.wait();
                while begun.elapsed() < time {
                    one_run(log);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let runs = done.load(Ordering::Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let rate = runs as f64 / begun.elapsed().as_secs_f64();
    (runs, rate)
}

fn one_run(log: &Log) {
    let run = RunId::from_bytes(next_id().to_be_bytes());
    let tasks = ["first", "second", "third"].map(task);
    let ids = [(); 3].map(|()| attempt(next_id()));
    let begin = |n: usize| [begun(&tasks[n]), tried(ids[n], 1, None)];
    let finish = |n: usize| [succeeded(ids[n], 1), completed(&tasks[n])];
    let commits = [
        [started()].into_iter().chain(begin(0)).collect(),
        finish(0).into_iter().chain(begin(1)).collect(),
        finish(1).into_iter().chain(begin(2)).collect(),
        finish(2).into_iter().chain([run_completed()]).collect(),
    ];
    commits.into_iter().fold(Revision::START, |after, events| append(log, run, after, events));
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{what}: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3);
    result
}

fn parked(dir: &Path) {
    let log = open(dir, Projections::new());
    timed("park 10,000 runs with 64 at once", || {
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..PARKED / 64 {
                        let n = next_id();
                        append(
                            &log,
                            RunId::from_bytes(n.to_be_bytes()),
                            Revision::START,
                            asking(decision(n)),
                        );
                    }
                });
            }
        });
    });
    println!("bytes per parked run: {}", blocks(dir) / PARKED);
    drop(log);
    let log = timed("open again", || open(dir, Projections::new()));
    let view = log.read().unwrap();
    timed("what a restart looks at", || {
        let views = Views::new(&view).unwrap();
        assert_eq!(views.ready().unwrap().len() + views.in_flight().unwrap().len(), 0);
        assert_eq!(views.in_doubt().unwrap().len() + views.approved().unwrap().len(), 0);
        assert!(views.due(Timestamp::EPOCH, 9).unwrap().is_empty());
        assert!(views.next_due().unwrap().is_some());
    });
    let first = timed("first page of 50", || Views::new(&view).unwrap().open(None, 50).unwrap());
    let last =
        timed("all of the inbox", || Views::new(&view).unwrap().open(None, usize::MAX).unwrap());
    let from = last[last.len() - 51].decision;
    timed("last page of 50", || Views::new(&view).unwrap().open(Some(from), 50).unwrap());
    timed("replay and compare", || compare(&view).unwrap());
    drop(view);
    timed("rebuild", || rebuild(&log, |_progress| ControlFlow::Continue(())).unwrap());
    let row = &first[0];
    timed("one vote", || {
        append(&log, row.run, row.revision, vec![vote(row.decision, "ana", Verdict::Approve, None)])
    });
}
