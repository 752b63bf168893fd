//! What an engine counts: once each, after the commit, whoever did it.

use crate::world::{World, fixture, name, start, start_on};
use placet_adapters::{Cause, Failed};
use placet_executor::{CallEnd, Measured};
use placet_model::decision::{Resolution, Verdict};
use placet_model::draft::Mode;
use serde_json::json;

fn ends(measured: &Measured) -> Vec<(&str, Mode, CallEnd, u64)> {
    let calls = measured.calls.iter();
    calls.map(|((provider, mode, end), count)| (provider.as_str(), *mode, *end, *count)).collect()
}

async fn in_doubt(world: &mut World) -> placet_projections::DecisionRow {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    let row = world.open_items().remove(0);
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    world.item(|row| row.in_doubt.is_some()).await
}

#[tokio::test]
async fn a_doubt_of_an_earlier_process_is_counted_with_its_provider_when_it_is_settled() {
    let mut world = start().await;
    let row = in_doubt(&mut world).await;
    let before = world.handle.measured();
    assert_eq!(ends(&before), [("slack", Mode::Live, CallEnd::InDoubt, 1)]);
    assert!(before.sends.is_empty(), "nobody knows: {before:?}");

    // given another process, which has not seen the attempt begin
    let (log, clock) = (world.handle.log().clone(), world.clock.clone());
    let World { engine, handle, .. } = world;
    drop(handle);
    engine.stop().await.unwrap();
    let world = start_on(log, clock).await;
    assert!(ends(&world.handle.measured()).is_empty(), "what was counted is gone with it");
    world.handle.resolve(row.decision, Resolution::Sent, name("second")).await.unwrap();
    let after = world.handle.measured();
    assert_eq!(ends(&after), [("slack", Mode::Live, CallEnd::FoundSent, 1)]);
    assert_eq!(after.sends, [(("slack".to_owned(), Mode::Live), 1)]);
}

#[tokio::test]
async fn the_time_until_people_decide_is_that_since_the_request() {
    let mut world = start().await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Sandbox).await;
    world.settled(run).await;
    let row = world.open_items().remove(0);
    world.advance_to(row.requested_at.plus_millis(90_000));
    world.vote(&row, "second", Verdict::Reject).await.unwrap();
    let measured = world.handle.measured();
    let took = &measured.decided;
    assert_eq!((took.count, took.sum.as_secs()), (1, 90), "{took:?}");
    assert!(measured.decisions_settled.contains(&("rejected", 1)), "{measured:?}");
}
