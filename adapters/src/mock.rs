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
