//! What the id of an example is: no two things may have the same.

use crate::store::{id_of as text_of, scalar_text};
use placet_adapters::Operation;
use placet_adapters::pointer::Pointer;
use serde_json::Value;

/// Places where an answer has the id of what was made, if no manifest says so.
const USUAL: [&str; 3] = ["/id", "/data/id", "/ID"];

/// The id of the thing in an example; none where ids are drawn anyway, or where there is no id.
pub(crate) fn id_of(operation: &Operation, body: &Value) -> Option<String> {
    let mock = operation.mock();
    let declared = mock.state().map(|state| {
        let at = format!("{}{}", state.object().as_str(), state.id().as_str());
        (at, state.object().get(body).and_then(|thing| text_of(thing, state.id())))
    });
    let usual = || {
        USUAL.iter().find_map(|at| {
            let value = Pointer::exact(at).ok()?.get(body).and_then(scalar_text)?;
            Some(((*at).to_owned(), Some(value)))
        })
    };
    let (at, id) = declared.or_else(usual)?;
    let is_drawn = mock.ids().iter().any(|(place, _)| place.as_str() == at);
    id.filter(|_| !is_drawn)
}
