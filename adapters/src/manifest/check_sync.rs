//! Checks of `inbound.sync`: every call reads, and its answers say what the next one needs.

use super::check_answer::unit;
use super::check_inbound::{Operations, value};
use super::check_request::pointer;
use super::document::WaitUnit;
use super::document_inbound::{SyncCallDoc, SyncDoc};
use super::problem::Problems;
use crate::inbound::{Sync, SyncCall};
use crate::pointer::Pointer;
use placet_model::manifest::Effect;
use serde_json::Value;
use serde_saphyr::Spanned;

pub(super) fn sync(
    document: &Spanned<SyncDoc>,
    (provider, operations): (&str, &Operations),
    problems: &mut Problems,
) -> Option<Sync> {
    let shape = &document.value;
    for call in [&shape.start, &shape.changes, &shape.all, &shape.item] {
        match operations.get(&format!("{provider}.{}", call.op)) {
            None => problems.at(document, format!("there is no operation {provider}.{}", call.op)),
            Some(operation) if operation.effect() != Effect::Read => {
                problems.at(document, format!("{} does not read", call.op));
            }
            Some(_) => {}
        }
    }
    let lacks = [
        ("start.position", shape.start.position.is_none()),
        ("changes.ids", shape.changes.ids.is_none()),
        ("changes.position", shape.changes.position.is_none()),
        ("all.ids", shape.all.ids.is_none()),
    ];
    for (name, _) in lacks.iter().filter(|(_, lacks)| *lacks) {
        problems.at(document, format!("inbound.sync needs {name}"));
    }
    if !matches!(shape.came.unit, WaitUnit::EpochS | WaitUnit::EpochMs) {
        problems.at(document, "sync.came.unit is epoch_s or epoch_ms");
    }
    let own = match &shape.own {
        Some(own) => Some((pointer(&own.at, document, problems)?, own.has.clone())),
        None => None,
    };
    Some(Sync {
        start: one(&shape.start, document, problems)?,
        changes: one(&shape.changes, document, problems)?,
        all: one(&shape.all, document, problems)?,
        item: one(&shape.item, document, problems)?,
        came: (pointer(&shape.came.at, document, problems)?, unit(shape.came.unit)),
        own,
    })
}

pub(super) fn one<T>(
    call: &SyncCallDoc,
    document: &Spanned<T>,
    problems: &mut Problems,
) -> Option<SyncCall> {
    let mut at = |text: &Option<String>| -> Option<Option<Pointer>> {
        match text {
            Some(text) => pointer(text, document, problems).map(Some),
            None => Some(None),
        }
    };
    let (position, next) = (at(&call.position)?, at(&call.next)?);
    let ids = match call.ids.as_deref().map(Pointer::parse).transpose() {
        Ok(ids) => ids,
        Err(error) => {
            problems.at(document, error.to_string());
            return None;
        }
    };
    let with = value(&Value::Object(call.with.clone()), document, problems)?;
    Some(SyncCall { operation: call.op.clone(), with, ids, position, next })
}
