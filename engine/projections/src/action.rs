//! The fold of what agents ask for: actions by their key, open items by who caused them, and drafts
//! that an approver has replaced.

use crate::Error;
use crate::key::Mark;
use crate::store::Store;
use crate::table::TableName;
use placet_model::event::decision::{ActionRequested, DraftEdited};
use placet_model::{DecisionId, Digest, Principal, RunId};
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

/// Keeps the open items of a requester, as the marks of a decision come and go.
pub(crate) fn open(
    store: &mut Store<'_>,
    (decision, requester): (DecisionId, &Principal),
    (before, now): (&[Mark], &[Mark]),
) -> Result<(), Error> {
    let open = Mark::Open(decision);
    let key = || [asked(requester), decision.to_bytes().to_vec()].concat();
    match (before.contains(&open), now.contains(&open)) {
        (false, true) => store.put(TableName::Asked, &key(), &()),
        (true, false) => store.remove(TableName::Asked, &key()),
        (true, true) | (false, false) => Ok(()),
    }
}

/// What the keys of a requester's open items begin with; no principal's name holds a zero.
pub(crate) fn asked(requester: &Principal) -> Vec<u8> {
    [requester.as_str().as_bytes(), &[0]].concat()
}
