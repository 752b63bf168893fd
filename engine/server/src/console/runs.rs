//! The list of runs, newest first.

use super::form::see_other;
use super::list::Pages;
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api::runs;
use crate::app::App;
use crate::extract::Params;
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use placet_model::{RunId, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

const PATH: &str = "/runs";
/// What narrows the list.
const FILTERS: [&str; 7] =
    ["status", "workflow", "version", "mode", "requester", "waiting_for", "limit"];
const STATUSES: [&str; 5] = ["running", "waiting", "completed", "faulted", "cancelled"];
const WAITING: [&str; 7] = ["decision", "timer", "answer", "deferred", "in_doubt", "event", "run"];

#[derive(Debug, Deserialize)]
struct Row {
    run: String,
    workflow: Line,
    mode: String,
    requester: Line,
    status: String,
    #[serde(default)]
    waiting_for: Option<WaitingFor>,
    started_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip)]
    times: Option<(Moment, Moment)>,
}

/// What a run waits for.
#[derive(Debug, Deserialize)]
pub(super) struct WaitingFor {
    kind: String,
    #[serde(default)]
    pub(super) decision: Option<String>,
    #[serde(default)]
    pub(super) run: Option<String>,
}

impl WaitingFor {
    pub(super) fn words(&self) -> &str {
        waiting_words(&self.kind)
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    runs: Vec<Row>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "runs.html", blocks = ["live"])]
struct Runs {
    shell: Shell,
    chosen: BTreeMap<&'static str, String>,
    answer: Answer,
    pages: Pages,
}

impl Runs {
    fn chosen(&self, name: &str) -> &str {
        self.chosen.get(name).map_or("", String::as_str)
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.chosen(name) == value
    }
}

/// `GET /runs`; with `find=` the run of that id.
pub(super) async fn list(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    if let Some(run) = params.text("find") {
        let run: RunId = run
            .trim()
            .parse()
            .map_err(|error| Problem::malformed(format!("query: find: {error}")))?;
        return Ok(see_other(&format!("{PATH}/{run}")));
    }
    let kept = params.clone();
    let asked = params.without("find");
    let answer = runs::list(State(Arc::clone(&app)), viewer.caller.clone(), asked).await?;
    let mut answer: Answer = read(answer.0)?;
    let now = app.handle.now();
    for row in &mut answer.runs {
        row.times = Some((times::ago(row.started_at, now), times::ago(row.updated_at, now)));
    }
    let chosen = FILTERS.iter().filter_map(|name| Some((*name, kept.text(name)?.to_owned())));
    let page = Runs {
        shell: Shell::of(&app, &viewer, (Section::Runs, "Runs".to_owned())),
        chosen: chosen.collect(),
        pages: Pages::of(PATH, (&kept, &FILTERS), ("before", answer.next.as_deref())),
        answer,
    };
    shown(viewer.part, &page, &page.as_live())
}

pub(super) fn waiting_words(kind: &str) -> &str {
    match kind {
        "decision" => "a decision",
        "timer" => "a timer",
        "answer" => "an answer from a provider",
        "deferred" => "its next try",
        "in_doubt" => "word of what became of a send",
        "event" => "an event",
        "run" => "another run",
        other => other,
    }
}
