//! The switch on every page: whether anything may leave.

use super::form::{Form, see_other};
use super::shell::{Shown, State as Standing, html};
use super::viewer::Viewer;
use crate::api::govern;
use crate::app::App;
use crate::extract::{Json, Params};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "state.html")]
struct StateOnly {
    state: Standing,
}

/// `GET /console/state?here=`: mode and pause, as they stand in the head of every page.
pub(super) async fn state(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    let params = params.only(&["here"])?;
    let here = params.text("here").unwrap_or("/inbox").to_owned();
    html(&StateOnly { state: Standing::of(&app, &viewer, here) })
}

/// `POST /console/pause` `integration=?`.
pub(super) async fn pause(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let _answer = govern::pause(State(app), form.caller(), Json(which(&form))).await?;
    Ok(see_other(form.back("/inbox")))
}

/// `POST /console/resume` `integration=?`.
pub(super) async fn resume(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let _answer = govern::resume(State(app), form.caller(), Json(which(&form))).await?;
    Ok(see_other(form.back("/inbox")))
}

fn which(form: &Form) -> govern::Which {
    govern::Which { integration: form.text("integration").map(str::to_owned) }
}
