//! M7: create → get → list → update → delete → 404, keys, conflicts, duplicates: of a provider that
//! has all of it, and of every shipped provider as far as it has it.

use super::{Figure, Verdict, ask, now};
use placet_adapters::mock::StateVerb;
use placet_adapters::{Adapters, ManifestFile, Operation};
use placet_sandbox::{Asked, Unknown, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

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

/// Status and body; 0 where there is no answer.
fn told(world: &mut World, operation: &Arc<Operation>, input: &Value) -> (u16, Value) {
    let answer = ask(world, operation, input);
    answer.map_or((0, Value::Null), |answer| (answer.status, answer.json().unwrap_or_default()))
}

/// What makes a thing of each store of the shipped providers, and what is said in it.
pub(crate) fn creates() -> Vec<(&'static str, &'static str, Value)> {
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

/// What was played, and what did not go as it should.
#[derive(Debug, Default)]
struct Played {
    steps: usize,
    faults: Vec<String>,
}

impl Played {
    fn step(
        &mut self,
        what: &str,
        (found, wanted): (impl PartialEq<Value> + std::fmt::Debug, Value),
    ) {
        self.steps += 1;
        if found != wanted {
            self.faults.push(format!("{what}: {found:?}, not {wanted}"));
        }
    }

    /// A provider that has all of it.
    fn wiki(&mut self) {
        let adapters = wiki();
        let mut world = World::new(0, Unknown::NotFound);
        let mut ask = |name: &str, input: Value| {
            told(&mut world, adapters.operation(&format!("wiki.pages.{name}")).unwrap(), &input)
        };
        let (status, made) = ask("create", json!({"id": "home", "title": "Home"}));
        let said = json!([status, made["title"], made["version"]]);
        self.step("a page is made", (said, json!([200, "Home", 1])));
        let again = ask("create", json!({"id": "home", "title": "Other"})).0;
        self.step("a duplicate", (json!(again), json!(409)));
        let (status, read) = ask("get", json!({"id": "home"}));
        self.step("it is read", (json!([status, read]), json!([200, made])));
        let listed = ask("list", json!({})).1["pages"].clone();
        self.step("it is listed", (listed, json!([made])));
        let (_, changed) = ask("update", json!({"id": "home", "title": "House", "version": 1}));
        let said = json!([changed["title"], changed["version"]]);
        self.step("it is changed", (said, json!(["House", 2])));
        let (status, stale) = ask("update", json!({"id": "home", "title": "Late", "version": 1}));
        self.step("a stale version", (json!([status, stale]), json!([412, {"message": "stale"}])));
        let kept = ask("get", json!({"id": "home"})).1["title"].clone();
        self.step("nothing was changed by it", (kept, json!("House")));
        let deleted = ask("delete", json!({"id": "home"})).0;
        self.step("it is deleted", (json!(deleted), json!(200)));
        let gone = json!([404, {"message": "no such page"}]);
        let (status, body) = ask("get", json!({"id": "home"}));
        self.step("it is not found", (json!([status, body]), gone.clone()));
        let (status, body) = ask("update", json!({"id": "home", "title": "x", "version": 2}));
        self.step("nor changed", (json!([status, body]), gone));
        let listed = ask("list", json!({})).1["pages"].clone();
        self.step("nor listed", (listed, json!([])));
    }

    /// One store of a shipped provider: made in, read, listed and changed by whatever operations it has.
    fn store(&mut self, adapters: &Adapters, (store, create, input): (&str, &str, Value)) {
        let mut world = World::new(0, Unknown::NotFound);
        let create = adapters.operation(create).unwrap();
        let (status, made) = told(&mut world, create, &input);
        self.step(store, (json!((200..300).contains(&status)), json!(true)));
        let state = create.mock().state().unwrap();
        let made = state.object().get(&made).and_then(|thing| state.id().get(thing));
        let Some(id) = made.cloned() else {
            self.faults.push(format!("{store}: nothing was made"));
            return;
        };
        // what is deleted is not known any more: that comes last
        let mut others: Vec<_> = operations(adapters)
            .filter(|other| store_of(other).as_deref() == Some(store))
            .filter(|other| other.mock().state().unwrap().does() != StateVerb::Create)
            .collect();
        others.sort_by_key(|other| other.mock().state().unwrap().does() == StateVerb::Delete);
        for other in others {
            self.other(&mut world, other, &id);
        }
    }

    fn other(&mut self, world: &mut World, operation: &Arc<Operation>, id: &Value) {
        let (name, state) = (operation.name(), operation.mock().state().unwrap());
        let takes = |input: &Value| operation.input_schema().is_some_and(|s| s.is_valid(input));
        let input = match state.does() {
            StateVerb::List => json!({"channel": "C0SALES"}),
            _ => json!({"id": id}),
        };
        let input = if takes(&input) { input } else { json!({}) };
        let (status, answer) = told(world, operation, &input);
        self.step(name, (json!(status), json!(200)));
        let found = match state.items() {
            Some(items) => {
                let listed = items.get(&answer).and_then(Value::as_array);
                listed.into_iter().flatten().any(|item| state.id().get(item) == Some(id))
            }
            None => state.object().get(&answer).and_then(|thing| state.id().get(thing)) == Some(id),
        };
        self.step(&format!("{name} knows what was made"), (json!(found), json!(true)));
        let unknown = json!({"id": "nobody_has_this"});
        if state.items().is_none() && takes(&unknown) {
            let status = told(world, operation, &unknown).0;
            self.step(&format!("{name} of another"), (json!(status), json!(404)));
        }
    }

    /// The same key again is the same answer; another request under it is refused.
    fn key(&mut self, operation: &Arc<Operation>, input: &Value) {
        let mut world = World::new(0, Unknown::NotFound);
        let mut asked = |input: &Value| {
            let answer = world.answer(Asked {
                operation,
                integration: "main",
                input,
                key: Some("the-key"),
                send_id: "",
                seen: None,
                now: now(),
                timeout: Duration::from_secs(30),
            });
            answer.map_or((0, vec![]), |answer| (answer.status, answer.body))
        };
        let (first, again) = (asked(input), asked(input));
        let name = operation.name();
        self.step(&format!("{name} under its key again"), (json!(first == again), json!(true)));
        let mut other = input.clone();
        other["metadata"] = json!({"another": "request"});
        if operation.input_schema().is_some_and(|schema| schema.is_valid(&other)) {
            let refused = asked(&other).0;
            self.step(
                &format!("{name} under a key of another"),
                (json!(refused >= 400), json!(true)),
            );
        }
    }
}

fn operations(adapters: &Adapters) -> impl Iterator<Item = &Arc<Operation>> {
    adapters.manifests().values().flat_map(|manifest| manifest.operations().values())
}

fn store_of(operation: &Operation) -> Option<String> {
    let state = operation.mock().state()?;
    Some(format!("{}.{}", operation.provider(), state.store()))
}

/// Every operation that declares state is played, and every one that takes a key.
pub(crate) fn m7_scripts() -> Figure {
    let (adapters, mut played) = (Adapters::shipped(), Played::default());
    played.wiki();
    let declared: BTreeSet<String> =
        operations(&adapters).filter_map(|one| store_of(one)).collect();
    let scripted: BTreeSet<String> = creates().into_iter().map(|(s, ..)| s.to_owned()).collect();
    played.step("a script for every store", (json!(declared), json!(scripted)));
    let (mut keys, stores) = (0, scripted.len());
    for (store, create, input) in creates() {
        let operation = adapters.operation(create).unwrap();
        if operation.delivery().key_header().is_some() {
            keys += 1;
            played.key(operation, &input);
        }
        played.store(&adapters, (store, create, input));
    }
    let Played { steps, faults } = played;
    Figure {
        id: "M7",
        of: "scripts of state",
        found: format!(
            "{} of {steps} steps as the provider does, of one that has all and of {stores} stores, {keys} with keys",
            steps - faults.len()
        ),
        bound: "all of them",
        verdict: Verdict::of(faults.is_empty()),
        notes: vec![],
    }
    .with_faults(&faults)
}
