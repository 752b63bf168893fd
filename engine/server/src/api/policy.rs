//! The policy: what is in force, what another one would have asked for, votes given in advance, and
//! what was sent in an emergency.

use super::Answer;
use super::govern::checked;
use super::paged::{PARAMS, paged};
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::conditional;
use crate::extract::{Json, Nothing, Params, Place};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use placet_language::Source;
use placet_model::decision::Voter;
use placet_model::event::governance::Review;
use placet_model::policy::Policy;
use placet_model::{DecisionId, Digest};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /policy` → `{policy, endorsements}`; its `ETag` is what `If-Match` of a change names.
#[utoipa::path(
    get,
    path = "/policy",
    operation_id = "policy_show",
    tag = "policy",
    summary = "Show the policy",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::PolicyNow), crate::openapi::failures::Failures)
)]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Problem> {
    let Now { tag, policy, endorsements, .. } = now(&app, caller).await?;
    let body = axum::Json(json!({ "policy": *policy, "endorsements": endorsements }));
    Ok(([(header::ETAG, tag)], body).into_response())
}

/// The policy in force, for somebody who may read it.
pub(crate) async fn now(app: &Arc<App>, caller: Caller) -> Result<Now, Problem> {
    reading(app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        Now::read(app)
    })
    .await
}

/// The policy in force.
pub(crate) struct Now {
    pub(crate) policy: Arc<Policy>,
    /// Who has given which votes in advance: `[{standing, digest, by: [principal]}]`.
    pub(crate) endorsements: Vec<Value>,
    pub(super) digest: Option<Digest>,
    /// Of the policy, and of the votes that were given in advance under it.
    pub(super) tag: HeaderValue,
}

impl Now {
    pub(super) fn read(app: &App) -> Result<Self, Problem> {
        let digest = app.handle.policy_digest()?;
        let world = app.handle.world();
        let endorsements = world.policy.standing.iter().map(|standing| {
            let given = world.endorsements.get(&standing.digest());
            let by: Vec<_> = given.into_iter().flat_map(|given| given.keys()).collect();
            json!({ "standing": standing.name, "digest": standing.digest(), "by": by })
        });
        let endorsements: Vec<Value> = endorsements.collect();
        let all = json!([digest, endorsements]).to_string();
        let tag = conditional::tag(&Digest::of(all.as_bytes()));
        Ok(Self { policy: Arc::clone(&world.policy), endorsements, digest, tag })
    }
}

/// A policy that is tried out, on one request or on all of the log.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestBody {
    pub(crate) file: String,
    pub(crate) source: String,
    #[schema(value_type = Option<String>)]
    pub(crate) decision: Option<DecisionId>,
}

/// `POST /policy/test` `{file, source, decision?}` → `{summary, decisions, diagnostics}`. It appends
/// nothing.
#[utoipa::path(
    post,
    path = "/policy/test",
    operation_id = "policy_test",
    tag = "policy",
    summary = "Try a policy on past requests",
    request_body = TestBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::PolicyTried), crate::openapi::failures::Failures)
)]
pub(crate) async fn test(
    State(app): State<Arc<App>>,
    caller: Caller,
    Json(body): Json<TestBody>,
) -> Answer {
    caller.demand_reader(&app.handle.world())?;
    let answer = reading(&app, move |app| {
        let (policy, diagnostics) = checked(app, &Source::new(body.file, body.source))?;
        let mut answer = app.handle.simulate_policy(&policy, body.decision)?;
        answer["diagnostics"] = json!(diagnostics);
        Ok(answer)
    });
    Ok(axum::Json(answer.await?))
}

/// `POST /policy/standing/{name}/endorse` `{}` → `{standing, by}`: one's own vote, in advance.
#[utoipa::path(
    post,
    path = "/policy/standing/{name}/endorse",
    operation_id = "policy_endorse",
    tag = "policy",
    summary = "Vote in advance",
    params(("name" = String, Path)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Endorsed), crate::openapi::failures::Failures)
)]
pub(crate) async fn endorse(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(name): Place<String>,
    Nothing: Nothing,
) -> Answer {
    let voter = Voter { principal: caller.principal, assurance: caller.assurance };
    app.handle.endorse(&voter, &name).await?;
    Ok(axum::Json(json!({ "standing": name, "by": voter.principal })))
}

/// `GET /emergencies?cursor=&limit=` → `{items, next}`: what was sent in an emergency and nobody has looked at.
#[utoipa::path(
    get,
    path = "/emergencies",
    operation_id = "policy_unreviewed",
    tag = "policy",
    summary = "Emergencies nobody has looked at",
    params(("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u64>, Query, description = "rows of a page; all without it")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Emergencies), crate::openapi::failures::Failures)
)]
pub(crate) async fn unreviewed(
    State(app): State<Arc<App>>,
    caller: Caller,
    params: Params,
) -> Answer {
    let params = params.only(PARAMS)?;
    caller.demand_reader(&app.handle.world())?;
    let rows = reading(&app, move |app| Ok(app.handle.unreviewed()?)).await?;
    let items = rows.iter().map(|row| {
        let shown = json!({
                "decision": row.decision,
                "run": row.run,
                "operation": row.operation,
                "requester": row.requester,
                "by": row.votes.last().map(|(voter, ..)| voter),
                "at": row.votes.last().map(|(_, _, at)| at),
        });
        (row.decision.to_string(), shown)
    });
    Ok(axum::Json(paged(&params, "items", items)?))
}

/// What somebody says of an emergency.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    #[schema(value_type = String)]
    pub(crate) review: Review,
    pub(crate) reason: Option<String>,
}

/// `POST /emergencies/{decision}/review` `{review, reason?}` → `{decision, review}`.
#[utoipa::path(
    post,
    path = "/emergencies/{decision}/review",
    operation_id = "policy_review",
    tag = "policy",
    summary = "Review an emergency",
    params(("decision" = String, Path, pattern = "^dec_[0-9a-hjkmnp-tv-z]{26}$")),
    request_body = ReviewBody,
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Reviewed), crate::openapi::failures::Failures)
)]
pub(crate) async fn review(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(decision): Place<DecisionId>,
    Json(body): Json<ReviewBody>,
) -> Answer {
    let ReviewBody { review, reason } = body;
    app.handle.review(&caller.principal, (decision, review), reason).await?;
    Ok(axum::Json(json!({ "decision": decision, "review": review })))
}
