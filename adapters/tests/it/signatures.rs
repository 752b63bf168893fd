//! Published vectors of Standard Webhooks, where the specification files are at hand.

use placet_adapters::sign::standard_webhooks;
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
