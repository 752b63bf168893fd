//! In `dev`: whom this browser acts as. The choice is a cookie of its own, which says nothing but a
//! name: whoever is logged in may act as anybody there, and nowhere else is it looked at.

use super::form::{Form, see_other};
use crate::app::App;
use crate::caller::ACT_AS;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use placet_model::Principal;
use std::sync::Arc;

/// Cookies are shared among the ports of a host, so the port stands in the name.
fn cookie(app: &App) -> String {
    format!("placet_as_{}", app.address.port())
}

/// Puts the chosen name where a client of the API would put it.
pub(crate) async fn acting(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let says = headers.contains_key(ACT_AS) || headers.contains_key(header::AUTHORIZATION);
    if app.access.is_dev()
        && !says
        && let Some(chosen) = chosen(&app, headers)
        && let Ok(value) = HeaderValue::from_str(chosen.as_str())
    {
        request.headers_mut().insert(ACT_AS, value);
    }
    next.run(request).await
}

/// The chosen one, where the policy still knows them.
fn chosen(app: &App, headers: &HeaderMap) -> Option<Principal> {
    let name = cookie(app);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).map(str::trim);
    let given = pairs.find_map(|pair| pair.strip_prefix(&name)?.strip_prefix('='))?;
    let chosen: Principal = given.parse().ok()?;
    app.handle.world().policy.principals.contains_key(&chosen).then_some(chosen)
}

/// `POST /console/as` `user=NAME`.
pub(super) async fn choose(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    if !app.access.is_dev() {
        return Err(Problem::new("PL4005", "only `placet dev` lets one act as others"));
    }
    let user = form.demanded("user")?.parse::<Principal>();
    let user = user.map_err(|error| Problem::malformed(format!("form: user: {error}")))?;
    let value = format!("{}={user}; Path=/; HttpOnly; SameSite=Strict", cookie(&app));
    Ok(([(header::SET_COOKIE, value)], see_other(form.back("/inbox"))).into_response())
}
