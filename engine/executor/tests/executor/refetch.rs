//! A provider that posts an id and no more: the object is read after the answer to it, and the event is
//! told then, once, whatever happens in between.
//!
//! covers: S7

use crate::crash::{Kill, open};
use crate::world::{Recorder, World, name, start_parts};
use placet_adapters::inbound::Event as Came;
use placet_adapters::{Adapters, ManifestFile, Transport};
use placet_executor::Clock;
use placet_executor::arrivals::{Arrival, Landed};
use placet_executor::govern::Connect;
use placet_log::Log;
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::project::ProjectConfig;
use placet_model::{Event, Position, RunId};
use placet_projections::RunStatus;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Mail that is sent under an id of ours, and answers of which only an id is posted.
const MANIFEST: &str = r#"manifest: 1
provider: mail
title: The mail
hosts: [api.mail.example]
credentials: {schema: keys.json}
auth: {kind: bearer, placement: {header: Authorization, value: "Bearer {secret:token}"}}
operations:
  mails.send:
    effect: send
    input_schema: any.json
    output_schema: any.json
    target: {grammar: '^(?<to>\S+)$', format: "{to}", examples: [ana]}
    request: {method: POST, url: "https://api.mail.example/mails", body: {kind: json, value: {to: "{target.to}", message_id: "<{send_id}@mail.example>"}}}
    text_limits: none
    preview: {title: "Mail to {target}", fields: []}
    classify: [{when: {status: 2xx}, outcome: sent}, {else: in_doubt}]
    result: {external_id: "{/id}"}
    answered: {in_reply_to: "<{send_id}@mail.example>"}
    store: [/id]
    delivery: {kind: none}
    vendor_dry_run: none
    mock: {errors: {rate_limited: {status: 429}, not_found: {status: 404}, validation: {status: 400}, auth: {status: 401}, timeout_in_doubt: {transport: after_send, happened: false}}}
  received.get:
    effect: read
    input_schema: any.json
    output_schema: any.json
    request: {method: GET, url: "https://api.mail.example/received/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {when: {status: 404}, outcome: refused_permanent}, {else: refused_retry}]
inbound:
  verify: {alg: hmac-sha256, key: {secret: token}, header: X-Sig, signed: [raw_body], encoding: hex, integrity: body_signed}
  events:
    - when: {body: {at: /id, exists: true}}
      key: mail.received
      event_key: communication.message.received
      dedupe: /id
      refetch: {op: received.get, with: {id: "{input./mail}"}, correlate: {in_reply_to: "mail:In-Reply-To:/headers"}, data: {from: /from}}
      store: [/id, /mail]
      data: {event_id: /id, mail: /mail}
  carries_content: false
  ack: {ok: 200, duplicate: 200, unknown_connection: 200, bad_signature: 401, retry_later: 503}
  never_return: []
  deadline_ms: 3000
"#;
const KEYS: &str = r#"{"type": "object", "properties": {"token": {"type": "string"}}}"#;
const ASK: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }
do:
  - ask: { call: mail.mails.send, with: { to: ana } }
  - answer: { listen: { to: { one: { with: { type: mail.received, replyto: /do/0/ask } } } } }
";
const ANY: &str = "document: { dsl: '1.0.3', namespace: test, name: any, version: '1.0.0' }
do:
  - hear: { listen: { to: { one: { with: { source: '${ startswith(\"placet:integration:\") }' } } } } }
";

async fn on(log: Log, clock: Clock) -> World {
    let schemas = |path: &str| match path {
        "any.json" => Some("{}".to_owned()),
        "keys.json" => Some(KEYS.to_owned()),
        _ => None,
    };
    let file = ManifestFile { path: "adapters/mail.yaml".into(), text: MANIFEST.into() };
    let adapters = Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap();
    let config = ProjectConfig {
        project: "test".into(),
        read_hosts: vec!["api.mail.example".into()],
        ..ProjectConfig::default()
    };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder) as Arc<dyn Transport>;
    start_parts((config, Arc::new(adapters)), (log, clock), live, recorder).await.unwrap()
}

async fn connect(world: &World) {
    world.furnish().await;
    let connect = Connect {
        name: "mail".into(),
        provider: "mail".into(),
        settings: Value::Null,
        identity: Identity { id: "a".into(), tenant: "t".into() },
        label: "Mail".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("mail");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
}

/// The message as it is posted: the id of a mail, and nothing of it.
fn posted(world: &World, id: &str) -> Arrival {
    let all = world.handle.world();
    let integration = all.integrations.values().find(|known| known.provider == "mail").unwrap().id;
    Arrival {
        integration,
        credential_version: 0,
        event: Came {
            key: "mail.received".into(),
            event_key: "communication.message.received".into(),
            dedupe: id.into(),
            match_on: vec![],
            correlate: [].into(),
            data: json!({"event_id": id, "mail": format!("m-{id}")}),
            stored: json!({}),
            refetch: Some("received.get".into()),
            told: None,
            claim: None,
        },
    }
}

/// A run that has sent a mail and waits for the answer; the Message-ID of that mail.
async fn asked(world: &mut World) -> (RunId, String) {
    let run = world.run(ASK, Value::Null, Mode::Live).await;
    let item = world.item(|row| row.run == run).await;
    world.recorder.answer(201, &json!({"id": "out-1"}));
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    world.entry(run, "ask", "completed").await;
    let sent = world.recorder.sends()[0].to_view();
    (run, sent["body"]["message_id"].as_str().unwrap().to_owned())
}

fn mail(in_reply_to: &str) -> Value {
    json!({"from": "ana@example.org", "headers": {"in-reply-to": in_reply_to}, "text": "private"})
}

/// Types of what came, in the order of the log.
fn came(world: &World) -> Vec<String> {
    let view = world.handle.view().unwrap();
    let all = view.events(Position::START).map(|event| event.unwrap().event);
    all.filter_map(|event| match event {
        Event::InboundReceived(body) => Some(body.kind),
        Event::CredentialUsed(body) => Some(body.operation),
        _ => None,
    })
    .collect()
}

#[tokio::test]
async fn an_answer_of_which_only_the_id_is_posted_reaches_its_run_once_it_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), Kill::Never);
    let mut world = on(log, Clock::virtual_start()).await;
    connect(&world).await;
    world.engine.watch_connections();
    let (run, message_id) = asked(&mut world).await;

    // given a provider that cannot be read at first
    world.recorder.answer(503, &json!({}));
    let arrival = posted(&world, "ev1");
    let landed = world.handle.arrival(arrival.clone()).await.unwrap();
    assert!(matches!(landed, Landed::Stored(_)), "it is acknowledged before anything is read");
    world.engine.check_due_connections().await.unwrap();
    assert_eq!(came(&world), ["mail.received.notice", "mail.received.get"]);

    // when it can, after a while
    world.recorder.answer(200, &mail(&message_id));
    world.advance_to(world.clock.now().plus_millis(5_000));
    world.engine.check_due_connections().await.unwrap();

    // then the run hears of it, as the answer to its mail, with what the mail says and no more
    let report = world.finished(run).await;
    let heard = json!({"event_id": "ev1", "mail": "m-ev1", "from": "ana@example.org"});
    assert_eq!(report["output"], json!([heard]), "{report:#}");

    // and the same posted again is read by nobody
    let again = world.handle.arrival(arrival).await.unwrap();
    assert!(matches!(again, Landed::Duplicate(_)));
    world.engine.check_due_connections().await.unwrap();
    let read = "mail.received.get";
    assert_eq!(came(&world), ["mail.received.notice", read, read, "mail.received"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_it_was_posted_and_answers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), Kill::Never);
    let mut world = on(log, Clock::virtual_start()).await;
    connect(&world).await;
    world.engine.watch_connections();
    let (asking, _) = asked(&mut world).await;
    let any = world.run(ANY, Value::Null, Mode::Live).await;
    world.settled(any).await;
    world.recorder.answer(404, &json!({}));
    let arrival = posted(&world, "ev1");
    world.handle.arrival(arrival).await.unwrap();
    world.engine.check_due_connections().await.unwrap();

    // whoever waits for anything hears of the event itself, and never of the notice
    let report = world.finished(any).await;
    assert_eq!(report["output"], json!([{"event_id": "ev1", "mail": "m-ev1"}]), "{report:#}");
    let row = world.handle.run_row(asking).unwrap().unwrap();
    assert_eq!(row.status, RunStatus::Waiting, "it answers nobody's mail");
}

#[tokio::test]
async fn a_restart_between_the_message_and_the_reading_loses_nothing_and_tells_once() {
    // given a process that dies once the message is on disk, before anything was read
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::virtual_start();
    let (log, _) = open(dir.path(), Kill::Never);
    let mut first = on(log, clock.clone()).await;
    connect(&first).await;
    let (run, message_id) = asked(&mut first).await;
    first.engine.watch_connections();
    // it is told that the object cannot be read, so that the reading is still to come
    first.recorder.answer(503, &json!({}));
    let arrival = posted(&first, "ev1");
    first.handle.arrival(arrival).await.unwrap();
    first.engine.check_due_connections().await.unwrap();
    // events in between, so that telling is recorded beyond the message if nothing held it back
    for n in 0..70 {
        let event = json!({"type": "test.other", "id": format!("o{n}"), "source": "test"});
        first.handle.publish(event, None, &name("author")).await.unwrap();
    }
    let World { engine, handle, .. } = first;
    engine.stop().await.unwrap();
    drop(handle);

    // when the next one starts, and the one after that
    for life in 0..2 {
        let (log, _) = open(dir.path(), Kill::Never);
        let mut next = on(log, clock.clone()).await;
        if life == 0 {
            next.recorder.answer(200, &mail(&message_id));
        }
        next.engine.watch_connections();
        next.advance_to(clock.now().plus_millis(10_000));
        next.engine.check_due_connections().await.unwrap();
        // then the run hears of it once, and nobody reads it again
        if life == 0 {
            let report = next.finished(run).await;
            assert_eq!(report["output"][0]["from"], "ana@example.org", "{report:#}");
        }
        let told = came(&next).iter().filter(|kind| *kind == "mail.received").count();
        assert_eq!(told, 1);
        assert_eq!(next.recorder.count(), usize::from(life == 0));
        let World { engine, handle, .. } = next;
        engine.stop().await.unwrap();
        drop(handle);
    }
}
