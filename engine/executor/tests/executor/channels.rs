//! `notify.send`: a call by a channel is led to one concrete send of one connection, and passes the gate
//! as that send. The route is on record, and an approval whose channel leads elsewhere is void.
//!
//! covers: S1, T8, A1, A11

use crate::world::{Recorder, World, name, open_log, people, start, start_with};
use placet_executor::govern::Connect;
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Vote};
use placet_model::approval::Threshold;
use placet_model::decision::{Assurance, DecisionState, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::integration::Identity;
use placet_model::policy::{Match, Require, Rule};
use placet_model::project::ProjectConfig;
use placet_model::{Event, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};
use std::sync::Arc;

const BY: &str = r"
document: { dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }
do:
  - tell:
      call: notify.send
      with: { channel: '${ .by }', to: '${ .to }', subject: Late, text: '${ .text }' }
";

fn by_channel(channel: &str, to: &str) -> Value {
    json!({ "by": channel, "to": to, "text": "A-1 is late" })
}

fn written_out(channel: &str, more: &str) -> String {
    format!(
        "document: {{ dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }}\ndo:\n  - tell: {{ call: notify.send, with: {{ channel: {channel}, text: Late{more} }} }}\n"
    )
}

async fn connect(world: &World, connection: &str, provider: &str, settings: Value) {
    let connect = Connect {
        name: connection.to_owned(),
        provider: provider.to_owned(),
        settings,
        identity: Identity { id: format!("B-{connection}"), tenant: "T1".into() },
        label: "Test".into(),
        is_default: true,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id(connection);
    world.handle.connect(&name("author"), id, connect).await.unwrap();
}

async fn asked(world: &mut World, input: Value) -> (RunId, DecisionRow) {
    let run = world.run(BY, input, Mode::Live).await;
    let report = world.settled(run).await;
    assert_eq!(report["status"], "waiting", "{report:#}");
    (run, world.open_items().into_iter().find(|row| row.run == run).unwrap())
}

fn card(world: &World, row: &DecisionRow) -> Value {
    let caller = Caller { principal: name("author"), assurance: Assurance::Test, request_id: None };
    world.handle.inbox_get(&caller, &json!({ "decision": row.decision })).unwrap()
}

fn body_of(world: &World) -> Value {
    let seen = world.recorder.seen.lock().unwrap();
    let last = seen.last().expect("something left");
    last.to_view()["body"].clone()
}

fn events(world: &World, run: RunId) -> Vec<Event> {
    let view = world.handle.view().unwrap();
    let stream = StreamId::Run(run);
    let events = view.stream(&stream, Revision::START);
    events.map(|event| event.unwrap().event).collect()
}

#[tokio::test]
async fn what_is_approved_and_sent_is_the_concrete_send_and_the_card_shows_both() {
    let mut world = start().await;
    let (run, row) = asked(&mut world, by_channel("slack", "C0OPS")).await;
    assert_eq!(row.operation, "slack.chat.postMessage");
    let shown = card(&world, &row);
    assert_eq!(shown["target"], "C0OPS");
    assert_eq!(shown["identity"]["id"], "B1");
    assert_eq!(shown["document"]["operation"], "slack.chat.postMessage");
    let routed =
        json!({ "operation": "notify.send", "channel": "slack", "to": "slack.chat.postMessage" });
    assert_eq!(shown["routed"], routed);
    let approved = shown["request_digest"].clone();

    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    let sent = world
        .recorder
        .seen
        .lock()
        .unwrap()
        .last()
        .map(placet_model::request::PreparedRequest::digest);
    assert_eq!(json!(sent), approved, "the bytes that were approved are the bytes that left");
    assert_eq!(body_of(&world)["text"], "Late\n\nA-1 is late");
    let story = world.events(run);
    assert_eq!(story[2..5], ["SendRouted", "DraftPrepared", "DecisionRequested"]);
}

#[tokio::test]
async fn nothing_goes_by_a_channel_without_an_approval() {
    let mut world = start().await;
    let (run, row) = asked(&mut world, by_channel("slack", "C0OPS")).await;
    assert_eq!(world.recorder.count(), 0);
    world.vote(&row, "approver", Verdict::Reject).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "faulted");
    assert_eq!(world.recorder.count(), 0);
}

/// An approval that is held while the project's connections change.
async fn held(world: &mut World, channel: &str) -> RunId {
    let (run, row) = asked(world, by_channel(channel, "C0OPS")).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    run
}

#[tokio::test]
async fn a_default_connection_that_changes_after_the_approval_makes_it_void() {
    let mut world = start().await;
    let run = held(&mut world, "slack").await;
    connect(&world, "other", "slack", json!({})).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["detail"], "route_changed", "{report:#}");
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn a_connection_that_the_channel_names_stays_whatever_becomes_the_default() {
    let mut world = start().await;
    let run = held(&mut world, "slack:slack").await;
    connect(&world, "other", "slack", json!({})).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(world.recorder.count(), 1);
}

#[tokio::test]
async fn an_edit_changes_the_concrete_send_and_stays_where_it_was_led() {
    let mut world = start().await;
    let (run, row) = asked(&mut world, by_channel("slack", "C0OPS")).await;
    let vote = Vote {
        ballot: world.ballot(&row, Verdict::Edit),
        voter: Voter { principal: name("approver"), assurance: Assurance::Test },
        request_id: None,
        signed: None,
    };
    let with = json!({ "channel": "C0OPS", "text": "A-1 comes tomorrow" });
    let receipt = world.handle.edit(vote, with).await.unwrap();
    assert_eq!(receipt.state, DecisionState::Superseded);
    let next = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    assert_eq!(card(&world, &next)["routed"]["channel"], "slack");
    world.vote(&next, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(body_of(&world)["text"], "A-1 comes tomorrow");
}

#[tokio::test]
async fn a_policy_may_mean_the_call_by_its_channel_or_the_send_that_comes_of_it() {
    for operation in ["notify.send", "slack.chat.postMessage"] {
        let mut world = start().await;
        let threshold = Threshold { from: vec![], approve: 2, deny: 1, escalate: None };
        let require = Require { thresholds: vec![threshold], ..Require::default() };
        let matches = Match { operation: vec![operation.into()], ..Match::default() };
        let mut policy = people();
        policy.rules.push(Rule { name: "two".into(), matches, require, ..Rule::default() });
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
        let (_, row) = asked(&mut world, by_channel("slack", "C0OPS")).await;
        assert_eq!(row.requirement.rules, ["two"], "{operation}");
    }
}

#[tokio::test]
async fn a_policy_that_blocks_either_name_lets_nothing_go() {
    for operation in ["notify.send", "slack.chat.postMessage"] {
        let mut world = start().await;
        let (run, row) = asked(&mut world, by_channel("slack", "C0OPS")).await;
        let mut policy = people();
        policy.blocked.insert(operation.into());
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
        world.vote(&row, "approver", Verdict::Approve).await.unwrap();
        assert_eq!(world.finished(run).await["status"], "faulted", "{operation}");
        assert_eq!(world.recorder.count(), 0, "{operation}");
    }
}

async fn refused(world: &World, text: &str) -> String {
    let plan = world.plan(text);
    let error = world.handle.deploy(&name("author"), plan, text).await.unwrap_err();
    assert_eq!(error.code(), "PL4070");
    error.to_string()
}

#[tokio::test]
async fn a_channel_that_leads_nowhere_is_refused_at_deploy_with_where_and_what_to_do() {
    let world = start().await;
    let said = refused(&world, &written_out("telegram", ", to: 7")).await;
    assert!(said.contains("ops/tell@1.0.0: /do/0/tell: nothing here carries the channel telegram: connect one of telegram"), "{said}");
    let said = refused(&world, &written_out("slack", "")).await;
    assert!(said.contains("slack cannot carry it") && said.contains("notify_to"), "{said}");
    let said = refused(&world, &written_out("'slack:nobody'", ", to: C0OPS")).await;
    assert!(said.contains("there is no connection named nobody: slack goes by slack"), "{said}");
    connect(
        &world,
        "mail-a",
        "smtp",
        json!({"server": "smtps://mail.example.com:465", "user": "u"}),
    )
    .await;
    connect(&world, "mail-b", "gmail", json!({})).await;
    let said = refused(&world, &written_out("email", ", to: ops@example.com")).await;
    assert!(said.contains("could go by") && said.contains("as in email:"), "{said}");
    // and each of them is taken once it is clear
    for (channel, more) in [("slack", ", to: C0OPS"), ("'email:mail-a'", ", to: ops@example.com")] {
        let text = written_out(channel, more);
        world.handle.deploy(&name("author"), world.plan(&text), &text).await.unwrap();
    }
}

#[tokio::test]
async fn a_channel_that_an_expression_gives_is_refused_when_the_step_begins() {
    let mut world = start().await;
    for (by, words) in [("pager", "no provider carries"), ("telegram", "nothing here carries")] {
        let run = world.run(BY, by_channel(by, "7"), Mode::Live).await;
        let report = world.settled(run).await;
        let detail = report["error"]["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(words), "{report:#}");
        assert!(!events(&world, run).iter().any(|e| matches!(e, Event::SendRouted(_))));
    }
}

#[tokio::test]
async fn an_agent_tells_people_by_a_channel_whose_connection_it_may_use() {
    let mut config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    config.agents.grants = vec!["agent:slack".to_owned()];
    let recorder = Arc::new(Recorder::default());
    let place = (open_log(None), Clock::virtual_start());
    let live = Arc::clone(&recorder) as _;
    let world = start_with(config, place, live, recorder).await.unwrap();
    world.furnish().await;
    world.connect("webhook").await;
    let action = |channel: &str, key: &str| {
        json!({
            "operation": "notify.send", "idempotency_key": key, "reason": "it is late",
            "with": { "channel": channel, "to": "C0OPS", "text": "A-1 is late" },
        })
    };
    let acted = world.handle.ask_action(&name("agent"), &action("slack", "k1")).await.unwrap();
    let row = world.open_items().into_iter().find(|row| Some(row.decision) == acted.decision);
    assert_eq!(row.expect("it is asked for").operation, "slack.chat.postMessage");
    for (channel, code) in [("webhook", "PL4042"), ("telegram", "PL4070"), ("Slack!", "PL2108")] {
        let refused = world.handle.ask_action(&name("agent"), &action(channel, channel)).await;
        assert_eq!(refused.unwrap_err().code(), code, "{channel}");
    }
}
