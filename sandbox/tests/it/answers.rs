//! Calls → answers: the request comes back, ids are the provider's, errors come on demand
//! (facts/mocking.md R0, R2, R4–R6, R13).
//!
//! covers: S21

use futures_util::FutureExt as _;
use placet_adapters::{
    Adapters, Answer, Call, CallIntegration, Cause, Occurrence, Phase, Redirects, RenderInput,
    Sent, Transport as _, classify, output, render,
};
use placet_model::manifest::Outcome;
use placet_model::plan::Authentication;
use placet_model::{IntegrationId, Timestamp};
use placet_sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ADAPTERS: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);
const SEND_ID: &str = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";

fn settings(provider: &str) -> Value {
    if provider == "webhook" { json!({"url": "https://example.com/hooks/1"}) } else { json!({}) }
}

pub(crate) fn call(operation: &str, input: &Value) -> Call {
    call_under(operation, input, SEND_ID)
}

/// The same of a draft with this send id.
pub(crate) fn call_under(operation: &str, input: &Value, send_id: &str) -> Call {
    let operation = Arc::clone(ADAPTERS.operation(operation).unwrap());
    let settings = settings(operation.provider());
    let rendered = render(
        &operation,
        RenderInput {
            settings: &settings,
            input,
            send_id,
            draft_time: Timestamp::EPOCH,
            authentication: None,
        },
    )
    .unwrap();
    let integration = CallIntegration {
        id: IntegrationId::from_bytes([1; 16]),
        name: operation.provider().to_owned(),
        credential_version: 0,
    };
    Call {
        attempt: None,
        operation,
        integration: Some(integration),
        request: Arc::new(rendered.request),
        input: Arc::new(input.clone()),
        occurrence: Occurrence { seen: None, now: "2026-01-01T00:00:00Z".parse().unwrap() },
        redirects: Redirects::Never,
        timeout: Duration::from_secs(30),
        send_id: send_id.to_owned(),
        response_bytes_max: 1 << 20,
    }
}

fn answer(sandbox: &Sandbox, call: Call) -> Answer {
    sandbox.perform(call).now_or_never().expect("the sandbox waits for nothing")
}

fn body(sandbox: &Sandbox, operation: &str, input: &Value) -> Value {
    answer(sandbox, call(operation, input)).unwrap().json().unwrap()
}

fn outcome(operation: &str, input: &Value, answer: &Answer) -> Outcome {
    let operation = ADAPTERS.operation(operation).unwrap();
    let sent = Sent { input, settings: &json!({}), send_id: SEND_ID };
    classify(operation, answer, sent, Timestamp::EPOCH).outcome
}

fn inputs() -> Vec<(&'static str, Value)> {
    vec![
        ("slack.chat.postMessage", json!({"channel": "C0GENERAL", "text": "hello"})),
        ("slack.auth.test", json!({})),
        ("slack.conversations.list", json!({})),
        ("slack.conversations.history", json!({"channel": "C0GENERAL"})),
        ("webhook.event.send", json!({"type": "user.created", "data": {"id": 7}})),
        (
            "http.request",
            json!({"method": "POST", "endpoint": "https://example.com/x", "body": {"a": 1}}),
        ),
        ("http.read", json!({"method": "GET", "endpoint": "https://example.com/x"})),
        ("http.delete", json!({"method": "DELETE", "endpoint": "https://example.com/x"})),
    ]
}

#[test]
fn every_operation_is_answered_as_sent_and_its_output_can_be_read() {
    for (name, input) in inputs() {
        let answer = answer(&Sandbox::new(0), call(name, &input));
        assert_eq!(outcome(name, &input, &answer), Outcome::Sent, "{name}");
        let sent = Sent { input: &input, settings: &json!({}), send_id: SEND_ID };
        output(ADAPTERS.operation(name).unwrap(), &answer.unwrap(), sent).unwrap();
    }
}

#[test]
fn a_posted_message_comes_back_with_its_channel_text_and_a_ts_of_its_own() {
    let sandbox = Sandbox::new(0);
    let input = json!({"channel": "C0GENERAL", "text": "hello"});
    let first = body(&sandbox, "slack.chat.postMessage", &input);
    assert_eq!((&first["ok"], &first["channel"]), (&json!(true), &json!("C0GENERAL")));
    assert_eq!(first["message"]["text"], "hello");
    assert_eq!(first["message"]["ts"], first["ts"]);
    assert!(first["ts"].as_str().unwrap().starts_with("1767225600."));
    assert_eq!(first["message"].get("thread_ts"), None, "no thread was asked for");
    let second = body(&sandbox, "slack.chat.postMessage", &input);
    assert_ne!(first["ts"], second["ts"]);
}

#[test]
fn a_reply_comes_back_in_its_thread() {
    let input = json!({"channel": "C0GENERAL", "thread_ts": "1700000000.000100", "text": "hello"});
    let answer = body(&Sandbox::new(0), "slack.chat.postMessage", &input);
    assert_eq!(answer["message"]["thread_ts"], "1700000000.000100");
}

#[test]
fn ids_look_like_the_providers() {
    let answer = body(&Sandbox::new(0), "slack.auth.test", &json!({}));
    let id = |name: &str| answer[name].as_str().unwrap().to_owned();
    assert!(
        id("team_id").starts_with('T')
            && id("user_id").starts_with('U')
            && id("bot_id").starts_with('B')
    );
    assert_eq!(id("team_id").len(), 10);
}

#[test]
fn equal_runs_give_equal_bytes_and_another_seed_gives_others() {
    let run = |seed: u64| {
        let sandbox = Sandbox::new(seed);
        let bytes =
            |(name, input): (&str, Value)| answer(&sandbox, call(name, &input)).unwrap().body;
        inputs().into_iter().chain(inputs()).map(bytes).collect::<Vec<_>>()
    };
    assert_eq!(run(0), run(0));
    assert_ne!(run(0), run(1));
}

#[test]
fn the_callers_count_decides_which_answer_it_is() {
    let at = |seen: u64| {
        let mut call = call("slack.auth.test", &json!({}));
        call.occurrence.seen = Some(seen);
        answer(&Sandbox::new(0), call).unwrap().body
    };
    assert_eq!(at(3), at(3));
    assert_ne!(at(3), at(4));
}

#[test]
fn a_hundred_messages_in_one_virtual_second_have_a_hundred_ids() {
    let sandbox = Sandbox::new(0);
    let input = json!({"channel": "C0GENERAL", "text": "hello"});
    let all: std::collections::BTreeSet<String> = (0..100)
        .map(|_| body(&sandbox, "slack.chat.postMessage", &input)["ts"].to_string())
        .collect();
    assert_eq!(all.len(), 100);
}

#[test]
fn without_a_declared_schema_there_is_a_status_a_warning_and_no_body() {
    for name in ["http.request", "http.read", "webhook.event.send"] {
        let input = inputs().into_iter().find(|(known, _)| *known == name).unwrap().1;
        let response = answer(&Sandbox::new(0), call(name, &input)).unwrap();
        assert!(response.body.is_empty());
        assert!(response.notes[0].contains("declares no response schema"), "{:?}", response.notes);
    }
}

#[test]
fn an_input_that_the_schema_refuses_gets_the_providers_own_refusal() {
    let mut call =
        call("slack.chat.postMessage", &json!({"channel": "C0GENERAL", "text": "hello"}));
    call.input = Arc::new(json!({"channel": "general"}));
    let response = answer(&Sandbox::new(0), call).unwrap();
    assert_eq!(response.json().unwrap(), json!({"ok": false, "error": "no_text"}));
    assert!(response.notes[0].contains("/channel"), "{:?}", response.notes);
}

#[test]
fn errors_come_on_demand_and_are_classified_as_the_real_ones() {
    let input = json!({"channel": "C0GENERAL", "text": "hello"});
    for (error, expect) in [
        ("rate_limited", Outcome::RefusedRetry),
        ("not_found", Outcome::RefusedPermanent),
        ("auth", Outcome::Reconnect),
        ("validation", Outcome::RefusedPermanent),
        ("timeout_in_doubt", Outcome::InDoubt),
    ] {
        let sandbox = Sandbox::new(0).with_error("slack.chat.postMessage", error);
        let answer = answer(&sandbox, call("slack.chat.postMessage", &input));
        assert_eq!(outcome("slack.chat.postMessage", &input, &answer), expect, "{error}");
    }
    let sandbox = Sandbox::new(0).with_error("slack.chat.postMessage", "timeout_in_doubt");
    let lost = answer(&sandbox, call("slack.chat.postMessage", &input)).unwrap_err();
    assert_eq!((lost.phase, lost.cause), (Phase::AfterSend, Cause::Timeout));
}

#[test]
fn a_call_whose_token_would_be_asked_for_is_answered_at_once_with_the_token_open() {
    let input = json!({"method": "POST", "endpoint": "https://api.example.com/x"});
    let stored = Authentication::Stored { scheme: "oidc".to_owned(), secret: "all".to_owned() };
    let mut call = call("http.request", &input);
    let given = RenderInput {
        settings: &Value::Null,
        input: &input,
        send_id: SEND_ID,
        draft_time: Timestamp::EPOCH,
        authentication: Some(&stored),
    };
    call.request = Arc::new(render(&call.operation, given).unwrap().request);
    let shown = call.request.header("authorization").unwrap().to_string();
    assert!(shown.starts_with("Bearer ‹token:"), "{shown}");
    assert_eq!(answer(&Sandbox::new(0), call).unwrap().status, 200);
}
