//! Runs as pages: the list, one run, and what is done to it.

use super::card::{asked, verdict};
use super::html::{form, forms, links, tags, words};
use super::surf::Browser;
use crate::world::with_workflow;
use serde_json::json;

#[tokio::test]
async fn runs_are_listed_searched_and_led_on() {
    let mut world = with_workflow().await;
    let mut runs = vec![];
    for number in 0..3 {
        let with = json!({"channel": format!("C02{number}"), "text": "hello"});
        runs.push(asked(&mut world, "slack.chat.postMessage", &with).await.0);
    }
    world.post(&format!("/api/v1/runs/{}/cancel", runs[0]), &json!({})).await.ok();
    let mut browser = Browser::logged_in(&world).await;
    let count =
        |page: &str| links(page).iter().filter(|link| link.starts_with("/runs/run_")).count();
    for (query, found) in [
        ("", 3),
        ("?status=cancelled", 1),
        ("?status=&waiting_for=decision", 2),
        ("?workflow=ops%2Fone&mode=sandbox&requester=author", 3),
        ("?mode=live", 0),
        ("?limit=2", 2),
    ] {
        let page = browser.page(&format!("/runs{query}")).await;
        assert_eq!(count(&page), found, "{query}: {}", words(&page));
    }
    let page = browser.page("/runs?limit=2&mode=sandbox").await;
    assert!(words(&page).contains("waits for a decision"), "{}", words(&page));
    let next = links(&page).into_iter().find(|link| link.contains("before=")).expect("a next page");
    assert!(next.contains("limit=2") && next.contains("mode=sandbox"), "{next}");
    assert_eq!(count(&browser.page(&next).await), 1);
    let found = browser.get(&format!("/runs?find={}", runs[1])).await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, Some(format!("/runs/{}", runs[1]).as_str()))
    );
    assert_eq!(browser.get("/runs?find=nonsense").await.status, 400);
    assert_eq!(browser.get("/runs/run_00000000000000000000000000").await.status, 404);
}

#[tokio::test]
async fn a_run_shows_where_it_stands_what_would_be_sent_and_what_happened() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0210", "text": "hello"});
    let (run, decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    let place = format!("/runs/{run}");
    let page = browser.page(&place).await;
    let said = words(&page);
    assert!(
        said.contains("waiting") && said.contains("Waits for") && said.contains("a decision"),
        "{said}"
    );
    assert!(links(&page).contains(&format!("/inbox/{decision}")));
    assert!(said.contains("What happened") && said.contains("author"), "{said}");
    let picture = tags(&page).into_iter().find(|tag| tag.name == "img").expect("a picture");
    assert!(picture.get("alt").unwrap().contains("it is waiting"), "{picture:?}");
    let graph = browser.get(picture.get("src").unwrap()).await;
    assert_eq!(graph.header("content-type"), Some("image/svg+xml"));
    assert!(
        graph.header("content-security-policy").unwrap().starts_with("sandbox; default-src 'none'")
    );
    assert!(graph.body.contains("class=\"asks\""), "the gate is drawn as one");
    assert!(graph.body.contains("<title>the run stands here</title>"), "{}", graph.body);
    assert!(!graph.body.contains("<title>done</title>"));

    browser.act_as("approver").await;
    let card = browser.page(&format!("/inbox/{decision}")).await;
    browser.submitted(&verdict(&card, &decision, "approve")).await;
    let report = world.finished(&run).await;
    let page = browser.page(&place).await;
    let said = words(&page);
    let digest = report["trace"][0]["would_have_sent"]["digest"].as_str().unwrap();
    assert!(
        said.contains("completed") && said.contains("Would have sent") && said.contains(digest),
        "{said}"
    );
    let graph = browser.get(&format!("{place}/graph.svg")).await;
    assert!(graph.body.contains("<title>done</title>"), "{}", graph.body);
    assert!(forms(&page).iter().all(|form| !form.action.starts_with("/runs/")), "it is over");
}

#[tokio::test]
async fn a_run_whose_send_is_in_doubt_shows_what_its_provider_was_asked() {
    let mut world = with_workflow().await;
    // given a provider that says nothing that its manifest knows
    *world.live.answer.lock().unwrap() = json!({});
    let body = json!({"workflow": "ops/slack-notify", "mode": "live", "input": {"channel": "C0777", "text": "hello"}});
    let run = world.post("/api/v1/runs", &body).await.ok()["run"].as_str().unwrap().to_owned();
    let waiting = world.settled(&run).await;
    let decision = waiting["waiting_for"]["decision"].as_str().unwrap().to_owned();
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let card = browser.page(&format!("/inbox/{decision}")).await;
    browser.submitted(&verdict(&card, &decision, "approve")).await;
    world.until_story(&run, "LookupPlanned").await;
    let said = words(&browser.page(&format!("/runs/{run}")).await);
    assert!(said.contains("What the provider was asked about it"), "{said}");
    assert!(said.contains("by slack.conversations.history, from"), "{said}");
}

#[tokio::test]
async fn a_run_is_cancelled_started_again_and_sent_an_event_by_forms() {
    let mut world = with_workflow().await;
    let with = json!({"channel": "C0220", "text": "hello"});
    let (run, _decision) = asked(&mut world, "slack.chat.postMessage", &with).await;
    let mut browser = Browser::logged_in(&world).await;
    let place = format!("/runs/{run}");
    let page = browser.page(&place).await;
    let signal = form(&page, &format!("{place}/signal")).with("type", "it.happened");
    let wrong = browser.submit(&signal.clone().with("data", "{no json")).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let head = world.head();
    assert_eq!(browser.submitted(&signal.with("data", "{\"n\": 1}")).await, place);
    assert!(world.head() > head, "the event is recorded");
    let cancel = form(&page, &format!("{place}/cancel")).with("reason", "<b>enough</b>");
    assert_eq!(browser.submitted(&cancel).await, place);
    assert_eq!(world.finished(&run).await["status"], "cancelled");
    let page = browser.page(&place).await;
    assert!(
        words(&page).contains("by author") && words(&page).contains("<b>enough</b>"),
        "{}",
        words(&page)
    );
    let retry = form(&page, &format!("{place}/retry"));
    let to = browser.submitted(&retry).await;
    assert_ne!(to, place);
    assert_eq!(browser.submitted(&retry).await, to, "a second press starts no second run");
    let again = to.strip_prefix("/runs/").unwrap().to_owned();
    assert_eq!(world.settled(&again).await["status"], "waiting");
}

#[tokio::test]
async fn a_long_run_shows_its_last_steps_the_picture_of_all_and_the_beginning_of_what_is_long() {
    // given 300 steps of a loop, and one whose output is long
    let mut world = with_workflow().await;
    let long = "x".repeat(10_000);
    let source = format!(
        "document: {{ dsl: '1.0.3', namespace: ops, name: long, version: '1.0.0' }}\ndo:\n  - each: {{ for: {{ each: n, in: '$workflow.input.items' }}, do: [ {{ one: {{ set: {{ n: '${{ $n }}' }} }} }} ] }}\n  - wide: {{ set: {{ text: {long} }} }}\n"
    );
    let body = json!({"file": "long.yaml", "source": source});
    world.post("/api/v1/workflows", &body).await.ok();
    let started = world
        .post(
            "/api/v1/runs",
            &json!({"workflow": "ops/long", "input": {"items": (0..300).collect::<Vec<u32>>()}}),
        )
        .await
        .ok();
    let run = started["run"].as_str().unwrap().to_owned();
    let whole = world.finished(&run).await;
    let count = whole["trace"].as_array().unwrap().len();
    assert!(count > 300 && whole["steps_before"].is_null(), "{count}");
    // then whoever asks for the last of them has these alone, as they are in the whole
    let last = world.get(&format!("/api/v1/runs/{run}?steps=2")).await.ok();
    assert_eq!(
        last["trace"].as_array().unwrap()[..],
        whole["trace"].as_array().unwrap()[count - 2..]
    );
    assert_eq!(last["steps_before"], json!(count - 2));
    assert_eq!(world.get(&format!("/api/v1/runs/{run}?steps=many")).await.status, 400);
    // and the page has as many as one reads, and says what it leaves out
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page(&format!("/runs/{run}")).await;
    assert_eq!(page.matches("<li class=\"row status-completed\"").count(), 200);
    let said = words(&page);
    assert!(said.contains(&format!("{} before these", count - 200)), "{said}");
    assert!(said.contains("letters more"), "{said}");
    let wide = page.split("xxxxxxxx").count() * 8;
    assert!(wide < 3 * long.len(), "the page has {wide} of them");
    // a step that stands outside of the last is still in the picture
    let all = "each is completed, one is completed, wide is completed";
    assert!(page.contains(&format!("The workflow as a picture: {all}")), "{said}");
}
