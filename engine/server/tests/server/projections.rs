//! The derived tables at a running engine.

use crate::world::{World, with_workflow};
use serde_json::{Value, json};

async fn status(world: &World) -> Value {
    world.get_as("auditor", "/api/v1/projections").await.ok()
}

#[tokio::test]
async fn the_status_counts_the_rows_of_every_table() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let status = status(&world).await;
    let head = world.head().get();
    assert_eq!((&status["cursor"], &status["head"]), (&json!(head), &json!(head)));
    assert_eq!(status["tables"]["proj_decisions_v7"], 1);
    assert_eq!(status["tables"]["proj_integrations_v7"], 1);
    assert_eq!(status["rebuild"], Value::Null, "nobody has made them again");
}

#[tokio::test]
async fn an_operator_makes_the_tables_again_while_the_engine_goes_on() {
    let mut world = with_workflow().await;
    let (_, before) = world.waiting().await;
    let begun = world.post_as("author", "/api/v1/projections/rebuild", &json!({})).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let begun: Value = serde_json::from_str(&begun.body).unwrap();
    assert_eq!((&begun["id"], &begun["by"]), (&json!(1), &json!("author")));
    // another run is asked for while the tables may still be in the making
    let (run, _) = world.waiting().await;
    // its end is told as soon as it is there
    let mut told = world.get_as("auditor", "/api/v1/projections?wait=30").await.ok();
    let ended = told["rebuild"].take();
    assert_eq!((&ended["id"], &ended["state"]), (&json!(1), &json!("done")), "{ended}");
    assert_eq!(ended["events"], ended["head"]);
    let replayed = world.get_as("auditor", "/api/v1/audit/replay").await.ok();
    assert_eq!(replayed["equal"], true, "{replayed}");
    let list = world.get_as("approver", "/api/v1/inbox").await.ok();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "{list}");
    assert_eq!((&items[0]["id"], &items[1]["run"]), (&before["id"], &json!(run)));
    // there is nothing to cancel any more
    let none = world.post_as("author", "/api/v1/projections/rebuild/cancel", &json!({})).await;
    none.is_problem(404, "PL4012");
}
