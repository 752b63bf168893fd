//! Published signature vectors, where the specification files are at hand.

use crate::support::ADAPTERS;
use placet_adapters::SecretText;
use placet_adapters::inbound::{Arrival, Received, Unverified};
use placet_adapters::sign::standard_webhooks;
use placet_model::Timestamp;
use serde_json::Value;
use std::path::Path;

#[test]
fn every_published_standard_webhooks_vector_is_reproduced_or_the_file_is_named_as_absent() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs/signature-vectors.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: signature-vectors.json is not here");
        return;
    };
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let ours: Vec<&Value> =
        vectors.iter().filter(|vector| vector["provider"] == "standard-webhooks").collect();
    assert!(!ours.is_empty());
    for vector in ours {
        let field = |name: &str| vector[name].as_str().unwrap();
        let timestamp = field("timestamp").parse().unwrap();
        let signed = standard_webhooks(
            field("secret"),
            field("msg_id"),
            timestamp,
            field("body").as_bytes(),
        );
        assert_eq!(signed.unwrap(), field("expected"), "{}", field("id"));
    }
}

/// The vectors of a provider, or `None` where the file is not here.
fn vectors(provider: &str) -> Option<Vec<Value>> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs/signature-vectors.json");
    let text = std::fs::read_to_string(&file).ok()?;
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    Some(all.into_iter().filter(|vector| vector["provider"] == provider).collect())
}

/// The published message as it would come in, signed in this header.
fn received(vector: &Value, provider: &str, header: &str, spoil: bool) -> Received {
    let text = |name: &str| vector[name].as_str().unwrap_or_default().to_owned();
    let body = match vector["params"].as_array() {
        Some(params) => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for pair in params {
                form.append_pair(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            }
            form.finish()
        }
        None => text("body"),
    };
    let body = if spoil { body + "x" } else { body };
    let seconds: i64 = text("timestamp").parse().unwrap_or_default();
    let headers = [
        (header.to_owned(), text("expected")),
        ("X-Slack-Request-Timestamp".to_owned(), text("timestamp")),
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    let arrival = Arrival {
        url: &text("url"),
        headers: &headers,
        body: body.as_bytes(),
        at: Timestamp::from_millis(seconds * 1000),
    };
    let key = |_: &str| vec![SecretText::new(text("secret"))];
    ADAPTERS.manifest(provider).unwrap().inbound().unwrap().receive(&arrival, &key, None)
}

#[test]
fn every_published_vector_of_a_scheme_that_a_manifest_names_is_believed_and_only_unaltered() {
    // GitHub's scheme is the one that Jira publishes a vector of
    for (vectors_of, provider, header) in [
        ("slack", "slack", "X-Slack-Signature"),
        ("twilio", "twilio", "X-Twilio-Signature"),
        ("jira", "github", "X-Hub-Signature-256"),
    ] {
        let Some(vectors) = vectors(vectors_of) else {
            println!("skipped: signature-vectors.json is not here");
            return;
        };
        assert!(!vectors.is_empty());
        for vector in vectors {
            let told = received(&vector, provider, header, false);
            assert!(!matches!(told, Received::Unverified(_)), "{}: {told:?}", vector["id"]);
            let told = received(&vector, provider, header, true);
            assert_eq!(told, Received::Unverified(Unverified::Mismatch), "{}", vector["id"]);
        }
    }
}
