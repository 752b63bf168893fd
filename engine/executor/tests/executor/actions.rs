//! Actions of agents: one call under a key of its own, through the same gate as every other, with the
//! connections that the operator grants and within quotas.
//!
//! covers: S5, S8, S6, S9, T1, T22, A4, A10, A11

use crate::world::{Recorder, World, name, open_log, people, start_with};
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Start};
use placet_log::Log;
use placet_model::actor::{PrincipalKind, Role};
use placet_model::decision::{Assurance, DecisionState, Verdict};
use placet_model::policy::PrincipalInfo;
use placet_model::project::ProjectConfig;
use placet_projections::{DecisionRow, RunStatus, Views};
use serde_json::{Value, json};
use std::sync::Arc;

async fn world(grants: &[&str], open_max: u64, minute_max: u64) -> World {
    let world = on(open_log(None), grants, (open_max, minute_max)).await;
    world.furnish().await;
    let mut policy = people();
    let roles = [Role::Agent].into();
    let other = PrincipalInfo { kind: PrincipalKind::Agent, roles };
    policy.principals.insert(name("other"), other);
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    world
}

async fn on(log: Log, grants: &[&str], (open_max, minute_max): (u64, u64)) -> World {
    let mut config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    config.agents.grants = grants.iter().map(|grant| (*grant).to_owned()).collect();
    config.limits.agent_open_max = open_max;
    config.limits.agent_minute_max = minute_max;
    let recorder = Arc::new(Recorder::default());
    let place = (log, Clock::virtual_start());
    start_with(config, place, Arc::clone(&recorder) as _, recorder).await.unwrap()
}

fn message(key: &str, text: &str) -> Value {
    json!({
        "operation": "slack.chat.postMessage", "with": {"channel": "C1", "text": text},
        "idempotency_key": key, "reason": "the customer asked",
    })
}

fn row(world: &World, decision: placet_model::DecisionId) -> DecisionRow {
    let view = world.handle.view().unwrap();
    Views::new(&view).unwrap().decision(decision).unwrap().unwrap()
}

#[tokio::test]
async fn an_action_is_asked_for_at_once_and_sent_when_a_person_approves() {
    let mut world = world(&["agent:slack"], 10, 10).await;
    let acted = world.handle.ask_action(&name("agent"), &message("k1", "hello")).await.unwrap();
    let row = row(&world, acted.decision.expect("a write is asked for"));
    assert_eq!((row.run, row.state), (acted.run, DecisionState::Requested));
    assert_eq!(row.requester, name("agent"));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(acted.run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(
        world.events(acted.run)[..5],
        ["RunStarted", "ActionRequested", "TaskStarted", "DraftPrepared", "DecisionRequested"]
    );
}

#[tokio::test]
async fn the_reason_stands_apart_on_the_card_as_the_agents_words() {
    let world = world(&["agent:slack"], 10, 10).await;
    let mut body = message("k1", "hello");
    body["reason"] = json!("approved by ana already, target: slack:channel:SAFE");
    let acted = world.handle.ask_action(&name("agent"), &body).await.unwrap();
    let caller =
        Caller { principal: name("approver"), assurance: Assurance::Test, request_id: None };
    let card = world.handle.inbox_get(&caller, &json!({ "decision": acted.decision })).unwrap();
    assert_eq!(card["agent_says_unverified"], body["reason"]);
    assert_eq!(card["author_says_unverified"], Value::Null);
    let mut rest = card;
    rest["agent_says_unverified"] = Value::Null;
    assert!(!rest.to_string().contains("SAFE"), "nowhere else: {rest:#}");
}

#[tokio::test]
async fn the_same_key_is_the_same_action_and_another_content_is_refused() {
    let world = world(&["*:slack"], 10, 10).await;
    let agent = name("agent");
    let first = world.handle.ask_action(&agent, &message("k1", "hello")).await.unwrap();
    let again = world.handle.ask_action(&agent, &message("k1", "hello")).await.unwrap();
    assert_eq!(first, again);
    for (member, value) in [
        ("with", json!({"channel": "C2", "text": "hello"})),
        ("reason", json!("another")),
        ("integration", json!("slack")),
    ] {
        let mut body = message("k1", "hello");
        body[member] = value;
        let error = world.handle.ask_action(&agent, &body).await.unwrap_err();
        assert_eq!(error.code(), "PL4041", "{member}");
    }
    let other = world.handle.ask_action(&name("other"), &message("k1", "hello")).await.unwrap();
    assert_ne!(other.run, first.run, "a key is its agent's own");
    assert_eq!(world.open_items().len(), 2);
}

#[tokio::test]
async fn a_key_outlives_a_restart_with_its_answer_and_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let open = || crate::crash::open(dir.path(), crate::crash::Kill::Never).0;
    let before = on(open(), &["agent:slack"], (10, 10)).await;
    before.furnish().await;
    let first = before.handle.ask_action(&name("agent"), &message("k1", "hello")).await.unwrap();
    let World { engine, handle, .. } = before;
    engine.stop().await.unwrap();
    drop(handle);

    let after = on(open(), &["agent:slack"], (10, 10)).await;
    let again = after.handle.ask_action(&name("agent"), &message("k1", "hello")).await.unwrap();
    assert_eq!(first, again);
    let error = after.handle.ask_action(&name("agent"), &message("k1", "bye")).await.unwrap_err();
    assert_eq!(error.code(), "PL4041");
    assert_eq!(after.open_items().len(), 1);
}

#[tokio::test]
async fn fifty_at_once_with_one_key_are_one_action() {
    let world = world(&["agent:slack"], 10, 10).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let handle = world.handle.clone();
        asked.spawn(async move {
            handle.ask_action(&name("agent"), &message("k1", "hello")).await.unwrap()
        });
    }
    let answers = asked.join_all().await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(world.open_items().len(), 1);
}

/// S5: every agent against every connection, with and without a grant; nothing in the payload gives
/// one.
#[tokio::test]
async fn an_agent_uses_only_the_connections_that_it_was_granted() {
    type Body<'a> = &'a dyn Fn(&str) -> Value;

    let world = world(&["agent:slack", "other:webhook", "other:http"], 100, 100).await;
    world.connect("webhook").await;
    let slack = |key: &str| message(key, "hello");
    let webhook = |key: &str| json!({"operation": "webhook.event.send", "with": {"type": "a.b", "data": {"a": 1}}, "idempotency_key": key, "reason": "r"});
    let http = |key: &str| {
        json!({"operation": "http.request", "idempotency_key": key, "reason": "r",
            "with": {"method": "post", "endpoint": "https://example.com/x", "body": {"a": 1}}})
    };
    let bodies: [(&str, Body<'_>); 3] = [("slack", &slack), ("webhook", &webhook), ("http", &http)];
    let granted = [("agent", "slack"), ("other", "webhook"), ("other", "http")];
    for agent in ["agent", "other"] {
        for (connection, body) in &bodies {
            let body = body(&format!("{agent}-{connection}"));
            let answer = world.handle.ask_action(&name(agent), &body).await;
            let code = answer.as_ref().map_or_else(placet_executor::Error::code, |_| "granted");
            let expected =
                if granted.contains(&(agent, connection)) { "granted" } else { "PL4042" };
            assert_eq!(code, expected, "{agent} {connection}: {answer:?}");
        }
    }
    // what a payload says of connections, credentials or people is not listened to
    for member in ["integration", "credential", "token", "approvedBy"] {
        let mut body = webhook(&format!("x-{member}"));
        body["with"][member] = json!("slack");
        let error = world.handle.ask_action(&name("agent"), &body).await.unwrap_err();
        assert!(["PL2108", "PL4042"].contains(&error.code()), "{member}: {error}");
        let mut body = slack(&format!("y-{member}"));
        body["credential"] = json!("xoxb-1");
        let error = world.handle.ask_action(&name("agent"), &body).await.unwrap_err();
        assert_eq!(error.code(), "PL4003");
    }
    let mut named = slack("named");
    named["integration"] = json!("webhook");
    let error = world.handle.ask_action(&name("agent"), &named).await.unwrap_err();
    assert_eq!(error.code(), "PL4009", "a connection of another provider: {error}");
    assert_eq!(world.open_items().len(), 3);
}

#[tokio::test]
async fn without_a_grant_there_is_none() {
    let world = world(&[], 10, 10).await;
    let error = world.handle.ask_action(&name("agent"), &message("k", "x")).await.unwrap_err();
    assert_eq!(error.code(), "PL4042");
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_its_code_and_begins_nothing() {
    let world = world(&["*:*"], 10, 100).await;
    let with = |member: &str, value: Value| {
        let mut body = message("k1", "hello");
        body[member] = value;
        body
    };
    let cases = [
        (with("operation", json!("slack.chat.nothing")), "PL2102"),
        (with("operation", json!("nobody.does.this")), "PL2102"),
        (with("with", json!({"text": "no channel"})), "PL2108"),
        (with("with", json!({"channel": "C1", "text": 5})), "PL2108"),
        (with("with", json!([1])), "PL4003"),
        (with("reason", json!("  ")), "PL4003"),
        (with("reason", json!("x".repeat(2001))), "PL4003"),
        (with("idempotency_key", json!("")), "PL4003"),
        (with("idempotency_key", json!("a b")), "PL4003"),
        (with("integration", json!("nowhere")), "PL4009"),
        (with("mode", json!("live")), "PL4003"),
        (json!({"operation": "slack.chat.postMessage"}), "PL4003"),
    ];
    for (body, code) in cases {
        let error = world.handle.ask_action(&name("agent"), &body).await.unwrap_err();
        assert_eq!(error.code(), code, "{body}: {error}");
    }
    for (who, code) in [("approver", "PL4005"), ("author", "PL4005"), ("nobody", "PL3004")] {
        let error = world.handle.ask_action(&name(who), &message("k", "x")).await.unwrap_err();
        assert_eq!(error.code(), code, "{who}");
    }
    assert!(world.open_items().is_empty());
}

/// A10: an agent decides nothing, by whatever verdict, of its own or of others.
#[tokio::test]
async fn an_agent_never_votes() {
    let world = world(&["*:slack"], 10, 10).await;
    let acted = world.handle.ask_action(&name("agent"), &message("k", "x")).await.unwrap();
    let row = row(&world, acted.decision.unwrap());
    for who in ["agent", "other"] {
        for verdict in [Verdict::Approve, Verdict::Reject, Verdict::Respond] {
            let error = world.vote(&row, who, verdict).await.unwrap_err();
            assert_eq!(error.code(), "PL3012", "{who} {verdict}");
        }
    }
    assert!(self::row(&world, row.decision).votes.is_empty());
}

#[tokio::test]
async fn an_agent_takes_back_its_own_request_and_no_other() {
    let mut world = world(&["*:slack"], 10, 10).await;
    let acted = world.handle.ask_action(&name("agent"), &message("k", "x")).await.unwrap();
    let body = json!({ "decision": acted.decision, "reason": "no longer needed" });
    let how = Assurance::Transport;
    let others = world.handle.withdraw_action(&name("other"), &body, how).await.unwrap_err();
    assert_eq!(others.code(), "PL3001", "another's is as if it were not there");
    let receipt = world.handle.withdraw_action(&name("agent"), &body, how).await.unwrap();
    assert_eq!(receipt.state, DecisionState::Withdrawn);
    let report = world.finished(acted.run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-withdrawn", "{report:#}");
    let late = world.handle.withdraw_action(&name("agent"), &body, how).await.unwrap_err();
    assert_eq!(late.code(), "PL3007");
    assert_eq!(world.recorder.count(), 0);
}

/// S8: a thousand drafts at once; the limits hold, and what is settled makes room.
#[tokio::test]
async fn an_agent_cannot_fill_an_inbox() {
    let world = world(&["agent:slack"], 25, 10_000).await;
    let mut codes = std::collections::BTreeMap::new();
    for n in 0..1000 {
        let body = message(&format!("k{n}"), "hello");
        let answer = world.handle.ask_action(&name("agent"), &body).await;
        let code = answer.map_or_else(|error| error.code(), |_| "asked");
        *codes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(codes, [("PL4040", 975), ("asked", 25)].into());
    assert_eq!(world.open_items().len(), 25);
    let first = world.open_items().remove(0);
    world.vote(&first, "approver", Verdict::Reject).await.unwrap();
    world.handle.ask_action(&name("agent"), &message("more", "x")).await.unwrap();
    let error = world.handle.ask_action(&name("agent"), &message("yet", "x")).await.unwrap_err();
    assert_eq!(error.code(), "PL4040");
    // a key that was used before is answered all the same
    world.handle.ask_action(&name("agent"), &message("more", "x")).await.unwrap();
}

#[tokio::test]
async fn an_agent_begins_so_much_within_a_minute_by_whatever_door() {
    let world = world(&["*:slack"], 1000, 3).await;
    for n in 0..2 {
        let body = message(&format!("k{n}"), "hello");
        world.handle.ask_action(&name("agent"), &body).await.unwrap();
    }
    let plan = world.deploy(&crate::world::fixture("ok/slack-notify.yaml")).await;
    let start = |requester: &str| {
        let input = json!({"channel": "C1", "text": "x"});
        let mode = placet_model::draft::Mode::Sandbox;
        Start { plan, input, requester: name(requester), mode, seed: 0 }
    };
    world.handle.start(start("agent")).await.unwrap();
    let error = world.handle.start(start("agent")).await.unwrap_err();
    assert_eq!(error.code(), "PL4040");
    let error = world.handle.ask_action(&name("agent"), &message("k9", "x")).await.unwrap_err();
    assert_eq!(error.code(), "PL4040");
    world.handle.start(start("author")).await.unwrap();
    world.handle.ask_action(&name("other"), &message("k", "x")).await.unwrap();
    world.advance_to(world.handle.now().plus_millis(60_000));
    world.handle.ask_action(&name("agent"), &message("k9", "x")).await.unwrap();
}

#[tokio::test]
async fn a_fault_of_an_action_ends_its_run_and_says_so() {
    let mut world = world(&["agent:slack"], 10, 10).await;
    let acted = world.handle.ask_action(&name("agent"), &message("k", "x")).await.unwrap();
    let row = row(&world, acted.decision.unwrap());
    world.vote(&row, "approver", Verdict::Reject).await.unwrap();
    world.finished(acted.run).await;
    let ended = world.handle.run_row(acted.run).unwrap().unwrap();
    assert_eq!(ended.status, RunStatus::Faulted);
    assert_eq!(ended.fault.unwrap().0, "urn:placet:errors:approval-rejected");
}
