//! Passkeys: the challenge is the digest of the document, so an assertion is over exactly one vote; what
//! the policy asks for is not met by less, and the log verifies all of it again.
//!
//! covers: S6, S7, S12, A1, A4
//!
//! An authenticator that counts must count on: else somebody has a second one with the same key.

use crate::signing::{Signer, hand_in};
use crate::world::{World, fixture, name, people, start};
use placet_executor::Handle;
use placet_executor::passkeys::ToSign;
use placet_model::decision::{Assurance, Verdict};
use placet_model::draft::Mode;
use placet_model::passkey::{Enrolled, PasskeyId};
use placet_model::policy::{Require, Rule};
use placet_model::signed::{DecisionDocument, Item, Said, text_of};
use placet_model::{Actor, Digest, Event, Position};
use placet_projections::DecisionRow;
use placet_test_support::passkey::Authenticator;
use serde_json::{Value, json};

const HOST: &str = "placet.example.com";

/// What a browser gives back, as bytes.
fn made(authenticator: &Authenticator) -> Result<Enrolled, &'static str> {
    let challenge = [7; 32];
    let (client, data) = authenticator.create(&text_of(&challenge));
    let [client, data] = [client, data].map(|part| placet_test_support::passkey::decode(&part));
    Enrolled::read((&client, &data), &challenge, HOST)
}

async fn enrol(handle: &Handle, who: &str, authenticator: &Authenticator) -> PasskeyId {
    let enrolled = made(authenticator).unwrap();
    handle.enrol_passkey(&name(who), enrolled, HOST.to_owned()).await.unwrap()
}

/// A passkey of `who` that an admin has confirmed.
async fn confirmed(handle: &Handle, who: &str, authenticator: &Authenticator) -> PasskeyId {
    let id = enrol(handle, who, authenticator).await;
    handle.confirm_passkey(&name("author"), id).await.unwrap();
    id
}

/// What `who` is asked to sign for this verdict.
fn to_sign(world: &World, who: &str, (row, verdict): (&DecisionRow, Verdict)) -> Value {
    let reason = (verdict != Verdict::Approve).then(|| "because".to_owned());
    let (decision, digest, said) = (row.decision, row.digest, Said::Vote(verdict));
    let asked = ToSign { decision, digest, said, passkey: None, reason, with: None };
    world.handle.to_sign_with_passkey(&name(who), &asked).unwrap()
}

/// The envelope of what was signed.
fn envelope(asked: &Value, signature: &str) -> Value {
    let mut envelope = json!({"document": asked["document"], "signature": signature});
    for member in ["reason", "reason_salt"] {
        if !asked[member].is_null() {
            envelope[member] = asked[member].clone();
        }
    }
    envelope
}

fn challenge(asked: &Value) -> &str {
    asked["options"]["challenge"].as_str().unwrap()
}

/// A project whose policy demands passkeys, with a run that waits.
async fn demanding() -> (World, DecisionRow) {
    let mut world = start().await;
    let mut policy = people();
    policy.rules.push(Rule {
        name: "with a passkey".to_owned(),
        require: Require { assurance: Some(Assurance::Passkey), ..Require::default() },
        ..Rule::default()
    });
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    world.handle.demand_signatures();
    let row = waiting(&mut world).await;
    (world, row)
}

async fn waiting(world: &mut World) -> DecisionRow {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.open_items().into_iter().find(|row| row.run == run).unwrap()
}

#[tokio::test]
async fn what_demands_a_passkey_is_sent_by_one_of_either_algorithm_and_by_no_other_key() {
    let (mut world, row) = demanding().await;
    let key = Signer::of(&world, "second").await;
    let by_key = key.vote(&world, &row, Verdict::Approve);
    assert_eq!(key.hand_in(&world, &by_key, None).await, Err("PL3030".to_owned()));
    for (count, authenticator) in
        [Authenticator::es256(HOST), Authenticator::eddsa(HOST)].iter().enumerate()
    {
        let row = if count == 0 { row.clone() } else { waiting(&mut world).await };
        let who = ["approver", "second"][count];
        confirmed(&world.handle, who, authenticator).await;
        let asked = to_sign(&world, who, (&row, Verdict::Approve));
        assert_eq!(asked["options"]["rpId"], HOST);
        assert_eq!(
            asked["options"]["allowCredentials"][0]["id"],
            authenticator.credential().as_str()
        );
        let signed = envelope(&asked, &authenticator.get(challenge(&asked)));
        let answer = hand_in(&world, who, &signed, None).await.unwrap();
        assert_eq!(answer["state"], "approved");
        world.finished(row.run).await;
    }
    assert_eq!(world.recorder.sends().len(), 2);
    let view = world.handle.view().unwrap();
    assert_eq!(view.verify().unwrap().signatures, 2, "both are verified again");
    let votes = view.events(Position::START).filter_map(|event| match event.unwrap().event {
        Event::VoteCast(body) => Some(body.assurance),
        _ => None,
    });
    assert_eq!(votes.collect::<Vec<_>>(), [Assurance::Passkey; 2]);
}

#[tokio::test]
async fn an_assertion_is_over_one_vote_given_by_its_person_on_our_page() {
    let (world, row) = demanding().await;
    let mut authenticator = Authenticator::es256(HOST);
    let id = confirmed(&world.handle, "approver", &authenticator).await;
    let refused = async |envelope: &Value, code: &str, why: &str| {
        let answer = hand_in(&world, "approver", envelope, None).await;
        assert_eq!(answer, Err(code.to_owned()), "{why}");
    };
    let asked = to_sign(&world, "approver", (&row, Verdict::Approve));
    // another document under the same assertion
    let no = to_sign(&world, "approver", (&row, Verdict::Reject));
    refused(&envelope(&no, &authenticator.get(challenge(&asked))), "PL3042", "other words").await;
    let mut turned = envelope(&asked, &authenticator.get(challenge(&asked)));
    turned["document"]["verdict"] = json!("reject");
    refused(&turned, "PL3042", "the verdict is turned").await;
    // the same challenge, answered otherwise
    let origins =
        ["https://evil.example", "http://placet.example.com", "https://notplacet.example.com"];
    for origin in origins {
        authenticator.origin = origin.to_owned();
        refused(&envelope(&asked, &authenticator.get(challenge(&asked))), "PL3042", origin).await;
    }
    authenticator.origin = format!("https://{HOST}:8443");
    authenticator.rp_id = "evil.example".to_owned();
    refused(&envelope(&asked, &authenticator.get(challenge(&asked))), "PL3042", "its party").await;
    authenticator.rp_id = HOST.to_owned();
    for flags in [0x00, 0x01, 0x04] {
        authenticator.flags = flags;
        refused(&envelope(&asked, &authenticator.get(challenge(&asked))), "PL3042", "flags").await;
    }
    authenticator.flags = 0x05;
    let other = Authenticator::es256(HOST).get(challenge(&asked));
    refused(&envelope(&asked, &other), "PL3042", "another authenticator").await;
    for text in ["", "webauthn.a.b.c", &text_of(&[0; 64])] {
        refused(&envelope(&asked, text), "PL3042", text).await;
    }
    // somebody else hands it in
    let good = envelope(&asked, &authenticator.get(challenge(&asked)));
    assert_eq!(hand_in(&world, "second", &good, None).await, Err("PL3046".to_owned()));
    assert!(world.recorder.sends().is_empty());
    // good it is, once
    hand_in(&world, "approver", &good, None).await.unwrap();
    assert!(hand_in(&world, "approver", &good, None).await.is_err(), "a nonce is used once");
    // revoked, nothing more is signed with it, and nobody is asked to
    world.handle.revoke_passkey(&name("approver"), id).await.unwrap();
    let asked = ToSign {
        decision: row.decision,
        digest: row.digest,
        said: Said::Vote(Verdict::Approve),
        passkey: None,
        reason: None,
        with: None,
    };
    let none = world.handle.to_sign_with_passkey(&name("approver"), &asked).unwrap_err();
    assert_eq!(none.code(), "PL5041");
}

#[tokio::test]
async fn a_passkey_is_good_for_nothing_before_an_admin_says_whose_it_is() {
    let (world, row) = demanding().await;
    let authenticator = Authenticator::es256(HOST);
    let id = confirmed(&world.handle, "approver", &authenticator).await;
    let asked = to_sign(&world, "approver", (&row, Verdict::Approve));
    // given one of a thief, who is logged in as the approver
    let thief = Authenticator::eddsa(HOST);
    let stolen = enrol(&world.handle, "approver", &thief).await;
    let mut document = asked["document"].clone();
    document["key"] = json!(stolen.to_string());
    let message = DecisionDocument::parse(&document).unwrap().message();
    let digest = Digest::of(message.as_bytes());
    let signature = thief.get(&text_of(digest.as_bytes()));
    let signed = json!({"document": document, "signature": signature});
    assert_eq!(hand_in(&world, "approver", &signed, None).await, Err("PL5041".to_owned()));
    // who is no admin cannot say so, and a passkey stays whose it is
    let own = world.handle.confirm_passkey(&name("approver"), stolen).await.unwrap_err();
    assert_eq!(own.code(), "PL4005");
    let again = made(&authenticator).unwrap();
    let taken = world.handle.enrol_passkey(&name("second"), again, HOST.to_owned()).await;
    assert_eq!(taken.unwrap_err().code(), "PL3049");
    // revoked for good
    world.handle.revoke_passkey(&name("author"), id).await.unwrap();
    let good = envelope(&asked, &authenticator.get(challenge(&asked)));
    assert_eq!(hand_in(&world, "approver", &good, None).await, Err("PL3045".to_owned()));
    assert_eq!(
        world.handle.confirm_passkey(&name("author"), id).await.unwrap_err().code(),
        "PL3045"
    );
}

/// Approves a run of its own with it, and lets it come to its end.
async fn approve(world: &mut World, authenticator: &Authenticator) -> Result<(), String> {
    let row = waiting(world).await;
    let asked = to_sign(world, "approver", (&row, Verdict::Approve));
    let signed = envelope(&asked, &authenticator.get(challenge(&asked)));
    hand_in(world, "approver", &signed, None).await?;
    world.finished(row.run).await;
    Ok(())
}

#[tokio::test]
async fn a_counter_that_does_not_rise_is_refused_and_the_log_tells_that_the_passkey_is_revoked() {
    let (mut world, _row) = demanding().await;
    let authenticator = Authenticator::es256(HOST);
    authenticator.counted.set(7);
    let id = confirmed(&world.handle, "approver", &authenticator).await;
    approve(&mut world, &authenticator).await.unwrap();
    authenticator.counted.set(40);
    approve(&mut world, &authenticator).await.unwrap();
    // whoever has copied it before has counted less
    authenticator.counted.set(40);
    let waits = waiting(&mut world).await;
    let asked = to_sign(&world, "approver", (&waits, Verdict::Approve));
    assert_eq!(approve(&mut world, &authenticator).await, Err("PL5042".to_owned()));
    // from then on neither of the two is believed, whatever it counts
    authenticator.counted.set(90);
    let signed = envelope(&asked, &authenticator.get(challenge(&asked)));
    assert_eq!(hand_in(&world, "approver", &signed, None).await, Err("PL3045".to_owned()));
    let view = world.handle.view().unwrap();
    let revoked = view.events(Position::START).map(Result::unwrap).filter_map(|event| {
        matches!(&event.event, Event::PasskeyRevoked(body) if body.passkey == id)
            .then_some(event.actor)
    });
    assert_eq!(revoked.collect::<Vec<_>>(), [Actor::Engine]);
    assert_eq!(view.verify().unwrap().signatures, 2);
    assert_eq!(world.recorder.sends().len(), 2, "what was refused has sent nothing");
}

#[tokio::test]
async fn several_decisions_of_one_document_are_one_use_and_one_that_never_counts_is_believed() {
    let (mut world, row) = demanding().await;
    let (counts, counts_not) = (Authenticator::es256(HOST), Authenticator::eddsa(HOST));
    counts.counted.set(1);
    confirmed(&world.handle, "approver", &counts).await;
    confirmed(&world.handle, "second", &counts_not).await;
    let other = waiting(&mut world).await;
    let mut asked = to_sign(&world, "approver", (&row, Verdict::Approve));
    let mut items: Vec<Value> =
        [&row, &other].map(|row| Item::new(row.decision, row.digest).to_value()).into();
    items.sort_by_key(|item| item["decision"].to_string());
    asked["document"]["items"] = json!(items);
    let message = DecisionDocument::parse(&asked["document"]).unwrap().message();
    let signature = counts.get(&text_of(Digest::of(message.as_bytes()).as_bytes()));
    let answer = hand_in(&world, "approver", &envelope(&asked, &signature), None).await.unwrap();
    let states: Vec<_> = answer["items"].as_array().unwrap().iter().map(|i| &i["state"]).collect();
    assert_eq!(states, ["approved", "approved"], "{answer}");
    // zero after zero says nothing of who it is
    for _ in 0..2 {
        let row = waiting(&mut world).await;
        let asked = to_sign(&world, "second", (&row, Verdict::Approve));
        let signed = envelope(&asked, &counts_not.get(challenge(&asked)));
        hand_in(&world, "second", &signed, None).await.unwrap();
    }
    assert_eq!(world.handle.view().unwrap().verify().unwrap().signatures, 4);
}

#[test]
fn what_an_authenticator_makes_is_read_strictly() {
    let mut authenticator = Authenticator::es256(HOST);
    assert!(made(&authenticator).is_ok());
    authenticator.flags = 0x01;
    assert_eq!(made(&authenticator), Err("the authenticator did not verify who was there"));
    authenticator.flags = 0x05;
    authenticator.origin = "https://evil.example".to_owned();
    assert_eq!(made(&authenticator), Err("it was given on a page of another origin"));
    let authenticator = Authenticator::eddsa("evil.example");
    assert!(made(&authenticator).is_err());
    let authenticator = Authenticator::eddsa(HOST);
    let (client, data) = authenticator.create(&text_of(&[7; 32]));
    let [client, data] = [client, data].map(|part| placet_test_support::passkey::decode(&part));
    for length in 0..data.len() {
        let cut = Enrolled::read((&client, &data[..length]), &[7; 32], HOST);
        assert!(cut.is_err(), "{length} bytes of it");
    }
    assert_eq!(
        Enrolled::read((&client, &data), &[8; 32], HOST),
        Err("the challenge is another one")
    );
}
