//! The literal parts of `with` against the operation's input schema.
//!
//! What an expression will give is not known, so a finding counts only where no expression has a
//! say in it: on a literal leaf, on the keys of a map (keys are never expressions), or on a value
//! that holds no expression at all.

use placet_model::manifest::OperationInfo;
use placet_schemas::Violation;
use serde_json::Value;

use super::call::INTEGRATION;
use super::reader::{HABITS, Reader};
use crate::codes;
use crate::diagnostic::did_you_mean;
use crate::source::Span;
use crate::syntax::{Content, Entry, Node};

/// The key whose value is checked.
const INPUT: &str = "with";
/// Keywords that look at nothing but the keys of a map, or the number of items.
const KEYS_ONLY: &[&str] = &[
    "required",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "minItems",
    "maxItems",
    "type",
];

impl Reader<'_> {
    /// Reports what of a call task's `with` can never match.
    pub(super) fn check_with(&mut self, operation: &OperationInfo, task: &Node, call: Span) {
        let with = task.get("with");
        let mut keys = task.entries().iter().map(|entry| entry.key.as_str());
        let meant =
            |key: &str| HABITS.contains(&(key, INPUT)) || did_you_mean(key, [INPUT]).is_some();
        let mistyped = with.is_none() && keys.any(meant);
        if mistyped || with.is_some_and(|with| !matches!(with.content, Content::Map(_))) {
            return;
        }
        let Ok(schema) = self.environment.schemas.register(&operation.input_schema) else { return };
        let entries: Vec<&Entry> = with
            .map(Node::entries)
            .unwrap_or_default()
            .iter()
            .filter(|entry| entry.key != INTEGRATION)
            .collect();
        let instance = entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect();
        let Err(violations) = schema.validate(&Value::Object(instance)) else { return };
        for violation in violations.as_slice() {
            self.violation(violation, with, operation, call);
        }
    }

    fn violation(
        &mut self,
        violation: &Violation,
        with: Option<&Node>,
        operation: &OperationInfo,
        call: Span,
    ) {
        let keyword = violation.schema.rsplit('/').next().unwrap_or("");
        let node = with.and_then(|with| find(with, &violation.instance));
        if node.is_some_and(|node| !counts(node, keyword)) {
            return;
        }
        let place = violation.instance.trim_start_matches('/').replace('/', ".");
        let whole = place.is_empty();
        let what = if whole { "`with`".to_owned() } else { format!("`with.{place}`") };
        if let Some(keys) = violation.message.strip_prefix("unexpected keys: ") {
            self.unexpected(keys, node, operation, &what);
            return;
        }
        let span = match node {
            Some(node) if !whole => node.span,
            Some(node) => node.entries().first().map_or(call, |entry| entry.key_span),
            None => call,
        };
        let message = format!("{what} of {}: {}", operation.name, violation.message);
        let help =
            if keyword == "required" { "add it" } else { "see the operation's input schema" };
        self.report(codes::WITH, span, message, help);
    }

    fn unexpected(
        &mut self,
        keys: &str,
        node: Option<&Node>,
        operation: &OperationInfo,
        what: &str,
    ) {
        let known: Vec<&str> = match operation.input_schema.get("properties") {
            Some(Value::Object(properties)) => properties.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let unexpected: Vec<&str> = keys.split(", ").collect();
        let entries = node.map(Node::entries).unwrap_or_default();
        for entry in entries.iter().filter(|entry| unexpected.contains(&entry.key.as_str())) {
            let help = match did_you_mean(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let message = format!("{what} of {} takes no key `{}`", operation.name, entry.key);
            self.report(codes::WITH, entry.key_span, message, help);
        }
    }
}

/// The node at a JSON Pointer.
pub(super) fn find<'n>(node: &'n Node, pointer: &str) -> Option<&'n Node> {
    pointer.split('/').skip(1).try_fold(node, |node, segment| {
        let segment = segment.replace("~1", "/").replace("~0", "~");
        match &node.content {
            Content::Map(_) => node.get(&segment),
            Content::List(items) => items.get(segment.parse::<usize>().ok()?),
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text { .. } => None,
        }
    })
}

/// Whether a finding of `keyword` at `node` holds whatever the expressions give.
fn counts(node: &Node, keyword: &str) -> bool {
    let is_container = matches!(node.content, Content::Map(_) | Content::List(_));
    !node.holds_expression() || (is_container && KEYS_ONLY.contains(&keyword))
}
