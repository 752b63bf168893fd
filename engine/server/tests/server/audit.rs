//! What an auditor reads.

use crate::world::{World, with_workflow};
use serde_json::{Value, json};

async fn positions(world: &World, query: &str) -> Vec<u64> {
    let (mut found, mut after) = (vec![], 0);
    loop {
        let target = format!("/api/v1/audit/events?after={after}&{query}");
        let page = world.get_as("auditor", &target).await.ok();
        let events = page["events"].as_array().unwrap();
        found.extend(events.iter().map(|event| event["position"].as_u64().unwrap()));
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_event_is_read_once_whatever_the_page() {
    let mut world = with_workflow().await;
    let (run, _card) = world.waiting().await;
    let all: Vec<u64> = (1..=world.head().get()).collect();
    for limit in [1, 2, 7, 1000] {
        assert_eq!(positions(&world, &format!("limit={limit}")).await, all, "{limit}");
    }
    let of_run = positions(&world, &format!("limit=2&stream=run:{run}")).await;
    assert_eq!(of_run.len(), 4);
    let requested = positions(&world, "limit=1&type=DecisionRequested").await;
    assert_eq!(requested.len(), 1);
    assert!(of_run.contains(&requested[0]));
    assert!(positions(&world, &format!("stream=run:{run}&type=PolicyChanged")).await.is_empty());
}

#[tokio::test]
async fn events_are_facts_without_content() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let page = world.get_as("auditor", "/api/v1/audit/events?limit=1000").await;
    assert!(!page.body.contains("hello"), "the text of the message is content");
    let first = &page.ok()["events"][0];
    for member in
        ["position", "stream", "revision", "event_id", "type", "recorded_at", "actor", "body"]
    {
        assert!(!first[member].is_null(), "{member}");
    }
}

#[tokio::test]
async fn the_log_verifies_and_replays_to_what_is_shown() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let head = world.head();
    let verified = world.post_as("auditor", "/api/v1/audit/verify", &json!({})).await.ok();
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["events"], head.get());
    assert_eq!(verified["root"], world.get("/api/v1/status").await.ok()["root"]);
    let replayed = world.get_as("auditor", "/api/v1/audit/replay").await.ok();
    assert_eq!(replayed, json!({"equal": true, "position": head.get()}));
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn the_status_says_how_the_engine_stands() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let status = world.get("/api/v1/status").await.ok();
    assert_eq!(status["project"], "test");
    assert_eq!(status["mode"], "sandbox");
    assert_eq!(status["modes"], json!({"sandbox": true, "live": true}));
    assert_eq!(status["head"], world.head().get());
    let counts = json!({"open_decisions": 1, "in_doubt": 0, "live_runs": 1, "workflows": 1, "integrations": 1});
    assert_eq!(status["counts"], counts);
    assert_ne!(status["install_id"], Value::Null);
}
