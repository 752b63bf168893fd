//! The project as it was at a position of the log.

use crate::api::audit as api;
use crate::app::App;
use crate::console::list::address;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::{Line, read};
use crate::console::viewer::Viewer;
use crate::extract::Params;
use askama::Template;
use axum::extract::State;
use placet_model::{Position, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

/// Rows of a kind that are shown; how many there were is said.
const ROWS_MAX: usize = 50;

#[derive(Debug, Deserialize)]
struct Then {
    position: Position,
    #[serde(rename = "recorded_at")]
    at: Timestamp,
    root: String,
    head: Position,
    policy: Option<String>,
    paused: bool,
    inbox: Vec<Decision>,
    runs: Vec<Run>,
    integrations: Vec<Integration>,
    workflows: Vec<Workflow>,
}

#[derive(Debug, Deserialize)]
struct Decision {
    id: String,
    workflow: Line,
    operation: Line,
    state: String,
    requester: Line,
}

#[derive(Debug, Deserialize)]
struct Run {
    #[serde(rename = "run")]
    id: String,
    workflow: Line,
    status: Line,
    requester: Line,
}

#[derive(Debug, Deserialize)]
struct Integration {
    name: Line,
    provider: Line,
    status: Line,
    label: Line,
}

#[derive(Debug, Deserialize)]
struct Workflow {
    #[serde(rename = "workflow")]
    name: Line,
    version: Line,
    plan_digest: String,
}

#[derive(Template)]
#[template(path = "audit/past.html")]
struct Past {
    shell: Shell,
    then: Then,
    /// The positions beside it.
    before: Option<String>,
    after: Option<String>,
}

/// `GET /audit?at=`.
pub(super) async fn page(app: Arc<App>, viewer: Viewer, params: Params) -> Shown {
    let params = params.only(&["at"])?;
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(answer) = api::replay(state, caller, params).await?;
    let then: Then = read(answer)?;
    let beside = |at: u64| address(super::PATH, [("at", at.to_string().as_str())].into_iter());
    let (at, head) = (then.position.get(), then.head.get());
    let title = format!("As it was at position {at}");
    let page = Past {
        shell: Shell::of(&app, &viewer, (Section::Audit, title)),
        before: (at > 1).then(|| beside(at - 1)),
        after: (at < head).then(|| beside(at + 1)),
        then,
    };
    html(&page)
}
