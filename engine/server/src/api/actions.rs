//! Actions of agents over HTTP: what `placet.v1.act.<agent>` is over NATS.

use super::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Place};
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// `POST /actions` `{operation, integration?, with, idempotency_key, reason}` → `{run, decision}`.
#[utoipa::path(
    post,
    path = "/actions",
    operation_id = "actions_act",
    tag = "runs",
    summary = "Ask for one write",
    request_body = crate::openapi::shapes::ActionBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Acted), crate::openapi::failures::Failures)
)]
pub(super) async fn act(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<Map<String, Value>>,
) -> Answer {
    let acted = app.handle.ask_action(&caller.principal, &Value::Object(body)).await?;
    Ok(axum::Json(json!(acted)))
}

/// `POST /actions/{decision}/withdraw` `{reason?}` → `{position, state}`: an agent takes back what it
/// has asked for itself. It decides nothing, so `serve` takes it without a signature.
#[utoipa::path(
    post,
    path = "/actions/{decision}/withdraw",
    operation_id = "actions_withdraw",
    tag = "runs",
    summary = "Take back what one has asked for",
    params(("decision" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = crate::openapi::shapes::WithdrawBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Receipt), crate::openapi::failures::Failures)
)]
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<String>,
    Json(mut body): Json<Map<String, Value>>,
) -> Answer {
    body.insert("decision".to_owned(), Value::from(decision));
    let (who, how) = (&caller.principal, caller.assurance);
    let receipt = app.handle.withdraw_action(who, &Value::Object(body), how).await?;
    Ok(axum::Json(json!(receipt)))
}
