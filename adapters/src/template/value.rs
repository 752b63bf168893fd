//! JSON with templates at its leaves: the `body.value` and `query` of a manifest.

use super::{EvalError, Name, ParseError, Scope, Template};
use serde_json::{Map, Value};

/// The key whose value is a map of the input, merged under our own keys.
const MERGE: &str = "merge";
/// The key whose value is a mail to write.
const MIME: &str = "mime";
/// The key whose value decides whether its object is there.
const IF_PRESENT: &str = "if_present";
/// The key whose value must be absent for its object to be there.
const IF_ABSENT: &str = "if_absent";
/// The key of a list of which the first item counts that is there.
const FIRST_OF: &str = "first_of";

/// A JSON value in which every string is a template. Key order is the manifest's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueTemplate {
    Literal(Value),
    Text(Template),
    Array(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// `{merge: "{input./metadata?}", ours: …}`: a map of the input with our own keys over it.
    Merge(Template, Vec<(String, Self)>),
    /// `{mime: {from, to, subject, …}}`: a mail, raw, as base64 for URLs.
    Mime(Box<Self>),
    /// `{if_present: "{target.reply?}", …}`: an object that is there only when this is.
    IfPresent(Template, Box<Self>),
    /// `{if_absent: "{input./list?}", …}`: an object that is there only when this is not.
    IfAbsent(Template, Box<Self>),
    /// `{first_of: ["{input./theirs?}", ours]}`: the first that is there.
    FirstOf(Vec<Self>),
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
            Value::Object(fields)
                if fields.len() == 1 && fields.get(MIME).is_some_and(Value::is_object) =>
            {
                Self::Mime(Box::new(Self::parse(&fields[MIME])?))
            }
            Value::Object(fields) if fields.get(IF_PRESENT).is_some_and(Value::is_string) => {
                let (when, then) = condition(fields, IF_PRESENT)?;
                Self::IfPresent(when, Box::new(then))
            }
            Value::Object(fields) if fields.get(IF_ABSENT).is_some_and(Value::is_string) => {
                let (when, then) = condition(fields, IF_ABSENT)?;
                Self::IfAbsent(when, Box::new(then))
            }
            Value::Object(fields)
                if fields.len() == 1 && fields.get(FIRST_OF).is_some_and(Value::is_array) =>
            {
                let items = fields[FIRST_OF].as_array().into_iter().flatten();
                Self::FirstOf(items.map(Self::parse).collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let merged = fields.get(MERGE).and_then(Value::as_str);
                let ours = fields
                    .iter()
                    .filter(|(key, _)| merged.is_none() || *key != MERGE)
                    .map(|(key, value)| Ok((key.clone(), Self::parse(value)?)))
                    .collect::<Result<_, ParseError>>()?;
                match merged {
                    Some(text) => Self::Merge(Template::parse(text)?, ours),
                    None => Self::Object(ours),
                }
            }
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
                    match item.value(scope)? {
                        Some(Value::Array(each)) if item.is_each() => out.extend(each),
                        single => out.extend(single),
                    }
                }
                Some(Value::Array(out))
            }
            Self::Object(fields) => Some(Value::Object(filled(fields, Map::new(), scope)?)),
            Self::Mime(fields) => {
                let fields = fields.value(scope)?.unwrap_or(Value::Null);
                let mail = crate::mime::message(&fields, scope.send_id, scope.draft_time)
                    .map_err(|reason| EvalError::Mail { reason })?;
                Some(Value::String(crate::mime::base64url(&mail)))
            }
            Self::IfPresent(when, then) => match when.value(scope)? {
                Some(_) => then.value(scope)?,
                None => None,
            },
            Self::IfAbsent(when, then) => match when.value(scope)? {
                Some(_) => None,
                None => then.value(scope)?,
            },
            Self::FirstOf(items) => {
                for item in items {
                    if let Some(value) = item.value(scope)? {
                        return Ok(Some(value));
                    }
                }
                None
            }
            Self::Merge(theirs, ours) => {
                let base = match theirs.value(scope)? {
                    Some(Value::Object(fields)) => fields,
                    None => Map::new(),
                    Some(_) => return Err(EvalError::NotMap { name: MERGE.to_owned() }),
                };
                let merged = filled(ours, base, scope)?;
                (!merged.is_empty()).then_some(Value::Object(merged))
            }
        })
    }

    /// `{input./list/*?}` in a list: each of the items stands in it by itself.
    fn is_each(&self) -> bool {
        let Self::Text(template) = self else { return false };
        template.whole().is_some_and(|place| {
            matches!(place.names.as_slice(), [Name::Input(pointer)] if pointer.is_pattern())
        })
    }

    pub(crate) fn has_hole(&self) -> bool {
        self.templates().iter().any(|template| template.has_hole())
    }

    /// Whether each hole in it stands in a text of an object or a list that is always there: only such
    /// a one can be cut at its holes.
    pub(crate) fn holes_are_plain(&self) -> bool {
        match self {
            Self::Text(_) | Self::Literal(_) => true,
            Self::Array(items) => items.iter().all(Self::holes_are_plain),
            Self::Object(fields) => fields.iter().all(|(_, field)| field.holes_are_plain()),
            Self::Merge(..)
            | Self::Mime(_)
            | Self::IfPresent(..)
            | Self::IfAbsent(..)
            | Self::FirstOf(_) => !self.has_hole(),
        }
    }

    /// Every template in it, depth first.
    pub(crate) fn templates(&self) -> Vec<&Template> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => vec![template],
            Self::Array(items) | Self::FirstOf(items) => {
                items.iter().flat_map(Self::templates).collect()
            }
            Self::Object(fields) => {
                fields.iter().flat_map(|(_, field)| field.templates()).collect()
            }
            Self::Mime(fields) => fields.templates(),
            Self::IfPresent(when, then) | Self::IfAbsent(when, then) => {
                std::iter::once(when).chain(then.templates()).collect()
            }
            Self::Merge(theirs, ours) => std::iter::once(theirs)
                .chain(ours.iter().flat_map(|(_, field)| field.templates()))
                .collect(),
        }
    }
}

/// The condition of an object, and the object without it.
fn condition(
    fields: &Map<String, Value>,
    key: &str,
) -> Result<(Template, ValueTemplate), ParseError> {
    let mut others = fields.clone();
    let when = others.shift_remove(key);
    let when = Template::parse(when.as_ref().and_then(Value::as_str).unwrap_or(""))?;
    Ok((when, ValueTemplate::parse(&Value::Object(others))?))
}

/// Our fields over those that are there already.
fn filled(
    fields: &[(String, ValueTemplate)],
    mut over: Map<String, Value>,
    scope: &Scope<'_>,
) -> Result<Map<String, Value>, EvalError> {
    for (key, field) in fields {
        if let Some(value) = field.value(scope)? {
            over.insert(key.clone(), value);
        }
    }
    Ok(over)
}
