//! Long runs: a workflow of 200 tasks, one of them a loop of ever more iterations, up to 10,000.
//! Prints time and bytes in the log for each task execution, and the most memory the process has
//! held: where a run costs what its steps cost, the first two stay level and the last grows no
//! faster than the steps.
//!
//! `cargo bench --bench steps [-- ITERATIONS…]`. Nothing is asserted about time.

use placet_adapters::Adapters;
use placet_executor::{Clock, Engine, Handle, Notice, Parts, Start, Transports};
use placet_language::{Environment, Source};
use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::draft::Mode;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::{Limits, ProjectConfig};
use placet_model::{Digest, Principal};
use placet_projections::{Projections, RunStatus};
use placet_sandbox::Sandbox;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Tasks of the workflow, the loop and its body included.
const TASKS: usize = 200;
const ITERATIONS: [u32; 4] = [1_000, 2_500, 5_000, 10_000];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let given: Vec<u32> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let iterations = if given.is_empty() { ITERATIONS.to_vec() } else { given };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // the first run warms up what later ones find warm
    runtime.block_on(measure(100))?;
    for count in iterations {
        let figures = runtime.block_on(measure(count))?;
        writeln!(std::io::stdout().lock(), "{figures}")?;
    }
    Ok(())
}

/// 198 tasks one after the other, with a loop among them whose body is one task.
fn workflow() -> Result<String, Failure> {
    let mut text =
        "document: { dsl: '1.0.3', namespace: bench, name: steps, version: '1.0.0' }\ndo:\n"
            .to_owned();
    for task in 0..TASKS - 2 {
        if task == TASKS / 2 {
            text.push_str("  - each: { for: { each: n, in: '$workflow.input.items' }, do: [ { add: { set: { sum: '${ (.sum // 0) + $n }' } } } ] }\n");
        }
        writeln!(text, "  - t{task}: {{ set: {{ sum: '${{ (.sum // 0) + 1 }}' }} }}")?;
    }
    Ok(text)
}

async fn measure(iterations: u32) -> Result<String, Failure> {
    let dir = tempfile::tempdir()?;
    let engine = open(dir.path()).await?;
    let handle = engine.handle().clone();
    let plan = deploy(&handle).await?;
    let empty = blocks(dir.path())?;
    let mut notices = handle.notices();
    let input = json!({ "items": (0..iterations).collect::<Vec<u32>>() });
    let (requester, mode) = (principal("author"), Mode::Sandbox);
    let begin = Instant::now();
    let run = handle.start(Start { plan, input, requester, mode, seed: 0 }).await?;
    let row = loop {
        let row = handle.run_row(run)?.ok_or("the run is lost")?;
        if matches!(row.status, RunStatus::Completed | RunStatus::Faulted) {
            break row;
        }
        while !matches!(notices.recv().await, Ok(Notice::Finished { .. }) | Err(_)) {}
    };
    let took = begin.elapsed().as_secs_f64();
    if row.status != RunStatus::Completed {
        return Err(format!("{:?}", row.fault).into());
    }
    let begin = Instant::now();
    let report = handle.report(run)?;
    let read = begin.elapsed().as_secs_f64();
    let steps = f64::from(iterations) + f64::from(u32::try_from(TASKS)?) - 1.0;
    let bytes = blocks(dir.path())? - empty;
    let entries = report["trace"].as_array().map_or(0, Vec::len);
    drop(handle);
    engine.stop().await?;
    Ok(format!(
        "{iterations:>6} iterations, {entries:>6} task executions: {:>6.1} us and {:>5.0} B each, report {:>4.1} us each, most memory {:>4} MiB",
        took * 1e6 / steps,
        bytes / steps,
        read * 1e6 / steps,
        peak_kib()? / 1024,
    ))
}

async fn open(data: &Path) -> Result<Engine, Failure> {
    let log = Log::open(
        OpenOptions::new(data, "bench")
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
            .projector(Projections::new()),
    )?;
    let limits = Limits {
        steps_max: 1_000_000,
        iterations_max: 1_000_000,
        history_events_max: 10_000_000,
        ..Limits::default()
    };
    let parts = Parts {
        log,
        config: ProjectConfig { project: "bench".to_owned(), limits, ..ProjectConfig::default() },
        adapters: Arc::new(Adapters::shipped()),
        transports: Transports { sandbox: Some(Arc::new(Sandbox::new(0))), live: None },
        clock: Clock::System,
        mode: Mode::Sandbox,
    };
    Ok(Engine::start(parts).await?)
}

async fn deploy(handle: &Handle) -> Result<Digest, Failure> {
    let author = principal("author");
    let roles = [Role::Author, Role::Admin].into_iter().collect();
    let mut policy = Policy::default();
    policy.principals.insert(author.clone(), PrincipalInfo { kind: PrincipalKind::User, roles });
    handle.apply_policy(&author, policy).await?;
    let catalogue = handle.adapters().catalogue();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: handle.adapters().registry(),
    };
    let text = workflow()?;
    let checked = placet_language::check(&Source::new("bench.yaml", &text), &environment);
    let plan = checked.plan.ok_or_else(|| format!("{:?}", checked.diagnostics))?;
    Ok(handle.deploy(&author, plan, &text).await?)
}

fn principal(name: &str) -> Principal {
    name.parse().expect("a literal name is well formed")
}

/// Bytes of the log that are in blocks of the disk.
fn blocks(data: &Path) -> Result<f64, Failure> {
    Ok(f64::from(u32::try_from(std::fs::metadata(data.join("log.redb"))?.blocks())?) * 512.0)
}

/// The most memory that this process has held, in KiB.
fn peak_kib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.ok_or("the kernel does not tell")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
