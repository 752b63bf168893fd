//! What is done to runs besides starting and cancelling them: events from outside, starting again,
//! going on under another version.

use super::Answer;
use super::runs::unknown;
use super::workflows::latest;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_executor::Handle;
use placet_model::RunId;
use placet_model::actor::Role;
use placet_projections::RunRow;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `POST /events` takes an event in its JSON form (at least `type`) → `{position}`.
#[utoipa::path(
    post,
    path = "/events",
    operation_id = "verbs_publish",
    tag = "runs",
    summary = "Publish an event",
    request_body = Value,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::At), crate::openapi::failures::Failures)
)]
pub(super) async fn publish(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(event): Json<Value>,
) -> Answer {
    let position = app.handle.publish(event, None, &caller.principal).await?;
    Ok(axum::Json(json!({ "position": position })))
}

/// `POST /runs/{id}/signal` takes an event that only this run may take → `{position}`.
#[utoipa::path(
    post,
    path = "/runs/{id}/signal",
    operation_id = "verbs_signal",
    tag = "runs",
    summary = "Send an event to one run",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = Value,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::At), crate::openapi::failures::Failures)
)]
pub(super) async fn signal(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
    Json(event): Json<Value>,
) -> Answer {
    let position = app.handle.publish(event, Some(run), &caller.principal).await?;
    Ok(axum::Json(json!({ "position": position })))
}

/// `POST /runs/{id}/retry` → `{run}`, a new run of the same version with the same input.
#[utoipa::path(
    post,
    path = "/runs/{id}/retry",
    operation_id = "verbs_retry",
    tag = "runs",
    summary = "Start again what has faulted",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::RunOnly), crate::openapi::failures::Failures)
)]
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
) -> Answer {
    let world = app.handle.world();
    let row = known(&app.handle, run)?;
    if row.requester != caller.principal {
        caller.demand_any(&world, &[Role::Author, Role::Operator, Role::Admin])?;
    }
    let again = app.handle.retry(run, caller.principal).await?;
    Ok(axum::Json(json!({ "run": again })))
}

/// What `POST /runs/{id}/migrate` takes.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MigrateBody {
    /// The version to go on under; the one that was deployed last without it.
    version: Option<String>,
}

/// `POST /runs/{id}/migrate` → `{run, workflow}`.
#[utoipa::path(
    post,
    path = "/runs/{id}/migrate",
    operation_id = "verbs_migrate",
    tag = "runs",
    summary = "Go on under another version",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = MigrateBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Migrated), crate::openapi::failures::Failures)
)]
pub(super) async fn migrate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
    Json(body): Json<MigrateBody>,
) -> Answer {
    let family = known(&app.handle, run)?.workflow.family();
    let name = body.version.map_or_else(|| family.clone(), |version| format!("{family}@{version}"));
    let plan = latest(&app, &name)?;
    app.handle.migrate(run, plan, caller.principal).await?;
    let row = known(&app.handle, run)?;
    Ok(axum::Json(json!({ "run": run, "workflow": row.workflow.to_string() })))
}

fn known(handle: &Handle, run: RunId) -> Result<RunRow, Problem> {
    handle.run_row(run)?.ok_or_else(|| unknown(run))
}
