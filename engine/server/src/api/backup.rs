//! `POST /backup`: the running engine copies its project while it goes on.
//!
//! The copy is laid into the engine's own data directory, and nowhere else: whoever may call this
//! over the network names no path on the engine's host. Whoever is on that host, and may read the
//! data, takes it from there.

use super::Answer;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::Nothing;
use crate::problem::{Problem, with_sources};
use axum::extract::State;
use placet_executor::backup;
use placet_model::actor::Role;
use serde_json::json;
use std::sync::Arc;

/// Below the data directory.
const STAGED: &str = "backup";

/// `POST /backup` → `{staged, size, root, made_at}`; for operators.
pub(super) async fn make(State(app): State<Arc<App>>, caller: Caller, _: Nothing) -> Answer {
    caller.demand_any(&app.handle.world(), &[Role::Operator, Role::Admin])?;
    let _one_at_a_time = app.backing_up.lock().await;
    let made = reading(&app, move |app| {
        let log = app.handle.log();
        let Some(data) = log.directory() else {
            return Err(Problem::new("PL1009", "the data of this engine are in no directory"));
        };
        let staged = data.join(STAGED);
        if staged.exists() {
            let removed = std::fs::remove_dir_all(&staged);
            removed.map_err(|error| Problem::new("PL1009", with_sources(&error)))?;
        }
        let vault = app.vault.as_deref();
        let manifest = backup::make(log, (data, vault), &staged, &mut |_| {});
        let manifest = manifest.map_err(|error| Problem::new("PL1009", with_sources(&error)))?;
        Ok(json!({
            "staged": STAGED,
            "size": manifest.size,
            "root": manifest.root,
            "made_at": manifest.made_at,
        }))
    });
    Ok(axum::Json(made.await?))
}
