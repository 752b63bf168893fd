//! How many runs that are not over stand on which version. A run keeps the plan it was started with,
//! so an old version lives on until its last run has ended.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::Params;
use axum::extract::State;
use placet_executor::public::rows::waiting_word;
use placet_model::{Digest, Timestamp};
use placet_projections::{RunFilter, RunRow, RunStatus, Views};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows that are read at once.
const PAGE: usize = 1000;

/// What stands on one plan.
#[derive(Debug, Default)]
struct Standing {
    running: u64,
    waiting: u64,
    waiting_for: BTreeMap<&'static str, u64>,
    oldest: Option<Timestamp>,
}

/// `GET /runs/by-version?workflow=` → `{versions: [{workflow, plan_digest, latest, running, waiting,
/// waiting_for: {kind: count}, oldest_started_at}]}`, by workflow, the latest deployment first. Only
/// plans on which a run stands are listed; `latest` tells whether a new run would get this one.
#[utoipa::path(
    get,
    path = "/runs/by-version",
    operation_id = "versions_list",
    tag = "runs",
    summary = "Which versions runs stand on",
    params(("workflow" = Option<String>, Query)),
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Versions), crate::openapi::failures::Failures)
)]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller, params: Params) -> Answer {
    let params = params.only(&["workflow"])?;
    let family = params.text("workflow").map(str::to_owned);
    let list = reading(&app, move |app| {
        let world = app.handle.world();
        caller.known(&world)?;
        let sees_all = caller.reads(&world);
        let view = app.handle.view()?;
        let views = Views::new(&view)?;
        let mut plans: BTreeMap<(String, Digest), (String, Standing)> = BTreeMap::new();
        for status in [RunStatus::Running, RunStatus::Waiting] {
            let filter = RunFilter { status: Some(status), workflow: family.clone() };
            let mut before = None;
            loop {
                let rows = views.runs(&filter, before, PAGE)?;
                before = rows.last().map(|row| row.run);
                for row in rows.iter().filter(|row| sees_all || row.requester == caller.principal) {
                    let key = (row.workflow.family(), row.plan_digest);
                    let plan = plans.entry(key);
                    let (_, standing) =
                        plan.or_insert_with(|| (row.workflow.to_string(), Standing::default()));
                    standing.count(row);
                }
                if rows.len() < PAGE {
                    break;
                }
            }
        }
        // deployments by family, the latest first
        let deployed = views.workflows()?;
        let place = |family: &str, plan: Digest| {
            let mut own = deployed.iter().filter(|row| row.family == family);
            own.position(|row| row.plan_digest == plan)
        };
        let mut rows: Vec<_> = plans
            .into_iter()
            .map(|((family, plan), (name, standing))| {
                let place = place(&family, plan);
                ((family, place.unwrap_or(usize::MAX)), standing.to_json(&name, plan, place))
            })
            .collect();
        rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        Ok(json!({ "versions": rows.into_iter().map(|(_, row)| row).collect::<Vec<Value>>() }))
    });
    Ok(axum::Json(list.await?))
}

impl Standing {
    fn count(&mut self, row: &RunRow) {
        match row.waiting_for {
            None => self.running += 1,
            Some(waiting) => {
                self.waiting += 1;
                *self.waiting_for.entry(waiting_word(waiting)).or_default() += 1;
            }
        }
        self.oldest = Some(self.oldest.map_or(row.started_at, |oldest| oldest.min(row.started_at)));
    }

    fn to_json(&self, workflow: &str, plan: Digest, place: Option<usize>) -> Value {
        json!({
            "workflow": workflow,
            "plan_digest": plan,
            "latest": place == Some(0),
            "running": self.running,
            "waiting": self.waiting,
            "waiting_for": self.waiting_for,
            "oldest_started_at": self.oldest,
        })
    }
}
