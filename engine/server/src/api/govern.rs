//! Pause, resume, policy.

use super::Answer;
use super::connect::vault_problem;
use super::workflows::Document;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::conditional;
use crate::extract::{Json, Nothing};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use placet_executor::backup::VAULT_FILE;
use placet_executor::erasure::Erase;
use placet_executor::govern::InPlaceOf;
use placet_language::{Diagnostic, Source, check_policy};
use placet_log::Compacted;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::Voter;
use placet_model::policy::{Policy, PrincipalInfo};
use placet_model::{Principal, RunId};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is to be paused or resumed: one integration, or everything.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) integration: Option<String>,
}

/// `POST /pause` `{integration?}` → `{paused: true, integration}`.
#[utoipa::path(
    post,
    path = "/pause",
    operation_id = "govern_pause",
    tag = "policy",
    summary = "Stop everything outbound, or one connection",
    request_body = Option<Which>,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Paused), crate::openapi::failures::Failures)
)]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(Which { integration }): Json<Which>,
) -> Answer {
    app.handle.pause(&caller.principal, integration.as_deref()).await?;
    Ok(axum::Json(json!({ "paused": true, "integration": integration })))
}

/// `POST /resume` `{integration?}` → `{paused: false, integration}`.
#[utoipa::path(
    post,
    path = "/resume",
    operation_id = "govern_resume",
    tag = "policy",
    summary = "Let it go on",
    request_body = Option<Which>,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Paused), crate::openapi::failures::Failures)
)]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(Which { integration }): Json<Which>,
) -> Answer {
    app.handle.resume(&caller.principal, integration.as_deref()).await?;
    Ok(axum::Json(json!({ "paused": false, "integration": integration })))
}

/// What is to be erased.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseBody {
    #[schema(value_type = Option<String>)]
    run: Option<RunId>,
    /// A value that identifies a person.
    subject: Option<String>,
    reason: Option<String>,
    /// Only say what would be erased.
    #[serde(default)]
    dry_run: bool,
}

/// `POST /erasures` `{run | subject, reason?, dry_run?}` → `{runs, events, payloads, backups_until,
/// position}`. A subject is content: it stands in no address and in no event.
#[utoipa::path(
    post,
    path = "/erasures",
    operation_id = "govern_erase",
    tag = "upkeep",
    summary = "Erase content",
    request_body = EraseBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Erasure), crate::openapi::failures::Failures)
)]
pub(crate) async fn erase(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<EraseBody>,
) -> Answer {
    let what = match (body.run, body.subject) {
        (Some(run), None) => Erase::Run(run),
        (None, Some(subject)) => Erase::Subject(subject),
        _ => return Err(Problem::malformed("give either `run` or `subject`")),
    };
    caller.demand_any(&app.handle.world(), &[Role::Operator, Role::Admin])?;
    let erasure = if body.dry_run {
        reading(&app, move |app| Ok(app.handle.erasure(&what)?)).await?
    } else {
        app.handle.erase(&caller.principal, &what, body.reason).await?
    };
    Ok(axum::Json(serde_json::to_value(erasure).map_err(|error| Problem::internal(&error))?))
}

/// `POST /compactions` `{}` → `{before, after, paused_ms}`: bytes of the log's files, and the longest
/// time for which appends had to wait. The vault is packed as well.
#[utoipa::path(
    post,
    path = "/compactions",
    operation_id = "govern_compact",
    tag = "upkeep",
    summary = "Give space back",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Compacted), crate::openapi::failures::Failures)
)]
pub(crate) async fn compact(
    State(app): State<Arc<App>>,
    caller: Caller,
    Nothing: Nothing,
) -> Answer {
    let Compacted { before, after, paused } = app.handle.compact(&caller.principal).await?;
    pack_vault(&app).await?;
    let paused = u64::try_from(paused.as_millis()).unwrap_or(u64::MAX);
    Ok(axum::Json(json!({ "before": before, "after": after, "paused_ms": paused })))
}

/// The open vault; in sandbox mode its file, which nobody else opens while we have the data.
async fn pack_vault(app: &Arc<App>) -> Result<(), Problem> {
    let packed = reading(app, |app| {
        let file = app.handle.log().directory().map(|data| data.join(VAULT_FILE));
        let packed = match (&app.vault, file.filter(|file| file.exists())) {
            (Some(vault), _) => vault.compact(),
            (None, Some(file)) => placet_vault::compact(&file),
            (None, None) => Ok(()),
        };
        packed.map_err(|error| vault_problem(&error))
    });
    packed.await
}

/// `POST /policy` `{file, source}` → `{digest, diagnostics}`; with errors, a problem that carries
/// all diagnostics. The people of the project stay; those of the file are added to them, in `dev`
/// the members of its groups as well. With `If-Match` it takes the place of that policy and of no other.
#[utoipa::path(
    post,
    path = "/policy",
    operation_id = "govern_policy",
    tag = "policy",
    summary = "Apply a policy",
    request_body = Document,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::PolicyApplied), crate::openapi::failures::Failures)
)]
pub(crate) async fn policy(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    Json(document): Json<Document>,
) -> Answer {
    let stood = if headers.contains_key(header::IF_MATCH) {
        reading(&app, move |app| as_named(app, &headers)).await?
    } else {
        InPlaceOf::Whatever
    };
    let source = Source::new(document.file, document.source);
    let (policy, diagnostics) = reading(&app, move |app| checked(app, &source)).await?;
    let voter = Voter { principal: caller.principal, assurance: caller.assurance };
    let digest = app.handle.apply_policy_over(&voter, policy, stood).await?;
    Ok(axum::Json(json!({ "digest": digest, "diagnostics": diagnostics })))
}

/// The policy in force, where it is the one that `If-Match` names.
fn as_named(app: &App, headers: &HeaderMap) -> Result<InPlaceOf, Problem> {
    let now = super::policy::Now::read(app)?;
    if conditional::is_named(headers, header::IF_MATCH.as_str(), &now.tag) {
        return Ok(now.digest.map_or(InPlaceOf::Nothing, InPlaceOf::Policy));
    }
    let detail = "If-Match names another policy than the one in force: read it again";
    Err(Problem::new("PL4075", detail))
}

/// A policy as a file proposes it, with the people of the project.
pub(crate) fn checked(app: &App, source: &Source) -> Result<(Policy, Vec<Diagnostic>), Problem> {
    let world = app.handle.world();
    let known = &world.policy.principals;
    let people = if app.access.is_dev() { with_members(source, known) } else { known.clone() };
    let people = (!known.is_empty()).then_some(&people);
    match check_policy(source, people) {
        (Some(policy), diagnostics) => Ok((policy, diagnostics)),
        (None, diagnostics) => Err(Problem::findings(diagnostics)),
    }
}

/// The people of the project, and a user for every member of a group who is none yet: in `dev` a
/// name that stands in a group need not be listed as a principal.
fn with_members(
    source: &Source,
    known: &BTreeMap<Principal, PrincipalInfo>,
) -> BTreeMap<Principal, PrincipalInfo> {
    let mut people = known.clone();
    // with nobody known no name is missed, so the groups can be read
    let (proposed, _findings) = check_policy(source, None);
    for member in proposed.iter().flat_map(|policy| policy.groups.values()).flatten() {
        let roles = BTreeSet::from([Role::Approver]);
        let user = PrincipalInfo { kind: PrincipalKind::User, roles };
        people.entry(member.clone()).or_insert(user);
    }
    people
}
