//! What stands behind the ids of a draft: read before people are asked, shown as the provider's words of
//! a moment, never part of what they approve, and never waited for.
//!
//! covers: S1

use crate::branches::document;
use crate::crash::{Kill, open, open_counting};
use crate::world::{Recorder, World, name, open_log, start, start_parts};
use placet_adapters::{
    Adapters, Answer, Call, Cause, Failed, ManifestFile, Performing, Response, Transport,
};
use placet_executor::govern::Connect;
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Start};
use placet_log::Log;
use placet_model::RunId;
use placet_model::decision::{Assurance, Verdict};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::project::ProjectConfig;
use placet_model::request::PreparedRequest;
use placet_projections::{RunFilter, Views};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Every write names a customer by an id, and the provider knows the name behind it.
const MANIFEST: &str = r#"manifest: 1
provider: crm
title: The CRM
hosts: [api.crm.example]
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  notes.create:
    effect: write
    input_schema: note.json
    output_schema: any.json
    target: {grammar: '^(?<customer>[a-z0-9]+)$', format: "{customer}", examples: [c1]}
    request: {method: POST, url: "https://api.crm.example/customers/{target.customer}/notes", body: {kind: json, value: {text: "{input./text}"}}}
    text_limits: none
    preview:
      title: "Note on {target}"
      lookup: {op: customers.get, with: {id: "{target.customer}"}}
      fields: [/text, lookup./name, lookup./plan]
    classify: [{when: {status: 2xx}, outcome: sent}, {else: in_doubt}]
    result: {external_id: "{/id}"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
  customers.get:
    effect: read
    input_schema: any.json
    output_schema: any.json
    request: {method: GET, url: "https://api.crm.example/customers/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {when: {status: 404}, outcome: refused_permanent}, {else: refused_retry}]
    store: [/id]
"#;
const NOTE: &str = r#"{"type": "object", "properties": {"customer": {"type": "string"}, "text": {"type": "string"}}}"#;

const STEP: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }
do:
  - note: { call: crm.notes.create, with: { customer: c1, text: Hello } }
";

/// Answers what it is told, and never answers a read while nothing is told.
#[derive(Debug, Default)]
struct Provider {
    seen: Mutex<Vec<PreparedRequest>>,
    told: Mutex<Option<Answer>>,
    arrived: Notify,
    /// Lets an answer go that was held back.
    late: Arc<Notify>,
}

impl Provider {
    fn says(&self, status: u16, body: &Value) {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let body = body.to_string().into_bytes();
        let response = Response::new(status, headers, body);
        *self.told.lock().unwrap() = Some(Ok(response));
    }

    /// Somebody has asked.
    async fn asked(&self) {
        self.arrived.notified().await;
    }

    fn methods(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.method.clone()).collect()
    }
}

impl Transport for Provider {
    fn perform(&self, call: Call) -> Performing<'_> {
        self.seen.lock().unwrap().push((*call.request).clone());
        self.arrived.notify_one();
        let told = self.told.lock().unwrap().clone();
        let late = Arc::clone(&self.late);
        Box::pin(async move {
            if let Some(answer) = told {
                return answer;
            }
            late.notified().await;
            Ok(Response::new(200, vec![], br#"{"name": "Ana"}"#.to_vec()))
        })
    }
}

async fn world_on(log: Log, clock: Clock, live: &Arc<Provider>) -> World {
    let schemas = |path: &str| match path {
        "note.json" => Some(NOTE.to_owned()),
        "any.json" => Some("{}".to_owned()),
        _ => None,
    };
    let file = ManifestFile { path: "adapters/crm.yaml".into(), text: MANIFEST.into() };
    let adapters = Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap();
    let config = ProjectConfig {
        project: "test".into(),
        read_hosts: vec!["api.crm.example".into()],
        ..ProjectConfig::default()
    };
    let live = Arc::clone(live) as Arc<dyn Transport>;
    let recorder = Arc::new(Recorder::default());
    start_parts((config, Arc::new(adapters)), (log, clock), live, recorder).await.unwrap()
}

async fn world(live: &Arc<Provider>) -> World {
    let world = world_on(open_log(None), Clock::virtual_start(), live).await;
    connect(&world).await;
    world
}

async fn connect(world: &World) {
    world.furnish().await;
    let connect = Connect {
        name: "crm".into(),
        provider: "crm".into(),
        settings: Value::Null,
        identity: Identity { id: "a".into(), tenant: "t".into() },
        label: "CRM".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("crm");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
}

async fn card(world: &mut World, run: RunId) -> Value {
    let row = world.item(|row| row.run == run).await;
    let caller =
        Caller { principal: name("approver"), assurance: Assurance::Session, request_id: None };
    world.handle.inbox_get(&caller, &json!({ "decision": row.decision })).unwrap()
}

#[tokio::test]
async fn a_card_shows_the_name_behind_an_id_and_the_approved_bytes_do_not() {
    // given a provider that knows the customer
    let live = Arc::new(Provider::default());
    live.says(
        200,
        &json!({"id": "c1", "name": "Ana \u{202e}Smith", "plan": "gold", "notes": "private"}),
    );
    let mut world = world(&live).await;

    // when a step writes to it
    let run = world.run(STEP, Value::Null, Mode::Live).await;
    let card = card(&mut world, run).await;

    // then the card says who that is, in the provider's words, hidden letters made visible
    let said = &card["looked_up"];
    assert_eq!(said["operation"], "crm.customers.get");
    let at = said["at"].as_str().unwrap();
    assert_eq!(said["words"], format!("as The CRM said at {at}; no part of what is approved"));
    assert_eq!(said["fields"][0]["name"], "name");
    assert!(said["fields"][0]["value"].as_str().unwrap().starts_with("Ana "));
    assert!(!said["fields"][0]["value"].as_str().unwrap().contains('\u{202e}'));
    assert_eq!(said["fields"][1], json!({"name": "plan", "value": "gold"}));
    assert_eq!(said["fields"].as_array().unwrap().len(), 2, "nothing else of the answer");

    // and neither the document nor the bytes know of it
    let bound = format!("{}{}", card["document"], card["request"]);
    assert!(!bound.contains("Ana") && !bound.contains("gold"), "{bound}");

    // and the read is on record before the draft, and its credential with it
    let story = world.events(run);
    let read = ["PreviewRead", "PreviewRead", "DraftPrepared", "DecisionRequested"];
    assert_eq!(story[2..6], read, "{story:?}");

    // and after the approval exactly those bytes leave, and nobody is asked once more
    let row = world.item(|row| row.run == run).await;
    live.says(201, &json!({"id": "n1"}));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(live.methods(), ["GET", "POST"]);
    let sent = live.seen.lock().unwrap()[1].to_view();
    assert_eq!(sent, card["request"]);
}

#[tokio::test]
async fn the_card_of_a_refund_says_of_which_payment_and_writes_amounts_in_its_currency() {
    // given Stripe as it is shipped, and a payment that it knows
    let mut world = start().await;
    world.connect("stripe").await;
    let paid = json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1500, "amount_received": 1200, "currency": "eur",
        "status": "succeeded", "customer": "cus_1", "livemode": true, "metadata": {"note": "private"},
    });
    world.recorder.answer(200, &paid);

    // when a refund is asked for, whose call names no currency
    let refund = "  - refund: { call: stripe.refunds.create, with: { payment_intent: pi_1, amount: 500 } }\n";
    let run = world.run(&document(refund), Value::Null, Mode::Live).await;
    let card = card(&mut world, run).await;

    // then the card says what Stripe says
    let expected = json!([
        {"name": "money", "value": "5.00 EUR"},
        {"name": "amount", "value": "15.00 EUR"},
        {"name": "amount_received", "value": "12.00 EUR"},
        {"name": "status", "value": "succeeded"},
        {"name": "customer", "value": "cus_1"},
    ]);
    assert_eq!(card["looked_up"]["fields"], expected, "{card:#}");

    // and the bytes, which say no currency, say none
    assert!(!card["request"].to_string().to_lowercase().contains("eur"), "{card:#}");
    let asked = world.recorder.seen.lock().unwrap();
    assert_eq!(asked.len(), 1);
    let url = asked[0].to_view()["url"].to_string();
    assert!(url.contains("/v1/payment_intents/pi_1"), "{url}");
}

#[tokio::test]
async fn a_provider_that_does_not_say_holds_nobody_up_and_the_card_says_so() {
    // given providers that refuse, that are gone, and that answer with something else
    let cases = [
        (Some((404, json!({}))), "the answer's status was 404"),
        (Some((503, json!({}))), "the answer's status was 503"),
        (Some((200, json!({"other": 1}))), "the answer names nothing of what is shown"),
        (None, "before anything was sent: nobody listens"),
    ];
    for (answer, why) in cases {
        let live = Arc::new(Provider::default());
        if let Some((status, body)) = answer {
            live.says(status, &body);
        } else {
            let failed = Failed::before(Cause::Connect, "nobody listens");
            *live.told.lock().unwrap() = Some(Err(failed));
        }
        let mut world = world(&live).await;

        // when people are to be asked
        let run = world.run(STEP, Value::Null, Mode::Live).await;
        let card = card(&mut world, run).await;

        // then they are, after one read, and see that nobody has said anything
        assert_eq!(card["state"], "requested");
        assert_eq!(card["looked_up"]["unanswered"], why);
        assert!(card["looked_up"]["fields"].is_null());
        assert_eq!(live.methods(), ["GET"]);
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_waited_for_five_seconds_and_a_late_answer_changes_nothing() {
    // given a provider that does not answer
    let live = Arc::new(Provider::default());
    let mut world = world(&live).await;
    let run = world.run(STEP, Value::Null, Mode::Live).await;
    live.asked().await;
    assert!(world.open_items().is_empty(), "it has five seconds");

    // when they have passed
    world.advance_to(world.clock.now().plus_millis(5_000));

    // then people are asked, and see that it did not say
    let before = card(&mut world, run).await;
    assert_eq!(before["looked_up"]["unanswered"], "there was no answer within 5 seconds");

    // and what it says afterwards stands nowhere: the card is the one that people have read
    live.says(200, &json!({"name": "Ana"}));
    live.late.notify_one();
    world.settled(run).await;
    assert_eq!(card(&mut world, run).await["looked_up"], before["looked_up"]);
    assert_eq!(world.events(run).iter().filter(|kind| **kind == "PreviewRead").count(), 2);
}

#[tokio::test]
async fn a_process_that_dies_as_the_read_begins_asks_people_without_it() {
    // given a project, and how many commits it takes until a run begins
    let commits = Arc::new(AtomicU64::new(0));
    let furnished = {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open_counting(dir.path(), Kill::Never, &commits);
        let world = world_on(log, Clock::virtual_start(), &Arc::new(Provider::default())).await;
        connect(&world).await;
        world.deploy(STEP).await;
        commits.load(Ordering::SeqCst)
    };

    // and a process that dies once it is on disk that the provider is asked
    let dir = tempfile::tempdir().unwrap();
    let (live, clock) = (Arc::new(Provider::default()), Clock::virtual_start());
    let (log, _death) = open(dir.path(), Kill::After(furnished + 1));
    let first = world_on(log, clock.clone(), &live).await;
    connect(&first).await;
    let plan = first.deploy(STEP).await;
    let (mode, requester) = (Mode::Live, name("author"));
    let start = Start { plan, input: Value::Null, requester, mode, seed: 0 };
    first.handle.start(start).await.unwrap_err();
    let World { engine, handle, .. } = first;
    engine.stop().await.unwrap_err();
    drop(handle);

    // when the next one has waited as long as anybody does
    clock.hold_at(Some(clock.now()));
    let (log, _) = open(dir.path(), Kill::Never);
    let mut second = world_on(log, clock.clone(), &live).await;
    let run = {
        let view = second.handle.view().unwrap();
        let rows = Views::new(&view).unwrap().runs(&RunFilter::default(), None, 1).unwrap();
        rows[0].run
    };
    assert!(second.events(run).ends_with(&["PreviewRead"]), "{:?}", second.events(run));
    second.advance_to(clock.now().plus_millis(5_000));

    // then it asks people, of the very same draft
    let card = card(&mut second, run).await;
    assert_eq!(card["looked_up"]["unanswered"], "there was no answer within 5 seconds");
    assert_eq!(card["request"]["body"], json!({"text": "Hello"}));
    assert!(live.methods().is_empty(), "the first has not come to it, the second does not");
}

#[tokio::test]
async fn what_is_paused_is_asked_of_people_and_of_no_provider() {
    let live = Arc::new(Provider::default());
    live.says(200, &json!({"name": "Ana"}));
    let mut world = world(&live).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    let run = world.run(STEP, Value::Null, Mode::Live).await;
    let card = card(&mut world, run).await;
    assert!(card["looked_up"]["unanswered"].as_str().unwrap().contains("paused"), "{card:#}");
    assert!(live.methods().is_empty(), "nothing has left");
}

#[tokio::test]
async fn in_the_sandbox_nobody_is_asked_and_the_card_claims_nothing() {
    let live = Arc::new(Provider::default());
    let mut world = world(&live).await;
    let run = world.run(STEP, Value::Null, Mode::Sandbox).await;
    let card = card(&mut world, run).await;
    assert!(card["looked_up"].is_null());
    assert!(!world.events(run).contains(&"PreviewRead"));
}
