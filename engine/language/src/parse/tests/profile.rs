//! The schema for editors: never wrong about a good document, and right about plain mistakes.

use std::path::{Path, PathBuf};

use placet_schemas::{Registry, Schema};
use serde_json::{Value, json};

use super::super::outside::Refuse;
use super::next::world::{World, fixtures};
use super::next::{catalogue, check};
use crate::parse::alias_of;
use crate::profile_schema;

fn schema() -> std::sync::Arc<Schema> {
    let schema = profile_schema(&catalogue(&World::new())).expect("the schema");
    Registry::new().register(&schema).unwrap_or_else(|error| unreachable!("{error}"))
}

/// The document behind a file that a check accepts, refusing nothing for not being built.
fn accepted(path: &Path) -> Option<Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    check(&text, path, Refuse::Nothing).plan.map(|plan| plan.definition)
}

#[test]
fn the_schema_is_a_json_schema_of_its_dialect() {
    let schema = profile_schema(&catalogue(&World::new())).expect("the schema");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let dialect = Registry::new()
        .register(&json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" }))
        .expect("the dialect");
    let verdict = dialect.validate(&schema);
    assert!(verdict.is_ok(), "{verdict:?}");
}

#[test]
fn every_document_that_a_check_accepts_is_accepted() {
    let schema = schema();
    let mut count = 0;
    for path in ["ok", "warn", "next/ok"].into_iter().flat_map(fixtures) {
        let document = accepted(&path).unwrap_or_else(|| unreachable!("{}", path.display()));
        let verdict = schema.validate(&document);
        assert!(verdict.is_ok(), "{}: {}", path.display(), verdict.unwrap_err());
        count += 1;
    }
    println!("{count} fixtures accepted");
}

#[test]
fn the_official_examples_that_a_check_accepts_are_accepted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ows/examples");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: the official examples are not beside the repository");
        return;
    };
    let schema = schema();
    let files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let documents: Vec<(PathBuf, Value)> =
        files.into_iter().filter_map(|path| Some((path.clone(), accepted(&path)?))).collect();
    for (path, document) in &documents {
        let verdict = schema.validate(document);
        assert!(verdict.is_ok(), "{}: {}", path.display(), verdict.unwrap_err());
    }
    println!("{} official examples accepted", documents.len());
    assert!(!documents.is_empty());
}

/// A good document with one task, and another value at one place.
fn changed(task: &Value, pointer: &str, value: Value) -> Value {
    let mut document = json!({
        "document": { "dsl": "1.0.3", "namespace": "a", "name": "b", "version": "1.0.0" },
        "do": [{ "t": task }],
    });
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("a place");
    parent[key] = value;
    document
}

/// Plain mistakes, each in a document of its own.
fn wrong(set: &Value, send: &Value) -> Vec<Value> {
    let refund =
        json!({ "call": "stripe.refunds.create", "with": { "charge": "c", "amount": "${ .a }" } });
    let approval =
        json!({ "metadata": { "approval": { "quorum": 1 } }, "call": "slack.auth.test" });
    vec![
        changed(set, "/tiemout", json!({ "after": "P1D" })),
        changed(set, "/document/titel", json!("x")),
        changed(set, "/document/dsl", json!("2.0.0")),
        changed(set, "/document/namespace", json!("a.b")),
        changed(set, "/evaluate", json!({ "language": "js" })),
        changed(set, "/use", json!({ "extensions": [] })),
        changed(set, "/use", json!({ "functions": { "f": { "input": {} } } })),
        changed(set, "/schedule", json!({ "read": "data" })),
        changed(set, "/schedule", json!({ "cron": "@daily" })),
        changed(set, "/do/0/t/call", json!("slack.auth.test")),
        changed(set, "/do/0/t/onput", json!({})),
        changed(set, "/do/0/t/set", json!({ "a": "Hello ${ .name }" })),
        changed(set, "/do/0/t/set", json!("text")),
        changed(set, "/do/0/t/timeout", json!({ "after": "2d" })),
        changed(set, "/do/0/t", json!({ "wait": "30m" })),
        changed(set, "/do/0/t", json!({ "wait": { "hours": 1.5 } })),
        changed(set, "/do/0/t", json!({ "wait": { "weeks": 1 } })),
        changed(set, "/do/0/t", json!({ "call": "grpc", "with": {} })),
        changed(set, "/do/0/t", json!({ "call": "https://example.com/f.yaml" })),
        changed(set, "/do/0/t", json!({ "call": "http", "with": { "method": "GET", "url": "x" } })),
        changed(set, "/do/0/t", json!({ "call": "http" })),
        changed(set, "/do/0/t", json!({ "run": { "shell": { "command": "ls" } } })),
        changed(set, "/do/0/t", json!({ "fork": { "branches": [] } })),
        changed(set, "/do/0/t", json!({ "for": { "each": "x" }, "do": [] })),
        changed(set, "/do/0/t", json!({ "try": [] })),
        changed(set, "/do/0/t", json!({ "raise": { "error": { "type": "x", "status": "500" } } })),
        changed(set, "/do/0/t", json!({ "listen": { "to": { "one": { "with": {} } } } })),
        changed(
            set,
            "/do/0/t",
            json!({ "listen": { "to": { "one": { "with": { "type": "a" } }, "until": "." } } }),
        ),
        changed(set, "/do/0/t", json!({ "emit": { "event": { "with": { "source": "x" } } } })),
        changed(set, "/do/0/t", json!({ "switch": [{ "a": { "when": ".x" } }] })),
        changed(send, "/do/0/t/with", json!("${ . }")),
        changed(send, "/do/0/t/with/chanel", json!("C1")),
        changed(send, "/do/0/t/with/channel", json!("#general")),
        changed(send, "/do/0/t/with/integration", json!("${ .x }")),
        changed(&refund, "/do/0/t/with/amount", json!("many")),
        changed(&refund, "/do/0/t/with/reason", json!("because")),
        changed(&refund, "/do/0/t/with", json!({ "charge": "c" })),
        changed(&approval, "/do/0/t/metadata/approval/quorm", json!(2)),
        changed(&approval, "/do/0/t/metadata/approval/quorum", json!(0)),
        changed(&approval, "/do/0/t/metadata/approval/approvers", json!(["Ana@example.com"])),
        changed(&approval, "/do/0/t/metadata/approval/escalate", json!({ "after": "PT1H" })),
    ]
}

#[test]
fn wrong_documents_are_refused() {
    let schema = schema();
    let set = json!({ "set": { "a": 1 } });
    let send =
        json!({ "call": "slack.chat.postMessage", "with": { "channel": "C0SALES", "text": "hi" } });
    let good = [
        changed(&set, "/do/0/t/then", json!("exit")),
        changed(&send, "/do/0/t/with/text", json!("${ .text }")),
        changed(&send, "/do/0/t/with/integration", json!("sales-slack")),
        changed(&send, "/do/0/t/call", json!(alias_of("slack.chat.postMessage"))),
    ];
    for document in &good {
        let verdict = schema.validate(document);
        assert!(verdict.is_ok(), "{document}: {}", verdict.unwrap_err());
    }
    let wrong = wrong(&set, &send);
    for document in &wrong {
        assert!(!schema.is_valid(document), "accepted: {document}");
    }
    println!("{} wrong documents refused", wrong.len());
}

#[test]
fn an_operation_whose_schema_refers_to_itself_keeps_its_definitions() {
    let mut catalogue = catalogue(&World::new());
    let operation = catalogue.operations.get_mut("postmark.email.send").expect("an operation");
    operation.input_schema = json!({
        "type": "object",
        "properties": { "tree": { "$ref": "#/$defs/node" } },
        "additionalProperties": false,
        "$defs": { "node": {
            "type": "object",
            "properties": { "left": { "$ref": "#/$defs/node" }, "n": { "type": "integer" } },
            "additionalProperties": false,
        } },
    });
    let schema = profile_schema(&catalogue).expect("the schema");
    let schema = Registry::new().register(&schema).expect("it compiles");
    let task =
        |with: Value| changed(&json!({ "call": "postmark.email.send" }), "/do/0/t/with", with);
    assert!(schema.is_valid(&task(json!({ "tree": { "left": { "n": 1 } } }))));
    assert!(schema.is_valid(&task(json!({ "tree": { "left": "${ .l }", "n": "${ .n }" } }))));
    assert!(!schema.is_valid(&task(json!({ "tree": { "left": { "n": "one" } } }))));
    assert!(!schema.is_valid(&task(json!({ "three": {} }))));
}
