//! The engine as a process of its own, over HTTP and NATS: the workloads that peers are measured with.
//!
//! `cargo bench --bench wire [-- SECONDS] [--parked N] [--json]`
//!
//! * **W1**: three durable steps, each an HTTP read on loopback; a caller starts the run over HTTP
//!   and gets its result in the answer. At 1, 16 and 128 callers; at 128 again while every event goes
//!   to `JetStream`, whose server shares the two cores.
//! * **W2**: N runs (10,000) are started over HTTP and park on an approval; 1,000 are approved by 64
//!   callers over HTTP (each waits for the result of its run), 500 by 64 callers over NATS, 200 one by one.
//! * **W3**: the engine is killed (`kill -9`) and started again over the rest, until one has ended.
//!
//! `--json` prints one line a figure, with the field names of the peers' scripts. Caller, provider
//! and engine share the machine. Nothing is asserted.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod client;
mod inbox;
mod load;
mod server;
mod site;

use load::{Load, Report};
use serde_json::json;
use server::{Events, Served};
use site::Site;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Callers while runs are parked and resumed.
const CALLERS: usize = 64;
const RESUMED: usize = 1000;
const RESUMED_OVER_NATS: usize = 500;
const ONE_BY_ONE: usize = 200;

#[derive(Debug)]
struct Plan {
    each: Duration,
    parked: usize,
    json: bool,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan = Self { each: Duration::from_secs(3), parked: 10_000, json: false };
        let mut given = std::env::args().skip(1);
        while let Some(arg) = given.next() {
            match arg.as_str() {
                // what cargo itself passes
                "--bench" => {}
                "--json" => plan.json = true,
                "--parked" => plan.parked = given.next().ok_or("--parked N")?.parse()?,
                seconds => plan.each = Duration::from_secs_f64(seconds.parse()?),
            }
        }
        Ok(plan)
    }
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let site = runtime.block_on(Site::start())?;
    for (callers, events) in [
        (1, Events::StayInTheLog),
        (16, Events::StayInTheLog),
        (128, Events::StayInTheLog),
        (128, Events::ToNats),
    ] {
        w1(&runtime, &site, (&plan, callers, events))?;
    }
    parked(&runtime, &site, &plan)
}

fn w1(
    runtime: &tokio::runtime::Runtime,
    site: &Site,
    (plan, callers, events): (&Plan, usize, Events),
) -> Result<(), Failure> {
    let served = Served::start(site, events)?;
    let load = Load::new(&served, callers);
    runtime.block_on(load.run_for(Duration::from_millis(500)))?;
    let before = served.spent()?;
    let figures = runtime.block_on(load.run_for(plan.each))?;
    let spent = served.spent()?.since(&before);
    let bytes = spent.disk / figures.count();
    let what = match events {
        Events::StayInTheLog => "w1",
        Events::ToNats => "w1_nats",
    };
    let mut report = Report::new(what, &figures, plan.json);
    report.add("conc", json!(callers));
    report.add("workflows_s", json!(figures.per_second().round()));
    report.add("steps_s", json!((3.0 * figures.per_second()).round()));
    report.add("server_cpu_us_per_wf", json!((spent.cpu * 1e6 / figures.count()).round()));
    report.add("disk_b_per_wf", json!(bytes.round()));
    report.print();
    Ok(())
}

fn parked(runtime: &tokio::runtime::Runtime, site: &Site, plan: &Plan) -> Result<(), Failure> {
    let mut served = Served::start(site, Events::ToNats)?;
    let load = Load::new(&served, CALLERS);
    let before = served.spent()?;
    let (begin, mut asked) = (Instant::now(), runtime.block_on(load.park(plan.parked))?);
    let took = begin.elapsed().as_secs_f64();
    let spent = served.spent()?.since(&before);
    let count = f64::from(u32::try_from(asked.len())?);
    let mut report = Report::of("w2_park", plan.json);
    report.add("parked", json!(asked.len()));
    report.add("accept_s", json!((took * 100.0).round() / 100.0));
    report.add("rss_per_run_b", json!((spent.memory / count).round()));
    report.add("disk_per_run_b", json!((spent.disk / count).round()));
    report.add("server_rss_mb", json!((served.spent()?.memory / 1e6).round()));
    report.add("server_cpu_us_per_wf", json!((spent.cpu * 1e6 / count).round()));
    report.print();
    let mut some = |most: usize| {
        let most = most.min(asked.len() / 3);
        asked.drain(..most).collect::<Vec<_>>()
    };
    let over_http = runtime.block_on(load.resume(some(RESUMED), CALLERS))?;
    Report::new("w2_resume", &over_http, plan.json).with("conc", json!(CALLERS)).print();
    if let Some(desk) = served.desk(runtime)? {
        let over_nats = runtime.block_on(desk.resume(some(RESUMED_OVER_NATS), CALLERS))?;
        Report::new("w2_resume_nats", &over_nats, plan.json).with("conc", json!(CALLERS)).print();
    }
    let one_by_one = runtime.block_on(load.resume(some(ONE_BY_ONE), 1))?;
    Report::new("w2_resume_one_by_one", &one_by_one, plan.json).with("conc", json!(1)).print();
    let next = some(1);
    served.kill_9();
    let begin = Instant::now();
    served.start_again()?;
    let open = begin.elapsed().as_secs_f64();
    runtime.block_on(Load::new(&served, 1).resume(next, 1))?;
    let mut report = Report::of("w3_restart", plan.json);
    report.add("parked", json!(asked.len()));
    report.add("port_open_s", json!((open * 1e3).round() / 1e3));
    report.add("first_resumed_s", json!((begin.elapsed().as_secs_f64() * 1e3).round() / 1e3));
    report.print();
    Ok(())
}
