//! Whoever gets a copy is reached too: rules look at them, and a vote given in advance for the
//! addressee covers nobody else.
//!
//! covers: S1, T13

use crate::world::{Recorder, World, name, open_log, people, start_parts};
use placet_adapters::{Adapters, ManifestFile, Transport};
use placet_executor::Clock;
use placet_executor::govern::Connect;
use placet_language::{Source, check_policy};
use placet_model::decision::{Assurance, Voter};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::project::ProjectConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const MANIFEST: &str = r#"manifest: 1
provider: post
title: Post
hosts: [api.post.example]
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  letters.send:
    effect: send
    input_schema: letter.json
    output_schema: any.json
    target: {grammar: '^(?<to>\S+@\S+)$', format: "{to}", examples: [ana@example.org]}
    recipients: [/cc]
    request: {method: POST, url: "https://api.post.example/letters", body: {kind: json, value: {to: "{target.to}", cc: "{input./cc?}", text: "{input./text}"}}}
    text_limits: none
    preview: {title: "Letter to {target}", fields: [/cc, /text]}
    classify: [{when: {status: 2xx}, outcome: sent}, {else: in_doubt}]
    result: {message_id: "{/id}"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
"#;
const LETTER: &str = r#"{"type": "object", "properties": {"to": {"type": "string"}, "cc": {"type": "array", "items": {"type": "string"}}, "text": {"type": "string"}}}"#;
const POLICY: &str = "
allowLists: { team: ['@example.org'] }
rules:
  - match: { outsideAllowList: team }
    require: { deny: true }
";

async fn world(policy: &str) -> World {
    let schemas = |path: &str| match path {
        "letter.json" => Some(LETTER.to_owned()),
        "any.json" => Some("{}".to_owned()),
        _ => None,
    };
    let file = ManifestFile { path: "adapters/post.yaml".into(), text: MANIFEST.into() };
    let adapters = Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap();
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder) as Arc<dyn Transport>;
    let place = (open_log(None), Clock::virtual_start());
    let world = start_parts((config, Arc::new(adapters)), place, live, recorder).await.unwrap();
    world.furnish().await;
    let connect = Connect {
        name: "post".into(),
        provider: "post".into(),
        settings: Value::Null,
        identity: Identity { id: "a".into(), tenant: "t".into() },
        label: "Post".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("post");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
    let source = Source::new("policy.yaml", policy);
    let (policy, findings) = check_policy(&source, Some(&people().principals));
    let policy = policy.unwrap_or_else(|| panic!("{findings:#?}"));
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    world
}

/// Status of the run, and what was asked of people.
async fn send(world: &mut World, with: Value) -> (String, usize) {
    let text = format!(
        "document: {{ dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }}\ndo:\n  - write: {{ call: post.letters.send, with: {with} }}\n"
    );
    let run = world.run(&text, json!({}), Mode::Live).await;
    let report = world.settled(run).await;
    let asked = world.open_items().into_iter().filter(|row| row.run == run).count();
    (report["status"].as_str().unwrap().to_owned(), asked)
}

#[tokio::test]
async fn a_copy_to_somebody_outside_the_allow_list_is_seen_by_the_rule() {
    let mut world = world(POLICY).await;
    let inside = json!({"to": "ana@example.org", "cc": ["ben@example.org"], "text": "Hi"});
    assert_eq!(send(&mut world, inside).await, ("waiting".into(), 1));
    let outside =
        json!({"to": "ana@example.org", "cc": ["ben@example.org", "eve@evil.test"], "text": "Hi"});
    assert_eq!(send(&mut world, outside).await, ("faulted".into(), 0));
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn votes_in_advance_for_an_addressee_do_not_cover_a_copy_to_anybody_else() {
    let standing = "
standing:
  - { name: notes, match: { operation: post.letters.send, target: ana@example.org }, until: 2030-01-01T00:00:00Z, maxPerDay: 5 }
";
    let mut world = world(standing).await;
    let voter = Voter { principal: name("approver"), assurance: Assurance::Session };
    let endorse = world.handle.endorse(&voter, "notes");
    endorse.await.unwrap();
    let alone = json!({"to": "ana@example.org", "text": "Hi"});
    assert_eq!(send(&mut world, alone).await, ("completed".into(), 0));
    let copied = json!({"to": "ana@example.org", "cc": ["eve@evil.test"], "text": "Hi"});
    assert_eq!(send(&mut world, copied).await, ("waiting".into(), 1));
    assert_eq!(world.recorder.count(), 1);
}
