//! A provider that posts an id and no more: the object is read afterwards, and only then is there
//! something to hear. Which read, what it is asked with, and what of its answer counts is data of the
//! manifest; when it is made, and how often, is the executor's.

use super::event::{Event, Source};
use super::{Inbound, empty_scope};
use crate::predicate::Observed;
use crate::template::{EvalError, Scope, ValueTemplate};
use crate::transport::{Answer, Response};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How the types of events end that were only heard of: nobody waits for them.
pub const NOTICE: &str = ".notice";

/// How the object behind an event is read.
#[derive(Debug, Clone)]
pub struct Refetch {
    pub(crate) operation: String,
    pub(crate) with: ValueTemplate,
    pub(crate) correlate: BTreeMap<String, Source>,
    pub(crate) data: BTreeMap<String, Source>,
}

/// What was heard, before the object was read.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// The type that the event has once the object was read.
    pub key: &'a str,
    /// Its generic name.
    pub event_key: &'a str,
    /// What the provider has said of it.
    pub data: &'a Value,
    /// What tells it from every other.
    pub dedupe: &'a str,
}

impl Refetch {
    /// Of what nobody can read any more.
    pub fn none() -> Self {
        let with = ValueTemplate::Literal(Value::Null);
        Self { operation: String::new(), with, correlate: BTreeMap::new(), data: BTreeMap::new() }
    }

    /// The read's name without its provider.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The read's input: `{input./…}` is the data of what was heard.
    ///
    /// # Errors
    /// A placeholder that is absent.
    pub fn input(&self, data: &Value, config: &Value) -> Result<Value, EvalError> {
        let scope = Scope { input: data, config, ..empty_scope() };
        Ok(self.with.value(&scope)?.unwrap_or_else(|| json!({})))
    }

    /// The event, with what the object says; without an answer it is what was heard, and answers nothing.
    pub fn event(&self, heard: Heard<'_>, answer: Option<&Response>) -> Event {
        let mut data = heard.data.as_object().cloned().unwrap_or_else(Map::new);
        let mut correlate = BTreeMap::new();
        if let Some(response) = answer {
            let body = response.json();
            let answer: Answer = Ok(response.clone());
            let observed = Observed { answer: &answer, body };
            let named = |all: &BTreeMap<String, Source>| -> Vec<(String, Value)> {
                let value =
                    |(name, at): (&String, &Source)| Some((name.clone(), at.value(&observed)?));
                all.iter().filter_map(value).collect()
            };
            data.extend(named(&self.data));
            let texts = named(&self.correlate).into_iter();
            correlate = texts
                .filter_map(|(name, value)| Some((name, crate::json::scalar_text(&value)?)))
                .collect();
        }
        Event {
            key: heard.key.to_owned(),
            event_key: heard.event_key.to_owned(),
            dedupe: heard.dedupe.to_owned(),
            match_on: self.correlate.keys().cloned().collect(),
            correlate,
            data: Value::Object(data),
            stored: Value::Null,
            refetch: None,
            told: None,
            claim: None,
        }
    }
}

impl Inbound {
    /// How the object behind this event is read; none where the message has said everything.
    pub fn refetch(&self, key: &str) -> Option<&Refetch> {
        self.specs().find(|spec| spec.key == key)?.refetch.as_ref()
    }
}
