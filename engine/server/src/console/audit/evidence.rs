//! Whether all of it still holds, and a proof to take along.

use crate::api::{audit, evidence};
use crate::app::App;
use crate::console::form::Form;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::{Line, read};
use crate::console::viewer::Viewer;
use crate::extract::{Nothing, Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use placet_model::{DecisionId, Position};
use serde::Deserialize;
use std::sync::Arc;

/// What was found.
#[derive(Debug, Deserialize)]
struct Found {
    ok: bool,
    #[serde(default)]
    events: u64,
    #[serde(default)]
    payloads: u64,
    #[serde(default)]
    erased: u64,
    #[serde(default)]
    signatures: u64,
    #[serde(default)]
    root: String,
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    detail: Line,
}

#[derive(Template)]
#[template(path = "audit/verified.html")]
struct Verified {
    shell: Shell,
    found: Found,
}

/// `POST /audit/verify`: reads the whole log. It is a form because it costs as much, not because it
/// changes anything.
pub(in crate::console) async fn verify(State(app): State<Arc<App>>, form: Form) -> Shown {
    let (state, caller) = (State(Arc::clone(&app)), form.caller());
    let axum::Json(found) = audit::verify(state, caller, Nothing).await?;
    // where the switches of the page lead back to
    let viewer = Viewer { here: super::PATH.to_owned(), ..form.viewer };
    let shell = Shell::of(&app, &viewer, (Section::Audit, "The log was verified".to_owned()));
    html(&Verified { shell, found: read(found)? })
}

/// `GET /audit/proof?decision=`: the receipt of a decision, as a file.
pub(in crate::console) async fn proof(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    params: Params,
) -> Result<Response, Problem> {
    let params = params.only(&["decision"])?;
    let wanted = params.parsed::<DecisionId>("decision")?;
    let decision = wanted.ok_or_else(|| Problem::malformed("query: decision is missing"))?;
    let none = Params::default();
    let answer = evidence::receipt(State(app), viewer.caller, Place(decision), none).await?;
    let name = format!("attachment; filename=\"{decision}.receipt.json\"");
    Ok(([(header::CONTENT_DISPOSITION, name)], answer).into_response())
}
