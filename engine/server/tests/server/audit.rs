//! What an auditor reads.

use crate::world::{World, ask, with_workflow};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

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

/// Positions of one page.
fn found(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().unwrap().iter();
    events.map(|event| event["position"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn filters_narrow_and_the_newest_can_come_first() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let events = world.get_as("auditor", "/api/v1/audit/events?limit=1000").await.ok();
    let all = events["events"].as_array().unwrap().clone();
    let look = |fits: &dyn Fn(&Value) -> bool| -> Vec<u64> {
        all.iter().filter(|e| fits(e)).map(|e| e["position"].as_u64().unwrap()).collect()
    };
    let by_author = look(&|event| event["actor"] == "principal:author");
    assert_eq!(positions(&world, "actor=author&limit=2").await, by_author);
    let two = look(&|e| e["type"] == "RunStarted" || e["type"] == "DraftPrepared");
    assert_eq!(positions(&world, "type=RunStarted,DraftPrepared").await, two);
    assert_eq!(positions(&world, &format!("run={run}")).await.len(), 4);
    let asked = look(&|event| event["body"]["decision"] == card["id"]);
    assert_eq!(positions(&world, "integration=slack&type=DecisionRequested").await, asked);
    assert_eq!(positions(&world, "since=PT1H&limit=3").await, look(&|_| true));
    assert_eq!(positions(&world, "until=2000-01-01T00:00:00Z").await, Vec::<u64>::new());
    // backwards, by pages
    let (mut newest, mut before) = (vec![], 0);
    loop {
        let target = format!("/api/v1/audit/events?order=desc&limit=3&before={before}");
        let page = world.get_as("auditor", &target).await.ok();
        newest.extend(found(&page));
        assert_eq!(page["head"], world.head().get());
        match page["next"].as_u64() {
            Some(next) => before = next,
            None => break,
        }
    }
    newest.reverse();
    assert_eq!(newest, look(&|_| true));
}

#[tokio::test]
async fn a_page_that_is_waited_for_comes_with_the_first_event_that_fits() {
    let mut world = with_workflow().await;
    let head = world.head().get();
    let target = format!("/api/v1/audit/events?after={head}&type=DecisionRequested&wait=30");
    let server = world.server;
    let waiting = tokio::spawn(async move {
        ask("GET", &target).header("Placet-As", "auditor").send(server).await.ok()
    });
    // RunStarted and others come first, and do not fit
    let (_run, card) = world.waiting().await;
    let page = waiting.await.unwrap();
    assert_eq!(page["events"].as_array().unwrap().len(), 1);
    assert_eq!(page["events"][0]["body"]["decision"], card["id"]);
    // whoever goes on from the head misses nothing and gets nothing twice
    let after = found(&page)[0];
    let target = format!("/api/v1/audit/events?after={after}&wait=0");
    assert_eq!(world.get_as("auditor", &target).await.ok()["head"], world.head().get());
}

#[tokio::test]
async fn a_page_that_is_waited_for_ends_with_the_server() {
    let mut world = with_workflow().await;
    let target = "/api/v1/audit/events?type=RunCompleted&wait=30";
    let mut connection =
        ask("GET", target).header("Placet-As", "auditor").begin(world.server).await;
    // the server answers others meanwhile
    world.get("/api/v1/status").await.ok();
    world.close().await;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"events\":[]"), "{answer}");
}

#[tokio::test]
async fn a_run_tells_its_story_under_every_one_of_its_names() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let story = world.get_as("auditor", &format!("/api/v1/audit/story/{run}")).await.ok();
    assert_eq!((&story["run"], &story["whole"]), (&json!(run), &json!(true)));
    assert_eq!(story["workflow"], "ops/slack-notify@1.0.0");
    let lines = story["lines"].as_array().unwrap();
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["RunStarted", "TaskStarted", "DraftPrepared", "DecisionRequested"]);
    let sentence = lines[3]["sentence"].as_str().unwrap();
    assert!(sentence.contains(card["id"].as_str().unwrap()), "{sentence}");
    assert_eq!(lines[3]["event"]["body"]["digest"], card["digest"]);
    let decision = card["id"].as_str().unwrap();
    let same = world.get_as("auditor", &format!("/api/v1/audit/story/{decision}")).await.ok();
    assert_eq!(same, story);
    let one = format!("/api/v1/audit/story/{}", lines[3]["position"]);
    assert_eq!(world.get_as("auditor", &one).await.ok()["lines"], json!([lines[3]]));
}

#[tokio::test]
async fn the_project_is_shown_as_it_was() {
    let mut world = with_workflow().await;
    let before = world.head().get();
    let (run, card) = world.waiting().await;
    let as_of = async |at: u64| {
        world.get_as("auditor", &format!("/api/v1/audit/replay?at={at}")).await.ok()
    };
    let head = world.head().get();
    let then = as_of(before).await;
    assert_eq!((&then["runs"], &then["inbox"]), (&json!([]), &json!([])));
    assert_eq!(then["integrations"][0]["name"], "slack");
    let now = as_of(head).await;
    let list = world.get_as("auditor", "/api/v1/runs").await.ok();
    assert_eq!(now["runs"], list["runs"], "at the head it is what is shown now");
    assert_eq!(now["runs"][0]["run"], run.as_str());
    assert_eq!(
        (&now["inbox"][0]["id"], &now["inbox"][0]["digest"]),
        (&card["id"], &card["digest"])
    );
    let mut integrations = world.get_as("auditor", "/api/v1/integrations").await.ok();
    for row in integrations["integrations"].as_array_mut().unwrap() {
        // of the manifests and the clock of today, which are no part of the log
        for name in ["pending", "warnings"] {
            assert_eq!(row.as_object_mut().unwrap().remove(name), Some(json!([])));
        }
    }
    assert_eq!(now["integrations"], integrations["integrations"]);
    assert_eq!(now["root"], world.get("/api/v1/status").await.ok()["root"]);
    // one event before the request nothing was in the inbox
    assert_eq!(as_of(head - 1).await["inbox"], json!([]));
    assert_eq!(world.head().get(), head, "looking back appends nothing");
}
