//! What turns a valid answer into a plausible one: the manifest's constants, ids and echoes, and
//! the request's own values under the same name. Nothing is put where it would not validate (R2).

use crate::generate::uuid;
use crate::seed::Choices;
use placet_adapters::mock::{EchoFrom, MockId, MockTime};
use placet_adapters::pointer::Pointer;
use placet_adapters::{Operation, Target};
use placet_model::Timestamp;
use placet_schemas::Schema;
use serde_json::Value;

/// Names whose values are never given back, whatever a schema says.
const NEVER_ECHOED: [&str; 6] =
    ["token", "secret", "password", "api_key", "access_token", "authorization"];

/// Draws until an id is found that nobody has.
const DRAWS_MAX: usize = 1000;

/// One answer in the making.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) schema: &'a Schema,
    pub(crate) input: &'a Value,
    pub(crate) target: Option<Target>,
    pub(crate) now: Timestamp,
}

impl Overlay<'_> {
    /// Same name first, then the manifest, which knows better; copies of other places last.
    pub(crate) fn applied(
        &self,
        mut answer: Value,
        choices: &mut Choices,
        claim: &dyn Fn(&str) -> bool,
    ) -> Value {
        self.echo_same_names(&mut answer);
        let mock = self.operation.mock();
        for (at, value) in mock.constants() {
            self.put(&mut answer, at, value.clone());
        }
        for (at, from) in mock.echo() {
            match self.echoed(from) {
                Some(value) => self.put(&mut answer, at, value),
                None => self.take_out(&mut answer, at),
            }
        }
        for (at, form) in mock.time() {
            self.put(&mut answer, at, moment(*form, self.now));
        }
        for (at, id) in mock.ids() {
            let drawn = (0..DRAWS_MAX).map_while(|_| id_text(id, choices, self.now));
            if let Some(text) = drawn.into_iter().find(|text| claim(text)) {
                self.put(&mut answer, at, Value::String(text));
            }
        }
        for (at, id) in mock.ids() {
            if let MockId::SameAs(other) = id
                && let Some(value) = other.get(&answer).cloned()
            {
                self.put(&mut answer, at, value);
            }
        }
        answer
    }

    fn echoed(&self, from: &EchoFrom) -> Option<Value> {
        match from {
            EchoFrom::Input(pointer) => pointer.get(self.input).cloned(),
            EchoFrom::TargetPart(part) => {
                self.target.as_ref()?.part(part).map(|part| Value::String(part.to_owned()))
            }
        }
    }

    /// A value of the request stands in the answer's property of the same name, at the top or one
    /// wrapper down.
    fn echo_same_names(&self, answer: &mut Value) {
        for (name, value) in self.input.as_object().into_iter().flatten() {
            let secret = NEVER_ECHOED.iter().any(|word| name.to_ascii_lowercase().contains(word));
            if secret || self.is_write_only(name) {
                continue;
            }
            let wrappers: Vec<String> = answer
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, inner)| inner.get(name).is_some())
                .map(|(wrapper, _)| format!("/{}/{}", escaped(wrapper), escaped(name)))
                .collect();
            let top = answer.get(name).map(|_| format!("/{}", escaped(name)));
            if let Some(at) = top.or_else(|| wrappers.first().cloned())
                && let Ok(at) = Pointer::exact(&at)
            {
                self.put(answer, &at, value.clone());
            }
        }
    }

    fn is_write_only(&self, name: &str) -> bool {
        let schema =
            self.operation.input_schema().map(|schema| &schema.document()["properties"][name]);
        schema.is_some_and(|property| property["writeOnly"] == true)
    }

    fn put(&self, answer: &mut Value, at: &Pointer, value: Value) {
        let mut changed = answer.clone();
        if at.set(&mut changed, value) && self.schema.is_valid(&changed) {
            *answer = changed;
        }
    }

    /// What the request does not have, the answer does not claim, if it may be absent.
    fn take_out(&self, answer: &mut Value, at: &Pointer) {
        let Some((name, parents)) = at.segments().split_last() else { return };
        let mut changed = answer.clone();
        let parent =
            parents.iter().try_fold(&mut changed, |value, step| value.get_mut(step.as_str()));
        let removed =
            parent.and_then(Value::as_object_mut).and_then(|fields| fields.shift_remove(name));
        if removed.is_some() && self.schema.is_valid(&changed) {
            *answer = changed;
        }
    }
}

fn moment(form: MockTime, now: Timestamp) -> Value {
    match form {
        MockTime::EpochS => Value::from(now.as_secs()),
        MockTime::EpochMs => Value::from(now.as_millis()),
        MockTime::Rfc3339 => Value::String(now.to_string()),
    }
}

pub(crate) fn id_text(id: &MockId, choices: &mut Choices, now: Timestamp) -> Option<String> {
    match id {
        MockId::SlackTs => Some(format!("{}.{:06}", now.as_secs(), choices.below(1_000_000))),
        MockId::Uuid => Some(uuid(choices)),
        MockId::Letters { prefix, alphabet, len } => {
            Some(format!("{prefix}{}", choices.letters(alphabet.letters(), *len)))
        }
        MockId::SameAs(_) => None,
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
