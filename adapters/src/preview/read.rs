//! A read before people are asked: what stands behind the ids of a draft. Which operation, what it is
//! asked with, and what of its answer a card shows is data of the manifest; who asks, and what follows
//! where nobody answers, is the executor's.

use crate::json::scalar_text;
use crate::manifest::Operation;
use crate::money::MoneySpec;
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
    pub(crate) amounts: Option<Amounts>,
}

/// Amounts of an answer, which stand in smallest units of a currency that it names.
#[derive(Debug, Clone)]
pub(crate) struct Amounts {
    pub(crate) currency: Pointer,
    pub(crate) places: Vec<Pointer>,
}

impl PreviewRead {
    /// The read operation, without its provider.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// All places of the answer that a card is made from.
    pub(crate) fn shows(&self) -> impl Iterator<Item = &Pointer> {
        let amounts = self.amounts.iter();
        self.shown
            .iter()
            .chain(amounts.flat_map(|amounts| amounts.places.iter().chain([&amounts.currency])))
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

    fn fields(&self, answer: &Response, (input, money): (&Value, Option<&MoneySpec>)) -> Value {
        let body = answer.json().unwrap_or_default();
        let amounts = self.amounts.as_ref().zip(money);
        let words = |minor: Option<u64>| {
            let (amounts, spec) = amounts?;
            let currency = amounts.currency.get(&body)?.as_str()?;
            let money = spec.money(Some(minor?), Some(currency.to_uppercase()));
            Some(Value::String(money.to_string()))
        };
        let own = words(money.and_then(|spec| spec.read(input).minor));
        let own = own.map(|value| json!({ "name": "money", "value": value }));
        let shown = self.shown.iter().filter_map(|at| {
            let value = at.get(&body).filter(|value| !value.is_null())?;
            let is_amount = amounts.is_some_and(|(amounts, _)| amounts.places.contains(at));
            let written = words(value.as_u64().filter(|_| is_amount));
            let value = written.unwrap_or_else(|| plain(value));
            Some(json!({ "name": at.segments().join("."), "value": value }))
        });
        own.into_iter().chain(shown).collect()
    }
}

impl Operation {
    /// What of an answer to the read before it a card shows: `[{name, value}]`, in the order of the
    /// manifest. What is not there is left out; what is no plain value, or is long, is shortened. Where
    /// the answer names the currency, amounts are written in it, and what the draft itself moves comes
    /// first, as `money`.
    pub fn looked_up(&self, input: &Value, answer: &Response) -> Value {
        let read = self.preview_read();
        read.map_or_else(|| json!([]), |read| read.fields(answer, (input, self.money.as_ref())))
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
    use crate::money::Direction;
    use std::collections::BTreeMap;

    fn read(shown: &[&str]) -> PreviewRead {
        let shown = shown.iter().map(|at| Pointer::parse(at).unwrap()).collect();
        let with = ValueTemplate::parse(&json!({ "id": "{input./customer}" })).unwrap();
        PreviewRead { operation: "customers.get".to_owned(), with, shown, amounts: None }
    }

    fn answer(body: &Value) -> Response {
        Response::new(200, vec![], body.to_string().into_bytes())
    }

    fn fields(shown: &[&str], body: &Value) -> Value {
        read(shown).fields(&answer(body), (&Value::Null, None))
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
        assert_eq!(read(&["/name"]).fields(&html, (&Value::Null, None)), json!([]));
    }

    #[test]
    fn amounts_are_written_in_the_currency_that_only_the_provider_knows() {
        // given a refund, which names no currency, and a read that names it
        let at = |text: &str| Pointer::exact(text).unwrap();
        let (amount, direction) = (vec![at("/amount")], Direction::Out);
        let decimals = BTreeMap::from([("ISK".to_owned(), 2)]);
        let money = MoneySpec { amount, currency: vec![], direction, decimals };
        let amounts = Amounts { currency: at("/currency"), places: vec![at("/received")] };
        let asked = PreviewRead { amounts: Some(amounts), ..read(&["/received", "/count"]) };
        let fields = |input: Value, body: Value| {
            let fields = asked.fields(&answer(&body), (&input, Some(&money)));
            let field = |field: &Value| field["value"].to_string();
            fields.as_array().unwrap().iter().map(field).collect::<Vec<_>>()
        };

        // then what the draft moves stands first, and both as people write them
        let said = json!({"currency": "eur", "received": 1200, "count": 3});
        assert_eq!(
            fields(json!({"amount": 500}), said.clone()),
            ["\"5.00 EUR\"", "\"12.00 EUR\"", "3"]
        );
        // of a draft that says no amount there is nothing to write
        assert_eq!(fields(json!({}), said), ["\"12.00 EUR\"", "3"]);
        // the provider's own counting is kept
        let krona = json!({"currency": "isk", "received": 1200});
        assert_eq!(fields(json!({"amount": 500}), krona), ["\"5.00 ISK\"", "\"12.00 ISK\""]);
        // and without a currency nothing is guessed
        let bare = json!({"received": 1200});
        assert_eq!(fields(json!({"amount": 500}), bare), ["1200"]);
    }

    #[test]
    fn it_is_asked_with_what_the_draft_is_made_of() {
        let (input, settings) = (json!({"customer": "cus_1"}), json!({}));
        assert_eq!(read(&[]).input((&input, &settings), None).unwrap(), json!({"id": "cus_1"}));
        assert!(read(&[]).input((&json!({}), &settings), None).is_err());
    }
}
