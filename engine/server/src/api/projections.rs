//! The derived tables: how they stand, and making them again while the engine goes on.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Nothing, Params};
use crate::problem::Problem;
use crate::rebuilds::Rebuild;
use axum::extract::State;
use axum::http::StatusCode;
use placet_model::actor::Role;
use placet_projections::{Error, Rebuilt};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How long an answer may be held back while a rebuild is under way.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// `GET /projections` → `{cursor, head, tables, rebuild}`; `rebuild` is the last one since the engine
/// started: `{id, state, by, events, head, detail}` with `running`, `done`, `cancelled` or `failed`.
/// With `?wait=SECONDS` the answer comes when none is under way, at the latest after that time.
#[utoipa::path(
    get,
    path = "/projections",
    operation_id = "projections_status",
    tag = "upkeep",
    summary = "How the derived tables stand",
    params(("wait" = Option<u64>, Query, description = "seconds to hold the answer back")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Projections), crate::openapi::failures::Failures)
)]
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let wait = params.only(&["wait"])?.parsed("wait")?.unwrap_or(0);
    let wait = Duration::from_secs(wait).min(WAIT_MAX);
    caller.demand_reader(&app.handle.world())?;
    if !wait.is_zero() {
        let _permit = app
            .streams
            .try_acquire()
            .map_err(|_full| Problem::new("PL4007", "too many requests are held back already"))?;
        let mut closing = app.closing.clone();
        tokio::select! {
            () = app.rebuilds.over() => {}
            _closes = closing.wait_for(|closing| *closing) => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    let found = reading(&app, move |app| {
        let found = placet_projections::status(&app.handle.view()?)?;
        let tables = found.tables.iter().map(|(name, rows)| ((*name).to_owned(), json!(rows)));
        Ok(json!({
            "cursor": found.cursor,
            "head": found.head,
            "tables": tables.collect::<serde_json::Map<_, _>>(),
            "rebuild": app.rebuilds.last().as_ref().map(Rebuild::to_json),
        }))
    });
    Ok(axum::Json(found.await?))
}

/// `POST /projections/rebuild` → 202 and the rebuild (operator). It goes on in the background, between
/// appends; one at a time.
#[utoipa::path(
    post,
    path = "/projections/rebuild",
    operation_id = "projections_rebuild",
    tag = "upkeep",
    summary = "Make them again",
    responses((status = 202, description = "Done", body = crate::openapi::shapes::Rebuild), crate::openapi::failures::Failures)
)]
pub(super) async fn rebuild(
    State(app): State<Arc<App>>,
    caller: Caller,
    Nothing: Nothing,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    app.handle.demand(&caller.principal, Role::Operator)?;
    let begun = app.rebuilds.begin(&caller.principal, app.handle.log().head());
    let begun =
        begun.ok_or_else(|| Problem::new("PL4007", "the tables are being made again already"))?;
    let answer = begun.to_json();
    tokio::spawn(async move {
        let working = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || work(&working)).await {
            Ok(done) => app.rebuilds.end(done),
            Err(panicked) => app.rebuilds.fail(panicked.to_string()),
        }
    });
    Ok((StatusCode::ACCEPTED, axum::Json(answer)))
}

/// `POST /projections/rebuild/cancel` → the rebuild (operator). What was made so far is dropped at the
/// next stretch, and the tables stay as they were.
#[utoipa::path(
    post,
    path = "/projections/rebuild/cancel",
    operation_id = "projections_cancel",
    tag = "upkeep",
    summary = "Stop making them again",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Rebuild), crate::openapi::failures::Failures)
)]
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    caller: Caller,
    Nothing: Nothing,
) -> Answer {
    app.handle.demand(&caller.principal, Role::Operator)?;
    let rebuild = app.rebuilds.cancel();
    let rebuild = rebuild.ok_or_else(|| Problem::new("PL4012", "no rebuild is under way"))?;
    Ok(axum::Json(rebuild.to_json()))
}

fn work(app: &App) -> Result<Option<Rebuilt>, Error> {
    placet_projections::rebuild(app.handle.log(), |progress| {
        if *app.closing.borrow() || app.rebuilds.note(progress).is_break() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })
}
