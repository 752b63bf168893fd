//! The exam of a signed decision on a real server: each way in which it is not what it says has its own refusal, and none of
//! them leaves anything in the log. What belongs to the server alone (subjects, accounts) is examined in
//! `engine/bus/tests/bus/deployment.rs`, what needs no server in `engine/executor/tests/executor/signed.rs`.
//!
//! covers: S7, S18, S19, T20, T21, A1, A4, A6

use placet_bus::Seed;
use placet_model::Timestamp;
use placet_model::decision::Verdict;
use placet_model::signed::{Draft, Said};
use serde_json::{Value, json};

use super::{Office, REASON, SALT, ask, draft, inbox, is_kept_from, nonce_text, runtime, signed};

const APPROVE: Said = Said::Vote(Verdict::Approve);

fn enveloped(seed: &Seed, draft: Draft) -> Value {
    Value::Object(seed.sign(draft, Some((REASON, &SALT))).expect("a document"))
}

/// An envelope that says something else than what was signed.
fn changed(office: &Office, card: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut envelope = office.signed("ana", &[card], APPROVE);
    change(&mut envelope);
    envelope
}

/// Envelopes that Ana must not come through with, each with the code that says why.
fn spoilt(
    office: &Office,
    card: &Value,
    other: &Value,
) -> Vec<(&'static str, &'static str, Value)> {
    let (ana, ben) = (&office.seeds["ana"], &office.seeds["ben"]);
    let stranger = Seed::random().expect("random bytes");
    let of = |seed: &Seed, change: fn(&mut Draft)| {
        let mut draft = draft(seed, "ana", &[card], APPROVE);
        change(&mut draft);
        enveloped(seed, draft)
    };
    let past = |draft: &mut Draft| {
        draft.issued_at = Timestamp::from_millis(draft.issued_at.as_millis() - 20 * 60_000);
        draft.expires_at = draft.issued_at.plus_millis(60_000);
    };
    let early = |draft: &mut Draft| {
        draft.issued_at = draft.issued_at.plus_millis(10 * 60_000);
        draft.expires_at = draft.issued_at.plus_millis(60_000);
    };
    let elsewhere = |draft: &mut Draft| "placet.example/other".clone_into(&mut draft.origin);
    let mut both = office.signed("ana", &[card, other], APPROVE);
    both["document"]["items"].as_array_mut().expect("items").reverse();
    vec![
        ("expired", "PL3047", of(ana, past)),
        ("not yet", "PL3047", of(ana, early)),
        ("of another log", "PL3043", of(ana, elsewhere)),
        ("with the key of somebody else", "PL3046", of(ben, |_| {})),
        ("with a key that nobody knows", "PL3044", of(&stranger, |_| {})),
        ("for somebody else", "PL3046", signed(ben, "ben", &[card], APPROVE)),
        (
            "other verdict",
            "PL3042",
            changed(office, card, |e| e["document"]["verdict"] = json!("reject")),
        ),
        (
            "other digest",
            "PL3042",
            changed(office, card, |e| {
                e["document"]["items"][0]["digest"] = other["digest"].clone();
            }),
        ),
        (
            "other signature",
            "PL3042",
            changed(office, card, |e| e["signature"] = json!("A".repeat(86))),
        ),
        ("a member more", "PL3041", changed(office, card, |e| e["document"]["note"] = json!("x"))),
        (
            "a member less",
            "PL3041",
            changed(office, card, |e| {
                e["document"].as_object_mut().expect("a map").remove("nonce");
            }),
        ),
        ("beside it a member more", "PL4003", changed(office, card, |e| e["note"] = json!("x"))),
        ("items in another order", "PL3041", both),
        ("another reason", "PL3048", changed(office, card, |e| e["reason"] = json!("as denied"))),
        (
            "no reason",
            "PL3048",
            changed(office, card, |e| {
                e.as_object_mut().expect("a map").remove("reason");
            }),
        ),
    ]
}

#[test]
fn a_signed_decision_that_is_not_what_it_says_is_refused_by_name_and_leaves_nothing() {
    let name = "a_signed_decision_that_is_not_what_it_says_is_refused_by_name_and_leaves_nothing";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let (_, decision) = office.asked("k1").await;
        let (_, second) = office.asked("k2").await;
        let (card, other) =
            (office.card("ana", &decision).await, office.card("ana", &second).await);
        let ana = office.client("ana").await;
        let decide = async |envelope: &Value, id: &str| {
            ask(&ana, &inbox("ana", "decide"), envelope, id).await
        };
        for (what, code, envelope) in spoilt(&office, &card, &other) {
            let answer = decide(&envelope, &nonce_text()).await;
            assert_eq!(answer["error"]["code"], code, "{what}: {answer}");
        }
        let untouched = office.card("ana", &decision).await;
        assert_eq!((&untouched["state"], &untouched["votes"]), (&json!("requested"), &json!([])));
        // what is good is taken once: the same request has the same answer, a replay under another id has none
        let good = office.signed("ana", &[&card], APPROVE);
        let first = decide(&good, "vote-1").await;
        assert_eq!(first["state"], "approved", "{first}");
        assert_eq!(decide(&good, "vote-1").await, first);
        let replayed = decide(&good, "vote-2").await;
        assert!(!replayed["error"].is_null(), "{replayed}");
        // the id of one act is not that of another, and a nonce is good once
        let mut again = draft(&office.seeds["ana"], "ana", &[&other], APPROVE);
        let reused = decide(&enveloped(&office.seeds["ana"], again.clone()), "vote-1").await;
        assert_eq!(reused["error"]["code"], "PL3018", "{reused}");
        let text = good["document"]["nonce"].as_str().expect("a nonce");
        again.nonce = placet_model::signed::bytes("nonce", text).expect("16 bytes");
        let spent = decide(&enveloped(&office.seeds["ana"], again), "vote-3").await;
        assert_eq!(spent["error"]["code"], "PL3011", "{spent}");
        // and Ana has no way to Ben's subjects
        assert!(is_kept_from(&ana, inbox("ben", "decide"), good.to_string()).await);
    });
    assert_eq!(office.log(&["--type", "VoteCast"]).len(), 1);
}

#[test]
fn an_act_of_several_that_a_kill_cuts_short_goes_on_under_its_request_id() {
    let name = "an_act_of_several_that_a_kill_cuts_short_goes_on_under_its_request_id";
    let Some(mut office) = Office::open(name, "agent_open_max = 1000\nagent_minute_max = 1000")
    else {
        return;
    };
    let runtime = runtime();
    // given fifty requests, and one signed act about all of them
    let act = runtime.block_on(async {
        let mut cards = Vec::new();
        for number in 0..50 {
            let (_, decision) = office.asked(&format!("k{number}")).await;
            cards.push(office.card("ana", &decision).await);
        }
        office.signed("ana", &cards.iter().collect::<Vec<_>>(), APPROVE)
    });
    // when the engine is killed as soon as the first of its votes is in the log
    let votes = runtime.block_on(async {
        let ana = office.client("ana").await;
        let (subject, body) = (inbox("ana", "decide"), act.to_string());
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Placet-Request-Id", "all");
        let follow =
            office.by("eve", &["audit", "log", "-f", "--type", "VoteCast", "--json"]).start();
        ana.publish_with_reply_and_headers(subject, ana.new_inbox(), headers, body.into())
            .await
            .expect("sent");
        ana.flush().await.expect("the server has it");
        tokio::task::block_in_place(|| follow.stdout_line(|line| line.contains("VoteCast")));
        office.engine().strike();
        follow.stdout_lines().len()
    });
    office.kill_9();
    office.start();
    office.ready();
    let before = office.log(&["--type", "VoteCast"]).len();
    println!("killed after {votes} votes were seen; {before} of 50 are in the log");
    assert!((1..=50).contains(&before), "{before}");
    // then the same act goes on: an answer for each item, and no vote twice
    runtime.block_on(async {
        let ana = office.client("ana").await;
        let answer = ask(&ana, &inbox("ana", "decide"), &act, "all").await;
        let items = answer["items"].as_array().unwrap_or_else(|| unreachable!("{answer}"));
        assert_eq!(items.len(), 50);
        assert!(items.iter().all(|item| item["state"] == "approved"), "{answer}");
        assert_eq!(
            ask(&ana, &inbox("ana", "decide"), &act, "all").await,
            answer,
            "the same, however often"
        );
    });
    assert_eq!(office.log(&["--type", "VoteCast"]).len(), 50);
    assert_eq!(office.done("eve", &["audit", "verify", "--json"]).json()["signatures"], 50);
}
