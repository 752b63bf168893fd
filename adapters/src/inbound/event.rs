//! From a verified body to an event: its key, what makes it unique, what it answers, and the few
//! fields that may stand in the log.

use super::pairing::Claim;
use super::refetch::Refetch;
use crate::classify::{Sent, named};
use crate::pointer::Pointer;
use crate::predicate::{BodyTest, Observed, When};
use crate::reduce::{self, Store};
use crate::send_forms;
use crate::template::{Scope, Template};
use placet_model::Digest;
use placet_model::integration::Identity;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One thing that a provider tells us.
#[derive(Debug)]
pub(crate) struct EventSpec {
    pub(crate) when: When,
    pub(crate) key: String,
    pub(crate) event_key: String,
    /// All of a list must be there; the first list that is complete counts.
    pub(crate) dedupe: Vec<Vec<Source>>,
    pub(crate) ignore_own: Vec<OwnTest>,
    pub(crate) correlate: Correlate,
    pub(crate) store: Store,
    pub(crate) data: BTreeMap<String, Source>,
    pub(crate) refetch: Option<Refetch>,
    pub(crate) evidence: Option<EvidenceSpec>,
}

/// The name of the mark that rides along with what is sent.
pub const MARK: &str = "placet_send";

/// How the keys of events end that only tell of our own sends: nobody waits for them.
pub const ECHO: &str = ".echo";

/// Where an event shows which of our sends it is about.
#[derive(Debug)]
pub(crate) struct EvidenceSpec {
    pub(crate) send_id: Source,
    pub(crate) final_when: Option<BodyTest>,
    pub(crate) result: BTreeMap<String, Template>,
}

/// What an event tells of one of our sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The mark that it bears.
    pub send_id: String,
    /// Whether that is how it ended.
    pub is_final: bool,
    /// The ids that it names.
    pub result: BTreeMap<String, String>,
}

/// Where a value stands: the first of these places that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Header(String),
    Body(Vec<Pointer>),
    /// A header of a mail that stands, with its headers at least, at the first of these places.
    Mail(String, Vec<Pointer>),
    /// The mark that one of the addresses bears which stand at the first of these places that has one:
    /// `reply+MARK@in.example.com`.
    Tag(Vec<Pointer>),
}

/// Which message this answers.
#[derive(Debug, Default)]
pub(crate) struct Correlate {
    pub(crate) by: BTreeMap<String, Source>,
    /// When this holds, the names of `alone` are enough.
    pub(crate) loose: Option<(BodyTest, Vec<String>)>,
}

/// What makes a message our own.
#[derive(Debug)]
pub(crate) enum OwnTest {
    /// This text, of places of the body, names the account that the integration acts as.
    Account {
        at: Template,
        is: OwnValue,
    },
    Says(BodyTest),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnValue {
    Id,
    Tenant,
}

/// An event that came in, proven to be the provider's.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the word of the manifest")]
pub struct Event {
    /// The `CloudEvent`'s type, `slack.message`.
    pub key: String,
    /// The generic name, `communication.message.received`.
    pub event_key: String,
    /// Equal for every repetition of the same event.
    pub dedupe: String,
    /// What it names of the message that it answers.
    pub correlate: BTreeMap<String, String>,
    /// The names in `correlate` that must agree with what was sent.
    pub match_on: Vec<String>,
    /// The `CloudEvent`'s data: short names and their values.
    pub data: Value,
    /// What may stand in the log, in its place.
    pub stored: Value,
    /// The read that fetches the object, where the message names it and says no more.
    pub refetch: Option<String>,
    /// What it tells of one of our sends, where it bears its mark.
    pub told: Option<Told>,
    /// The code that it brings back, where it is such a message.
    pub claim: Option<Claim>,
}

impl Source {
    pub(super) fn value(&self, observed: &Observed<'_>) -> Option<Value> {
        match self {
            Self::Header(name) => {
                let text = observed.answer.as_ref().ok()?.header(name)?;
                Some(Value::String(text.to_owned()))
            }
            Self::Body(places) => {
                let body = observed.body.as_ref()?;
                places.iter().find_map(|at| at.get(body).filter(|value| !value.is_null())).cloned()
            }
            Self::Mail(name, places) => {
                let body = observed.body.as_ref()?;
                let mail = places.iter().find_map(|at| at.get(body))?;
                super::mail::named(mail, name).map(Value::String)
            }
            Self::Tag(places) => {
                let body = observed.body.as_ref()?;
                let tag = places.iter().find_map(|at| super::mail::tag(at.get(body)?));
                tag.map(Value::String)
            }
        }
    }

    fn text(&self, observed: &Observed<'_>) -> Option<String> {
        self.value(observed).as_ref().and_then(crate::json::scalar_text)
    }
}

impl EventSpec {
    pub(super) fn is_own(&self, observed: &Observed<'_>, own: Option<&Identity>) -> bool {
        let body = observed.body.as_ref();
        self.ignore_own.iter().any(|test| match test {
            OwnTest::Account { at, is } => {
                let ours = own.map(|own| match is {
                    OwnValue::Id => own.id.as_str(),
                    OwnValue::Tenant => own.tenant.as_str(),
                });
                let scope = Scope { response: body.unwrap_or(&Value::Null), ..Scope::NOTHING };
                ours.is_some() && at.text(&scope).ok().flatten().as_deref() == ours
            }
            OwnTest::Says(test) => test.test.holds(body.and_then(|body| test.at.get(body))),
        })
    }

    /// `None` if nothing in it can tell it from its repetitions.
    pub(super) fn read(&self, observed: &Observed<'_>) -> Option<Event> {
        let correlate: BTreeMap<String, String> = self
            .correlate
            .by
            .iter()
            .filter_map(|(name, source)| Some((name.clone(), source.text(observed)?)))
            .collect();
        let data: Map<String, Value> = self
            .data
            .iter()
            .filter_map(|(name, source)| Some((name.clone(), source.value(observed)?)))
            .collect();
        Some(Event {
            key: self.key.clone(),
            event_key: self.event_key.clone(),
            dedupe: self.dedupe_key(observed)?,
            match_on: self.match_on(observed, &correlate),
            correlate,
            data: Value::Object(data),
            stored: reduce::stored(&self.store, observed),
            refetch: self.refetch.as_ref().map(|refetch| refetch.operation().to_owned()),
            told: self.told(observed),
            claim: None,
        })
    }

    fn told(&self, observed: &Observed<'_>) -> Option<Told> {
        let spec = self.evidence.as_ref()?;
        let send_id = spec.send_id.text(observed).filter(|text| send_forms::is_send_id(text))?;
        let said =
            |test: &BodyTest| test.test.holds(observed.body.as_ref().and_then(|b| test.at.get(b)));
        let sent = Sent { input: &Value::Null, settings: &Value::Null, send_id: &send_id };
        let result = named(&spec.result, observed, sent);
        let is_final = spec.final_when.as_ref().is_none_or(said);
        Some(Told { send_id, is_final, result })
    }

    /// The provider's own id as it is; several values together as their digest.
    fn dedupe_key(&self, observed: &Observed<'_>) -> Option<String> {
        self.dedupe.iter().find_map(|sources| {
            let values: Vec<Value> =
                sources.iter().map(|source| source.value(observed)).collect::<Option<_>>()?;
            match values.as_slice() {
                [one] => crate::json::scalar_text(one).filter(|text| !text.is_empty()),
                several => {
                    let bytes = crate::json::to_bytes(&Value::Array(several.to_vec()));
                    Some(Digest::of(&bytes).to_string())
                }
            }
        })
    }

    /// Our own mark names one message, whatever else an answer names: it is enough.
    fn match_on(&self, observed: &Observed<'_>, found: &BTreeMap<String, String>) -> Vec<String> {
        if found.get(MARK).is_some_and(|mark| send_forms::is_send_id(mark)) {
            return vec![MARK.to_owned()];
        }
        match &self.correlate.loose {
            Some((test, alone))
                if observed
                    .body
                    .as_ref()
                    .is_some_and(|body| test.test.holds(test.at.get(body))) =>
            {
                alone.clone()
            }
            _ => self.correlate.by.keys().cloned().collect(),
        }
    }
}
