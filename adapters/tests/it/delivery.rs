//! "Did it go?": the look-up of a Slack message by the marker that rode along.

use crate::support::{ADAPTERS, SEND_ID, answer, draft_time, operation, rendered};
use placet_adapters::manifest::Absent;
use placet_adapters::{Finding, Sent, target_of};
use placet_model::manifest::{DeliveryKind, Outcome};
use serde_json::{Value, json};

fn input() -> Value {
    json!({"channel": "C123", "text": "hi"})
}

fn read(messages: &Value) -> Finding {
    let post = operation("slack.chat.postMessage");
    let (input, settings) = (input(), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let body = json!({"ok": true, "messages": messages}).to_string();
    let look_up = operation("slack.conversations.history");
    post.delivery().reconcile().unwrap().read(
        &look_up,
        &answer(200, &[], &body),
        sent,
        draft_time(),
    )
}

fn marked(ts: &str, send_id: &str) -> Value {
    json!({"ts": ts, "metadata": {"event_type": "placet_send", "event_payload": {"placet_send": send_id}}})
}

#[test]
fn each_operation_says_what_its_provider_offers_against_sending_twice() {
    let kind = |name: &str| ADAPTERS.operation(name).unwrap().delivery().kind();
    assert_eq!(kind("slack.chat.postMessage"), DeliveryKind::MarkerLookup);
    assert_eq!(kind("webhook.event.send"), DeliveryKind::KeyHeader);
    assert_eq!(kind("http.request"), DeliveryKind::None);
}

#[test]
fn the_look_up_asks_for_the_channel_since_shortly_before_the_send() {
    let post = operation("slack.chat.postMessage");
    let (input, settings) = (input(), json!({}));
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let target = target_of(&post, &input);
    let reconcile = post.delivery().reconcile().unwrap();
    let asked = reconcile.input(sent, target.as_ref(), draft_time()).unwrap();
    assert_eq!(
        asked,
        json!({"channel": "C123", "oldest": "1767225480", "include_all_metadata": true, "limit": 100})
    );
    let request = rendered("slack.conversations.history", &Value::Null, &asked).unwrap().request;
    assert_eq!(
        request.url.to_string(),
        "https://slack.com/api/conversations.history?channel=C123&oldest=1767225480&include_all_metadata=true&limit=100"
    );
}

#[test]
fn one_match_is_proof_none_is_evidence_and_two_are_nobodys_guess() {
    let other = marked("1.000001", "somebody-elses");
    match read(&json!([other, marked("2.000002", SEND_ID)])) {
        Finding::Found { outcome, result } => {
            assert_eq!(outcome, Outcome::Sent);
            assert_eq!(result["message_id"], "2.000002");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(read(&json!([other])), Finding::Absent(Absent::Evidence));
    assert_eq!(
        read(&json!([marked("2.000002", SEND_ID), marked("3.000003", SEND_ID)])),
        Finding::Several { count: 2 }
    );
    assert_eq!(read(&json!("garbage")), Finding::Unanswered);
}

/// What a look-up of `name` finds in this answer.
fn found(name: &str, look_up: &str, (input, body): (&Value, &Value)) -> Finding {
    let settings = json!({});
    let sent = Sent { input, settings: &settings, send_id: SEND_ID };
    let answer = answer(200, &[], &body.to_string());
    let operation = operation(name);
    let reconcile = operation.delivery().reconcile().unwrap();
    reconcile.read_since(
        &crate::support::operation(look_up),
        &answer,
        (sent, draft_time()),
        draft_time(),
    )
}

fn is_found(finding: &Finding) -> bool {
    matches!(finding, Finding::Found { outcome: Outcome::Sent, .. })
}

#[test]
fn a_comment_is_found_by_the_marker_that_stands_unseen_in_its_text() {
    let input = json!({"owner": "acme", "repo": "site", "number": 12, "body": "hi"});
    let look = |comments: &Value| {
        found("github.issues.comment", "github.comments.list", (&input, comments))
    };
    let ours = json!({"id": 2, "body": format!("hi\n\n<!-- placet_send:{SEND_ID} -->")});
    let finding = look(&json!([{"id": 1, "body": "hi"}, ours]));
    assert!(is_found(&finding), "{finding:?}");
    assert_eq!(look(&json!([{"id": 1, "body": "hi"}])), Finding::Absent(Absent::Evidence));
    assert_eq!(look(&json!([ours, ours])), Finding::Several { count: 2 });
    assert_eq!(look(&json!({"message": "?"})), Finding::Unanswered);
}

#[test]
fn what_the_look_up_of_a_comment_asks_can_be_rendered() {
    let operation = operation("github.issues.comment");
    let input = json!({"owner": "acme", "repo": "site", "number": 12, "body": "hi"});
    let settings = json!({});
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let target = target_of(&operation, &input);
    let reconcile = operation.delivery().reconcile().unwrap();
    let asked = reconcile.input(sent, target.as_ref(), draft_time()).unwrap();
    let request = rendered("github.comments.list", &settings, &asked).unwrap().request;
    assert_eq!(
        request.url.to_string(),
        "https://api.github.com/repos/acme/site/issues/12/comments?since=2025-12-31T23%3A58%3A00Z&per_page=100"
    );
}

#[test]
fn a_reply_without_a_marker_is_found_by_author_words_and_time_together() {
    let input = json!({"conversation_id": "1", "message_type": "comment", "admin_id": "8", "body": "Grüße & Dank"});
    let part = |id: &str, author: &str, body: &str, at: i64| json!({"id": id, "body": body, "created_at": at, "author": {"id": author}});
    let look = |parts: &Value| {
        let body = json!({"id": "1", "conversation_parts": {"conversation_parts": parts}});
        found("intercom.conversations.reply", "intercom.conversations.get", (&input, &body))
    };
    let (now, html) = (draft_time().as_secs(), "<p>Gr\u{fc}\u{df}e &amp;\n Dank</p>");
    assert!(is_found(&look(&json!([part("1", "8", html, now + 1)]))));
    for other in [
        part("1", "9", html, now + 1),
        part("1", "8", "<p>other words</p>", now + 1),
        part("1", "8", html, now - 3600),
    ] {
        assert_eq!(look(&json!([other])), Finding::Absent(Absent::Evidence), "{other}");
    }
    let twice = json!([part("1", "8", html, now + 1), part("2", "8", html, now + 2)]);
    assert_eq!(look(&twice), Finding::Several { count: 2 });
}

#[test]
fn a_thread_of_help_scout_is_found_by_words_and_time_and_never_without_the_moment() {
    let name = "helpscout.conversations.reply";
    let input = json!({"conversation_id": "1", "customer": {"id": 1}, "text": "hi"});
    let thread = |at: &str| json!({"id": 7, "body": "<div>hi</div>", "createdAt": at, "createdBy": {"type": "user"}});
    let body = |at: &str| json!({"_embedded": {"threads": [thread(at)]}});
    let look = |at: &str| found(name, "helpscout.threads.list", (&input, &body(at)));
    assert!(is_found(&look("2026-01-01T00:00:01Z")));
    assert_eq!(look("2025-12-31T00:00:00Z"), Finding::Absent(Absent::Evidence));
    let settings = json!({});
    let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
    let answer = answer(200, &[], &body("2026-01-01T00:00:01Z").to_string());
    let operation = operation(name);
    let reconcile = operation.delivery().reconcile().unwrap();
    let look_up = crate::support::operation("helpscout.threads.list");
    assert!(reconcile.needs_moment());
    assert_eq!(reconcile.read(&look_up, &answer, sent, draft_time()), Finding::Unanswered);
}

#[test]
fn what_every_look_up_asks_is_an_input_of_its_operation() {
    for manifest in ADAPTERS.manifests().values() {
        for operation in manifest.operations().values() {
            let Some(reconcile) = operation.delivery().reconcile() else { continue };
            let Some(input) = golden_input(operation.name()) else { continue };
            let settings = json!({});
            let sent = Sent { input: &input, settings: &settings, send_id: SEND_ID };
            let target = target_of(operation, &input);
            let asked = reconcile.input(sent, target.as_ref(), draft_time()).unwrap();
            let look_up = format!("{}.{}", manifest.provider(), reconcile.operation());
            let schema = crate::support::operation(&look_up).input_schema().cloned().unwrap();
            schema.validate(&asked).unwrap_or_else(|broken| panic!("{look_up}: {asked}: {broken}"));
        }
    }
}

/// The input of this operation's golden request.
fn golden_input(name: &str) -> Option<Value> {
    let (provider, _) = name.split_once('.')?;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/providers")
        .join(provider);
    std::fs::read_dir(folder).ok()?.find_map(|file| {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        (case["operation"] == name && case.get("expect").is_some()).then(|| case["input"].clone())
    })
}
