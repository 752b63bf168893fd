//! What a manifest tells the sandbox: ids, echoes, constants, errors on demand. Data only; the
//! sandbox does the answering.

use crate::pointer::Pointer;
use serde_json::Value;
use std::collections::BTreeMap;

/// The `mock` map of an operation.
#[derive(Debug, Clone, Default)]
pub struct Mock {
    pub(crate) ids: Vec<(Pointer, MockId)>,
    pub(crate) header_ids: Vec<(String, MockId)>,
    pub(crate) time: Vec<(Pointer, MockTime)>,
    pub(crate) echo: Vec<(Pointer, EchoFrom)>,
    pub(crate) constants: Vec<(Pointer, Value)>,
    pub(crate) status: Option<u16>,
    pub(crate) errors: BTreeMap<String, MockError>,
    pub(crate) state: Option<MockState>,
}

impl Mock {
    pub fn ids(&self) -> &[(Pointer, MockId)] {
        &self.ids
    }

    /// Ids that the provider gives in headers.
    pub fn header_ids(&self) -> &[(String, MockId)] {
        &self.header_ids
    }

    /// Where the virtual now stands.
    pub fn time(&self) -> &[(Pointer, MockTime)] {
        &self.time
    }

    pub fn echo(&self) -> &[(Pointer, EchoFrom)] {
        &self.echo
    }

    pub fn constants(&self) -> &[(Pointer, Value)] {
        &self.constants
    }

    /// Status of a good answer.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(200)
    }

    /// Errors on demand, by their name in scenarios.
    pub const fn errors(&self) -> &BTreeMap<String, MockError> {
        &self.errors
    }

    /// What the operation does to what the sandbox remembers; none = nothing.
    pub const fn state(&self) -> Option<&MockState> {
        self.state.as_ref()
    }
}

/// How a provider writes a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MockTime {
    EpochS,
    EpochMs,
    Rfc3339,
}

/// How an id of the provider looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MockId {
    /// Virtual now with six digits, unique in a run.
    SlackTs,
    Uuid,
    /// A prefix and letters.
    Letters {
        prefix: String,
        alphabet: Alphabet,
        len: usize,
    },
    /// The same value as another place.
    SameAs(Pointer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    Base62,
    Upper,
    Digits,
    Hex,
}

impl Alphabet {
    pub const fn letters(self) -> &'static [u8] {
        match self {
            Self::Base62 => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            Self::Upper => b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Digits => b"0123456789",
            Self::Hex => b"0123456789abcdef",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "base62" => Some(Self::Base62),
            "upper" => Some(Self::Upper),
            "digits" => Some(Self::Digits),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }
}

/// Where an echoed value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EchoFrom {
    Input(Pointer),
    TargetPart(String),
}

/// An error on demand.
#[derive(Debug, Clone, PartialEq)]
pub enum MockError {
    Answer {
        status: u16,
        headers: BTreeMap<String, String>,
        body: Option<Value>,
        /// A body that is no JSON.
        text: Option<String>,
    },
    /// No answer: the bytes left or not, and the provider did it or not.
    Lost { phase: crate::transport::Phase, happened: bool },
}

/// What an operation does to the things that the sandbox remembers (`mock.state`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockState {
    pub(crate) store: String,
    pub(crate) does: StateVerb,
    pub(crate) asked: Option<EchoFrom>,
    pub(crate) within: Option<EchoFrom>,
    pub(crate) object: Pointer,
    pub(crate) id: Pointer,
    pub(crate) items: Option<Pointer>,
    pub(crate) version: Option<MockVersion>,
}

impl MockState {
    /// Which kind of thing: operations of one provider that name the same store share it.
    pub fn store(&self) -> &str {
        &self.store
    }

    pub const fn does(&self) -> StateVerb {
        self.does
    }

    /// Where the request names the thing; a `create` has it where clients choose ids.
    pub const fn asked(&self) -> Option<&EchoFrom> {
        self.asked.as_ref()
    }

    /// What the thing belongs to, such as a channel; things of others are not seen.
    pub const fn within(&self) -> Option<&EchoFrom> {
        self.within.as_ref()
    }

    /// Where the thing stands in an answer.
    pub const fn object(&self) -> &Pointer {
        &self.object
    }

    /// Where its id stands in the thing.
    pub const fn id(&self) -> &Pointer {
        &self.id
    }

    /// Where the things stand in the answer of a `list`.
    pub const fn items(&self) -> Option<&Pointer> {
        self.items.as_ref()
    }

    /// How an update says which version it has seen.
    pub const fn version(&self) -> Option<&MockVersion> {
        self.version.as_ref()
    }
}

/// An update counts only if it names the version that is there; then the version is the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockVersion {
    pub(crate) at: Pointer,
    pub(crate) asked: EchoFrom,
}

impl MockVersion {
    /// Where a number counts versions in the thing.
    pub const fn at(&self) -> &Pointer {
        &self.at
    }

    /// Where the request says which version it has seen.
    pub const fn asked(&self) -> &EchoFrom {
        &self.asked
    }
}

/// What becomes of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateVerb {
    Create,
    Get,
    List,
    Update,
    Delete,
}
