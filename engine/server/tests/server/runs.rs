//! Deploying, starting, listing and cancelling.

use crate::world::{ask, start, text, with_workflow};
use serde_json::{Value, json};

fn starting() -> Value {
    json!({"workflow": "ops/slack-notify", "input": {"channel": "C0123", "text": "hello"}})
}

#[tokio::test]
async fn a_run_starts_by_name_by_version_and_by_source() {
    let mut world = with_workflow().await;
    let mut versioned = starting();
    versioned["workflow"] = json!("ops/slack-notify@1.0.0");
    let source = json!({"source": text("ok/switch.yaml"), "file": "switch.yaml", "input": {"n": 1}, "seed": 7, "mode": "sandbox"});
    for body in [starting(), versioned, source] {
        let answer = world.post("/api/v1/runs", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let run = answer.ok()["run"].as_str().unwrap().to_owned();
        let report = world.settled(&run).await;
        for member in [
            "run",
            "workflow",
            "status",
            "trace",
            "mode",
            "requester",
            "plan_digest",
            "started_at",
            "updated_at",
        ] {
            assert!(!report[member].is_null(), "{member}: {report:#}");
        }
        assert_eq!(report["requester"], "author");
    }
}

#[tokio::test]
async fn what_is_not_deployed_or_not_available_does_not_start() {
    let world = with_workflow().await;
    let head = world.head();
    for name in ["ops/nothing", "ops/slack-notify@9.9.9", "slack-notify", ""] {
        world.post("/api/v1/runs", &json!({"workflow": name})).await.is_problem(404, "PL4002");
    }
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn an_input_that_the_schema_refuses_is_named_and_not_recorded() {
    let world = start().await;
    let deploy = json!({"file": "data-flow.yaml", "source": text("ok/data-flow.yaml")});
    let deployed = world.post("/api/v1/workflows", &deploy).await.ok();
    assert_eq!(deployed["workflow"], "test/data-flow@1.0.0");
    let head = world.head();
    let bad = json!({"workflow": "test/data-flow", "input": {"name": 7}});
    world.post("/api/v1/runs", &bad).await.is_problem(422, "PL4010");
    let none = json!({"workflow": "test/data-flow"});
    world.post("/api/v1/runs", &none).await.is_problem(422, "PL4010");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn the_same_request_id_starts_one_run() {
    let world = with_workflow().await;
    let keyed = |key: &str, body: &Value| {
        ask("POST", "/api/v1/runs").header("Idempotency-Key", key).json(body).send(world.server)
    };
    let body = starting();
    let (first, second) = tokio::join!(keyed("k1", &body), keyed("k1", &body));
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.ok(), second.ok());
    assert_ne!(keyed("k2", &body).await.ok(), first.ok());
    let mut other = starting();
    other["seed"] = json!(1);
    keyed("k1", &other).await.is_problem(422, "PL3018");
    let list = world.get("/api/v1/runs").await.ok();
    assert_eq!(list["runs"].as_array().unwrap().len(), 2);
    // a refusal is not kept: what was wrong may be put right
    keyed("k3", &json!({"workflow": "test/switch"})).await.is_problem(404, "PL4002");
    let deploy = json!({"file": "switch.yaml", "source": text("ok/switch.yaml")});
    world.post("/api/v1/workflows", &deploy).await.ok();
    let answer = keyed("k3", &json!({"workflow": "test/switch"})).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn runs_come_newest_first_in_pages_and_by_status() {
    let mut world = with_workflow().await;
    let mut started = vec![];
    for _ in 0..3 {
        started.push(world.waiting().await.0);
    }
    let cancelled = format!("/api/v1/runs/{}/cancel", started[0]);
    world.post(&cancelled, &json!({"reason": "enough"})).await.ok();
    world.post(&cancelled, &json!({})).await.is_problem(409, "PL4008");
    started.reverse();
    let page = world.get("/api/v1/runs?limit=2").await.ok();
    let ids = |page: &Value| -> Vec<String> {
        page["runs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["run"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&page), started[..2]);
    let next = page["next"].as_str().unwrap();
    let rest = world.get(&format!("/api/v1/runs?limit=2&before={next}")).await.ok();
    assert_eq!((ids(&rest).as_slice(), &rest["next"]), (&started[2..], &Value::Null));
    let waiting = world.get("/api/v1/runs?status=waiting&workflow=ops/slack-notify").await.ok();
    assert_eq!(ids(&waiting), started[..2]);
    assert_eq!(waiting["runs"][0]["waiting_for"]["kind"], "decision");
    let over = world.get("/api/v1/runs?status=cancelled").await.ok();
    assert_eq!(ids(&over), started[2..]);
    assert!(ids(&world.get("/api/v1/runs?workflow=ops/other").await.ok()).is_empty());
}

#[tokio::test]
async fn deploying_again_records_nothing_and_the_list_shows_versions() {
    let world = with_workflow().await;
    let head = world.head();
    let source = text("ok/slack-notify.yaml");
    let first =
        world.post("/api/v1/workflows", &json!({"file": "a.yaml", "source": source})).await.ok();
    assert_eq!(world.head(), head);
    let newer = source.replace("version: '1.0.0'", "version: '1.1.0'");
    let second =
        world.post("/api/v1/workflows", &json!({"file": "a.yaml", "source": newer})).await.ok();
    assert_ne!(first["plan_digest"], second["plan_digest"]);
    let list = world.get("/api/v1/workflows").await.ok();
    let names: Vec<_> =
        list["workflows"].as_array().unwrap().iter().map(|row| row["workflow"].clone()).collect();
    assert_eq!(names, ["ops/slack-notify@1.1.0", "ops/slack-notify@1.0.0"]);
    let run =
        world.post("/api/v1/runs", &starting()).await.ok()["run"].as_str().unwrap().to_owned();
    let report = world.get(&format!("/api/v1/runs/{run}")).await.ok();
    assert_eq!(report["workflow"], "ops/slack-notify@1.1.0");
}

#[tokio::test]
async fn runs_are_counted_by_the_version_that_they_stand_on() {
    let mut world = with_workflow().await;
    let (first, _) = world.waiting().await;
    let next = text("ok/slack-notify.yaml").replace("version: '1.0.0'", "version: '1.1.0'");
    let deploy = json!({"file": "next.yaml", "source": next});
    assert_eq!(
        world.post("/api/v1/workflows", &deploy).await.ok()["workflow"],
        "ops/slack-notify@1.1.0"
    );
    world.waiting().await;
    let (third, _) = world.waiting().await;
    let counted = world.get("/api/v1/runs/by-version").await.ok();
    let rows: Vec<_> = counted["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (row["workflow"].as_str().unwrap(), row["latest"] == true, row["waiting_for"].clone())
        })
        .collect();
    let expected = [
        ("ops/slack-notify@1.1.0", true, json!({"decision": 2})),
        ("ops/slack-notify@1.0.0", false, json!({"decision": 1})),
    ];
    assert_eq!(rows, expected);
    // what is over stands on nothing
    world.post(&format!("/api/v1/runs/{first}/cancel"), &json!({"reason": "old"})).await.ok();
    let counted = world.get("/api/v1/runs/by-version?workflow=ops/slack-notify").await.ok();
    assert_eq!(counted["versions"].as_array().unwrap().len(), 1, "{counted}");
    let others = world.get("/api/v1/runs/by-version?workflow=ops/other").await.ok();
    assert_eq!(others["versions"], json!([]));
    // an agent counts what it caused
    let own = world.get_as("agent", "/api/v1/runs/by-version").await.ok();
    assert_eq!(own["versions"], json!([]));
    let of_version =
        world.get("/api/v1/runs?version=1.1.0&waiting_for=decision&mode=sandbox").await.ok();
    let runs = of_version["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["run"]), (2, &json!(third)));
}

#[tokio::test]
async fn filters_of_the_list_all_hold_and_a_wrong_word_is_named() {
    let mut world = with_workflow().await;
    let (run, _) = world.waiting().await;
    for (query, count) in [
        ("requester=author", 1),
        ("requester=agent", 0),
        ("mode=live", 0),
        ("version=1.0.0", 1),
        ("version=2.0.0", 0),
        ("waiting_for=timer", 0),
        ("waiting_for=decision&status=waiting", 1),
    ] {
        let list = world.get(&format!("/api/v1/runs?{query}")).await.ok();
        assert_eq!(list["runs"].as_array().unwrap().len(), count, "{query}: {list}");
    }
    for query in ["waiting_for=tea", "mode=dry", "requester=No One", "versions=1"] {
        let answer = world.get(&format!("/api/v1/runs?{}", query.replace(' ', "%20"))).await;
        answer.is_problem(400, "PL4003");
    }
    world
        .post(&format!("/api/v1/runs/{run}/cancel"), &json!({"reason": "wrong channel"}))
        .await
        .ok();
    let report = world.get(&format!("/api/v1/runs/{run}")).await.ok();
    assert_eq!(report["cancelled"]["by"], "author");
    assert_eq!(report["cancelled"]["reason"], "wrong channel");
}

#[tokio::test]
async fn a_start_that_waits_is_answered_with_what_came_of_the_run() {
    let world = start().await;
    let source =
        json!({"source": text("ok/switch.yaml"), "file": "switch.yaml", "input": {"n": 1}});
    let answer = world.post("/api/v1/runs?wait=30", &source).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = answer.ok();
    assert_eq!(answer["status"], "completed", "{answer:#}");
    assert!(!answer["output"].is_null(), "{answer:#}");
    assert!(answer["error"].is_null() && answer["waiting_for"].is_null(), "{answer:#}");
}

#[tokio::test]
async fn whoever_waits_for_a_run_is_told_when_it_is_somebodys_turn_and_when_it_is_over() {
    // given: a run that asks for a decision
    let world = with_workflow().await;
    let asked = world.post("/api/v1/runs?wait=30", &starting()).await.ok();
    assert_eq!(asked["status"], "waiting", "{asked:#}");
    let decision = asked["waiting_for"]["decision"].as_str().unwrap().to_owned();
    let run = asked["run"].as_str().unwrap().to_owned();
    // when: nothing happens, the time is over and the answer says how it stands
    let still = world.get(&format!("/api/v1/runs/{run}?wait=0")).await.ok();
    assert_eq!(still["status"], "waiting");
    // and when it is decided, it ends
    let card = world.get_as("approver", &format!("/api/v1/decisions/{decision}")).await.ok();
    let vote = json!({"verdict": "approve", "digest": card["digest"]});
    let votes = format!("/api/v1/decisions/{decision}/votes");
    assert_eq!(world.post_as("approver", &votes, &vote).await.status, 200);
    let ended = world.get(&format!("/api/v1/runs/{run}?wait=30")).await.ok();
    assert_eq!(ended["status"], "completed", "{ended:#}");
}

#[tokio::test]
async fn a_wait_that_is_too_long_or_no_number_is_refused_and_starts_nothing() {
    let world = with_workflow().await;
    let head = world.head();
    for wait in ["61", "soon", "-1"] {
        let path = format!("/api/v1/runs?wait={wait}");
        world.post(&path, &starting()).await.is_problem(400, "PL4003");
    }
    assert_eq!(world.head(), head);
}
