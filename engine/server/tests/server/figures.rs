//! Figures over time: the API and the page of charts tell the same, and the same as the metrics.

use crate::world::{World, start, with_workflow};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/stats";

/// One is approved and sent, one rejected, one waits.
pub(crate) async fn some_decided() -> World {
    let mut world = with_workflow().await;
    for verdict in ["approve", "reject"] {
        let (run, card) = world.waiting().await;
        let path = format!("/api/v1/decisions/{}/votes", card["id"].as_str().unwrap());
        let vote = json!({"verdict": verdict, "digest": card["digest"], "reason": "because"});
        world.post_as("approver", &path, &vote).await.ok();
        world.finished(&run).await;
    }
    world.waiting().await;
    world
}

#[tokio::test]
async fn what_was_asked_decided_and_sent_is_told_step_by_step_and_in_all() {
    let world = some_decided().await;
    let told = world.get(PATH).await.ok();
    let total = &told["total"];
    assert_eq!((&told["bucket"], &told["complete"]), (&json!("PT1H"), &json!(true)));
    assert_eq!((&total["asked"], &total["decided"]), (&json!(3), &json!(2)), "{told:#}");
    assert_eq!(total["settled"]["approved"], 1);
    assert_eq!(total["settled"]["rejected"], 1);
    assert_eq!(total["sent"], json!({"sandbox": 1, "live": 0}));
    assert!(total["median_ms"].as_u64() <= total["p95_ms"].as_u64(), "{total:#}");
    assert_eq!(told["queue"]["open"], 1);
    assert_eq!(told["queue"]["ages"][0], json!({"below_ms": 900_000, "count": 1}));
    assert!(told["queue"]["oldest_ms"].as_u64().is_some_and(|age| age < 900_000));
    let buckets = told["buckets"].as_array().unwrap();
    let sum = |of: &str| buckets.iter().map(|bucket| bucket[of].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("asked"), sum("decided")), (3, 2), "the steps are the whole");
    assert_eq!(buckets.len(), 25, "a day, and the hour under way");

    let metrics = world.get("/metrics").await.body;
    for line in [
        "placet_decisions_asked_total 3",
        "placet_decision_seconds_count 2",
        "placet_sends_total{provider=\"slack\",mode=\"sandbox\"} 1",
        "placet_decisions_settled_total{settlement=\"rejected\"} 1",
    ] {
        assert!(metrics.lines().any(|told| told == line), "{line}: {metrics}");
    }
    // what comes later is in the next answer, and a look changes nothing
    let head = world.head();
    let again = world.get("/api/v1/stats?from=PT2H&bucket=PT5M").await.ok();
    assert_eq!((&again["total"]["asked"], world.head()), (&json!(3), head));
}

#[tokio::test]
async fn figures_are_for_those_who_read_the_project_and_a_wrong_word_is_named() {
    let world = start().await;
    world.get_as("agent", PATH).await.is_problem(403, "PL4005");
    world.get_as("agent", "/charts").await.is_problem(403, "PL4005");
    assert_eq!(world.get_as("approver", PATH).await.status, 200);
    for query in
        ["from=x", "to=x", "bucket=PT9M", "from=P99D&bucket=PT1H", "form=P1D", "from=P500D"]
    {
        let answer = world.get(&format!("{PATH}?{query}")).await;
        answer.is_problem(400, "PL4003");
    }
    let told = world.get(PATH).await.ok();
    assert_eq!(told["queue"]["oldest_ms"], Value::Null);
    assert_eq!(told["failures"], json!([]));
}
