//! What a call moves, as the head of its card says it.

use crate::support::{load, operation, rendered};
use placet_adapters::preview;
use serde_json::{Value, json};

fn shown(name: &str, input: &Value, mode: Option<&str>) -> placet_adapters::Preview {
    let settings = json!({});
    let rendered = rendered(name, &settings, input).unwrap();
    preview(&operation(name), (input, &settings), mode, &rendered)
}

#[test]
fn a_card_says_an_amount_as_its_currency_is_written() {
    let create = |amount: u64, currency: &str| {
        let input = json!({"amount": amount, "currency": currency});
        shown("stripe.payment_intents.create", &input, Some("test")).title
    };
    assert_eq!(create(2500, "eur"), "Payment of 25.00 EUR");
    assert_eq!(create(2500, "jpy"), "Payment of 2500 JPY");
    assert_eq!(create(2500, "kwd"), "Payment of 2.500 KWD");
    assert_eq!(create(2500, "isk"), "Payment of 25.00 ISK", "as Stripe counts it");
}

#[test]
fn a_refund_says_that_only_the_provider_knows_its_currency() {
    let refund = |input: &Value| shown("stripe.refunds.create", input, Some("live"));
    let part = refund(&json!({"payment_intent": "pi_1", "amount": 500}));
    assert!(part.title.starts_with("Refund of 500 smallest units of a currency"), "{}", part.title);
    let money = part.money.unwrap();
    assert_eq!((money.minor, money.is_known()), (Some(500), false));
    assert_eq!(money.to_view()["direction"], "out");
    let whole = refund(&json!({"payment_intent": "pi_1"}));
    assert!(whole.title.starts_with("Refund of an amount that the call does not say"));
}

#[test]
fn a_live_key_is_warned_of_and_so_is_one_of_which_nobody_knows() {
    let warns = |mode: Option<&str>| {
        let input = json!({"payment_intent": "pi_1", "amount": 500});
        let warnings = shown("stripe.refunds.create", &input, mode).warnings;
        warnings.iter().any(|warning| warning.contains("LIVE key"))
    };
    assert!(warns(Some("live")) && warns(None));
    assert!(!warns(Some("test")));
}

const ACME: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {kind: none}
operations:
  pay:
    effect: write
    input_schema: pay.json
    output_schema: pay.json
    target: {grammar: '^(?<to>[a-z]+)$', format: "{to}", examples: [a]}
    money: {amount: /amount, currency: /currency, direction: out}
    request: {method: POST, url: "https://api.acme.example/pay/{target.to}"}
    text_limits: none
    preview: {title: "Pay {money}", fields: []}
    classify: [{when: {status: 2xx}, outcome: sent}, {else: in_doubt}]
    result: {}
    store: []
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
"#;

#[test]
fn money_that_is_nowhere_is_refused_with_its_place() {
    let fields = r#"{"type": "object", "properties": {"to": {}, "amount": {}, "currency": {}}}"#;
    let try_with = |from: &str, to: &str| {
        assert!(ACME.contains(from), "{from}");
        load(&ACME.replacen(from, to, 1), &[("pay.json", fields)])
    };
    try_with("acme", "acme").unwrap();
    for (from, to, place, words) in [
        ("amount: /amount", "amount: /sum", "12:12", "the input has no /sum"),
        ("currency: /currency", "currency: /iso|/x", "12:12", "the input has no /iso"),
        ("direction: out", "direction: up", "12:", "up"),
        ("direction: out", "direction: out, decimals: {eur: 2}", "12:12", "no currency"),
        ("direction: out", "direction: out, decimals: {EUR: 9}", "12:12", "too many"),
        (
            "    money: {amount: /amount, currency: /currency, direction: out}\n",
            "",
            "14:14",
            "names money, which is not declared",
        ),
        ("Pay {money}", "Pay {mode}", "15:14", "names mode, which is not declared"),
        ("/pay/{target.to}", "/pay/{money}", "13:14", "stands on cards only"),
    ] {
        let error = try_with(from, to).err().unwrap_or_else(|| panic!("{to} was taken"));
        assert!(error.contains(words) && error.contains(&format!(" {place}")), "{to}: {error}");
    }
}
