//! The gate through the engine: nothing leaves before the votes, exactly the approved bytes leave
//! once, and what is in the way is held, asked again, or refused.
//!
//! covers: S1, S9, T11, T12, T18, T22, T23

use crate::world::{World, fixture, name, people, start};
use placet_adapters::{Cause, Failed};
use placet_executor::govern::Connect;
use placet_model::approval::Threshold;
use placet_model::decision::{DecisionState, Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::integration::{Identity, IntegrationStatus};
use placet_model::policy::{Match, Require, Rule};
use placet_model::request::PreparedRequest;
use placet_model::{RunId, StreamId};
use serde_json::{Value, json};

async fn asked(world: &mut World, mode: Mode) -> RunId {
    let text = fixture("ok/slack-notify.yaml");
    let run = world.run(&text, json!({"channel": "C0123", "text": "hello"}), mode).await;
    let report = world.settled(run).await;
    assert_eq!(report["status"], "waiting", "{report:#}");
    run
}

fn stored_request(world: &World) -> PreparedRequest {
    let row = world.open_items().remove(0);
    let view = world.handle.view().unwrap();
    let payload = view.payload(&StreamId::Run(row.run), row.request).unwrap();
    PreparedRequest::from_bytes(payload.as_bytes()).unwrap()
}

#[tokio::test]
async fn nothing_leaves_before_approval_and_then_exactly_the_approved_bytes_once() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    assert_eq!(world.recorder.count(), 0);
    let approved = stored_request(&world);
    let row = world.open_items().remove(0);
    let receipt = world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(receipt.state, DecisionState::Approved);
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(*world.recorder.seen.lock().unwrap(), [approved]);
    assert_eq!(
        world.events(run),
        [
            "RunStarted",
            "TaskStarted",
            "DraftPrepared",
            "DecisionRequested",
            "VoteCast",
            "DecisionSettled",
            "AttemptStarted",
            "AttemptSucceeded",
            "TaskCompleted",
            "RunCompleted",
        ]
    );
}

#[tokio::test]
async fn a_sandbox_run_takes_the_same_path_and_says_what_would_have_left() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Sandbox).await;
    let approved = stored_request(&world);
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    let sent = &report["trace"][0]["would_have_sent"];
    assert_eq!(sent["body"], approved.to_view()["body"]);
    assert_eq!(sent["digest"], row.digest.to_string());
    assert_eq!(world.recorder.count(), 0, "a sandbox run never reaches the live transport");
}

#[tokio::test]
async fn a_rejection_is_a_catchable_error_and_sends_nothing() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Reject).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-rejected");
    assert_eq!(report["error"]["detail"], "because");
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn a_pause_holds_an_approved_send_until_it_is_resumed() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.settled(run).await["status"], "waiting");
    assert_eq!(world.recorder.count(), 0);
    world.handle.resume(&name("author"), None).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(world.recorder.count(), 1);
}

#[tokio::test]
async fn a_disabled_integration_holds_and_goes_on_when_it_is_enabled() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    let author = name("author");
    world.handle.set_integration(&author, "slack", IntegrationStatus::Disabled).await.unwrap();
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    assert_eq!(world.recorder.count(), 0);
    world.handle.set_integration(&author, "slack", IntegrationStatus::Active).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

/// Approves while the project is paused, changes something, then resumes.
async fn changed_between(change: impl AsyncFnOnce(&World)) -> (World, RunId) {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    change(&world).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    (world, run)
}

fn slack(identity: &str, settings: Value, label: &str) -> Connect {
    Connect {
        name: "slack".into(),
        provider: "slack".into(),
        settings,
        identity: Identity { id: identity.into(), tenant: "T1".into() },
        label: label.into(),
        is_default: true,
        credential: None,
        scopes: None,
    }
}

async fn reconnect(world: &World, connect: Connect) {
    let id = world.handle.integration_id("slack");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
}

#[tokio::test]
async fn another_identity_or_other_settings_void_the_approval_by_name() {
    let base = json!({"api_base": "http://127.0.0.1:9/api"});
    for (connect, field) in [
        (slack("B2", Value::Null, "Test"), "identity"),
        (slack("B1", base.clone(), "Test"), "settings_digest"),
    ] {
        let (mut world, run) =
            changed_between(async |world| reconnect(world, connect.clone()).await).await;
        let report = world.finished(run).await;
        assert_eq!(report["error"]["type"], "urn:placet:errors:approval-void", "{report:#}");
        assert_eq!(report["error"]["detail"], format!("field_changed: {field}"));
        assert!(world.events(run).contains(&"DecisionVoided"));
        assert_eq!(world.recorder.count(), 0);
    }
}

#[tokio::test]
async fn another_label_lets_it_through() {
    let connect = slack("B1", Value::Null, "Another label");
    let (mut world, run) =
        changed_between(async |world| reconnect(world, connect.clone()).await).await;
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(world.recorder.count(), 1);
}

#[tokio::test]
async fn a_stricter_policy_asks_for_the_missing_vote_and_keeps_the_first() {
    let (mut world, run) = changed_between(async |world| {
        let mut policy = people();
        policy.rules.push(Rule {
            name: "two".into(),
            matches: Match::default(),
            require: Require { thresholds: vec![Threshold::of(vec![], 2)], ..Require::default() },
            ..Rule::default()
        });
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
    })
    .await;
    let row = world.item(|row| row.state == DecisionState::Requested).await;
    assert_eq!(row.missing, ["1 approval by any approver"]);
    assert_eq!(world.recorder.count(), 0);
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!(world.recorder.count(), 1);
}

#[tokio::test]
async fn t18_a_voter_who_has_lost_the_right_does_not_count_at_the_claim() {
    let (mut world, _run) = changed_between(async |world| {
        let mut policy = people();
        policy.principals.remove(&name("approver"));
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
    })
    .await;
    world.item(|row| row.state == DecisionState::Requested).await;
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn a_blocked_operation_voids_the_approval() {
    let (mut world, run) = changed_between(async |world| {
        let mut policy = people();
        policy.blocked.insert("slack.chat.postMessage".into());
        world.handle.apply_policy(&name("author"), policy).await.unwrap();
    })
    .await;
    let report = world.finished(run).await;
    assert_eq!(report["error"]["detail"], "operation_blocked");
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn t23_cancelling_takes_the_request_back_and_a_late_vote_is_refused() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    let row = world.open_items().remove(0);
    world.handle.cancel(run, name("author"), Some("not needed".into())).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "cancelled");
    let error = world.vote(&row, "approver", Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "PL3014");
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn an_unanswered_send_is_in_doubt_and_a_person_settles_it() {
    for (resolution, status) in [(Resolution::Sent, "completed"), (Resolution::GiveUp, "faulted")] {
        let mut world = start().await;
        let run = asked(&mut world, Mode::Live).await;
        world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
        let row = world.open_items().remove(0);
        world.vote(&row, "approver", Verdict::Approve).await.unwrap();
        let report = world.settled(run).await;
        assert_eq!(report["status"], "waiting", "{report:#}");
        assert!(world.open_items()[0].in_doubt.is_some());
        world.handle.resolve(row.decision, resolution, name("approver")).await.unwrap();
        assert_eq!(world.finished(run).await["status"], status);
        assert_eq!(world.recorder.sends().len(), 1, "never sent again by itself");
    }
}

#[tokio::test]
async fn not_sent_asks_again_with_a_new_send_id_and_a_new_digest() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.recorder.fail(Failed::after(Cause::Reset, "connection reset"));
    let first = world.open_items().remove(0);
    world.vote(&first, "approver", Verdict::Approve).await.unwrap();
    world.settled(run).await;
    world.handle.resolve(first.decision, Resolution::NotSent, name("approver")).await.unwrap();
    world.settled(run).await;
    let second = world.open_items().remove(0);
    assert_eq!((first.draft_revision, second.draft_revision), (1, 2));
    assert_ne!(first.digest, second.digest);
    assert_eq!(world.recorder.sends().len(), 1);
    world.vote(&second, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    let seen = world.recorder.sends();
    assert_ne!(seen[0], seen[1], "the send id is part of the bytes");
}

#[tokio::test]
async fn a_rate_limit_is_waited_out_with_the_same_bytes_and_no_new_vote() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.recorder.answer(429, &json!({"ok": false, "error": "ratelimited"}));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    let seen = world.recorder.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    assert!(world.events(run).contains(&"AttemptDeferred"));
}

#[tokio::test]
async fn a_provider_refusal_faults_the_task_with_its_code() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.recorder.answer(200, &json!({"ok": false, "error": "channel_not_found"}));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert!(
        report["error"]["detail"].as_str().unwrap().contains("channel_not_found"),
        "{report:#}"
    );
}

#[tokio::test]
async fn a_refused_credential_holds_the_same_draft_until_the_integration_is_connected_again() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    world.recorder.answer(200, &json!({"ok": false, "error": "token_revoked"}));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    // approved it is before the call, too: what has changed after it is the integration
    let handle = world.handle.clone();
    let has_failed = || handle.named("slack").unwrap().status == IntegrationStatus::Failed;
    world.item(|row| row.state == DecisionState::Approved && has_failed()).await;
    assert_eq!(world.recorder.count(), 1);
    reconnect(&world, slack("B1", Value::Null, "Test")).await;
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#} {:#?}", world.events(run));
    let seen = world.recorder.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1], "the same bytes, the same approval");
}

#[tokio::test]
async fn a_receiver_that_deduplicates_gets_the_same_bytes_again_without_a_new_vote() {
    let mut world = start().await;
    let connect = Connect {
        name: "webhook".into(),
        provider: "webhook".into(),
        ..slack("hooks", json!({"url": "https://example.com/hooks/1"}), "Hooks")
    };
    let id = world.handle.integration_id("webhook");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
    let text = "document: { dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0' }\ndo:\n  - tell: { call: webhook.event.send, with: { type: a.b, data: { n: 1 } } }\n";
    let run = world.run(text, Value::Null, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer"));
    let row = world.open_items().remove(0);
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    let seen = world.recorder.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(world.events(run).iter().filter(|event| **event == "VoteCast").count(), 1);
}

#[tokio::test]
async fn t17_silence_expires_as_a_no() {
    let mut world = start().await;
    let run = asked(&mut world, Mode::Live).await;
    let row = world.open_items().remove(0);
    world.advance_to(row.expires_at);
    let report = world.finished(run).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-expired");
    let error = world.vote(&row, "approver", Verdict::Approve).await.unwrap_err();
    assert_eq!(error.code(), "PL3006");
}

#[tokio::test]
async fn the_card_shows_destination_bytes_policy_and_what_happens_on_no() {
    let mut world = start().await;
    let _run = asked(&mut world, Mode::Live).await;
    let row = world.open_items().remove(0);
    let caller = placet_executor::inbox::Caller {
        principal: name("approver"),
        assurance: placet_model::decision::Assurance::Test,
        request_id: None,
    };
    let listed = world.handle.inbox_list(&caller, &json!({})).unwrap();
    assert_eq!(listed["items"][0]["id"], row.decision.to_string());
    let card = world.handle.inbox_get(&caller, &json!({"decision": row.decision})).unwrap();
    assert_eq!(card["target"], "C0123");
    assert_eq!(card["request"]["body"]["text"], "hello");
    assert_eq!(card["identity"]["id"], "B1");
    assert_eq!(card["policy"]["needed"], json!(["1 approval by any approver"]));
    assert!(card["on_no"].as_str().unwrap().contains("sends nothing"));
    let stranger = placet_executor::inbox::Caller { principal: name("nobody"), ..caller.clone() };
    assert_eq!(world.handle.inbox_list(&stranger, &json!({})).unwrap_err().code(), "PL3004");
    let bystander = placet_executor::inbox::Caller { principal: name("agent"), ..caller };
    assert!(world.handle.inbox_get(&bystander, &json!({"decision": row.decision})).is_err());
}
