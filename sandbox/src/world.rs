//! [`World`]: the providers of one sandbox, as a pure state. What it answers follows from its seed,
//! what it was asked before, and nothing else; whoever asks the same again in the same order gets
//! the same bytes. No clock, no socket, no engine.

use crate::examples;
use crate::generate::generate;
use crate::overlay::{Overlay, id_text};
use crate::script::{Rule, Turn, answer_error, error_or, turned};
use crate::seed::{Choices, Question};
use crate::store::{Kept, Place, Stores, Thing, ThingOrigin, id_of, scalar_text};
use crate::trails::{self, Trails};
use placet_adapters::mock::{EchoFrom, MockError, MockState, StateVerb};
use placet_adapters::{Answer, Cause, Failed, Operation, Response, Sent, Target, Trail, target_of};
use placet_model::{Digest, Timestamp, canonical};
use placet_schemas::Schema;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Ids that are remembered, so that none is given twice.
const IDS_MAX: usize = 1_000_000;
/// The stream of choices that ids are drawn from; attempts count up from 0.
const STREAM_OF_IDS: u64 = u64::MAX;
/// The same for ids in headers.
const STREAM_OF_HEADER_IDS: u64 = u64::MAX - 1;
/// Draws until an id is found that nobody has.
const DRAWS_MAX: usize = 1000;

/// One question to a provider.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub operation: &'a Operation,
    /// Name of the connection; empty where there is none.
    pub integration: &'a str,
    /// The operation's input.
    pub input: &'a Value,
    /// The idempotency key, where the request carries one.
    pub key: Option<&'a str>,
    /// Of the draft that is sent; empty where none is.
    pub send_id: &'a str,
    /// How often this very question came before; `None` lets the world count.
    pub seen: Option<u64>,
    /// The virtual now.
    pub now: Timestamp,
    /// How long the asker waits, in virtual time.
    pub timeout: Duration,
}

/// What is said of a thing that nobody has made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// It is supposed to have been there before, and is remembered from now on: a workflow that is
    /// given an id runs without anything being set up.
    #[default]
    Supposed,
    /// The provider's own "not found".
    NotFound,
}

/// The providers of one sandbox.
#[derive(Debug, Default)]
pub struct World {
    seed: u64,
    unknown: Unknown,
    rules: Vec<Rule>,
    seen: BTreeMap<Digest, u64>,
    calls: BTreeMap<String, u64>,
    ids: BTreeSet<String>,
    stores: Stores,
    trails: Trails,
    took: Duration,
}

/// A question whose parts were looked up.
struct Posed<'a> {
    asked: Asked<'a>,
    target: Option<Target>,
    place: Place,
}

impl World {
    /// Equal seeds give equal answers to equal questions.
    pub fn new(seed: u64, unknown: Unknown) -> Self {
        Self { seed, unknown, ..Self::default() }
    }

    /// The same providers, who have been asked nothing yet.
    #[must_use]
    pub fn unasked(&self) -> Self {
        Self { rules: self.rules.clone(), ..Self::new(self.seed, self.unknown) }
    }

    /// From now on calls go as this says; of several rules for one call, the first counts.
    pub fn add_rule(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// The answer, and what it changes.
    ///
    /// # Errors
    /// [`Failed`]: the operation's schema has no valid answer, or a scenario lost it.
    pub fn answer(&mut self, asked: Asked<'_>) -> Answer {
        let turn = self.turn(asked.operation.name());
        self.took = turn.as_ref().map_or(Duration::ZERO, |turn| turn.takes(asked.timeout));
        let Some(turn) = turn else { return self.well(asked) };
        if let Turn::Error(name) = &turn {
            return match asked.operation.mock().errors().get(name) {
                Some(error @ MockError::Lost { happened: true, .. }) => {
                    self.well(asked)?;
                    answer_error(error)
                }
                Some(error) => answer_error(error),
                None => Err(Failed::before(
                    Cause::Refused,
                    format!("{} documents no error {name:?}", asked.operation.name()),
                )),
            };
        }
        let answer = self.well(asked);
        turned(&turn, answer, asked.timeout)
    }

    /// How much virtual time the last answer took, or that there was none.
    pub const fn took(&self) -> Duration {
        self.took
    }

    fn turn(&mut self, operation: &str) -> Option<Turn> {
        let calls = self.calls.entry(operation.to_owned()).or_insert(0);
        *calls += 1;
        let call = *calls;
        self.rules.iter().find(|rule| rule.is_for(operation, call)).map(|rule| rule.turn.clone())
    }

    /// As the provider answers when nothing goes wrong but the request itself.
    fn well(&mut self, asked: Asked<'_>) -> Answer {
        if let Some(refusal) = refused_input(asked.operation, asked.input) {
            return refusal;
        }
        let key = asked.key.map(|key| {
            (asked.integration.to_owned(), asked.operation.name().to_owned(), key.to_owned())
        });
        let input = input_digest(asked.input);
        if let Some(kept) = key.as_ref().and_then(|key| self.stores.kept(key)) {
            if kept.input == input {
                return Ok(kept.answer.clone());
            }
            return error_or(asked.operation, "key_reused", 409);
        }
        let answer = self.fresh(asked)?;
        if let (Some(key), true) = (key, (200..300).contains(&answer.status)) {
            self.stores.keep(key, Kept { input, answer: answer.clone() });
        }
        Ok(answer)
    }

    fn fresh(&mut self, asked: Asked<'_>) -> Answer {
        let target = target_of(asked.operation, asked.input);
        let state = asked.operation.mock().state();
        let part =
            |from: Option<&EchoFrom>| from.and_then(|from| told(from, &asked, target.as_ref()));
        let place = Place {
            integration: asked.integration.to_owned(),
            store: format!("{}.{}", asked.operation.provider(), state.map_or("", MockState::store)),
            within: part(state.and_then(MockState::within)).unwrap_or_default(),
        };
        let id = part(state.and_then(MockState::asked));
        let version = state
            .and_then(MockState::version)
            .and_then(|version| Some((version.at().clone(), part(Some(version.asked()))?)));
        let posed = Posed { asked, target, place };
        let answer = match (state.map(|state| (state, state.does())), id) {
            (Some((state, StateVerb::Create)), id) => self.create(&posed, state, id.as_deref()),
            (Some((state, StateVerb::List)), _) => self.list(&posed, state),
            (Some((state, verb)), Some(id)) => {
                self.of_one(&posed, (state, verb), &id, version.as_ref())
            }
            // the request names nothing: its schema allows that, so the provider picks
            (Some(_), None) | (None, _) => self.made(&posed, &Base::Fresh),
        };
        Ok(self.trailing(&posed, answer?))
    }

    /// What a send leaves behind is kept, and a read shows what was left.
    fn trailing(&mut self, posed: &Posed<'_>, mut answer: Response) -> Response {
        let (asked, store) = (&posed.asked, posed.store());
        if !(200..300).contains(&answer.status) {
            return answer;
        }
        if let Some(trail) = posed.trail() {
            self.trails.leave(asked.integration, store, trail);
            return answer;
        }
        let who = (asked.operation.name(), asked.integration);
        let left = self.trails.shown_by(who, asked.input, store.as_ref());
        let schema = asked.operation.output_schema().filter(|_| !left.is_empty());
        if let (Some(schema), Some(mut body)) = (schema, answer.json()) {
            let seed = self.question(asked).seed(0);
            trails::shown(&posed.overlay(schema), &mut body, &left, &seed);
            answer.body = serde_json::to_vec(&body).expect("a JSON value always serializes");
        }
        answer
    }

    fn question<'q>(&self, asked: &Asked<'q>) -> Question<'q> {
        Question {
            sandbox_seed: self.seed,
            integration: asked.integration,
            operation: asked.operation.name(),
            input: asked.input,
        }
    }

    fn create(&mut self, posed: &Posed<'_>, state: &MockState, id: Option<&str>) -> Answer {
        if let Some(id) = id
            && self.stores.find(&posed.place, id).is_some_and(|known| !known.is_deleted)
        {
            return error_or(posed.asked.operation, "duplicate", 409);
        }
        let answer = self.made(posed, &id.map_or(Base::Fresh, Base::Named))?;
        self.remember(posed, state, &answer, ThingOrigin::Created);
        Ok(answer)
    }

    fn of_one(
        &mut self,
        posed: &Posed<'_>,
        (state, verb): (&MockState, StateVerb),
        id: &str,
        version: Option<&(placet_adapters::pointer::Pointer, String)>,
    ) -> Answer {
        let operation = posed.asked.operation;
        let known = self.stores.find(&posed.place, id).cloned();
        let known = match (known, self.unknown) {
            (Some(known), _) if known.is_deleted => return error_or(operation, "not_found", 404),
            (None, Unknown::NotFound) => return error_or(operation, "not_found", 404),
            (known, _) => known,
        };
        let stored = known.as_ref().map(|known| &known.value);
        if let (StateVerb::Update, Some((at, seen)), Some(stored)) = (verb, version, stored)
            && at.get(stored).and_then(scalar_text).is_some_and(|there| there != *seen)
        {
            return error_or(operation, "version_conflict", 409);
        }
        let answer = match (verb, stored) {
            (StateVerb::Get, stored) => self.made(posed, &Base::Thing { id, stored })?,
            (_, stored) => {
                let next = version.and_then(|(at, seen)| {
                    Some((at.clone(), Value::from(seen.parse::<u64>().ok()? + 1)))
                });
                self.made(posed, &Base::Changed { id, stored, next })?
            }
        };
        if verb == StateVerb::Delete {
            let value = stored.cloned().unwrap_or(Value::Null);
            let origin = ThingOrigin::Supposed;
            self.stores
                .put(&posed.place, Thing { id: id.to_owned(), value, origin, is_deleted: false });
            self.stores.delete(&posed.place, id);
        } else {
            let origin = known.map_or(ThingOrigin::Supposed, |known| known.origin);
            self.remember(posed, state, &answer, origin);
        }
        Ok(answer)
    }

    /// Keeps the thing of an answer, with what was known of it and is not in this answer.
    fn remember(
        &mut self,
        posed: &Posed<'_>,
        state: &MockState,
        answer: &Response,
        origin: ThingOrigin,
    ) {
        let Some(body) = answer.json() else { return };
        let Some(mut thing) = state.object().get(&body).cloned() else { return };
        if let Some(trail) = posed.trail() {
            trail.put_on(&mut thing);
        }
        self.remember_thing(&posed.place, state, &thing, origin);
    }

    fn remember_thing(
        &mut self,
        place: &Place,
        state: &MockState,
        thing: &Value,
        origin: ThingOrigin,
    ) {
        let Some(id) = id_of(thing, state.id()) else { return };
        let mut value = thing.clone();
        if let (Some(known), Some(fields)) = (self.stores.find(place, &id), value.as_object_mut())
            && !known.is_deleted
        {
            for (name, field) in known.value.as_object().into_iter().flatten() {
                fields.entry(name.clone()).or_insert_with(|| field.clone());
            }
        }
        self.stores.put(place, Thing { id, value, origin, is_deleted: false });
    }

    fn list(&mut self, posed: &Posed<'_>, state: &MockState) -> Answer {
        let mut answer = self.made(posed, &Base::Steady)?;
        let Some(schema) = posed.asked.operation.output_schema() else { return Ok(answer) };
        let (Some(mut body), Some(at)) = (answer.json(), state.items()) else { return Ok(answer) };
        let generated = at.get(&body).and_then(Value::as_array).cloned().unwrap_or_default();
        if self.stores.first_list(&posed.place) && self.unknown == Unknown::Supposed {
            for item in generated.iter().rev() {
                // what was made here is newer than what is supposed to have been there
                self.suppose(posed, state, item);
            }
        }
        let wanted = |thing: &&Thing| {
            thing.origin == ThingOrigin::Supposed || is_asked_for(&thing.value, posed.asked.input)
        };
        let mut things: Vec<Value> =
            self.stores.all(&posed.place).filter(wanted).map(|thing| thing.value.clone()).collect();
        let limit =
            posed.asked.input["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
        let is_cut = limit.is_some_and(|limit| things.len() > limit);
        things.truncate(limit.unwrap_or(usize::MAX));
        let overlay = posed.overlay(schema);
        overlay.put_list(&mut body, at, things, generated.first());
        overlay.close_page(&mut body, at, is_cut);
        answer.body = serde_json::to_vec(&body).expect("a JSON value always serializes");
        Ok(answer)
    }

    fn suppose(&mut self, posed: &Posed<'_>, state: &MockState, item: &Value) {
        let known =
            id_of(item, state.id()).is_none_or(|id| self.stores.find(&posed.place, &id).is_some());
        if !known {
            self.remember_thing(&posed.place, state, item, ThingOrigin::Supposed);
        }
    }

    fn made(&mut self, posed: &Posed<'_>, base: &Base<'_>) -> Answer {
        let asked = &posed.asked;
        let question = self.question(asked);
        // what is asked of a thing that is there has the same answer however often it is asked
        let seen = match base {
            Base::Thing { .. } | Base::Changed { .. } | Base::Steady => 0,
            Base::Fresh | Base::Named(_) => self.seen(&question, asked.seen),
        };
        let seed = question.seed(seen);
        let mut answer = match asked.operation.output_schema() {
            Some(schema) => self.generated(posed, schema, (&seed, seen), base)?,
            None => status_only(asked.operation),
        };
        answer.headers.extend(self.header_ids(asked, &seed));
        Ok(answer)
    }

    fn generated(
        &mut self,
        posed: &Posed<'_>,
        schema: &Schema,
        (seed, seen): (&Digest, u64),
        base: &Base<'_>,
    ) -> Answer {
        let plain = match self.example(posed, base, seen) {
            Some(example) => example,
            None => generate(schema, seed, posed.asked.now).map_err(|error| {
                Failed::before(Cause::Refused, format!("the sandbox cannot answer: {error}"))
            })?,
        };
        let mut choices = Choices::new(seed, STREAM_OF_IDS);
        let overlay = posed.overlay(schema);
        let mut answer = overlay.applied(plain, &mut choices, &mut |id| self.claim(id));
        overlay.based_on(&mut answer, base);
        let body = serde_json::to_vec(&answer).expect("a JSON value always serializes into memory");
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(Response::new(posed.asked.operation.mock().status(), headers, body))
    }

    /// The example to answer with (R1): of what stays the first one, of what is made anew the next one
    /// whose id nobody has.
    fn example(&mut self, posed: &Posed<'_>, base: &Base<'_>, seen: u64) -> Option<Value> {
        let operation = posed.asked.operation;
        let from = usize::try_from(seen).unwrap_or(usize::MAX);
        for example in operation.examples().usable().iter().skip(from) {
            let id = match base {
                Base::Fresh => examples::id_of(operation, &example.body),
                Base::Named(_) | Base::Steady | Base::Thing { .. } | Base::Changed { .. } => None,
            };
            if id.is_none_or(|id| self.claim(&id)) {
                return Some(example.body.clone());
            }
        }
        None
    }

    /// Ids that the provider gives in headers.
    fn header_ids(&mut self, asked: &Asked<'_>, seed: &Digest) -> Vec<(String, String)> {
        let mut choices = Choices::new(seed, STREAM_OF_HEADER_IDS);
        let mut headers = Vec::new();
        for (name, id) in asked.operation.mock().header_ids() {
            let mut drawn = (0..DRAWS_MAX).map_while(|_| id_text(id, &mut choices, asked.now));
            if let Some(text) = drawn.find(|text| self.claim(text)) {
                headers.push((name.to_ascii_lowercase(), text));
            }
        }
        headers
    }

    /// How often this combination came before, by the caller's count or by our own.
    fn seen(&mut self, question: &Question<'_>, told: Option<u64>) -> u64 {
        told.unwrap_or_else(|| {
            let count = self.seen.entry(question.digest()).or_insert(0);
            *count += 1;
            *count - 1
        })
    }

    /// Whether nobody has this id yet; from now on somebody has.
    fn claim(&mut self, id: &str) -> bool {
        self.ids.len() >= IDS_MAX || self.ids.insert(id.to_owned())
    }
}

/// What an answer rests on.
pub(crate) enum Base<'a> {
    /// Nothing: each one is another.
    Fresh,
    /// A new thing under an id that the client has chosen.
    Named(&'a str),
    /// Nothing, and each one is the same.
    Steady,
    /// A thing, as it is.
    Thing { id: &'a str, stored: Option<&'a Value> },
    /// A thing, with what the request changes, and its next version.
    Changed {
        id: &'a str,
        stored: Option<&'a Value>,
        next: Option<(placet_adapters::pointer::Pointer, Value)>,
    },
}

impl Posed<'_> {
    /// Where things of this operation are remembered.
    fn store(&self) -> Option<String> {
        self.asked.operation.mock().state().map(|_| self.place.store.clone())
    }

    /// What the call leaves behind, if it is a send that can be looked up.
    fn trail(&self) -> Option<Trail> {
        let Asked { operation, input, send_id, now, .. } = self.asked;
        let reconcile = operation.delivery().reconcile().filter(|_| !send_id.is_empty())?;
        let sent = Sent { input, settings: &Value::Null, send_id };
        reconcile.trail((operation, sent), self.target.as_ref(), now)
    }

    fn overlay<'s>(&'s self, schema: &'s Schema) -> Overlay<'s> {
        Overlay {
            operation: self.asked.operation,
            schema,
            input: self.asked.input,
            target: self.target.as_ref(),
            now: self.asked.now,
        }
    }
}

fn told(from: &EchoFrom, asked: &Asked<'_>, target: Option<&Target>) -> Option<String> {
    match from {
        EchoFrom::Input(pointer) => pointer.get(asked.input).and_then(scalar_text),
        EchoFrom::TargetPart(part) => target?.part(part).map(str::to_owned),
    }
}

/// What a list is narrowed by: values of the input that stand in the thing under the same name.
fn is_asked_for(thing: &Value, input: &Value) -> bool {
    input.as_object().into_iter().flatten().all(|(name, wanted)| {
        let there = thing.get(name).and_then(scalar_text);
        match (there, scalar_text(wanted)) {
            (Some(there), Some(wanted)) => there == wanted,
            _ => true,
        }
    })
}

fn input_digest(input: &Value) -> Digest {
    canonical::digest(input).unwrap_or_else(|_| Digest::of(input.to_string().as_bytes()))
}

/// An input that the operation's schema refuses gets the provider's own kind of refusal (R0).
fn refused_input(operation: &Operation, input: &Value) -> Option<Answer> {
    let violations = operation.input_schema()?.validate(input).err()?;
    let mut answer = error_or(operation, "validation", 400);
    if let Ok(response) = &mut answer {
        response.notes.push(format!("the sandbox refused the input: {violations}"));
    }
    Some(answer)
}

/// R13: an answer is never invented where no schema describes one.
fn status_only(operation: &Operation) -> Response {
    let mut response = Response::new(operation.mock().status(), Vec::new(), Vec::new());
    response
        .notes
        .push(format!("{} declares no response schema: status only, empty body", operation.name()));
    response
}
