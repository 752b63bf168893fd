//! Checks of `mock.state`: what an operation does to what the sandbox remembers.

use super::check_request::pointer;
use super::document::MockStateDoc;
use super::problem::Problems;
use crate::mock::{EchoFrom, MockState, MockVersion, StateVerb};
use serde_saphyr::Spanned;

pub(super) fn state<T>(
    shape: &MockStateDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<MockState> {
    let names_it = matches!(shape.does, StateVerb::Get | StateVerb::Update | StateVerb::Delete);
    if names_it && shape.asked.is_none() {
        problems.at(place, "mock.state needs asked: where the request names the thing");
    }
    if (shape.does == StateVerb::List) != shape.items.is_some() {
        problems.at(place, "mock.state has items where it lists, and nowhere else");
    }
    let optional = |text: &Option<String>, problems: &mut Problems| match text {
        Some(text) => from(text, place, problems).map(Some),
        None => Some(None),
    };
    Some(MockState {
        store: shape.store.clone(),
        does: shape.does,
        asked: optional(&shape.asked, problems)?,
        within: optional(&shape.within, problems)?,
        object: pointer(&shape.object, place, problems)?,
        id: pointer(shape.id.as_deref().unwrap_or("/id"), place, problems)?,
        items: match &shape.items {
            Some(items) => Some(pointer(items, place, problems)?),
            None => None,
        },
        version: match &shape.version {
            Some(version) => Some(MockVersion {
                at: pointer(&version.at, place, problems)?,
                asked: from(&version.asked, place, problems)?,
            }),
            None => None,
        },
    })
}

/// A place of the request: `target.PART`, or a pointer into the input.
pub(super) fn from<T>(text: &str, place: &Spanned<T>, problems: &mut Problems) -> Option<EchoFrom> {
    match text.strip_prefix("target.") {
        Some(part) => Some(EchoFrom::TargetPart(part.to_owned())),
        None => pointer(text, place, problems).map(EchoFrom::Input),
    }
}
