//! Checks of `inbound.pairing`: what is to be sent is what is looked for.

use super::check_request::{pointer, regex};
use super::document_inbound::PairingDoc;
use super::problem::Problems;
use crate::inbound::Pairing;
use placet_schemas::Schema;
use serde_saphyr::Spanned;

/// Of the form that codes have.
const SAMPLE: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn pairing(document: &Spanned<PairingDoc>, problems: &mut Problems) -> Option<Pairing> {
    let shape = &document.value;
    let pairing = Pairing {
        at: pointer(&shape.code.at, document, problems)?,
        matches: regex(&shape.code.matches, document, problems)?,
        to: pointer(&shape.to, document, problems)?,
        setting: shape.setting.clone(),
        say: shape.say.clone(),
        link: shape.link.clone(),
    };
    if pairing.code(&pairing.say(SAMPLE)) != Some(SAMPLE) {
        problems
            .at(document, "inbound.pairing.say, with a code in it, is not what code.matches finds");
    }
    let is_link = |link: &String| link.starts_with("https://") && link.contains("{code}");
    if !pairing.link.as_ref().is_none_or(is_link) {
        problems.at(document, "inbound.pairing.link is an https address with {code} in it");
    }
    Some(pairing)
}

/// The conversation goes into a setting that there is.
pub(super) fn setting(
    document: &Spanned<PairingDoc>,
    config: Option<&Schema>,
    problems: &mut Problems,
) {
    let name = &document.value.setting;
    let is_there = |schema: &Schema| schema.document()["properties"].get(name).is_some();
    if !config.is_some_and(is_there) {
        problems.at(document, format!("inbound.pairing.setting: there is no setting {name}"));
    }
}
