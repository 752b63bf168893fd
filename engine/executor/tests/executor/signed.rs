//! Signed decisions through the engine: what a signature is good for, once, and what it is not.
//!
//! covers: S6, S7, S12, T7, T14, T18, T20, T21

use crate::signing::{Signer, caller, card, hand_in};
use crate::world::{World, fixture, name, start};
use placet_model::decision::{Assurance, DecisionState, Verdict};
use placet_model::draft::Mode;
use placet_model::signed::{DecisionDocument, Draft, Item, text_of};
use placet_model::{Digest, Event, Revision, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// A world with open items.
async fn asking(count: usize) -> (World, Vec<DecisionRow>) {
    let mut world = start().await;
    for _ in 0..count {
        let input = json!({"channel": "C0123", "text": "hello"});
        let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Sandbox).await;
        world.settled(run).await;
    }
    let rows = world.open_items();
    assert_eq!(rows.len(), count);
    (world, rows)
}

fn states(world: &World, rows: &[DecisionRow]) -> Vec<DecisionState> {
    let view = world.handle.view().unwrap();
    let views = placet_projections::Views::new(&view).unwrap();
    rows.iter().map(|row| views.decision(row.decision).unwrap().unwrap().state).collect()
}

/// The vote on this item as it stands in the log.
fn cast(world: &World, row: &DecisionRow) -> placet_model::event::decision::VoteCast {
    let view = world.handle.view().unwrap();
    let stream = StreamId::Run(row.run);
    let events = view.stream(&stream, Revision::START);
    let mut votes = events.filter_map(|event| match event.unwrap().event {
        Event::VoteCast(vote) => Some(vote),
        _ => None,
    });
    votes.next().unwrap()
}

#[tokio::test]
async fn a_signed_vote_stands_in_the_log_with_document_and_signature_and_verifies_again() {
    let (world, rows) = asking(1).await;
    let ana = Signer::of(&world, "approver").await;
    let envelope = ana.vote(&world, &rows[0], Verdict::Reject);
    let answer = ana.hand_in(&world, &envelope, None).await.unwrap();
    assert_eq!(answer["state"], "rejected", "{answer}");

    let vote = cast(&world, &rows[0]);
    assert_eq!((vote.assurance, vote.verdict), (Assurance::Nkey, Verdict::Reject));
    let document = DecisionDocument::parse(&envelope["document"]).unwrap();
    let signed = vote.signed.unwrap();
    assert_eq!(signed.document, document.message());
    assert!(!signed.document.contains("because"), "the text stays out of the log");
    let view = world.handle.view().unwrap();
    assert_eq!(view.verify().unwrap().signatures, 1);
    let seen = card(&world, "approver", rows[0].decision);
    assert_eq!(seen["votes"][0]["reason"], "because", "{:#}", seen["votes"]);
}

#[tokio::test]
async fn the_card_brings_the_exact_document_to_sign() {
    let (world, rows) = asking(1).await;
    let none = card(&world, "second", rows[0].decision);
    assert_eq!(none["sign"]["document"], Value::Null, "nobody without a key can sign");
    let ana = Signer::of(&world, "approver").await;
    let shown = card(&world, "approver", rows[0].decision);
    let document = DecisionDocument::parse(&shown["sign"]["document"]).unwrap();
    assert_eq!(document.key(), &ana.key().into());
    assert_eq!(document.items(), [Item::new(rows[0].decision, rows[0].digest)]);
    assert_eq!(shown["sign"]["origin"], world.handle.log().origin());
}

/// One change of an envelope that is good otherwise, and the code that it is refused with.
type Spoilt = (&'static str, fn(&mut Value), &'static str);

#[tokio::test]
async fn an_envelope_that_was_changed_is_refused_and_each_change_has_its_code() {
    let (world, rows) = asking(1).await;
    let ana = Signer::of(&world, "approver").await;
    let good = ana.vote(&world, &rows[0], Verdict::Reject);
    let changes: [Spoilt; 12] = [
        ("an added member", |e| e["document"]["note"] = json!(""), "PL3041"),
        ("an added member outside", |e| e["approver"] = json!("second"), "PL4003"),
        ("no nonce", |e| drop(e["document"].as_object_mut().unwrap().remove("nonce")), "PL3041"),
        ("no time", |e| drop(e["document"].as_object_mut().unwrap().remove("issued_at")), "PL3041"),
        ("another verdict", |e| e["document"]["verdict"] = json!("approve"), "PL3042"),
        (
            "another digest",
            |e| {
                e["document"]["items"][0]["digest"] = json!(Digest::of(b"x").to_string());
            },
            "PL3042",
        ),
        ("another user", |e| e["document"]["user"] = json!("second"), "PL3042"),
        ("another signature", |e| e["signature"] = json!(text_of(&[7; 64])), "PL3042"),
        ("no signature", |e| e["signature"] = json!(""), "PL3042"),
        ("another text", |e| e["reason"] = json!("because of you"), "PL3048"),
        ("another salt", |e| e["reason_salt"] = json!(text_of(&[8; 32])), "PL3048"),
        ("no text", |e| drop(e.as_object_mut().unwrap().remove("reason")), "PL3048"),
    ];
    for (what, change, code) in changes {
        let mut envelope = good.clone();
        change(&mut envelope);
        let refused = ana.hand_in(&world, &envelope, None).await;
        assert_eq!(refused.unwrap_err(), code, "{what}");
    }
    assert_eq!(states(&world, &rows), [DecisionState::Requested]);
    ana.hand_in(&world, &good, None).await.unwrap();
}

#[tokio::test]
async fn a_key_signs_for_its_owner_on_their_own_subject_in_its_own_log_only() {
    let (world, rows) = asking(1).await;
    let (ana, ben) = (Signer::of(&world, "approver").await, Signer::of(&world, "second").await);
    let envelope = ana.vote(&world, &rows[0], Verdict::Approve);
    let other_subject = hand_in(&world, "second", &envelope, None).await;
    assert_eq!(other_subject.unwrap_err(), "PL3046");
    let as_ben = Draft { user: name("second"), ..ana.draft(&world, &[&rows[0]], Verdict::Approve) };
    let others_name = hand_in(&world, "second", &ana.sign(as_ben), None).await;
    assert_eq!(others_name.unwrap_err(), "PL3046");
    let stranger = Signer::stranger("approver");
    let unknown = stranger.vote(&world, &rows[0], Verdict::Approve);
    assert_eq!(stranger.hand_in(&world, &unknown, None).await.unwrap_err(), "PL3044");
    let elsewhere = Draft {
        origin: "placet/0/other".into(),
        ..ben.draft(&world, &[&rows[0]], Verdict::Approve)
    };
    let elsewhere = ben.sign(elsewhere);
    assert_eq!(ben.hand_in(&world, &elsewhere, None).await.unwrap_err(), "PL3043");
    assert_eq!(states(&world, &rows), [DecisionState::Requested]);
}

#[tokio::test]
async fn a_document_is_taken_within_its_time_only() {
    let (world, rows) = asking(1).await;
    let ana = Signer::of(&world, "approver").await;
    let now = world.handle.now();
    let draft = || ana.draft(&world, &[&rows[0]], Verdict::Approve);
    let late = Draft {
        issued_at: now.plus_millis(-600_000),
        expires_at: now.plus_millis(-2_000),
        ..draft()
    };
    assert_eq!(ana.hand_in(&world, &ana.sign(late), None).await.unwrap_err(), "PL3047");
    let early = Draft {
        issued_at: now.plus_millis(63_000),
        expires_at: now.plus_millis(600_000),
        ..draft()
    };
    assert_eq!(ana.hand_in(&world, &ana.sign(early), None).await.unwrap_err(), "PL3047");
    let a_bit = Draft {
        issued_at: now.plus_millis(58_000),
        expires_at: now.plus_millis(600_000),
        ..draft()
    };
    ana.hand_in(&world, &ana.sign(a_bit), None).await.unwrap();
}

#[tokio::test]
async fn a_vote_after_the_request_has_expired_is_refused_signed_or_not() {
    let (world, rows) = asking(1).await;
    let ana = Signer::of(&world, "approver").await;
    world.advance_to(rows[0].expires_at.plus_millis(1));
    let envelope = ana.vote(&world, &rows[0], Verdict::Approve);
    assert_eq!(ana.hand_in(&world, &envelope, None).await.unwrap_err(), "PL3006");
    let unsigned = world.vote(&rows[0], "second", Verdict::Approve).await;
    assert_eq!(unsigned.unwrap_err().code(), "PL3006");
}

#[tokio::test]
async fn a_document_that_comes_again_is_refused_and_the_same_request_gets_its_answer() {
    let (world, rows) = asking(2).await;
    let ana = Signer::of(&world, "approver").await;
    let envelope = ana.vote(&world, &rows[0], Verdict::Approve);
    let first = ana.hand_in(&world, &envelope, Some("req-1")).await.unwrap();
    assert_eq!(ana.hand_in(&world, &envelope, Some("req-1")).await.unwrap(), first);
    for request in [None, Some("req-2")] {
        let again = ana.hand_in(&world, &envelope, request).await;
        assert_eq!(again.unwrap_err(), "PL3011", "{request:?}");
    }
    // the same nonce in a document about something else
    let nonce =
        placet_model::signed::bytes("nonce", envelope["document"]["nonce"].as_str().unwrap());
    let other = Draft { nonce: nonce.unwrap(), ..ana.draft(&world, &[&rows[1]], Verdict::Approve) };
    assert_eq!(ana.hand_in(&world, &ana.sign(other), None).await.unwrap_err(), "PL3011");
    // the request id for something else
    let fresh = ana.vote(&world, &rows[1], Verdict::Approve);
    assert_eq!(ana.hand_in(&world, &fresh, Some("req-1")).await.unwrap_err(), "PL3018");
    // long after the document's time, the answer to the request is still the first one
    world.advance_to(world.handle.now().plus_millis(3_600_000));
    assert_eq!(ana.hand_in(&world, &envelope, Some("req-1")).await.unwrap(), first);
}

#[tokio::test]
async fn several_items_in_one_document_are_votes_of_their_own_with_an_answer_each() {
    let (world, rows) = asking(3).await;
    let ana = Signer::of(&world, "approver").await;
    world.vote(&rows[1], "second", Verdict::Approve).await.unwrap();
    let all: Vec<&DecisionRow> = rows.iter().collect();
    let envelope = ana.sign(ana.draft(&world, &all, Verdict::Approve));
    let answer = ana.hand_in(&world, &envelope, Some("bulk")).await.unwrap();
    let state = |row: &DecisionRow| {
        let id = row.decision.to_string();
        let mut items = answer["items"].as_array().unwrap().iter();
        items.find(|item| item["decision"] == id.as_str()).unwrap().clone()
    };
    assert_eq!(state(&rows[0])["state"], "approved");
    assert_eq!(state(&rows[1])["error"]["code"], "PL3007", "{answer}");
    assert_eq!(state(&rows[2])["state"], "approved");
    let (first, third) = (cast(&world, &rows[0]), cast(&world, &rows[2]));
    assert_eq!(first.signed, third.signed, "one act");
    // what was recorded has the same answer again; a refusal recorded nothing and is worked out anew
    let again = ana.hand_in(&world, &envelope, Some("bulk")).await.unwrap();
    for place in [0, 2] {
        assert_eq!(again["items"][place], answer["items"][place]);
    }
    assert_eq!(world.handle.view().unwrap().verify().unwrap().signatures, 2);
}

#[tokio::test]
async fn a_revoked_key_signs_nothing_more_and_what_it_signed_stays_verifiable() {
    let (world, rows) = asking(2).await;
    let ana = Signer::of(&world, "approver").await;
    let before = ana.vote(&world, &rows[0], Verdict::Approve);
    ana.hand_in(&world, &before, None).await.unwrap();
    let late = ana.vote(&world, &rows[1], Verdict::Approve);
    world.handle.revoke_key(&name("author"), ana.key()).await.unwrap();
    assert_eq!(ana.hand_in(&world, &late, None).await.unwrap_err(), "PL3045");
    assert_eq!(world.handle.view().unwrap().verify().unwrap().signatures, 1);
    // it is nobody else's either, and it does not come back
    for who in ["approver", "second"] {
        let again = world.handle.register_key(&name("author"), name(who), ana.key()).await;
        assert_eq!(again.unwrap_err().code(), "PL3049", "{who}");
    }
}

#[tokio::test]
async fn a_vote_whose_key_was_revoked_before_the_claim_does_not_count_and_is_asked_for_again() {
    let (mut world, rows) = asking(1).await;
    let author = name("author");
    let ana = Signer::of(&world, "approver").await;
    world.handle.pause(&author, None).await.unwrap();
    let envelope = ana.vote(&world, &rows[0], Verdict::Approve);
    let held = ana.hand_in(&world, &envelope, None).await.unwrap();
    assert_eq!(held["state"], "approved");
    world.handle.revoke_key(&author, ana.key()).await.unwrap();
    world.handle.resume(&author, None).await.unwrap();
    let asked = world.item(|row| row.state == DecisionState::Requested).await;
    assert_eq!(asked.decision, rows[0].decision, "back in the inbox");
    // the person has lost nothing but the key
    let fresh = Signer::of(&world, "approver").await;
    let envelope = fresh.vote(&world, &rows[0], Verdict::Approve);
    fresh.hand_in(&world, &envelope, None).await.unwrap();
    let report = world.finished(rows[0].run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(world.handle.view().unwrap().verify().unwrap().signatures, 2);
}

#[tokio::test]
async fn keys_are_registered_by_an_admin_for_people_who_are_known() {
    let (world, _) = asking(1).await;
    let key = Signer::stranger("approver").key();
    let register = |by: &str, whose: &str| {
        let (by, whose) = (name(by), name(whose));
        let handle = world.handle.clone();
        async move { handle.register_key(&by, whose, key).await }
    };
    assert_eq!(register("approver", "approver").await.unwrap_err().code(), "PL4005");
    assert_eq!(register("author", "nobody").await.unwrap_err().code(), "PL3004");
    register("author", "approver").await.unwrap();
    register("author", "approver").await.unwrap();
    assert_eq!(register("author", "second").await.unwrap_err().code(), "PL3049");
    let stranger = Signer::stranger("second").key();
    let refused = world.handle.revoke_key(&name("second"), key).await;
    assert_eq!(refused.unwrap_err().code(), "PL4005", "another person's key");
    let unknown = world.handle.revoke_key(&name("author"), stranger).await;
    assert_eq!(unknown.unwrap_err().code(), "PL4012");
    world.handle.revoke_key(&name("approver"), key).await.unwrap();
}

#[tokio::test]
async fn where_signatures_are_demanded_no_door_takes_an_unsigned_vote() {
    let (world, rows) = asking(1).await;
    let ana = Signer::of(&world, "approver").await;
    world.handle.demand_signatures();
    let ballot = json!({
        "decision": rows[0].decision, "digest": rows[0].digest, "verdict": "approve",
        "nonce": world.handle.nonce(), "time": world.handle.now(),
    });
    let through_the_inbox = world.handle.inbox_decide(&caller("approver", None), &ballot).await;
    assert_eq!(through_the_inbox.unwrap_err().code(), "PL3017");
    let straight = world.vote(&rows[0], "approver", Verdict::Approve).await;
    assert_eq!(straight.unwrap_err().code(), "PL3017");
    assert_eq!(card(&world, "approver", rows[0].decision)["sign"]["required"], true);
    let envelope = ana.vote(&world, &rows[0], Verdict::Approve);
    ana.hand_in(&world, &envelope, None).await.unwrap();
}

#[tokio::test]
async fn an_unsigned_vote_has_a_nonce_and_a_time_and_the_nonce_is_good_once_in_the_whole_log() {
    let (world, rows) = asking(2).await;
    let ballot = |row: &DecisionRow, nonce: &str| {
        json!({
            "decision": row.decision, "digest": row.digest, "verdict": "approve",
            "nonce": nonce, "time": world.handle.now(),
        })
    };
    for member in ["nonce", "time"] {
        let mut without = ballot(&rows[0], "0123456789abcdef");
        without.as_object_mut().unwrap().remove(member);
        assert_eq!(hand_in(&world, "approver", &without, None).await.unwrap_err(), "PL4003");
    }
    hand_in(&world, "approver", &ballot(&rows[0], "0123456789abcdef"), None).await.unwrap();
    let again = hand_in(&world, "approver", &ballot(&rows[1], "0123456789abcdef"), None).await;
    assert_eq!(again.unwrap_err(), "PL3011");
    // a nonce is its voter's
    hand_in(&world, "second", &ballot(&rows[1], "0123456789abcdef"), None).await.unwrap();
}

#[tokio::test]
async fn of_many_votes_with_one_nonce_at_once_exactly_one_is_taken() {
    let (world, rows) = asking(8).await;
    let ana = Signer::of(&world, "approver").await;
    let votes = rows.iter().map(|row| {
        let draft = Draft { nonce: [5; 16], ..ana.draft(&world, &[row], Verdict::Approve) };
        let (envelope, handle) = (ana.sign(draft), world.handle.clone());
        tokio::spawn(async move { handle.inbox_decide(&caller("approver", None), &envelope).await })
    });
    let votes: Vec<_> = votes.collect();
    let mut taken = 0;
    for vote in votes {
        match vote.await.unwrap() {
            Ok(_) => taken += 1,
            Err(error) => assert_eq!(error.code(), "PL3011"),
        }
    }
    assert_eq!(taken, 1);
}
