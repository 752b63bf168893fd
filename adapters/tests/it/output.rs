//! What a task gets of an answer (facts/manifest.md §2): validated, reduced, in its place.

use crate::support::{SEND_ID, answer, operation};
use placet_adapters::{Response, Sent, output, reduce::Error};
use serde_json::{Value, json};

fn output_of(name: &str, body: &Value) -> Result<Value, Error> {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    output(&operation(name), &Response::new(200, Vec::new(), body.to_string().into_bytes()), sent)
}

#[test]
fn a_write_gives_the_fields_of_output_in_their_place() {
    let body = json!({"ok": true, "channel": "C12345678", "ts": "1700000000.000100",
        "message": {"text": "hi", "thread_ts": "1700000000.000001"}, "response_metadata": {}});
    assert_eq!(
        output_of("slack.chat.postMessage", &body).unwrap(),
        json!({"channel": "C12345678", "ts": "1700000000.000100", "message": {"thread_ts": "1700000000.000001"}})
    );
}

#[test]
fn a_read_without_a_list_gives_the_whole_validated_body() {
    let body = json!({"ok": true, "channels": [{"id": "C1", "extra": 1}]});
    assert_eq!(output_of("slack.conversations.list", &body).unwrap(), body);
}

#[test]
fn a_write_without_a_list_gives_what_is_stored_and_the_names_of_the_result() {
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let out =
        output(&operation("webhook.event.send"), &Response::new(204, Vec::new(), Vec::new()), sent)
            .unwrap();
    assert_eq!(out, json!({"external_id": SEND_ID, "message_id": SEND_ID}));
}

#[test]
fn an_answer_that_does_not_match_the_schema_is_no_output() {
    assert!(matches!(
        output_of("slack.chat.postMessage", &json!({"ok": true})),
        Err(Error::Mismatch { .. })
    ));
    let html = answer(200, &[], "<html>").unwrap();
    let (input, settings) = (json!({}), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    assert!(matches!(
        output(&operation("slack.auth.test"), &html, sent),
        Err(Error::NotJson { .. })
    ));
}

#[test]
fn the_identity_test_pins_id_and_tenant_and_reads_the_scopes() {
    let test = crate::support::ADAPTERS.manifest("slack").unwrap().identity_test().unwrap();
    let body = json!({"ok": true, "team": "Acme", "user": "placet", "team_id": "T1", "user_id": "U1", "bot_id": "B1"});
    let account = test
        .account(
            &answer(200, &[("x-oauth-scopes", "chat:write, channels:read")], &body.to_string()),
            None,
        )
        .unwrap()
        .unwrap();
    assert_eq!((account.identity.id.as_str(), account.identity.tenant.as_str()), ("B1", "T1"));
    assert_eq!(account.label, "Acme / placet");
    assert_eq!(account.scopes.unwrap(), ["chat:write", "channels:read"]);
    assert!(
        test.account(&answer(200, &[], r#"{"ok":false,"error":"invalid_auth"}"#), None).is_err()
    );
    assert!(test.account(&answer(200, &[], r#"{"ok":true,"team_id":"T1"}"#), None).is_err());
}
