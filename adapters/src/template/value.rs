//! JSON with templates at its leaves: the `body.value` and `query` of a manifest.

use super::{EvalError, ParseError, Scope, Template};
use serde_json::{Map, Value};

/// A JSON value in which every string is a template. Key order is the manifest's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueTemplate {
    Literal(Value),
    Text(Template),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl ValueTemplate {
    /// # Errors
    /// A string that is no template.
    pub(crate) fn parse(value: &Value) -> Result<Self, ParseError> {
        Ok(match value {
            Value::String(text) => {
                let template = Template::parse(text)?;
                if template.is_literal() {
                    Self::Literal(value.clone())
                } else {
                    Self::Text(template)
                }
            }
            Value::Array(items) => {
                Self::Array(items.iter().map(Self::parse).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                    .collect::<Result<_, ParseError>>()?,
            ),
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(value.clone()),
        })
    }

    /// # Errors
    /// A leaf that cannot be filled in. Absent optional leaves drop their key or item.
    pub(crate) fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, EvalError> {
        Ok(match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Text(template) => template.value(scope)?,
            Self::Array(items) => {
                let mut out = Vec::with_capacity(items.len());
                for item in items {
                    out.extend(item.value(scope)?);
                }
                Some(Value::Array(out))
            }
            Self::Object(fields) => {
                let mut out = Map::new();
                for (key, field) in fields {
                    if let Some(value) = field.value(scope)? {
                        out.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(out))
            }
        })
    }

    /// Every template in it, depth first.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::Array(items) => items.iter().flat_map(Self::templates).collect(),
            Self::Object(fields) => {
                fields.iter().flat_map(|(_, field)| field.templates()).collect()
            }
        }
    }
}
