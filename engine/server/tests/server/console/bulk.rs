//! Several of one shape in one act.

use super::html::{form, links, tags, words};
use super::surf::Browser;
use crate::world::with_workflow;
use serde_json::json;

#[tokio::test]
async fn several_are_decided_by_the_digests_that_were_shown() {
    let mut world = with_workflow().await;
    for text in ["one", "two", "three"] {
        let body =
            json!({"workflow": "ops/slack-notify", "input": {"channel": "C0140", "text": text}});
        let run = world.post("/api/v1/runs", &body).await.ok()["run"].as_str().unwrap().to_owned();
        world.settled(&run).await;
    }
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let groups = browser.page("/inbox?group=true").await;
    let shape = links(&groups).into_iter().find(|link| link.contains("shape=")).unwrap();
    let page = browser.page(&shape).await;
    let said = words(&page);
    assert!(said.contains("The same in all of them") && said.contains("C0140"), "{said}");
    for differs in ["one", "two", "three"] {
        assert!(said.contains(differs), "what differs stands beside each: {said}");
    }
    let boxes: Vec<String> = tags(&page)
        .into_iter()
        .filter(|tag| tag.get("name") == Some("item"))
        .map(|tag| tag.get("value").unwrap().to_owned())
        .collect();
    assert_eq!(boxes.len(), 3);
    let mut bulk = form(&page, "/inbox/bulk").with("verdict", "approve");
    let stale = format!("{} sha256:{}", boxes[2].split(' ').next().unwrap(), "0".repeat(64));
    for item in [&boxes[0], &boxes[1], &stale] {
        bulk.fields.push(("item".to_owned(), item.clone()));
    }
    let answer = browser.submit(&bulk).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = words(&answer.body);
    assert_eq!(said.matches("approved").count(), 2, "{said}");
    assert!(said.contains("PL3002"), "the one that was not what was shown: {said}");
    let open = world.get_as("approver", "/api/v1/inbox").await.ok();
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    // nothing chosen is said, not done
    let none = form(&page, "/inbox/bulk").with("verdict", "approve");
    let answer = browser.submit(&none).await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}
