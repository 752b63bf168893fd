//! A connection that is for one part of an account: nothing goes through it until the part is chosen, and
//! then nothing but that; nobody is asked about what it may not, and what was approved under one choice is
//! not sent under another.

use crate::world::{Recorder, World, name, open_log, people, start, start_with};
use placet_adapters::{Call, Performing, Response, Transport};
use placet_executor::Clock;
use placet_executor::govern::Connect;
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::integration::{Identity, Integration, UseScope};
use placet_model::project::ProjectConfig;
use placet_model::{Actor, Event, Revision, StreamId};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

const MAIL: &str = "document: { dsl: '1.0.3', namespace: test, name: mail, version: '1.0.0' }
do:
  - mail:
      call: helpscout.conversations.create
      with: { mailbox_id: '${ .mailbox }', email: ada@example.com, subject: Hi, text: Hello, status: active }
";
const READ: &str = "document: { dsl: '1.0.3', namespace: test, name: read, version: '1.0.0' }
do:
  - read: { call: helpscout.threads.list, with: { conversation_id: '7' } }
";

fn connect(connection: &str, provider: &str, settings: Value) -> Connect {
    Connect {
        name: connection.into(),
        provider: provider.into(),
        settings,
        identity: Identity { id: "1".into(), tenant: "9".into() },
        label: "Help".into(),
        is_default: true,
        credential: Some((1, vec!["access_token".to_owned()])),
        scopes: None,
    }
}

async fn connected(world: &World, connect: Connect) {
    let id = world.handle.integration_id(&connect.name);
    world.handle.connect(&name("author"), id, connect).await.expect("it connects");
}

async fn of_mailbox(settings: Value) -> World {
    let world = start().await;
    connected(&world, connect("help", "helpscout", settings)).await;
    world
}

fn mailboxes() -> Value {
    let all = [(11, "Support"), (12, "Sales"), (13, "Support"), (14, "12")];
    let all = all.map(|(id, name)| json!({"id": id, "name": name}));
    json!({"_embedded": {"mailboxes": all}, "page": {"number": 1, "totalPages": 1}})
}

async fn choose(world: &World, value: Value) -> Result<Integration, (&'static str, String)> {
    world.recorder.answer(200, &mailboxes());
    let chosen = world.handle.choose(&name("author"), "help", ("mailbox", &value)).await;
    chosen.map_err(|error| (error.code(), error.to_string()))
}

#[tokio::test]
async fn a_connection_for_one_mailbox_writes_in_no_other() {
    let mut world = of_mailbox(json!({"mailbox": 12})).await;
    let run = world.run(MAIL, json!({"mailbox": 11}), Mode::Sandbox).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    let error = report["error"].to_string();
    assert!(error.contains("authorization") && error.contains("mailbox 12 alone"), "{error}");
    assert_eq!(world.open_items(), [], "nobody is asked about it");

    let run = world.run(MAIL, json!({"mailbox": 12}), Mode::Sandbox).await;
    world.item(|row| row.run == run).await;
}

#[tokio::test]
async fn nothing_goes_through_a_connection_until_its_part_is_chosen() {
    let mut world = of_mailbox(json!({})).await;
    for (text, mode) in [(MAIL, Mode::Live), (MAIL, Mode::Sandbox), (READ, Mode::Live)] {
        let run = world.run(text, json!({"mailbox": 12}), mode).await;
        let report = world.finished(run).await;
        let error = report["error"].to_string();
        assert!(error.contains("placet integrations complete help"), "{report:#}");
    }
    assert_eq!((world.open_items(), world.recorder.count()), (vec![], 0));
    choose(&world, json!("Sales")).await.expect("it is chosen");
    let run = world.run(MAIL, json!({"mailbox": 12}), Mode::Live).await;
    world.item(|row| row.run == run).await;
}

#[tokio::test]
async fn a_choice_is_one_of_those_listed_by_its_id_or_a_name_that_one_has_and_is_on_record() {
    let world = of_mailbox(json!({})).await;
    let refused = choose(&world, json!("Support")).await.unwrap_err();
    assert!(refused.0 == "PL3073" && refused.1.contains("by id: 11, 13"), "{refused:?}");
    assert_eq!(choose(&world, json!(99)).await.unwrap_err().0, "PL3073");
    // an id is an id, whatever else has it for a name
    let chosen = choose(&world, json!("12")).await.expect("it is chosen");
    assert_eq!(chosen.settings["mailbox"], 12);
    assert_eq!(choose(&world, json!(12)).await.expect("again").settings, chosen.settings);
    let view = world.handle.view().unwrap();
    let stream = StreamId::Integration(chosen.id);
    let events = view.stream(&stream, Revision::START).map(Result::unwrap);
    let made = events.filter(|event| matches!(event.event, Event::IntegrationConnected(_)));
    let made: Vec<_> = made.collect();
    let [_, last] = &made[..] else { panic!("configured once more, {} times", made.len()) };
    assert_eq!(last.actor, Actor::Principal(name("author")));
    let Event::IntegrationConnected(body) = &last.event else { unreachable!() };
    assert_eq!(serde_json::from_str::<Value>(&body.settings).unwrap(), chosen.settings);
}

#[tokio::test]
async fn what_was_approved_under_one_choice_is_not_sent_under_another() {
    let mut world = of_mailbox(json!({"mailbox": 12})).await;
    let run = world.run(MAIL, json!({"mailbox": 12}), Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    choose(&world, json!(11)).await.expect("it is chosen");
    world.handle.resume(&name("author"), None).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-void", "{report:#}");
    assert_eq!(report["error"]["detail"], "field_changed: settings_digest");
    let asked = world.recorder.seen.lock().unwrap().len();
    assert_eq!(asked, 1, "only the mailboxes were asked for");
}

#[tokio::test]
async fn what_was_approved_is_not_sent_when_the_connection_lacks_its_agents_part_by_then() {
    let mut config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    config.agents.grants = vec!["agent:slack".to_owned()];
    let recorder = Arc::new(Recorder::default());
    let (place, live) = ((open_log(None), Clock::virtual_start()), Arc::clone(&recorder));
    let mut world = start_with(config, place, live, recorder).await.unwrap();
    world.handle.apply_policy(&name("author"), people()).await.unwrap();
    connected(&world, connect("slack", "slack", Value::Null)).await;
    let action = json!({"operation": "slack.chat.postMessage", "with": {"channel": "C1", "text": "a"},
        "idempotency_key": "k1", "reason": "it is late"});
    let acted = world.handle.ask_action(&name("agent"), &action).await.unwrap();
    world.handle.pause(&name("author"), None).await.unwrap();
    let row = world.item(|row| row.run == acted.run).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();

    let agents = UseScope { agents: vec![name("agent")], ..UseScope::default() };
    world.handle.scope_integration(&name("author"), "slack", agents).await.unwrap();
    world.handle.resume(&name("author"), None).await.unwrap();
    let report = world.finished(acted.run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-void", "{report:#}");
    assert_eq!(world.recorder.count(), 0);
}

/// A provider that says when it was asked, and answers when it may.
#[derive(Debug, Default)]
struct Slow {
    asked: Notify,
    may: Notify,
}

impl Transport for Slow {
    fn perform(&self, _call: Call) -> Performing<'_> {
        Box::pin(async {
            self.asked.notify_one();
            self.may.notified().await;
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            Ok(Response::new(200, headers, mailboxes().to_string().into_bytes()))
        })
    }
}

#[tokio::test]
async fn what_one_account_lists_is_not_chosen_for_another() {
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    let slow = Arc::new(Slow::default());
    let (place, live) = ((open_log(None), Clock::virtual_start()), Arc::clone(&slow));
    let world = start_with(config, place, live, Arc::default()).await.unwrap();
    world.handle.apply_policy(&name("author"), people()).await.unwrap();
    let help = connect("help", "helpscout", json!({}));
    connected(&world, help.clone()).await;
    let twelve = json!(12);
    let (author, handle) = (name("author"), &world.handle);
    let other = Identity { id: "2".into(), tenant: "9".into() };
    let meanwhile = async {
        slow.asked.notified().await;
        connected(&world, Connect { identity: other, ..help }).await;
        slow.may.notify_one();
    };
    let (chosen, ()) =
        tokio::join!(handle.choose(&author, "help", ("mailbox", &twelve)), meanwhile);
    assert_eq!(chosen.unwrap_err().code(), "PL3074");
    assert_eq!(handle.named("help").unwrap().settings["mailbox"], Value::Null);
}
