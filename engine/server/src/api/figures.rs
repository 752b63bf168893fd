//! Figures over time.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::Params;
use crate::problem::Problem;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /stats?from=&to=&bucket=` → what was asked, decided and sent in each step of a span, how long
/// people took, where calls failed, and how old what waits is.
///
/// Where the log is too long to be read for one answer it says `complete: false`; it is then read on
/// beside, so that the next answer knows more.
#[utoipa::path(
    get,
    path = "/stats",
    operation_id = "stats",
    tag = "engine",
    summary = "Figures over time",
    params(("from" = Option<String>, Query, description = "moment, or a length of time back from now; usually a day before `to`"), ("to" = Option<String>, Query, description = "moment, or a length of time back from now"), ("bucket" = Option<String>, Query, description = "`PT5M`, `PT1H` or `P1D`; usually what suits the span")),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Stats), crate::openapi::failures::Failures)
)]
pub(crate) async fn stats(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["from", "to", "bucket"])?;
    let word = |name: &str| params.text(name).map(str::to_owned);
    let asked = json!({ "from": word("from"), "to": word("to"), "bucket": word("bucket") });
    let body = asked.clone();
    let told = reading(&app, move |app| {
        caller.demand_reader(&app.handle.world())?;
        Ok(app.handle.figures(&body)?)
    });
    let told = told.await?;
    if told["complete"] == false {
        read_on(app, asked);
    }
    Ok(axum::Json(told))
}

/// Reads on in pieces, one reader at a time, until it is enough or the server closes.
fn read_on(app: Arc<App>, asked: Value) {
    let reads = move || {
        let Ok(_one) = app.counting.try_lock() else { return };
        while !*app.closing.borrow() {
            match app.handle.count_back(&asked) {
                Ok(false) => {}
                Ok(true) => return,
                Err(error) => {
                    let error = Problem::from(error);
                    tracing::warn!(error = error.detail(), "figures are not read on");
                    return;
                }
            }
        }
    };
    // detached: it ends by itself, and changes nothing that lasts
    drop(tokio::task::spawn_blocking(reads));
}
