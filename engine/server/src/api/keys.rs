//! Approvers' public keys: list, register, revoke. No seed ever comes here.

use super::Answer;
use super::paged::{PARAMS, paged};
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use placet_model::Principal;
use placet_model::nkey::UserKey;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /keys?cursor=&limit=` → `{project, origin, keys: [{principal, kind, roles, key, revoked}],
/// next}`.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "keys_list",
    tag = "people",
    summary = "List approvers' keys",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Keys), crate::openapi::failures::Failures)
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(PARAMS)?;
    let world = app.handle.world();
    caller.known(&world)?;
    let keys = world.keys.iter().map(|(key, known)| {
        let mut row = row(&known.principal, key, known.revoked);
        let info = world.policy.principals.get(&known.principal);
        row["kind"] = json!(info.map(|info| info.kind));
        row["roles"] = json!(info.map(|info| &info.roles));
        (key.to_string(), row)
    });
    let mut page = paged(&params, "keys", keys)?;
    let log = app.handle.log();
    page["project"] = json!(log.project());
    page["origin"] = json!(log.origin());
    Ok(axum::Json(page))
}

/// Whose key it is.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterBody {
    #[schema(value_type = String)]
    principal: Principal,
    key: String,
}

/// `POST /keys` `{principal, key}` → 201 `{principal, key, revoked}` (admin).
#[utoipa::path(
    post,
    path = "/keys",
    operation_id = "keys_register",
    tag = "people",
    summary = "Register a key",
    request_body = RegisterBody,
    responses((status = 201, description = "Done", body = crate::openapi::shapes::Key), crate::openapi::failures::Failures)
)]
pub(super) async fn register(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(RegisterBody { principal, key }): Json<RegisterBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    let key = parsed(&key)?;
    app.handle.register_key(&caller.principal, principal.clone(), key).await?;
    Ok((StatusCode::CREATED, axum::Json(row(&principal, &key, false))))
}

/// `POST /keys/{key}/revoke` → `{principal, key, revoked}` (admin, or whose it is).
#[utoipa::path(
    post,
    path = "/keys/{key}/revoke",
    operation_id = "keys_revoke",
    tag = "people",
    summary = "Revoke a key",
    params(("key" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Key), crate::openapi::failures::Failures)
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(key): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let key = parsed(&key)?;
    let principal = app.handle.revoke_key(&caller.principal, key).await?;
    Ok(axum::Json(row(&principal, &key, true)))
}

fn parsed(key: &str) -> Result<UserKey, Problem> {
    key.parse().map_err(|error: placet_model::nkey::ParseUserKeyError| {
        Problem::malformed(format!("key: {error}"))
    })
}

fn row(principal: &Principal, key: &UserKey, revoked: bool) -> Value {
    json!({ "principal": principal, "key": key, "revoked": revoked })
}
