//! Checks of `inbound.triggers`: what may start runs by itself is an event that there is, and news.

use super::document_inbound::InboundDoc;
use super::problem::Problems;
use crate::inbound::ECHO;
use serde_saphyr::Spanned;
use std::collections::BTreeSet;

/// Keys of the events that may start runs as soon as a connection is made; none where the manifest says
/// nothing, and then all may.
pub(super) fn triggers(document: &InboundDoc, problems: &mut Problems) -> Option<BTreeSet<String>> {
    let stated = document.triggers.as_ref()?;
    let by_form = document.by_form.iter().flat_map(|form| &form.value.events);
    let known: BTreeSet<&str> =
        document.events.iter().chain(by_form).map(|event| event.value.key.as_str()).collect();
    let mut keys = BTreeSet::new();
    for trigger in &stated.value {
        let key = trigger.value.as_str();
        if !known.contains(key) {
            let known: Vec<&str> = known.iter().copied().collect();
            let help = format!("its events are {}", known.join(", "));
            problems.at_with_help(
                trigger,
                format!("inbound.triggers: there is no event {key}"),
                &help,
            );
        } else if key.ends_with(ECHO) {
            problems.at(
                trigger,
                format!("inbound.triggers: {key} only tells of our own sends, and starts nothing"),
            );
        } else if !keys.insert(key.to_owned()) {
            problems.at(trigger, format!("inbound.triggers: {key} stands there twice"));
        }
    }
    Some(keys)
}

/// What comes as a form is stated beside the rest, in one list.
pub(super) fn none_in_form(form: &Spanned<InboundDoc>, problems: &mut Problems) {
    if let Some(stated) = &form.value.triggers {
        problems.at(stated, "inbound.triggers stands beside by_form, with the events of both");
    }
}
