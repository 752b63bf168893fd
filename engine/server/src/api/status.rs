//! How the engine stands.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::Params;
use crate::problem::Problem;
use axum::extract::State;
use placet_model::Timestamp;
use placet_projections::Views;
use serde_json::{Value, json};
use std::sync::Arc;

/// Counting ends here; more is shown as this many.
const COUNT_MAX: usize = 10_000;

/// `GET /status` → `{project, version, install_id, mode, modes, head, now, paused, nats, counts, alarms}`: alarms of the last day, one's own
/// or, for admins, auditors and operators, everybody's.
#[utoipa::path(
    get,
    path = "/status",
    operation_id = "status",
    tag = "engine",
    summary = "How the engine stands",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Status), crate::openapi::failures::Failures)
)]
pub(super) async fn status(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    params.only(&[])?;
    let status = reading(&app, move |app| {
        let world = app.handle.world();
        caller.known(&world)?;
        let view = app.handle.view()?;
        let counts = counts(app)?;
        let names = world.paused_integrations.iter().filter_map(|id| world.integrations.get(id));
        let now: Timestamp = app.handle.now();
        Ok(json!({
            "project": app.handle.log().project(),
            "version": env!("CARGO_PKG_VERSION"),
            "install_id": app.handle.log().install_id(),
            "user": caller.principal,
            "mode": app.mode,
            "modes": { "sandbox": world.modes.sandbox, "live": world.modes.live },
            "head": view.head().position(),
            "root": view.head().root,
            "now": now,
            "paused": world.paused,
            "nats": *app.nats.borrow(),
            "paused_integrations": names.map(|i| &i.name).collect::<Vec<_>>(),
            "stopping": world.stopping,
            "counts": counts.to_json(),
            "alarms": app.handle.recent_alarms(&caller.principal)?,
        }))
    });
    Ok(axum::Json(status.await?))
}

/// What waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) open_decisions: usize,
    pub(crate) in_doubt: usize,
    pub(crate) live_runs: usize,
    pub(crate) workflows: usize,
    pub(crate) integrations: usize,
}

impl Counts {
    fn to_json(self) -> Value {
        json!({
            "open_decisions": self.open_decisions,
            "in_doubt": self.in_doubt,
            "live_runs": self.live_runs,
            "workflows": self.workflows,
            "integrations": self.integrations,
        })
    }
}

/// Counts what waits, each up to a bound.
pub(crate) fn counts(app: &App) -> Result<Counts, Problem> {
    let view = app.handle.view()?;
    let views = Views::new(&view)?;
    let workflows = views.workflows()?;
    let mut names: Vec<&str> = workflows.iter().map(|row| row.family.as_str()).collect();
    names.dedup();
    Ok(Counts {
        open_decisions: open_decisions(&views)?,
        in_doubt: views.in_doubt()?.len(),
        live_runs: views.live_count(COUNT_MAX)?,
        workflows: names.len(),
        integrations: app.handle.world().integrations.len(),
    })
}

/// Exact, by the counts of their shapes; where those are too many, up to a bound.
pub(crate) fn open_decisions(views: &Views<'_>) -> Result<usize, Problem> {
    const SHAPES_MAX: usize = 1_000;
    match views.open_count(SHAPES_MAX)?.map(usize::try_from) {
        Some(Ok(count)) => Ok(count),
        Some(Err(_)) | None => Ok(views.open(None, COUNT_MAX)?.len()),
    }
}
