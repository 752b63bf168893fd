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
