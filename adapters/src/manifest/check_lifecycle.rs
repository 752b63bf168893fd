//! Checks of `inbound.subscribe`, `renew`, `unsubscribe` and `find`: whatever is made can be taken away
//! again, and what nobody remembers can be found.

use super::check_answer::unit;
use super::check_inbound::{Operations, value};
use super::check_request::pointer;
use super::document::WaitUnit;
use super::document_inbound::{InboundDoc, LifecycleDoc};
use super::problem::Problems;
use crate::inbound::{LifecycleCall, LifecycleStep, Listed};
use placet_model::manifest::Effect;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) fn lifecycle(
    document: &InboundDoc,
    provider: &str,
    operations: &Operations,
    problems: &mut Problems,
) -> BTreeMap<LifecycleStep, LifecycleCall> {
    let steps = [
        (LifecycleStep::Subscribe, &document.subscribe),
        (LifecycleStep::Renew, &document.renew),
        (LifecycleStep::Unsubscribe, &document.unsubscribe),
        (LifecycleStep::Find, &document.find),
    ];
    let mut calls = BTreeMap::new();
    for (step, call) in steps {
        let Some(call) = call else { continue };
        let operation = operations.get(&format!("{provider}.{}", call.value.op));
        match operation.map(|operation| operation.effect()) {
            None => {
                let words = format!("there is no operation {provider}.{}", call.value.op);
                problems.at(call, words);
            }
            Some(Effect::Read) if step != LifecycleStep::Find => {
                problems.at(call, "it changes nothing at the provider: a read cannot do that");
            }
            Some(effect) if step == LifecycleStep::Find && effect != Effect::Read => {
                problems.at(call, "inbound.find reads");
            }
            Some(_) => {}
        }
        if let Some(checked) = one(call, problems) {
            calls.insert(step, checked);
        }
    }
    whole(document, &calls, problems);
    calls
}

/// Whoever subscribes can unsubscribe; one among many is named by its id, and can be found.
fn whole(
    document: &InboundDoc,
    calls: &BTreeMap<LifecycleStep, LifecycleCall>,
    problems: &mut Problems,
) {
    let Some(place) = &document.subscribe else {
        for left in [&document.renew, &document.unsubscribe, &document.find].into_iter().flatten() {
            problems.at(left, "without inbound.subscribe there is nothing that it could be about");
        }
        return;
    };
    let Some(subscribe) = calls.get(&LifecycleStep::Subscribe) else { return };
    let Some(away) = calls.get(&LifecycleStep::Unsubscribe) else {
        problems
            .at(place, "inbound.subscribe needs inbound.unsubscribe: what is made is taken away");
        return;
    };
    let find = calls.get(&LifecycleStep::Find);
    if away.needs_id() && (subscribe.id.is_none() || find.is_none()) {
        problems.at(
            place,
            "one among many is taken away by its id: subscribe says where that stands (id), and \
             inbound.find lists them, so that what a crash left behind is found",
        );
    }
    if find.is_some_and(|find| find.found.is_none()) {
        problems.at(place, "inbound.find needs list, url and id");
    }
    let lasts = subscribe.expires.is_some();
    if lasts && subscribe.every.is_none() {
        problems.at(place, "what ends by itself is made again: every_s says how often");
    }
}

fn one(document: &Spanned<LifecycleDoc>, problems: &mut Problems) -> Option<LifecycleCall> {
    let shape = &document.value;
    let mut at = |text: &Option<String>| match text {
        Some(text) => pointer(text, document, problems).map(Some),
        None => Some(None),
    };
    let (id, list, url) = (at(&shape.id)?, at(&shape.list)?, at(&shape.url)?);
    let expires = match &shape.expires {
        Some(expires) => {
            if !matches!(expires.unit, WaitUnit::EpochS | WaitUnit::EpochMs) {
                problems.at(document, "expires.unit is epoch_s or epoch_ms");
            }
            Some((pointer(&expires.at, document, problems)?, unit(expires.unit)))
        }
        None => None,
    };
    let secret = match &shape.secret {
        Some(made) => Some((pointer(&made.at, document, problems)?, made.field.clone())),
        None => None,
    };
    let found = match (&list, &url, &id) {
        (Some(list), Some(url), Some(id)) => {
            Some(Listed { list: list.clone(), url: url.clone(), id: id.clone() })
        }
        _ => None,
    };
    Some(LifecycleCall {
        operation: shape.op.clone(),
        with: value(&Value::Object(shape.with.clone()), document, problems)?,
        id,
        expires,
        every: shape.every_s.map(|seconds| Duration::from_secs(u64::from(seconds))),
        secret,
        found,
    })
}
