//! The first approval: for whoever sees an empty inbox for the first time. In the sandbox a message is
//! drafted, the one who asked for it learns that another must agree, and sees what would have left.

use super::form::{Form, see_other};
use super::list::address;
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::viewer::Viewer;
use crate::api;
use crate::api::runs::StartBody;
use crate::app::App;
use crate::caller::Caller;
use crate::extract::{CalledBy, Json, Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use placet_executor::world::World;
use placet_model::RunId;
use placet_model::actor::Role;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// What is drafted.
const SAMPLE: &str = include_str!("first.yaml");
const FILE: &str = "first-approval.yaml";

/// Where the first approval stands.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Begin,
    /// It waits for somebody: the decision.
    Decide(String),
    /// It went through the whole path, or came to an end before.
    Done,
}

#[derive(Debug, Deserialize)]
struct Run {
    #[serde(rename = "run")]
    id: String,
    status: Line,
    requester: String,
    #[serde(default)]
    waiting_for: Option<Waiting>,
    #[serde(default)]
    trace: Vec<Trace>,
}

#[derive(Debug, Deserialize)]
struct Waiting {
    kind: String,
    #[serde(default)]
    decision: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Trace {
    #[serde(default)]
    would_have_sent: Option<Sent>,
}

#[derive(Debug, Deserialize)]
struct Sent {
    digest: Line,
}

#[derive(Template)]
#[template(path = "first.html", blocks = ["live"])]
struct First {
    shell: Shell,
    step: Step,
    run: Option<Run>,
    sample: &'static str,
    may_begin: bool,
    /// Whether the one who looks is the one who asked.
    is_requester: bool,
    /// In `dev`: somebody who may decide.
    other: Option<String>,
}

/// Whether this one may start a run.
pub(super) fn may_begin(world: &World, caller: &Caller) -> bool {
    let roles = [Role::Author, Role::Operator, Role::Admin];
    roles.iter().any(|role| world.policy.has_role(&caller.principal, *role))
}

/// `GET /first?run=`.
pub(super) async fn page(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    let params = params.only(&["run"])?;
    let run = match params.parsed::<RunId>("run")? {
        None => None,
        Some(run) => {
            let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
            let shown = api::runs::show(state, caller, Params::default(), Place(run)).await?;
            Some(read::<Run>(shown.0)?)
        }
    };
    let world = app.handle.world();
    let me = &viewer.caller.principal;
    let is_requester = run.as_ref().is_some_and(|run| run.requester == me.as_str());
    let others = world.policy.principals.keys().filter(|name| *name != me);
    let other =
        others.filter(|name| world.policy.may_approve(name)).map(ToString::to_string).next();
    let page = First {
        shell: Shell::of(&app, &viewer, (Section::Inbox, "Your first approval".to_owned())),
        step: run.as_ref().map_or(Step::Begin, step),
        run,
        sample: SAMPLE,
        may_begin: may_begin(&world, &viewer.caller),
        is_requester,
        other: other.filter(|_| app.access.is_dev()),
    };
    shown(viewer.part, &page, &page.as_live())
}

/// `POST /first`: drafts the message.
pub(super) async fn start(State(app): State<Arc<App>>, form: Form) -> Result<Response, Problem> {
    let body = StartBody {
        workflow: None,
        source: Some(SAMPLE.to_owned()),
        file: Some(FILE.to_owned()),
        input: Some(json!({})),
        mode: Some("sandbox".to_owned()),
        seed: None,
    };
    let (caller, none) = (form.caller(), Params::default());
    let (_created, axum::Json(started)) =
        api::runs::start(State(app), caller, none, CalledBy::default(), Json(body)).await?;
    let run = started["run"].as_str().unwrap_or_default();
    Ok(see_other(&address("/first", [("run", run)].into_iter())))
}

fn step(run: &Run) -> Step {
    match &run.waiting_for {
        Some(Waiting { kind, decision: Some(id) }) if kind == "decision" => {
            Step::Decide(id.clone())
        }
        Some(_) | None => Step::Done,
    }
}
