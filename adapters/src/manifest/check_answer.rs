//! Checks of the incoming half of an operation: rules, waits, results, what is kept.

use super::check_request::{pointer, regex, template};
use super::document::{
    BodyTestDoc, ErrorCodeDoc, HeaderTestDoc, PhaseDoc, RuleDoc, WaitDoc, WaitUnit, WhenDoc,
};
use super::problem::Problems;
use crate::classify::{ErrorCode, Rule};
use crate::pointer::Pointer;
use crate::predicate::{BodyTest, HeaderTest, StatusTest, ValueTest, When};
use crate::reduce::Store;
use crate::template::Template;
use crate::transport::Phase;
use crate::wait::{Unit, WaitRule};
use serde_json::Value;
use serde_saphyr::Spanned;
use std::collections::BTreeMap;

pub(super) fn rules(documents: &[Spanned<RuleDoc>], problems: &mut Problems) -> Option<Vec<Rule>> {
    documents.iter().map(|document| rule(document, problems)).collect()
}

fn rule(document: &Spanned<RuleDoc>, problems: &mut Problems) -> Option<Rule> {
    match (&document.value.when, document.value.outcome, document.value.otherwise) {
        (Some(when), Some(outcome), None) => {
            Some(Rule { when: Some(self::when(when, document, problems)?), outcome })
        }
        (None, None, Some(outcome)) => Some(Rule { when: None, outcome }),
        _ => {
            problems.at(document, "a rule is {when, outcome} or {else}");
            None
        }
    }
}

pub(super) fn when<T>(
    document: &WhenDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<When> {
    let mut when = When { transport: document.transport.map(phase), ..When::default() };
    if let Some(status) = &document.status {
        when.status = Some(status_tests(status, place, problems)?);
    }
    if let Some(body) = &document.body {
        when.body = Some(body_test(body, place, problems)?);
    }
    if let Some(text) = &document.body_text {
        when.body_text = Some(regex(text, place, problems)?);
    }
    if let Some(header) = &document.header {
        when.header = Some(header_test(header, place, problems)?);
    }
    let asks_answer = when.status.is_some()
        || when.body.is_some()
        || when.body_text.is_some()
        || when.header.is_some();
    if when.transport.is_some() == asks_answer {
        problems.at(place, "a condition asks about the transport or about the answer");
        return None;
    }
    Some(when)
}

pub(super) const fn phase(document: PhaseDoc) -> Phase {
    match document {
        PhaseDoc::BeforeSend => Phase::BeforeSend,
        PhaseDoc::AfterSend => Phase::AfterSend,
    }
}

pub(super) fn status_tests<T>(
    value: &Value,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Vec<StatusTest>> {
    let one = |value: &Value| match value {
        Value::Number(number) => {
            let status = number.as_u64().and_then(|status| u16::try_from(status).ok())?;
            (100..600).contains(&status).then_some(StatusTest::Exactly(status))
        }
        Value::String(class) => match class.as_str() {
            "1xx" | "2xx" | "3xx" | "4xx" | "5xx" => {
                Some(StatusTest::Class(u16::from(class.as_bytes()[0] - b'0')))
            }
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let tests = match value {
        Value::Array(items) => items.iter().map(one).collect(),
        single => one(single).map(|test| vec![test]),
    };
    if tests.as_ref().is_none_or(Vec::is_empty) {
        problems.at(place, "a status is a number, a class such as 2xx, or a list of these");
        return None;
    }
    tests
}

pub(super) fn body_test<T>(
    document: &BodyTestDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<BodyTest> {
    let at = pointer(&document.at, place, problems)?;
    let test = match (&document.is, &document.one_of, &document.matches, document.exists) {
        (Some(is), None, None, None) => ValueTest::Is(is.clone()),
        (None, Some(list), None, None) => ValueTest::In(list.clone()),
        (None, None, Some(text), None) => ValueTest::Matches(regex(text, place, problems)?),
        (None, None, None, Some(exists)) => ValueTest::Exists(exists),
        _ => {
            problems.at(place, "a body test asks exactly one of is, in, matches, exists");
            return None;
        }
    };
    Some(BodyTest { at, test })
}

fn header_test<T>(
    document: &HeaderTestDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<HeaderTest> {
    let text = |text: &String| Value::String(text.clone());
    let test = match (&document.is, &document.one_of, document.exists) {
        (Some(is), None, None) => ValueTest::Is(text(is)),
        (None, Some(list), None) => ValueTest::In(list.iter().map(text).collect()),
        (None, None, Some(exists)) => ValueTest::Exists(exists),
        _ => {
            problems.at(place, "a header test asks exactly one of is, in, exists");
            return None;
        }
    };
    Some(HeaderTest { name: document.name.clone(), test })
}

pub(super) fn error_code(
    document: &Spanned<ErrorCodeDoc>,
    problems: &mut Problems,
) -> Option<ErrorCode> {
    let shape = &document.value;
    let message = match &shape.message {
        Some(text) => Some(pointer(text, document, problems)?),
        None => None,
    };
    Some(ErrorCode {
        at: pointer(&shape.at, document, problems)?,
        detail: shape
            .detail
            .iter()
            .map(|text| pointer(text, document, problems))
            .collect::<Option<_>>()?,
        message,
    })
}

pub(super) fn waits(documents: &[Spanned<WaitDoc>], problems: &mut Problems) -> Vec<WaitRule> {
    documents.iter().filter_map(|document| wait(document, problems)).collect()
}

fn wait(document: &Spanned<WaitDoc>, problems: &mut Problems) -> Option<WaitRule> {
    let shape = &document.value;
    let max_s = shape.max_s.unwrap_or(3600);
    if let (Some(text), None, None, Some(unit), None) =
        (&shape.regex, &shape.header, &shape.body, shape.unit, shape.default_s)
    {
        let regex = regex(text, document, problems)?;
        if regex.captures_len() != 2 {
            problems.at(document, "wait_from.regex has one group: the wait");
        }
        return Some(WaitRule::Prose { regex, unit: self::unit(unit), max_s });
    }
    match (&shape.header, &shape.body, shape.unit, shape.default_s) {
        (Some(header), None, Some(unit), None) => {
            Some(WaitRule::Header { name: header.clone(), unit: self::unit(unit), max_s })
        }
        (None, Some(body), Some(unit), None) => Some(WaitRule::Body {
            at: pointer(body, document, problems)?,
            unit: self::unit(unit),
            max_s,
        }),
        (None, None, None, Some(seconds)) => Some(WaitRule::Default {
            seconds,
            jitter: shape.jitter,
            factor: shape.factor.unwrap_or(1),
        }),
        _ => {
            problems.at(
                document,
                "a wait is {header, unit}, {body, unit}, {regex, unit} or {default_s}",
            );
            None
        }
    }
}

pub(super) const fn unit(document: WaitUnit) -> Unit {
    match document {
        WaitUnit::S => Unit::Seconds,
        WaitUnit::Ms => Unit::Millis,
        WaitUnit::EpochS => Unit::EpochSeconds,
        WaitUnit::EpochMs => Unit::EpochMillis,
        WaitUnit::Iso8601 => Unit::Iso8601,
        WaitUnit::HttpDate => Unit::HttpDate,
    }
}

/// `store`: pointers, and `header:name`.
pub(super) fn store(documents: &[Spanned<String>], problems: &mut Problems) -> Store {
    let mut store = Store::default();
    for document in documents {
        match document.value.strip_prefix("header:") {
            Some(header) => store.headers.push(header.to_ascii_lowercase()),
            None => store.pointers.extend(pattern(document, problems)),
        }
    }
    store
}

/// A pointer in which `*` is any key.
pub(super) fn pattern(document: &Spanned<String>, problems: &mut Problems) -> Option<Pointer> {
    match Pointer::parse(&document.value) {
        Ok(pointer) if super::lint::names_a_secret(&pointer) => {
            problems.at(document, format!("{pointer} is a place where providers put secrets"));
            None
        }
        Ok(pointer) => Some(pointer),
        Err(error) => {
            problems.at(document, error.to_string());
            None
        }
    }
}

pub(super) fn templates<T>(
    documents: &BTreeMap<String, String>,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<BTreeMap<String, Template>> {
    documents
        .iter()
        .map(|(name, text)| Some((name.clone(), template(text, place, problems)?)))
        .collect()
}
