//! What a provider posts to us: is it theirs, is it ours already, what does it say, and what does it
//! want to hear back. Pure: the route hands in the bytes as they came, the keys and the time.
//!
//! Invariants: nothing is read out of a body before its signature holds; a provider without a key
//! is refused, never believed; what may stand in an event is the manifest's allow-list.

mod ack;
mod event;
mod lifecycle;
mod mail;
mod multipart;
mod pairing;
mod refetch;
mod sync;
mod token;
mod verify;

pub use ack::{Ack, Reply};
pub use event::{ECHO, Event, MARK, Told};
pub use lifecycle::{LifecycleCall, LifecycleStep, Subscribed, Subscribing};
pub use pairing::{Claim, Pairing};
pub use refetch::{Heard, NOTICE, Refetch};
pub use sync::{Page, Sync, SyncCall, later};
pub use token::Token;
pub use verify::Unverified;

pub(crate) use ack::Acks;
pub(crate) use event::{Correlate, EventSpec, EvidenceSpec, OwnTest, OwnValue, Source};
pub(crate) use lifecycle::Listed;
pub(crate) use verify::{
    Algorithm, Encoding, Given, KeyForm, Piece, SharedSecret, Signed, Stamp, Verify,
};

use crate::pointer::Pointer;
use crate::predicate::{Observed, When};
use crate::secret::SecretText;
use crate::template::{Scope, ValueTemplate};
use crate::transport::{Answer, Response};
use placet_model::Timestamp;
use placet_model::integration::Identity;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Events of one message that are looked at; no provider is known to send more.
const EACH_MAX: usize = 10_000;

/// The `inbound` of a manifest. Made only by loading one.
#[derive(Debug)]
pub struct Inbound {
    pub(crate) verify: Verify,
    pub(crate) integrity: Integrity,
    pub(crate) handshake: Option<Handshake>,
    pub(crate) each: Option<Pointer>,
    pub(crate) events: Vec<EventSpec>,
    pub(crate) acks: Acks,
    pub(crate) by_form: Option<Box<Self>>,
    pub(crate) carries_content: bool,
    pub(crate) deadline: Duration,
    pub(crate) body_max: usize,
    pub(crate) lifecycle: BTreeMap<LifecycleStep, LifecycleCall>,
    pub(crate) sync: Option<Sync>,
    pub(crate) pairing: Option<Pairing>,
    /// Keys of the events that may start runs as soon as it is connected; none: all of them.
    pub(crate) triggers: Option<BTreeSet<String>>,
}

/// What the check of an arrival proves; shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integrity {
    /// The signature covers the body.
    BodySigned,
    /// The signature covers a time and a token, not the body.
    MetadataSigned,
    /// The sender knows a secret that is sent along.
    SharedSecret,
}

/// A message that only wants to hear that we are here.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) when: When,
    pub(crate) status: u16,
    pub(crate) body: Option<ValueTemplate>,
}

/// One request that came in, as it was on the wire.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// The public address, as the provider knows it, with its query.
    pub url: &'a str,
    /// In the order received.
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    pub at: Timestamp,
}

impl<'a> Arrival<'a> {
    /// The first header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The fields of a form, in the order sent.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.body).into_owned().collect()
    }

    /// The boundary of a form with files.
    fn boundary(&self) -> Option<String> {
        multipart::boundary(self.header("content-type")?)
    }

    fn is_form(&self) -> bool {
        let media = self.header("content-type").unwrap_or_default();
        media.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded")
    }

    /// The body as JSON; a form is an object of its first values, without its files.
    pub(crate) fn read(&self) -> Option<Value> {
        let form = match self.boundary() {
            Some(boundary) => multipart::fields(self.body, &boundary),
            None if self.is_form() => self.form(),
            None => return serde_json::from_slice(self.body).ok(),
        };
        let mut fields = Map::new();
        for (name, value) in form {
            fields.entry(name).or_insert(Value::String(value));
        }
        Some(Value::Object(fields))
    }
}

/// What an arrival is.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// Not proven to be the provider's: nothing of it is believed.
    Unverified(Unverified),
    /// There is something to read; what it was is not said, or not believed.
    Hint,
    /// Answered at once, and nothing else.
    Handshake(Reply),
    /// Our own message coming back.
    Own {
        key: String,
    },
    /// The provider's, and nothing that this manifest knows.
    Unknown,
    Event(Box<Event>),
    /// Several at once, in their order; each is one of the three before.
    Several(Vec<Self>),
}

impl Inbound {
    /// What is meant for a request with this `Content-Type`: a provider may prove forms in another way
    /// than the rest. Nothing but the header is looked at.
    pub fn meant_for(&self, content_type: &str) -> &Self {
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_form =
            matches!(&*media, "multipart/form-data" | "application/x-www-form-urlencoded");
        self.by_form.as_deref().filter(|_| is_form).unwrap_or(self)
    }

    /// Checks and reads one arrival. `keys` gives the values of a credential field: none where there
    /// is no such secret, two while a rotation is under way. `own` is who the integration acts as.
    pub fn receive(
        &self,
        arrival: &Arrival<'_>,
        keys: &dyn Fn(&str) -> Vec<SecretText>,
        own: Option<&Identity>,
    ) -> Received {
        if let Err(why) = self.verify.check(arrival, keys) {
            return Received::Unverified(why);
        }
        if self.sync.is_some() {
            return Received::Hint;
        }
        let response = Response::new(200, arrival.headers.to_vec(), arrival.body.to_vec());
        let answer: Answer = Ok(response);
        let observed = Observed { answer: &answer, body: arrival.read() };
        if let Some(handshake) = &self.handshake
            && handshake.when.holds(&observed)
        {
            return Received::Handshake(handshake.reply(&observed));
        }
        let Some(each) = &self.each else { return self.one(&observed, own) };
        let list = observed.body.as_ref().and_then(|body| each.get(body)?.as_array().cloned());
        let items = list.unwrap_or_default().into_iter().take(EACH_MAX);
        let read = items.map(|item| self.one(&Observed { answer: &answer, body: Some(item) }, own));
        Received::Several(read.collect())
    }

    fn one(&self, observed: &Observed<'_>, own: Option<&Identity>) -> Received {
        let Some(spec) = self.events.iter().find(|spec| spec.when.holds(observed)) else {
            return Received::Unknown;
        };
        if spec.is_own(observed, own) {
            return Received::Own { key: spec.key.clone() };
        }
        match spec.read(observed) {
            Some(mut event) => {
                event.claim = self.pairing.as_ref().and_then(|pairing| pairing.claim(observed));
                Received::Event(Box::new(event))
            }
            None => Received::Unknown,
        }
    }

    /// What the provider must hear.
    pub fn reply(&self, ack: Ack) -> Reply {
        self.acks.reply(ack)
    }

    pub const fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// Whether the body holds people's words, or is only a hint to look.
    pub const fn carries_content(&self) -> bool {
        self.carries_content
    }

    /// How long the provider waits for its answer.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// The credential field without which nothing that comes in is believed.
    pub fn key_field(&self) -> &str {
        self.verify.key_field()
    }

    /// Every credential field that [`Self::receive`] may ask for.
    pub fn key_fields(&self) -> Vec<String> {
        let form = self.by_form.as_deref().map(Self::key_field);
        std::iter::once(self.key_field()).chain(form).map(str::to_owned).collect()
    }

    /// The token that proves who posts, where it is one: its keys are published, not kept.
    pub const fn token(&self) -> Option<&Token> {
        match &self.verify {
            Verify::Token(token) => Some(token),
            Verify::Signed(_) | Verify::Shared(_) => None,
        }
    }

    /// Bytes of a body at most; a larger one is none of the provider's.
    pub const fn body_max(&self) -> usize {
        self.body_max
    }

    /// The events it can bring: `key` and `event_key`.
    pub fn events(&self) -> impl Iterator<Item = (&str, &str)> {
        self.specs().map(|spec| (spec.key.as_str(), spec.event_key.as_str()))
    }

    /// Whether some event's `data` has this name.
    pub(crate) fn has_data(&self, name: &str) -> bool {
        self.specs().any(|spec| spec.data.contains_key(name))
    }

    /// The events that could start runs: those that are news to somebody. With each whether it may as
    /// soon as it is connected.
    pub fn triggers(&self) -> impl Iterator<Item = (&str, bool)> {
        let news = self.events().filter(|(key, _)| !key.ends_with(ECHO));
        news.map(|(key, _)| (key, self.triggers.as_ref().is_none_or(|stated| stated.contains(key))))
    }

    fn specs(&self) -> impl Iterator<Item = &EventSpec> {
        let forms = self.by_form.iter().flat_map(|form| &form.events);
        self.events.iter().chain(forms)
    }

    /// The keys of events that bear the mark of what was sent.
    pub fn evidence_keys(&self) -> impl Iterator<Item = &str> {
        self.specs().filter(|spec| spec.evidence.is_some()).map(|spec| spec.key.as_str())
    }

    /// How a connection is paired with a conversation there, where it is.
    pub const fn pairing(&self) -> Option<&Pairing> {
        self.pairing.as_ref()
    }

    /// How the provider is told where to post; `None`: by hand, in its own console.
    pub fn lifecycle(&self, step: LifecycleStep) -> Option<&LifecycleCall> {
        self.lifecycle.get(&step)
    }
}

impl Handshake {
    fn reply(&self, observed: &Observed<'_>) -> Reply {
        let none = Value::Null;
        let scope = Scope { response: observed.body.as_ref().unwrap_or(&none), ..empty_scope() };
        let body = self.body.as_ref().and_then(|body| body.value(&scope).ok().flatten());
        match body {
            Some(body) => Reply {
                status: self.status,
                media: Some("application/json".to_owned()),
                body: crate::json::to_bytes(&body),
            },
            None => Reply { status: self.status, media: None, body: Vec::new() },
        }
    }
}

const fn empty_scope() -> Scope<'static> {
    Scope::NOTHING
}

/// The value at a place of an arrival's body, as text.
fn text_at(body: Option<&Value>, at: &Pointer) -> Option<String> {
    crate::json::scalar_text(at.get(body?)?)
}
