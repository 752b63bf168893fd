//! Runs: list, show, start, cancel.

use super::Answer;
use super::workflows::{check, latest};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use placet_executor::Start;
use placet_model::actor::Role;
use placet_model::draft::Mode;
use placet_model::{Digest, RunId};
use placet_projections::{RunFilter, RunRow, RunStatus, Views, WaitingFor};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

const PAGE: usize = 50;
const PAGE_MAX: usize = 200;
/// Rows that are looked at for one page of a program's own runs; a page may end early.
const OWN_SCAN_MAX: usize = 2000;

/// `GET /runs?status=&workflow=&before=&limit=` → `{runs, next}`, newest first.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["status", "workflow", "before", "limit"])?;
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
        let scanned = if sees_all { limit } else { OWN_SCAN_MAX };
        let view = app.handle.view()?;
        let mut rows = Views::new(&view)?.runs(&filter, before, scanned + 1)?;
        let mut has_more = rows.len() > scanned;
        rows.truncate(scanned);
        let mut next = rows.last().map(|row| row.run);
        rows.retain(|row| sees_all || row.requester == caller.principal);
        if rows.len() > limit {
            rows.truncate(limit);
            (has_more, next) = (true, rows.last().map(|row| row.run));
        }
        let next = next.filter(|_| has_more);
        Ok(json!({ "runs": rows.iter().map(row_json).collect::<Vec<_>>(), "next": next }))
    });
    Ok(axum::Json(page.await?))
}

/// `GET /runs/{id}` → the report, and the members of the row that it lacks.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
) -> Answer {
    let report = reading(&app, move |app| {
        let world = app.handle.world();
        caller.known(&world)?;
        let row = app.handle.run_row(run)?;
        let row = row.filter(|row| caller.reads(&world) || row.requester == caller.principal);
        let row = row.ok_or_else(|| unknown(run))?;
        let mut report = app.handle.report(run)?;
        if let (Value::Object(report), Value::Object(row)) = (&mut report, row_json(&row)) {
            for (name, value) in row {
                report.entry(name).or_insert(value);
            }
        }
        Ok(report)
    });
    Ok(axum::Json(report.await?))
}

/// What `POST /runs` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartBody {
    /// `namespace/name` for its latest deployment, or `namespace/name@version`.
    workflow: Option<String>,
    /// Or the document itself, which is deployed first.
    source: Option<String>,
    /// What to call the document in findings.
    file: Option<String>,
    #[serde(default)]
    input: Option<Value>,
    mode: Option<String>,
    seed: Option<u64>,
}

/// `POST /runs` → 201 `{run}`.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<StartBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
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
    let run = app.handle.start(start).await?;
    Ok((StatusCode::CREATED, axum::Json(json!({ "run": run }))))
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelBody {
    reason: Option<String>,
}

/// `POST /runs/{id}/cancel` → `{run, position}`.
pub(super) async fn cancel(
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

/// `{run, workflow, plan_digest, mode, requester, status, waiting_for, started_at, updated_at, revision}`.
fn row_json(row: &RunRow) -> Value {
    json!({
        "run": row.run,
        "workflow": row.workflow.to_string(),
        "plan_digest": row.plan_digest,
        "mode": row.mode,
        "requester": row.requester,
        "status": status_word(row.status),
        "waiting_for": row.waiting_for.map(waiting_json),
        "started_at": row.started_at,
        "updated_at": row.updated_at,
        "revision": row.revision,
    })
}

fn waiting_json(waiting: WaitingFor) -> Value {
    match waiting {
        WaitingFor::Decision(decision) => json!({ "kind": "decision", "decision": decision }),
        WaitingFor::Timer => json!({ "kind": "timer" }),
        WaitingFor::Answer => json!({ "kind": "answer" }),
        WaitingFor::Deferred => json!({ "kind": "deferred" }),
        WaitingFor::InDoubt => json!({ "kind": "in_doubt" }),
        WaitingFor::Event => json!({ "kind": "event" }),
        WaitingFor::Run(run) => json!({ "kind": "run", "run": run }),
    }
}

const STATUSES: [RunStatus; 5] = [
    RunStatus::Running,
    RunStatus::Waiting,
    RunStatus::Completed,
    RunStatus::Faulted,
    RunStatus::Cancelled,
];

const fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "running",
        RunStatus::Waiting => "waiting",
        RunStatus::Completed => "completed",
        RunStatus::Faulted => "faulted",
        RunStatus::Cancelled => "cancelled",
    }
}

fn status(word: &str) -> Result<RunStatus, Problem> {
    STATUSES.into_iter().find(|status| status_word(*status) == word).ok_or_else(|| {
        let known = STATUSES.map(status_word).join(", ");
        Problem::malformed(format!("query: status: {word:?} is none of {known}"))
    })
}

fn mode(word: &str) -> Result<Mode, Problem> {
    word.parse().map_err(|error| Problem::malformed(format!("body: mode: {error}")))
}

fn random_seed() -> Result<u64, Problem> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_unspecified| Problem::new("PL9001", "the system has no randomness"))?;
    Ok(u64::from_be_bytes(bytes))
}

fn unknown(run: RunId) -> Problem {
    Problem::new("PL4001", format!("there is no run {run}"))
}
