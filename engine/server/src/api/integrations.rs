//! Integrations: list, connect, enable, disable, disconnect.

use super::connect::{ConnectBody, connect_one};
use super::paged::{PARAMS, paged};
use super::{Answer, connect, connections, revoke};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use axum::extract::State;
use axum::http::StatusCode;
use placet_executor::public::rows;
use placet_executor::world::World;
use placet_model::integration::{Integration, IntegrationStatus};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /integrations?cursor=&limit=` → `{integrations, next}`, by name; those that are gone are left
/// out.
#[utoipa::path(
    get,
    path = "/integrations",
    operation_id = "integrations_list",
    tag = "integrations",
    summary = "List connections",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Integrations), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(PARAMS)?;
    let world = app.handle.world();
    caller.known(&world)?;
    let is_there = |i: &&Integration| i.status != IntegrationStatus::Disconnected;
    let connected = world.integrations.values().filter(is_there);
    let connected: Vec<Integration> = connected.cloned().collect();
    let row =
        move |app: &App, i: &Integration| -> Result<(String, Value), crate::problem::Problem> {
            let mut row = to_json(&world, i);
            row["pending"] = json!(app.handle.missing(i));
            row["warnings"] = json!(app.handle.warnings(i)?);
            Ok((i.name.clone(), row))
        };
    let rows = reading(&app, move |app| {
        connected.iter().map(|one| row(app, one)).collect::<Result<Vec<_>, _>>()
    });
    Ok(axum::Json(paged(&params, "integrations", rows.await?)?))
}

/// `POST /integrations` → 201 and the integration.
#[utoipa::path(
    post,
    path = "/integrations",
    operation_id = "integrations_connect",
    tag = "integrations",
    summary = "Connect",
    request_body = ConnectBody,
    responses((status = 201, description = "Done", body = crate::openapi::shapes::Integration), crate::openapi::failures::Failures)
)]
pub(crate) async fn connect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<ConnectBody>,
) -> Result<(StatusCode, axum::Json<Value>), crate::problem::Problem> {
    let integration = connect_one(&app, &caller, body).await?;
    let shown = reading(&app, move |app| connections::shown(app, &integration.name)).await?;
    Ok((StatusCode::CREATED, axum::Json(shown)))
}

/// `POST /integrations/{name}/enable`.
#[utoipa::path(
    post,
    path = "/integrations/{name}/enable",
    operation_id = "integrations_enable",
    tag = "integrations",
    summary = "Enable",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::IntegrationNow), crate::openapi::failures::Failures)
)]
pub(crate) async fn enable(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    set(&app, &caller, name, IntegrationStatus::Active).await
}

/// `POST /integrations/{name}/disable`.
#[utoipa::path(
    post,
    path = "/integrations/{name}/disable",
    operation_id = "integrations_disable",
    tag = "integrations",
    summary = "Disable",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::IntegrationNow), crate::openapi::failures::Failures)
)]
pub(crate) async fn disable(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    set(&app, &caller, name, IntegrationStatus::Disabled).await
}

/// `POST /integrations/{name}/disconnect`: first the fact, then the credential is forgotten.
#[utoipa::path(
    post,
    path = "/integrations/{name}/disconnect",
    operation_id = "integrations_disconnect",
    tag = "integrations",
    summary = "Disconnect",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::IntegrationNow), crate::openapi::failures::Failures)
)]
pub(crate) async fn disconnect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let integration = app.handle.named(&name)?;
    let id = integration.id;
    let left = no_more(&app, &caller, &name).await;
    let mut answer = set(&app, &caller, name, IntegrationStatus::Disconnected).await?;
    if let Some(words) = revoke::take_back(&app, &caller.principal, &integration).await {
        answer["credential"] = words.into();
    }
    if let Some(words) = left {
        answer["webhook"] = words.into();
    }
    if let Some(vault) = app.vault.clone() {
        reading(&app, move |_app| vault.forget(id).map_err(|e| connect::vault_problem(&e))).await?;
    }
    Ok(answer)
}

/// Whatever posts here is taken away at its provider while there still is a credential to ask with; what
/// could not be is said, and holds up nothing.
async fn no_more(app: &App, caller: &Caller, name: &str) -> Option<String> {
    match app.handle.unsubscribe(&caller.principal, name).await {
        Ok(gone) if gone.is_empty() => None,
        Ok(_) => Some("what its provider posted here was taken away".to_owned()),
        Err(error) => Some(format!("what its provider posts here may still stand: {error}")),
    }
}

async fn set(app: &App, caller: &Caller, name: String, status: IntegrationStatus) -> Answer {
    let id = app.handle.named(&name)?.id;
    app.handle.set_integration(&caller.principal, &name, status).await?;
    Ok(axum::Json(json!({ "id": id, "name": name, "status": status })))
}

/// An integration as the API shows it; it holds no secret.
pub(super) fn to_json(world: &World, integration: &Integration) -> Value {
    rows::integration(integration, world.paused_integrations.contains(&integration.id))
}
