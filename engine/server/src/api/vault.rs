//! The vault: which key seals how many records, and a new key in its place. No key ever comes here.

use super::Answer;
use super::connect::vault_problem;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Nothing, Params};
use crate::problem::Problem;
use axum::extract::State;
use placet_executor::rotations::ROLES;
use placet_model::Actor;
use placet_model::actor::Role;
use placet_vault::{Rotated, Vault};
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /vault` → `{key, records: [{key, records, out_of_reach}], rotating}` (operator, admin). While a
/// rotation is under way, what is left to do stands under the keys of before.
#[utoipa::path(
    get,
    path = "/vault",
    operation_id = "vault_status",
    tag = "upkeep",
    summary = "How the vault is sealed",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Vault), crate::openapi::failures::Failures)
)]
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    params.only(&[])?;
    caller.demand_any(&app.handle.world(), &[Role::Operator, Role::Admin])?;
    let vault = vault_of(&app)?;
    let sealing = reading(&app, move |_| vault.sealing().map_err(|error| vault_problem(&error)));
    let sealing = sealing.await?;
    let records = sealing.records.iter().map(|(key, count)| {
        let out_of_reach = sealing.out_of_reach.contains(key);
        json!({ "key": key.to_string(), "records": count, "out_of_reach": out_of_reach })
    });
    let records: Vec<Value> = records.collect();
    let (key, rotating) = (sealing.key.to_string(), sealing.is_under_way());
    Ok(axum::Json(json!({ "key": key, "records": records, "rotating": rotating })))
}

/// `POST /vault/rotate` `{}` → `{key, moved, stuck}` (operator, admin), when it is through.
#[utoipa::path(
    post,
    path = "/vault/rotate",
    operation_id = "vault_rotate",
    tag = "upkeep",
    summary = "Seal it by a new key",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::VaultRotated), crate::openapi::failures::Failures)
)]
pub(super) async fn rotate(State(app): State<Arc<App>>, caller: Caller, _: Nothing) -> Answer {
    caller.demand_any(&app.handle.world(), &ROLES)?;
    let vault = vault_of(&app)?;
    let by = Actor::Principal(caller.principal.clone());
    // whoever asked may be gone before it is through: it goes into the log all the same
    let rotating = tokio::spawn(async move {
        let (sealing, asked) = (Arc::clone(&vault), by.clone());
        let rotated = reading(&app, move |_| {
            let mut tell = |step| tracing::info!(?step, "the vault is sealed by a new key");
            sealing.rotate(&asked, &mut tell).map_err(|error| vault_problem(&error))
        });
        let rotated = rotated.await?;
        app.handle.vault_rotated(by, (&vault, &rotated)).await?;
        Ok::<_, Problem>(rotated)
    });
    let rotated = rotating.await.map_err(|error| Problem::internal(&error))??;
    let Rotated { key, moved, stuck, .. } = rotated;
    let by = &caller.principal;
    tracing::warn!(%by, %key, moved, "the vault is sealed by a new key");
    Ok(axum::Json(json!({ "key": key.to_string(), "moved": moved, "stuck": stuck })))
}

fn vault_of(app: &App) -> Result<Arc<Vault>, Problem> {
    app.vault.clone().ok_or_else(|| {
        let detail = "an engine in sandbox mode keeps no credentials: start it with --mode live";
        Problem::new("PL4011", detail.to_owned())
    })
}
