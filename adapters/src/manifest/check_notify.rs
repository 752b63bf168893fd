//! `notify`: which operation of the provider carries a channel, and what it is called with.

use super::Operation;
use super::problem::Problems;
use crate::notify::NotifyRoute;
use crate::template::{Name, Part, ValueTemplate};
use placet_model::manifest::Effect;
use placet_model::route::Carrier;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyDoc {
    pub(super) channel: String,
    /// The operation, without its provider.
    pub(super) op: String,
    pub(super) with: Map<String, Value>,
    /// Whether the sandbox takes this one where several placeholders could carry the channel.
    #[serde(default)]
    pub(super) usual: bool,
}

pub(super) fn notify(
    document: &Spanned<NotifyDoc>,
    provider: &str,
    operations: &BTreeMap<String, Arc<Operation>>,
    problems: &mut Problems,
) -> Option<NotifyRoute> {
    let shape = &document.value;
    if shape.channel.is_empty() || !shape.channel.bytes().all(|byte| byte.is_ascii_lowercase()) {
        problems.at(document, "notify.channel is one word of a-z");
    }
    let name = format!("{provider}.{}", shape.op);
    match operations.get(&name) {
        None => problems.at(document, format!("there is no operation {name}")),
        Some(operation) if operation.effect() != Effect::Send => {
            problems.at(document, format!("{name} does not send: it tells nobody anything"));
        }
        Some(_) => {}
    }
    let with = match ValueTemplate::parse(&Value::Object(shape.with.clone())) {
        Ok(with) => with,
        Err(error) => {
            problems.at(document, error.to_string());
            return None;
        }
    };
    let parts = with.templates().into_iter().flat_map(|template| &template.parts);
    let names = parts.flat_map(|part| match part {
        Part::Text(_) => &[][..],
        Part::Place(place) => place.names.as_slice(),
    });
    if names.clone().any(|name| !matches!(name, Name::Input(_) | Name::Config(_))) {
        problems.at(document, "notify.with is made of {input./…} and {config.…} alone");
    }
    let carrier = Carrier { operation: name, is_usual: shape.usual };
    Some(NotifyRoute { channel: shape.channel.clone(), carrier, with })
}
