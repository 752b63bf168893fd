//! `/api/v1`: JSON in and out, `snake_case`, RFC 3339 times in UTC, ids with prefixes. Everything in
//! here needs a caller; GET reads one snapshot, POST answers after the commit.

mod actions;
mod audit;
pub(crate) mod authorize;
pub(crate) mod backup;
mod connect;
mod connections;
mod events;
mod evidence;
mod govern;
mod identity;
mod inbox;
mod integrations;
mod keys;
mod manifests;
mod policy;
mod projections;
mod revoke;
mod runs;
pub(crate) mod status;
mod tokens;
mod verbs;
mod versions;
mod words;
mod workflows;

pub(crate) use words::words;

use crate::app::App;
use crate::problem::Problem;
use axum::Json;
use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
use std::sync::Arc;

/// What most routes answer.
type Answer = Result<Json<Value>, Problem>;

/// The routes, below `/api/v1`.
pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/status", get(status::status))
        .route("/inbox", get(inbox::list))
        .route("/inbox/stats", get(inbox::stats))
        .route("/decisions/votes", post(inbox::votes))
        .route("/decisions/{id}", get(inbox::card))
        .route("/decisions/{id}/votes", post(inbox::vote))
        .route("/votes", post(inbox::signed))
        .route("/keys", get(keys::list).post(keys::register))
        .route("/keys/{key}/revoke", post(keys::revoke))
        .route("/actions", post(actions::act))
        .route("/actions/{decision}/withdraw", post(actions::withdraw))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/by-version", get(versions::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/retry", post(verbs::retry))
        .route("/runs/{id}/signal", post(verbs::signal))
        .route("/runs/{id}/migrate", post(verbs::migrate))
        .route("/workflows", get(workflows::list).post(workflows::deploy))
        .route("/manifests", get(manifests::list).post(manifests::deploy))
        .route("/tokens", get(tokens::list).post(tokens::issue))
        .route("/tokens/{id}/revoke", post(tokens::revoke))
        .route("/integrations", get(integrations::list).post(integrations::connect))
        .route("/integrations/{name}/authorize", post(authorize::begin))
        .route("/authorizations/{id}", get(authorize::stage))
        .route("/integrations/{name}", get(connections::show))
        .route("/integrations/{name}/test", post(connections::test))
        .route("/integrations/{name}/uses", get(connections::uses))
        .route("/integrations/{name}/rotate", post(connections::rotate))
        .route("/integrations/{name}/scope", post(connections::scope))
        .route("/integrations/{name}/enable", post(integrations::enable))
        .route("/integrations/{name}/disable", post(integrations::disable))
        .route("/integrations/{name}/disconnect", post(integrations::disconnect))
        .route("/pause", post(govern::pause))
        .route("/resume", post(govern::resume))
        .route("/policy", get(policy::show).post(govern::policy))
        .route("/policy/test", post(policy::test))
        .route("/policy/standing/{name}/endorse", post(policy::endorse))
        .route("/emergencies", get(policy::unreviewed))
        .route("/emergencies/{decision}/review", post(policy::review))
        .route("/backup", post(backup::make))
        .route("/erasures", post(govern::erase))
        .route("/compactions", post(govern::compact))
        .route("/audit/events", get(audit::events))
        .route("/audit/verify", post(audit::verify))
        .route("/audit/replay", get(audit::replay))
        .route("/audit/checkpoint", get(evidence::checkpoint).post(evidence::sign))
        .route("/audit/head", post(evidence::head))
        .route("/audit/consistency", get(evidence::consistency))
        .route("/audit/records", get(evidence::records))
        .route("/audit/receipts/{decision}", post(evidence::receipt))
        .route("/audit/story/{subject}", get(audit::story))
        .route("/projections", get(projections::status))
        .route("/projections/rebuild", post(projections::rebuild))
        .route("/projections/rebuild/cancel", post(projections::cancel))
        .route("/events", get(events::follow).post(verbs::publish))
}
