//! One connection: as whom it acts, what its scopes buy, what depends on it, and what can be done.

use super::{Connection, connection};
use crate::api::connections as api;
use crate::app::App;
use crate::console::fields::{self, Field};
use crate::console::shell::{Section, Shell, Shown, shown};
use crate::console::text::{Block, Line, read};
use crate::console::viewer::Viewer;
use crate::extract::{Params, Place};
use askama::Template;
use axum::extract::State;
use placet_model::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

/// What would miss it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Uses {
    pub(super) steps: Vec<Step>,
    pub(super) open: u64,
    pub(super) waiting: u64,
    pub(super) policies: Vec<Line>,
    pub(super) channels: Vec<Line>,
    pub(super) starts: Vec<Start>,
    pub(super) agents: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Step {
    pub(super) workflow: Line,
    pub(super) task: Line,
    pub(super) operation: Line,
}

#[derive(Debug, Deserialize)]
pub(super) struct Start {
    pub(super) workflow: Line,
    pub(super) when: Line,
}

impl Uses {
    /// Whether nothing would.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
            && (self.open, self.waiting) == (0, 0)
            && [self.policies.len(), self.channels.len(), self.agents.len()] == [0; 3]
            && self.starts.is_empty()
    }
}

#[derive(Template)]
#[template(path = "integrations/show.html", blocks = ["live"])]
struct Show {
    shell: Shell,
    now: Timestamp,
    connection: Connection,
    identity: Block,
    settings: Block,
    /// Only for those who read the project.
    uses: Option<Uses>,
    secrets: Vec<Field>,
}

/// `GET /integrations/{name}`.
pub(in crate::console) async fn show(
    State(app): State<Arc<App>>,
    viewer: Viewer,
    Place(name): Place<String>,
    params: Params,
) -> Shown {
    params.only(&[])?;
    let connection = connection(&app, &viewer, name.clone()).await?;
    let manifest = app.handle.adapters().manifest(&connection.provider);
    let page = Show {
        shell: Shell::of(&app, &viewer, (Section::Integrations, name.clone())),
        now: app.handle.now(),
        identity: Block::of(&connection.identity),
        settings: Block::of(&connection.settings),
        uses: uses(&app, &viewer, name).await?,
        secrets: fields::of(
            manifest.and_then(|known| known.credential_schema()).map(|known| known.document()),
        ),
        connection,
    };
    shown(viewer.part, &page, &page.as_live())
}

/// What depends on it, where the viewer may know.
pub(super) async fn uses(
    app: &Arc<App>,
    viewer: &Viewer,
    name: String,
) -> Result<Option<Uses>, crate::problem::Problem> {
    if viewer.caller.demand_reader(&app.handle.world()).is_err() {
        return Ok(None);
    }
    let (state, caller) = (State(Arc::clone(app)), viewer.caller.clone());
    let axum::Json(uses) = api::uses(state, caller, Place(name), Params::default()).await?;
    read(uses).map(Some)
}
