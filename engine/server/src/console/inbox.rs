//! The inbox: what waits, gravest first, or the shapes of it with how many there are of each.

use super::card::{self, view::Field};
use super::form::see_other;
use super::list::{Pages, address};
use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api;
use crate::app::{App, reading};
use crate::extract::Params;
use crate::problem::Problem;
use askama::Template;
use axum::extract::State;
use placet_model::Timestamp;
use placet_projections::Views;
use serde::Deserialize;
use std::sync::Arc;

const PATH: &str = "/inbox";
/// What narrows the list, besides `group` and the cursor.
const FILTERS: [&str; 10] = [
    "filter",
    "group",
    "state",
    "mode",
    "operation",
    "integration",
    "requester",
    "workflow",
    "shape",
    "limit",
];

/// One line of the list.
#[derive(Debug, Deserialize)]
struct Item {
    id: String,
    workflow: Line,
    task: Line,
    operation: Line,
    effect: String,
    integration: Option<Line>,
    mode: String,
    target: Option<Line>,
    summary: Line,
    money: Option<Money>,
    requested_at: Timestamp,
    expires_at: Timestamp,
    state: String,
    digest: String,
    votes: u64,
    needed: u64,
    #[serde(default)]
    missing: Vec<Line>,
    hold: Option<Line>,
    edited: bool,
    #[serde(default)]
    out_of_reach: Vec<Line>,
    #[serde(skip)]
    asked: Option<Moment>,
    #[serde(skip)]
    left: Option<Moment>,
    /// In a list of one shape: what is not the same in all of it.
    #[serde(skip)]
    differs: Vec<Field>,
}

impl Item {
    /// Whether it may be decided together with others of its shape.
    fn is_light(&self) -> bool {
        self.state == "requested" && self.effect != "destructive" && !self.edited
    }
}

#[derive(Debug, Deserialize)]
struct Money {
    words: Line,
    direction: String,
}

/// Items of one shape.
#[derive(Debug, Deserialize)]
struct Group {
    shape: String,
    count: u64,
    operation: Line,
    effect: String,
    integration: Option<Line>,
    mode: String,
    workflow: Line,
    task: Line,
    state: String,
    needed: u64,
    one_by_one: Option<Line>,
    oldest: Option<Timestamp>,
    #[serde(skip)]
    since: Option<Moment>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    groups: Vec<Group>,
    next: Option<String>,
    #[serde(default)]
    partial: bool,
}

/// What the filter form holds.
#[derive(Debug)]
struct Chosen(Params);

#[derive(Template)]
#[template(path = "inbox.html", blocks = ["live"])]
struct Inbox {
    shell: Shell,
    chosen: Chosen,
    integrations: Vec<String>,
    answer: Answer,
    pages: Pages,
    may_begin: bool,
    /// How many items are open in all, and how long the oldest has been; for those who read them all.
    waits: Option<(usize, String)>,
    /// In a list of one shape: what is the same in all of it.
    same: Vec<Field>,
    /// Whether several can be decided in one act.
    together: bool,
    request_id: String,
}

/// `GET /`.
pub(super) async fn home(_viewer: Viewer) -> Result<axum::response::Response, Problem> {
    Ok(see_other(PATH))
}

/// `GET /inbox`.
pub(super) async fn list(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    let chosen = Chosen(params.clone());
    let axum::Json(answer) =
        api::inbox::list(State(Arc::clone(&app)), viewer.caller.clone(), params).await?;
    let mut answer: Answer = read(answer)?;
    answer.tell_times(app.handle.now());
    let is_one_shape = !chosen.text("shape").is_empty();
    let same = if is_one_shape { answer.compare(&app, &viewer).await? } else { vec![] };
    let pages = Pages::of(PATH, (&chosen.0, &FILTERS), ("cursor", answer.next.as_deref()));
    let world = app.handle.world();
    let mut integrations: Vec<String> =
        world.integrations.values().map(|known| known.name.clone()).collect();
    integrations.sort();
    let votes = world.policy.may_approve(&viewer.caller.principal);
    let unsigned = !app.handle.demands_signatures();
    let light = answer.items.iter().any(Item::is_light);
    let waits = waits(&app, &viewer).await?;
    let page = Inbox {
        waits,
        together: is_one_shape && votes && unsigned && light,
        same,
        request_id: app.handle.nonce(),
        may_begin: world.modes.sandbox && super::first::may_begin(&world, &viewer.caller),
        shell: Shell::of(&app, &viewer, (Section::Inbox, "Inbox".to_owned())),
        chosen,
        integrations,
        answer,
        pages,
    };
    shown(viewer.part, &page, &page.as_live())
}

/// How much is open, and since when.
async fn waits(app: &Arc<App>, viewer: &Viewer) -> Result<Option<(usize, String)>, Problem> {
    if !viewer.caller.reads(&app.handle.world()) {
        return Ok(None);
    }
    reading(app, |app| {
        let view = app.handle.view()?;
        let views = Views::new(&view)?;
        let Some(oldest) = views.open(None, 1)?.pop() else { return Ok(None) };
        let age = app.handle.now().millis_since(oldest.requested_at);
        Ok(Some((api::status::open_decisions(&views)?, times::length(age))))
    })
    .await
}

impl Chosen {
    fn text(&self, name: &str) -> &str {
        self.0.text(name).unwrap_or_default()
    }

    fn all(&self) -> bool {
        self.text("filter") == "all"
    }

    fn grouped(&self) -> bool {
        self.text("group") == "true"
    }

    /// Whether anything narrows the list.
    fn narrowed(&self) -> bool {
        let mut narrowing =
            FILTERS.iter().filter(|name| !["filter", "group", "limit"].contains(*name));
        narrowing.any(|name| self.0.text(name).is_some())
    }

    /// Items where shapes are shown, and the other way round, with the same filters.
    fn turned(&self) -> String {
        let kept = FILTERS.iter().filter(|name| !["group", "shape"].contains(*name));
        let kept = kept.filter_map(|name| Some((*name, self.0.text(name)?)));
        let group = (!self.grouped()).then_some(("group", "true"));
        address(PATH, kept.chain(group))
    }
}

impl Answer {
    fn tell_times(&mut self, now: Timestamp) {
        for item in &mut self.items {
            item.asked = Some(times::ago(item.requested_at, now));
            item.left = Some(times::left(item.expires_at, now));
        }
        for group in &mut self.groups {
            group.since = group.oldest.map(|oldest| times::ago(oldest, now));
        }
    }

    /// Lays beside each item what differs between them; gives what is the same in all.
    async fn compare(&mut self, app: &Arc<App>, viewer: &Viewer) -> Result<Vec<Field>, Problem> {
        let mut cards = vec![];
        for item in &self.items {
            let card = card::card_of(app, viewer.caller.clone(), &item.id).await?;
            cards.push(read::<Vec<Field>>(card["fields"].clone())?);
        }
        let Some((first, others)) = cards.split_first() else { return Ok(vec![]) };
        let in_all = |field: &&Field| others.iter().all(|fields| fields.contains(*field));
        let same: Vec<Field> = first.iter().filter(in_all).cloned().collect();
        for (item, fields) in self.items.iter_mut().zip(&cards) {
            let own = fields.iter().filter(|field| !same.contains(*field));
            item.differs = own.cloned().collect();
        }
        Ok(same)
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.groups.is_empty()
    }
}

/// The word for where an item stands.
pub(super) fn state_words(state: &str) -> &str {
    match state {
        "requested" => "waits for a decision",
        "in_doubt" => "sent, answer unknown",
        other => other,
    }
}
