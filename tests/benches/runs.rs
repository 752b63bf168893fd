//! Three-step runs (W1): three ungated reads on a transport that answers at once, each a durable
//! step, at 1, 16 and 128 at a time. Prints runs/s, p50 and p99, CPU per run, bytes on disk per run,
//! and the ratio to the disk's own limit (raw append and fdatasync), measured in the same run.
//!
//! `cargo bench --bench runs [-- SECONDS]`. Nothing is asserted about time.

use placet_adapters::{Adapters, Call, Performing, Response, Transport};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Engine, Handle, Notice, Parts, Start, Transports};
use placet_language::{Environment, Source};
use placet_log::{KeyPlace, Log, OpenOptions, ProjectKey};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::project::ProjectConfig;
use placet_model::{Digest, Principal, RunId};
use placet_projections::Projections;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

const WORKFLOW: &str =
    "document: { dsl: '1.0.3', namespace: bench, name: three-reads, version: '1.0.0' }
do:
  - first: { call: slack.auth.test }
  - second: { call: slack.auth.test }
  - third: { call: slack.auth.test }
";

type Failure = Box<dyn std::error::Error>;

/// Answers every read at once with the same small body.
#[derive(Debug)]
struct AtOnce(Response);

impl Transport for AtOnce {
    fn perform(&self, _call: Call) -> Performing<'_> {
        let answer = self.0.clone();
        Box::pin(async move { Ok(answer) })
    }
}

fn main() -> Result<(), Failure> {
    let seconds = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(3);
    let each = Duration::from_secs(seconds);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    for at_once in [1, 16, 128] {
        let dir = tempfile::tempdir()?;
        let syncs = disk_syncs(dir.path(), Duration::from_millis(500))?;
        runtime.block_on(measure(dir.path(), at_once, (each, syncs)))?;
    }
    Ok(())
}

/// Raw append and fdatasync of 4 KiB, per second.
fn disk_syncs(dir: &Path, time: Duration) -> Result<f64, Failure> {
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

async fn measure(
    dir: &Path,
    at_once: usize,
    (time, syncs): (Duration, f64),
) -> Result<(), Failure> {
    let data = dir.join("data");
    let engine = open(&data).await?;
    let handle = engine.handle().clone();
    let plan = deploy(&handle).await?;
    let ends = Arc::new(Mutex::new(HashMap::<RunId, oneshot::Sender<()>>::new()));
    let listener = tokio::spawn(listen(handle.notices(), Arc::clone(&ends)));
    let (cpu, begin) = (cpu_seconds()?, Instant::now());
    let workers: Vec<_> = (0..at_once)
        .map(|_| tokio::spawn(work(handle.clone(), plan, Arc::clone(&ends), begin + time)))
        .collect();
    let mut latencies = vec![];
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    listener.abort();
    engine.stop().await?;
    latencies.sort_by(f64::total_cmp);
    if latencies.is_empty() {
        return Err("no run ended in the time given".into());
    }
    let runs = f64::from(u32::try_from(latencies.len())?);
    let blocks =
        f64::from(u32::try_from(std::fs::metadata(data.join("log.redb"))?.blocks())?) * 512.0;
    let at = |per_mille: usize| latencies[(latencies.len() - 1) * per_mille / 1000];
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "W1 {at_once:>3} at once: {:>7.0} runs/s  p50 {:>6.2} ms  p99 {:>6.2} ms  {:>5.0} us cpu/run  {:>5.0} B/run  {:.2} runs per raw sync ({syncs:.0} syncs/s)",
        runs / elapsed,
        at(500),
        at(990),
        cpu * 1e6 / runs,
        blocks / runs,
        runs / elapsed / syncs,
    )?;
    Ok(())
}

async fn work(
    handle: Handle,
    plan: Digest,
    ends: Arc<Mutex<HashMap<RunId, oneshot::Sender<()>>>>,
    until: Instant,
) -> Result<Vec<f64>, placet_executor::Error> {
    let mut latencies = vec![];
    while Instant::now() < until {
        let begin = Instant::now();
        let requester = principal("author");
        let start = Start { plan, input: json!({}), requester, mode: Mode::Live, seed: 0 };
        let run = handle.start(start).await?;
        let (end, ended) = oneshot::channel();
        ends.lock().expect("no listener panics").insert(run, end);
        let over = handle.run_row(run)?.is_some_and(|row| row.output.is_some());
        if !over {
            let _listener_is_gone = ended.await;
        }
        latencies.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

async fn listen(
    mut notices: tokio::sync::broadcast::Receiver<Notice>,
    ends: Arc<Mutex<HashMap<RunId, oneshot::Sender<()>>>>,
) {
    while let Ok(notice) = notices.recv().await {
        if let Notice::Finished { run } = notice
            && let Some(end) = ends.lock().expect("no worker panics").remove(&run)
        {
            let _nobody_waits = end.send(());
        }
    }
}

async fn open(data: &Path) -> Result<Engine, Failure> {
    let log = Log::open(
        OpenOptions::new(data, "bench")
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
            .projector(Projections::new()),
    )?;
    let body = json!({"ok": true, "url": "https://x.slack.com/", "team": "T", "user": "u", "team_id": "T1", "user_id": "U1", "bot_id": "B1"});
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let answer = AtOnce(Response::new(200, headers, serde_json::to_vec(&body)?));
    let parts = Parts {
        log,
        config: ProjectConfig { project: "bench".to_owned(), ..ProjectConfig::default() },
        adapters: Arc::new(Adapters::shipped()),
        transports: Transports { sandbox: None, live: Some(Arc::new(answer)) },
        clock: Clock::System,
        mode: Mode::Live,
    };
    Ok(Engine::start(parts).await?)
}

async fn deploy(handle: &Handle) -> Result<Digest, Failure> {
    let author = principal("author");
    let roles = [Role::Author, Role::Operator, Role::Admin].into_iter().collect();
    let mut policy = Policy::default();
    policy.principals.insert(author.clone(), PrincipalInfo { kind: PrincipalKind::User, roles });
    handle.apply_policy(&author, policy).await?;
    let connect = Connect {
        name: "slack".to_owned(),
        provider: "slack".to_owned(),
        settings: Value::Null,
        identity: Identity { id: "B1".to_owned(), tenant: "T1".to_owned() },
        label: "bench".to_owned(),
        is_default: true,
        credential: None,
    };
    handle.connect(&author, handle.integration_id("slack"), connect).await?;
    let catalogue = handle.adapters().catalogue();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        policy: None,
        schemas: handle.adapters().registry(),
    };
    let checked = placet_language::check(&Source::new("bench.yaml", WORKFLOW), &environment);
    let plan = checked.plan.ok_or("the benchmark's workflow does not check")?;
    Ok(handle.deploy(&author, plan, WORKFLOW).await?)
}

fn principal(name: &str) -> Principal {
    name.parse().expect("a literal name is well formed")
}

/// User and system time of this process so far.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields.get(11).zip(fields.get(12)).map_or(Ok(0.0), |(user, system)| {
        Ok::<f64, std::num::ParseFloatError>(user.parse::<f64>()? + system.parse::<f64>()?)
    })?;
    Ok(ticks / 100.0)
}
