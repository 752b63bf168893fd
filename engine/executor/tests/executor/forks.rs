//! Requests side by side: each branch goes by its own vote, and an edit of one is nothing to the
//! others.
//!
//! covers: T5, T6, T13

use crate::world::{World, name, start};
use placet_executor::Vote;
use placet_model::RunId;
use placet_model::decision::{Assurance, DecisionState, Verdict, Voter};
use placet_model::draft::Mode;
use placet_projections::DecisionRow;
use serde_json::{Value, json};

const THREE: &str = r"
document: { dsl: '1.0.3', namespace: sales, name: three, version: '1.0.0' }
do:
  - all:
      fork:
        branches:
          - one: { call: http, with: { method: post, endpoint: https://example.com/1, body: { n: 1 } } }
          - two: { call: http, with: { method: post, endpoint: https://example.com/2, body: { n: 2 } } }
          - three: { call: http, with: { method: post, endpoint: https://example.com/3, body: { n: 3 } } }
";

async fn three(world: &mut World) -> (RunId, Vec<DecisionRow>) {
    let run = world.run(THREE, Value::Null, Mode::Live).await;
    world.settled(run).await;
    let mut rows = world.open_items();
    rows.sort_by_key(|row| row.task.as_str().to_owned());
    assert_eq!(rows.len(), 3);
    (run, rows)
}

fn bodies(world: &World) -> Vec<Value> {
    let seen = world.recorder.seen.lock().unwrap();
    seen.iter().map(|request| request.to_view()["body"]["n"].clone()).collect()
}

#[tokio::test]
async fn t06_a_vote_on_one_of_three_lets_exactly_that_one_go() {
    let mut world = start().await;
    let (run, rows) = three(&mut world).await;
    assert_eq!(world.recorder.count(), 0, "nothing leaves before its own vote");
    let middle = rows.iter().find(|row| row.task.as_str().ends_with("two")).unwrap();
    world.vote(middle, "approver", Verdict::Approve).await.unwrap();
    world.entry(run, "two", "completed").await;
    assert_eq!(bodies(&world), [json!(2)]);
    let open: Vec<_> = world.open_items().into_iter().map(|row| row.decision).collect();
    assert_eq!(open.len(), 2);
    assert!(!open.contains(&middle.decision));
    for row in rows.iter().filter(|row| row.decision != middle.decision) {
        world.vote(row, "approver", Verdict::Approve).await.unwrap();
    }
    assert_eq!(world.finished(run).await["status"], "completed");
    let mut sent: Vec<i64> = bodies(&world).iter().map(|n| n.as_i64().unwrap()).collect();
    sent.sort_unstable();
    assert_eq!(sent, [1, 2, 3]);
}

#[tokio::test]
async fn an_edit_in_one_branch_leaves_the_requests_of_the_others_alone() {
    let mut world = start().await;
    let (run, rows) = three(&mut world).await;
    let row = rows.iter().find(|row| row.task.as_str().ends_with("two")).unwrap();
    let vote = Vote {
        ballot: world.ballot(row, Verdict::Edit),
        voter: Voter { principal: name("approver"), assurance: Assurance::Test },
        request_id: None,
        signed: None,
    };
    let with = json!({"method": "post", "endpoint": "https://example.com/2", "body": {"n": 22}});
    let receipt = world.handle.edit(vote, with).await.unwrap();
    let next = receipt.successor.unwrap();
    let open = world.open_items();
    assert_eq!(open.len(), 3);
    for other in rows.iter().filter(|other| other.decision != row.decision) {
        let now = open.iter().find(|now| now.decision == other.decision).unwrap();
        assert_eq!((now.digest, now.state, &now.editor), (other.digest, other.state, &None));
        world.vote(now, "approver", Verdict::Approve).await.unwrap();
    }
    let edited = open.iter().find(|row| row.decision == next).unwrap();
    assert_eq!(edited.state, DecisionState::Requested);
    world.vote(edited, "second", Verdict::Approve).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
    let mut sent: Vec<i64> = bodies(&world).iter().map(|n| n.as_i64().unwrap()).collect();
    sent.sort_unstable();
    assert_eq!(sent, [1, 3, 22]);
}
