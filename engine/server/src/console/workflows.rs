//! Workflows: what is deployed, its text with findings, its picture, its versions, what starts it, and
//! a form that starts it by hand.

use super::fields::{self, Field};
use super::form::{Form, see_other};
use super::list::{address, escaped};
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Block, Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api;
use crate::api::runs::StartBody;
use crate::app::App;
use crate::extract::{CalledBy, Json, Params};
use crate::problem::Problem;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use placet_core::schedule::Times;
use placet_language::{Diagnostic, Source, graph};
use placet_model::plan::{Plan, Schedule};
use placet_model::{Digest, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A deployment.
#[derive(Debug, Deserialize)]
struct Deployed {
    name: String,
    version: String,
    plan_digest: Digest,
    #[serde(rename = "deployed_at")]
    at: Timestamp,
}

/// Runs to come that are told of one workflow.
const NEXT_RUNS: usize = 3;

#[derive(Debug, Deserialize)]
struct All {
    workflows: Vec<Deployed>,
}

/// Runs that are not over, on one version.
#[derive(Debug, Deserialize)]
struct Standing {
    plan_digest: Digest,
    running: u64,
    waiting: u64,
}

#[derive(Debug, Deserialize)]
struct Standings {
    versions: Vec<Standing>,
}

#[derive(Template)]
#[template(path = "workflows/list.html", blocks = ["live"])]
struct List {
    shell: Shell,
    now: Timestamp,
    latest: Vec<Deployed>,
}

impl Deployed {
    fn since(&self, now: Timestamp) -> Moment {
        times::ago(self.at, now)
    }
}

/// `GET /workflows`.
pub(super) async fn list(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    params.only(&[])?;
    let mut latest = all(&app, &viewer).await?;
    // the latest deployment of each comes first
    latest.dedup_by(|later, first| later.name == first.name);
    let page = List {
        shell: Shell::of(&app, &viewer, (Section::Workflows, "Workflows".to_owned())),
        now: app.handle.now(),
        latest,
    };
    shown(viewer.part, &page, &page.as_live())
}

async fn all(app: &Arc<App>, viewer: &Viewer) -> Result<Vec<Deployed>, Problem> {
    let (state, caller) = (State(Arc::clone(app)), viewer.caller.clone());
    let axum::Json(answer) = api::workflows::list(state, caller, Params::default()).await?;
    Ok(read::<All>(answer)?.workflows)
}

#[derive(Template)]
#[template(path = "workflows/show.html", blocks = ["live"])]
struct Show {
    shell: Shell,
    now: Timestamp,
    /// `namespace/name` and `namespace/name@version`.
    family: String,
    full: String,
    version: String,
    digest: Digest,
    versions: Vec<Deployed>,
    standing: Vec<Standing>,
    source: Block,
    findings: Vec<Line>,
    triggers: Vec<String>,
    /// When its clock starts it next.
    next: Vec<Timestamp>,
    inputs: Vec<Field>,
    modes: Vec<&'static str>,
}

impl Show {
    /// What stands on a version and is not over.
    fn standing_on(&self, digest: &Digest) -> Option<&Standing> {
        self.standing.iter().find(|standing| standing.plan_digest == *digest)
    }
}

/// Which workflow a path and its query mean.
fn meant((namespace, name): (&str, &str), params: Params) -> Result<String, Problem> {
    let params = params.only(&["version"])?;
    let version = params.text("version").map(|version| format!("@{version}"));
    Ok(format!("{namespace}/{name}{}", version.unwrap_or_default()))
}

/// `GET /workflows/{namespace}/{name}?version=`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((namespace, name)): Path<(String, String)>,
    params: Params,
) -> Shown {
    let meant = meant((&namespace, &name), params)?;
    let caller = viewer.caller.clone();
    let (digest, plan, source) = api::workflows::deployed(&app, caller, meant).await?;
    let family = plan.family();
    let only = Params::default().with("workflow", &family);
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(standing) = api::versions::list(state, caller, only).await?;
    let mut versions = all(&app, &viewer).await?;
    versions.retain(|deployed| deployed.name == family);
    // the latest version alone has its schedule
    let latest = versions.first().filter(|latest| latest.plan_digest == digest);
    let next = latest.zip(plan.schedule.as_ref());
    let next = next.map(|(latest, schedule)| next_runs(schedule, latest.at, app.handle.now()));
    let next = next.unwrap_or_default();
    let modes = app.handle.world().modes;
    let modes = [("sandbox", modes.sandbox), ("live", modes.live)];
    let page = Show {
        shell: Shell::of(&app, &viewer, (Section::Workflows, family.clone())),
        now: app.handle.now(),
        full: plan.workflow.to_string(),
        version: plan.workflow.version.clone(),
        digest,
        versions,
        standing: read::<Standings>(standing)?.versions,
        findings: findings(&app, &source).await?,
        triggers: plan.schedule.as_ref().map(triggers).unwrap_or_default(),
        next,
        inputs: fields::of(plan.input.schema.as_ref()),
        modes: modes.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect(),
        source: numbered(&source),
        family,
    };
    shown(viewer.part, &page, &page.as_live())
}

/// A text with the numbers of its lines, as findings name them.
fn numbered(source: &str) -> Block {
    let lines =
        source.lines().zip(1_usize..).map(|(line, number)| format!("{number:>4}  {line}\n"));
    Block::new(&lines.collect::<String>())
}

/// What a check says of the text today, against the project as it is.
async fn findings(app: &Arc<App>, source: &str) -> Result<Vec<Line>, Problem> {
    let found = api::workflows::look(app, Source::new("line", source)).await?;
    let line = |found: Diagnostic| {
        let Diagnostic { severity, line, column, message, .. } = found;
        Line::new(&format!("{}, line {line}:{column}: {message}", severity.as_str()))
    };
    Ok(found.into_iter().map(line).collect())
}

/// What starts runs by itself.
fn triggers(schedule: &Schedule) -> Vec<String> {
    let Schedule { every, cron, after, on, read: _ } = schedule;
    let mut lines = vec![];
    lines.extend(every.as_ref().map(|every| format!("every {every}")));
    lines.extend(cron.as_ref().map(|cron| format!("at {cron} (UTC)")));
    lines.extend(after.as_ref().map(|after| format!("{after} after its last run has ended")));
    lines
        .extend(on.as_ref().map(|_events| "by events, as its text says under schedule".to_owned()));
    lines
}

/// The next moments at which a clock starts it; what begins after another run has ended has none.
fn next_runs(schedule: &Schedule, deployed_at: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let mut times = Times::new(&Schedule { after: None, ..schedule.clone() }, deployed_at);
    times.skip_to(now);
    let ticks = std::iter::from_fn(|| {
        let (at, trigger) = times.next()?;
        times.fired(trigger, at);
        Some(at)
    });
    ticks.take(NEXT_RUNS).collect()
}

/// `GET /workflows/{namespace}/{name}/graph.svg?version=`: its flow as a picture.
pub(super) async fn graph(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Path((namespace, name)): Path<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    let meant = meant((&namespace, &name), params)?;
    let (_, plan, _): (Digest, Plan, String) =
        api::workflows::deployed(&app, viewer.caller, meant).await?;
    let picture = graph::svg(&plan, &app.handle.adapters().catalogue());
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], picture).into_response())
}

/// `POST /workflows/{namespace}/{name}/start` `version= mode= input.FIELD=… json=?`.
pub(super) async fn start(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Problem> {
    let version = form.text("version").unwrap_or_default();
    let only = Params::default().with("version", version);
    let meant = meant((&namespace, &name), only)?;
    let caller = form.viewer.caller.clone();
    let (_, plan, _) = api::workflows::deployed(&app, caller, meant.clone()).await?;
    let inputs = fields::of(plan.input.schema.as_ref());
    let input = match form.text("json") {
        Some(text) => serde_json::from_str(text)
            .map_err(|error| Problem::malformed(format!("form: input: {error}")))?,
        None => match fields::given(&form, "input", &inputs)? {
            Value::Null => Value::Object(serde_json::Map::new()),
            given => given,
        },
    };
    let body = StartBody {
        workflow: Some(meant),
        source: None,
        file: None,
        input: Some(input),
        mode: form.text("mode").map(str::to_owned),
        seed: None,
    };
    let (_created, axum::Json(started)) = api::runs::start(
        State(app),
        form.caller(),
        Params::default(),
        CalledBy::default(),
        Json(body),
    )
    .await?;
    Ok(see_other(&format!("/runs/{}", started["run"].as_str().unwrap_or_default())))
}

/// The address of a version's page.
fn page_of(family: &str, version: &str) -> String {
    address(&format!("/workflows/{family}"), [("version", version)].into_iter())
}

/// The address of a version's picture.
fn picture_of(family: &str, version: &str) -> String {
    format!("/workflows/{family}/graph.svg?version={}", escaped(version))
}
