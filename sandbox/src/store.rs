//! What a sandbox remembers: the things that calls have made, changed and deleted, and the answers
//! that were given under an idempotency key. Data only; [`World`](crate::World) decides.

use placet_adapters::pointer::Pointer;
use placet_model::Digest;
use serde_json::Value;
use std::collections::BTreeMap;

/// Things of one kind that are kept; the oldest make room.
const THINGS_MAX: usize = 10_000;
/// Answers that are kept for their keys.
const KEYS_MAX: usize = 100_000;

/// Which things: of this connection and provider, of this kind, in this parent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) integration: String,
    pub(crate) store: String,
    pub(crate) within: String,
}

/// One thing.
#[derive(Debug, Clone)]
pub(crate) struct Thing {
    pub(crate) id: String,
    pub(crate) value: Value,
    pub(crate) origin: ThingOrigin,
    pub(crate) is_deleted: bool,
}

/// How a thing came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThingOrigin {
    /// A call has made it.
    Created,
    /// It was asked for, and supposed to have been there.
    Supposed,
}

/// The answer that a key has got.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Of the input; another one under the same key is a conflict.
    pub(crate) input: Digest,
    pub(crate) answer: placet_adapters::Response,
}

#[derive(Debug, Default)]
pub(crate) struct Stores {
    things: BTreeMap<Place, Vec<Thing>>,
    listed: std::collections::BTreeSet<Place>,
    keys: BTreeMap<(String, String, String), Kept>,
}

impl Stores {
    pub(crate) fn find(&self, place: &Place, id: &str) -> Option<&Thing> {
        self.things.get(place)?.iter().find(|thing| thing.id == id)
    }

    /// Puts a thing in its place; the one with this id is replaced.
    pub(crate) fn put(&mut self, place: &Place, thing: Thing) {
        let things = self.things.entry(place.clone()).or_default();
        if let Some(known) = things.iter_mut().find(|known| known.id == thing.id) {
            *known = thing;
            return;
        }
        if things.len() >= THINGS_MAX {
            things.remove(0);
        }
        things.push(thing);
    }

    pub(crate) fn delete(&mut self, place: &Place, id: &str) {
        let things = self.things.entry(place.clone()).or_default();
        if let Some(known) = things.iter_mut().find(|known| known.id == id) {
            known.is_deleted = true;
        }
    }

    /// Those that are there, the newest first.
    pub(crate) fn all(&self, place: &Place) -> impl Iterator<Item = &Thing> {
        let things = self.things.get(place).map_or(&[][..], Vec::as_slice);
        things.iter().rev().filter(|thing| !thing.is_deleted)
    }

    /// Whether these are listed for the first time.
    pub(crate) fn first_list(&mut self, place: &Place) -> bool {
        self.listed.insert(place.clone())
    }

    pub(crate) fn kept(&self, key: &(String, String, String)) -> Option<&Kept> {
        self.keys.get(key)
    }

    pub(crate) fn keep(&mut self, key: (String, String, String), kept: Kept) {
        if self.keys.len() < KEYS_MAX {
            self.keys.insert(key, kept);
        }
    }
}

/// The text of an id: providers write them as texts or as numbers.
pub(crate) fn id_of(thing: &Value, at: &Pointer) -> Option<String> {
    scalar_text(at.get(thing)?)
}

pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
