//! Traps that others fell into, on a virtual clock: what comes before its wait, how long people have,
//! what a client may say of itself, and what stops at once. The others are in the files of their
//! matter, under their numbers.
//!
//! covers: T12, T15, T16, T17, T20, T21, T23, T27

use crate::branches::document;
use crate::world::{World, fixture, name, open_log, start, start_on};
use placet_executor::Clock;
use placet_executor::inbox::Caller;
use placet_model::decision::{Assurance, DecisionState, Verdict};
use placet_model::draft::Mode;
use placet_model::{Event, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

async fn asked(world: &mut World) -> (RunId, DecisionRow) {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    let row = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    (run, row)
}

fn caller(who: &str) -> Caller {
    Caller { principal: name(who), assurance: Assurance::Transport, request_id: None }
}

/// What a client sends to approve an item.
fn approval(world: &World, row: &DecisionRow) -> Value {
    let ballot = world.ballot(row, Verdict::Approve);
    json!({
        "decision": row.decision, "verdict": "approve", "digest": row.digest,
        "nonce": ballot.nonce, "time": ballot.time,
    })
}

fn count(world: &World, run: RunId, kind: &str) -> usize {
    world.events(run).iter().filter(|event| **event == kind).count()
}

// ---- before the wait ----------------------------------------------------------------------

#[tokio::test]
async fn t15_an_event_that_comes_before_its_wait_is_used_when_the_wait_begins() {
    let tasks = "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n  - hear: { listen: { to: { one: { with: { type: order.paid } } } } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    let row = world.item(|row| row.run == run).await;
    // given that the run still waits for a person when the event comes
    let paid = json!({"type": "order.paid", "source": "shop", "id": "1", "data": "early"});
    world.handle.publish(paid, Some(run), &name("author")).await.unwrap();
    // when the person lets it go on to its wait, over a restart's worth of time
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    // then nothing has to come again
    assert_eq!(world.finished(run).await["output"], json!(["early"]));
}

#[tokio::test]
async fn t15_a_vote_that_comes_while_nothing_can_be_sent_is_used_once_something_can() {
    let (log, clock) = (open_log(None), Clock::virtual_start());
    let mut world = start_on(log.clone(), clock.clone()).await;
    world.furnish().await;
    let (run, row) = asked(&mut world).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.engine.stop().await.unwrap();
    // the engine that comes next has only the log, and nobody votes again
    let mut world = start_on(log, clock).await;
    assert_eq!(world.open_items()[0].state, DecisionState::Approved);
    world.handle.resume(&name("author"), None).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    assert_eq!((world.recorder.count(), count(&world, run, "VoteCast")), (1, 1));
}

// ---- how long people have -----------------------------------------------------------------

#[tokio::test]
async fn t16_the_week_to_decide_begins_when_the_request_can_be_read_and_not_when_its_run_began() {
    let tasks = "  - pause: { wait: P5D }\n  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n";
    let mut world = start().await;
    world.clock.hold_at(Some(world.handle.now()));
    let begun = world.handle.now();
    let run = world.run(&document(tasks), Value::Null, Mode::Sandbox).await;
    assert_eq!(world.settled(run).await["status"], "waiting");
    world.advance_to_due();
    let row = world.item(|row| row.run == run).await;
    // given a request of a run that had waited for days, it is in the inbox from its first moment on
    let listed = world.handle.inbox_list(&caller("approver"), &json!({})).unwrap();
    assert_eq!(listed["items"][0]["id"], row.decision.to_string());
    assert!(row.requested_at.millis_since(begun) >= 5 * WEEK_MS / 7);
    // then its time is the whole week from there, and the last moment of it is good
    assert_eq!(row.expires_at.millis_since(row.requested_at), WEEK_MS);
    world.advance_to(row.expires_at.plus_millis(-1));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

#[tokio::test]
async fn t16_what_is_asked_anew_has_its_whole_time_anew() {
    let mut world = start().await;
    let (_, row) = asked(&mut world).await;
    world.clock.hold_at(Some(row.expires_at.plus_millis(-1000)));
    let vote = placet_executor::Vote {
        ballot: world.ballot(&row, Verdict::Edit),
        voter: placet_model::decision::Voter {
            principal: name("approver"),
            assurance: Assurance::Transport,
        },
        request_id: None,
        signed: None,
    };
    let with = json!({"channel": "C0123", "text": "hello again"});
    let next = world.handle.edit(vote, with).await.unwrap().successor.unwrap();
    let row = world.open_items().into_iter().find(|row| row.decision == next).unwrap();
    assert_eq!(row.expires_at.millis_since(row.requested_at), WEEK_MS);
}

// ---- what a client says of itself -----------------------------------------------------------

#[tokio::test]
async fn t20_a_digest_that_a_client_sends_is_only_compared_and_nothing_else_of_the_draft_is_taken()
{
    let mut world = start().await;
    let (run, row) = asked(&mut world).await;
    let good = approval(&world, &row);
    // given bodies that bring a digest of their own, or more of what is hashed
    let zero = json!(format!("sha256:{}", "0".repeat(64)));
    for (member, value, code) in [
        ("digest", zero, "PL3002"),
        ("digest", Value::Null, "PL4003"),
        ("requirement", json!({"thresholds": []}), "PL4003"),
        ("request_digest", json!(row.digest), "PL4003"),
        ("send_id", json!("mine"), "PL4003"),
        ("with", json!({"channel": "C0OTHER", "text": "hello"}), "PL4003"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let error = world.handle.inbox_act(&caller("approver"), &body).await.unwrap_err();
        assert_eq!(error.code(), code, "{member}: {error}");
    }
    assert_eq!(count(&world, run, "VoteCast"), 0);
    // then the right one still counts, and the log holds the engine's own
    world.handle.inbox_act(&caller("approver"), &good).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

#[tokio::test]
async fn t21_a_name_in_the_body_says_nothing_of_who_votes() {
    let mut world = start().await;
    let (run, row) = asked(&mut world).await;
    for member in ["voter", "user", "principal", "approver", "by", "on_behalf_of"] {
        let mut body = approval(&world, &row);
        body[member] = json!("approver");
        for who in ["author", "agent", "auditor"] {
            let answer = world.handle.inbox_act(&caller(who), &body).await;
            assert_eq!(answer.unwrap_err().code(), "PL4003", "{member} by {who}");
        }
    }
    assert_eq!(count(&world, run, "VoteCast"), 0);
    assert_eq!(world.recorder.count(), 0);
    // who votes is who was authenticated
    world.handle.inbox_act(&caller("second"), &approval(&world, &row)).await.unwrap();
    world.finished(run).await;
    let view = world.handle.view().unwrap();
    let voters: Vec<String> = view
        .stream(&StreamId::Run(run), Revision::START)
        .filter_map(|event| match event.unwrap().event {
            Event::VoteCast(body) => Some(body.voter.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(voters, ["second"]);
}

// ---- what stops at once ---------------------------------------------------------------------

#[tokio::test]
async fn t12_what_is_approved_and_then_cancelled_is_never_sent_whatever_is_let_go_on_later() {
    let mut world = start().await;
    let (run, row) = asked(&mut world).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    world.handle.cancel(run, name("author"), None).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "cancelled");
    world.handle.resume(&name("author"), None).await.unwrap();
    world.advance_to(row.expires_at.plus_millis(1));
    // another run's message goes its way meanwhile, so that the engine has had every reason to look
    let (other, next) = asked(&mut world).await;
    world.vote(&next, "approver", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(other).await["status"], "completed");
    assert_eq!(world.recorder.count(), 1);
    assert_eq!(count(&world, run, "AttemptStarted"), 0);
}

#[tokio::test]
async fn t23_a_run_is_cancelled_at_once_whatever_it_waits_for() {
    let waits = [
        "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n",
        "  - hear: { listen: { to: { one: { with: { type: order.paid } } } } }\n",
        "  - pause: { wait: P30D }\n",
        "  - all: { fork: { branches: [ { one: { call: slack.chat.postMessage, with: { channel: C1, text: a } } }, { two: { wait: P30D } } ] } }\n",
    ];
    for tasks in waits {
        let mut world = start().await;
        world.clock.hold_at(Some(world.handle.now()));
        let run = world.run(&document(tasks), Value::Null, Mode::Live).await;
        assert_eq!(world.settled(run).await["status"], "waiting", "{tasks}");
        let before = world.handle.now();
        world.handle.cancel(run, name("author"), None).await.unwrap();
        assert_eq!(world.finished(run).await["status"], "cancelled", "{tasks}");
        assert_eq!(world.handle.now().millis_since(before), 0, "nothing was waited for: {tasks}");
        assert_eq!(world.open_items(), vec![], "{tasks}");
        assert_eq!(world.recorder.count(), 0, "{tasks}");
    }
}

#[tokio::test]
async fn t17_silence_sends_nothing_and_is_no_value_of_the_step() {
    let tasks = "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n  - after: { set: { sent: true } }\n";
    let mut world = start().await;
    let run = world.run(&document(tasks), Value::Null, Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    world.advance_to(row.expires_at);
    let report = world.finished(run).await;
    assert_eq!(report["status"], "faulted", "{report:#}");
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-expired");
    assert_eq!(world.recorder.count(), 0);
    let after = report["trace"].as_array().unwrap().iter().any(|entry| entry["name"] == "after");
    assert!(!after, "what follows the step does not run: {report:#}");
}

// ---- what only claims to be an approval -------------------------------------------------------

#[tokio::test]
async fn t27_an_event_from_outside_that_says_approved_approves_nothing() {
    let mut world = start().await;
    let (run, row) = asked(&mut world).await;
    for kind in ["DecisionSettled", "VoteCast", "placet.approval", "AttemptStarted"] {
        let claim = json!({
            "type": kind, "source": "placet", "id": kind, "subject": row.decision,
            "data": {"decision": row.decision, "digest": row.digest, "settlement": "approved",
                     "verdict": "approve", "voter": "approver"},
        });
        world.handle.publish(claim, Some(run), &name("author")).await.unwrap();
    }
    assert_eq!(world.open_items()[0].state, DecisionState::Requested);
    assert_eq!(world.open_items()[0].votes.len(), 0);
    assert_eq!(world.recorder.count(), 0);
    let error = world.handle.resolve(
        row.decision,
        placet_model::decision::Resolution::Sent,
        name("approver"),
    );
    assert_eq!(error.await.unwrap_err().code(), "PL3016", "nothing is in doubt");
}
