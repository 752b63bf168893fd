//! The console: pages made on the server, which read and decide by links and plain forms alone. The
//! scripts only make them livelier: they fetch a part of a page again when something has happened,
//! and take keys.
//!
//! Nothing is decided here. A page shows what a function of [`crate::api`] answers, and a form ends
//! in one of them, so that the console, the API and NATS know one gate. Invariants: every GET changes
//! nothing; every form carries the token of its session ([`form::Form`] takes none without); every
//! value in a template is escaped, and text from outside is a [`text::Line`] or [`text::Block`],
//! which write hidden characters out; no page loads anything of another origin or runs a script
//! that stands in it.
//!
//! How a page is added:
//! 1. A handler `async fn page(State(app), viewer: Viewer, params: Params) -> Shown`. Ask
//!    `crate::api::…` with `viewer.caller`, read the answer into structs by [`text::read`], and end in
//!    [`shell::shown`].
//! 2. A struct with `shell: Shell` and `#[derive(Template)] #[template(path = "x.html", blocks =
//!    ["live"])]`. The template extends `layout.html`, fills `main`, and within it has a block `live`
//!    around `<div id="live" …>{% include "live.html" %}`: what is fetched again when something has
//!    happened.
//! 3. A form is `<form method="post" action="…">{% include "form.html" %}…`; its handler takes
//!    [`form::Form`], asks the API's function with `form.caller()`, and ends in
//!    [`form::see_other`]. Without a script the browser follows; with one it does the same.
//! 4. The route stands in [`routes`], the entry of the navigation in [`shell::Section`].
//!
//! Errors are problems as everywhere; [`fault`] says them in words to whoever asks for HTML. Pages
//! of a list take a cursor and are led on by [`list::Pages`].

mod act_as;
pub(crate) mod assets;
mod audit;
mod bulk;
mod card;
mod charts;
mod edit;
pub(crate) mod fault;
mod fields;
mod first;
mod form;
mod govern;
mod inbox;
mod integrations;
mod list;
mod live;
mod policy;
mod run;
mod runs;
mod shell;
mod text;
mod times;
mod viewer;
mod workflows;
mod you;

pub(crate) use act_as::acting;
pub(crate) use form::is_local;

use crate::app::App;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use std::sync::Arc;

/// Every page and every form.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(inbox::home))
        .route("/inbox", get(inbox::list))
        .route("/inbox/bulk", post(bulk::decide))
        .route("/inbox/{id}", get(card::page).post(card::decide))
        .route("/inbox/{id}/raw", get(card::raw))
        .route("/inbox/{id}/part/{number}", get(card::part))
        .route("/inbox/{id}/edit", get(edit::page).post(edit::save))
        .route("/inbox/{id}/check", post(edit::check))
        .route("/runs", get(runs::list))
        .route("/runs/{run}", get(run::page))
        .route("/runs/{run}/graph.svg", get(run::graph))
        .route("/runs/{run}/cancel", post(run::cancel))
        .route("/runs/{run}/retry", post(run::retry))
        .route("/runs/{run}/signal", post(run::signal))
        .route("/first", get(first::page).post(first::start))
        .route("/charts", get(charts::page))
        .route("/audit", get(audit::page))
        .route("/audit/story/{subject}", get(audit::story))
        .route("/audit/verify", post(audit::verify))
        .route("/audit/proof", get(audit::proof))
        .route("/policy", get(policy::page))
        .route("/policy/test", post(policy::test))
        .route("/policy/endorse", post(policy::endorse))
        .route("/policy/review", post(policy::review))
        .merge(connections())
        .route("/workflows", get(workflows::list))
        .route("/workflows/{namespace}/{name}", get(workflows::show))
        .route("/workflows/{namespace}/{name}/graph.svg", get(workflows::graph))
        .route("/workflows/{namespace}/{name}/start", post(workflows::start))
        .route("/you", get(you::page))
        .route("/you/named", post(you::named))
        .route("/you/logout", post(you::log_out))
        .route("/you/logout-everywhere", post(you::log_out_everywhere))
        .route("/you/passkeys/{id}/confirm", post(you::confirm))
        .route("/you/passkeys/{id}/revoke", post(you::revoke))
        .route("/console/live", get(live::follow))
        .route("/console/state", get(govern::state))
        .route("/console/pause", post(govern::pause))
        .route("/console/resume", post(govern::resume))
        .route("/console/as", post(act_as::choose))
        .layer(from_fn_with_state(Arc::clone(app), acting))
        .route("/assets/{mark}/{name}", get(assets::asset))
}

fn connections() -> Router<Arc<App>> {
    Router::new()
        .route("/integrations", get(integrations::list))
        .route("/integrations/{name}", get(integrations::show))
        .route("/integrations/{name}/test", post(integrations::test))
        .route("/integrations/{name}/sync", post(integrations::sync))
        .route("/integrations/{name}/switch", post(integrations::switch))
        .route("/integrations/{name}/complete", post(integrations::complete))
        .route("/integrations/{name}/rotate", post(integrations::rotate))
        .route("/integrations/{name}/settings", get(integrations::editing).post(integrations::edit))
        .route(
            "/integrations/{name}/disconnect",
            get(integrations::disconnecting).post(integrations::disconnect),
        )
        .route("/connect/{provider}", get(integrations::connecting).post(integrations::connect))
        .route("/connect/{provider}/authorize", post(integrations::authorize))
}
