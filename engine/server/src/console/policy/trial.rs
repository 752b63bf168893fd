//! Another policy on past requests: who would be asked then, and who is asked now.

use crate::api::policy as api;
use crate::app::App;
use crate::console::form::Form;
use crate::console::shell::{Section, Shell, Shown, html};
use crate::console::text::{Block, Line, read};
use crate::console::viewer::Viewer;
use crate::extract::Json;
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use placet_model::{DecisionId, Timestamp};
use serde::Deserialize;
use std::sync::Arc;

const FILE: &str = "policy.yaml";
/// Requests that are shown, those that change first.
const SHOWN_MAX: usize = 100;

#[derive(Debug, Deserialize)]
struct Summary {
    decisions: u64,
    changed: u64,
    refused: u64,
    out_of_reach: u64,
    unreadable: u64,
}

/// What one policy asks for.
#[derive(Debug, Deserialize)]
struct Side {
    needed: Vec<Line>,
    who: Vec<Line>,
    #[serde(default)]
    out_of_reach: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    decision: String,
    workflow: Line,
    operation: Line,
    requester: Line,
    requested_at: Timestamp,
    then: Side,
    now: Side,
    changed: bool,
    refused_by: Vec<Line>,
    notes: Vec<Line>,
    standing: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Tried {
    summary: Summary,
    decisions: Vec<Asked>,
}

#[derive(Template)]
#[template(path = "policy/trial.html")]
struct Trial {
    shell: Shell,
    source: Block,
    tried: Tried,
    left_out: usize,
}

/// `POST /policy/test` `source= decision=?`: appends nothing.
pub(in crate::console) async fn test(State(app): State<Arc<App>>, form: Form) -> Shown {
    let decision = form.text("decision").map(str::parse::<DecisionId>).transpose();
    let decision =
        decision.map_err(|error| Problem::malformed(format!("form: decision: {error}")))?;
    let source = form.demanded("source")?.replace("\r\n", "\n");
    let shown = Block::new(&source);
    let body = api::TestBody { file: FILE.to_owned(), source, decision };
    let axum::Json(answer) = api::test(State(Arc::clone(&app)), form.caller(), Json(body)).await?;
    let mut tried: Tried = read(answer)?;
    tried.decisions.sort_by_key(|asked| !asked.changed);
    let left_out = tried.decisions.len().saturating_sub(SHOWN_MAX);
    tried.decisions.truncate(SHOWN_MAX);
    // where the switches of the page lead back to
    let viewer = Viewer { here: super::PATH.to_owned(), ..form.viewer };
    let title = "Another policy on past requests".to_owned();
    html(&Trial {
        shell: Shell::of(&app, &viewer, (Section::Policy, title)),
        source: shown,
        tried,
        left_out,
    })
}
