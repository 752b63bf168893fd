//! A passkey from its enrolment to a vote, as a browser does it over HTTP.
//!
//! covers: S6

use crate::http::{Answer, Ask};
use crate::world::{TOKEN, World, ask, name, with_workflow};
use placet_model::Digest;
use placet_model::decision::Assurance;
use placet_model::policy::{Require, Rule};
use placet_model::signed::text_of;
use placet_test_support::passkey::Authenticator;
use serde_json::{Value, json};

/// As a browser sends it that has opened the engine by its name.
async fn post(world: &World, user: &str, target: &str, body: &Value) -> Answer {
    let host = format!("localhost:{}", world.server.port());
    let request = ask("POST", target).header("Host", &host).header("Placet-As", user);
    request.json(body).send(world.server).await
}

/// Begins to enrol, and lets the authenticator answer.
async fn made(world: &World, user: &str, authenticator: &Authenticator) -> Value {
    let options = post(world, user, "/api/v1/passkeys/options", &json!({})).await.ok();
    assert_eq!(options["rp"]["id"], "localhost");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let (client, data) = authenticator.create(options["challenge"].as_str().unwrap());
    json!({"client_data": client, "authenticator_data": data})
}

#[tokio::test]
async fn a_passkey_that_an_admin_has_confirmed_signs_what_the_policy_demands_it_for() {
    let mut world = with_workflow().await;
    let mut policy = (*world.handle.world().policy).clone();
    policy.rules.push(Rule {
        name: "with a passkey".to_owned(),
        require: Require { assurance: Some(Assurance::Passkey), ..Require::default() },
        ..Rule::default()
    });
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    let (run, card) = world.waiting().await;
    let decision = card["id"].as_str().unwrap().to_owned();
    let plain = json!({"verdict": "approve", "digest": card["digest"]});
    let votes = format!("/api/v1/decisions/{decision}/votes");
    world.post_as("approver", &votes, &plain).await.is_problem(403, "PL3030");

    let authenticator = Authenticator::es256("localhost");
    let body = made(&world, "approver", &authenticator).await;
    let answer = post(&world, "approver", "/api/v1/passkeys", &body).await;
    let passkey = answer.ok();
    assert_eq!((answer.status, &passkey["confirmed"]), (201, &json!(false)));
    post(&world, "approver", "/api/v1/passkeys", &body).await.is_problem(422, "PL5040");
    let sign = format!("/api/v1/decisions/{decision}/sign");
    post(&world, "approver", &sign, &plain).await.is_problem(403, "PL5041");
    let confirm = format!("/api/v1/passkeys/{}/confirm", passkey["id"].as_str().unwrap());
    post(&world, "approver", &confirm, &json!({})).await.is_problem(403, "PL4005");
    assert_eq!(post(&world, "author", &confirm, &json!({})).await.ok()["confirmed"], true);

    let to_sign = post(&world, "approver", &sign, &plain).await.ok();
    let message = to_sign["message"].as_str().unwrap();
    let challenge = text_of(Digest::of(message.as_bytes()).as_bytes());
    assert_eq!(to_sign["options"]["challenge"], challenge.as_str());
    let signed = json!({
        "document": to_sign["document"], "signature": authenticator.get(&challenge),
    });
    let receipt = post(&world, "approver", "/api/v1/votes", &signed).await.ok();
    assert_eq!(receipt["state"], "approved");
    assert_eq!(world.finished(&run).await["status"], "completed");
    let verified = world.handle.view().unwrap().verify().unwrap();
    assert_eq!(verified.signatures, 1, "the log verifies it again");

    let revoke = confirm.replace("confirm", "revoke");
    assert_eq!(post(&world, "approver", &revoke, &json!({})).await.ok()["revoked"], true);
    let list = world.get("/api/v1/passkeys").await.ok();
    assert_eq!(list["passkeys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_passkey_is_made_for_a_name_by_whoever_was_asked() {
    let world = with_workflow().await;
    // a number is no party
    let target = "/api/v1/passkeys/options";
    world.post_as("approver", target, &json!({})).await.is_problem(422, "PL5040");
    // somebody else's answer, and one for another challenge
    let authenticator = Authenticator::eddsa("localhost");
    let body = made(&world, "approver", &authenticator).await;
    post(&world, "second", "/api/v1/passkeys", &body).await.is_problem(422, "PL5040");
    made(&world, "approver", &authenticator).await;
    post(&world, "approver", "/api/v1/passkeys", &body).await.is_problem(422, "PL5040");
    let list = world.get("/api/v1/passkeys").await.ok();
    assert_eq!(list, json!({"passkeys": [], "next": null}));
    Ask::new("POST", target).json(&json!({})).send(world.server).await.is_problem(401, "PL4004");
}

#[tokio::test]
async fn the_script_is_served_as_one_and_makes_its_challenge_itself() {
    let world = with_workflow().await;
    let script = Ask::new("GET", "/passkey.js").send(world.server).await;
    assert_eq!(script.status, 200);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.body.contains("crypto.subtle.digest(\"SHA-256\""), "{}", script.body);
    assert!(!script.body.contains("innerHTML") && !script.body.contains(TOKEN));
}
