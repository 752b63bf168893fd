//! What proves the log over HTTP, and who may ask for it.

use crate::world::with_workflow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_log::checkpoint::{Checkpoint, Trust};
use placet_log::note::Note;
use placet_log::proof::check_consistency;
use placet_model::Digest;
use serde_json::{Value, json};

fn note(told: &Value) -> Note {
    told["checkpoint"].as_str().expect("a checkpoint").parse().expect("a note")
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_recorded_on_request_and_prove_to_continue_each_other() {
    let mut world = with_workflow().await;
    let none = world.get_as("auditor", "/api/v1/audit/checkpoint").await.ok();
    assert_eq!(none["checkpoint"], Value::Null);
    assert_eq!(none["unsigned"], world.head().get());
    let first = world.post_as("auditor", "/api/v1/audit/checkpoint", &json!({})).await.ok();
    world.waiting().await;
    let second = world.post_as("auditor", "/api/v1/audit/checkpoint", &json!({})).await.ok();
    let trust = Trust {
        key: Some(first["key"].as_str().expect("a key").parse().expect("a verifier key")),
        ..Trust::default()
    };
    let heads = [&first, &second].map(|told| trust.check(&note(told)).unwrap().checkpoint);
    let [Checkpoint { size: old, root: old_root, .. }, Checkpoint { size, root, .. }] = heads;
    let path = format!("/api/v1/audit/consistency?old={old}&new={size}");
    let proof = world.get_as("auditor", &path).await.ok();
    let hashes: Vec<Digest> = serde_json::from_value(proof["hashes"].clone()).unwrap();
    check_consistency((old, &old_root), (size, &root), &hashes).unwrap();
    assert_eq!(world.get_as("auditor", "/api/v1/audit/checkpoint").await.ok(), second);
    let beyond = format!("/api/v1/audit/consistency?old={old}&new=100000");
    world.get_as("auditor", &beyond).await.is_problem(400, "PL4003");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_for_an_export_is_signed_and_not_recorded() {
    let mut world = with_workflow().await;
    world.waiting().await;
    let before = world.head();
    let told = world.post_as("auditor", "/api/v1/audit/head", &json!({})).await.ok();
    assert_eq!(told["size"], before.get());
    let mut after = json!(0);
    let mut leaves = 0;
    while !after.is_null() {
        let path = format!("/api/v1/audit/records?after={after}&until={}", told["size"]);
        let page = world.get_as("auditor", &path).await.ok();
        for record in page["records"].as_array().expect("records") {
            let bytes =
                |name: &str| STANDARD.decode(record[name].as_str().expect("bytes")).unwrap();
            assert_eq!(bytes("leaf")[48..80], *Digest::of(&bytes("body")).as_bytes());
            leaves += 1;
        }
        after = page["next"].clone();
    }
    assert_eq!(leaves, before.get());
    assert_eq!(world.head(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_for_auditors_and_content_for_those_who_read_it() {
    let mut world = with_workflow().await;
    let (_run, card) = world.waiting().await;
    let decision = card["id"].as_str().or_else(|| card["decision"].as_str()).expect("an id");
    let receipt = format!("/api/v1/audit/receipts/{decision}");
    let nothing = json!({});
    // an agent proves nothing of others
    for path in [
        "/api/v1/audit/checkpoint",
        "/api/v1/audit/records",
        "/api/v1/audit/consistency?old=0&new=1",
    ] {
        world.get_as("agent", path).await.is_problem(403, "PL4005");
    }
    for path in ["/api/v1/audit/checkpoint", "/api/v1/audit/head", &receipt] {
        world.post_as("agent", path, &nothing).await.is_problem(403, "PL4005");
    }
    // a person has the receipt of a decision, and no more than that
    world.post_as("approver", &receipt, &nothing).await.ok();
    let plain = format!("{receipt}?content=plain");
    world.post_as("approver", &plain, &nothing).await.is_problem(403, "PL4005");
    world.get_as("approver", "/api/v1/audit/records").await.is_problem(403, "PL4005");
    world.post_as("approver", "/api/v1/audit/checkpoint", &nothing).await.is_problem(403, "PL4005");
    // an auditor has all of it
    let told = world.post_as("auditor", &plain, &nothing).await;
    assert!(told.ok()["events"].as_array().is_some_and(|events| events.len() >= 3));
    world.get_as("auditor", "/api/v1/audit/records?content=plain").await.ok();
    world.get_as("auditor", "/api/v1/audit/records?content=x").await.is_problem(400, "PL4003");
    let unknown = "/api/v1/audit/receipts/dec_00000000000000000000000000";
    world.post_as("auditor", unknown, &nothing).await.is_problem(404, "PL3001");
}
