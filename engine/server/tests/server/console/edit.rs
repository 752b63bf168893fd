//! Editing by the form that is made from the operation's schema.

use super::card::asked;
use super::html::{form, words};
use super::surf::Browser;
use crate::world::with_workflow;
use serde_json::json;

#[tokio::test]
async fn t09_an_edit_keeps_the_types_of_what_was_not_touched_and_is_a_new_draft() {
    let mut world = with_workflow().await;
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "*x*"}, "n": 1.50}]);
    let with =
        json!({"channel": "C0130", "text": "two\nlines", "unfurl_links": false, "blocks": blocks});
    let (_run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let place = format!("/inbox/{decision}/edit");
    let page = browser.page(&place).await;
    let edit = form(&page, &place);
    let field = |shown: &str| {
        let found = edit.fields.iter().find(|(_, value)| value.replace("\r\n", "\n") == shown);
        found.unwrap_or_else(|| panic!("{shown:?} in {edit:#?}")).0.clone()
    };
    let (text, links) = (field("two\nlines"), field("false"));
    let head = world.head();
    let same = browser.submit(&edit).await;
    assert_eq!(same.status, 422, "{same:?}");
    assert!(words(&same.body).contains("it changes nothing"), "{}", words(&same.body));
    assert_eq!(world.head(), head);
    // browsers send line breaks of their own
    let changed = edit.clone().with(&text, "three\r\nlines").with(&links, "true");
    let to = browser.submitted(&changed).await;
    assert_ne!(to, format!("/inbox/{decision}"));
    let successor = to.strip_prefix("/inbox/").unwrap();
    let card = world.get_as("second", &format!("/api/v1/decisions/{successor}")).await.ok();
    let body = &card["request"]["body"];
    assert_eq!(body["text"], "three\nlines");
    assert_eq!(body["unfurl_links"], true, "a yes is no text");
    assert_eq!(body["blocks"], blocks, "as it was, to the last digit");
    assert_eq!(card["editor"], "approver");
    assert!(words(&browser.page(&to).await).contains("edited by approver"));
}

#[tokio::test]
async fn what_is_wrong_is_told_at_its_field_and_records_nothing() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0131", "text": "hello", "blocks": [{"type": "divider"}]});
    let (_run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let place = format!("/inbox/{decision}/edit");
    let edit = form(&browser.page(&place).await, &place);
    let name = |shown: &str| {
        edit.fields.iter().find(|(_, value)| value.contains(shown)).unwrap().0.clone()
    };
    let head = world.head();
    let wrong =
        edit.clone().with(&name("C0131"), "no channel").with(&name("divider"), "[{\"type\": ");
    let answer = browser.submit(&wrong).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let again = form(&answer.body, &place);
    assert_eq!(
        again.get(&name("divider")),
        Some("[{\"type\": "),
        "what was written is still there"
    );
    assert!(words(&answer.body).contains("it is no JSON"), "{}", words(&answer.body));
    let schema = edit.clone().with(&name("C0131"), "no channel");
    let answer = browser.submit(&schema).await;
    assert_eq!(answer.status, 422, "{answer:?}");
    let wrong =
        super::html::tags(&answer.body).into_iter().filter(|tag| tag.get("aria-invalid").is_some());
    let wrong: Vec<_> = wrong.filter_map(|tag| tag.get("name").map(str::to_owned)).collect();
    assert_eq!(wrong, [name("C0131")], "the one field");
    // the same look while somebody writes
    let check = super::html::Form { action: format!("/inbox/{decision}/check"), ..schema };
    let said = browser.submit(&check).await;
    assert_eq!(said.status, 200);
    assert!(words(&said.body).contains("Not as the operation takes it"), "{}", said.body);
    let good = super::html::Form { action: format!("/inbox/{decision}/check"), ..edit };
    assert_eq!(words(&browser.submit(&good).await.body), "");
    assert_eq!(world.head(), head);
}
