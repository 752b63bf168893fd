//! Documents that vendors publish: read whole, and a call of each kind made from them.

use super::call_of;
use placet_adapters::openapi;
use placet_model::manifest::Document;
use placet_model::plan::ApiDocument;
use serde_json::{Value, json};
use std::path::Path;

/// A vendor's document, or `None` with a remark where it is not beside the repository.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn vendor(path: &str) -> Option<ApiDocument> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs").join(path);
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: {path} is not beside the repository");
        return None;
    };
    match openapi::document("https://docs.example/openapi.json", &text).unwrap() {
        Document::Api(api) => Some(api),
        Document::Json(_) => panic!("{path} is an API's document"),
    }
}

fn with(api: &ApiDocument, id: &str, parameters: &Value) -> Value {
    let operation = api.operations[id].clone().unwrap();
    openapi::with(&call_of(operation), parameters).unwrap()
}

const DOCUMENTS: [(&str, usize); 7] = [
    ("sendgrid/sendgrid.trimmed.json", 16),
    ("slack/slack_web_openapi_v2.trimmed.json", 19),
    ("stripe/spec3.trimmed.json", 30),
    ("resend/resend.trimmed.json", 0),
    ("mailgun/mailgun.trimmed.json", 15),
    ("postmark/postmark-server.openapi3.apisguru.json", 1),
    ("jira/platform-v3.trimmed.json", 30),
];

#[test]
fn every_operation_of_the_vendors_documents_can_be_called() {
    for (path, least) in DOCUMENTS {
        let Some(api) = vendor(path) else { continue };
        assert!(api.operations.len() >= least, "{path} has {}", api.operations.len());
        for (id, operation) in &api.operations {
            let operation =
                operation.as_ref().unwrap_or_else(|error| panic!("{path} {id}: {error}"));
            let text = serde_json::to_string(operation).unwrap();
            // one vendor's own file names http alone
            assert!(operation.url.starts_with("http") && text.len() < 16 << 10, "{path} {id}");
        }
        println!("{path}: {} operations", api.operations.len());
    }
}

#[test]
fn calls_of_vendors_operations_are_what_their_manuals_show() {
    if let Some(api) = vendor("slack/slack_web_openapi_v2.trimmed.json") {
        let with = with(
            &api,
            "chat_postMessage",
            &json!({"token": "t", "channel": "C1", "text": "hi & bye"}),
        );
        assert_eq!(
            (&with["method"], &with["endpoint"]),
            (&json!("POST"), &json!("https://slack.com/api/chat.postMessage"))
        );
        assert_eq!(with["headers"]["token"], "t");
        assert_eq!(with["body"], json!([["channel", "C1"], ["text", "hi & bye"]]));
    }
    if let Some(api) = vendor("stripe/spec3.trimmed.json") {
        let body = json!({"amount": 100, "charge": "ch_1", "metadata": {"k": "v"}, "expand": ["charge", "payment_intent"]});
        let with = with(&api, "PostRefunds", &json!({ "body": body }));
        assert_eq!(with["endpoint"], "https://api.stripe.com/v1/refunds");
        assert_eq!(
            with["body"],
            json!([
                ["amount", "100"],
                ["charge", "ch_1"],
                ["metadata[k]", "v"],
                ["expand[0]", "charge"],
                ["expand[1]", "payment_intent"],
            ])
        );
    }
    if let Some(api) = vendor("jira/platform-v3.trimmed.json") {
        let with = with(
            &api,
            "getIssue",
            &json!({"issueIdOrKey": "ACME-1", "fields": ["summary", "status"]}),
        );
        let endpoint = with["endpoint"].as_str().unwrap();
        assert!(endpoint.ends_with("/rest/api/3/issue/ACME-1"), "{endpoint}");
        assert_eq!(with["query"], json!({"fields": ["summary", "status"]}));
    }
}
