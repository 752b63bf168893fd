//! `/api/v1`: JSON in and out, `snake_case`, RFC 3339 times in UTC, ids with prefixes. Everything in
//! here needs a caller; GET reads one snapshot, POST answers after the commit.

mod actions;
mod answers;
pub(crate) mod audit;
pub(crate) mod authorize;
pub(crate) mod backup;
pub(crate) mod connect;
pub(crate) mod connections;
mod events;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod govern;
mod identity;
pub(crate) mod inbox;
pub(crate) mod integrations;
mod keys;
mod manifests;
mod paged;
pub(crate) mod passkeys;
pub(crate) mod policy;
mod projections;
mod revoke;
pub(crate) mod runs;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod subscriptions;
mod tokens;
pub(crate) mod triggers;
mod vault;
pub(crate) mod verbs;
pub(crate) mod versions;
mod words;
pub(crate) mod workflows;

pub(crate) use words::words;

use crate::app::App;
use crate::openapi;
use crate::problem::Problem;
use axum::Json;
use axum::Router;
use axum::routing::get;
use serde_json::Value;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What most routes answer.
pub(crate) type Answer = Result<Json<Value>, Problem>;

/// How it stands, and how it went.
fn of_the_engine() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(status::status))
        .routes(routes!(figures::stats))
}

/// The routes below `/api/v1`, each with its description.
pub(crate) fn routes() -> Router<Arc<App>> {
    let described = of_the_engine()
        .routes(routes!(inbox::list))
        .routes(routes!(inbox::stats))
        .routes(routes!(inbox::votes))
        .routes(routes!(inbox::card))
        .routes(routes!(inbox::vote))
        .routes(routes!(inbox::signed))
        .routes(routes!(keys::list, keys::register))
        .routes(routes!(keys::revoke))
        .routes(routes!(passkeys::list, passkeys::enrol))
        .routes(routes!(passkeys::options))
        .routes(routes!(passkeys::confirm))
        .routes(routes!(passkeys::revoke))
        .routes(routes!(passkeys::sign))
        .routes(routes!(actions::act))
        .routes(routes!(actions::withdraw))
        .merge(of_runs())
        .routes(routes!(workflows::list, workflows::deploy))
        .routes(routes!(manifests::list, manifests::deploy))
        .routes(routes!(tokens::list, tokens::issue))
        .routes(routes!(tokens::revoke))
        .routes(routes!(integrations::list, integrations::connect))
        .routes(routes!(authorize::begin))
        .routes(routes!(authorize::stage))
        .merge(of_connections())
        .routes(routes!(subscriptions::list, subscriptions::set))
        .routes(routes!(subscriptions::sync))
        .routes(routes!(integrations::enable))
        .routes(routes!(integrations::disable))
        .routes(routes!(integrations::disconnect))
        .routes(routes!(govern::pause))
        .routes(routes!(govern::resume))
        .routes(routes!(policy::show, govern::policy))
        .routes(routes!(policy::test))
        .routes(routes!(policy::endorse))
        .routes(routes!(policy::unreviewed))
        .routes(routes!(policy::review))
        .routes(routes!(vault::status))
        .routes(routes!(vault::rotate))
        .routes(routes!(backup::make))
        .routes(routes!(govern::erase))
        .routes(routes!(govern::compact))
        .routes(routes!(audit::events))
        .routes(routes!(audit::verify, audit::verifying))
        .routes(routes!(audit::replay))
        .routes(routes!(evidence::checkpoint, evidence::sign))
        .routes(routes!(evidence::head))
        .routes(routes!(evidence::consistency))
        .routes(routes!(evidence::records))
        .routes(routes!(evidence::receipt))
        .routes(routes!(audit::story))
        .routes(routes!(projections::status))
        .routes(routes!(projections::rebuild))
        .routes(routes!(projections::cancel))
        .routes(routes!(events::follow, verbs::publish));
    let (router, api) =
        OpenApiRouter::with_openapi(openapi::base()).nest("/api/v1", described).split_for_parts();
    openapi::keep(api);
    router.route("/api/v1/openapi.json", get(openapi::document))
}

/// What becomes of a connection after it was made.
fn of_connections() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(connections::show))
        .routes(routes!(connections::test))
        .routes(routes!(connections::uses))
        .routes(routes!(connections::rotate))
        .routes(routes!(connections::scope))
        .routes(routes!(connections::pair))
        .routes(routes!(steps::complete))
        .routes(routes!(triggers::list, triggers::set))
}

fn of_runs() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(runs::list, runs::start))
        .routes(routes!(versions::list))
        .routes(routes!(runs::show))
        .routes(routes!(runs::cancel))
        .routes(routes!(answers::list))
        .routes(routes!(verbs::retry))
        .routes(routes!(verbs::signal))
        .routes(routes!(verbs::migrate))
}
