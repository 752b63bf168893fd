//! `undo`: the operation that takes back what another one does.

use super::document::{ManifestDoc, OperationDoc};
use super::problem::Problems;
use crate::undo::{Undo, UndoKind};
use placet_model::manifest::Effect;
use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoDoc {
    /// What the other operation does: bring back what was, or make up for it.
    pub(super) is: UndoKind,
    /// An operation of this manifest.
    pub(super) by: Spanned<String>,
}

/// The `undo` of an operation; a read has nothing to undo, and undoes nothing.
pub(super) fn undo(
    document: &ManifestDoc,
    operation: &OperationDoc,
    problems: &mut Problems,
) -> Option<Undo> {
    let undo = operation.undo.as_ref()?;
    if operation.effect.value == Effect::Read {
        problems.at(undo, "a read has nothing to undo");
    }
    let by = &undo.value.by;
    match document.operations.get(&by.value) {
        None => problems.at(by, format!("there is no operation {}", by.value)),
        Some(other) if other.value.effect.value == Effect::Read => {
            problems.at(by, format!("{} reads: it undoes nothing", by.value));
        }
        Some(_) => {}
    }
    let by = format!("{}.{}", document.provider.value, by.value);
    Some(Undo { kind: undo.value.is, by })
}

/// A manifest that says `planned` has nothing that could be used: its badge is computed, so the word
/// must not say something else.
pub(super) fn planned(document: &ManifestDoc, problems: &mut Problems) {
    if let (true, Some(first)) = (document.planned, document.operations.values().next()) {
        problems.at(first, "planned: true stands in a manifest without operations");
    }
}
