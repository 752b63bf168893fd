//! Several decisions in one act: each digest is bound by itself, of one shape, none too grave.
//!
//! covers: S8, T6, T13

use crate::world::{World, fixture, name, start};
use placet_executor::inbox::Caller;
use placet_model::decision::{Assurance, Verdict};
use placet_model::draft::Mode;
use placet_projections::DecisionRow;
use serde_json::{Value, json};

fn caller(who: &str, request_id: Option<&str>) -> Caller {
    let request_id = request_id.map(str::to_owned);
    Caller { principal: name(who), assurance: Assurance::Test, request_id }
}

async fn messages(world: &mut World, count: usize) -> Vec<DecisionRow> {
    let mut runs = vec![];
    for n in 0..count {
        let input = json!({"channel": format!("C{n}"), "text": "hello"});
        let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
        world.settled(run).await;
        runs.push(run);
    }
    let open = world.open_items();
    let row = |run| open.iter().find(|row| row.run == run).unwrap().clone();
    runs.into_iter().map(row).collect()
}

/// Waits until a run has ended, also when that was told before.
async fn over(world: &mut World, run: placet_model::RunId) {
    let ended = |world: &World| {
        let row = world.handle.run_row(run).unwrap().unwrap();
        row.status == placet_projections::RunStatus::Completed
    };
    while !ended(world) {
        let notice = world.notices.recv();
        let notice = tokio::time::timeout(placet_test_support::DEADLINE, notice);
        notice.await.expect("it goes on").unwrap();
    }
}

fn act(world: &World, rows: &[DecisionRow], verdict: &str) -> Value {
    let items: Vec<Value> =
        rows.iter().map(|row| json!({"decision": row.decision, "digest": row.digest})).collect();
    json!({
        "items": items, "verdict": verdict, "nonce": world.handle.nonce(),
        "time": world.handle.now(), "reason": "all of them",
    })
}

#[tokio::test]
async fn each_of_several_gets_a_vote_of_its_own_and_the_rest_stays_open() {
    let mut world = start().await;
    let rows = messages(&mut world, 4).await;
    let body = act(&world, &rows[..3], "approve");
    let answer = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap();
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    for (item, row) in items.iter().zip(&rows) {
        assert_eq!(item["decision"], row.decision.to_string());
        assert_eq!(item["state"], "approved", "{answer:#}");
        over(&mut world, row.run).await;
        assert_eq!(world.events(row.run).iter().filter(|kind| **kind == "VoteCast").count(), 1);
    }
    assert_eq!(world.recorder.count(), 3);
    let open = world.open_items();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].decision, rows[3].decision);
}

#[tokio::test]
async fn an_item_that_does_not_fit_is_refused_by_itself() {
    let mut world = start().await;
    let rows = messages(&mut world, 3).await;
    world.vote(&rows[1], "second", Verdict::Reject).await.unwrap();
    let mut body = act(&world, &rows, "approve");
    body["items"][2]["digest"] = json!(rows[0].digest);
    let answer = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap();
    assert_eq!(answer["items"][0]["state"], "approved");
    assert_eq!(answer["items"][1]["error"]["code"], "PL3007");
    assert_eq!(answer["items"][2]["error"]["code"], "PL3002", "one digest approves one draft");
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_answers() {
    let mut world = start().await;
    let rows = messages(&mut world, 2).await;
    let (body, asker) = (act(&world, &rows, "approve"), caller("approver", Some("req-7")));
    let first = world.handle.inbox_act(&asker, &body).await.unwrap();
    let again = world.handle.inbox_act(&asker, &body).await.unwrap();
    assert_eq!(first, again);
}

#[tokio::test]
async fn mixed_shapes_repeats_and_too_many_are_refused_whole() {
    let mut world = start().await;
    world.connect("webhook").await;
    let mut rows = messages(&mut world, 1).await;
    let text = r"
document: { dsl: '1.0.3', namespace: sales, name: other, version: '1.0.0' }
do:
  - tell: { call: http, with: { method: post, endpoint: https://example.com/in, body: { a: 1 } } }
";
    let run = world.run(text, Value::Null, Mode::Live).await;
    world.settled(run).await;
    rows.extend(world.open_items().into_iter().filter(|row| row.run == run));
    let twice = [rows[0].clone(), rows[0].clone()];
    let cases: [(&[DecisionRow], &str); 3] =
        [(&rows, "only items of one operation"), (&twice, "twice"), (&[], "0 items")];
    for (rows, words) in cases {
        let body = act(&world, rows, "approve");
        let error = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap_err();
        assert_eq!(error.code(), "PL3053");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(world.open_items().iter().all(|row| row.votes.is_empty()), "nothing was said");
}

/// The highest class decides: what cannot be undone is never among several.
#[tokio::test]
async fn what_cannot_be_undone_is_decided_one_by_one() {
    let mut world = start().await;
    let text = r"
document: { dsl: '1.0.3', namespace: sales, name: gone, version: '1.0.0' }
do:
  - drop: { call: http, with: { method: delete, endpoint: https://example.com/in } }
";
    let mut rows = vec![];
    for _ in 0..2 {
        let run = world.run(text, Value::Null, Mode::Live).await;
        world.settled(run).await;
        rows.extend(world.open_items().into_iter().filter(|row| row.run == run));
    }
    let body = act(&world, &rows, "approve");
    let error = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap_err();
    assert_eq!(error.code(), "PL3053");
    assert!(error.to_string().contains("one by one"), "{error}");
    world.vote(&rows[0], "approver", Verdict::Approve).await.unwrap();
}

#[tokio::test]
async fn several_are_approved_or_rejected_and_nothing_else() {
    let mut world = start().await;
    let rows = messages(&mut world, 2).await;
    for verdict in ["edit", "respond", "withdraw", "reassign", "sent", "not_sent"] {
        let body = act(&world, &rows, verdict);
        let error = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap_err();
        assert_eq!(error.code(), "PL3053", "{verdict}");
    }
    let body = act(&world, &rows, "reject");
    let answer = world.handle.inbox_act(&caller("approver", None), &body).await.unwrap();
    assert_eq!(answer["items"][1]["state"], "rejected");
    assert_eq!(world.recorder.count(), 0);
}
