//! Checks of an event's `refetch`: a read, asked with what the message has said, whose answer has what is
//! taken from it.

use super::check_inbound::{Operations, source, value};
use super::document_inbound::{EventDoc, RefetchDoc};
use super::problem::Problems;
use super::references::is_in;
use crate::inbound::{NOTICE, Refetch};
use crate::pointer::Pointer;
use crate::template::{Name, Template};
use placet_model::manifest::Effect;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

/// Whether the manifest has what it names.
pub(super) fn fits(
    event: &Spanned<EventDoc>,
    (provider, operations): (&str, &Operations),
    problems: &mut Problems,
) {
    let shape = &event.value;
    if shape.key.ends_with(NOTICE) {
        problems.at(event, format!("a key that ends in {NOTICE} is the engine's own"));
    }
    let Some(said) = &shape.refetch else { return };
    let name = format!("{provider}.{}", said.value.op);
    let Some(read) = operations.get(&name) else {
        problems.at(said, format!("refetch names no operation of this manifest: {name}"));
        return;
    };
    if read.effect() != Effect::Read {
        problems.at(said, format!("{name} does not read"));
    }
    if !shape.correlate.is_empty() {
        let words = "what it answers is said in refetch.correlate: it is known once it was read";
        problems.at(event, words);
    }
    for text in said.value.correlate.values().chain(said.value.data.values()) {
        let body = text.split('|').filter(|one| one.starts_with('/'));
        for at in body.filter_map(|one| Pointer::parse(one.trim()).ok()) {
            if !is_in(read.output_schema.as_deref(), &at) {
                problems.at(said, format!("the answer of {name} has no {at}"));
            }
        }
    }
    let with = value(&Value::Object(said.value.with.clone()), said, problems);
    for name in with.iter().flat_map(|with| with.templates()).flat_map(Template::names) {
        match name {
            Name::Config(_) => {}
            Name::Input(at)
                if at.segments().first().is_some_and(|n| shape.data.contains_key(n)) => {}
            other => {
                let words =
                    format!("refetch.with is asked with the event's data, not {}", other.label());
                problems.at(said, words);
            }
        }
    }
}

pub(super) fn refetch(said: &Spanned<RefetchDoc>, problems: &mut Problems) -> Option<Refetch> {
    let mut places = |all: &BTreeMap<String, String>| -> Option<BTreeMap<String, _>> {
        let mut found = BTreeMap::new();
        for (name, text) in all {
            found.insert(name.clone(), source(text, said, problems)?);
        }
        Some(found)
    };
    let (correlate, data) = (places(&said.value.correlate)?, places(&said.value.data)?);
    let with = value(&Value::Object(said.value.with.clone()), said, problems)?;
    Some(Refetch { operation: said.value.op.clone(), with, correlate, data })
}
