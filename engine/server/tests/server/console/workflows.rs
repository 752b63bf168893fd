//! Workflows as pages.

use super::html::{form, links, tags, words};
use super::surf::Browser;
use crate::world::{text, with_workflow};
use serde_json::json;

#[tokio::test]
async fn a_workflow_with_a_clock_says_when_it_starts_next() {
    let world = with_workflow().await;
    let document = json!({"dsl": "1.0.3", "namespace": "ops", "name": "daily", "version": "1.0.0"});
    let steps = json!([{"one": {"set": {"n": 1}}}]);
    let source = json!({"document": document, "schedule": {"cron": "15 6 * * *"}, "do": steps});
    let body = json!({"file": "daily.yaml", "source": source.to_string()});
    world.post("/api/v1/workflows", &body).await.ok();
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/workflows/ops/daily").await;
    let said = words(&page);
    assert!(said.contains("at 15 6 * * * (UTC) Next: "), "{said}");
    let times = tags(&page).into_iter().filter(|tag| tag.name == "time");
    let times: Vec<String> =
        times.filter_map(|tag| tag.get("datetime").map(str::to_owned)).collect();
    let next: Vec<&String> = times.iter().filter(|at| at.contains("T06:15:00")).collect();
    assert!(next.len() >= 3 && next[0] < next[1] && next[1] < next[2], "{times:?}");
}

#[tokio::test]
async fn a_workflow_is_shown_with_its_text_its_picture_its_versions_and_what_a_check_says() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let source = text("ok/slack-notify.yaml").replace("version: '1.0.0'", "version: '1.1.0'");
    let body = json!({"file": "slack-notify.yaml", "source": source});
    world.post("/api/v1/workflows", &body).await.ok();
    let mut browser = Browser::logged_in(&world).await;
    let head = world.head();
    let list = browser.page("/workflows").await;
    assert!(words(&list).contains("ops/slack-notify version 1.1.0"), "{}", words(&list));
    assert!(links(&list).contains(&"/workflows/ops/slack-notify".to_owned()));
    let page = browser.page("/workflows/ops/slack-notify").await;
    let said = words(&page);
    for sentence in [
        "ops/slack-notify@1.1.0",
        "0 running, 1 waiting",
        "call: slack.chat.postMessage",
        "A check finds nothing against it today",
        "it runs when somebody starts it",
    ] {
        assert!(said.contains(sentence), "{sentence}: {said}");
    }
    let old = "/workflows/ops/slack-notify?version=1.0.0";
    assert!(links(&page).contains(&old.to_owned()));
    assert!(words(&browser.page(old).await).contains("ops/slack-notify@1.0.0"));
    let picture = tags(&page).into_iter().find(|tag| tag.name == "img").expect("a picture");
    let picture = browser.get(picture.get("src").unwrap()).await;
    assert_eq!(picture.header("content-type"), Some("image/svg+xml"));
    assert!(picture.body.starts_with("<svg") && picture.body.contains("postMessage"));
    for nowhere in ["/workflows/ops/nothing", "/workflows/ops/slack-notify?version=9.9.9"] {
        assert_eq!(browser.get(nowhere).await.status, 404, "{nowhere}");
    }
    assert_eq!(world.head(), head, "looking changes nothing");
}

const GREET: &str = "
document: { dsl: '1.0.3', namespace: ops, name: greet, version: '1.0.0' }
input:
  schema:
    document:
      type: object
      properties:
        channel: { type: string, description: Where it goes }
        text: { type: string }
      required: [channel, text]
do:
  - greet:
      call: slack.chat.postMessage
      with: { channel: '${ .channel }', text: '${ .text }' }
";

#[tokio::test]
async fn it_is_started_by_a_form_of_its_input_schema() {
    let mut world = with_workflow().await;
    let body = json!({"file": "greet.yaml", "source": GREET});
    world.post("/api/v1/workflows", &body).await.ok();
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/workflows/ops/greet").await;
    let start = form(&page, "/workflows/ops/greet/start");
    for field in ["input.channel", "input.text"] {
        assert!(start.get(field).is_some(), "{field}: {start:?}");
    }
    let filled = start.clone().with("input.channel", "C0777").with("input.text", "from a form");
    let place = browser.submitted(&filled).await;
    let run = place.strip_prefix("/runs/").expect("the run").to_owned();
    world.settled(&run).await;
    let list = world.get_as("approver", "/api/v1/inbox").await.ok();
    assert_eq!(list["items"][0]["target"], "C0777");
    let head = world.head();
    // without a schema its input is JSON
    let plain = browser.page("/workflows/ops/slack-notify").await;
    let plain = form(&plain, "/workflows/ops/slack-notify/start");
    let broken = browser.submit(&plain.clone().with("json", "{")).await;
    assert_eq!(broken.status, 400, "{broken:?}");
    assert_eq!(world.head(), head);
    browser.submitted(&plain.with("json", r#"{"channel":"C0778","text":"as JSON"}"#)).await;
    browser.act_as("auditor").await;
    let start = form(&browser.page("/workflows/ops/greet").await, "/workflows/ops/greet/start");
    assert_eq!(browser.submit(&start).await.status, 403);
}
