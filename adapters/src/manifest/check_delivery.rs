//! Checks of `delivery` and `mock`.

use super::check_again;
use super::check_answer::{phase, templates, unit, when};
use super::check_request::{pointer, template};
use super::check_state;
use super::document::{AbsentDoc, DeliveryDoc, MatchTestsDoc, MockDoc, MockErrorDoc, ReconcileDoc};
use super::operation::{Absent, Delivery, MatchHow, MatchTest, Order, Reconcile, Shown, Since};
use super::problem::Problems;
use crate::mock::{Alphabet, Mock, MockError, MockId};
use crate::template::ValueTemplate;
use placet_model::manifest::DeliveryKind;
use serde_json::Value;
use serde_saphyr::Spanned;
use std::time::Duration;

/// A read, which needs no delivery.
pub(super) const fn no_delivery() -> Delivery {
    Delivery {
        kind: DeliveryKind::None,
        key_header: None,
        ttl: None,
        order: Order::SendFirst,
        conflict: None,
        moved_on: None,
        reconcile: None,
    }
}

pub(super) fn delivery(
    document: &Spanned<DeliveryDoc>,
    problems: &mut Problems,
) -> Option<Delivery> {
    let shape = &document.value;
    problems.not_built(shape.replay_shows.as_ref(), "delivery.replay_shows");
    check_again::kind_has_its_fields(document, problems);
    if shape.max_len.is_some_and(|max| max < 40) {
        problems.at(document, "the send id has 40 letters, max_len is smaller");
    }
    let reconcile = match &shape.reconcile {
        Some(reconcile) => Some(self::reconcile(reconcile, document, problems)?),
        None => None,
    };
    Some(Delivery {
        kind: shape.kind,
        key_header: shape.header.clone(),
        ttl: shape.ttl_s.map(|seconds| Duration::from_secs(u64::from(seconds))),
        order: check_again::order(shape),
        conflict: check_again::exists(document, problems),
        moved_on: shape
            .moved_on
            .as_ref()
            .and_then(|said| check_again::conflict(said, document, problems)),
        reconcile,
    })
}

fn reconcile(
    document: &ReconcileDoc,
    place: &Spanned<DeliveryDoc>,
    problems: &mut Problems,
) -> Option<Reconcile> {
    let Some(request) = place.value.looks_with() else {
        problems.at(place, "reconcile needs request, or the delivery a query");
        return None;
    };
    if document.request.is_some() && place.value.query.is_some() {
        problems.at(place, "delivery.query and reconcile.request say the same: write one of them");
    }
    let with = Value::Object(request.with.clone());
    let with = match ValueTemplate::parse(&with) {
        Ok(with) => with,
        Err(error) => {
            problems.at(place, error.to_string());
            return None;
        }
    };
    Some(Reconcile {
        operation: request.op.clone(),
        with,
        shown: match (&document.matching.list, &document.matching.item) {
            (Some(at), None) => Shown::List(pointer(at, place, problems)?),
            (None, Some(at)) => Shown::Item(pointer(at, place, problems)?),
            _ => {
                problems.at(place, "match names either a list or an item");
                return None;
            }
        },
        tests: match_tests(&document.matching.tests, place, problems)?,
        since: match &document.matching.since {
            Some(since) => Some(Since {
                at: pointer(&since.at, place, problems)?,
                unit: unit(since.unit),
                minus_s: since.minus_s,
            }),
            None => None,
        },
        one_by: match &document.matching.one_by {
            Some(at) => Some(pointer(at, place, problems)?),
            None => None,
        },
        found: document.found.outcome,
        result: templates(&document.found.result, place, problems)?,
        needs_scopes: document.needs_scopes.clone(),
        read_lag: Duration::from_secs(u64::from(document.read_lag_s.unwrap_or(0))),
        absent_after: Duration::from_secs(u64::from(document.absent_after_s)),
        absent: match document.absent {
            AbsentDoc::Trusted => Absent::Trusted,
            AbsentDoc::Evidence => Absent::Evidence,
            AbsentDoc::Human => Absent::Human,
        },
        absent_when: match &document.absent_when {
            Some(said) => Some(when(said, place, problems)?),
            None => None,
        },
        final_when: None,
    })
}

fn match_tests<T>(
    documents: &MatchTestsDoc,
    place: &Spanned<T>,
    problems: &mut Problems,
) -> Option<Vec<MatchTest>> {
    let documents = match documents {
        MatchTestsDoc::One(test) => std::slice::from_ref(test),
        MatchTestsDoc::All(tests) => tests.as_slice(),
    };
    if documents.is_empty() {
        problems.at(place, "match.where is empty: everything would be ours");
        return None;
    }
    let mut tests = Vec::new();
    for test in documents {
        let (how, wanted) = match (&test.is, &test.contains, &test.html) {
            (Some(wanted), None, None) => (MatchHow::Is, wanted),
            (None, Some(wanted), None) => (MatchHow::Contains, wanted),
            (None, None, Some(wanted)) => (MatchHow::Html, wanted),
            _ => {
                problems.at(place, "match.where asks exactly one of is, contains, html");
                return None;
            }
        };
        tests.push(MatchTest {
            at: pointer(&test.at, place, problems)?,
            how,
            wanted: template(wanted, place, problems)?,
        });
    }
    Some(tests)
}

pub(super) fn mock(document: &Spanned<MockDoc>, problems: &mut Problems) -> Option<Mock> {
    let shape = &document.value;
    let mut mock = Mock { status: shape.status, ..Mock::default() };
    if let Some(state) = &shape.state {
        mock.state = Some(check_state::state(state, document, problems)?);
    }
    for (at, id) in &shape.ids {
        if let Some(header) = at.strip_prefix("header:") {
            mock.header_ids.push((header.to_owned(), mock_id(id, document, problems)?));
            continue;
        }
        mock.ids.push((pointer(at, document, problems)?, mock_id(id, document, problems)?));
    }
    for (at, from) in &shape.echo {
        let from = check_state::from(from, document, problems)?;
        mock.echo.push((pointer(at, document, problems)?, from));
    }
    for (at, value) in &shape.constants {
        mock.constants.push((pointer(at, document, problems)?, value.clone()));
    }
    for (at, form) in &shape.time {
        mock.time.push((pointer(at, document, problems)?, *form));
    }
    for (name, error) in &shape.errors {
        mock.errors.insert(name.clone(), mock_error(error, problems)?);
    }
    refuse_secrets(shape, document, problems);
    Some(mock)
}

fn mock_id<T>(value: &Value, place: &Spanned<T>, problems: &mut Problems) -> Option<MockId> {
    match value {
        Value::String(word) if word == "slack_ts" => return Some(MockId::SlackTs),
        Value::String(word) if word == "uuid" => return Some(MockId::Uuid),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("same_as") => {
            let text = fields["same_as"].as_str().unwrap_or_default();
            return pointer(text, place, problems).map(MockId::SameAs);
        }
        Value::Object(fields) => {
            let prefix = fields.get("prefix").and_then(Value::as_str);
            let alphabet =
                fields.get("alphabet").and_then(Value::as_str).and_then(Alphabet::from_word);
            let len =
                fields.get("len").and_then(Value::as_u64).and_then(|len| usize::try_from(len).ok());
            if let (Some(prefix), Some(alphabet), Some(len), 3) =
                (prefix, alphabet, len, fields.len())
            {
                return Some(MockId::Letters {
                    prefix: prefix.to_owned(),
                    alphabet,
                    len: len.min(128),
                });
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {}
    }
    problems.at(place, "a mock id is slack_ts, uuid, {same_as} or {prefix, alphabet, len}");
    None
}

fn mock_error(document: &Spanned<MockErrorDoc>, problems: &mut Problems) -> Option<MockError> {
    let shape = &document.value;
    match (shape.status, shape.transport, shape.happened) {
        (Some(status), None, None) => Some(MockError::Answer {
            status,
            headers: shape.headers.clone(),
            body: shape.body.clone(),
            text: shape.text.clone(),
        }),
        (None, Some(at), Some(happened)) => Some(MockError::Lost { phase: phase(at), happened }),
        _ => {
            problems
                .at(document, "a mock error is {status, headers, body} or {transport, happened}");
            None
        }
    }
}

fn refuse_secrets<T>(document: &MockDoc, place: &Spanned<T>, problems: &mut Problems) {
    let texts =
        document.echo.values().chain(document.constants.values().filter_map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        }));
    if texts.into_iter().any(|text| text.contains("{secret:")) {
        problems.at(place, "a mock names no secret");
    }
}
