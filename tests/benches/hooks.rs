//! What providers post, to the engine as a process of its own: 200 signed messages a second, each on a
//! connection of its own and at its own time, whether or not the one before was answered.
//!
//! `cargo bench --bench hooks [-- SECONDS] [--rate N]`
//!
//! Prints how many were acknowledged and recorded, how long the answers took from the moment at which
//! each was due, and beside it what the strictest provider waits. Sender and engine share the machine.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[expect(dead_code, reason = "it is shared with tests that stop in the middle")]
#[path = "../it/world/hook.rs"]
mod hook;

use hook::{KEY, message, post};
use placet_adapters::Adapters;
use placet_test_support::dirs::Project;
use placet_test_support::process::{Placet, Running};
use placet_test_support::provider::Provider;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PLACET: &str = env!("CARGO_BIN_EXE_placet");

struct Plan {
    seconds: u32,
    rate: u32,
}

impl Plan {
    fn read() -> Result<Self, Failure> {
        let mut plan = Self { seconds: 30, rate: 200 };
        let mut given = std::env::args().skip(1);
        while let Some(arg) = given.next() {
            match arg.as_str() {
                // what cargo itself passes
                "--bench" => {}
                "--rate" => plan.rate = given.next().ok_or("--rate N")?.parse()?,
                seconds => plan.seconds = seconds.parse()?,
            }
        }
        Ok(plan)
    }
}

fn main() -> Result<(), Failure> {
    let plan = Plan::read()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (project, provider) =
        (Project::new().with("placet.toml", "project = \"bench\"\n"), Provider::start());
    let (running, address) = start(&project, &provider)?;
    let total = plan.seconds * plan.rate;
    let mut millis = runtime.block_on(storm(&address, &plan))?;
    millis.sort_by(f64::total_cmp);
    let recorded = Placet::new(PLACET, &project)
        .args(["audit", "log", "--type", "InboundReceived", "--json"])
        .run()
        .expect_code(0);
    drop(running.terminate());
    let at = |per_mille: usize| match millis.len() {
        0 => f64::NAN,
        count => millis[(count - 1) * per_mille / 1000],
    };
    let (strictest, deadline) = strictest();
    println!(
        "hooks: {} of {total} acknowledged at {}/s for {} s, {} recorded; ack p50 {:.1} ms, p99 {:.1} ms, \
         max {:.1} ms; the strictest provider ({strictest}) waits {} ms",
        millis.len(),
        plan.rate,
        plan.seconds,
        recorded.stdout.lines().count(),
        at(500),
        at(990),
        at(1000),
        deadline.as_millis(),
    );
    Ok(())
}

/// The engine with a Slack integration that knows the secret.
fn start(project: &Project, provider: &Provider) -> Result<(Running, String), Failure> {
    let running = Placet::new(PLACET, project)
        .args(["dev", ".", "--mode", "live", "--listen", "127.0.0.1:0"])
        .args(["--egress-allow", &provider.host_port()])
        .start();
    let link = running.stdout_line(|line| line.contains("http://"));
    let rest = link.strip_prefix("http://").and_then(|rest| rest.split_once("/login?token="));
    let (address, _) = rest.ok_or_else(|| format!("no login link: {link}"))?;
    let base = format!("api_base={}", provider.url("/api"));
    let connected = Placet::new(PLACET, project)
        .args(["integrations", "connect", "slack", "--set", &base])
        .args(["--credential", "access_token=env:SLACK_TOKEN"])
        .args(["--credential", "signing_secret=env:SLACK_KEY"])
        .env("SLACK_TOKEN", "xoxb-bench")
        .env("SLACK_KEY", KEY)
        .run();
    drop(connected.expect_code(0));
    Ok((running, address.to_owned()))
}

/// Milliseconds from the moment at which each message was due to its acknowledgement.
async fn storm(address: &str, plan: &Plan) -> Result<Vec<f64>, Failure> {
    let acked = Arc::new(Mutex::new(Vec::new()));
    let begin = Instant::now();
    let mut sent = Vec::new();
    for n in 0..plan.seconds * plan.rate {
        let due = begin + Duration::from_secs(1) * n / plan.rate;
        tokio::time::sleep_until(due.into()).await;
        let (address, acked) = (address.to_owned(), Arc::clone(&acked));
        sent.push(tokio::spawn(async move {
            if send(&address, n).await.is_ok_and(|status| status == 200) {
                let took = due.elapsed().as_secs_f64() * 1e3;
                acked.lock().unwrap_or_else(PoisonError::into_inner).push(took);
            }
        }));
    }
    for one in sent {
        one.await?;
    }
    let acked = acked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(acked)
}

async fn send(address: &str, n: u32) -> Result<u16, Failure> {
    let ready = post(address, &message(&format!("Ev{n}"), "17.1"));
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(ready.head.as_bytes()).await?;
    stream.write_all(ready.body.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    Ok(std::str::from_utf8(&head)?.rsplit(' ').next().unwrap_or_default().parse()?)
}

/// The provider that waits the shortest for its answer.
fn strictest() -> (String, Duration) {
    let adapters = Adapters::shipped();
    let manifests = adapters.manifests().values();
    let waits = manifests.filter_map(|manifest| {
        Some((manifest.inbound()?.deadline(), manifest.provider().to_owned()))
    });
    waits.min().map_or_else(Default::default, |(deadline, provider)| (provider, deadline))
}
