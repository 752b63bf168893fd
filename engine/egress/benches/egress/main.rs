//! What the rules of egress cost: calls per second and the slowest of a hundred, through [`Egress`] and
//! through bare hyper in the same run, over new and kept connections, HTTP/1.1 and HTTP/2, all against
//! one server in this process under the same TLS.
//!
//! `cargo bench --bench egress [-- CALLS]`. Prints the figures and their ratios; asserts nothing.

mod bare;
mod server;

use bare::Bare;
use placet_adapters::{
    Adapters, Call, FillError, FillHoles, Occurrence, Operation, Redirects, SecretText,
    Transport as _, WantedHole,
};
use placet_egress::{Egress, EgressConfig, Live};
use placet_model::Timestamp;
use placet_model::draft::Mode;
use placet_model::request::{Body, HoledText, PreparedRequest};
use serde_json::Value;
use server::{AUTHORITY, Protocol, Server};
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Callers side by side.
const CALLERS: usize = 16;
const CALLS: usize = 4_000;
const WARM_UP: usize = 64;
const BODY: &str =
    r#"{"channel":"C0123456789","text":"The build of main has failed: see the log."}"#;

/// Whether a call makes a connection or finds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    New,
    Kept,
}

fn main() -> Result<(), Failure> {
    let given = std::env::args().find_map(|arg| arg.parse().ok());
    let calls: usize = given.unwrap_or(CALLS);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{calls} calls by {CALLERS} callers, TLS, {} bytes each", BODY.len())?;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for connection in [Connection::New, Connection::Kept] {
            let line = runtime.block_on(measure((protocol, connection), calls))?;
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

async fn measure(
    (protocol, connection): (Protocol, Connection),
    calls: usize,
) -> Result<String, Failure> {
    let server = Server::start(protocol).await?;
    let bare = Arc::new(Bare::new(&server, protocol)?);
    let egress = egress(&server)?;
    let url = format!("https://{}/", server.address);
    let call = Arc::new(call(&url, connection));
    let through_bare = || {
        let bare = Arc::clone(&bare);
        async move {
            match connection {
                Connection::New => bare.over_new(BODY).await,
                Connection::Kept => bare.over_kept().await,
            }
        }
    };
    let through_egress = || {
        let (egress, call) = (egress.clone(), Arc::clone(&call));
        async move {
            let answer = egress.perform(Call::clone(&call)).await?;
            if answer.status == 200 { Ok(()) } else { Err(answer.status.to_string().into()) }
        }
    };
    let bare = figures(through_bare, calls).await?;
    let ours = figures(through_egress, calls).await?;
    let mut line = format!("{protocol:?}, {connection:?} connections:");
    write!(line, "\n  bare hyper {bare}\n  egress     {ours}")?;
    let (slower, later) = (ours.per_second / bare.per_second, ours.p99_us / bare.p99_us);
    write!(line, "\n  ratio      {slower:.2} of the throughput, {later:.2} times the p99")?;
    Ok(line)
}

struct Figures {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { per_second, p50_us, p99_us } = self;
        write!(f, "{per_second:>8.0}/s  p50 {p50_us:>7.0} us  p99 {p99_us:>7.0} us")
    }
}

/// So many calls by all callers together, after a few that do not count.
async fn figures<F>(call: impl Fn() -> F, calls: usize) -> Result<Figures, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    for _ in 0..WARM_UP.min(calls) {
        call().await?;
    }
    let each = calls.div_ceil(CALLERS);
    let caller = || async {
        let mut took = Vec::with_capacity(each);
        for _ in 0..each {
            let begin = Instant::now();
            call().await?;
            took.push(begin.elapsed().as_secs_f64() * 1e6);
        }
        Ok::<_, Failure>(took)
    };
    let begin = Instant::now();
    let all = futures_util::future::try_join_all((0..CALLERS).map(|_| caller())).await?;
    let whole = begin.elapsed().as_secs_f64();
    let mut took = all.concat();
    took.sort_unstable_by(f64::total_cmp);
    let at = |per_cent: usize| took[(took.len() * per_cent / 100).min(took.len() - 1)];
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = took.len() as f64 / whole;
    Ok(Figures { per_second, p50_us: at(50), p99_us: at(99) })
}

/// Nothing here has a secret.
#[derive(Debug)]
struct NoSecrets;

impl FillHoles for NoSecrets {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Err(FillError::Unknown { hole: wanted.hole.clone() })
    }
}

fn egress(server: &Server) -> Result<Egress, Failure> {
    let mut rules = EgressConfig::allowing([server.address.to_string().parse()?]);
    rules.authorities.push(AUTHORITY.to_vec());
    let live = Live::of(Mode::Live).ok_or("live is live")?;
    Ok(Egress::new(live, rules, Arc::new(NoSecrets)))
}

/// A gated call makes its connection, a read finds one.
fn call(url: &str, connection: Connection) -> Call {
    let (method, body, redirects) = match connection {
        Connection::New => ("POST", Body::Bytes(BODY.as_bytes().to_vec()), Redirects::Never),
        Connection::Kept => ("GET", Body::Empty, Redirects::Follow),
    };
    let request = PreparedRequest {
        method: method.to_owned(),
        url: HoledText::plain(url),
        headers: vec![("Content-Type".to_owned(), HoledText::plain("application/json"))],
        body,
    };
    Call {
        attempt: None,
        operation: operation(),
        integration: None,
        request: Arc::new(request),
        input: Arc::new(Value::Null),
        occurrence: Occurrence { seen: None, now: Timestamp::EPOCH },
        redirects,
        timeout: Duration::from_secs(30),
        send_id: String::new(),
        response_bytes_max: 1 << 20,
    }
}

fn operation() -> Arc<Operation> {
    let operation = Adapters::shipped().operation("http.request").map(Arc::clone);
    operation.expect("plain calls are shipped")
}
