//! The life of an integration: test, uses, rotate, scope. The engine does it; this is the door.

use super::connect::credential;
use super::{Answer, authorize};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use placet_adapters::Manifest;
use placet_executor::connections::{Account, GRACE, GRACE_MAX, Rotate, features};
use placet_executor::public::rows;
use placet_model::integration::{Integration, UseScope};
use placet_model::{Principal, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// `GET /integrations/{name}` → the integration, its features, when it was last heard of, and what
/// has happened to it last.
#[utoipa::path(
    get,
    path = "/integrations/{name}",
    operation_id = "connections_show",
    tag = "integrations",
    summary = "Show a connection",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Integration), crate::openapi::failures::Failures)
)]
pub(crate) async fn show(
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

/// The page of an integration, after it was connected as well.
pub(super) fn shown(app: &App, name: &str) -> Result<Value, Problem> {
    let integration = app.handle.named(name)?;
    let world = app.handle.world();
    let mut row =
        rows::integration(&integration, world.paused_integrations.contains(&integration.id));
    let manifest = app.handle.adapters().manifest(&integration.provider);
    let scopes = (!integration.scopes.is_empty()).then_some(&integration.scopes[..]);
    let features = manifest.map(|manifest| features(manifest, scopes)).unwrap_or_default();
    let (heard, good) = app.handle.heard_of(integration.id)?;
    row["features"] = json!(features);
    row["hook"] = manifest.map_or(Value::Null, |manifest| hook(app, manifest, &integration));
    let has_modes = manifest.is_some_and(|manifest| manifest.mode_from().is_some());
    row["credential_mode"] = json!(integration.identity.mode().filter(|_| has_modes));
    row["triggers"] = json!(app.handle.triggers_of(name)?);
    row["tested_at"] = json!(heard);
    row["warnings"] = json!(app.handle.warnings(&integration)?);
    row["pending"] = json!(app.handle.missing(&integration));
    row["pairing"] = json!(app.handle.pairing(integration.id)?);
    row["drift"] = json!(app.handle.drift_of(integration.id)?);
    row["tested_ok"] = json!(heard.map(|_at: Timestamp| good));
    Ok(row)
}

/// Where its provider posts to, and whether there is something to believe it by.
fn hook(app: &App, manifest: &Manifest, integration: &Integration) -> Value {
    let Some(inbound) = manifest.inbound() else { return Value::Null };
    let (id, version) = (integration.id, integration.credential_version);
    let fields = app.vault.as_ref().and_then(|vault| vault.fields(id, version).ok());
    let proof = inbound.key_field();
    let events: Vec<&str> = inbound.events().map(|(kind, _)| kind).collect();
    let path = format!("/hooks/{}/{}", integration.provider, integration.name);
    json!({
        "url": authorize::base(app, None).map(|base| format!("{base}{path}")).ok(),
        "proof": proof,
        "believed": fields.is_some_and(|fields| fields.iter().any(|field| field == proof)),
        "events": events,
    })
}

/// `POST /integrations/{name}/test` → what the provider says of it; a refusal is `ok: false`.
#[utoipa::path(
    post,
    path = "/integrations/{name}/test",
    operation_id = "connections_test",
    tag = "integrations",
    summary = "Ask the provider whose it is",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Tested), crate::openapi::failures::Failures)
)]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let tested = app.handle.test_integration(&caller.principal, &name).await?;
    Ok(axum::Json(json!(tested)))
}

/// `GET /integrations/{name}/uses` → what depends on it.
#[utoipa::path(
    get,
    path = "/integrations/{name}/uses",
    operation_id = "connections_uses",
    tag = "integrations",
    summary = "What depends on it",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Uses), crate::openapi::failures::Failures)
)]
pub(crate) async fn uses(
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

/// `POST /integrations/{name}/pair` → what is to be sent to the provider, and until when it counts.
#[utoipa::path(
    post,
    path = "/integrations/{name}/pair",
    operation_id = "connections_pair",
    tag = "integrations",
    summary = "Pair it with whoever sends a code",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::PairingOffer), crate::openapi::failures::Failures)
)]
pub(crate) async fn pair(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let offer = app.handle.offer_pairing(&caller.principal, &name).await?;
    Ok(axum::Json(json!(offer)))
}

/// What `POST /integrations/{name}/rotate` takes.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateBody {
    /// Field names and secrets; what is left out stays as it is.
    #[serde(default)]
    credential: Value,
    /// `same` or `new`, where the provider is not to say.
    account: Option<String>,
    /// For how many hours what comes in may still be signed with the secret of before; a day if not said.
    grace_hours: Option<u16>,
}

/// `POST /integrations/{name}/rotate` → the version in force and whose it is.
#[utoipa::path(
    post,
    path = "/integrations/{name}/rotate",
    operation_id = "connections_rotate",
    tag = "integrations",
    summary = "Give it a new credential",
    params(("name" = String, Path)),
    request_body = RotateBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Rotated), crate::openapi::failures::Failures)
)]
pub(crate) async fn rotate(
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
    let hours = |hours: u16| Duration::from_secs(u64::from(hours) * 3600);
    let grace = body.grace_hours.map_or(GRACE, hours);
    if grace > GRACE_MAX {
        return Err(Problem::malformed("grace_hours: a week (168) is the most"));
    }
    let rotate = Rotate { fields, account, grace };
    Ok(axum::Json(json!(app.handle.rotate(&caller.principal, &name, rotate).await?)))
}

/// What `POST /integrations/{name}/scope` takes: the scope as a whole; nothing is the whole project.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeBody {
    workstream: Option<String>,
    space: Option<String>,
    visibility: Option<String>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    agents: Vec<Principal>,
}

/// `POST /integrations/{name}/scope` → the integration.
#[utoipa::path(
    post,
    path = "/integrations/{name}/scope",
    operation_id = "connections_scope",
    tag = "integrations",
    summary = "Say where it may be used",
    params(("name" = String, Path)),
    request_body = ScopeBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Integration), crate::openapi::failures::Failures)
)]
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
