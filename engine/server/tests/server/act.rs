//! Verbs and actions over HTTP: edit, reassign, several at once, and what agents ask for.
//!
//! covers: T8, T9, S5, S8

use crate::world::{World, ask, with_workflow};
use serde_json::{Value, json};

fn votes(card: &Value) -> String {
    format!("/api/v1/decisions/{}/votes", card["id"].as_str().unwrap())
}

async fn card(world: &World, id: &Value) -> Value {
    let target = format!("/api/v1/decisions/{}", id.as_str().unwrap());
    world.get_as("second", &target).await.ok()
}

fn action(key: &str) -> Value {
    json!({
        "operation": "slack.chat.postMessage", "with": {"channel": "C1", "text": "hello"},
        "idempotency_key": key, "reason": "the customer asked",
    })
}

#[tokio::test]
async fn an_edit_keeps_its_types_and_waits_for_somebody_else() {
    let mut world = with_workflow().await;
    let (run, first) = world.waiting().await;
    let with = json!({
        "channel": "C0123", "text": "good day", "unfurl_links": false,
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "7"}}],
    });
    let edit = json!({"verdict": "edit", "digest": first["digest"], "with": with});
    let receipt = world.post_as("approver", &votes(&first), &edit).await.ok();
    assert_eq!(receipt["state"], "superseded", "{receipt}");
    let next = card(&world, &receipt["successor"]).await;
    assert_eq!((&next["revision"], &next["editor"]), (&json!(2), &json!("approver")));
    assert_eq!(next["request"]["body"]["unfurl_links"], false);
    assert_eq!(next["request"]["body"]["blocks"], with["blocks"]);
    assert_eq!(next["changes"]["supersedes"], first["id"]);
    let approve = json!({"verdict": "approve", "digest": next["digest"]});
    world.post_as("approver", &votes(&next), &approve).await.is_problem(403, "PL3050");
    let old = json!({"verdict": "approve", "digest": first["digest"]});
    world.post_as("second", &votes(&first), &old).await.is_problem(409, "PL3007");
    world.post_as("second", &votes(&next), &old).await.is_problem(409, "PL3002");
    world.post_as("second", &votes(&next), &approve).await.ok();
    assert_eq!(world.finished(&run).await["status"], "completed");
}

#[tokio::test]
async fn an_edit_that_does_not_fit_is_refused_and_records_nothing() {
    let mut world = with_workflow().await;
    let (_run, first) = world.waiting().await;
    let head = world.head();
    for (with, status, code) in [
        (json!({"channel": "C0123", "text": 1}), 422, "PL3051"),
        (json!({"channel": "C0123", "text": "hello"}), 422, "PL3051"),
        (json!("text"), 400, "PL4003"),
        (Value::Null, 400, "PL4003"),
    ] {
        let edit = json!({"verdict": "edit", "digest": first["digest"], "with": with});
        let answer = world.post_as("approver", &votes(&first), &edit).await;
        assert_eq!(answer.status, status, "{with}: {answer:?}");
        answer.is_problem(status, code);
    }
    let stray = json!({"verdict": "approve", "digest": first["digest"], "with": {"a": 1}});
    world.post_as("approver", &votes(&first), &stray).await.is_problem(400, "PL4003");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn a_request_is_left_to_another_approver() {
    let mut world = with_workflow().await;
    let (run, first) = world.waiting().await;
    let to = |who: &str| json!({"verdict": "reassign", "digest": first["digest"], "to": [who]});
    for (who, code) in [("auditor", "PL3052"), ("agent", "PL3052"), ("zoe", "PL3052")] {
        world.post_as("approver", &votes(&first), &to(who)).await.is_problem(422, code);
    }
    let receipt = world.post_as("approver", &votes(&first), &to("second")).await.ok();
    assert_eq!(receipt["state"], "requested");
    let approve = json!({"verdict": "approve", "digest": first["digest"]});
    world.post_as("approver", &votes(&first), &approve).await.is_problem(403, "PL3008");
    assert_eq!(card(&world, &first["id"]).await["assigned"], json!(["second"]));
    world.post_as("second", &votes(&first), &approve).await.ok();
    assert_eq!(world.finished(&run).await["status"], "completed");
}

#[tokio::test]
async fn several_are_decided_in_one_act_each_by_its_digest() {
    let mut world = with_workflow().await;
    let (first_run, first) = world.waiting().await;
    let (_, second) = world.waiting().await;
    let item = |card: &Value, digest: &Value| json!({"decision": card["id"], "digest": digest});
    let body = json!({
        "verdict": "approve",
        "items": [item(&first, &first["digest"]), item(&second, &first["digest"])],
    });
    let answer = world.post_as("approver", "/api/v1/decisions/votes", &body).await.ok();
    assert_eq!(answer["items"][0]["state"], "approved", "{answer}");
    assert_eq!(answer["items"][1]["error"]["code"], "PL3002");
    assert_eq!(world.finished(&first_run).await["status"], "completed");
    let head = world.head();
    for body in [
        json!({"verdict": "approve", "items": []}),
        json!({"verdict": "edit", "items": [item(&second, &second["digest"])]}),
    ] {
        let answer = world.post_as("approver", "/api/v1/decisions/votes", &body).await;
        answer.is_problem(422, "PL3053");
    }
    let one = json!({"verdict": "approve", "digest": second["digest"]});
    world.post_as("approver", "/api/v1/decisions/votes", &one).await.is_problem(400, "PL4003");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn an_agent_asks_for_an_action_and_follows_it() {
    let mut world = with_workflow().await;
    let acted = world.post_as("agent", "/api/v1/actions", &action("k1")).await.ok();
    let run = acted["run"].as_str().unwrap().to_owned();
    let again = world.post_as("agent", "/api/v1/actions", &action("k1")).await.ok();
    assert_eq!(acted, again);
    let mut other = action("k1");
    other["reason"] = json!("another");
    world.post_as("agent", "/api/v1/actions", &other).await.is_problem(422, "PL4041");
    let shown = card(&world, &acted["decision"]).await;
    assert_eq!(shown["agent_says_unverified"], "the customer asked");
    assert_eq!(shown["requester"], "agent");
    let approve = json!({"verdict": "approve", "digest": shown["digest"]});
    world.post_as("agent", &votes(&shown), &approve).await.is_problem(403, "PL3012");
    world.post_as("approver", &votes(&shown), &approve).await.ok();
    assert_eq!(world.finished(&run).await["status"], "completed");
    let seen = ask("GET", &format!("/api/v1/runs/{run}")).header("Placet-As", "agent");
    assert_eq!(seen.send(world.server).await.ok()["status"], "completed");
}

#[tokio::test]
async fn an_agent_takes_back_what_it_has_asked_for_and_nothing_else() {
    let mut world = with_workflow().await;
    let (_, of_author) = world.waiting().await;
    let acted = world.post_as("agent", "/api/v1/actions", &action("k1")).await.ok();
    let withdraw = |id: &Value| format!("/api/v1/actions/{}/withdraw", id.as_str().unwrap());
    let others = world.post_as("agent", &withdraw(&of_author["id"]), &json!({})).await;
    others.is_problem(404, "PL3001");
    let person = world.post_as("author", &withdraw(&of_author["id"]), &json!({})).await;
    person.is_problem(403, "PL4005");
    let taken = world.post_as("agent", &withdraw(&acted["decision"]), &json!({})).await.ok();
    assert_eq!(taken["state"], "withdrawn");
    let report = world.finished(acted["run"].as_str().unwrap()).await;
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-withdrawn");
}

#[tokio::test]
async fn what_an_agent_may_not_is_refused_with_its_code() {
    let world = with_workflow().await;
    let head = world.head();
    let with = |member: &str, value: Value| {
        let mut body = action("k1");
        body[member] = value;
        body
    };
    let http = json!({"method": "post", "endpoint": "https://example.com/x", "body": {}});
    let mut call = with("with", http);
    call["operation"] = json!("http.request");
    for (user, body, status, code) in [
        ("approver", action("k1"), 403, "PL4005"),
        ("agent", call, 403, "PL4042"),
        ("agent", with("operation", json!("slack.nothing.here")), 422, "PL2102"),
        ("agent", with("with", json!({})), 422, "PL2108"),
        ("agent", with("integration", json!("mine")), 404, "PL4009"),
        ("agent", with("token", json!("xoxb-1")), 400, "PL4003"),
        ("agent", with("reason", json!("")), 400, "PL4003"),
    ] {
        let answer = world.post_as(user, "/api/v1/actions", &body).await;
        assert_eq!(answer.status, status, "{user} {body}: {answer:?}");
        answer.is_problem(status, code);
    }
    assert_eq!(world.head(), head);
}
