//! What is sent, as the fixtures of the providers have it, and what goes wrong.

use placet_adapters::Operation;
use placet_adapters::mock::MockError;
use placet_model::manifest::Effect;
use placet_test_support::dirs::fixture;
use placet_test_support::provider::{Answer, Behaviour};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::stage::{Stage, Waits};

/// One write operation with an input.
#[derive(Debug, Clone)]
pub(in crate::exam) struct Case {
    pub(in crate::exam) operation: String,
    pub(in crate::exam) definition: Arc<Operation>,
    pub(in crate::exam) input: Value,
}

impl Case {
    pub(in crate::exam) fn provider(&self) -> &str {
        self.definition.provider()
    }
}

/// `http` is the author's own words and is played with words of its own ([`http`]); SMTP is no HTTP: it has
/// stages of its own ([`super::super::mail`]).
pub(in crate::exam) const NOT_PLAYED: [&str; 2] = ["http", "smtp"];

/// The first fixture of each operation that is no read.
pub(in crate::exam) fn all(stage: &Stage) -> Vec<Case> {
    let mut cases = BTreeMap::new();
    let root = fixture("providers");
    let folders = std::fs::read_dir(&root).expect("the fixtures are there");
    let mut files: Vec<_> = folders
        .filter_map(Result::ok)
        .filter(|folder| NOT_PLAYED.iter().all(|other| folder.file_name() != **other))
        .flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten())
        .filter_map(|file| Some(file.ok()?.path()))
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a fixture is readable");
        let document: Value = serde_json::from_str(&text).expect("a fixture is JSON");
        let Some(operation) = document["operation"].as_str() else { continue };
        let definition = Arc::clone(stage.adapters().operation(operation).expect("it is shipped"));
        if definition.effect() == Effect::Read {
            continue;
        }
        let (operation, input) = (operation.to_owned(), document["input"].clone());
        cases.entry(operation.clone()).or_insert(Case { operation, definition, input });
    }
    cases.into_values().chain(http(stage)).collect()
}

/// Requests in an author's own words, of each effect.
fn http(stage: &Stage) -> Vec<Case> {
    let case = |method: &str, operation: &str| {
        let definition = stage.adapters().operation(operation).expect("it is shipped");
        let endpoint = stage.provider().url("/http/things/1");
        let input = serde_json::json!({"method": method, "endpoint": endpoint, "body": {"n": 1}});
        Case { operation: "http".to_owned(), definition: Arc::clone(definition), input }
    };
    vec![case("post", "http.request"), case("delete", "http.delete")]
}

/// What goes wrong with the first call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::exam) enum Fault {
    None,
    Refused,
    RateLimited,
    Hang,
    Reset,
    ResetUnapplied,
    Garbage,
    Truncated,
    Drip,
    ErrorBefore,
    ErrorAfter,
}

impl Fault {
    pub(in crate::exam) const ALL: [Self; 11] = [
        Self::None,
        Self::Refused,
        Self::RateLimited,
        Self::Hang,
        Self::Reset,
        Self::ResetUnapplied,
        Self::Garbage,
        Self::Truncated,
        Self::Drip,
        Self::ErrorBefore,
        Self::ErrorAfter,
    ];

    pub(in crate::exam) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Refused => "refused",
            Self::RateLimited => "rate limited",
            Self::Hang => "applied, hangs",
            Self::Reset => "applied, reset",
            Self::ResetUnapplied => "reset before",
            Self::Garbage => "applied, garbage",
            Self::Truncated => "applied, truncated",
            Self::Drip => "applied, slow drip",
            Self::ErrorBefore => "500 before",
            Self::ErrorAfter => "applied, 500",
        }
    }

    /// Whether nobody on this side of the wire can know what happened.
    pub(in crate::exam) const fn leaves_doubt(self) -> bool {
        !matches!(self, Self::None | Self::Refused | Self::RateLimited)
    }

    /// How long an engine has to wait for what comes of it.
    pub(in crate::exam) const fn waits(self) -> Waits {
        if matches!(self, Self::Hang | Self::Drip) { Waits::Briefly } else { Waits::Long }
    }

    /// What the stand-in does with the first call.
    pub(in crate::exam) fn behaviour(self, case: &Case, success: &Answer) -> Option<Behaviour> {
        let error = serde_json::json!({"message": "something went wrong"});
        Some(match self {
            Self::None => return None,
            Self::Refused => Behaviour::Refuse(mock(case, "validation")),
            Self::RateLimited => Behaviour::Refuse(mock(case, "rate_limited")),
            Self::Hang => Behaviour::ApplyThenSilence,
            Self::Reset => Behaviour::ApplyThenReset,
            Self::ResetUnapplied => Behaviour::Reset,
            Self::Garbage => Behaviour::ApplyThenGarbage,
            Self::Truncated => Behaviour::ApplyThenTruncate(success.clone()),
            Self::Drip => Behaviour::ApplyThenDrip(success.clone()),
            Self::ErrorBefore => Behaviour::refuse(500, &error),
            Self::ErrorAfter => Behaviour::Answer(Answer::status(500, &error)),
        })
    }
}

/// An error in the provider's own shape.
fn mock(case: &Case, name: &str) -> Answer {
    let error = case.definition.mock().errors().get(name);
    let Some(MockError::Answer { status, headers, body, text }) = error else {
        panic!("{} has no {name}", case.operation)
    };
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    let mut answer = Answer {
        status: *status,
        headers: headers.collect(),
        body: text.clone().unwrap_or_default().into_bytes(),
    };
    if let Some(body) = body {
        answer = Answer { headers: answer.headers.clone(), ..Answer::status(*status, body) }
            .header("Content-Type", "application/json");
    }
    answer
}
