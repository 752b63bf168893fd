//! What is in doubt, over NATS with signed documents and at the terminal: it stands in the inbox with its evidence, somebody
//! who may says what became of it, and nothing is sent again without a fresh approval.
//!
//! covers: S10, A4

use placet_model::decision::{Resolution, Verdict};
use placet_model::signed::Said;
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};

use super::{Office, ask, inbox, runtime};
use crate::world::POST;

/// An action that was approved, and whose message the provider took without answering.
async fn doubted(office: &Office, key: &str) -> (String, String) {
    crate::world::cannot_be_looked_up(&office.provider);
    office.provider.next_for(POST, Behaviour::ApplyThenReset);
    let (run, decision) = office.asked(key).await;
    let card = office.card("ana", &decision).await;
    let decided = office.decide("ana", &card, Said::Vote(Verdict::Approve)).await;
    assert_eq!(decided["state"], "approved", "{decided}");
    tokio::task::block_in_place(|| office.until(&run, "AttemptInDoubt"));
    (run, decision)
}

async fn item(office: &Office, decision: &str) -> Option<Value> {
    let ben = office.client("ben").await;
    let list = ask(&ben, &inbox("ben", "list"), &json!({}), "list").await;
    list["items"].as_array().expect("a list").iter().find(|item| item["id"] == decision).cloned()
}

#[test]
fn what_became_of_a_send_is_said_over_nats_by_somebody_who_may_and_signs_it() {
    let name = "what_became_of_a_send_is_said_over_nats_by_somebody_who_may_and_signs_it";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let (run, decision) = doubted(&office, "k1").await;
        // it stands in the same inbox, also of those who did not vote, with what is known of it
        let listed = item(&office, &decision).await.expect("it is in the inbox");
        assert_eq!(listed["state"], "in_doubt", "{listed}");
        let card = office.card("ben", &decision).await;
        let doubt = &card["in_doubt"];
        assert!(doubt["words"].as_str().expect("words").starts_with("probably sent"), "{doubt}");
        assert_eq!(
            doubt["answers"],
            json!(["sent", "not_sent", "give_up"]),
            "what is likely comes first"
        );
        assert_eq!(
            (&doubt["default"], &doubt["evidence"]["kind"]),
            (&json!("sent"), &json!("reset")),
            "{doubt}"
        );
        assert_eq!(doubt["evidence"]["tries"].as_array().map(Vec::len), Some(1), "{doubt}");
        // nobody says it without the right, nor without a signature
        let eve = office.card("eve", &decision).await;
        let refused = office.decide("eve", &eve, Said::Resolution(Resolution::Sent)).await;
        assert_eq!(refused["error"]["code"], "PL4005", "{refused}");
        let ben = office.client("ben").await;
        let bare = json!({ "decision": decision, "verdict": "sent" });
        let unsigned = ask(&ben, &inbox("ben", "decide"), &bare, "u1").await;
        assert_eq!(unsigned["error"]["code"], "PL3017", "{unsigned}");
        // a vote is no answer to it
        let vote = office.decide("ben", &card, Said::Vote(Verdict::Approve)).await;
        assert!(
            vote["error"]["code"].as_str().is_some_and(|code| code.starts_with("PL30")),
            "{vote}"
        );
        let said = office.decide("ben", &card, Said::Resolution(Resolution::Sent)).await;
        assert!(said["position"].is_u64(), "{said}");
        tokio::task::block_in_place(|| office.until(&run, "RunCompleted"));
        assert_eq!(office.provider.received_at(POST).len(), 1, "nothing was sent again");
        let twice = office.decide("ana", &card, Said::Resolution(Resolution::NotSent)).await;
        assert!(!twice["error"].is_null(), "it was settled before: {twice}");
        assert!(item(&office, &decision).await.is_none());
    });
    let said = office.log(&["--type", "AttemptReconciled"]);
    assert_eq!((said.len(), &said[0]["actor"]), (1, &json!("principal:ben")));
}

#[test]
fn what_was_not_sent_is_sent_again_only_after_a_fresh_approval() {
    let name = "what_was_not_sent_is_sent_again_only_after_a_fresh_approval";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        // not sent, over NATS
        let (run, decision) = doubted(&office, "k1").await;
        let card = office.card("ana", &decision).await;
        office.decide("ana", &card, Said::Resolution(Resolution::NotSent)).await;
        let fresh = loop {
            let events =
                tokio::task::block_in_place(|| office.log(&["--type", "DecisionRequested"]));
            let mine = events.iter().filter(|event| event["stream"] == format!("run:{run}"));
            let asked: Vec<&str> =
                mine.filter_map(|event| event["body"]["decision"].as_str()).collect();
            if let [_, fresh] = asked[..] {
                break fresh.to_owned();
            }
        };
        assert_eq!(office.provider.received_at(POST).len(), 1, "a new draft waits for a new vote");
        let again = office.card("ben", &fresh).await;
        assert_ne!(again["digest"], card["digest"]);
        assert_ne!(again["document"]["send_id"], card["document"]["send_id"]);
        // the vote on the first draft is none on this one
        let stale = office.signed("ana", &[&card], Said::Vote(Verdict::Approve));
        let ana = office.client("ana").await;
        let refused = ask(&ana, &inbox("ana", "decide"), &stale, "stale").await;
        assert!(!refused["error"].is_null(), "{refused}");
        assert_eq!(office.provider.received_at(POST).len(), 1);
        office.decide("ben", &again, Said::Vote(Verdict::Approve)).await;
        tokio::task::block_in_place(|| office.until(&run, "RunCompleted"));
        assert_eq!(office.provider.received_at(POST).len(), 2, "once for each approval");

        // given up, at the terminal, by somebody who may and with a seed on this machine
        let (run, decision) = doubted(&office, "k2").await;
        tokio::task::block_in_place(|| {
            let resolve = ["inbox", "resolve", &decision, "give-up"];
            let refused = office.by("eve", &resolve).run().expect_code(1);
            assert!(refused.stderr.contains("PL4005"), "{}", refused.stderr);
            office.done("ana", &resolve);
            office.until(&run, "RunFaulted");
        });
        assert_eq!(office.provider.received_at(POST).len(), 3);
    });
}
