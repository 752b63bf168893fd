//! Reads that are answered only when something has changed, changes that take the place of what was
//! read, lists by pages.

use crate::http::Answer;
use crate::world::{World, ask, start, with_workflow};
use serde_json::{Value, json};

async fn unless(world: &World, target: &str, tag: &str) -> Answer {
    ask("GET", target).header("If-None-Match", tag).send(world.server).await
}

#[tokio::test]
async fn what_has_not_changed_is_not_told_again() {
    let world = with_workflow().await;
    let targets = ["/api/v1/workflows", "/api/v1/integrations", "/api/v1/policy", "/api/v1/runs"];
    for target in targets {
        let first = world.get(target).await;
        first.ok();
        let tag = first.header("etag").unwrap_or_else(|| panic!("{target}: {first:?}")).to_owned();
        let again = unless(&world, target, &tag).await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{target}");
        assert_eq!(again.header("etag"), Some(tag.as_str()), "{target}");
        assert_eq!(unless(&world, target, "\"other\"").await.json(), first.json(), "{target}");
    }
    // what tells the time is another thing at each moment, and a refusal has no tag
    let refused = unless(&world, "/api/v1/runs/run_00000000000000000000000000", "*").await;
    refused.is_problem(404, "PL4001");
    assert_eq!(refused.header("etag"), None);
}

#[tokio::test]
async fn a_list_that_has_grown_is_told_to_who_knows_the_old_one() {
    let world = with_workflow().await;
    let before = world.get("/api/v1/integrations").await.header("etag").unwrap().to_owned();
    let more = json!({"name": "github", "provider": "github", "credential": {"token": "t"}});
    *world.live.answer.lock().unwrap() = json!({"id": 1, "login": "bot"});
    world.post("/api/v1/integrations", &more).await.ok();
    let answer = unless(&world, "/api/v1/integrations", &before).await;
    assert_eq!(answer.ok()["integrations"].as_array().unwrap().len(), 2);
}

fn policy(expires: &str) -> Value {
    let source = format!("rules:\n  - require: {{ quorum: 1, expires: {expires} }}\n");
    json!({"file": "policy.yaml", "source": source})
}

#[tokio::test]
async fn a_policy_takes_the_place_of_the_one_that_was_read_and_of_no_other() {
    let world = start().await;
    let tag = world.get("/api/v1/policy").await.header("etag").unwrap().to_owned();
    let apply = |tag: &str, body: &Value| {
        ask("POST", "/api/v1/policy").header("If-Match", tag).json(body).send(world.server)
    };
    apply(&tag, &policy("P1D")).await.ok();
    // somebody else had read the same, and would undo it unseen
    let head = world.head();
    apply(&tag, &policy("P2D")).await.is_problem(412, "PL4075");
    assert_eq!(world.head(), head, "nothing is recorded");
    let now = world.get("/api/v1/policy").await.header("etag").unwrap().to_owned();
    assert_ne!(now, tag);
    apply(&now, &policy("P2D")).await.ok();
    world.post("/api/v1/policy", &policy("P3D")).await.ok();
}

#[tokio::test]
async fn pages_hold_every_row_once_in_one_order() {
    let world = with_workflow().await;
    let source = crate::world::text("ok/slack-notify.yaml");
    for version in ["2.0.0", "3.0.0"] {
        let source = source.replacen("version: '1.0.0'", &format!("version: '{version}'"), 1);
        assert!(source.contains(version));
        let body = json!({"file": "slack-notify.yaml", "source": source});
        world.post("/api/v1/workflows", &body).await.ok();
    }
    let whole = world.get("/api/v1/workflows").await.ok();
    assert_eq!(whole["next"], Value::Null, "who asks for no page is given all");
    assert_eq!(whole["workflows"][0]["version"], "3.0.0", "the latest first");
    let (mut rows, mut cursor) = (vec![], String::new());
    loop {
        let target = format!("/api/v1/workflows?limit=1&cursor={cursor}");
        let page = world.get(&target).await.ok();
        rows.extend(page["workflows"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(json!(rows), whole["workflows"]);
    world.get("/api/v1/workflows?cursor=%21").await.is_problem(400, "PL4003");
    for list in ["integrations", "keys", "emergencies"] {
        let page = world.get(&format!("/api/v1/{list}?limit=1")).await.ok();
        assert!(page.get("next").is_some(), "{list}: {page:#}");
    }
}
