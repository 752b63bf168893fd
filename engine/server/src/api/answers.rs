//! What the calls of a run were answered, for whoever makes an example of one.

use super::Answer;
use super::runs::may_see;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::{Params, Place};
use axum::extract::State;
use placet_model::RunId;
use serde_json::json;
use std::sync::Arc;

/// `GET /runs/{id}/answers` → `{answers}`, in the order in which they came: of each attempt that was
/// sent what its task got, and where it was not as declared.
#[utoipa::path(
    get,
    path = "/runs/{id}/answers",
    operation_id = "runs_answers",
    tag = "runs",
    summary = "What the calls of a run were answered",
    params(("id" = String, Path, pattern = "^run_[0-9a-hjkmnp-tv-z]{26}$")),
    responses((status = 200, description = "Done", body = crate::openapi::drift::RunAnswers), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Place(run): Place<RunId>,
    params: Params,
) -> Answer {
    params.only(&[])?;
    may_see(&app, &caller, run)?;
    let answers = reading(&app, move |app| Ok(app.handle.answers_of(run)?)).await?;
    Ok(axum::Json(json!({ "answers": answers })))
}
