//! What a connection lacks after its credential: its provider lists what there is, somebody chooses.

use super::PATH;
use crate::api;
use crate::app::App;
use crate::console::form::{Form, see_other};
use crate::console::list;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::{Line, read};
use crate::console::viewer::Viewer;
use crate::extract::{Json, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A part that is still to be chosen.
#[derive(Debug, Deserialize)]
pub(super) struct Missing {
    pub(super) title: Line,
}

/// What can be chosen.
#[derive(Debug, Deserialize)]
struct Steps {
    name: String,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    setting: String,
    title: Line,
    chosen: Value,
    choices: Vec<Choice>,
    more: bool,
}

#[derive(Debug, Deserialize)]
struct Choice {
    value: Value,
    label: Line,
}

impl Choice {
    /// As it is written in a form.
    fn text(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned)
    }
}

#[derive(Template)]
#[template(path = "integrations/complete.html")]
struct Page {
    shell: Shell,
    asked: Steps,
}

/// `POST /integrations/{name}/complete` `setting=? choose=?`: without a choice the page that lists them.
/// It is a form because the provider is asked with the connection's credential, which is on record.
pub(in crate::console) async fn complete(
    State(app): State<Arc<App>>,
    Place(name): Place<String>,
    form: Form,
) -> Result<Response, Problem> {
    let body = json!({ "setting": form.text("setting"), "choose": form.text("choose") });
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let place = format!("{PATH}/{}", list::escaped(&name));
    let axum::Json(answer) =
        api::steps::complete(state, caller, Place(name), Json(read(body)?)).await?;
    if form.text("choose").is_some() {
        return Ok(see_other(&place));
    }
    page(&app, form.viewer, read(answer)?).map(IntoResponse::into_response)
}

fn page(app: &Arc<App>, viewer: Viewer, asked: Steps) -> Shown {
    // where the switches of the page lead back to
    let viewer = Viewer { here: PATH.to_owned(), ..viewer };
    let title = format!("Complete {}", asked.name);
    html(&Page { shell: Shell::of(app, &viewer, (Section::Integrations, title)), asked })
}
