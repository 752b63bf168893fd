//! Keys over HTTP: whose they are, and who may say so.

use crate::world::start;
use serde_json::json;

const KEY: &str = "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK";

#[tokio::test]
async fn an_admin_registers_a_key_and_its_owner_may_revoke_it() {
    let world = start().await;
    let body = json!({ "principal": "approver", "key": KEY });
    world.post_as("approver", "/api/v1/keys", &body).await.is_problem(403, "PL4005");
    let made = world.post_as("author", "/api/v1/keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let other = json!({ "principal": "auditor", "key": KEY });
    world.post_as("author", "/api/v1/keys", &other).await.is_problem(409, "PL3049");
    for bad in [json!({ "principal": "approver", "key": &KEY[1..] }), json!({ "key": KEY })] {
        world.post_as("author", "/api/v1/keys", &bad).await.is_problem(400, "PL4003");
    }
    let list = world.get("/api/v1/keys").await.ok();
    assert_eq!(list["keys"][0]["principal"], "approver");
    assert_eq!(list["keys"][0]["roles"], json!(["approver"]));
    let revoke = format!("/api/v1/keys/{KEY}/revoke");
    world.post_as("auditor", &revoke, &json!({})).await.is_problem(403, "PL4005");
    assert_eq!(world.post_as("approver", &revoke, &json!({})).await.ok()["revoked"], true);
}

#[tokio::test]
async fn what_is_no_signed_document_is_refused_where_several_items_go() {
    let world = start().await;
    let unsigned = json!({ "verdict": "approve" });
    world.post_as("approver", "/api/v1/votes", &unsigned).await.is_problem(400, "PL4003");
    let empty = json!({ "document": {}, "signature": "" });
    world.post_as("approver", "/api/v1/votes", &empty).await.is_problem(400, "PL3041");
}
