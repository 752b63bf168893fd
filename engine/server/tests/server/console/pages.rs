//! What holds of every page: the frame around it, what it loads, errors in words, the live part.

use super::html::{form, links, tags, words};
use super::surf::Browser;
use crate::http::Ask;
use crate::world::{start, with_workflow};
use placet_test_support::DEADLINE;
use serde_json::json;
use tokio::io::AsyncBufReadExt;

#[tokio::test]
async fn the_link_leads_to_the_inbox_and_a_stranger_is_told_how_to_come_in() {
    let world = start().await;
    let mut stranger = Browser::stranger(&world);
    for place in ["/", "/inbox", "/first"] {
        let answer = stranger.get(place).await;
        assert_eq!(answer.status, 401, "{place}");
        let said = words(&answer.body);
        assert!(said.contains("Not logged in") && said.contains("placet dev"), "{said}");
    }
    let mut browser = Browser::logged_in(&world).await;
    let home = browser.get("/").await;
    assert_eq!((home.status, home.header("location")), (303, Some("/inbox")));
    let inbox = browser.page("/inbox").await;
    for part in ["Inbox", "Runs", "Workflows", "Integrations", "Audit", "Policy"] {
        assert!(words(&inbox).contains(part), "{part}");
    }
    let current: Vec<_> =
        tags(&inbox).into_iter().filter(|tag| tag.get("aria-current").is_some()).collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0].get("href"), Some("/inbox"));
}

#[tokio::test]
async fn a_page_loads_only_our_own_assets_and_has_no_script_or_style_in_it() {
    let world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    for place in ["/inbox", "/first", "/nowhere"] {
        let answer = browser.get(place).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        for loose in ["unsafe", "http:", "https:", "data:", "*"] {
            assert!(!policy.contains(loose), "{policy}");
        }
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        for tag in tags(&answer.body) {
            let named = tag.attributes.keys();
            assert!(
                named.clone().all(|name| name != "style" && !name.starts_with("on")),
                "{tag:?}"
            );
            assert_ne!(tag.name, "style");
            let loads = [tag.get("src"), tag.get("href"), tag.get("action")];
            for address in loads.into_iter().flatten() {
                assert!(
                    address.starts_with('/') && !address.starts_with("//") || address == "#main",
                    "{tag:?}"
                );
            }
            if tag.name == "script" {
                assert!(tag.get("src").unwrap().starts_with("/assets/"), "{tag:?}");
            }
        }
        assert!(!answer.body.contains("<script>"));
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_known_again() {
    let world = start().await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/inbox").await;
    let named = tags(&page).into_iter().filter_map(|tag| {
        let address = tag.get("src").or_else(|| tag.get("href"))?.to_owned();
        address.starts_with("/assets/").then_some(address)
    });
    let named: Vec<String> = named.collect();
    assert_eq!(named.len(), 4, "{named:?}");
    for address in named {
        // nobody need be logged in for them
        let asset = Ask::new("GET", &address).send(world.server).await;
        assert_eq!(asset.status, 200, "{address}");
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
        let tag = asset.header("etag").unwrap();
        let again = Ask::new("GET", &address).header("If-None-Match", tag).send(world.server).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
        let name = address.rsplit('/').next().unwrap();
        let old = format!("/assets/{}/{name}", "0".repeat(16));
        Ask::new("GET", &old).send(world.server).await.is_problem(404, "PL4012");
    }
}

#[tokio::test]
async fn a_problem_is_told_in_words_to_people_and_as_json_to_programs() {
    let world = start().await;
    let mut browser = Browser::logged_in(&world).await;
    for (place, status, said) in [
        ("/nowhere", 404, "not found"),
        ("/inbox?fitler=all", 400, "fitler"),
        ("/console/pause", 405, "not with this method"),
    ] {
        let answer = browser.get(place).await;
        assert_eq!(answer.status, status, "{place}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{place}");
        let words = words(&answer.body);
        assert!(words.contains(said) && words.contains("What to do"), "{place}: {words}");
        let about = links(&answer.body).into_iter().find(|link| link.starts_with("/errors/"));
        assert_eq!(browser.get(&about.unwrap()).await.status, 200);
    }
    let program = world.get("/inbox?fitler=all").await;
    program.is_problem(400, "PL4003");
    let api = browser.get("/api/v1/nothing").await;
    api.is_problem(404, "PL4012");
}

#[tokio::test]
async fn the_pause_switch_stands_on_every_page_and_stops_what_leaves() {
    let mut world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.page("/inbox?filter=all").await;
    assert!(words(&page).contains("sandbox") && !words(&page).contains("Paused"));
    let to = browser.submitted(&form(&page, "/console/pause")).await;
    assert_eq!(to, "/inbox?filter=all", "back to where it was pressed");
    assert!(world.handle.world().paused);
    let page = browser.page("/first").await;
    assert!(words(&page).contains("Paused: nothing leaves"));
    let state = browser.page("/console/state?here=/first").await;
    assert!(words(&state).contains("Paused: nothing leaves"));
    browser.submitted(&form(&page, "/console/resume")).await;
    assert!(!world.handle.world().paused);
    world.close().await;
}

#[tokio::test]
async fn a_page_is_told_when_something_has_happened_and_fetches_its_live_part_again() {
    let mut world = with_workflow().await;
    let mut browser = Browser::logged_in(&world).await;
    browser.act_as("approver").await;
    let before = browser.live("/inbox").await;
    assert!(
        before.body.starts_with("<div id=\"live\"")
            || before.body.trim_start().starts_with("<div id=\"live\""),
        "{}",
        before.body
    );
    assert!(!before.body.contains("<nav aria-label=\"Console\""), "the part alone");
    let ask = Ask::new("GET", "/console/live")
        .header("Authorization", &format!("Bearer {}", crate::world::TOKEN));
    let mut stream = ask.begin(world.server).await;
    let mut head = String::new();
    while head.lines().last() != Some("") {
        tokio::time::timeout(DEADLINE, stream.read_line(&mut head)).await.unwrap().unwrap();
    }
    assert!(head.contains("text/event-stream"), "{head}");
    let (run, _card) = world.waiting().await;
    let mut tick = String::new();
    while !tick.contains("data: ") {
        let read = tokio::time::timeout(DEADLINE, stream.read_line(&mut tick)).await.unwrap();
        assert!(read.unwrap() > 0, "the stream goes on");
    }
    let after = browser.live("/inbox").await;
    assert!(!before.body.contains("ops/slack-notify") && after.body.contains("ops/slack-notify"));
    world.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await.ok();
    world.close().await;
    loop {
        let mut line = String::new();
        let read = tokio::time::timeout(DEADLINE, stream.read_line(&mut line)).await.unwrap();
        if read.unwrap() == 0 {
            break;
        }
    }
}
