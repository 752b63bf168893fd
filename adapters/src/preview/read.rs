//! A read before people are asked: what stands behind the ids of a draft. Which operation, what it is
//! asked with, and what of its answer a card shows is data of the manifest; who asks, and what follows
//! where nobody answers, is the executor's.

use crate::json::scalar_text;
use crate::pointer::Pointer;
use crate::target::Target;
use crate::template::{EvalError, Scope, ValueTemplate};
use crate::transport::Response;
use serde_json::{Value, json};

/// Letters of one shown value.
const LETTERS_MAX: usize = 300;

/// What a manifest says of it.
#[derive(Debug, Clone)]
pub struct PreviewRead {
    pub(crate) operation: String,
    pub(crate) with: ValueTemplate,
    pub(crate) shown: Vec<Pointer>,
}

impl PreviewRead {
    /// The read operation, without its provider.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) fn shows(&self) -> &[Pointer] {
        &self.shown
    }

    /// The read's input, from what the draft is made of. Render it as any other read.
    ///
    /// # Errors
    /// A placeholder that is absent.
    pub fn input(
        &self,
        (input, settings): (&Value, &Value),
        target: Option<&Target>,
    ) -> Result<Value, EvalError> {
        let scope = Scope { input, config: settings, target, ..Scope::NOTHING };
        Ok(self.with.value(&scope)?.unwrap_or_else(|| json!({})))
    }

    /// What of an answer the card shows: `[{name, value}]`, in the order of the manifest. What is not
    /// there is left out; what is no plain value, or is long, is shortened.
    pub fn fields(&self, answer: &Response) -> Value {
        let body = answer.json().unwrap_or_default();
        let shown = self.shown.iter().filter_map(|at| {
            let value = at.get(&body).filter(|value| !value.is_null())?;
            Some(json!({ "name": at.segments().join("."), "value": plain(value) }))
        });
        shown.collect()
    }
}

/// A number or a truth as it is; everything else as text of a bounded length.
fn plain(value: &Value) -> Value {
    if value.is_number() || value.is_boolean() {
        return value.clone();
    }
    let text = scalar_text(value).unwrap_or_else(|| value.to_string());
    let mut letters = text.chars();
    let mut short: String = letters.by_ref().take(LETTERS_MAX).collect();
    if letters.next().is_some() {
        short.push('\u{2026}');
    }
    Value::String(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(shown: &[&str]) -> PreviewRead {
        let shown = shown.iter().map(|at| Pointer::parse(at).unwrap()).collect();
        let with = ValueTemplate::parse(&json!({ "id": "{input./customer}" })).unwrap();
        PreviewRead { operation: "customers.get".to_owned(), with, shown }
    }

    fn fields(shown: &[&str], body: &Value) -> Value {
        read(shown).fields(&Response::new(200, vec![], body.to_string().into_bytes()))
    }

    #[test]
    fn a_card_shows_what_the_manifest_names_of_the_answer_and_nothing_else() {
        let body = json!({"name": "Ana", "balance": 12, "secret": "x", "gone": null});
        let expected = json!([{"name": "name", "value": "Ana"}, {"name": "balance", "value": 12}]);
        assert_eq!(fields(&["/name", "/balance", "/gone", "/none"], &body), expected);
    }

    #[test]
    fn what_is_long_is_shortened_and_what_is_no_plain_value_is_its_text() {
        let body = json!({"long": "x".repeat(LETTERS_MAX + 1), "list": [1, {"a": 2}]});
        let shown = fields(&["/long", "/list"], &body);
        assert_eq!(shown[0]["value"].as_str().unwrap().chars().count(), LETTERS_MAX + 1);
        assert!(shown[0]["value"].as_str().unwrap().ends_with("x\u{2026}"));
        assert_eq!(shown[1]["value"], r#"[1,{"a":2}]"#);
    }

    #[test]
    fn an_answer_that_is_no_json_shows_nothing() {
        let html = Response::new(200, vec![], b"<html>".to_vec());
        assert_eq!(read(&["/name"]).fields(&html), json!([]));
    }

    #[test]
    fn it_is_asked_with_what_the_draft_is_made_of() {
        let (input, settings) = (json!({"customer": "cus_1"}), json!({}));
        assert_eq!(read(&[]).input((&input, &settings), None).unwrap(), json!({"id": "cus_1"}));
        assert!(read(&[]).input((&json!({}), &settings), None).is_err());
    }
}
