//! Votes over HTTP.

use crate::world::{World, ask, with_workflow};
use serde_json::{Value, json};

fn votes(card: &Value) -> String {
    format!("/api/v1/decisions/{}/votes", card["id"].as_str().unwrap())
}

fn approval(card: &Value) -> Value {
    json!({"verdict": "approve", "digest": card["digest"]})
}

async fn keyed(world: &World, key: &str, card: &Value, body: &Value) -> crate::http::Answer {
    let vote =
        ask("POST", &votes(card)).header("Placet-As", "approver").header("Idempotency-Key", key);
    vote.json(body).send(world.server).await
}

#[tokio::test]
async fn an_approval_lets_the_run_go_on() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    assert_eq!(card["request"]["method"], "POST");
    let receipt = world.post_as("approver", &votes(&card), &approval(&card)).await.ok();
    assert_eq!(receipt["state"], "approved");
    assert!(receipt["position"].is_u64());
    let report = world.finished(&run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["trace"][0]["would_have_sent"]["digest"], card["digest"]);
    let empty = world.get_as("approver", "/api/v1/inbox").await.ok();
    assert_eq!(empty, json!({"items": [], "next": null}));
}

#[tokio::test]
async fn the_same_request_id_gives_the_same_answer_and_one_vote() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    let first = keyed(&world, "k1", &card, &approval(&card)).await.ok();
    world.finished(&run).await;
    let head = world.head();
    let again = keyed(&world, "k1", &card, &approval(&card)).await.ok();
    assert_eq!(first, again);
    assert_eq!(world.head(), head);
    let other = json!({"verdict": "reject", "digest": card["digest"], "reason": "no"});
    keyed(&world, "k1", &card, &other).await.is_problem(422, "PL3018");
    let late = keyed(&world, "k2", &card, &approval(&card)).await;
    assert_eq!(late.status, 409, "{late:?}");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn votes_that_may_not_count_are_refused() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let head = world.head();
    let wrong = json!({"verdict": "approve", "digest": format!("sha256:{}", "0".repeat(64))});
    let time =
        json!({"verdict": "approve", "digest": card["digest"], "time": "2020-01-01T00:00:00Z"});
    let signed = json!({"verdict": "approve", "digest": card["digest"], "document": {}});
    let edit = json!({"verdict": "edit", "digest": card["digest"]});
    for (user, body, status, code) in [
        ("author", approval(&card), 403, "PL3003"),
        ("agent", approval(&card), 403, "PL3012"),
        ("auditor", approval(&card), 403, "PL3008"),
        ("nobody", approval(&card), 403, "PL3004"),
        ("approver", wrong, 409, "PL3002"),
        ("approver", time, 422, "PL3010"),
        ("approver", signed, 400, "PL4003"),
        ("approver", edit, 400, "PL4003"),
        ("approver", json!({"verdict": "approve"}), 400, "PL4003"),
        ("approver", json!({"verdict": "aprove", "digest": card["digest"]}), 400, "PL4003"),
        (
            "approver",
            json!({"verdict": "approve", "digest": card["digest"], "decision": card["id"]}),
            400,
            "PL4003",
        ),
        (
            "approver",
            json!({"verdict": "approve", "digest": card["digest"], "x": 1}),
            400,
            "PL4003",
        ),
        ("approver", json!({"verdict": "sent"}), 400, "PL4003"),
        ("approver", json!({"verdict": "sent", "digest": card["digest"]}), 409, "PL3016"),
        ("approver", json!({}), 400, "PL4003"),
    ] {
        let answer = world.post_as(user, &votes(&card), &body).await;
        assert_eq!(answer.status, status, "{user} {body}: {answer:?}");
        answer.is_problem(status, code);
        assert_eq!(world.head(), head, "{user} {body}");
    }
    let unknown = json!({"id": "dec_00000000000000000000000000"});
    world.post_as("approver", &votes(&unknown), &approval(&card)).await.is_problem(404, "PL3001");
}

#[tokio::test]
async fn a_card_is_shown_to_those_whom_it_concerns() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let target = format!("/api/v1/decisions/{}", card["id"].as_str().unwrap());
    for user in ["author", "approver", "second", "auditor"] {
        assert_eq!(world.get_as(user, &target).await.ok()["digest"], card["digest"], "{user}");
    }
    world.get_as("agent", &target).await.is_problem(404, "PL3001");
    let mine = world.get_as("auditor", "/api/v1/inbox").await.ok();
    let all = world.get_as("auditor", "/api/v1/inbox?filter=all").await.ok();
    assert_eq!(
        (mine["items"].as_array().unwrap().len(), all["items"].as_array().unwrap().len()),
        (0, 1)
    );
}

#[tokio::test]
async fn the_inbox_comes_in_pages() {
    let mut world = with_workflow().await;
    for _ in 0..3 {
        world.waiting().await;
    }
    let (mut seen, mut cursor) = (vec![], String::new());
    loop {
        let page =
            world.get_as("approver", &format!("/api/v1/inbox?limit=2&cursor={cursor}")).await.ok();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!((seen.len(), once), (3, seen));
}

#[tokio::test]
async fn everybody_is_shown_their_own_figures_and_an_auditor_those_of_all() {
    let mut world = with_workflow().await;
    let (run, card) = world.waiting().await;
    world.post_as("approver", &votes(&card), &approval(&card)).await.ok();
    world.finished(&run).await;
    let head = world.head();
    let own = world.get_as("approver", "/api/v1/inbox/stats?since=P1D").await.ok();
    assert_eq!(own["approvers"][0]["user"], "approver");
    assert_eq!(own["approvers"][0]["decisions"], 1);
    let all = world.get_as("auditor", "/api/v1/inbox/stats").await.ok();
    assert_eq!(all["since"], Value::Null, "since the beginning");
    assert_eq!(all["approvers"][0], own["approvers"][0]);
    let others = world.get_as("approver", "/api/v1/inbox/stats?user=auditor").await;
    others.is_problem(403, "PL3060");
    let typo = world.get_as("auditor", "/api/v1/inbox/stats?form=P1D").await;
    typo.is_problem(400, "PL4003");
    assert_eq!(world.head(), head, "reading appends nothing");
}
