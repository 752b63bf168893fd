//! Checks of `steps`: what can be chosen is read, and becomes a setting that there is.

use super::check_request::pointer;
use super::check_sync;
use super::document_inbound::SyncCallDoc;
use super::operation::Operation;
use super::problem::Problems;
use crate::inbound::Inbound;
use crate::steps::{Of, Only, Step};
use placet_model::manifest::Effect;
use placet_schemas::Schema;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepDoc {
    pub(super) setting: String,
    pub(super) title: String,
    #[serde(default)]
    pub(super) of: OfDoc,
    pub(super) choices: ChoicesDoc,
    pub(super) only: Option<OnlyDoc>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OfDoc {
    #[default]
    Every,
    Agents,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChoicesDoc {
    /// A read, without the provider.
    pub(super) op: String,
    /// Its input; `{input./page?}` is the page.
    #[serde(default)]
    pub(super) with: Map<String, Value>,
    pub(super) items: String,
    pub(super) value: String,
    pub(super) label: String,
    /// Where the answer names the page after it, or how many there are.
    pub(super) next: Option<String>,
    pub(super) pages: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyDoc {
    pub(super) input: Option<String>,
    pub(super) data: Option<String>,
}

/// What a step may name.
pub(super) struct Known<'m> {
    pub(super) provider: &'m str,
    pub(super) operations: &'m BTreeMap<String, Arc<Operation>>,
    pub(super) config: Option<&'m Schema>,
    pub(super) inbound: Option<&'m Inbound>,
}

pub(super) fn step(
    document: &Spanned<StepDoc>,
    known: &Known<'_>,
    problems: &mut Problems,
) -> Option<Step> {
    let shape = &document.value;
    let choices = &shape.choices;
    let name = format!("{}.{}", known.provider, choices.op);
    match known.operations.get(&name) {
        None => problems.at(document, format!("there is no operation {name}")),
        Some(operation) if operation.effect() != Effect::Read => {
            problems.at(document, format!("{name} does not read"));
        }
        Some(_) => {}
    }
    let is_there = |schema: &Schema| schema.document()["properties"].get(&shape.setting).is_some();
    if !known.config.is_some_and(is_there) {
        problems.at(document, format!("there is no setting {}", shape.setting));
    }
    let is_read = known.inbound.is_some_and(|inbound| inbound.sync().is_some());
    if is_read && shape.only.as_ref().is_some_and(|only| only.data.is_some()) {
        problems.at(document, "only.data: what is read after a hint has no data");
    }
    if choices.next.is_some() && choices.pages.is_some() {
        problems.at(document, "choices has next or pages, not both");
    }
    let call = SyncCallDoc {
        op: choices.op.clone(),
        with: choices.with.clone(),
        ids: None,
        position: None,
        next: choices.next.clone(),
    };
    let only = shape.only.as_ref();
    let input = match only.and_then(|only| only.input.as_ref()) {
        Some(at) => Some(pointer(at, document, problems)?),
        None => None,
    };
    let pages = match &choices.pages {
        Some(at) => Some(pointer(at, document, problems)?),
        None => None,
    };
    let data = only.and_then(|only| only.data.clone());
    let brings = |name: &String| known.inbound.is_some_and(|inbound| inbound.has_data(name));
    if let Some(name) = data.as_ref().filter(|name| !brings(name)) {
        problems.at(document, format!("only.data: no inbound event has {name}"));
    }
    Some(Step {
        setting: shape.setting.clone(),
        title: shape.title.clone(),
        of: match shape.of {
            OfDoc::Every => Of::Every,
            OfDoc::Agents => Of::Agents,
        },
        call: check_sync::one(&call, document, problems)?,
        items: pointer(&choices.items, document, problems)?,
        value: pointer(&choices.value, document, problems)?,
        label: pointer(&choices.label, document, problems)?,
        pages,
        only: Only { input, data },
    })
}
