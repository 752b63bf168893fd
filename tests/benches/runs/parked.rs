//! W2 and W3: runs that wait for an approval, what they cost, and how soon they go on.

use super::Failure;
use super::engine::{Bench, Ends, principal, start};
use super::figures::{Figures, blocks, count, cpu_seconds, resident};
use placet_executor::{Handle, Vote};
use placet_model::decision::{Assurance, Ballot, Verdict, Voter};
use placet_model::{DecisionId, Digest, RunId};
use placet_projections::Views;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const WORKFLOW: &str =
    "document: { dsl: '1.0.3', namespace: bench, name: parked, version: '1.0.0' }
do:
  - draft: { set: { text: 'Hello' } }
  - notify: { call: slack.chat.postMessage, with: { channel: C0SALES, text: '${ .text }' } }
";
/// Callers at once.
const CALLERS: usize = 64;
const RESUMED: usize = 1000;
const ONE_BY_ONE: usize = 1000;
const IDLE: Duration = Duration::from_secs(5);

/// A request that waits, with what a vote binds.
type Waiting = (RunId, DecisionId, Digest);

pub(crate) async fn measure(dir: &Path, parked: usize) -> Result<(), Failure> {
    let data = dir.join("data");
    let bench = Bench::open(&data).await?;
    let plan = bench.deploy(WORKFLOW).await?;
    let (memory, disk) = (resident()?, on_disk(&data)?);
    let (begin, cpu) = (Instant::now(), cpu_seconds()?);
    park(&bench.handle, plan, parked).await?;
    until_parked(&bench.handle, parked).await?;
    let (took, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    // before the list of all, which is the benchmark's own
    let resident_now = resident()?;
    let each = |bytes: f64| bytes / count(parked);
    println!(
        "W2, {parked} parked by {CALLERS} callers in {took:.2} s, {:.0} us cpu each: {:.0} B of memory and {:.0} B of disk each, payloads included; {:.0} MB resident in all",
        cpu * 1e6 / count(parked),
        each(resident_now - memory),
        each(on_disk(&data)? - disk),
        resident_now / 1e6,
    );
    let mut waiting = VecDeque::from(all_waiting(&bench.handle)?);
    let cpu = cpu_seconds()?;
    tokio::time::sleep(IDLE).await;
    let idle = (cpu_seconds()? - cpu) / IDLE.as_secs_f64() * 100.0;
    println!("W2, idle: {idle:.1} % of a core");
    let some = |waiting: &mut VecDeque<Waiting>, count: usize| {
        let most = count.min(waiting.len() / 2);
        waiting.drain(..most).collect::<Vec<_>>()
    };
    resume(&bench, some(&mut waiting, RESUMED), CALLERS)
        .await?
        .print(&format!("W2, resume, {CALLERS} callers"), None);
    resume(&bench, some(&mut waiting, ONE_BY_ONE), 1).await?.print("W2, resume, one by one", None);
    bench.stop().await?;
    let next = waiting.pop_front().ok_or("nothing is left that is parked")?;
    restart(&data, next, waiting.len() + 1).await
}

/// W3: from opening the data to the end of one run that was parked in them.
async fn restart(data: &Path, next: Waiting, left: usize) -> Result<(), Failure> {
    let begin = Instant::now();
    let bench = Bench::open(data).await?;
    let ready = begin.elapsed().as_secs_f64() * 1e3;
    let ends = bench.ends();
    approve(&bench.handle, &ends, next).await?;
    let resumed = begin.elapsed().as_secs_f64() * 1e3;
    println!("W3, {left} parked: ready after {ready:.0} ms, first resumed after {resumed:.0} ms");
    bench.stop().await
}

async fn park(handle: &Handle, plan: Digest, parked: usize) -> Result<(), Failure> {
    let left = Arc::new(Mutex::new(parked));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (handle, left) = (handle.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                while one_of(&left) {
                    start(&handle, plan).await.map_err(|error| error.to_string())?;
                }
                Ok::<(), String>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

fn one_of(left: &Mutex<usize>) -> bool {
    let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// Looks page by page, so that the benchmark holds no list while the engine's memory is measured.
async fn until_parked(handle: &Handle, parked: usize) -> Result<(), Failure> {
    const PAGE: usize = 256;
    let (mut seen, mut after) = (0, None);
    loop {
        let rows = Views::new(&handle.view()?)?.open(after, PAGE)?;
        seen += rows.len();
        after = rows.last().map(|row| row.decision).or(after);
        match (seen >= parked, rows.len() == PAGE) {
            (true, _) => return Ok(()),
            (false, true) => {}
            // ids are in order of time, but those of two callers may become visible out of it
            (false, false) => {
                (seen, after) = (0, None);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn all_waiting(handle: &Handle) -> Result<Vec<Waiting>, Failure> {
    let rows = Views::new(&handle.view()?)?.open(None, usize::MAX)?;
    Ok(rows.into_iter().map(|row| (row.run, row.decision, row.digest)).collect())
}

async fn resume(bench: &Bench, waiting: Vec<Waiting>, callers: usize) -> Result<Figures, Failure> {
    let waiting = Arc::new(Mutex::new(waiting));
    let (cpu, begin) = (cpu_seconds()?, Instant::now());
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (handle, ends) = (bench.handle.clone(), bench.ends());
            let waiting = Arc::clone(&waiting);
            tokio::spawn(async move {
                let mut latencies = vec![];
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
                while let Some(next) = next() {
                    let begin = Instant::now();
                    approve(&handle, &ends, next).await.map_err(|error| error.to_string())?;
                    latencies.push(begin.elapsed().as_secs_f64() * 1e3);
                }
                Ok::<_, String>(latencies)
            })
        })
        .collect();
    let mut latencies = vec![];
    for caller in callers {
        latencies.extend(caller.await??);
    }
    Figures::new(latencies, begin.elapsed(), cpu_seconds()? - cpu)
}

/// Approves a request and waits until its run is over.
async fn approve(
    handle: &Handle,
    ends: &Ends,
    (run, decision, digest): Waiting,
) -> Result<(), Failure> {
    let vote = Vote {
        ballot: Ballot {
            decision,
            digest,
            verdict: Verdict::Approve,
            nonce: handle.nonce(),
            time: handle.now(),
            reason: None,
        },
        voter: Voter { principal: principal("approver"), assurance: Assurance::Test },
        request_id: None,
        signed: None,
    };
    handle.vote(vote).await?;
    ends.of(handle, run).await
}

/// Log and key file, in blocks.
fn on_disk(data: &Path) -> Result<f64, Failure> {
    Ok(blocks(&data.join("log.redb"))? + blocks(&data.join("keys.redb"))?)
}
