//! For whoever looks back: the log as a story and as records, the project as it was, a proof to take
//! along, and the question whether all of it still holds. Nothing in here changes anything.

mod evidence;
mod past;
mod story;

pub(super) use evidence::{proof, verify};
pub(super) use story::story;

use super::list::{Pages, address};
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Block, Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api::audit as api;
use crate::app::App;
use crate::extract::{Params, Place};
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use placet_executor::public::story::Subject;
use placet_model::{Position, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

const PATH: &str = "/audit";
/// What narrows the log, besides the way it is shown and the cursor.
const FILTERS: [&str; 8] =
    ["run", "stream", "type", "actor", "integration", "since", "until", "limit"];
const LIMIT: &str = "40";

/// An event.
#[derive(Debug, Deserialize)]
struct Event {
    position: Position,
    #[serde(rename = "recorded_at")]
    at: Timestamp,
    actor: Line,
    #[serde(rename = "type")]
    kind: Line,
    stream: String,
    #[serde(skip)]
    ago: Option<Moment>,
    #[serde(skip)]
    sentence: Line,
    #[serde(skip)]
    record: Block,
}

#[derive(Debug, Deserialize)]
struct Answer {
    events: Vec<Value>,
    next: Option<Position>,
    head: Position,
}

#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default)]
    lines: Vec<Sentence>,
}

/// A line of a story: an event in words, or that one cannot be read.
#[derive(Debug, Deserialize)]
struct Sentence {
    #[serde(default)]
    position: Option<Position>,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default, rename = "sentence")]
    words: Line,
    #[serde(default)]
    gap: Option<Line>,
}

/// How the log is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Story,
    Records,
}

#[derive(Template)]
#[template(path = "audit/log.html", blocks = ["live"])]
struct Log {
    shell: Shell,
    chosen: Params,
    look: Look,
    events: Vec<Event>,
    head: Position,
    pages: Pages,
    /// The same events, shown the other way.
    turned: String,
}

impl Log {
    fn text(&self, name: &str) -> &str {
        self.chosen.text(name).unwrap_or_default()
    }

    fn narrowed(&self) -> bool {
        FILTERS.iter().any(|name| *name != "limit" && self.chosen.text(name).is_some())
    }
}

/// `GET /audit`: the log, newest first; with `at=`, the project as it was at that position.
pub(super) async fn page(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    if params.text("at").is_some() {
        return past::page(app, viewer, params).await;
    }
    let known: Vec<&str> = FILTERS.into_iter().chain(["before", "view"]).collect();
    let params = params.only(&known)?;
    let look = match params.text("view") {
        None | Some("story") => Look::Story,
        Some("records") => Look::Records,
        Some(other) => {
            let words = format!("query: view: {other:?} is none of story, records");
            return Err(Problem::malformed(words));
        }
    };
    let limit = params.text("limit").unwrap_or(LIMIT).to_owned();
    let asked = params.clone().with("view", "").with("order", "desc").with("limit", &limit);
    let axum::Json(answer) =
        api::events(State(Arc::clone(&app)), viewer.caller.clone(), asked).await?;
    let answer: Answer = read(answer)?;
    let mut events = vec![];
    for record in answer.events {
        events.push(event(&app, &viewer, record, look).await?);
    }
    let kept = FILTERS.into_iter().chain(["view"]).collect::<Vec<_>>();
    let next = answer.next.map(|next| next.to_string());
    let turned = FILTERS.into_iter().filter_map(|name| Some((name, params.text(name)?)));
    let other = (look == Look::Story).then_some(("view", "records"));
    let page = Log {
        shell: Shell::of(&app, &viewer, (Section::Audit, "Audit".to_owned())),
        look,
        events,
        head: answer.head,
        pages: Pages::of(PATH, (&params, &kept), ("before", next.as_deref())),
        turned: address(PATH, turned.chain(other)),
        chosen: params,
    };
    shown(viewer.part, &page, &page.as_live())
}

async fn event(
    app: &Arc<App>,
    viewer: &Viewer,
    record: Value,
    look: Look,
) -> Result<Event, Problem> {
    let as_record = if look == Look::Records { Block::of(&record) } else { Block::default() };
    let mut event: Event = read(record)?;
    event.record = as_record;
    event.ago = Some(times::ago(event.at, app.handle.now()));
    if look == Look::Story {
        let place = Place(Subject::Position(event.position));
        let axum::Json(told) =
            api::story(State(Arc::clone(app)), viewer.caller.clone(), place).await?;
        let told: Told = read(told)?;
        let mut lines = told.lines.into_iter();
        event.sentence =
            lines.next().map(|line| line.gap.unwrap_or(line.words)).unwrap_or_default();
    }
    Ok(event)
}
