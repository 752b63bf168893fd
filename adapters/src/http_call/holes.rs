//! Values that the checker has marked: they are holes of the request, and nothing else is.
//!
//! The marks stand beside the values (`holes`, by JSON Pointer) and not in them. They come from the
//! plan alone, so that no text of an input, whatever it looks like, is ever taken for one.

use super::authorization;
use crate::render::Error;
use placet_model::plan::{Authentication, RequestHole};
use placet_model::request::Hole;
use serde_json::Value;
use std::collections::BTreeMap;

/// The marked values of one request.
#[derive(Debug, Default)]
pub(super) struct Holes(BTreeMap<String, Hole>);

impl Holes {
    /// # Errors
    /// A mark that is none, on something that is not there, or for a credential that the call does
    /// not have.
    pub(super) fn read(
        input: &Value,
        authentication: Option<&Authentication>,
    ) -> Result<Self, Error> {
        let Some(marks) = input.get("holes") else { return Ok(Self::default()) };
        let refuse = |reason| Error::Hole { reason };
        let marks: BTreeMap<String, RequestHole> = serde_json::from_value(marks.clone())
            .map_err(|_no_marks| refuse("its marks cannot be read"))?;
        let mut holes = BTreeMap::new();
        for (place, mark) in marks {
            if !input.pointer(&place).is_some_and(Value::is_string) {
                return Err(refuse("a mark is on no text"));
            }
            let hole = match (mark, authentication) {
                (RequestHole::Secret(name), _) => authorization::secret(name),
                (RequestHole::Authorization, Some(authentication)) => {
                    authorization::hole(authentication)
                }
                (RequestHole::Authorization, None) => {
                    return Err(refuse("the call has no authentication"));
                }
            };
            holes.insert(place, hole);
        }
        Ok(Self(holes))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The hole at a place, if it is one.
    pub(super) fn at(&self, place: &str) -> Option<&Hole> {
        self.0.get(place)
    }

    /// Whether a place or anything below it is a hole.
    pub(super) fn any_in(&self, place: &str) -> bool {
        self.0.keys().any(|key| {
            key.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// The place of a key below another place.
pub(super) fn below(place: &str, key: &str) -> String {
    format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"))
}
