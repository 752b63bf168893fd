//! The first visit.

use super::html::{form, links, words};
use super::surf::Browser;
use crate::world::with_workflow;
use serde_json::json;

#[tokio::test]
async fn an_empty_inbox_leads_through_the_first_approval() {
    let mut world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let empty = browser.page("/inbox").await;
    assert!(links(&empty).contains(&"/first".to_owned()), "{}", words(&empty));
    let head = world.head();
    let begin = browser.page("/first").await;
    assert_eq!(world.head(), head, "looking begins nothing");
    let place = browser.submitted(&form(&begin, "/first")).await;
    let run = place.strip_prefix("/first?run=").expect("the run").to_owned();
    world.settled(&run).await;
    let waits = browser.page(&place).await;
    let as_other = form(&waits, "/console/as");
    let as_other = super::html::forms(&waits)
        .into_iter()
        .find(|form| form.get("user") == Some("approver"))
        .unwrap_or(as_other);
    let card = browser.submitted(&as_other).await;
    let decision = card.strip_prefix("/inbox/").expect("the card").to_owned();
    let shown = world.get_as("approver", &format!("/api/v1/decisions/{decision}")).await.ok();
    assert_eq!(shown["run"], run.as_str());
    let vote = json!({"verdict": "approve", "digest": shown["digest"]});
    world.post_as("approver", &format!("/api/v1/decisions/{decision}/votes"), &vote).await.ok();
    world.finished(&run).await;
    let done = words(&browser.page(&place).await);
    assert!(done.contains("The run is completed"), "{done}");
    assert!(
        done.contains(shown["digest"].as_str().unwrap()),
        "the digest that was approved: {done}"
    );
}
