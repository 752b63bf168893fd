//! One run: how far it has come on the picture of its plan, its steps with what went in and came out,
//! what would have been sent, and what happened in sentences.

use super::form::{Form, see_other};
use super::runs::WaitingFor;
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Block, Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api::{audit, runs, verbs};
use crate::app::{App, reading};
use crate::extract::{Json, Params, Place};
use crate::guard::Dress;
use crate::problem::Problem;
use crate::repeat;
use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use placet_executor::erasure::{ERASED, unless_erased};
use placet_language::graph::{self, Mark};
use placet_model::{Digest, Event, Revision, RunId, StreamId, TaskPath, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sentences on the page; with more, the last ones, and the rest on demand.
const SENTENCES: usize = 300;
/// Steps on the page, besides those that are open; the picture has all.
const STEPS: usize = 200;
/// Letters of an input or an output; a step hands on what it was given, so a page would have it many times.
const LETTERS: usize = 4_000;

#[derive(Debug, Deserialize)]
struct Report {
    #[serde(rename = "run")]
    id: String,
    workflow: Line,
    mode: String,
    requester: Line,
    status: String,
    #[serde(default)]
    waiting_for: Option<WaitingFor>,
    #[serde(default)]
    held: Option<Line>,
    #[serde(default)]
    cancelled: Option<Cancelled>,
    started_at: Timestamp,
    updated_at: Timestamp,
    revision: u64,
    plan_digest: Digest,
    #[serde(default)]
    output: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    trace: Vec<Step>,
    #[serde(default)]
    steps_before: u64,
}

impl Report {
    fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "faulted" | "cancelled")
    }
}

#[derive(Debug, Deserialize)]
struct Cancelled {
    #[serde(default)]
    by: Option<Line>,
    at: Timestamp,
    #[serde(default)]
    reason: Option<Block>,
}

/// One task's execution.
#[derive(Debug, Deserialize)]
struct Step {
    task: String,
    name: Line,
    status: String,
    #[serde(default)]
    iteration: Vec<u64>,
    #[serde(default)]
    attempt: Option<u64>,
    #[serde(default)]
    output: Value,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    would_have_sent: Option<Value>,
    #[serde(default)]
    notes: Vec<Line>,
}

impl Step {
    fn output(&self) -> Option<Block> {
        (!self.output.is_null()).then(|| Block::short(&self.output, LETTERS))
    }

    fn error(&self) -> Option<Block> {
        self.error.as_ref().map(|error| Block::short(error, LETTERS))
    }

    fn would_have_sent(&self) -> Option<Block> {
        self.would_have_sent.as_ref().map(Block::of)
    }
}

/// A sentence of the story, or a gap in it.
#[derive(Debug, Clone, Deserialize)]
struct Sentence {
    #[serde(default)]
    position: Option<u64>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    #[serde(rename = "sentence")]
    said: Option<Line>,
    #[serde(default)]
    gap: Option<Line>,
    #[serde(default)]
    event: Kind,
}

/// What a sentence tells of.
#[derive(Debug, Clone, Default, Deserialize)]
struct Kind {
    #[serde(default, rename = "type")]
    name: String,
}

impl Sentence {
    fn is_look_up(&self) -> bool {
        LOOK_UPS.contains(&self.event.name.as_str())
    }
}

/// Events that tell of asking the provider what became of a send, or of what came by itself.
const LOOK_UPS: [&str; 4] = ["LookupPlanned", "LookupStarted", "LookupEnded", "EvidenceArrived"];

fn is_look_up(event: &Event) -> bool {
    LOOK_UPS.contains(&event.type_name())
}

#[derive(Template)]
#[template(path = "run.html", blocks = ["live"])]
struct Run {
    shell: Shell,
    report: Report,
    input: Block,
    output: Option<Block>,
    error: Option<Block>,
    /// What stands in the picture, for those who do not see it.
    picture: String,
    story: Vec<Sentence>,
    /// Those of them that tell of look-ups.
    look_ups: Vec<Sentence>,
    /// Sentences before those that are shown.
    earlier: usize,
    times: (Moment, Moment),
    request_id: String,
}

/// `GET /runs/{run}`; with `story=all` every sentence.
pub(super) async fn page(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(run): Place<RunId>,
    params: Params,
) -> Shown {
    let params = params.only(&["story"])?;
    let report = report_of(&app, &viewer, run).await?;
    let wanted = if params.text("story") == Some("all") { usize::MAX } else { SENTENCES };
    let (mut story, count) = story_of(&app, &viewer, run, wanted).await?;
    let earlier = count.saturating_sub(wanted);
    let look_ups: Vec<Sentence> = story.iter().filter(|line| line.is_look_up()).cloned().collect();
    // those of the look-ups that stand before the end
    story.drain(..story.len().saturating_sub(wanted));
    let read = move |app: &App| Ok((input_of(app, run)?, app.handle.progress(run)?));
    let (input, progress) = reading(&app, read).await?;
    let step = |(task, status): (&TaskPath, &&str)| format!("{} is {status}", task.name());
    let (now, value) = (app.handle.now(), |value: &Value| {
        (!value.is_null()).then(|| Block::short(value, LETTERS))
    });
    let page = Run {
        shell: Shell::of(&app, &viewer, (Section::Runs, format!("Run {run}"))),
        input: Block::short(&input, LETTERS),
        picture: progress.iter().map(step).collect::<Vec<_>>().join(", "),
        output: value(&report.output),
        error: value(&report.error),
        times: (times::ago(report.started_at, now), times::ago(report.updated_at, now)),
        story,
        look_ups,
        earlier,
        request_id: app.handle.nonce(),
        report,
    };
    shown(viewer.part, &page, &page.as_live())
}

async fn report_of(app: &Arc<App>, viewer: &Viewer, run: RunId) -> Result<Report, Problem> {
    read(runs::report(app, viewer.caller.clone(), run, Some(STEPS)).await?)
}

/// The end of what happened with the look-ups of all of it, and how much there is, for those who may read it;
/// others see the steps.
async fn story_of(
    app: &Arc<App>,
    viewer: &Viewer,
    run: RunId,
    last: usize,
) -> Result<(Vec<Sentence>, usize), Problem> {
    if !viewer.caller.reads(&app.handle.world()) {
        return Ok((vec![], 0));
    }
    let wanted = (last, is_look_up as fn(&Event) -> bool);
    let (lines, count) = audit::story_end(app, viewer.caller.clone(), run, wanted).await?;
    Ok((read(lines)?, count))
}

/// The run's input, from its first event.
fn input_of(app: &App, run: RunId) -> Result<Value, Problem> {
    let (view, stream) = (app.handle.view()?, StreamId::Run(run));
    let first = view.stream(&stream, Revision::START).next().transpose()?;
    let Some(Event::RunStarted(body)) = first.map(|first| first.event) else {
        return Ok(Value::Null);
    };
    match unless_erased(view.payload(&stream, body.input))? {
        None => Ok(json!(ERASED)),
        Some(input) => {
            serde_json::from_slice(input.as_bytes()).map_err(|error| Problem::internal(&error))
        }
    }
}

/// `GET /runs/{run}/graph.svg`: the plan, and on it how far the run has come.
pub(super) async fn graph(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(run): Place<RunId>,
) -> Result<Response, Problem> {
    let report: Report = read(runs::report(&app, viewer.caller, run, Some(0)).await?)?;
    let plan = app.handle.plan(report.plan_digest)?;
    let progress = reading(&app, move |app| Ok(app.handle.progress(run)?)).await?;
    let marks: BTreeMap<TaskPath, Mark> =
        progress.into_iter().map(|(task, status)| (task, mark(status))).collect();
    let picture = graph::svg_of_run(&plan, &app.handle.adapters().catalogue(), &marks);
    let kind = [(header::CONTENT_TYPE, "image/svg+xml")];
    Ok((Extension(Dress::Frame), kind, picture).into_response())
}

fn mark(status: &str) -> Mark {
    match status {
        "completed" => Mark::Done,
        "faulted" => Mark::Failed,
        "waiting" => Mark::Here,
        _ => Mark::Passed,
    }
}

/// `POST /runs/{run}/cancel` `reason=`.
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Place(run): Place<RunId>,
    form: Form,
) -> Result<Response, Problem> {
    let body = runs::CancelBody { reason: form.text("reason").map(str::to_owned) };
    let _position = runs::cancel(State(app), form.caller(), Place(run), Json(body)).await?;
    Ok(see_other(&format!("/runs/{run}")))
}

/// `POST /runs/{run}/retry`: leads to the new run.
pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Place(run): Place<RunId>,
    form: Form,
) -> Result<Response, Problem> {
    let (caller, asked) = (form.caller(), Digest::of(format!("retry {run}").as_bytes()));
    let (state, who) = (State(Arc::clone(&app)), caller.clone());
    let act = async { Ok(verbs::retry(state, who, Place(run)).await?.0) };
    // a second press starts no second run
    let answer = repeat::kept(&app, &caller, asked, act).await?;
    let again = answer["run"].as_str().unwrap_or_default().to_owned();
    Ok(see_other(&format!("/runs/{again}")))
}

/// `POST /runs/{run}/signal` `type=&data=`: an event that only this run may take.
pub(super) async fn signal(
    State(app): State<Arc<App>>,
    Place(run): Place<RunId>,
    form: Form,
) -> Result<Response, Problem> {
    let mut event = json!({ "type": form.demanded("type")? });
    if let Some(data) = form.text("data") {
        let data = serde_json::from_str::<Value>(data);
        event["data"] = data.map_err(|error| Problem::malformed(format!("form: data: {error}")))?;
    }
    let _position = verbs::signal(State(app), form.caller(), Place(run), Json(event)).await?;
    Ok(see_other(&format!("/runs/{run}")))
}
