//! Manifests of the project: what is in force, and deploying one.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Json, Params};
use axum::extract::State;
use placet_executor::deploy::{InForce, Proposed};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// `GET /manifests` → `{trusted: [{operation, digest}]}`: reads of deployed manifests that an admin
/// trusts though their method could change something.
#[utoipa::path(
    get,
    path = "/manifests",
    operation_id = "manifests_list",
    tag = "workflows",
    summary = "List manifests in force",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Manifests), crate::openapi::failures::Failures)
)]
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    params.only(&[])?;
    let list = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        let in_force = InForce::read(&app.handle.view()?)?;
        let row = |(operation, digest)| json!({ "operation": operation, "digest": digest });
        let trusted: Vec<_> = in_force.trusted().map(row).collect();
        Ok(json!({ "providers": in_force.providers(), "trusted": trusted }))
    });
    Ok(axum::Json(list.await?))
}

/// A manifest, the schemas of the project that it names, and what is trusted in it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManifestBody {
    file: String,
    source: String,
    #[serde(default)]
    schemas: BTreeMap<String, String>,
    #[serde(default)]
    trust: BTreeSet<String>,
    #[serde(default)]
    dry_run: bool,
}

/// `POST /manifests` `{file, source, schemas?, trust?, dry_run?}` → `{change}`. Trusting a read
/// whose method could change something is an admin's act.
#[utoipa::path(
    post,
    path = "/manifests",
    operation_id = "manifests_deploy",
    tag = "workflows",
    summary = "Deploy a manifest",
    request_body = ManifestBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Changed), crate::openapi::failures::Failures)
)]
pub(super) async fn deploy(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<ManifestBody>,
) -> Answer {
    let ManifestBody { file, source, schemas, trust, dry_run } = body;
    let proposed = Proposed { file, source, schemas, trust };
    let change = if dry_run {
        let looked = reading(&app, move |app| {
            Ok(app.handle.manifest_change(&caller.principal, &proposed)?)
        });
        looked.await?
    } else {
        app.handle.deploy_manifest(&caller.principal, &proposed).await?
    };
    Ok(axum::Json(json!({ "change": change })))
}
