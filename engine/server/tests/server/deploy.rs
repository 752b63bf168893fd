//! Deploying over HTTP: what it changes is told before and after, and is an event with its actor.

use crate::world::{World, start, text, with_workflow};
use placet_executor::deploy::InForce;
use placet_model::{Event, Position};
use serde_json::{Value, json};

fn workflow(source: &str) -> Value {
    json!({"file": "w.yaml", "source": source})
}

/// Events since then, by name.
fn since(world: &World, position: Position) -> Vec<&'static str> {
    let view = world.handle.view().unwrap();
    view.events(position.next()).map(|event| event.unwrap().event.type_name()).collect()
}

#[tokio::test]
async fn a_change_is_shown_with_its_diff_and_a_look_records_nothing() {
    let world = with_workflow().await;
    let before = text("ok/slack-notify.yaml");
    let after = before.replace("slack.chat.postMessage", "slack.chat.postMessage # now");
    let after = after.replace("1.0.0'", "1.1.0'");
    assert_ne!(before, after);
    let mut body = workflow(&after);
    body["dry_run"] = json!(true);
    let head = world.head();
    let looked = world.post("/api/v1/workflows", &body).await.ok();
    assert_eq!(world.head(), head, "a look changes nothing");
    let change = &looked["change"];
    assert_eq!((&change["standing"], &change["kind"]), (&json!("changed"), &json!("workflow")));
    assert_eq!(change["replaces"], "ops/slack-notify@1.0.0");
    let diff = change["diff"].as_str().unwrap();
    assert!(diff.starts_with("--- ops/slack-notify (in force)\n+++ ops/slack-notify (proposed)\n"));
    assert!(diff.contains("\n-") && diff.contains("\n+") && diff.contains("1.1.0"), "{diff}");

    let deployed = world.post("/api/v1/workflows", &workflow(&after)).await.ok();
    assert_eq!(deployed["change"], looked["change"]);
    assert_eq!(since(&world, head), ["WorkflowDeployed"]);
    let again = world.post("/api/v1/workflows", &workflow(&after)).await.ok();
    assert_eq!(
        (&again["change"]["standing"], &again["change"]["diff"]),
        (&json!("unchanged"), &json!(""))
    );
    assert_eq!(since(&world, head).len(), 1, "the same again records nothing");
}

/// What had been deployed once used to count as deployed for ever.
#[tokio::test]
async fn changing_a_version_back_puts_the_first_text_into_force_again() {
    let world = with_workflow().await;
    let first = text("ok/slack-notify.yaml");
    let other = first.replace("${ .text }", "${ .text + \"!\" }");
    assert_ne!(first, other);
    let digest_of = |answer: Value| answer["plan_digest"].as_str().unwrap().to_owned();
    let latest = async || {
        let list = world.get("/api/v1/workflows").await.ok();
        list["workflows"][0]["plan_digest"].as_str().unwrap().to_owned()
    };
    let one = latest().await;
    let two = digest_of(world.post("/api/v1/workflows", &workflow(&other)).await.ok());
    assert_ne!(one, two);
    assert_eq!(latest().await, two);
    let back = world.post("/api/v1/workflows", &workflow(&first)).await.ok();
    assert_eq!(back["change"]["standing"], "changed");
    assert_eq!(digest_of(back), one);
    assert_eq!(latest().await, one);
}

const CRM: &str = r#"manifest: 1
provider: crm
title: CRM
category: other
auth: {kind: none}
hosts: [crm.example.com]
operations:
  people.search:
    effect: read
    input_schema: schemas/any.json
    request: {method: POST, url: "https://crm.example.com/search"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

fn manifest(source: &str, trust: &[&str]) -> Value {
    json!({
        "file": "adapters/crm.yaml", "source": source, "trust": trust,
        "schemas": {"schemas/any.json": "{}"},
    })
}

#[tokio::test]
async fn a_read_that_posts_needs_the_word_of_an_admin_and_keeps_it_while_it_stays_the_same() {
    let world = start().await;
    let head = world.head();
    let refused = world.post("/api/v1/manifests", &manifest(CRM, &[])).await;
    refused.is_problem(422, "PL6001");
    assert!(refused.body.contains("adapters/crm.yaml:9:"), "{refused:?}");
    assert_eq!(world.head(), head);

    let answer = world.post("/api/v1/manifests", &manifest(CRM, &["crm.people.search"])).await.ok();
    let change = &answer["change"];
    assert_eq!(
        (&change["standing"], &change["trusts"]),
        (&json!("new"), &json!(["crm.people.search"]))
    );
    assert_eq!(change["holds"], "next_start", "the engine has it from its next start on");
    assert_eq!(since(&world, head), ["OperationRegistered"]);
    let in_force = InForce::read(&world.handle.view().unwrap()).unwrap();
    assert_eq!(
        in_force.trusted().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["crm.people.search"]
    );
    assert!(in_force.adapters().unwrap().operation("crm.people.search").is_some());

    // a title changes nothing that was trusted
    let renamed = CRM.replace("title: CRM", "title: Our CRM");
    let answer = world.post("/api/v1/manifests", &manifest(&renamed, &[])).await.ok();
    assert_eq!(answer["change"]["standing"], "changed");
    assert!(answer["change"]["diff"].as_str().unwrap().contains("+title: Our CRM"));
    // another request is another operation
    let elsewhere = CRM.replace("/search\"", "/delete\"");
    let refused = world.post("/api/v1/manifests", &manifest(&elsewhere, &[])).await;
    refused.is_problem(422, "PL6001");
}

/// The same operation as a write, which nobody needs to trust.
const WRITE: &str = r#"manifest: 1
provider: crm
title: CRM
category: other
auth: {kind: none}
hosts: [crm.example.com]
operations:
  people.search:
    effect: write
    input_schema: schemas/any.json
    output_schema: schemas/any.json
    target: {grammar: '^(?<id>[a-z0-9]+)$', format: "{id}", examples: [n1]}
    request: {method: PUT, url: "https://crm.example.com/{target.id}", body: {kind: json, value: {text: "{input./text}"}}}
    text_limits: none
    preview: {title: "Note {target}", fields: [/text]}
    classify: [{when: {status: 2xx}, outcome: sent}, {else: in_doubt}]
    result: {message_id: "{/id}"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
"#;

#[tokio::test]
async fn only_authors_deploy_manifests_only_admins_trust_and_agents_neither() {
    let world = start().await;
    let policy =
        "principals: { writer: [author], robot: { kind: agent, roles: [author, admin] } }\n";
    world.post("/api/v1/policy", &json!({"file": "policy.yaml", "source": policy})).await.ok();
    let trusting = manifest(CRM, &["crm.people.search"]);
    let plain = manifest(WRITE, &[]);
    for (user, body) in [
        ("approver", &plain),
        ("agent", &plain),
        ("robot", &plain),
        ("robot", &trusting),
        ("writer", &trusting),
    ] {
        world.post_as(user, "/api/v1/manifests", body).await.is_problem(403, "PL4005");
    }
    let head = world.head();
    for body in [
        manifest(CRM, &["crm.nothing"]),
        manifest(&CRM.replace("provider: crm", "provider: slack"), &[]),
    ] {
        let answer = world.post("/api/v1/manifests", &body).await;
        assert!(answer.status == 400 || answer.status == 422, "{answer:?}");
    }
    assert_eq!(world.head(), head);
    world.post_as("writer", "/api/v1/manifests", &plain).await.ok();
    let last = world.handle.view().unwrap().event(world.head()).unwrap();
    assert!(
        matches!(&last.event, Event::OperationRegistered(body) if body.operation == "crm.people.search")
    );
    assert_eq!(last.actor.to_string(), "principal:writer");
}

#[tokio::test]
async fn a_workflow_is_refused_while_a_file_that_it_names_has_not_been_sent_along() {
    let world = start().await;
    let source = "document: { dsl: '1.0.3', namespace: ops, name: read, version: '1.0.0' }\n\
                  input: { schema: { resource: { endpoint: schemas/in.json } } }\n\
                  do:\n  - a: { set: { x: 1 } }\n";
    let head = world.head();
    let refused = world.post("/api/v1/workflows", &workflow(source)).await;
    let problem = refused.is_problem(422, "PL2102");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("w.yaml:2:") && detail.contains("schemas/in.json"), "{detail}");
    assert_eq!(world.head(), head);

    let mut body = workflow(source);
    body["documents"] = json!({"schemas/in.json": "{\"type\": \"object\"}"});
    let deployed = world.post("/api/v1/workflows", &body).await.ok();
    assert_eq!(deployed["diagnostics"], json!([]));
    assert_eq!(since(&world, head), ["WorkflowDeployed"]);
}
