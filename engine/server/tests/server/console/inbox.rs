//! The inbox as a page.

use super::html::{links, words};
use super::surf::Browser;
use crate::world::with_workflow;

#[tokio::test]
async fn what_waits_is_listed_with_where_it_goes_as_whom_and_how_long_there_is() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let mut browser = Browser::logged_in(&world).await;
    let mine = words(&browser.page("/inbox").await);
    assert!(mine.contains("Nothing waits for you"), "one's own request: {mine}");
    browser.act_as("approver").await;
    let page = browser.page("/inbox").await;
    let said = words(&page);
    for words in [
        "C0123",
        "as slack",
        "slack.chat.postMessage",
        "waits for a decision",
        "0 of 1 votes",
        "ops/slack-notify",
        "6 d 23 h left",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let card = format!("/inbox/{}", card["id"].as_str().unwrap());
    assert!(links(&page).contains(&card));
    assert!(said.contains("1 open in all, the oldest for"), "how old the queue is: {said}");
}

#[tokio::test]
async fn filters_narrow_the_list_and_what_is_alike_is_grouped() {
    let mut world = with_workflow().await;
    for _ in 0..3 {
        world.waiting().await;
    }
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let count =
        |page: &str| links(page).iter().filter(|link| link.starts_with("/inbox/dec_")).count();
    for (query, found) in [
        ("", 3),
        ("?operation=slack.chat.postMessage&integration=slack&mode=sandbox&state=requested", 3),
        ("?filter=&state=&mode=&operation=&requester=author", 3),
        ("?operation=gmail.messages.send", 0),
        ("?mode=live", 0),
        ("?limit=2", 2),
    ] {
        let answer = browser.get(&format!("/inbox{query}")).await;
        assert_eq!(
            (answer.status, count(&answer.body)),
            (200, found),
            "{query}: {}",
            words(&answer.body)
        );
    }
    let page = browser.page("/inbox?limit=2&mode=sandbox").await;
    let next = links(&page).into_iter().find(|link| link.contains("cursor=")).expect("a next page");
    assert!(next.contains("mode=sandbox") && next.contains("limit=2"), "{next}");
    let last = browser.page(&next).await;
    assert_eq!(count(&last), 1);
    assert!(
        links(&last).iter().any(|link| link == "/inbox?mode=sandbox&limit=2"),
        "back to the first"
    );
    let groups = browser.page("/inbox?group=true").await;
    assert!(words(&groups).contains("3 × slack.chat.postMessage"), "{}", words(&groups));
    let shape = links(&groups).into_iter().find(|link| link.contains("shape=")).expect("a shape");
    assert_eq!(count(&browser.page(&shape).await), 3);
    assert!(
        words(&browser.page("/inbox?mode=live").await).contains("Nothing open fits these filters")
    );
}
