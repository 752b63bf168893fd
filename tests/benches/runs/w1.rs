//! W1: three durable steps, each a read that is answered at once.

use super::Failure;
use super::engine::{Bench, Ends, start};
use super::figures::{Figures, blocks, count, cpu_seconds};
use placet_executor::Handle;
use placet_log::Storage;
use placet_model::Digest;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WORKFLOW: &str =
    "document: { dsl: '1.0.3', namespace: bench, name: three-reads, version: '1.0.0' }
do:
  - first: { call: slack.auth.test }
  - second: { call: slack.auth.test }
  - third: { call: slack.auth.test }
";
/// Runs of the count of syncs, for each that is at once.
const COUNTED: usize = 40;

/// As many runs at once as said, one after the other, for a time.
pub(crate) async fn measure(
    dir: &Path,
    at_once: usize,
    time: Duration,
) -> Result<Figures, Failure> {
    let data = dir.join("data");
    let bench = Bench::open(&data).await?;
    let plan = bench.deploy(WORKFLOW).await?;
    let (cpu, begin) = (cpu_seconds()?, Instant::now());
    let before = blocks(&data.join("log.redb"))?;
    let goal = Goal { until: Some(begin + time), left: AtomicUsize::new(usize::MAX) };
    let latencies = drive(&bench, plan, (at_once, goal)).await?;
    let (elapsed, cpu) = (begin.elapsed(), cpu_seconds()? - cpu);
    bench.stop().await?;
    let runs = count(latencies.len());
    let mut figures = Figures::new(latencies, elapsed, cpu)?;
    figures.bytes = Some((blocks(&data.join("log.redb"))? - before) / runs);
    Ok(figures)
}

/// fdatasyncs of log, journal and key file per run, counted where redb asks for them.
pub(crate) async fn syncs_per_run(dir: &Path, at_once: usize) -> Result<f64, Failure> {
    let syncs = Arc::new(AtomicU64::new(0));
    let backend = |name: &str| -> Result<Box<dyn StorageBackend>, Failure> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(dir.join(name))?;
        Ok(Box::new(Counting { file: FileBackend::new(file)?, syncs: Arc::clone(&syncs) }))
    };
    let storage = Storage::Backends {
        log: backend("c-log.redb")?,
        keys: backend("c-keys.redb")?,
        journal: backend("c-journal")?,
    };
    let bench = Bench::on(storage).await?;
    let plan = bench.deploy(WORKFLOW).await?;
    let before = syncs.load(Ordering::Relaxed);
    let goal = Goal { until: None, left: AtomicUsize::new(COUNTED * at_once) };
    let runs = drive(&bench, plan, (at_once, goal)).await?.len();
    let after = syncs.load(Ordering::Relaxed);
    bench.stop().await?;
    Ok(f64::from(u32::try_from(after - before)?) / count(runs))
}

/// When to end: at a time, or after so many runs.
#[derive(Debug)]
struct Goal {
    until: Option<Instant>,
    left: AtomicUsize,
}

impl Goal {
    fn is_reached(&self) -> bool {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return true;
        }
        let one_less = |left: usize| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err()
    }
}

async fn drive(
    bench: &Bench,
    plan: Digest,
    (at_once, goal): (usize, Goal),
) -> Result<Vec<f64>, Failure> {
    let goal = Arc::new(goal);
    let workers: Vec<_> = (0..at_once)
        .map(|_| {
            let worker = work(bench.handle.clone(), (plan, bench.ends()), Arc::clone(&goal));
            tokio::spawn(async move { worker.await.map_err(|error| error.to_string()) })
        })
        .collect();
    let mut latencies = vec![];
    for worker in workers {
        latencies.extend(worker.await??);
    }
    Ok(latencies)
}

async fn work(
    handle: Handle,
    (plan, ends): (Digest, Ends),
    goal: Arc<Goal>,
) -> Result<Vec<f64>, Failure> {
    let mut latencies = vec![];
    while !goal.is_reached() {
        let begin = Instant::now();
        let run = start(&handle, plan).await?;
        ends.of(&handle, run).await?;
        latencies.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

/// A file that counts how often it is synced.
#[derive(Debug)]
struct Counting {
    file: FileBackend,
    syncs: Arc<AtomicU64>,
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
