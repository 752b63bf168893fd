//! The policy as a page.

use super::html::{form, links, words};
use super::surf::Browser;
use crate::world::with_workflow;
use serde_json::json;

/// A rule that holds, one that is only shown, and a vote in advance.
const POLICY: &str = include_str!("policy.yaml");

#[tokio::test]
async fn rules_people_and_votes_in_advance_are_told_in_words() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let before = words(&browser.page("/policy").await);
    assert!(before.contains("no rule of your own yet"), "{before}");
    let body = json!({"file": "policy.yaml", "source": POLICY});
    world.post("/api/v1/policy", &body).await.ok();
    let head = world.head();
    let page = browser.page("/policy").await;
    let said = words(&page);
    for sentence in [
        "its effect is send and the provider is slack",
        "2 approvals of leads; 1 rejection ends it",
        "the operation is stripe.refunds.create",
        "nobody may send it",
        "only shown, does not hold",
        "leads approver, second",
        "auditor user auditor",
        "at most 3 a day, until 2100-01-01",
        "Given by author",
    ] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    assert_eq!(world.head(), head, "looking changes nothing");
    assert_eq!(form(&page, "/policy/endorse").get("standing"), Some("status"));
    // who may not read the policy there does not read it here
    browser.act_as("approver").await;
    let seen = browser.get("/policy").await.status;
    assert_eq!(seen, world.get_as("approver", "/api/v1/policy").await.status);
}

#[tokio::test]
async fn another_policy_is_tried_on_past_requests_and_not_applied() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let mut browser = Browser::logged_in(&world).await;
    let head = world.head();
    let empty = form(&browser.page("/policy").await, "/policy/test");
    let tried = browser.submit(&empty.clone().with("source", POLICY)).await;
    assert_eq!(tried.status, 200, "{tried:?}");
    let said = words(&tried.body);
    for sentence in [
        "1 requests: 1 would be asked otherwise",
        "1 approval by any approver; by approver, second",
        "2 approvals of leads",
    ] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let card = format!("/inbox/{}", card["id"].as_str().unwrap());
    assert!(links(&tried.body).contains(&card));
    let again = form(&tried.body, "/policy/test");
    assert_eq!(again.get("source").unwrap().trim(), POLICY.trim(), "one goes on from there");
    let broken = browser.submit(&empty.with("source", "rules: [")).await;
    let body = json!({"file": "policy.yaml", "source": "rules: ["});
    assert_eq!(broken.status, world.post("/api/v1/policy/test", &body).await.status);
    assert!(words(&broken.body).contains("policy.yaml:1:"), "{}", words(&broken.body));
    assert_eq!(world.head(), head, "nothing is applied");
}
