//! What turns a valid answer into a plausible one: the manifest's constants, ids and echoes, and
//! the request's own values under the same name. Nothing is put where it would not validate (R2).

use crate::generate::uuid;
use crate::seed::Choices;
use crate::world::Base;
use placet_adapters::mock::{EchoFrom, MockId, MockState, MockTime};
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
    pub(crate) target: Option<&'a Target>,
    pub(crate) now: Timestamp,
}

impl Overlay<'_> {
    /// Same name first, then ids, then the manifest, which knows better.
    pub(crate) fn applied(
        &self,
        mut answer: Value,
        choices: &mut Choices,
        claim: &mut dyn FnMut(&str) -> bool,
    ) -> Value {
        self.echo_same_names(&mut answer);
        self.ids(&mut answer, choices, claim);
        let mock = self.operation.mock();
        for (at, value) in mock.constants() {
            self.put(&mut answer, at, value.clone());
        }
        for (at, from) in mock.echo() {
            let has_id = mock.ids().iter().any(|(place, _)| place == at);
            match self.echoed(from) {
                Some(value) => {
                    self.put(&mut answer, at, value);
                }
                None if has_id => {}
                None => self.take_out(&mut answer, at),
            }
        }
        for (at, form) in mock.time() {
            self.put(&mut answer, at, moment(*form, self.now));
        }
        answer
    }

    fn ids(&self, answer: &mut Value, choices: &mut Choices, claim: &mut dyn FnMut(&str) -> bool) {
        let ids = self.operation.mock().ids();
        for (at, id) in ids {
            let mut drawn = (0..DRAWS_MAX).map_while(|_| id_text(id, choices, self.now));
            if let Some(text) = drawn.find(|text| claim(text)) {
                self.put(answer, at, Value::String(text));
            }
        }
        for (at, id) in ids {
            if let MockId::SameAs(other) = id
                && let Some(value) = other.get(answer).cloned()
            {
                self.put(answer, at, value);
            }
        }
    }

    /// What is known of the thing stands in the answer: all of it where it was only asked for, and
    /// what the request did not change where it was changed.
    pub(crate) fn based_on(&self, answer: &mut Value, base: &Base<'_>) {
        let (id, stored) = match base {
            Base::Fresh | Base::Steady => return,
            Base::Named(id) => (*id, None),
            Base::Thing { id, stored } | Base::Changed { id, stored, .. } => (*id, *stored),
        };
        let Some(state) = self.operation.mock().state() else { return };
        let changed = match base {
            Base::Changed { .. } => self.changed_names(state),
            Base::Fresh | Base::Named(_) | Base::Steady | Base::Thing { .. } => vec![],
        };
        for (name, value) in stored.and_then(Value::as_object).into_iter().flatten() {
            if !changed.contains(name) {
                self.put_in(answer, state, &format!("/{}", escaped(name)), value.clone());
            }
        }
        if !self.put_in(answer, state, state.id().as_str(), Value::String(id.to_owned()))
            && let Ok(number) = id.parse::<i64>()
        {
            self.put_in(answer, state, state.id().as_str(), Value::from(number));
        }
        if let Base::Changed { next: Some((at, version)), .. } = base {
            self.put_in(answer, state, at.as_str(), version.clone());
        }
    }

    /// Members of the thing that the request or the manifest says anew.
    fn changed_names(&self, state: &MockState) -> Vec<String> {
        let mock = self.operation.mock();
        let depth = state.object().segments().len();
        let member = |at: &Pointer| {
            state.object().covers(at).then(|| at.segments().get(depth).cloned()).flatten()
        };
        let echoed =
            mock.echo().iter().filter(|(_, from)| self.echoed(from).is_some()).map(|(at, _)| at);
        let named = mock.constants().iter().map(|(at, _)| at).chain(echoed).filter_map(member);
        let asked = self.input.as_object().into_iter().flat_map(|fields| fields.keys().cloned());
        named.chain(asked).collect()
    }

    fn put_in(&self, answer: &mut Value, state: &MockState, at: &str, value: Value) -> bool {
        match Pointer::exact(&format!("{}{at}", state.object().as_str())) {
            Ok(at) => self.put(answer, &at, value),
            Err(_) => false,
        }
    }

    /// The things that are there, in the form in which this operation lists them.
    pub(crate) fn put_list(
        &self,
        answer: &mut Value,
        at: &Pointer,
        things: Vec<Value>,
        form: Option<&Value>,
    ) {
        if self.put(answer, at, Value::Array(things.clone())) {
            return;
        }
        // another form than they are kept in: member by member, as far as it goes
        let mut fitted = Vec::new();
        for thing in things {
            let Some(Value::Object(form)) = form else { break };
            let mut item = Value::Object(form.clone());
            for (name, value) in thing.as_object().into_iter().flatten() {
                let mut changed = item.clone();
                changed[name.as_str()] = value.clone();
                if self.put(&mut answer.clone(), at, Value::Array(vec![changed.clone()])) {
                    item = changed;
                }
            }
            fitted.push(item);
        }
        self.put(answer, at, Value::Array(fitted));
    }

    /// Whether there is more, and how many there are, as far as the answer says so beside the list.
    pub(crate) fn close_page(&self, answer: &mut Value, at: &Pointer, is_cut: bool) {
        let Some((_, parents)) = at.segments().split_last() else { return };
        let parent: String =
            parents.iter().fold(String::new(), |text, step| text + "/" + &escaped(step));
        let length = at.get(answer).and_then(Value::as_array).map_or(0, Vec::len);
        let said = [
            ("has_more", Value::Bool(is_cut)),
            ("total", Value::from(length)),
            ("total_count", Value::from(length)),
            ("count", Value::from(length)),
            ("resultSizeEstimate", Value::from(length)),
            ("TotalCount", Value::from(length)),
        ];
        for (name, value) in said {
            if let Ok(at) = Pointer::exact(&format!("{parent}/{name}"))
                && at.get(answer).is_some()
            {
                self.put(answer, &at, value);
            }
        }
    }

    fn echoed(&self, from: &EchoFrom) -> Option<Value> {
        match from {
            EchoFrom::Input(pointer) => pointer.get(self.input).cloned(),
            EchoFrom::TargetPart(part) => {
                self.target?.part(part).map(|part| Value::String(part.to_owned()))
            }
        }
    }

    /// A value of the request stands in the answer's property of the same name, at the top or one
    /// wrapper down.
    fn echo_same_names(&self, answer: &mut Value) {
        // an imported operation has what is sent in `body`
        let body = self.input["body"].as_object().into_iter().flatten();
        for (name, value) in self.input.as_object().into_iter().flatten().chain(body) {
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

    /// Puts the value there if the answer stays valid; whether it did.
    fn put(&self, answer: &mut Value, at: &Pointer, value: Value) -> bool {
        if at.get(answer) == Some(&value) {
            return true;
        }
        let mut changed = answer.clone();
        let fits = at.set(&mut changed, value) && self.schema.is_valid(&changed);
        if fits {
            *answer = changed;
        }
        fits
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
