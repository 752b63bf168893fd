//! For authors and their editors: the schema of workflows, and pictures of them.

use crate::kit::{placet, slack_notify};
use placet_test_support::dirs::{Project, fixture};

const MANIFEST: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  notes.get:
    effect: read
    input_schema: schemas/note.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;
const NOTE: &str =
    r#"{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}"#;

#[test]
fn the_schema_for_editors_is_one_json_document_with_the_operations_that_are_known() {
    let project = Project::new();
    let schema = placet(&project).args(["check", "--schema"]).run().expect_code(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let calls = schema["$defs"]["callName"]["anyOf"][0]["enum"].as_array().expect("names");
    assert!(calls.iter().any(|call| call == "slack.chat.postMessage"), "{calls:?}");
    assert!(schema["$defs"]["with.slack.chat.postMessage"]["properties"]["channel"].is_object());
    assert!(schema["$defs"]["approval"].is_object());
    drop(placet(&project).args(["check", "--schema", "--format", "json"]).run().expect_code(2));
}

#[test]
fn the_schema_holds_what_the_operations_of_the_project_take() {
    let project = Project::new()
        .with("placet.toml", "")
        .with("adapters/acme.yaml", MANIFEST)
        .with("schemas/note.json", NOTE);
    let schema = placet(&project).args(["check", "--schema"]).run().expect_code(0);
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).expect("JSON");
    let with = &schema["$defs"]["with.acme.notes.get"];
    assert_eq!(with["required"], serde_json::json!(["id"]), "{with}");
    assert_eq!(with["properties"]["id"]["anyOf"][1]["type"], "integer", "{with}");
}

#[test]
fn a_picture_is_mermaid_unless_an_svg_is_asked_for_and_its_gate_says_approval() {
    let project = Project::new();
    let mermaid = placet(&project).args(["graph", &slack_notify()]).run().expect_code(0);
    assert!(mermaid.stdout.starts_with("flowchart TD\n"), "{}", mermaid.stdout);
    assert!(mermaid.stdout.contains("approval\"}}:::gate"), "{}", mermaid.stdout);
    let svg = placet(&project).args(["graph", &slack_notify(), "--format", "svg"]).run();
    let svg = svg.expect_code(0).stdout;
    assert!(svg.starts_with("<svg ") && svg.contains(">approval<"), "{svg}");
}

#[test]
fn a_workflow_with_errors_has_no_picture_but_its_findings() {
    let project = Project::new();
    let file = fixture("workflows/err/unknown-key.yaml").display().to_string();
    let refused = placet(&project).args(["graph", &file]).run().expect_code(2);
    assert_eq!(refused.stdout, "");
    assert!(refused.stderr.contains("error[PL2003]"), "{}", refused.stderr);
}
