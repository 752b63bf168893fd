//! `$secrets.NAME` and `$authorization.parameter` in a request: places, not values.
//!
//! Such an expression stands alone, as the whole value of a header, of a query parameter or of a key
//! of the body. The plan notes the place and holds no expression there, so that no evaluation ever
//! sees a secret, and no text of an input can pass for one.

use std::collections::BTreeMap;

use placet_model::plan::{Authentication, RequestHole, Template};
use serde_json::Value;

use super::names::Place;
use super::reader::Reader;
use crate::codes;
use crate::expr::source as fences;
use crate::syntax::{Content, Node};

/// The holes of one request, and what its `$authorization` is.
#[derive(Debug)]
pub(super) struct Holes<'a> {
    pub(super) found: BTreeMap<String, RequestHole>,
    authentication: Option<&'a Authentication>,
}

impl<'a> Holes<'a> {
    pub(super) fn new(authentication: Option<&'a Authentication>) -> Self {
        Self { found: BTreeMap::new(), authentication }
    }
}

impl Reader<'_> {
    /// A template whose strings may be holes; `place` is the JSON Pointer at which it stands.
    pub(super) fn request_template(
        &mut self,
        node: &Node,
        place: &str,
        holes: &mut Holes<'_>,
    ) -> Option<Template> {
        if !has_hole(node) {
            return self.template(node, Place::Request);
        }
        match &node.content {
            Content::Text { text, .. } => self.hole(node, text, place, holes),
            Content::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        self.request_template(item, &format!("{place}/{index}"), holes)
                    })
                    .collect();
                items.into_iter().collect::<Option<_>>().map(Template::List)
            }
            Content::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        let place = below(place, &entry.key);
                        let value = self.request_template(&entry.value, &place, holes)?;
                        Some((entry.key.clone(), value))
                    })
                    .collect();
                entries.into_iter().collect::<Option<_>>().map(Template::Map)
            }
            Content::Null | Content::Bool(_) | Content::Number(_) => None,
        }
    }

    fn hole(
        &mut self,
        node: &Node,
        text: &str,
        place: &str,
        holes: &mut Holes<'_>,
    ) -> Option<Template> {
        let (jq, _) = fences::fenced(text)?;
        let (hole, shown) = match hole_of(jq)? {
            RequestHole::Secret(name) => {
                self.check_secret(&name, node.span);
                let shown = format!("‹secret:{name}›");
                (RequestHole::Secret(name), shown)
            }
            RequestHole::Authorization => {
                if holes.authentication.is_none() {
                    let message = "this call has no authentication, and so no parameter of one";
                    let help = "give `endpoint.authentication`, or remove this";
                    self.report(codes::VARIABLE, node.span, message, help);
                    return None;
                }
                (RequestHole::Authorization, "‹authorization›".to_owned())
            }
        };
        holes.found.insert(place.to_owned(), hole);
        Some(Template::Literal(Value::String(shown)))
    }
}

/// A pointer to a key below another place.
pub(super) fn below(place: &str, key: &str) -> String {
    format!("{place}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The name in `$secrets.NAME` or `$secrets["NAME"]`, where that is all.
pub(super) fn secret_of(jq: &str) -> Option<&str> {
    let rest = jq.trim().strip_prefix("$secrets")?;
    let quoted = rest.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"]"));
    let dashes = if quoted.is_some() { "_-" } else { "_" };
    let name = quoted.or_else(|| rest.strip_prefix('.'))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || dashes.contains(c);
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

fn hole_of(jq: &str) -> Option<RequestHole> {
    if jq.trim() == "$authorization.parameter" {
        return Some(RequestHole::Authorization);
    }
    secret_of(jq).map(|name| RequestHole::Secret(name.to_owned()))
}

fn has_hole(node: &Node) -> bool {
    match &node.content {
        Content::Text { text, .. } => {
            fences::fenced(text).is_some_and(|(jq, _)| hole_of(jq).is_some())
        }
        Content::List(items) => items.iter().any(has_hole),
        Content::Map(entries) => entries.iter().any(|entry| has_hole(&entry.value)),
        Content::Null | Content::Bool(_) | Content::Number(_) => false,
    }
}
