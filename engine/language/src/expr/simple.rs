//! The expressions that need no engine: `.`, `.a.b`, `$input.x`. Same meaning, no thread.

use serde_json::Value;

use super::Error;
use super::scope::Scope;

/// A path of plain keys from `.` or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SimplePath {
    /// `None` is `.`; a variable comes without its `$`.
    pub(crate) root: Option<String>,
    pub(crate) keys: Vec<String>,
}

impl SimplePath {
    /// The path that `source` is, if it is nothing but one.
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let source = source.trim();
        if source == "." {
            return Some(Self { root: None, keys: Vec::new() });
        }
        let (root, rest) = match source.strip_prefix('$') {
            None => (None, source),
            Some(after) => {
                let end = after.find('.').unwrap_or(after.len());
                let (name, rest) = after.split_at(end);
                (Some(identifier(name)?.to_owned()), rest)
            }
        };
        let keys = match rest.strip_prefix('.') {
            Some(rest) => rest.split('.').map(|key| identifier(key).map(str::to_owned)).collect(),
            None => rest.is_empty().then(Vec::new),
        };
        Some(Self { root, keys: keys? })
    }

    /// The value at the path. As in jq, a missing key is null and null has every key.
    pub(crate) fn follow<'v>(
        &self,
        input: &'v Value,
        scope: &'v Scope,
    ) -> Result<&'v Value, Error> {
        let start = match &self.root {
            None => input,
            Some(name) => {
                scope.get(name).ok_or_else(|| Error::UndefinedVariable { name: name.clone() })?
            }
        };
        self.keys.iter().try_fold(start, |value, key| match value {
            Value::Object(map) => Ok(map.get(key).unwrap_or(&Value::Null)),
            Value::Null => Ok(&Value::Null),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let message = format!("cannot index {} with \"{key}\"", kind(value));
                Err(Error::Failed { message })
            }
        })
    }
}

fn identifier(text: &str) -> Option<&str> {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (first && rest).then_some(text)
}

/// The word for the kind of a value.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
