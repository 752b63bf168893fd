//! Triggers: which events of which connection start runs.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Params};
use axum::extract::State;
use placet_executor::triggers::TriggerState;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// `GET /triggers?integration=` → `{triggers}`: every event of what is connected that could start a run,
/// and what people have written for what is not.
#[utoipa::path(
    get,
    path = "/triggers",
    operation_id = "triggers_list",
    tag = "integrations",
    summary = "What may start runs",
    params(("integration" = Option<String>, Query, description = "of this connection alone")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Triggers), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["integration"])?;
    let of = params.text("integration").map(str::to_owned);
    let triggers = reading(&app, move |app| {
        caller.known(&app.handle.world())?;
        let triggers = match of {
            Some(name) => app.handle.triggers_of(&name),
            None => app.handle.triggers(),
        };
        Ok(json!({ "triggers": triggers? }))
    });
    Ok(axum::Json(triggers.await?))
}

/// What `POST /triggers` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerBody {
    /// The name of the connection.
    #[serde(alias = "name")]
    integration: String,
    /// The type of the event, as `GET /triggers` has it.
    event: String,
    /// `on`, `off` or `removed`.
    #[schema(value_type = crate::openapi::shapes::TriggerState)]
    state: TriggerState,
}

/// `POST /triggers` → `{triggers}` of the connection, when it is recorded.
#[utoipa::path(
    post,
    path = "/triggers",
    operation_id = "triggers_set",
    tag = "integrations",
    summary = "Say whether an event starts runs",
    request_body = TriggerBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Triggers), crate::openapi::failures::Failures)
)]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<TriggerBody>,
) -> Answer {
    let of = (body.integration.as_str(), body.event.as_str());
    app.handle.set_trigger(&caller.principal, of, body.state).await?;
    let name = body.integration;
    let triggers =
        reading(&app, move |app| Ok(json!({ "triggers": app.handle.triggers_of(&name)? })));
    Ok(axum::Json(triggers.await?))
}
