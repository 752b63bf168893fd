//! Every operation of every provider understands what it renders itself, and foreign forms.

use super::*;
use crate::{Adapters, RenderInput, render};
use placet_model::Timestamp;
use placet_model::request::Body;
use serde_json::json;

fn understand(provider: &str, request: HttpRequest<'_>) -> Option<(String, Value, Vec<String>)> {
    let adapters = Adapters::shipped();
    let found = understood(adapters.manifest(provider).unwrap(), request).unwrap()?;
    Some((found.operation.name().to_owned(), found.input, found.ignored))
}

fn request<'a>(
    (method, path, query): (&'a str, &'a str, &'a str),
    headers: &'a [(String, String)],
    body: &'a str,
) -> HttpRequest<'a> {
    HttpRequest { method, path, query, headers, body: body.as_bytes() }
}

fn form() -> [(String, String); 1] {
    [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())]
}

#[test]
fn a_form_of_a_foreign_client_becomes_the_typed_input() {
    let headers = form();
    let body = "amount=1200&currency=eur&customer=cus_1&metadata[order]=7&expand[]=customer";
    let asked = request(("POST", "/v1/payment_intents", ""), &headers, body);
    let (operation, input, ignored) = understand("stripe", asked).unwrap();
    assert_eq!(operation, "stripe.payment_intents.create");
    assert_eq!((&input["amount"], &input["currency"]), (&json!(1200), &json!("eur")));
    assert_eq!(input["metadata"], json!({"order": "7"}));
    assert_eq!(ignored, ["expand"]);
}

#[test]
fn a_path_gives_the_id_and_a_query_its_parameters() {
    let found = understand("stripe", request(("GET", "/v1/customers/cus%5F1", ""), &[], ""));
    assert_eq!(found.unwrap().1, json!({"id": "cus_1"}));
    let query = "limit=2&created%5Bgte%5D=17";
    let found = understand("stripe", request(("GET", "/v1/customers", query), &[], ""));
    let (operation, input, _) = found.unwrap();
    assert_eq!(operation, "stripe.customers.list");
    assert_eq!(input, json!({"created_gte": "17", "limit": 2}));
}

#[test]
fn json_is_taken_apart_as_the_template_puts_it_together() {
    let json = [("content-type".to_owned(), "application/json;charset=utf-8".to_owned())];
    let body = r#"{"channel": "C0SALES", "text": "hi", "thread_ts": "1700000000.000100"}"#;
    let asked = request(("POST", "/chat.postMessage", ""), &json, body);
    let (operation, input, ignored) = understand("slack", asked).unwrap();
    assert_eq!(operation, "slack.chat.postMessage");
    let wanted = json!({"channel": "C0SALES", "text": "hi", "thread_ts": "1700000000.000100"});
    assert_eq!(input, wanted);
    assert!(ignored.is_empty());
}

#[test]
fn another_path_and_another_method_are_not_understood() {
    assert!(understand("stripe", request(("GET", "/v1/nothing", ""), &[], "")).is_none());
    assert!(understand("stripe", request(("PATCH", "/v1/customers", ""), &[], "")).is_none());
}

#[test]
fn yes_and_no_are_what_clients_write_for_them() {
    let headers = form();
    for (text, said) in [("test=1", true), ("test=true", true), ("test=0", false)] {
        let found = understand("slack", request(("POST", "/auth.revoke", ""), &headers, text));
        assert_eq!(found.unwrap().1, json!({"test": said}), "{text}");
    }
}

#[test]
fn where_the_path_names_the_operation_either_method_is_understood() {
    let headers = form();
    let body = "channel=C0SALES&limit=5";
    let asked = request(("POST", "/conversations.history", ""), &headers, body);
    let (operation, input, _) = understand("slack", asked).unwrap();
    assert_eq!(operation, "slack.conversations.history");
    assert_eq!(input, json!({"channel": "C0SALES", "limit": 5}));
    assert!(understand("slack", request(("DELETE", "/auth.test", ""), &[], "")).is_none());
    // an API of things means another operation by another method
    assert!(understand("stripe", request(("POST", "/v1/account", ""), &[], "")).is_none());
}

#[test]
fn a_body_that_is_not_what_it_claims_is_refused() {
    let adapters = Adapters::shipped();
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let asked = request(("POST", "/chat.postMessage", ""), &json, "{");
    assert!(understood(adapters.manifest("slack").unwrap(), asked).is_err());
}

#[test]
fn what_is_rendered_is_understood_again() {
    let adapters = Adapters::shipped();
    let given = [
        ("slack.chat.postMessage", json!({"channel": "C0SALES", "text": "hi"})),
        ("slack.conversations.history", json!({"channel": "C0SALES", "limit": 5})),
        ("stripe.customers.create", json!({"email": "ana@example.com", "metadata": {"a": "b"}})),
        ("stripe.refunds.create", json!({"payment_intent": "pi_1", "amount": 5})),
        ("stripe.payment_intents.confirm", json!({"id": "pi_1"})),
    ];
    for (name, input) in given {
        let operation = adapters.operation(name).unwrap();
        let settings = json!({"api_base": "http://127.0.0.1:1/x"});
        let rendered = render(
            operation,
            RenderInput {
                settings: &settings,
                input: &input,
                send_id: "abcdefghijklmnopqrstuvwxyz234567abcdefgh",
                draft_time: Timestamp::EPOCH,
                authentication: None,
            },
        );
        let rendered = rendered.unwrap().request;
        let url = rendered.url.to_string();
        let below = url.strip_prefix("http://127.0.0.1:1/x").unwrap();
        let (path, query) = below.split_once('?').unwrap_or((below, ""));
        let headers: Vec<(String, String)> = rendered
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
            .collect();
        let body = match &rendered.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Text(text) => text.to_string().into_bytes(),
            Body::Empty => vec![],
        };
        let asked =
            HttpRequest { method: &rendered.method, path, query, headers: &headers, body: &body };
        let understood = understood(adapters.manifest(operation.provider()).unwrap(), asked);
        let understood = understood.unwrap().unwrap();
        assert_eq!(understood.operation.name(), name);
        assert_eq!(understood.input, input, "{name}");
        assert!(is_authorized(operation, asked), "{name} shows its credential");
        let bare = HttpRequest { headers: &[], ..asked };
        assert!(!is_authorized(operation, bare), "{name}");
    }
}
