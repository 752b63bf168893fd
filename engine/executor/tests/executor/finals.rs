//! An answer that is not the last word: a refund that is pending has been taken, is never sent again, and
//! is looked up until the provider says how it ends, or tells of it by itself.
//!
//! covers: S7

use crate::branches::document;
use crate::world::{World, name, start};
use placet_model::attempt::Evidence;
use placet_model::decision::{Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::event::attempt::ReconciledBy;
use placet_model::{Event, Revision, RunId, StreamId};
use serde_json::{Value, json};

const REFUND: &str =
    "  - refund: { call: stripe.refunds.create, with: { payment_intent: pi_1, amount: 500 } }\n";

fn story(world: &World, run: RunId) -> Vec<Event> {
    let view = world.handle.view().unwrap();
    view.stream(&StreamId::Run(run), Revision::START).map(|event| event.unwrap().event).collect()
}

fn refund(status: &str, mark: &str) -> Value {
    json!({
        "id": "re_1", "object": "refund", "amount": 500, "currency": "eur", "status": status,
        "created": 1, "metadata": {"placet_send": mark},
    })
}

/// A refund that is asked for; its mark.
async fn asked(world: &mut World) -> (RunId, String) {
    world.connect("stripe").await;
    let run = world.run(&document(REFUND), Value::Null, Mode::Live).await;
    world.settled(run).await;
    let mark = story(world, run).into_iter().find_map(|event| match event {
        Event::DraftPrepared(draft) => Some(draft.send_id),
        _ => None,
    });
    (run, mark.expect("a draft"))
}

fn posts(world: &World) -> usize {
    let seen = world.recorder.seen.lock().unwrap();
    seen.iter().filter(|request| request.method == "POST").count()
}

#[tokio::test]
async fn a_pending_refund_is_looked_up_until_it_has_succeeded_and_is_sent_once() {
    let mut world = start().await;
    let (run, mark) = asked(&mut world).await;
    world.recorder.answer(200, &refund("pending", &mark));
    for status in ["pending", "pending", "succeeded"] {
        let page = json!({"object": "list", "has_more": false, "data": [refund(status, &mark)]});
        world.recorder.answer(200, &page);
    }
    let row = world.item(|row| row.run == run).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["output"]["status"], "succeeded", "{report:#}");
    let doubt = story(&world, run).into_iter().find_map(|event| match event {
        Event::AttemptInDoubt(body) => Some(body),
        _ => None,
    });
    let doubt = doubt.expect("it was not over");
    assert_eq!(doubt.evidence, Evidence::NotFinal);
    assert!(doubt.answer.result.iter().any(|id| (&*id.at, &*id.value) == ("message_id", "re_1")));
    let by = story(&world, run).into_iter().find_map(|event| match event {
        Event::AttemptReconciled(body) => Some(body.by),
        _ => None,
    });
    assert_eq!((by, posts(&world)), (Some(ReconciledBy::Lookup), 1));
}

#[tokio::test]
async fn a_refund_that_stays_pending_is_never_sent_again_and_ends_with_a_person() {
    let mut world = start().await;
    let (run, mark) = asked(&mut world).await;
    world.recorder.answer(200, &refund("pending", &mark));
    for _ in 0..16 {
        let page = json!({"object": "list", "has_more": false, "data": [refund("pending", &mark)]});
        world.recorder.answer(200, &page);
    }
    let row = world.item(|row| row.run == run).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let looked = |world: &World| {
        let ends = story(world, run).into_iter().filter_map(|event| match event {
            Event::LookupEnded(body) => Some(body.next_at),
            _ => None,
        });
        ends.last().is_some_and(|next| next.is_none())
    };
    while !looked(&world) {
        world.settled(run).await;
    }
    let row = world.item(|row| row.run == run && row.in_doubt.is_some()).await;
    assert_eq!(posts(&world), 1);
    world.handle.resolve(row.decision, Resolution::GiveUp, name("approver")).await.unwrap();
}
