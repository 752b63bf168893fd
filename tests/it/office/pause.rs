//! A pause, with people who sign: it holds at once whatever is approved, by whatever door it is asked for, it is in the log
//! with its actor, and what is let go again is looked at again. No door takes a vote that nobody has signed.
//!
//! covers: S1, T14, T18

use placet_model::decision::Verdict;
use placet_model::signed::Said;
use serde_json::{Value, json};

use super::{Office, POLICY, ask, inbox, post, runtime};
use crate::world::POST;

fn now<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

async fn approve(office: &Office, who: &str, decision: &str) -> Value {
    let card = office.card(who, decision).await;
    office.decide(who, &card, Said::Vote(Verdict::Approve)).await
}

#[test]
fn a_pause_holds_what_is_approved_and_a_resume_looks_at_all_of_it_again() {
    let name = "a_pause_holds_what_is_approved_and_a_resume_looks_at_all_of_it_again";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let door = office.address();
        let pause = async |who: &str, path: &str, body: Value| {
            post((&door, &office.tokens[who]), path, (&body, &super::nonce_text()))
                .await
                .expect("an answer")
                .0
        };
        // an approver may vote, and stop nothing
        assert_eq!(pause("ana", "/pause", json!({})).await, 403);
        assert_eq!(pause("robot", "/pause", json!({ "integration": "slack" })).await, 403);
        // over HTTP for one integration, at the terminal for everything
        assert_eq!(pause("wendy", "/pause", json!({ "integration": "slack" })).await, 200);
        now(|| office.done("wendy", &["pause"]));
        let mut held = Vec::new();
        for key in ["good", "stricter"] {
            let (run, decision) = office.asked(key).await;
            assert_eq!(approve(&office, "ana", &decision).await["state"], "approved");
            held.push((run, decision));
        }
        let card = office.card("wendy", &held[0].1).await;
        assert_eq!(card["state"], "approved", "{card:#}");
        // one of the two holds is not enough to go
        now(|| office.done("wendy", &["resume"]));
        assert_eq!(office.provider.received_at(POST).len(), 0, "the integration is still paused");
        // meanwhile the key of the first voter is revoked, and the policy asks for two
        now(|| {
            let key = office.seeds["ana"].key().to_string();
            office.done("ana", &["keys", "revoke", &key]);
            let stricter = POLICY.replace("approvers: [leads]", "approvers: [leads], quorum: 2");
            office.project.write("stricter.yaml", &stricter);
            office.done("root", &["policy", "apply", "stricter.yaml"]);
        });
        assert_eq!(pause("wendy", "/resume", json!({ "integration": "slack" })).await, 200);
        for (run, decision) in &held {
            now(|| office.until(run, "RequirementRaised"));
            let card = office.card("ben", decision).await;
            assert_eq!(card["state"], "requested", "{card:#}");
        }
        assert_eq!(office.provider.received_at(POST).len(), 0, "nothing goes on old votes");
    });
    // who has stopped and let go stands in the log
    let paused = office.log(&["--type", "OutboundPaused"]);
    let resumed = office.log(&["--type", "OutboundResumed"]);
    assert_eq!((paused.len(), resumed.len()), (2, 2));
    for event in paused.iter().chain(&resumed) {
        assert_eq!(event["actor"], "principal:wendy", "{event}");
    }
}

#[test]
fn an_approval_that_runs_out_during_a_pause_is_never_spent() {
    let name = "an_approval_that_runs_out_during_a_pause_is_never_spent";
    let Some(office) = Office::open(name, "") else { return };
    // as soon as it may be: who approves it does so in time, however long they are held up
    let soon = POLICY.replace("approvers: [leads]", "approvers: [leads], expires: PT20S");
    office.project.write("soon.yaml", &soon);
    office.done("root", &["policy", "apply", "soon.yaml"]);
    office.done("wendy", &["pause"]);
    runtime().block_on(async {
        let (run, decision) = office.asked("late").await;
        assert_eq!(approve(&office, "ana", &decision).await["state"], "approved");
        now(|| office.until(&run, "RunFaulted"));
        now(|| office.done("wendy", &["resume"]));
        let card = office.card("ana", &decision).await;
        assert_ne!(card["state"], "approved", "{card:#}");
    });
    assert_eq!(office.provider.received_at(POST).len(), 0);
}

#[test]
fn no_door_of_serve_takes_what_nobody_has_signed() {
    let name = "no_door_of_serve_takes_what_nobody_has_signed";
    let Some(office) = Office::open(name, "") else { return };
    runtime().block_on(async {
        let (_, decision) = office.asked("k1").await;
        let card = office.card("ana", &decision).await;
        let ana = office.client("ana").await;
        let time = placet_executor::Clock::System.now();
        let bare = |verdict: &str| {
            json!({
                "digest": card["digest"], "verdict": verdict, "nonce": super::nonce_text(), "time": time,
                "reason": "because",
            })
        };
        let (door, path) = (office.address(), format!("/decisions/{decision}/votes"));
        let door = (door.as_str(), office.tokens["ana"].as_str());
        let words = [
            "approve", "reject", "respond", "edit", "withdraw", "reassign", "sent", "not_sent", "give_up",
        ];
        for verdict in words {
            let mut body = bare(verdict);
            if verdict == "edit" {
                body["with"] = json!({"channel": "C0SALES", "text": "other"});
            }
            if verdict == "reassign" {
                body["to"] = json!(["ben"]);
            }
            let (status, _, answer) = post(door, &path, (&body, verdict)).await.expect("an answer");
            assert_eq!((status, &answer["code"]), (403, &json!("PL3017")), "{verdict}: {answer}");
            body["decision"] = json!(decision);
            let answer = ask(&ana, &inbox("ana", "decide"), &body, verdict).await;
            assert_eq!(answer["error"]["code"], "PL3017", "{verdict}: {answer}");
        }
        let mut several = bare("approve");
        several["items"] = json!([{ "decision": decision, "digest": card["digest"] }]);
        several.as_object_mut().expect("a map").remove("digest");
        let (status, _, answer) = post(door, "/decisions/votes", (&several, "several")).await.expect("an answer");
        assert_eq!((status, &answer["code"]), (403, &json!("PL3017")), "{answer}");
        let answer = ask(&ana, &inbox("ana", "decide"), &several, "several").await;
        assert_eq!(answer["error"]["code"], "PL3017", "{answer}");
        let card = office.card("ana", &decision).await;
        assert_eq!((&card["state"], &card["votes"]), (&json!("requested"), &json!([])));
    });
}
