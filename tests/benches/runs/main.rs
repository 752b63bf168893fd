//! The whole engine in this process, beside what the disk and redb alone reach in the same run.
//!
//! `cargo bench --bench runs [-- SECONDS] [--parked N] [--only w1|parked]`
//!
//! * **W1**: three ungated reads on a transport that answers at once, each a durable step, at 1, 16
//!   and 128 at a time. Runs/s, p50, p99, CPU per step, bytes per run, fdatasyncs per run.
//! * **W2**: N runs (10,000) park on an approval: how long it takes, bytes of memory and disk each,
//!   what they cost when idle; then 1,000 are approved by 64 callers, 200 one by one.
//! * **W3**: the engine is opened again over what is still parked, until one of them has ended.
//!
//! The ceiling is redb alone: four durable points of two rows of 256 bytes with an ordered index, as
//! a run has them. Ratios carry over to other machines, absolute figures do not; nothing is asserted.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod ceiling;
mod engine;
mod figures;
mod parked;
mod w1;

use std::time::Duration;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// What is measured and how long.
#[derive(Debug, Clone)]
struct Plan {
    each: Duration,
    parked: usize,
    only: Option<String>,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan = Self { each: Duration::from_secs(3), parked: 10_000, only: None };
        let mut given = std::env::args().skip(1);
        while let Some(arg) = given.next() {
            match arg.as_str() {
                // what cargo itself passes
                "--bench" => {}
                "--parked" => plan.parked = given.next().ok_or("--parked N")?.parse()?,
                "--only" => plan.only = Some(given.next().ok_or("--only w1|parked")?),
                seconds => plan.each = Duration::from_secs_f64(seconds.parse()?),
            }
        }
        Ok(plan)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if plan.wants("w1") {
        for at_once in [1, 16, 128] {
            let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
            let syncs = ceiling::raw_syncs(dir.path(), Duration::from_millis(500))?;
            let ceiling = ceiling::redb(dir.path(), at_once, plan.each)?;
            let ours = runtime.block_on(w1::measure(dir.path(), at_once, plan.each))?;
            let synced = runtime.block_on(w1::syncs_per_run(dir.path(), at_once))?;
            println!("raw append + fdatasync {syncs:.0}/s");
            ceiling.print(&format!("redb alone, {at_once} at once"), None);
            ours.print(&format!("W1, {at_once} at once"), Some(&ceiling));
            println!("  {synced:.2} fdatasyncs per run, the key file's included\n");
        }
    }
    if plan.wants("parked") {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        runtime.block_on(parked::measure(dir.path(), plan.parked))?;
    }
    Ok(())
}
