//! Runs: list, show, start, cancel.

use super::Answer;
use super::workflows::{check, latest};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{CalledBy, Json, Params, Place};
use crate::problem::Problem;
use crate::waits::stands_still;
use axum::extract::State;
use axum::http::StatusCode;
use placet_executor::Start;
use placet_executor::erasure::{ERASED, unless_erased};
use placet_executor::public::rows::{self, waiting_word};
use placet_log::ReadView;
use placet_model::actor::Role;
use placet_model::draft::Mode;
use placet_model::{Digest, Event, PayloadRef, Principal, Revision, RunId, StreamId};
use placet_projections::{RunFilter, RunRow, RunStatus, Views};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request waits at most this long; proxies cut off what waits longer.
const WAIT_SECONDS_MAX: u64 = 60;
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;
/// Rows that are looked at for one page where most may not fit; a page may end early.
const SCAN_MAX: usize = 2000;

const FILTERS: &[&str] =
    &["status", "workflow", "version", "mode", "requester", "waiting_for", "before", "limit"];

/// What the rows of a page must be besides what the index knows.
#[derive(Debug)]
struct Wanted {
    version: Option<String>,
    mode: Option<Mode>,
    requester: Option<Principal>,
    waiting_for: Option<String>,
}

impl Wanted {
    fn of(params: &Params) -> Result<Self, Problem> {
        let waiting_for = params.text("waiting_for");
        if let Some(word) = waiting_for.filter(|word| !WAITING.contains(word)) {
            let known = WAITING.join(", ");
            let detail = format!("query: waiting_for: {word:?} is none of {known}");
            return Err(Problem::malformed(detail));
        }
        Ok(Self {
            version: params.text("version").map(str::to_owned),
            mode: params.parsed("mode")?,
            requester: params.parsed("requester")?,
            waiting_for: waiting_for.map(str::to_owned),
        })
    }

    const fn is_any(&self) -> bool {
        self.version.is_none()
            && self.mode.is_none()
            && self.requester.is_none()
            && self.waiting_for.is_none()
    }

    fn fits(&self, row: &RunRow) -> bool {
        self.version.as_ref().is_none_or(|version| *version == row.workflow.version)
            && self.mode.is_none_or(|mode| mode == row.mode)
            && self.requester.as_ref().is_none_or(|requester| *requester == row.requester)
            && self.waiting_for.as_ref().is_none_or(|word| {
                row.waiting_for.is_some_and(|waiting| waiting_word(waiting) == word)
            })
    }
}

/// `GET /runs?status=&workflow=&version=&mode=&requester=&waiting_for=&before=&limit=` →
/// `{runs, next}`, newest first. A page may hold fewer than `limit` rows and still have a next one.
#[utoipa::path(
    get,
    path = "/runs",
    operation_id = "runs_list",
    tag = "runs",
    summary = "List runs",
    params(("status" = Option<String>, Query), ("workflow" = Option<String>, Query), ("version" = Option<String>, Query), ("mode" = Option<String>, Query), ("requester" = Option<String>, Query), ("waiting_for" = Option<String>, Query), ("before" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::RunPage), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(FILTERS)?;
    let wanted = Wanted::of(&params)?;
    let limit = params.limit(PAGE, PAGE_MAX)?;
    let before: Option<RunId> = params.parsed("before")?;
    let filter = RunFilter {
        status: params.text("status").map(status).transpose()?,
        workflow: params.text("workflow").map(str::to_owned),
    };
    let page = reading(&app, move |app| {
        let world = app.handle.world();
        caller.known(&world)?;
        let sees_all = caller.reads(&world);
        let scanned = if sees_all && wanted.is_any() { limit } else { SCAN_MAX };
        let view = app.handle.view()?;
        let mut rows = Views::new(&view)?.runs(&filter, before, scanned + 1)?;
        let mut has_more = rows.len() > scanned;
        rows.truncate(scanned);
        let mut next = rows.last().map(|row| row.run);
        rows.retain(|row| sees_all || row.requester == caller.principal);
        rows.retain(|row| wanted.fits(row));
        if rows.len() > limit {
            rows.truncate(limit);
            (has_more, next) = (true, rows.last().map(|row| row.run));
        }
        let next = next.filter(|_| has_more);
        Ok(json!({ "runs": rows.iter().map(rows::run).collect::<Vec<_>>(), "next": next }))
    });
    Ok(axum::Json(page.await?))
}

/// `GET /runs/{id}` → the report, and the members of the row that it lacks; of a cancelled run also
/// `cancelled: {by, at, reason}`, and `held` where what it waits for waits for its provider's budget. With `?wait=SECONDS` the answer comes when the run is over or waits
/// for somebody, and at the latest after that time; with `?steps=N` the trace has the last N executions and those
/// that are open, and `steps_before` says how many there are besides.
#[utoipa::path(
    get,
    path = "/runs/{id}",
    operation_id = "runs_show",
    tag = "runs",
    summary = "Show a run",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$"), ("wait" = Option<u64>, Query, description = "seconds to hold the answer back"), ("steps" = Option<u64>, Query, description = "executions of the trace at most, from its end")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::RunReport), crate::openapi::failures::Failures)
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
    Place(run): Place<RunId>,
) -> Answer {
    let params = params.only(&["wait", "steps"])?;
    let steps = params.parsed::<u64>("steps")?;
    let wait = wait_of(&params)?;
    may_see(&app, &caller, run)?;
    if wait.is_some() {
        settle(&app, run, wait).await?;
    }
    // more than there can be is as good as all
    let steps = steps.map(|steps| usize::try_from(steps).unwrap_or(usize::MAX));
    report(&app, caller, run, steps).await.map(axum::Json)
}

/// What [`show`] answers, with so many executions at the end of its trace, or all.
pub(crate) async fn report(
    app: &Arc<App>,
    caller: Caller,
    run: RunId,
    steps: Option<usize>,
) -> Result<Value, Problem> {
    let report = reading(app, move |app| {
        let world = app.handle.world();
        let row = app.handle.run_row(run)?;
        let row = row.filter(|row| caller.reads(&world) || row.requester == caller.principal);
        let row = row.ok_or_else(|| unknown(run))?;
        let mut report = app.handle.report_of(run, steps)?;
        if let (Value::Object(report), Value::Object(members)) = (&mut report, rows::run(&row)) {
            for (name, value) in members {
                report.entry(name).or_insert(value);
            }
            if let Some(words) = app.handle.budget_wait_of(&row)? {
                report.insert("held".to_owned(), json!(words));
            }
            if row.status == RunStatus::Cancelled {
                report.insert("cancelled".to_owned(), cancelled(app, &row)?);
            }
        }
        Ok(report)
    });
    report.await
}

/// Whoever reads the project sees every run, everybody else their own.
pub(super) fn may_see(app: &App, caller: &Caller, run: RunId) -> Result<(), Problem> {
    let world = app.handle.world();
    caller.known(&world)?;
    let row = app.handle.run_row(run)?;
    let row = row.filter(|row| caller.reads(&world) || row.requester == caller.principal);
    row.map(drop).ok_or_else(|| unknown(run))
}

/// How long a request may wait for a run: none without `wait`.
fn wait_of(params: &Params) -> Result<Option<Duration>, Problem> {
    let seconds = params.parsed::<u64>("wait")?;
    match seconds {
        Some(seconds) if seconds > WAIT_SECONDS_MAX => {
            let detail = format!("query: wait: at most {WAIT_SECONDS_MAX} seconds");
            Err(Problem::malformed(detail))
        }
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

/// Waits until the run is over or it is somebody's turn, or the time is over; gives its row.
async fn settle(app: &App, run: RunId, wait: Option<Duration>) -> Result<RunRow, Problem> {
    let until = Instant::now() + wait.unwrap_or_default();
    let mut closing = app.closing.clone();
    loop {
        let mut waiter = app.waits.next(run);
        let row = app.handle.run_row(run)?.ok_or_else(|| unknown(run))?;
        let left = until.saturating_duration_since(Instant::now());
        let settled = stands_still(&row) || left.is_zero();
        let closes = async { closing.wait_for(|closing| *closing).await.map(drop) };
        let woken = tokio::select! {
            biased;
            () = std::future::ready(()), if settled => false,
            woken = waiter.woken() => woken,
            () = tokio::time::sleep(left) => true,
            _ = closes => false,
        };
        if !woken {
            return Ok(row);
        }
    }
}

/// `{by, at, reason}` of the event that stopped a run.
fn cancelled(app: &App, row: &RunRow) -> Result<Value, Problem> {
    let (view, stream) = (app.handle.view()?, StreamId::Run(row.run));
    for event in view.stream(&stream, Revision::START) {
        let event = event?;
        let Event::RunCancelled(body) = &event.event else { continue };
        let reason = body.reason.map(|place| content(&view, &stream, place)).transpose()?;
        let by = event.actor.principal();
        return Ok(json!({ "by": by, "at": event.recorded_at, "reason": reason }));
    }
    Ok(Value::Null)
}

/// What `POST /runs` takes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartBody {
    /// `namespace/name` for its latest deployment, or `namespace/name@version`.
    pub(crate) workflow: Option<String>,
    /// Or the document itself, which is deployed first.
    pub(crate) source: Option<String>,
    /// What to call the document in findings.
    pub(crate) file: Option<String>,
    #[serde(default)]
    pub(crate) input: Option<Value>,
    pub(crate) mode: Option<String>,
    pub(crate) seed: Option<u64>,
}

/// `POST /runs` → 201 `{run}`. With `?wait=SECONDS` the answer comes when the run is over or waits for
/// somebody, at the latest after that time: `{run, status, waiting_for, output, error}`. A `traceparent`
/// (W3C Trace Context) is named in the run's own trace.
#[utoipa::path(
    post,
    path = "/runs",
    operation_id = "runs_start",
    tag = "runs",
    summary = "Start a run",
    params(("wait" = Option<u64>, Query, description = "seconds to hold the answer back")),
    request_body = StartBody,
    responses((status = 201, description = "Done", body = crate::openapi::shapes::Started), crate::openapi::failures::Failures)
)]
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
    CalledBy(by): CalledBy,
    Json(body): Json<StartBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    let wait = wait_of(&params.only(&["wait"])?)?;
    let world = app.handle.world();
    caller.demand_any(&world, &[Role::Author, Role::Operator, Role::Admin, Role::Agent])?;
    let mode = match &body.mode {
        None => app.mode,
        Some(word) => mode(word)?,
    };
    if !world.modes.has(mode) {
        return Err(Problem::new("PL4011", format!("this engine does not run in {mode} mode")));
    }
    let plan = plan(&app, &caller, &body).await?;
    let start = Start {
        plan,
        input: body.input.unwrap_or_else(|| json!({})),
        requester: caller.principal,
        mode,
        seed: body.seed.map_or_else(random_seed, Ok)?,
    };
    let run = app.handle.start_for(start, by).await?;
    let answer = match wait {
        None => json!({ "run": run }),
        Some(_) => result_json(&app, &settle(&app, run, wait).await?)?,
    };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// `{run, status, waiting_for, output, error}`: what came of a run, without its trace.
fn result_json(app: &App, row: &RunRow) -> Result<Value, Problem> {
    let (view, stream) = (app.handle.view()?, StreamId::Run(row.run));
    let content = |place| content(&view, &stream, place);
    let fault = row.fault.as_ref().map(|(_, _, place)| *place);
    Ok(json!({
        "run": row.run,
        "status": row.status.word(),
        "waiting_for": row.waiting_for.map(rows::waiting),
        "output": row.output.map(content).transpose()?,
        "error": fault.map(content).transpose()?,
    }))
}

/// Content of a run, which may be erased as soon as the run is over.
fn content(view: &ReadView, stream: &StreamId, place: PayloadRef) -> Result<Value, Problem> {
    match unless_erased(view.payload(stream, place))? {
        None => Ok(json!(ERASED)),
        Some(payload) => {
            serde_json::from_slice(payload.as_bytes()).map_err(|error| Problem::internal(&error))
        }
    }
}

async fn plan(app: &Arc<App>, caller: &Caller, body: &StartBody) -> Result<Digest, Problem> {
    match (&body.workflow, &body.source) {
        (Some(name), None) => {
            let name = name.clone();
            reading(app, move |app| latest(app, &name)).await
        }
        (None, Some(source)) => {
            let file = body.file.clone().unwrap_or_else(|| "workflow.yaml".to_owned());
            let (plan, _warnings) = check(app, &file, source).await?;
            Ok(app.handle.deploy(&caller.principal, plan, source).await?)
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(Problem::malformed("body: give either a workflow or a source"))
        }
    }
}

/// What `POST /runs/{id}/cancel` takes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBody {
    pub(crate) reason: Option<String>,
}

/// `POST /runs/{id}/cancel` → `{run, position}`.
#[utoipa::path(
    post,
    path = "/runs/{id}/cancel",
    operation_id = "runs_cancel",
    tag = "runs",
    summary = "Cancel a run",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = CancelBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::RunAt), crate::openapi::failures::Failures)
)]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
    Json(body): Json<CancelBody>,
) -> Answer {
    caller.known(&app.handle.world())?;
    let events = app.handle.cancel(run, caller.principal, body.reason).await?;
    let position = events.last().map(|event| event.position);
    Ok(axum::Json(json!({ "run": run, "position": position })))
}

/// Every word of [`waiting_word`].
const WAITING: [&str; 7] = ["decision", "timer", "answer", "deferred", "in_doubt", "event", "run"];

const STATUSES: [RunStatus; 5] = [
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Completed,
    RunStatus::Faulted,
    RunStatus::Cancelled,
];

fn status(word: &str) -> Result<RunStatus, Problem> {
    STATUSES.into_iter().find(|status| status.word() == word).ok_or_else(|| {
        let known = STATUSES.map(RunStatus::word).join(", ");
        Problem::malformed(format!("query: status: {word:?} is none of {known}"))
    })
}

fn mode(word: &str) -> Result<Mode, Problem> {
    word.parse().map_err(|error| Problem::malformed(format!("body: mode: {error}")))
}

pub(crate) fn random_seed() -> Result<u64, Problem> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_unspecified| Problem::new("PL9001", "the system has no randomness"))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(crate) fn unknown(run: RunId) -> Problem {
    Problem::new("PL4001", format!("there is no run {run}"))
}
