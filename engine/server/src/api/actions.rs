//! Actions of agents over HTTP: what `placet.v1.act.<agent>` is over NATS.

use super::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Place};
use axum::extract::State;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// `POST /actions` `{operation, integration?, with, idempotency_key, reason}` → `{run, decision}`.
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
