//! M7: create → get → list → update → delete → 404, keys, conflicts, duplicates: of a provider that
//! has all of it, and of every shipped provider as far as it has it.

use placet_adapters::mock::StateVerb;
use placet_adapters::{Adapters, ManifestFile, Operation};
use placet_model::Timestamp;
use placet_sandbox::{Asked, Unknown, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static SHIPPED: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);

const PAGES: &str = r#"manifest: 1
provider: wiki
title: Wiki
hosts: [wiki.example.com]
auth: {kind: none}
operations:
  pages.create: &write
    effect: write
    input_schema: any.json
    output_schema: page.json
    target: {grammar: '^(?<id>[a-z0-9_-]+)$', format: "{id}", examples: [n1]}
    request: {method: POST, url: "https://wiki.example.com/pages/{target.id}", body: {kind: json, value: {title: "{input./title?}"}}}
    text_limits: none
    preview: {title: "Page {target}", fields: [/title]}
    classify:
      - {when: {status: 2xx}, outcome: sent}
      - {else: in_doubt}
    result: {message_id: "{/id}"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock:
      state: {store: pages, does: create, asked: /id}
      constants: {/version: 1}
      errors: &errors {rate_limited: {status: 429}, not_found: {status: 404, body: {message: no such page}}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}, version_conflict: {status: 412, body: {message: stale}}, duplicate: {status: 409, body: {message: taken}}}
  pages.update:
    <<: *write
    mock:
      state: {store: pages, does: update, asked: /id, version: {at: /version, asked: /version}}
      errors: *errors
  pages.delete:
    <<: *write
    effect: destructive
    mock:
      state: {store: pages, does: delete, asked: /id}
      errors: *errors
  pages.get:
    effect: read
    input_schema: any.json
    output_schema: page.json
    request: {method: GET, url: "https://wiki.example.com/pages/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
    mock:
      state: {store: pages, does: get, asked: /id}
      errors: {not_found: {status: 404, body: {message: no such page}}}
  pages.list:
    effect: read
    input_schema: any.json
    output_schema: list.json
    request: {method: GET, url: "https://wiki.example.com/pages"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
    mock:
      state: {store: pages, does: list, items: /pages}
"#;

fn wiki() -> Adapters {
    let page = json!({"type": "object", "required": ["id", "title", "version"], "properties": {
        "id": {"type": "string"}, "title": {"type": "string"}, "version": {"type": "integer"}}});
    let list = json!({"type": "object", "required": ["pages"], "properties": {
        "pages": {"type": "array", "items": page}}});
    let schemas = move |path: &str| match path {
        "any.json" => Some("{}".to_owned()),
        "page.json" => Some(page.to_string()),
        "list.json" => Some(list.to_string()),
        _ => None,
    };
    let file = ManifestFile { path: "adapters/wiki.yaml".to_owned(), text: PAGES.to_owned() };
    Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap()
}

/// Status and body.
fn ask(world: &mut World, operation: &Arc<Operation>, input: &Value) -> (u16, Value) {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let answer = world.answer(Asked {
        operation,
        integration: "main",
        input,
        key: None,
        send_id: "",
        seen: None,
        now,
        timeout: Duration::from_secs(30),
    });
    let answer = answer.unwrap();
    (answer.status, answer.json().unwrap_or_default())
}

#[test]
fn a_page_is_made_read_listed_changed_and_deleted_and_then_it_is_not_found() {
    let adapters = wiki();
    let mut world = World::new(0, Unknown::NotFound);
    let mut ask = |name: &str, input: Value| {
        ask(&mut world, adapters.operation(&format!("wiki.pages.{name}")).unwrap(), &input)
    };
    let (status, made) = ask("create", json!({"id": "home", "title": "Home"}));
    assert_eq!((status, &made["title"], &made["version"]), (200, &json!("Home"), &json!(1)));
    assert_eq!(ask("create", json!({"id": "home", "title": "Other"})).0, 409, "duplicate");
    assert_eq!(ask("get", json!({"id": "home"})), (200, made.clone()));
    assert_eq!(ask("list", json!({})).1["pages"], json!([made]));
    let (_, changed) = ask("update", json!({"id": "home", "title": "House", "version": 1}));
    assert_eq!((&changed["title"], &changed["version"]), (&json!("House"), &json!(2)));
    let (status, stale) = ask("update", json!({"id": "home", "title": "Late", "version": 1}));
    assert_eq!((status, stale), (412, json!({"message": "stale"})));
    assert_eq!(ask("get", json!({"id": "home"})).1["title"], "House");
    assert_eq!(ask("delete", json!({"id": "home"})).0, 200);
    let gone = (404, json!({"message": "no such page"}));
    assert_eq!(ask("get", json!({"id": "home"})), gone);
    assert_eq!(ask("update", json!({"id": "home", "title": "x", "version": 2})), gone);
    assert_eq!(ask("list", json!({})).1["pages"], json!([]));
}

/// What makes a thing of each store of the shipped providers, and what is said in it.
fn creates() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        (
            "resend.emails",
            "resend.emails.send",
            json!({"from": "a@example.com", "to": ["b@example.com"], "subject": "Hi", "text": "Hello"}),
        ),
        (
            "slack.messages",
            "slack.chat.postMessage",
            json!({"channel": "C0SALES", "text": "hello"}),
        ),
        ("stripe.customers", "stripe.customers.create", json!({"email": "ana@example.com"})),
        (
            "stripe.payment_intents",
            "stripe.payment_intents.create",
            json!({"amount": 1999, "currency": "eur"}),
        ),
        ("stripe.refunds", "stripe.refunds.create", json!({"payment_intent": "pi_1", "amount": 5})),
        (
            "stripe.webhook_endpoints",
            "stripe.webhook_endpoints.create",
            json!({"url": "https://placet.example/hooks/stripe", "enabled_events": ["refund.updated"]}),
        ),
        (
            "twilio.calls",
            "twilio.calls.create",
            json!({"to": "+15550000001", "from": "+15550000002", "url": "https://example.com/call"}),
        ),
        (
            "twilio.messages",
            "twilio.messages.create",
            json!({"to": "+15550000001", "from": "+15550000002", "body": "hello"}),
        ),
    ]
}

/// Every operation that declares state is played: each store is made in, read, listed and changed by
/// whatever operations it has.
#[test]
fn every_shipped_store_remembers_what_was_made_in_it() {
    let operations = || SHIPPED.manifests().values().flat_map(|m| m.operations().values());
    let store_of = |operation: &Operation| {
        let state = operation.mock().state()?;
        Some(format!("{}.{}", operation.provider(), state.store()))
    };
    let declared: BTreeSet<String> =
        operations().filter_map(|operation| store_of(operation)).collect();
    let played: BTreeSet<String> =
        creates().into_iter().map(|(store, ..)| store.to_owned()).collect();
    assert_eq!(declared, played, "a script for every store");
    for (store, create, input) in creates() {
        let mut world = World::new(0, Unknown::NotFound);
        let create = SHIPPED.operation(create).unwrap();
        let (status, made) = ask(&mut world, create, &input);
        assert!((200..300).contains(&status), "{store}: {status} {made}");
        let state = create.mock().state().unwrap();
        let thing = state.object().get(&made).unwrap();
        let id = state.id().get(thing).unwrap().clone();
        // what is deleted is not known any more: that comes last
        let mut others: Vec<_> =
            operations().filter(|other| store_of(other).as_deref() == Some(store)).collect();
        others.sort_by_key(|other| other.mock().state().unwrap().does() == StateVerb::Delete);
        for other in others {
            let state = other.mock().state().unwrap();
            let input = match state.does() {
                StateVerb::Create => continue,
                StateVerb::List => json!({"channel": "C0SALES"}),
                StateVerb::Get | StateVerb::Update | StateVerb::Delete => json!({"id": id}),
            };
            let input = if other.input_schema().is_some_and(|s| s.is_valid(&input)) {
                input
            } else {
                json!({})
            };
            let (status, answer) = ask(&mut world, other, &input);
            assert_eq!(status, 200, "{}: {answer}", other.name());
            let found = match state.items() {
                Some(items) => items
                    .get(&answer)
                    .unwrap()
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|item| state.id().get(item) == Some(&id)),
                None => state.id().get(state.object().get(&answer).unwrap()) == Some(&id),
            };
            assert!(found, "{} does not know {id}: {answer}", other.name());
            let unknown = json!({"id": "nobody_has_this"});
            if state.items().is_none() && other.input_schema().is_some_and(|s| s.is_valid(&unknown))
            {
                assert_eq!(ask(&mut world, other, &unknown).0, 404, "{}", other.name());
            }
        }
    }
}
