//! Whether a value is as expected, and both sides as they are to be shown: what a matcher accepts
//! is shown as it is, so that a diff holds nothing but what differs.

use placet_language::source::Span;
use placet_language::test_file::{Expected, Others, Pattern};
use placet_language::{Evaluator, Scope};
use serde_json::{Map, Value, json};

/// Two sides of a comparison.
#[derive(Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) holds: bool,
    pub(crate) expected: Value,
    /// None where there is nothing.
    pub(crate) actual: Option<Value>,
    /// The first part that does not hold: its path (`.body.text`, `[2]`) and its place in the file.
    pub(crate) first: Option<(String, Span)>,
}

impl Compared {
    /// Where the first part that does not hold is, seen from one level further out.
    fn first_within(&self, step: impl FnOnce() -> String) -> Option<(String, Span)> {
        self.first.as_ref().map(|(path, span)| (step() + path, *span))
    }
}

/// Compares, with the run's input for `$expr`.
#[derive(Debug)]
pub(crate) struct Comparer<'a> {
    pub(crate) evaluator: &'a Evaluator,
    pub(crate) scope: Scope,
}

impl<'a> Comparer<'a> {
    pub(crate) fn new(evaluator: &'a Evaluator, input: &Value) -> Self {
        Self { evaluator, scope: Scope::new().with("input", input.clone()) }
    }

    /// Compares a value, or nothing, with what is expected.
    pub(crate) fn compare(&self, expected: &Expected, actual: Option<&Value>) -> Compared {
        let Some(actual) = actual else {
            let first = Some((String::new(), expected.span));
            return Compared { holds: false, expected: shown(expected), actual: None, first };
        };
        match &expected.pattern {
            Pattern::Is(value) if equal(value, actual) => accepted(actual),
            Pattern::Type(kind) if kind.holds(actual) => accepted(actual),
            Pattern::Contains(item) if self.contains(item, actual) => accepted(actual),
            Pattern::Is(_) | Pattern::Type(_) | Pattern::Contains(_) => {
                refused(shown(expected), actual, expected.span)
            }
            Pattern::Expr(expression) => {
                match self.evaluator.condition(expression, actual, &self.scope) {
                    Ok(true) => accepted(actual),
                    Ok(false) => refused(shown(expected), actual, expected.span),
                    Err(error) => {
                        let words = format!("{}  # {error}", expression.0);
                        refused(json!({ "$expr": words }), actual, expected.span)
                    }
                }
            }
            Pattern::List(items) => match actual {
                Value::Array(values) => self.list(items, values, expected.span),
                _ => refused(shown(expected), actual, expected.span),
            },
            Pattern::Map { members, others } => match actual {
                Value::Object(values) => self.map((members, *others), values, expected.span),
                _ => refused(shown(expected), actual, expected.span),
            },
        }
    }

    fn list(&self, items: &[Expected], values: &[Value], span: Span) -> Compared {
        let (mut expected, mut actual, mut first) = (vec![], vec![], None);
        for (place, item) in items.iter().enumerate() {
            let compared = self.compare(item, values.get(place));
            first = first.or_else(|| compared.first_within(|| format!("[{place}]")));
            expected.push(compared.expected);
            actual.extend(compared.actual);
        }
        actual.extend(values.iter().skip(items.len()).cloned());
        if items.len() != values.len() {
            first = first.or_else(|| Some((String::new(), span)));
        }
        let (expected, actual) = (Value::Array(expected), Some(Value::Array(actual)));
        Compared { holds: first.is_none(), expected, actual, first }
    }

    fn map(
        &self,
        (members, others): (&[(String, Expected)], Others),
        values: &Map<String, Value>,
        span: Span,
    ) -> Compared {
        let (mut expected, mut actual, mut first) = (Map::new(), Map::new(), None);
        for (name, member) in members {
            let compared = self.compare(member, values.get(name));
            first = first.or_else(|| compared.first_within(|| format!(".{name}")));
            expected.insert(name.clone(), compared.expected);
            actual.extend(compared.actual.map(|actual| (name.clone(), actual)));
        }
        if others == Others::Refused {
            for (name, value) in values.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                first = first.or_else(|| Some((String::new(), span)));
                actual.insert(name.clone(), value.clone());
            }
        }
        let (expected, actual) = (Value::Object(expected), Some(Value::Object(actual)));
        Compared { holds: first.is_none(), expected, actual, first }
    }

    fn contains(&self, item: &Expected, actual: &Value) -> bool {
        match (actual, &item.pattern) {
            (Value::Array(values), _) => {
                values.iter().any(|value| self.compare(item, Some(value)).holds)
            }
            (Value::String(text), Pattern::Is(Value::String(part))) => text.contains(part.as_str()),
            _ => false,
        }
    }
}

fn accepted(actual: &Value) -> Compared {
    Compared { holds: true, expected: actual.clone(), actual: Some(actual.clone()), first: None }
}

fn refused(expected: Value, actual: &Value, span: Span) -> Compared {
    let first = Some((String::new(), span));
    Compared { holds: false, expected, actual: Some(actual.clone()), first }
}

/// Equal as JSON: 1 and 1.0 are one number, the order of members does not matter.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(name, a): (&String, &Value)| b.get(name).is_some_and(|b| equal(a, b));
            a.len() == b.len() && a.iter().all(same)
        }
        _ => a == b,
    }
}

/// What is expected, as it is written.
pub(crate) fn shown(expected: &Expected) -> Value {
    match &expected.pattern {
        Pattern::Is(value) => value.clone(),
        Pattern::List(items) => items.iter().map(shown).collect(),
        Pattern::Map { members, .. } => {
            members.iter().map(|(name, item)| (name.clone(), shown(item))).collect()
        }
        Pattern::Expr(expression) => json!({ "$expr": expression.0 }),
        Pattern::Type(kind) => json!({ "$type": kind.word() }),
        Pattern::Contains(item) => json!({ "$contains": shown(item) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_language::{Source, check_test};

    /// Compares a value with an expectation as it is written in a test file.
    fn check(expected: &str, actual: &Value) -> Compared {
        let text = format!(
            "workflow: a.yaml\ntests:\n  - name: a\n    expect:\n      output: {expected}\n"
        );
        let (file, findings) = check_test(&Source::new("a.test.yaml", text));
        let file = file.unwrap_or_else(|| panic!("{findings:?}"));
        let expected = file.tests[0].expect.output.as_ref().unwrap();
        let evaluator = Evaluator::default();
        Comparer::new(&evaluator, &json!({"channel": "C1"})).compare(expected, Some(actual))
    }

    fn holds(expected: &str, actual: &Value) -> bool {
        check(expected, actual).holds
    }

    #[test]
    fn a_whole_value_may_have_nothing_more_and_a_match_may() {
        let actual = json!({"a": 1, "b": {"c": [1, {"d": 2}]}});
        assert!(holds("{ a: 1, b: { c: [1, { d: 2 }] } }", &actual));
        assert!(holds("{ b: { c: [1, { d: 2 }] }, a: 1.0 }", &actual));
        assert!(!holds("{ b: { c: [1, { d: 2 }] } }", &actual));
        assert!(holds("{ $match: { b: { c: [1, {}] } } }", &actual));
        assert!(!holds("{ $match: { b: { c: [1] } } }", &actual));
        assert!(!holds("{ $match: { b: { $is: {} } } }", &actual));
        assert!(!holds("{ $match: { e: null } }", &actual));
    }

    #[test]
    fn matchers_say_what_a_value_is_like() {
        assert!(holds("{ $expr: '. == $input.channel' }", &json!("C1")));
        assert!(!holds("{ $expr: '. == $input.channel' }", &json!("C2")));
        assert!(holds("{ $type: string }", &json!("")));
        assert!(!holds("{ $type: string }", &json!(null)));
        assert!(holds("{ $type: any }", &json!(null)));
        assert!(holds("{ $contains: ell }", &json!("hello")));
        assert!(holds("{ $contains: { a: 1 } }", &json!([{"b": 1}, {"a": 1, "c": 2}])));
        assert!(!holds("{ $contains: 1 }", &json!("1")));
        assert!(holds("{ $is: { $type: string } }", &json!({"$type": "string"})));
    }

    #[test]
    fn only_what_differs_is_in_the_diff() {
        let actual = json!({"ts": "17.5", "channel": "C2", "more": true});
        let compared = check("{ $match: { ts: { $type: string }, channel: C1 } }", &actual);
        assert_eq!(compared.expected, json!({"ts": "17.5", "channel": "C1"}));
        assert_eq!(compared.actual, Some(json!({"ts": "17.5", "channel": "C2"})));
        let compared = check("{ channel: C2 }", &actual);
        assert_eq!(compared.expected, json!({"channel": "C2"}));
        assert_eq!(compared.actual, Some(json!({"channel": "C2", "ts": "17.5", "more": true})));
    }

    #[test]
    fn the_first_part_that_does_not_hold_is_named_with_its_place() {
        let path =
            |expected: &str, actual: &Value| check(expected, actual).first.map(|(path, _)| path);
        assert_eq!(
            path("{ a: [1, { b: 2 }] }", &json!({"a": [1, {"b": 3}]})).as_deref(),
            Some(".a[1].b")
        );
        assert_eq!(path("{ a: 1 }", &json!({"a": 1, "b": 2})).as_deref(), Some(""));
        assert_eq!(path("[1]", &json!([1])), None);
    }

    #[test]
    fn an_expression_that_cannot_be_evaluated_says_why() {
        let compared = check("{ $expr: '.a | test(1)' }", &json!({"a": 1}));
        assert!(!compared.holds);
        let words = compared.expected["$expr"].as_str().unwrap();
        assert!(words.starts_with(".a | test(1)  # "), "{words}");
    }
}
