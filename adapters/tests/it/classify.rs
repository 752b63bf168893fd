//! What an answer means, provider by provider (facts/providers/slack.md, webhook.md): every class
//! of error, garbage, and silence before and after the send.

use crate::support::{ADAPTERS, answer, classified};
use placet_adapters::wait::WaitSource;
use placet_adapters::{Answer, Cause, Failed};
use placet_model::attempt::Evidence;
use placet_model::manifest::{Effect, Outcome};
use serde_json::json;

const POST: &str = "slack.chat.postMessage";
const SENT: &str =
    r#"{"ok":true,"channel":"C123","ts":"1700000000.000100","message":{"text":"hi"}}"#;

fn outcome(name: &str, answer: &Answer) -> Outcome {
    classified(name, answer).outcome
}

fn slack_error(word: &str) -> Outcome {
    outcome(POST, &answer(200, &[], &json!({"ok": false, "error": word}).to_string()))
}

#[test]
fn a_posted_message_is_sent_with_its_ids() {
    let classified = classified(POST, &answer(200, &[], SENT));
    assert_eq!(classified.outcome, Outcome::Sent);
    let ids: Vec<(&str, &str)> =
        classified.result.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    assert_eq!(
        ids,
        [
            ("channel", "C123"),
            ("external_id", "C123:1700000000.000100"),
            ("message_id", "1700000000.000100"),
            ("thread_id", "1700000000.000100"),
        ]
    );
    assert_eq!(
        classified.stored,
        json!({"ok": true, "channel": "C123", "ts": "1700000000.000100"})
    );
    assert_eq!((classified.wait, classified.error, classified.evidence), (None, None, None));
}

#[test]
fn each_error_word_of_slack_is_in_its_class() {
    let classes: [(Outcome, &[&str]); 4] = [
        (Outcome::RefusedRetry, &["ratelimited", "rate_limited"]),
        (
            Outcome::InDoubt,
            &[
                "fatal_error",
                "internal_error",
                "service_unavailable",
                "request_timeout",
                "a_word_of_next_year",
                "",
            ],
        ),
        (
            Outcome::Reconnect,
            &[
                "invalid_auth",
                "token_revoked",
                "token_expired",
                "account_inactive",
                "missing_scope",
                "not_allowed_token_type",
            ],
        ),
        (
            Outcome::RefusedPermanent,
            &[
                "channel_not_found",
                "not_in_channel",
                "is_archived",
                "msg_too_long",
                "no_text",
                "restricted_action",
                "restricted_action_read_only_channel",
                "cannot_reply_to_message",
                "metadata_too_large",
            ],
        ),
    ];
    for (expect, words) in classes {
        for word in words {
            assert_eq!(slack_error(word), expect, "{word}");
        }
    }
}

#[test]
fn a_429_is_refused_before_the_send_and_names_its_wait() {
    let told = classified(
        POST,
        &answer(429, &[("retry-after", "7")], r#"{"ok":false,"error":"ratelimited"}"#),
    );
    assert_eq!(told.outcome, Outcome::RefusedRetry);
    assert_eq!(
        told.wait.map(|wait| (wait.millis, wait.source)),
        Some((7000, WaitSource::Provider))
    );
    assert_eq!(told.error.unwrap().code, "ratelimited");
    let silent = classified(POST, &answer(429, &[], "")).wait.unwrap();
    assert_eq!(
        (silent.millis, silent.source),
        (30_000, WaitSource::Default { jitter: true, factor: 1 })
    );
}

#[test]
fn what_cannot_be_read_is_in_doubt() {
    for (status, body) in [
        (200, ""),
        (200, "<html>maintenance</html>"),
        (200, r#"{"ok":tru"#),
        (200, "null"),
        (200, "[]"),
        (200, "{}"),
        (200, r#"{"ok":"true"}"#),
        (500, ""),
        (502, "bad gateway"),
        (503, r#"{"ok":true}"#),
        (504, ""),
        (204, ""),
        (302, ""),
        (404, ""),
    ] {
        let classified = classified(POST, &answer(status, &[], body));
        assert_eq!(classified.outcome, Outcome::InDoubt, "{status} {body}");
        assert_eq!(classified.evidence, Some(Evidence::Answer));
    }
}

#[test]
fn silence_before_the_send_is_a_proven_nothing_and_after_it_is_in_doubt() {
    for cause in [Cause::Dns, Cause::Connect, Cause::Tls, Cause::Timeout, Cause::Hole] {
        let told = classified(POST, &Err(Failed::before(cause, "…")));
        assert_eq!(told.outcome, Outcome::RefusedRetry, "{cause:?}");
        assert!(told.wait.is_some());
    }
    for (cause, evidence) in [
        (Cause::Timeout, Evidence::Timeout),
        (Cause::Reset, Evidence::Reset),
        (Cause::TooLarge, Evidence::Answer),
        (Cause::Unreadable, Evidence::Answer),
    ] {
        let told = classified(POST, &Err(Failed::after(cause, "…")));
        assert_eq!((told.outcome, told.evidence), (Outcome::InDoubt, Some(evidence)), "{cause:?}");
    }
}

#[test]
fn what_our_own_rules_forbid_is_refused_for_good() {
    let told = classified(POST, &Err(Failed::before(Cause::Refused, "the address is not public")));
    assert_eq!(told.outcome, Outcome::RefusedPermanent);
    assert_eq!(told.error.unwrap().code, "transport.refused");
}

#[test]
fn no_operation_but_a_read_takes_an_unknown_answer_for_a_refusal() {
    for manifest in ADAPTERS.manifests().values() {
        for operation in
            manifest.operations().values().filter(|operation| operation.effect() != Effect::Read)
        {
            for unknown in
                [answer(599, &[], "?"), answer(500, &[], ""), Err(Failed::after(Cause::Reset, "…"))]
            {
                assert_eq!(
                    outcome(operation.name(), &unknown),
                    Outcome::InDoubt,
                    "{}",
                    operation.name()
                );
            }
        }
    }
}

#[test]
fn a_webhook_is_sent_by_2xx_and_a_redirect_or_a_gone_endpoint_is_a_refusal() {
    for (status, expect) in [
        (200, Outcome::Sent),
        (202, Outcome::Sent),
        (204, Outcome::Sent),
        (302, Outcome::RefusedPermanent),
        (400, Outcome::RefusedPermanent),
        (410, Outcome::RefusedPermanent),
        (429, Outcome::RefusedRetry),
        (408, Outcome::InDoubt),
        (502, Outcome::InDoubt),
        (503, Outcome::InDoubt),
        (500, Outcome::InDoubt),
    ] {
        assert_eq!(outcome("webhook.event.send", &answer(status, &[], "")), expect, "{status}");
    }
}

#[test]
fn a_webhooks_wait_may_be_a_date() {
    let told = classified(
        "webhook.event.send",
        &answer(429, &[("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")], ""),
    );
    assert_eq!(told.wait.unwrap().millis, 9000);
}

#[test]
fn a_read_that_got_no_answer_is_simply_tried_again() {
    for name in ["slack.auth.test", "slack.conversations.list", "http.read"] {
        for lost in
            [Err(Failed::after(Cause::Reset, "…")), Err(Failed::before(Cause::Connect, "…"))]
        {
            assert_eq!(outcome(name, &lost), Outcome::RefusedRetry, "{name}");
        }
    }
}

#[test]
fn nothing_but_the_allow_list_is_stored() {
    let body = r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"none","token":"xoxb-1","warning":"w"}"#;
    let told = classified(POST, &answer(200, &[("set-cookie", "x")], body));
    assert_eq!(
        told.stored,
        json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": "none"})
    );
    assert_eq!(told.error.unwrap().detail, [json!("chat:write"), json!("none")]);
}
