//! Workflows: list, check and deploy.

use super::Answer;
use super::paged::{PARAMS, paged};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::documents::Documents;
use crate::extract::{Json, Params};
use crate::problem::Problem;
use axum::extract::State;
use placet_language::{Checked, Diagnostic, DocumentAt, Environment, Scopes, Source};
use placet_model::Digest;
use placet_model::integration::IntegrationStatus;
use placet_model::plan::Plan;
use placet_projections::Views;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /workflows?cursor=&limit=` → `{workflows: [{workflow, name, version, plan_digest,
/// deployed_at}], next}`: every deployment, by name, the latest first.
#[utoipa::path(
    get,
    path = "/workflows",
    operation_id = "workflows_list",
    tag = "workflows",
    summary = "List deployments",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Workflows), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(PARAMS)?;
    let list = reading(&app, move |app| {
        caller.known(&app.handle.world())?;
        let view = app.handle.view()?;
        let rows = Views::new(&view)?.workflows()?.into_iter().map(|row| {
            let age = u64::MAX - u64::try_from(row.deployed_at.as_millis()).unwrap_or(0);
            let key = format!("{} {age:020} {}", row.family, row.plan_digest);
            let row = json!({
                "workflow": format!("{}@{}", row.family, row.version),
                "name": row.family,
                "version": row.version,
                "plan_digest": row.plan_digest,
                "deployed_at": row.deployed_at,
            });
            (key, row)
        });
        paged(&params, "workflows", rows)
    });
    Ok(axum::Json(list.await?))
}

/// A document and what to call it in findings.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(super) file: String,
    pub(super) source: String,
}

/// A workflow that is to be deployed, or only to be looked at.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeployBody {
    file: String,
    source: String,
    /// Text of the project's files that the workflow names as documents, by the name there, and of the
    /// functions of catalogs that it calls, by their paths in the project.
    #[serde(default)]
    documents: BTreeMap<String, String>,
    #[serde(default)]
    dry_run: bool,
}

/// `POST /workflows` `{file, source, documents?, dry_run?}` → `{workflow, plan_digest, diagnostics,
/// change}`; with errors, a problem that carries all diagnostics. With `dry_run` nothing is recorded.
#[utoipa::path(
    post,
    path = "/workflows",
    operation_id = "workflows_deploy",
    tag = "workflows",
    summary = "Deploy a workflow",
    request_body = DeployBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Deployed), crate::openapi::failures::Failures)
)]
pub(super) async fn deploy(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(DeployBody { file, source, documents, dry_run }): Json<DeployBody>,
) -> Answer {
    // first: what is in the project is told to those who may
    app.handle.demand_deployer(&caller.principal)?;
    let (plan, diagnostics) =
        check_with(&app, Source::new(file, source.as_str()), documents).await?;
    let change = if dry_run {
        let looked = reading(&app, move |app| {
            Ok(app.handle.workflow_change(&caller.principal, &plan, &source)?)
        });
        looked.await?
    } else {
        app.handle.deploy_workflow(&caller.principal, plan, &source).await?
    };
    Ok(axum::Json(json!({
        "workflow": change.name,
        "plan_digest": change.digest,
        "diagnostics": diagnostics,
        "change": change,
    })))
}

/// Reads a document against the project as it is. Gives the plan and its warnings.
pub(super) async fn check(
    app: &Arc<App>,
    file: &str,
    text: &str,
) -> Result<(Plan, Vec<Diagnostic>), Problem> {
    check_with(app, Source::new(file, text), BTreeMap::new()).await
}

/// What can be said of a document without asking anybody for those that it names.
pub(crate) async fn look(app: &Arc<App>, source: Source) -> Result<Vec<Diagnostic>, Problem> {
    let (checked, _, _) = check_once(app, source, Documents::default()).await?;
    Ok(Documents::unread(checked).diagnostics)
}

/// The same as [`check`], with the text of files that it names as documents or calls as functions of catalogs. Those at URLs are fetched, in live
/// mode; without one of its documents a workflow is refused.
async fn check_with(
    app: &Arc<App>,
    source: Source,
    files: BTreeMap<String, String>,
) -> Result<(Plan, Vec<Diagnostic>), Problem> {
    let (mut checked, mut source, mut documents) =
        check_once(app, source, Documents::default()).await?;
    while documents.add_functions(&checked, |path| files.get(path).cloned().map(Ok)) {
        (checked, source, documents) = check_once(app, source, documents).await?;
    }
    checked = documents.settle(&source, checked);
    if checked.missing_documents().next().is_some() {
        take(&mut documents, &checked, &files);
        documents.fetch(&checked, app.handle.adapters(), app.live.as_deref()).await;
        let (again, source, documents) = check_once(app, source, documents).await?;
        checked = documents.settle(&source, again);
    }
    match checked.plan {
        Some(plan) => Ok((plan, checked.diagnostics)),
        None => Err(Problem::findings(checked.diagnostics)),
    }
}

/// The files among the documents that a check lacks.
fn take(documents: &mut Documents, checked: &Checked, files: &BTreeMap<String, String>) {
    for document in checked.missing_documents() {
        let DocumentAt::File(_) = document.at else { continue };
        if let Some(text) = files.get(&document.name) {
            documents.add(document, text);
        } else {
            let reason = "it is a file, and its text was not sent along".to_owned();
            let help = "deploy with `placet deploy`, or send the text in `documents`, by this name";
            documents.refuse(document, reason, help);
        }
    }
}

async fn check_once(
    app: &Arc<App>,
    source: Source,
    documents: Documents,
) -> Result<(Checked, Source, Documents), Problem> {
    reading(app, move |app| {
        let world = app.handle.world();
        let connected = world
            .integrations
            .values()
            .filter(|integration| integration.status != IntegrationStatus::Disconnected)
            .map(|integration| (integration.name.clone(), integration.provider.clone()));
        let integrations: BTreeMap<String, String> = connected.collect();
        let scopes = Scopes::of(world.integrations.values());
        let silent = app.handle.silent_triggers()?;
        let adapters = app.handle.adapters();
        let mut catalogue = adapters.catalogue();
        documents.put_into(&mut catalogue);
        let has_people = !world.policy.principals.is_empty();
        let environment = Environment {
            catalogue: &catalogue,
            integrations: Some(&integrations),
            scopes: Some(&scopes),
            silent: Some(&silent),
            policy: has_people.then_some(&*world.policy),
            schemas: adapters.registry(),
        };
        let checked = placet_language::check(&source, &environment);
        Ok((checked, source, documents))
    })
    .await
}

/// A workflow as it was deployed: its plan, and the text that it was made of.
pub(crate) async fn deployed(
    app: &Arc<App>,
    caller: Caller,
    name: String,
) -> Result<(Digest, Plan, String), Problem> {
    reading(app, move |app| {
        caller.known(&app.handle.world())?;
        let digest = latest(app, &name)?;
        let view = app.handle.view()?;
        let views = Views::new(&view)?;
        let unknown = || Problem::new("PL4002", format!("no workflow {name} is deployed"));
        let at = views.plan(digest)?.ok_or_else(unknown)?;
        let plan = view.payload(&at.stream, at.payload)?;
        let plan = serde_json::from_slice(plan.as_bytes());
        let at = views.source(digest)?.ok_or_else(unknown)?;
        let source = view.payload(&at.stream, at.payload)?;
        let source = String::from_utf8_lossy(source.as_bytes()).into_owned();
        Ok((digest, plan.map_err(|error| Problem::internal(&error))?, source))
    })
    .await
}

/// The plan that `namespace/name` (its latest deployment) or `namespace/name@version` means.
pub(super) fn latest(app: &App, name: &str) -> Result<Digest, Problem> {
    let (family, version) = match name.split_once('@') {
        Some((family, version)) => (family, Some(version)),
        None => (name, None),
    };
    let view = app.handle.view()?;
    let rows = Views::new(&view)?.workflows()?;
    let found = rows
        .into_iter()
        .find(|row| row.family == family && version.is_none_or(|version| row.version == version));
    let unknown = || Problem::new("PL4002", format!("no workflow {name} is deployed"));
    found.map(|row| row.plan_digest).ok_or_else(unknown)
}
