//! What the disk alone, and redb alone, reach: the yardsticks.

use super::Failure;
use super::figures::{Figures, cpu_seconds};
use redb::{Database, TableDefinition};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const ROWS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
const INDEX: TableDefinition<'_, (u64, u64), u64> = TableDefinition::new("index");
/// Durable points of a run, rows at each, and bytes of a row.
const POINTS: u64 = 4;
const ROWS_EACH: u64 = 2;
const ROW: usize = 256;
const BATCH_MAX: usize = 512;

/// Raw append and fdatasync of 4 KiB, per second.
pub(crate) fn raw_syncs(dir: &Path, time: Duration) -> Result<f64, Failure> {
    let mut file = std::fs::File::create(dir.join("yardstick"))?;
    let (page, start) = ([7u8; 4096], Instant::now());
    let mut count = 0.0;
    while start.elapsed() < time {
        file.write_all(&page)?;
        file.sync_data()?;
        count += 1.0;
    }
    Ok(count / start.elapsed().as_secs_f64())
}

/// One durable point of a run, and who waits for it.
type Point = (u64, u64, Sender<()>);

/// Runs of nothing but their durable points, in group commits with quick repair.
pub(crate) fn redb(dir: &Path, at_once: usize, time: Duration) -> Result<Figures, Failure> {
    let database = Database::create(dir.join("ceiling.redb"))?;
    let (queue, points): (Sender<Point>, Receiver<Point>) = channel();
    let (cpu, begin) = (cpu_seconds()?, Instant::now());
    let runs = AtomicU64::new(0);
    let latencies = std::thread::scope(|scope| {
        let writer = scope.spawn(move || write(&database, &points));
        let drivers: Vec<_> = (0..at_once)
            .map(|_| {
                let (queue, runs) = (queue.clone(), &runs);
                scope.spawn(move || drive(&queue, runs, begin + time))
            })
            .collect();
        drop(queue);
        let latencies: Vec<f64> =
            drivers.into_iter().flat_map(|driver| driver.join().expect("no panic")).collect();
        writer.join().expect("no panic").map(|()| latencies)
    });
    let latencies = latencies.map_err(|error| error.to_string())?;
    Figures::new(latencies, begin.elapsed(), cpu_seconds()? - cpu)
}

fn drive(queue: &Sender<Point>, runs: &AtomicU64, until: Instant) -> Vec<f64> {
    let mut latencies = vec![];
    while Instant::now() < until {
        let (begin, run) = (Instant::now(), runs.fetch_add(1, Ordering::Relaxed));
        for point in 0..POINTS {
            let (done, wait) = channel();
            queue.send((run, point, done)).expect("the writer outlives its callers");
            if wait.recv().is_err() {
                return latencies;
            }
        }
        latencies.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    latencies
}

/// All points that wait, then one commit.
fn write(database: &Database, points: &Receiver<Point>) -> Result<(), redb::Error> {
    let mut position = 0;
    while let Ok(first) = points.recv() {
        let mut batch = vec![first];
        batch.extend(points.try_iter().take(BATCH_MAX - 1));
        let mut tx = database.begin_write()?;
        tx.set_quick_repair(true);
        {
            let mut rows = tx.open_table(ROWS)?;
            let mut index = tx.open_table(INDEX)?;
            for (run, point, _) in &batch {
                for row in 0..ROWS_EACH {
                    position += 1;
                    rows.insert(position, [7u8; ROW].as_slice())?;
                    index.insert((*run, point * ROWS_EACH + row), position)?;
                }
            }
        }
        tx.commit()?;
        for (_, _, done) in batch {
            let _it_gave_up = done.send(());
        }
    }
    Ok(())
}
