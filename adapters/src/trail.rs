//! What a send leaves behind, as its own look-up would find it: the look-up read the other way round.
//! The sandbox remembers sends by it, so that "did it go?" has the answer that a provider would give.

use crate::classify::Sent;
use crate::json::scalar_text;
use crate::lookup::scope;
use crate::manifest::{MatchHow, Operation, Reconcile, Shown};
use crate::pointer::Pointer;
use crate::target::Target;
use crate::template::{Scope, ValueTemplate};
use crate::wait::Unit;
use placet_model::Timestamp;
use serde_json::Value;

/// The trail of one send.
#[derive(Debug, Clone)]
pub struct Trail {
    look_up: String,
    asked: Vec<(String, Value)>,
    shown: Pointer,
    is_list: bool,
    marks: Vec<(Pointer, MatchHow, Value)>,
    made: Option<(Pointer, Value)>,
}

impl Trail {
    /// Whether this read looks where the send went: what its look-up names (moments and sizes of pages
    /// apart) is asked for here too, or nothing is asked for.
    pub fn is_shown_by(&self, operation: &str, input: &Value) -> bool {
        let agrees = |(name, value): &(String, Value)| match input.get(name) {
            Some(there) => scalar_text(there) == scalar_text(value),
            None => true,
        };
        self.look_up == operation && self.asked.iter().all(agrees)
    }

    /// Where the look-up's answer lists what there is; none where it shows one thing.
    pub fn list(&self) -> Option<&Pointer> {
        self.is_list.then_some(&self.shown)
    }

    /// The same where the look-up shows one thing: in its place in the answer.
    pub fn put_on_shown(&self, body: &mut Value) {
        if let Some(mut item) = self.shown.get(body).cloned() {
            self.put_on(&mut item);
            self.shown.set(body, item);
        }
    }

    /// Makes an item what the look-up looks for.
    pub fn put_on(&self, item: &mut Value) {
        for (at, how, value) in &self.marks {
            let there = at.get(item).and_then(Value::as_str);
            let value = match (how, there, value.as_str()) {
                (MatchHow::Contains, Some(text), Some(mark)) if text.contains(mark) => continue,
                (MatchHow::Contains, Some(text), Some(mark)) => {
                    Value::String(format!("{text}\n\n{mark}"))
                }
                _ => value.clone(),
            };
            at.set(item, value);
        }
        if let Some((at, moment)) = &self.made {
            at.set(item, moment.clone());
        }
    }
}

impl Reconcile {
    /// What a send of this operation leaves that was made at this moment; none where the look-up names
    /// what is not there.
    pub fn trail(
        &self,
        (operation, sent): (&Operation, Sent<'_>),
        target: Option<&Target>,
        made_at: Timestamp,
    ) -> Option<Trail> {
        let asking = Scope { target, sent_at: Some(made_at), ..scope(sent, &Value::Null) };
        let mut asked = Vec::new();
        if let ValueTemplate::Object(fields) = &self.with {
            let fields = fields.iter().filter(|(_, template)| names_what_is_sought(template));
            for (name, template) in fields {
                asked.extend(template.value(&asking).ok()?.map(|value| (name.clone(), value)));
            }
        }
        let mut marks = Vec::new();
        for test in &self.tests {
            let wanted = test.wanted.value(&scope(sent, &Value::Null)).ok()??;
            marks.push((test.at.clone(), test.how, wanted));
        }
        let made = self.since.as_ref();
        let made = made.and_then(|since| Some((since.at.clone(), written(since.unit, made_at)?)));
        let (shown, is_list) = match &self.shown {
            Shown::List(at) => (at.clone(), true),
            Shown::Item(at) => (at.clone(), false),
        };
        Some(Trail {
            look_up: format!("{}.{}", operation.provider(), self.operation),
            asked,
            shown,
            is_list,
            marks,
            made,
        })
    }
}

/// Not the size of a page, and not a moment.
fn names_what_is_sought(template: &ValueTemplate) -> bool {
    match template {
        ValueTemplate::Literal(_) => false,
        _ => !template.templates().iter().any(|text| text.names().any(crate::template::is_moment)),
    }
}

fn written(unit: Unit, at: Timestamp) -> Option<Value> {
    match unit {
        Unit::EpochSeconds => Some(Value::from(at.as_secs())),
        Unit::EpochMillis => Some(Value::from(at.as_millis())),
        Unit::Iso8601 => Some(Value::String(at.to_string())),
        Unit::Seconds | Unit::Millis | Unit::HttpDate => None,
    }
}
