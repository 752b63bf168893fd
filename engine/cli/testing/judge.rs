//! Holds what a run did against what the test expects: all that does not hold, each with its place.

use super::compare::Comparer;
use super::seen::Seen;
use super::{Failure, Verdict, diff};
use placet_executor::inbox::Problem;
use placet_language::Evaluator;
use placet_language::source::Span;
use placet_language::test_file::{Expected, Pattern, Spanned, TaskEnds, TestCase, TestFile};
use placet_model::plan::Plan;
use placet_model::{Duration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Judges one run.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) test: &'a TestCase,
    pub(crate) plans: &'a [&'a Plan],
    pub(crate) seen: &'a Seen,
    pub(crate) evaluator: &'a Evaluator,
}

impl Judge<'_> {
    pub(crate) fn failures(&self) -> Vec<Failure> {
        let expect = &self.test.expect;
        let mut failures = vec![];
        failures.extend(self.status());
        let report = &self.seen.report;
        failures.extend(expect.output.as_ref().and_then(|expected| {
            // a run that did not complete has said so by its status
            (self.seen.status() == "completed")
                .then(|| self.value("expect.output", expected, &report["output"]))?
        }));
        failures.extend(expect.error.as_ref().and_then(|expected| {
            (self.seen.status() == "faulted")
                .then(|| self.value("expect.error", expected, &report["error"]))?
        }));
        if let Some(sent) = &expect.sent {
            failures.extend(self.sent(sent));
        }
        for (task, ends) in &expect.tasks {
            failures.extend(self.task(&task.value, ends));
        }
        failures.extend(self.duration());
        failures
    }

    fn status(&self) -> Option<Failure> {
        let (expected, actual) = (self.test.expect.status.value.word(), self.seen.status());
        if expected == actual {
            return None;
        }
        let error = &self.seen.report["error"];
        let why = if error.is_null() {
            String::new()
        } else {
            let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
            let detail = match (text("detail"), text("title")) {
                (detail, title) if detail.is_empty() => title,
                (detail, _) => detail,
            };
            format!(": {} {} at {}: {detail}", text("type"), error["status"], text("instance"))
        };
        let message = format!("expected {expected}, the run is {actual}{why}");
        let mut failure = Failure::new("expect.status", self.test.expect.status.span, message);
        failure.diff = diff::of(Some(&json!(expected)), Some(&json!(actual)));
        Some(failure)
    }

    fn value(&self, what: &str, expected: &Expected, actual: &Value) -> Option<Failure> {
        let compared =
            Comparer::new(self.evaluator, &self.test.input).compare(expected, Some(actual));
        let (path, span) = compared.first?;
        let mut failure = Failure::new(format!("{what}{path}"), span, "not as expected");
        failure.diff = diff::of(Some(&compared.expected), compared.actual.as_ref());
        Some(failure)
    }

    /// In order, none too many and none too few; each by what is named of it.
    fn sent(&self, expected: &Spanned<Vec<Expected>>) -> Vec<Failure> {
        let actual = &self.seen.sent;
        if expected.value.len() == actual.len() {
            let pairs = expected.value.iter().zip(actual).enumerate();
            return pairs
                .filter_map(|(place, (expected, actual))| {
                    let expected = self.with_paths(expected);
                    self.value(&format!("expect.sent[{place}]"), &expected, actual)
                })
                .collect();
        }
        let message = format!(
            "expected {}, {} would have been sent",
            count(expected.value.len(), "request"),
            actual.len()
        );
        let comparer = Comparer::new(self.evaluator, &self.test.input);
        let mut sides = (vec![], vec![]);
        for (place, actual) in actual.iter().enumerate() {
            let named = expected.value.get(place).map(|expected| self.with_paths(expected));
            let both = named.map(|expected| comparer.compare(&expected, Some(actual)));
            sides.1.push(match both {
                Some(both) => {
                    sides.0.push(both.expected);
                    both.actual.unwrap_or_default()
                }
                None => in_short(actual),
            });
        }
        let missing = expected.value.iter().skip(actual.len());
        sides.0.extend(missing.map(super::compare::shown));
        let mut failure = Failure::new("expect.sent", expected.span, message);
        failure.diff = diff::of(Some(&json!(sides.0)), Some(&json!(sides.1)));
        vec![failure]
    }

    /// The task of an entry may be given by its name.
    fn with_paths(&self, expected: &Expected) -> Expected {
        let mut expected = expected.clone();
        let Pattern::Map { members, .. } = &mut expected.pattern else { return expected };
        for (_, member) in members.iter_mut().filter(|(key, _)| key == "task") {
            let Pattern::Is(Value::String(name)) = &mut member.pattern else { continue };
            if let Some(path) = TestFile::tasks_named(name, self.plans).into_iter().next() {
                *name = path;
            }
        }
        expected
    }

    fn task(&self, name: &str, expected: &Spanned<TaskEnds>) -> Option<Failure> {
        let paths: BTreeSet<String> = TestFile::tasks_named(name, self.plans);
        let trace = self.seen.report["trace"].as_array().into_iter().flatten();
        let mine = trace.filter(|entry| entry["task"].as_str().is_some_and(|t| paths.contains(t)));
        let ends: Vec<&str> = mine.filter_map(|entry| entry["status"].as_str()).collect();
        let words = match ends.as_slice() {
            [] => "it never began".to_owned(),
            ends => format!("it is {}", ends.join(", ")),
        };
        let wanted = match &expected.value {
            TaskEnds::All(word) if !ends.is_empty() && ends.iter().all(|end| end == word) => {
                return None;
            }
            TaskEnds::Each(each) if each.iter().eq(ends.iter()) => return None,
            TaskEnds::Never if ends.is_empty() => return None,
            TaskEnds::All(word) => word.clone(),
            TaskEnds::Each(each) => each.join(", "),
            TaskEnds::Never => "never to begin".to_owned(),
        };
        let message = format!("expected {name} {wanted}, {words}");
        Some(Failure::new(format!("expect.tasks.{name}"), expected.span, message))
    }

    fn duration(&self) -> Option<Failure> {
        let expected = self.test.expect.duration.as_ref()?;
        let actual = self.seen.duration_ms;
        let range = expected.value;
        let start = self.test.start_at.unwrap_or(placet_executor::clock::VIRTUAL_START);
        let millis = |duration: Duration| {
            start.checked_add(duration).map_or(i64::MAX, |end: Timestamp| end.millis_since(start))
        };
        let enough = range.least.is_none_or(|least| actual >= millis(least));
        if enough && range.most.is_none_or(|most| actual <= millis(most)) {
            return None;
        }
        let wanted = match (range.least, range.most) {
            (Some(least), Some(most)) if least == most => least.to_string(),
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => return None,
        };
        let actual = Duration::from_millis(actual);
        let message = format!("expected {wanted} of virtual time, the run took {actual}");
        Some(Failure::new("expect.duration", expected.span, message))
    }
}

/// What matters of a request that nobody has described.
fn in_short(sent: &Value) -> Value {
    let kept = ["task", "operation", "method", "url", "body"];
    let members = kept.iter().filter_map(|key| Some(((*key).to_owned(), sent.get(*key)?.clone())));
    Value::Object(members.collect())
}

fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// The place of a failure that has none of its own.
pub(crate) const fn whole(test: &TestCase) -> Span {
    test.name.span
}

/// A start that the engine refuses: expected, or what broke the test.
pub(crate) fn refusal(
    error: &placet_executor::Error,
    expected: Option<&Spanned<String>>,
    test: &TestCase,
) -> Verdict {
    let Problem { code, title, detail } = Problem::from(error);
    let words = format!("the run is refused: {code} {title}: {detail}");
    match expected {
        Some(expected) if expected.value == code => Verdict::Passed,
        Some(expected) => {
            let message = format!("{words}, expected {}", expected.value);
            Verdict::Failed(vec![Failure::new("expect.refused", expected.span, message)])
        }
        None => {
            let place = whole(test);
            Verdict::Failed(vec![Failure::new("run", place, words)])
        }
    }
}

/// Answers that no call has asked for.
pub(crate) fn unused_answers(places: &[usize], test: &TestCase) -> Vec<Failure> {
    let failure = |place: &usize| {
        let span = test.answers[*place].span;
        Failure::new(format!("answers[{place}]"), span, "no call ever asked for it")
    };
    places.iter().map(failure).collect()
}
