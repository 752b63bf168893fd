//! Looking back: the log, a story, the past, a proof.

use super::html::{form, links, words};
use super::surf::Browser;
use crate::world::{World, with_workflow};
use serde_json::{Value, json};

/// A run that was approved and is over, and its decision.
async fn decided(world: &mut World) -> (String, String) {
    let (run, card) = world.waiting().await;
    let decision = card["id"].as_str().unwrap().to_owned();
    let vote = json!({"verdict": "approve", "digest": card["digest"]});
    world.post_as("approver", &format!("/api/v1/decisions/{decision}/votes"), &vote).await.ok();
    world.finished(&run).await;
    (run, decision)
}

#[tokio::test]
async fn the_log_is_read_as_a_story_and_as_records_with_filters_and_page_by_page() {
    let mut world = with_workflow().await;
    let (run, decision) = decided(&mut world).await;
    let mut browser = Browser::logged_in(&world).await;
    let head = world.head();
    let story = browser.page(&format!("/audit?run={run}")).await;
    let said = words(&story);
    for sentence in ["approver approved", "the engine asked for the decision", "the run ended well"]
    {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let one = browser.page("/audit?type=VoteCast&view=records").await;
    assert!(words(&one).contains(&decision) && words(&one).contains("\"event_id\""), "{one}");
    assert!(!words(&one).contains("RunStarted"), "only what was asked for");
    let theirs = words(&browser.page("/audit?actor=principal:approver").await);
    assert!(theirs.contains("VoteCast") && !theirs.contains("RunStarted"), "{theirs}");
    // page by page, with the filters, to the beginning
    let (mut place, mut seen) = (Some(format!("/audit?run={run}&limit=3")), vec![]);
    while let Some(at) = place {
        let page = browser.page(&at).await;
        let events = links(&page).into_iter().filter(|link| link.starts_with("/audit?at="));
        seen.extend(events);
        place = links(&page).into_iter().find(|link| link.contains("before="));
        assert!(place.iter().all(|next| next.contains(&run) && next.contains("limit=3")));
    }
    let all = world.get(&format!("/api/v1/audit/events?run={run}&limit=1000")).await.ok();
    let wanted = all["events"].as_array().unwrap().iter().rev();
    let wanted: Vec<_> = wanted.map(|event| format!("/audit?at={}", event["position"])).collect();
    assert_eq!(seen, wanted, "each once, newest first");
    let whole = words(&browser.page(&format!("/audit/story/{decision}")).await);
    assert!(whole.contains("ops/slack-notify") && whole.contains("approver approved"), "{whole}");
    assert_eq!(browser.get("/audit?type=Nonsense").await.status, 400);
    assert_eq!(browser.get("/audit?view=table").await.status, 400);
    assert_eq!(world.head(), head, "reading changes nothing");
}

#[tokio::test]
async fn the_log_is_verified_a_proof_taken_along_and_the_past_told_as_it_was() {
    let mut world = with_workflow().await;
    let (_run, decision) = decided(&mut world).await;
    let (_open, _card) = world.waiting().await;
    let mut browser = Browser::logged_in(&world).await;
    let head = world.head();
    let verified =
        browser.submit(&form(&browser.clone().page("/audit").await, "/audit/verify")).await;
    assert_eq!(verified.status, 200, "{verified:?}");
    let said = words(&verified.body);
    assert!(
        said.contains("The log is whole") && said.contains(&format!("{head} events")),
        "{said}"
    );
    assert!(
        verified.body.contains("name=\"back\" value=\"/audit\""),
        "the switches lead to a page"
    );
    let proof = browser.get(&format!("/audit/proof?decision={decision}")).await;
    assert_eq!(proof.header("content-type"), Some("application/json"));
    let name = format!("attachment; filename=\"{decision}.receipt.json\"");
    assert_eq!(proof.header("content-disposition"), Some(name.as_str()));
    let receipt: Value = serde_json::from_str(&proof.body).unwrap();
    let path = format!("/api/v1/audit/receipts/{decision}");
    assert_eq!(receipt, world.post(&path, &json!({})).await.ok(), "the one of the API");
    assert_eq!(browser.get("/audit/proof").await.status, 400);
    let asked = world.get("/api/v1/audit/events?type=DecisionRequested").await.ok();
    let first = asked["events"][0]["position"].as_u64().unwrap();
    let before = browser.page(&format!("/audit?at={}", first - 1)).await;
    assert!(words(&before).contains("Open decisions: 0"), "{}", words(&before));
    let then = browser.page(&format!("/audit?at={first}")).await;
    assert!(words(&then).contains("Open decisions: 1") && words(&then).contains("Runs: 1"));
    for beside in [first - 1, first + 1] {
        assert!(links(&then).contains(&format!("/audit?at={beside}")), "{beside}");
    }
    let last = links(&browser.page(&format!("/audit?at={head}")).await);
    assert!(!last.contains(&format!("/audit?at={}", head.get() + 1)), "nothing comes after it");
    assert_ne!(browser.get(&format!("/audit?at={}", head.get() + 1)).await.status, 200);
    // whoever may not read the project may not look back either
    browser.act_as("approver").await;
    for place in ["/audit", "/audit?at=1", &format!("/audit/story/{decision}")] {
        let answer = browser.get(place).await;
        let api = world.get_as("approver", "/api/v1/audit/events").await.status;
        assert_eq!(answer.status, api, "{place}");
    }
    assert_eq!(world.head(), head, "all of it reads");
}
