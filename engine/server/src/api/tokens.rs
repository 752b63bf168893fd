//! API tokens of `placet serve`: list, make, revoke. An admin's affair.

use super::Answer;
use super::paged::{PARAMS, paged};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use crate::tokens::{KnownToken, TokenError, Tokens};
use axum::extract::State;
use axum::http::StatusCode;
use placet_executor::world::World;
use placet_model::actor::Role;
use placet_model::{Principal, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /tokens?cursor=&limit=` → `{tokens: [{id, principal, roles, created_at, created_by,
/// expires_at}], next}`, oldest first.
#[utoipa::path(
    get,
    path = "/tokens",
    operation_id = "tokens_list",
    tag = "people",
    summary = "List tokens",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Tokens), crate::openapi::failures::Failures)
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(PARAMS)?;
    let tokens = for_admin(&app, &caller)?.all();
    let world = app.handle.world();
    let rows = tokens.iter().map(|token| {
        let made = u64::try_from(token.created_at.as_millis()).unwrap_or(0);
        (format!("{made:020} {}", token.id), row(&world, token))
    });
    Ok(axum::Json(paged(&params, "tokens", rows)?))
}

/// Whom a token is for.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IssueBody {
    #[schema(value_type = String)]
    principal: Principal,
    /// From then on it is nobody's.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// `POST /tokens` `{principal, expires_at?}` → 201 `{id, principal, roles, created_at, created_by,
/// expires_at, token}`: the only time that the token is shown. It may what its principal may by the
/// policy in force; who is to have less gets a principal of their own.
#[utoipa::path(
    post,
    path = "/tokens",
    operation_id = "tokens_issue",
    tag = "people",
    summary = "Make a token",
    request_body = IssueBody,
    responses((status = 201, description = "Done", body = crate::openapi::shapes::Token), crate::openapi::failures::Failures)
)]
pub(super) async fn issue(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(IssueBody { principal, expires_at }): Json<IssueBody>,
) -> Result<(StatusCode, axum::Json<Value>), Problem> {
    for_admin(&app, &caller)?;
    if !app.handle.world().policy.principals.contains_key(&principal) {
        return Err(Problem::new("PL3004", format!("the policy knows no principal {principal}")));
    }
    let by = caller.principal.clone();
    let world = app.handle.world();
    let issued = reading(&app, move |app| {
        let now = app.handle.now();
        if expires_at.is_some_and(|end| end <= now) {
            return Err(Problem::malformed("expires_at: it is over already"));
        }
        let issued = for_admin(app, &caller)?.issue(principal, Some(by), (now, expires_at));
        issued.map_err(|error| problem(&error))
    });
    let (known, token) = issued.await?;
    let mut answer = row(&world, &known);
    answer["token"] = json!(token.expose());
    Ok((StatusCode::CREATED, axum::Json(answer)))
}

/// `POST /tokens/{id}/revoke` → what it was.
#[utoipa::path(
    post,
    path = "/tokens/{id}/revoke",
    operation_id = "tokens_revoke",
    tag = "people",
    summary = "Revoke a token",
    params(("id" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Token), crate::openapi::failures::Failures)
)]
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(id): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let world = app.handle.world();
    let revoked = reading(&app, move |app| {
        for_admin(app, &caller)?.revoke(&id).map_err(|error| problem(&error))
    });
    Ok(axum::Json(row(&world, &revoked.await?)))
}

fn for_admin<'a>(app: &'a App, caller: &Caller) -> Result<&'a Tokens, Problem> {
    caller.demand_any(&app.handle.world(), &[Role::Admin])?;
    let none = "an engine of `placet dev` has one token, with which anybody may be acted as";
    app.access.tokens().ok_or_else(|| Problem::new("PL4012", none))
}

fn row(world: &World, token: &KnownToken) -> Value {
    let info = world.policy.principals.get(&token.principal);
    json!({
        "id": token.id,
        "principal": token.principal,
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
        "roles": info.map(|info| &info.roles).into_iter().flatten().collect::<Vec<_>>(),
    })
}

fn problem(error: &TokenError) -> Problem {
    match error {
        TokenError::Unknown { .. } => Problem::new("PL4012", error.to_string()),
        TokenError::TooMany => Problem::new("PL4007", error.to_string()),
        TokenError::Io { .. } | TokenError::Form { .. } => Problem::internal(error),
    }
}
