//! What a manifest asks of an answer: transport, status, body, header. All given keys must hold.

use crate::pointer::Pointer;
use crate::transport::{Answer, Phase, Response};
use regex::Regex;
use serde_json::Value;

/// An answer with its body parsed once.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) answer: &'a Answer,
    pub(crate) body: Option<Value>,
}

impl<'a> Observed<'a> {
    pub(crate) fn new(answer: &'a Answer) -> Self {
        let body = answer.as_ref().ok().and_then(Response::json);
        Self { answer, body }
    }

    fn response(&self) -> Option<&'a Response> {
        self.answer.as_ref().ok()
    }
}

/// One condition. An absent part holds; an answer that does not exist fails every other part.
#[derive(Debug, Clone, Default)]
pub(crate) struct When {
    pub(crate) transport: Option<Phase>,
    pub(crate) status: Option<Vec<StatusTest>>,
    pub(crate) body: Option<BodyTest>,
    pub(crate) body_text: Option<Regex>,
    pub(crate) header: Option<HeaderTest>,
}

/// `429`, or a class such as `2xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusTest {
    Exactly(u16),
    /// The hundreds.
    Class(u16),
}

#[derive(Debug, Clone)]
pub(crate) struct BodyTest {
    pub(crate) at: Pointer,
    pub(crate) test: ValueTest,
}

#[derive(Debug, Clone)]
pub(crate) enum ValueTest {
    Is(Value),
    In(Vec<Value>),
    Matches(Regex),
    Exists(bool),
}

#[derive(Debug, Clone)]
pub(crate) struct HeaderTest {
    pub(crate) name: String,
    pub(crate) test: ValueTest,
}

impl When {
    pub(crate) fn holds(&self, observed: &Observed<'_>) -> bool {
        self.transport_holds(observed)
            && self.status.as_ref().is_none_or(|tests| status_holds(tests, observed))
            && self.body.as_ref().is_none_or(|test| body_holds(test, observed))
            && self.body_text.as_ref().is_none_or(|regex| text_holds(regex, observed))
            && self.header.as_ref().is_none_or(|test| header_holds(test, observed))
    }

    fn transport_holds(&self, observed: &Observed<'_>) -> bool {
        match (self.transport, observed.answer) {
            (None, _) => true,
            (Some(_), Ok(_)) => false,
            (Some(phase), Err(failed)) => failed.phase == phase,
        }
    }
}

fn status_holds(tests: &[StatusTest], observed: &Observed<'_>) -> bool {
    observed.response().is_some_and(|response| {
        tests.iter().any(|test| match test {
            StatusTest::Exactly(status) => response.status == *status,
            StatusTest::Class(hundreds) => response.status / 100 == *hundreds,
        })
    })
}

fn body_holds(test: &BodyTest, observed: &Observed<'_>) -> bool {
    observed.response().is_some()
        && test.test.holds(observed.body.as_ref().and_then(|body| test.at.get(body)))
}

fn text_holds(regex: &Regex, observed: &Observed<'_>) -> bool {
    observed
        .response()
        .and_then(|response| std::str::from_utf8(&response.body).ok())
        .is_some_and(|text| regex.is_match(text))
}

fn header_holds(test: &HeaderTest, observed: &Observed<'_>) -> bool {
    observed.response().is_some_and(|response| {
        let value = response.header(&test.name).map(|text| Value::String(text.to_owned()));
        test.test.holds(value.as_ref())
    })
}

impl ValueTest {
    pub(crate) fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Is(wanted) => value == Some(wanted),
            Self::In(wanted) => value.is_some_and(|value| wanted.contains(value)),
            Self::Matches(regex) => {
                value.and_then(Value::as_str).is_some_and(|text| regex.is_match(text))
            }
            Self::Exists(wanted) => value.is_some() == *wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Cause, Failed};
    use serde_json::json;

    #[expect(clippy::unnecessary_wraps, reason = "an answer is what predicates look at")]
    fn answer(status: u16, body: &str) -> Answer {
        Ok(Response::new(status, vec![("x-limit".into(), "7".into())], body.into()))
    }

    fn body_is(pointer: &str, test: ValueTest) -> When {
        let at = Pointer::parse(pointer).unwrap();
        When { body: Some(BodyTest { at, test }), ..When::default() }
    }

    #[test]
    fn all_given_parts_must_hold() {
        let when = When {
            status: Some(vec![StatusTest::Class(2)]),
            ..body_is("/ok", ValueTest::Is(json!(true)))
        };
        assert!(when.holds(&Observed::new(&answer(204, r#"{"ok":true}"#))));
        assert!(!when.holds(&Observed::new(&answer(500, r#"{"ok":true}"#))));
        assert!(!when.holds(&Observed::new(&answer(200, r#"{"ok":false}"#))));
    }

    #[test]
    fn a_body_that_is_no_json_has_no_fields_but_can_lack_one() {
        let garbage = answer(200, "<html>");
        assert!(!body_is("/ok", ValueTest::Is(json!(true))).holds(&Observed::new(&garbage)));
        assert!(body_is("/ok", ValueTest::Exists(false)).holds(&Observed::new(&garbage)));
    }

    #[test]
    fn no_answer_fails_every_question_about_the_answer() {
        let lost: Answer = Err(Failed::after(Cause::Timeout, "no answer in 1 s"));
        assert!(!body_is("/ok", ValueTest::Exists(false)).holds(&Observed::new(&lost)));
        let when = When { transport: Some(Phase::AfterSend), ..When::default() };
        assert!(when.holds(&Observed::new(&lost)));
        assert!(!when.holds(&Observed::new(&answer(200, ""))));
    }

    #[test]
    fn headers_are_found_without_regard_to_case() {
        let test = HeaderTest { name: "X-Limit".into(), test: ValueTest::Is(json!("7")) };
        let when = When { header: Some(test), ..When::default() };
        assert!(when.holds(&Observed::new(&answer(200, ""))));
    }
}
