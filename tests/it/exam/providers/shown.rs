//! What a provider has taken, and how it shows that to whoever looks it up: by the marker that it came with.

use placet_model::Timestamp;
use placet_test_support::provider::Received;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How often something took effect: a provider with keys takes each key once.
pub(super) fn effects(applied: &[Received]) -> usize {
    let sends = applied.iter().filter(|request| request.method != "GET");
    let key = |request: &Received| {
        let key = request.header("idempotency-key").or_else(|| request.header("webhook-id"));
        key.map(str::to_owned)
    };
    let keyed: BTreeSet<String> = sends.clone().filter_map(key).collect();
    sends.filter(|request| key(request).is_none()).count() + keyed.len()
}

/// The page that the look-up of this operation gets.
pub(super) fn page(operation: &str, sends: &[Received], now: Timestamp) -> Value {
    let sends = sends.iter().filter(|request| request.method != "GET");
    let items: Vec<Value> =
        sends.enumerate().map(|(n, send)| item(operation, n, (send, now))).collect();
    match operation.split('.').next().unwrap_or_default() {
        "slack" => json!({"ok": true, "messages": items}),
        "helpscout" => json!({"_embedded": {"threads": items}}),
        "intercom" => json!({"conversation_parts": {"conversation_parts": items}}),
        "mailgun" => json!({"items": items}),
        "postmark" => json!({"TotalCount": items.len(), "Messages": items}),
        "resend" | "stripe" => json!({"object": "list", "has_more": false, "data": items}),
        _ => json!(items),
    }
}

fn item(operation: &str, n: usize, (send, now): (&Received, Timestamp)) -> Value {
    let body = send.json().unwrap_or_default();
    let id = 100 + n;
    match operation {
        "slack.chat.postMessage" => {
            json!({"type": "message", "ts": format!("1700000000.{n:06}"), "metadata": body["metadata"]})
        }
        "helpscout.conversations.reply" | "helpscout.conversations.note" => json!({
            "id": id,
            "type": if operation.ends_with("note") { "note" } else { "message" },
            "createdBy": {"id": 1, "type": "user"},
            "body": body["text"],
            "createdAt": now.to_string(),
        }),
        "intercom.conversations.reply" => json!({
            "id": id.to_string(),
            "author": {"type": "admin", "id": body["admin_id"]},
            "body": body["body"],
            "created_at": now.as_millis() / 1000,
        }),
        "mailgun.messages.send" | "mailgun.messages.mime" => json!({
            "id": id.to_string(),
            "message": {"headers": {"message-id": format!("{n}@acme.example")}},
            "user-variables": {"placet_send": form(send, "v:placet_send")},
        }),
        "postmark.email.send" => json!({"MessageID": id.to_string(), "Metadata": body["Metadata"]}),
        "resend.emails.send" => {
            let tags = body["tags"].as_array().into_iter().flatten();
            let tags = tags
                .filter_map(|tag| Some((tag["name"].as_str()?.to_owned(), tag["value"].clone())));
            json!({"id": id.to_string(), "tags": tags.collect::<Map<_, _>>()})
        }
        _ if operation.starts_with("stripe.") => {
            json!({"id": format!("x_{id}"), "status": "succeeded", "metadata": {"placet_send": form(send, "metadata[placet_send]")}})
        }
        _ => json!({"id": id, "number": id, "body": body["body"]}),
    }
}

/// A field of a form, in either of its two encodings.
fn form(send: &Received, field: &str) -> Value {
    let text = send.text();
    let part = format!("name=\"{field}\"\r\n\r\n");
    if let Some((_, rest)) = text.split_once(&part) {
        return json!(rest.split("\r\n").next());
    }
    let fields = text.split('&').filter_map(|pair| pair.split_once('='));
    let plain = |name: &str| name.replace("%5B", "[").replace("%5D", "]");
    let found = fields.map(|(name, value)| (plain(name), value)).find(|(name, _)| name == field);
    json!(found.map(|(_, value)| value.to_owned()))
}
