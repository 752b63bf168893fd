//! Every route, and the layers around them: guard (Host, Origin, answer headers), problems in words,
//! body bound, repeats.

use crate::app::{App, reading};
use crate::console::{self, fault};
use crate::problem::Problem;
use crate::{api, callback, conditional, extract, guard, hooks, login, metrics, pages, repeat};
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use std::sync::Arc;

/// The service.
pub(crate) fn router(app: Arc<App>) -> Router {
    // a script of a page asks as whom the page is shown to
    let acting = from_fn_with_state(Arc::clone(&app), console::acting);
    let api = api::routes().layer(from_fn(conditional::conditional)).layer(acting);
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::metrics))
        .route("/login", get(pages::login))
        .route("/login/oidc", get(login::start))
        .route("/login/callback", get(login::callback))
        .route("/passkey.js", get(pages::passkey_script))
        .route("/errors/{code}", get(pages::error_page))
        .route("/integrations/{provider}/start", get(callback::start))
        .route("/integrations/{provider}/callback", get(callback::callback))
        .merge(console::routes(&app))
        .merge(api)
        .fallback(async || Problem::new("PL4012", "there is nothing here"))
        .method_not_allowed_fallback(async || Problem::new("PL4016", "not with this method"))
        .layer(from_fn_with_state(Arc::clone(&app), repeat::repeat))
        .layer(DefaultBodyLimit::max(extract::BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&app), fault::worded))
        .layer(from_fn_with_state(Arc::clone(&app), guard::guard))
        .layer(from_fn_with_state(Arc::clone(&app), metrics::count))
        .merge(hooks::routes(&app))
        .with_state(app)
}

/// The process answers.
async fn health() -> &'static str {
    "ok\n"
}

/// The engine answers: its log can be read and takes more.
async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Problem> {
    if app.handle.world().stopping || *app.closing.borrow() {
        return Err(Problem::new("PL4006", "the engine is stopping"));
    }
    reading(&app, |app| Ok(app.handle.view().map(drop)?)).await?;
    Ok("ready\n")
}
