//! `GET /metrics`: how the engine is doing, for Prometheus. Names stand in [`names`]; what is counted is
//! counted where it happens (the log, the executor after each commit, the hooks, the guard) and read
//! here; what is as it is at the moment is read from one snapshot, so that nothing is counted twice.

pub(crate) mod names;
mod text;

use crate::app::{App, STREAMS_MAX, reading};
use crate::caller::Caller;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use placet_executor::Handle;
use placet_model::integration::IntegrationStatus;
use placet_model::measure::{Counter, SHORT, Spread};
use placet_projections::Views;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use text::{Page, float};

/// Runs that are counted at most.
const RUNS_MAX: usize = 10_000;

/// What the server itself counts.
#[derive(Debug)]
pub(crate) struct Measures {
    answers: [Counter; CLASSES.len()],
    took: Spread<{ SHORT.len() }>,
    arrivals: Mutex<BTreeMap<(String, &'static str), u64>>,
    acks: Spread<{ SHORT.len() }>,
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Default for Measures {
    fn default() -> Self {
        Self {
            answers: Default::default(),
            took: Spread::new(&SHORT),
            arrivals: Mutex::default(),
            acks: Spread::new(&SHORT),
        }
    }
}

impl Measures {
    fn answered(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.one();
        }
        self.took.note(took);
    }

    /// So many messages of a provider that posts to us came to this.
    pub(crate) fn arrived(&self, provider: &str, result: &'static str) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        *arrivals.entry((provider.to_owned(), result)).or_default() += 1;
    }

    /// A provider was answered.
    pub(crate) fn acknowledged(&self, took: Duration) {
        self.acks.note(took);
    }
}

/// Counts every answer.
pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    app.measures.answered(response.status(), begun.elapsed());
    response
}

/// `GET /metrics`.
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Response, Problem> {
    let page = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        page(app)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, text::MEDIA_TYPE)], page).into_response())
}

fn page(app: &App) -> Result<String, Problem> {
    let mut page = Page::default();
    let version = env!("CARGO_PKG_VERSION");
    page.put(&names::BUILD, [(vec![version], 1.0)]);
    let world = app.handle.world();
    page.one(&names::PAUSED, f64::from(u8::from(world.paused)));
    let now = Now::read(&app.handle)?;
    engine(&mut page, &app.handle, &now);
    let mut connections: BTreeMap<IntegrationStatus, u64> =
        IntegrationStatus::ALL.iter().map(|status| (*status, 0)).collect();
    for integration in world.integrations.values() {
        *connections.entry(integration.status).or_default() += 1;
    }
    let connections = connections.iter();
    let connections = connections.map(|(status, count)| (vec![status.word()], float(*count)));
    page.put(&names::INTEGRATIONS, connections);
    server(&mut page, app);
    let log = app.handle.log().measured();
    page.one(&names::LOG_POSITION, float(now.head));
    page.one(&names::LOG_BYTES, float(log.bytes));
    page.spread(&names::LOG_COMMIT, &log.commits);
    page.one(&names::LOG_SYNCS, float(log.syncs));
    page.one(&names::PROJECTION_LAG, float(now.lag));
    let nats = app.nats.borrow()["state"].as_str().map(|state| state == "ready");
    page.put(&names::NATS, nats.map(|ready| (vec![], f64::from(u8::from(ready)))));
    let (sent, dropped) = app.handle.spans_told();
    let spans = [("sent", sent), ("dropped", dropped)];
    page.put(&names::SPANS, spans.map(|(result, count)| (vec![result], float(count))));
    let process = process();
    page.put(&names::CPU, process.map(|(seconds, _)| (vec![], seconds)));
    page.put(&names::MEMORY, process.map(|(_, bytes)| (vec![], bytes)));
    Ok(page.into_text())
}

/// What is as it is at the moment.
#[derive(Debug, Default)]
struct Now {
    running: usize,
    waiting: usize,
    open: usize,
    oldest: Duration,
    in_doubt: usize,
    head: u64,
    lag: u64,
}

impl Now {
    fn read(handle: &Handle) -> Result<Self, Problem> {
        let view = handle.view()?;
        let head = view.head().position().get();
        let views = match Views::new(&view) {
            Ok(views) => views,
            Err(placet_projections::Error::Behind { cursor, .. }) => {
                return Ok(Self { head, lag: head - cursor.get(), ..Self::default() });
            }
            Err(error) => return Err(error.into()),
        };
        let (running, waiting) = views.live_counts(RUNS_MAX)?;
        let oldest = views.open(None, 1)?.pop();
        let age = oldest.map_or(0, |row| handle.now().millis_since(row.requested_at));
        Ok(Self {
            running,
            waiting,
            open: crate::api::status::open_decisions(&views)?,
            oldest: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            in_doubt: views.in_doubt()?.len(),
            head,
            lag: 0,
        })
    }
}

fn engine(page: &mut Page, handle: &Handle, now: &Now) {
    let measured = handle.measured();
    let by = |counts: Vec<(&'static str, u64)>| {
        counts.into_iter().map(|(word, count)| (vec![word], float(count)))
    };
    let size = |count: usize| float(u64::try_from(count).unwrap_or(u64::MAX));
    let runs = [("running", now.running), ("waiting", now.waiting)];
    page.put(&names::RUNS, runs.map(|(word, count)| (vec![word], size(count))));
    page.put(&names::RUNS_STARTED, by(measured.runs_started));
    page.put(&names::RUNS_ENDED, by(measured.runs_ended));
    page.one(&names::DECISIONS_OPEN, size(now.open));
    page.one(&names::QUEUE_AGE, now.oldest.as_secs_f64());
    page.one(&names::DECISIONS_ASKED, float(measured.decisions_asked));
    page.put(&names::DECISIONS_SETTLED, by(measured.decisions_settled));
    page.spread(&names::DECISION_TIME, &measured.decided);
    let calls = measured.calls.iter().map(|((provider, mode, end), count)| {
        (vec![provider.as_str(), mode.word(), end.word()], float(*count))
    });
    page.put(&names::ATTEMPTS, calls);
    let sends = measured.sends.iter();
    let sends = sends
        .map(|((provider, mode), count)| (vec![provider.as_str(), mode.word()], float(*count)));
    page.put(&names::SENDS, sends);
    page.one(&names::IN_DOUBT, size(now.in_doubt));
}

fn server(page: &mut Page, app: &App) {
    let measures = &app.measures;
    {
        let arrivals = measures.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let arrivals = arrivals.iter();
        let arrivals = arrivals
            .map(|((provider, result), count)| (vec![provider.as_str(), *result], float(*count)));
        page.put(&names::WEBHOOKS, arrivals);
    }
    page.spread(&names::WEBHOOK_ACK, &measures.acks.read());
    let answers = CLASSES.iter().zip(&measures.answers);
    let answers = answers.map(|(class, count)| (vec![*class], float(count.get())));
    page.put(&names::HTTP, answers);
    page.spread(&names::HTTP_TIME, &measures.took.read());
    let open = STREAMS_MAX - app.streams.available_permits();
    page.one(&names::STREAMS, float(u64::try_from(open).unwrap_or(u64::MAX)));
}

/// Seconds of processor time and bytes of memory of this process, where the system tells them.
fn process() -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // its second word is the program's name in brackets, which may hold anything
    let (_, rest) = stat.rsplit_once(") ")?;
    let field = |number: usize| rest.split(' ').nth(number - 3)?.parse::<f64>().ok();
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib = resident.trim().strip_suffix(" kB")?.parse::<f64>().ok()?;
    // the kernel counts in hundredths of a second wherever Linux has /proc
    Some(((field(14)? + field(15)?) / 100.0, kib * 1024.0))
}
