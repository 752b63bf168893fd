//! A desk of providers for foreign clients: found again, not found, refused, on demand.
//!
//! covers: S21

use placet_adapters::Adapters;
use placet_adapters::receive::HttpRequest;
use placet_sandbox::{Desk, IGNORED_HEADER, Reply, Turn};
use serde_json::{Value, json};
use std::sync::Arc;

fn desk() -> Desk {
    let adapters = Adapters::shipped();
    Desk::new(["stripe", "slack"].map(|name| Arc::clone(adapters.manifest(name).unwrap())), 0)
}

fn headers(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    let all = [("authorization", "Bearer sk_test_anything"), form];
    all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn asked(desk: &mut Desk, (method, path): (&str, &str), body: &str) -> (u16, Value) {
    with(desk, (method, path), body, &headers(&[]))
}

fn with(
    desk: &mut Desk,
    (method, path): (&str, &str),
    body: &str,
    headers: &[(String, String)],
) -> (u16, Value) {
    let request = HttpRequest { method, path, query: "", headers, body: body.as_bytes() };
    match desk.answer("stripe", request) {
        Reply::Answer(response) => (response.status, response.json().unwrap_or_default()),
        Reply::Lost => (0, Value::Null),
    }
}

#[test]
fn what_was_made_is_found_again_and_what_was_not_is_not_found() {
    let mut desk = desk();
    let (status, made) = asked(&mut desk, ("POST", "/v1/customers"), "email=ana%40example.com");
    assert_eq!((status, &made["email"]), (200, &json!("ana@example.com")));
    let path = format!("/v1/customers/{}", made["id"].as_str().unwrap());
    assert_eq!(asked(&mut desk, ("GET", &path), "").1["email"], "ana@example.com");
    let (status, missing) = asked(&mut desk, ("GET", "/v1/customers/cus_nobody"), "");
    assert_eq!((status, &missing["error"]["code"]), (404, &json!("resource_missing")));
}

#[test]
fn a_parent_that_was_never_made_here_is_taken() {
    let body = "payment_intent=pi_elsewhere&amount=7";
    let (status, refund) = asked(&mut desk(), ("POST", "/v1/refunds"), body);
    assert_eq!((status, &refund["payment_intent"]), (200, &json!("pi_elsewhere")));
}

#[test]
fn a_key_is_worth_one_answer() {
    let mut desk = desk();
    let keyed = headers(&[("idempotency-key", "k-1")]);
    let first = with(&mut desk, ("POST", "/v1/customers"), "name=Ana", &keyed);
    assert_eq!(with(&mut desk, ("POST", "/v1/customers"), "name=Ana", &keyed), first);
    let (status, other) = with(&mut desk, ("POST", "/v1/customers"), "name=Ben", &keyed);
    assert_eq!((status, &other["error"]["type"]), (400, &json!("idempotency_error")));
}

#[test]
fn a_request_without_a_credential_is_refused_in_the_providers_words() {
    let (status, body) = with(&mut desk(), ("GET", "/v1/account"), "", &[]);
    assert_eq!((status, &body["error"]["type"]), (401, &json!("invalid_request_error")));
}

#[test]
fn an_input_that_the_schema_refuses_is_the_providers_bad_request() {
    let (status, body) = asked(&mut desk(), ("POST", "/v1/payment_intents"), "amount=-1");
    assert_eq!((status, &body["error"]["type"]), (400, &json!("invalid_request_error")));
}

#[test]
fn the_next_call_goes_as_it_was_told_and_the_one_after_it_well() {
    let mut desk = desk();
    desk.next_goes("stripe.customers.create", Turn::Error("rate_limited".to_owned())).unwrap();
    assert_eq!(asked(&mut desk, ("POST", "/v1/customers"), "name=Ana").0, 429);
    assert_eq!(asked(&mut desk, ("POST", "/v1/customers"), "name=Ana").0, 200);
    let known = desk.next_goes("stripe.customers.create", Turn::Error("odd".to_owned()));
    assert!(known.unwrap_err().contains(&"rate_limited".to_owned()));
}

#[test]
fn what_nobody_has_a_place_for_is_named_in_the_answer() {
    let mut desk = desk();
    let headers = headers(&[]);
    let body = b"name=Ana&tax_exempt=none";
    let request =
        HttpRequest { method: "POST", path: "/v1/customers", query: "", headers: &headers, body };
    let Reply::Answer(answer) = desk.answer("stripe", request) else { panic!("no answer") };
    assert_eq!(answer.header(IGNORED_HEADER), Some("tax_exempt"));
}

#[test]
fn two_desks_of_one_seed_answer_the_same_bytes() {
    let run = |desk: &mut Desk| {
        let bodies = ["name=Ana", "name=Ben", "email=c%40example.com"];
        bodies.map(|body| asked(desk, ("POST", "/v1/customers"), body).1.to_string())
    };
    assert_eq!(run(&mut desk()), run(&mut desk()));
}
