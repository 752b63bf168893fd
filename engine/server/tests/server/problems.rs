//! Every kind of misfit, and the problem that it gives.

use crate::http::Ask;
use crate::world::{ask, empty, start, with_workflow};
use serde_json::json;

const MAX: usize = 4 << 20;

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let world = start().await;
    let run = "run_00000000000000000000000000";
    for (target, status, code) in [
        ("/nothing", 404, "PL4012"),
        ("/api/v1", 404, "PL4012"),
        ("/api/v1/runs/x", 400, "PL4003"),
        ("/api/v1/runs/dec_00000000000000000000000000", 400, "PL4003"),
        (&format!("/api/v1/runs/{run}"), 404, "PL4001"),
        ("/api/v1/runs?status=sleeping", 400, "PL4003"),
        ("/api/v1/runs?limit=many", 400, "PL4003"),
        ("/api/v1/runs?before=x", 400, "PL4003"),
        ("/api/v1/runs?limt=1", 400, "PL4003"),
        ("/api/v1/runs?limit=1&limit=2", 400, "PL4003"),
        ("/api/v1/inbox?cursor=x", 400, "PL4003"),
        ("/api/v1/decisions/x", 400, "PL4003"),
        ("/api/v1/decisions/dec_00000000000000000000000000", 404, "PL3001"),
        ("/api/v1/decisions/%ff", 400, "PL4003"),
        ("/api/v1/audit/events?stream=nothing", 400, "PL4003"),
        ("/api/v1/audit/events?type=Nothing", 400, "PL4003"),
        ("/api/v1/audit/events?type=VoteCast,Nothing", 400, "PL4003"),
        ("/api/v1/audit/events?actor=No%20Name", 400, "PL4003"),
        ("/api/v1/audit/events?since=yesterday", 400, "PL4003"),
        ("/api/v1/audit/events?order=up", 400, "PL4003"),
        ("/api/v1/audit/events?order=desc&after=1", 400, "PL4003"),
        ("/api/v1/audit/events?before=1", 400, "PL4003"),
        ("/api/v1/audit/events?wait=long", 400, "PL4003"),
        ("/api/v1/audit/events?stream=policy&run=run_00000000000000000000000001", 400, "PL4003"),
        ("/api/v1/audit/events?integration=nobody", 404, "PL4009"),
        ("/api/v1/audit/replay?at=0", 400, "PL4003"),
        ("/api/v1/audit/replay?at=1000000", 400, "PL4003"),
        ("/api/v1/audit/story/0", 400, "PL4003"),
        ("/api/v1/audit/story/1000000", 400, "PL4003"),
        ("/api/v1/audit/story/run_00000000000000000000000001", 404, "PL4001"),
        ("/api/v1/audit/story/dec_00000000000000000000000001", 404, "PL3001"),
        ("/api/v1/events?after=x", 400, "PL4003"),
    ] {
        let answer = world.get(target).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        answer.is_problem(status, code);
    }
    ask("POST", "/api/v1/status").send(world.server).await.is_problem(405, "PL4016");
    ask("DELETE", "/api/v1/runs").send(world.server).await.is_problem(405, "PL4016");
}

#[tokio::test]
async fn a_body_that_cannot_be_read_changes_nothing() {
    let world = with_workflow().await;
    let head = world.head();
    let start = |kind: &str, body: &str| {
        ask("POST", "/api/v1/runs").header("Content-Type", kind).body(body).send(world.server)
    };
    start("application/json", "{").await.is_problem(400, "PL4003");
    start("application/json", "[]").await.is_problem(400, "PL4003");
    start("application/json", "\u{0}").await.is_problem(400, "PL4003");
    start("text/plain", "{}").await.is_problem(415, "PL4017");
    start("application/x-www-form-urlencoded", "workflow=a").await.is_problem(415, "PL4017");
    for body in [
        json!({}),
        json!({"workflow": "a/b", "source": "x"}),
        json!({"workflow": "ops/slack-notify", "mode": "pretend"}),
        json!({"workflow": "ops/slack-notify", "seed": -1}),
        json!({"workflow": "ops/slack-notify", "sed": 1}),
    ] {
        world.post("/api/v1/runs", &body).await.is_problem(400, "PL4003");
    }
    let bad_key = ask("POST", "/api/v1/pause").header("Idempotency-Key", &"k".repeat(200));
    bad_key.json(&json!({})).send(world.server).await.is_problem(400, "PL4003");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn a_body_over_four_mebibytes_is_refused_by_its_length_and_by_its_bytes() {
    let world = start().await;
    let head = world.head();
    let large = ask("POST", "/api/v1/workflows").header("Content-Type", "application/json");
    let declared = large.clone().header("Content-Length", &(MAX + 1).to_string());
    declared.send(world.server).await.is_problem(413, "PL4014");
    let nonsense = large.clone().header("Content-Length", "9223372036854775807");
    nonsense.send(world.server).await.is_problem(413, "PL4014");
    // nothing after the byte that is too many: what is left unread would reset the connection
    let chunk = format!("{:x}\r\n{}", MAX + 1, " ".repeat(MAX + 1));
    let mut chunked = large.header("Transfer-Encoding", "chunked");
    chunked = chunked.raw_body(chunk);
    chunked.send(world.server).await.is_problem(413, "PL4014");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn a_body_of_four_mebibytes_is_read() {
    let world = start().await;
    let mut body = json!({"file": "x.yaml", "source": ""}).to_string();
    body.push_str(&" ".repeat(MAX - body.len()));
    let answer =
        ask("POST", "/api/v1/workflows").header("Content-Type", "application/json").body(body);
    assert_eq!(answer.send(world.server).await.status, 422);
}

#[tokio::test]
async fn before_the_first_policy_nobody_is_known_and_a_policy_can_be_applied() {
    let world = empty().await;
    world.get("/api/v1/status").await.is_problem(403, "PL3004");
    world.post("/api/v1/runs", &json!({"workflow": "a/b"})).await.is_problem(403, "PL3004");
    let health = Ask::new("GET", "/healthz").send(world.server).await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let ready = Ask::new("GET", "/readyz").send(world.server).await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let policy = "principals:\n  author: { kind: user, roles: [author, operator, admin] }\n";
    let body = json!({"file": "policy.yaml", "source": policy});
    let applied = world.post("/api/v1/policy", &body).await.ok();
    assert!(
        applied["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")),
        "{applied}"
    );
    assert_eq!(world.get("/api/v1/status").await.status, 200);
}

#[tokio::test]
async fn a_document_with_errors_comes_back_with_all_of_them() {
    let world = start().await;
    let head = world.head();
    let source = "document: { dsl: '1.0.3', namespace: a, name: b, version: '1.0.0' }\ndo:\n  - x: { sat: 1 }\n  - y: { call: no.such }\n";
    for (path, body) in [
        ("/api/v1/workflows", json!({"file": "bad.yaml", "source": source})),
        ("/api/v1/runs", json!({"file": "bad.yaml", "source": source})),
    ] {
        let answer = world.post(path, &body).await;
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        let problem = answer.is_problem(422, &code);
        let found = problem["diagnostics"].as_array().unwrap();
        assert!(found.len() >= 2, "{problem:#}");
        assert!(
            found.iter().all(|finding| finding["file"] == "bad.yaml" && finding["line"].is_u64())
        );
    }
    let bad = json!({"file": "policy.yaml", "source": "rulez: []"});
    let problem = world.post("/api/v1/policy", &bad).await.is_problem(422, "PL2401");
    assert!(!problem["diagnostics"].as_array().unwrap().is_empty());
    assert_eq!(world.head(), head);
}
