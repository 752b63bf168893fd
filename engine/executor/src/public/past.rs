//! The project as it was at a position of the log.

use super::rows;
use crate::handle::Error;
use placet_log::ReadView;
use placet_model::Position;
use placet_projections::{Past, RunFilter};
use serde_json::{Value, json};

/// Folds the log up to `at` and tells what held then: `{position, recorded_at, root, head, policy,
/// paused, paused_integrations, inbox, runs, integrations, workflows}`. Facts only, as everything in
/// events; nothing is appended.
///
/// # Errors
/// A position that never was; a damaged log.
pub fn as_of(view: &ReadView, at: Position) -> Result<Value, Error> {
    let past = Past::at(view, at).map_err(|error| match error {
        placet_projections::Error::NoSuchPosition { .. } => {
            Error::Refused { code: error.code(), detail: error.to_string() }
        }
        other => other.into(),
    })?;
    let views = past.views();
    let pauses = views.pauses()?;
    let policy = views.policy()?.map(|(digest, _place)| digest);
    let inbox = views.open(None, usize::MAX)?;
    let runs = views.runs(&RunFilter::default(), None, usize::MAX)?;
    let integrations = views.integrations()?;
    let workflows = views.workflows()?;
    let is_paused = |id| pauses.integrations.contains(id);
    Ok(json!({
        "position": at,
        "recorded_at": view.event(at)?.recorded_at,
        "root": view.root_at(at.get())?,
        "head": view.head().position(),
        "policy": policy,
        "paused": pauses.project,
        "paused_integrations": pauses.integrations,
        "inbox": inbox.iter().map(rows::decision).collect::<Vec<_>>(),
        "runs": runs.iter().map(rows::run).collect::<Vec<_>>(),
        "integrations": integrations
            .iter()
            .map(|row| rows::integration(row, is_paused(&row.id)))
            .collect::<Vec<_>>(),
        "workflows": workflows.iter().map(rows::workflow).collect::<Vec<_>>(),
    }))
}
