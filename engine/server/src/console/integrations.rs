//! Integrations: what is connected and how it stands, what could be, and everything that is done with
//! a connection. A secret goes in by a form and never comes out again.

mod acts;
mod complete;
mod connect;
mod settings;
mod show;

pub(super) use acts::{disconnect, disconnecting, rotate, switch, sync, test};
pub(super) use complete::complete;
pub(super) use connect::{authorize, connect, connecting};
pub(super) use settings::{edit, editing};
pub(super) use show::show;

use super::shell::{Section, Shell, Shown, shown};
use super::text::{Line, read};
use super::times::{self, Moment};
use super::viewer::Viewer;
use crate::api;
use crate::app::App;
use crate::extract::{Params, Place};
use askama::Template;
use axum::extract::State;
use placet_adapters::Manifest;
use placet_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const PATH: &str = "/integrations";

/// A connection, as its page and its line in the table show it.
#[derive(Debug, Deserialize)]
struct Connection {
    name: String,
    provider: String,
    label: Line,
    status: String,
    reason: Option<Line>,
    paused: bool,
    is_default: bool,
    credential_version: u64,
    identity: Value,
    settings: Value,
    scopes: Vec<Line>,
    features: Vec<Feature>,
    hook: Option<Hook>,
    credential_mode: Option<Line>,
    tested_at: Option<Timestamp>,
    tested_ok: Option<bool>,
    drift: Vec<Drift>,
    pending: Vec<complete::Missing>,
    triggers: Vec<Trigger>,
    #[serde(skip)]
    hearing: Hearing,
}

/// How it is known what comes to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Hearing {
    /// Its provider posts it, or nothing does.
    #[default]
    Told,
    /// Its provider is read.
    Read,
}

/// What a set of scopes buys.
#[derive(Debug, Deserialize)]
struct Feature {
    set: String,
    buys: Vec<String>,
    granted: Option<bool>,
    missing: Vec<String>,
    missing_one_of: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    url: Option<Line>,
    proof: Line,
    believed: bool,
    events: Vec<Line>,
}

/// An event that could start runs.
#[derive(Debug, Deserialize)]
struct Trigger {
    event: Line,
    state: String,
}

#[derive(Debug, Deserialize)]
struct Drift {
    operation: Line,
    count: u64,
    last_at: Timestamp,
}

/// How a connection stands, in a word and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Badge {
    class: &'static str,
    words: &'static str,
}

impl Connection {
    /// The gravest of what there is to say.
    fn badge(&self) -> Badge {
        let (class, words) = match self.status.as_str() {
            "failed" => ("bad", "needs attention"),
            "disabled" => ("warn", "switched off"),
            "disconnected" => ("warn", "disconnected"),
            _ if self.paused => ("warn", "paused"),
            _ if !self.pending.is_empty() => ("warn", "not complete"),
            _ if self.tested_ok == Some(false) => ("warn", "the last answer was no good"),
            _ if !self.drift.is_empty() => ("warn", "its answers have changed"),
            _ if self.features.iter().any(|feature| feature.granted == Some(false)) => {
                ("good", "connected, some scopes missing")
            }
            _ => ("good", "connected"),
        };
        Badge { class, words }
    }

    fn is_read(&self) -> bool {
        self.hearing == Hearing::Read
    }

    fn heard(&self, now: Timestamp) -> Option<Moment> {
        self.tested_at.map(|at| times::ago(at, now))
    }
}

/// A provider that could be connected, or is.
#[derive(Debug)]
struct Card {
    provider: String,
    title: String,
    connected: usize,
    is_planned: bool,
    badge: Badge,
    /// What it can do, in a line.
    about: String,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    integrations: Vec<Named>,
}

#[derive(Template)]
#[template(path = "integrations/list.html", blocks = ["live"])]
struct List {
    shell: Shell,
    now: Timestamp,
    connections: Vec<Connection>,
    categories: Vec<(String, Vec<Card>)>,
}

/// `GET /integrations`.
pub(super) async fn list(State(app): State<Arc<App>>, viewer: Viewer, params: Params) -> Shown {
    params.only(&[])?;
    let (state, caller) = (State(Arc::clone(&app)), viewer.caller.clone());
    let axum::Json(answer) = api::integrations::list(state, caller, Params::default()).await?;
    let answer: Answer = read(answer)?;
    let mut connections = vec![];
    for Named { name } in answer.integrations {
        connections.push(connection(&app, &viewer, name).await?);
    }
    let mut categories: BTreeMap<String, Vec<Card>> = BTreeMap::new();
    for manifest in app.handle.adapters().manifests().values() {
        let category = manifest.category().unwrap_or("other").replace('_', " ");
        categories.entry(category).or_default().push(card(manifest, &connections));
    }
    let page = List {
        shell: Shell::of(&app, &viewer, (Section::Integrations, "Integrations".to_owned())),
        now: app.handle.now(),
        connections,
        categories: categories.into_iter().collect(),
    };
    shown(viewer.part, &page, &page.as_live())
}

async fn connection(
    app: &Arc<App>,
    viewer: &Viewer,
    name: String,
) -> Result<Connection, crate::problem::Problem> {
    let (state, caller) = (State(Arc::clone(app)), viewer.caller.clone());
    let shown = api::connections::show(state, caller, Place(name), Params::default()).await?;
    let mut connection: Connection = read(shown.0)?;
    let manifest = app.handle.adapters().manifest(&connection.provider);
    let inbound = manifest.and_then(|manifest| manifest.inbound());
    if inbound.is_some_and(|inbound| inbound.sync().is_some()) {
        connection.hearing = Hearing::Read;
    }
    Ok(connection)
}

fn card(manifest: &Manifest, connections: &[Connection]) -> Card {
    let own = || connections.iter().filter(|one| one.provider == manifest.provider());
    let connected = own().count();
    let badge = match (manifest.is_planned(), connected) {
        (true, _) => Badge { class: "warn", words: "planned, not yet usable" },
        (false, 0) => Badge { class: "", words: "not connected" },
        (false, _) if own().any(|one| one.badge().class == "bad") => {
            Badge { class: "bad", words: "needs attention" }
        }
        (false, _) => Badge { class: "good", words: "connected" },
    };
    let mut about = match manifest.operations().len() {
        1 => "1 operation".to_owned(),
        count => format!("{count} operations"),
    };
    if manifest.inbound().is_some() {
        about.push_str(", listens");
    }
    if manifest.grant().is_some() {
        about.push_str(", connects on its own page");
    }
    Card {
        provider: manifest.provider().to_owned(),
        title: manifest.title().to_owned(),
        connected,
        is_planned: manifest.is_planned(),
        badge,
        about,
    }
}
