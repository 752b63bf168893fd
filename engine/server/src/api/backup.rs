//! `POST /backup`: the running engine copies its project while it goes on.
//!
//! The copy is laid into the engine's own data directory, and nowhere else: whoever may call this
//! over the network names no path on the engine's host. Whoever is on that host, and may read the
//! data, takes it from there.

use super::Answer;
use super::runs::random_seed;
use crate::app::{App, reading};
use crate::caller::Caller;
use crate::extract::Nothing;
use crate::problem::{Problem, with_sources};
use axum::extract::State;
use placet_executor::backup;
use placet_model::actor::Role;
use serde_json::json;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// Below the data directory. Each copy has a name of its own in it: nobody takes one away that is
/// still being made for somebody else.
const STAGED: &str = "backup";
/// What nobody has taken goes by this name, as a whole, before it is removed.
const ASIDE: &str = "backup.old";

/// `POST /backup` → `{staged, size, root, made_at}`; for operators. `staged` is a path below the data
/// directory. What was laid there before and not taken is removed.
#[utoipa::path(
    post,
    path = "/backup",
    operation_id = "backup_make",
    tag = "upkeep",
    summary = "Copy the project beside its data",
    responses((status = 200, description = "Done", body = crate::openapi::shapes::Staged), crate::openapi::failures::Failures)
)]
pub(super) async fn make(State(app): State<Arc<App>>, caller: Caller, _: Nothing) -> Answer {
    caller.demand_any(&app.handle.world(), &[Role::Operator, Role::Admin])?;
    let _one_at_a_time = app.backing_up.lock().await;
    let made = reading(&app, move |app| {
        let log = app.handle.log();
        let Some(data) = log.directory() else {
            return Err(Problem::new("PL1009", "the data of this engine are in no directory"));
        };
        clear(data).map_err(|error| Problem::new("PL1009", with_sources(&error)))?;
        let name = format!("{STAGED}/{:016x}", random_seed()?);
        let staged = data.join(&name);
        let vault = app.vault.as_deref();
        let manifest = backup::make(log, (data, vault), &staged, &mut |_| {});
        let manifest = manifest.map_err(|error| Problem::new("PL1009", with_sources(&error)))?;
        Ok(json!({
            "staged": name,
            "size": manifest.size,
            "root": manifest.root,
            "made_at": manifest.made_at,
        }))
    });
    Ok(axum::Json(made.await?))
}

/// Removes copies that nobody has taken: they hold keys that may be destroyed by now.
pub(crate) fn clear(data: &Path) -> Result<(), Error> {
    let aside = data.join(ASIDE);
    remove(&aside)?;
    match std::fs::rename(data.join(STAGED), &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| remove(&aside)),
    }
}

fn remove(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::{STAGED, clear};
    use placet_test_support::dirs::Project;
    use std::fs;

    #[test]
    fn copies_that_nobody_has_taken_are_removed_also_after_a_removal_that_was_cut_short() {
        let project = Project::new();
        let data = project.dir().join("data");
        fs::create_dir(&data).unwrap();
        clear(&data).unwrap();
        for left in ["backup/one", "backup/two", "backup.old/three"] {
            fs::create_dir_all(data.join(left)).unwrap();
            fs::write(data.join(left).join("keys.redb"), b"keys").unwrap();
        }
        fs::write(data.join("log.redb"), b"log").unwrap();
        clear(&data).unwrap();
        assert!(!data.join(STAGED).exists());
        let left: Vec<_> = fs::read_dir(&data).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["log.redb"]);
    }
}
