//! The fold of what agents ask for: actions by their key, and drafts that an approver has replaced.

use crate::Error;
use crate::store::Store;
use crate::table::TableName;
use placet_model::event::decision::{ActionRequested, DraftEdited};
use placet_model::{Digest, RunId};
use serde::{Deserialize, Serialize};

/// An action of an agent, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Action {
    pub(crate) run: RunId,
    pub(crate) content: Digest,
}

/// The first action under a key is the one that counts; the executor makes no second.
pub(crate) fn requested(
    store: &mut Store<'_>,
    run: RunId,
    body: &ActionRequested,
) -> Result<(), Error> {
    let key = body.key.as_bytes();
    if store.get::<Action>(TableName::Actions, key)?.is_some() {
        return Ok(());
    }
    store.put(TableName::Actions, key, &Action { run, content: body.content })
}

/// The last decision whose draft said this counts.
pub(crate) fn edited(store: &mut Store<'_>, body: &DraftEdited) -> Result<(), Error> {
    store.put(TableName::Edited, body.original.as_bytes(), &body.decision)
}
