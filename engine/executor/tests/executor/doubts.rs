//! What people say of attempts in doubt: bound to the draft, kept with its signature, verified again, and
//! never taken twice.
//!
//! covers: S7, S10, S12, A6, A9

use crate::signing::{Signer, card, hand_in};
use crate::world::{World, fixture, start};
use placet_adapters::{Cause, Failed};
use placet_model::decision::{Assurance, Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::event::decision::ResolutionCast;
use placet_model::{Event, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// A run whose one attempt is in doubt.
async fn in_doubt(world: &mut World) -> (RunId, DecisionRow) {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    let row = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    world.vote(&row, "second", Verdict::Approve).await.unwrap();
    let row = world.item(|row| row.run == run && row.in_doubt.is_some()).await;
    (run, row)
}

fn said(world: &World, run: RunId) -> Vec<ResolutionCast> {
    let view = world.handle.view().unwrap();
    view.stream(&StreamId::Run(run), Revision::START)
        .filter_map(|event| match event.unwrap().event {
            Event::ResolutionCast(body) => Some(body),
            _ => None,
        })
        .collect()
}

/// As a client without a key says it.
fn unsigned(world: &World, row: &DecisionRow, verdict: &str) -> Value {
    json!({
        "decision": row.decision, "digest": row.digest, "verdict": verdict,
        "nonce": world.handle.nonce(), "time": world.handle.now(),
    })
}

#[tokio::test]
async fn a_signed_resolution_stands_in_the_log_with_its_signature_and_verifies_again() {
    let mut world = start().await;
    let ana = Signer::of(&world, "approver").await;
    world.handle.demand_signatures();
    // given that the vote which led to the doubt was signed as well
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    let row = world.open_items().remove(0);
    ana.hand_in(&world, &ana.vote(&world, &row, Verdict::Approve), None).await.unwrap();
    let row = world.item(|row| row.in_doubt.is_some()).await;
    // without a signature nothing is said, by whatever door
    let refused = hand_in(&world, "approver", &unsigned(&world, &row, "sent"), None).await;
    assert_eq!(refused.unwrap_err(), "PL3017");
    let own = world.handle.resolve(row.decision, Resolution::Sent, crate::world::name("approver"));
    assert_eq!(own.await.unwrap_err().code(), "PL3017");
    let envelope = ana.resolve(&world, &row, Resolution::Sent);
    ana.hand_in(&world, &envelope, None).await.unwrap();
    let kept = said(&world, run);
    let [cast] = &kept[..] else { panic!("{kept:?}") };
    let signed = cast.signed.as_ref().expect("it was signed");
    assert!(signed.document.contains("\"verdict\":\"sent\""), "{}", signed.document);
    assert_eq!(envelope["document"]["nonce"], cast.nonce);
    assert_eq!((cast.assurance, cast.digest), (Assurance::Nkey, row.digest));
    let view = world.handle.view().unwrap();
    assert_eq!(view.verify().unwrap().signatures, 2, "the vote, and what was said of the doubt");
    let history = card(&world, "approver", row.decision)["history"].to_string();
    assert!(history.contains("ResolutionCast"), "{history}");
}

#[tokio::test]
async fn what_was_signed_of_one_doubt_is_good_for_no_other_and_for_no_second_time() {
    let mut world = start().await;
    let ana = Signer::of(&world, "approver").await;
    let (first, row) = in_doubt(&mut world).await;
    let (second, other) = in_doubt(&mut world).await;
    let envelope = ana.resolve(&world, &row, Resolution::GiveUp);
    let answer = ana.hand_in(&world, &envelope, Some("r1")).await.unwrap();
    // the same request has the same answer; the same document as another request has none
    assert_eq!(ana.hand_in(&world, &envelope, Some("r1")).await.unwrap(), answer);
    assert_eq!(ana.hand_in(&world, &envelope, Some("r2")).await.unwrap_err(), "PL3011");
    assert_eq!(ana.hand_in(&world, &envelope, None).await.unwrap_err(), "PL3011");
    // its nonce is used up for votes and for other doubts as well
    let reuse = placet_model::signed::Draft {
        said: placet_model::signed::Said::Resolution(Resolution::Sent),
        nonce: placet_model::signed::bytes(
            "nonce",
            envelope["document"]["nonce"].as_str().unwrap(),
        )
        .unwrap(),
        ..ana.draft(&world, &[&other], Verdict::Reject)
    };
    assert_eq!(ana.hand_in(&world, &ana.sign(reuse), None).await.unwrap_err(), "PL3011");
    // and a request id that a vote or another doubt had is no way around its time
    world.advance_to(world.handle.now().plus_millis(20 * 60 * 1000));
    let stale = ana.resolve(&world, &other, Resolution::Sent);
    assert_eq!(ana.hand_in(&world, &stale, Some("r1")).await.unwrap_err(), "PL3018");
    assert_eq!((said(&world, first).len(), said(&world, second).len()), (1, 0));
}

#[tokio::test]
async fn a_request_id_of_a_vote_lets_no_expired_resolution_in() {
    let mut world = start().await;
    let ana = Signer::of(&world, "approver").await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    let row = world.open_items().remove(0);
    let vote = ana.vote(&world, &row, Verdict::Approve);
    ana.hand_in(&world, &vote, Some("r1")).await.unwrap();
    let row = world.item(|row| row.in_doubt.is_some()).await;
    // given a resolution that was signed, held back, and comes under the id of the vote
    let held_back = ana.resolve(&world, &row, Resolution::NotSent);
    world.advance_to(world.handle.now().plus_millis(60 * 60 * 1000));
    assert_eq!(ana.hand_in(&world, &held_back, Some("r1")).await.unwrap_err(), "PL3018");
    assert_eq!(ana.hand_in(&world, &held_back, None).await.unwrap_err(), "PL3047");
    assert_eq!(said(&world, run), []);
}

#[tokio::test]
async fn what_is_said_without_a_key_names_what_a_vote_names() {
    let mut world = start().await;
    let (run, row) = in_doubt(&mut world).await;
    let good = unsigned(&world, &row, "not_sent");
    for (member, value, code) in [
        ("digest", Value::Null, "PL4003"),
        ("digest", json!(placet_model::Digest::of(b"x")), "PL3002"),
        ("nonce", Value::Null, "PL4003"),
        ("time", Value::Null, "PL4003"),
        ("time", json!(world.handle.now().plus_millis(-60 * 60 * 1000)), "PL3010"),
        ("with", json!({"channel": "C1"}), "PL4003"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        assert_eq!(hand_in(&world, "approver", &body, None).await.unwrap_err(), code, "{member}");
    }
    assert_eq!(hand_in(&world, "agent", &good, None).await.unwrap_err(), "PL3012");
    assert_eq!(hand_in(&world, "auditor", &good, None).await.unwrap_err(), "PL4005");
    let receipt = hand_in(&world, "approver", &good, Some("r")).await.unwrap();
    assert_eq!(hand_in(&world, "approver", &good, Some("r")).await.unwrap(), receipt);
    let kept = said(&world, run);
    let [cast] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((cast.by.as_str(), cast.assurance), ("approver", Assurance::Transport));
    assert_eq!(cast.resolution, Resolution::NotSent);
    // the same bytes are not spent again: it asks anew
    let next = world.item(|next| next.run == run && next.in_doubt.is_none()).await;
    assert_ne!(next.digest, row.digest);
}
