//! The life of an integration: test, uses, rotate, scope. The engine does it; this is the door.

use super::Answer;
use super::connect::credential;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_executor::connections::{Account, Rotate, features};
use placet_executor::public::rows;
use placet_model::integration::UseScope;
use placet_model::{Principal, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /integrations/{name}` → the integration, its features, when it was last heard of, and what
/// has happened to it last.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    caller.known(&app.handle.world())?;
    let shown = reading(&app, move |app| shown(app, &name));
    Ok(axum::Json(shown.await?))
}

fn shown(app: &App, name: &str) -> Result<Value, Problem> {
    let integration = app.handle.named(name)?;
    let world = app.handle.world();
    let mut row =
        rows::integration(&integration, world.paused_integrations.contains(&integration.id));
    let manifest = app.handle.adapters().manifest(&integration.provider);
    let scopes = (!integration.scopes.is_empty()).then_some(&integration.scopes[..]);
    let features = manifest.map(|manifest| features(manifest, scopes)).unwrap_or_default();
    let (heard, good) = app.handle.heard_of(integration.id)?;
    row["features"] = json!(features);
    row["tested_at"] = json!(heard);
    row["drift"] = json!(app.handle.drift_of(integration.id)?);
    row["tested_ok"] = json!(heard.map(|_at: Timestamp| good));
    Ok(row)
}

/// `POST /integrations/{name}/test` → what the provider says of it; a refusal is `ok: false`.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let tested = app.handle.test_integration(&caller.principal, &name).await?;
    Ok(axum::Json(json!(tested)))
}

/// `GET /integrations/{name}/uses` → what depends on it.
pub(super) async fn uses(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    let uses = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        Ok(json!(app.handle.uses(&name)?))
    });
    Ok(axum::Json(uses.await?))
}

/// What `POST /integrations/{name}/rotate` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotateBody {
    /// Field names and secrets; what is left out stays as it is.
    #[serde(default)]
    credential: Value,
    /// `same` or `new`, where the provider is not to say.
    account: Option<String>,
}

/// `POST /integrations/{name}/rotate` → the version in force and whose it is.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Json(body): Json<RotateBody>,
) -> Answer {
    let account = match body.account.as_deref() {
        None => Account::Unsaid,
        Some("same") => Account::Same,
        Some("new") => Account::New,
        Some(other) => {
            return Err(Problem::malformed(format!("account: {other:?} is neither same nor new")));
        }
    };
    let needed = || Problem::malformed("credential: the new fields are needed");
    let fields = credential(None, &body.credential)?.ok_or_else(needed)?;
    let rotate = Rotate { fields, account };
    Ok(axum::Json(json!(app.handle.rotate(&caller.principal, &name, rotate).await?)))
}

/// What `POST /integrations/{name}/scope` takes: the scope as a whole; nothing is the whole project.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeBody {
    workstream: Option<String>,
    space: Option<String>,
    visibility: Option<String>,
    #[serde(default)]
    agents: Vec<Principal>,
}

/// `POST /integrations/{name}/scope` → the integration.
pub(super) async fn scope(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Json(body): Json<ScopeBody>,
) -> Answer {
    let ScopeBody { workstream, space, visibility, agents } = body;
    let visibility = visibility.map(|word| word.parse()).transpose();
    let visibility =
        visibility.map_err(|error| Problem::malformed(format!("visibility: {error}")))?;
    let scope = UseScope { workstream, space, visibility, agents };
    let integration = app.handle.scope_integration(&caller.principal, &name, scope).await?;
    let paused = app.handle.world().paused_integrations.contains(&integration.id);
    Ok(axum::Json(rows::integration(&integration, paused)))
}
