//! Connecting and what becomes of the secret.

use crate::world::{World, start};
use placet_model::IntegrationId;
use placet_model::integration::IntegrationStatus;
use serde_json::{Value, json};

const SECRET: &str = "xoxb-canary-7f3a";

fn connecting() -> Value {
    json!({"name": "slack-eu", "provider": "slack", "credential": {"access_token": SECRET}})
}

fn answers_as(world: &World, team: &str) {
    let answer = json!({"ok": true, "team": "Acme", "user": "bot", "team_id": team, "user_id": "U1", "bot_id": "B1"});
    *world.live.answer.lock().unwrap() = answer;
}

fn id(integration: &Value) -> IntegrationId {
    integration["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_credential_is_sealed_the_provider_is_asked_and_the_identity_is_pinned() {
    let world = start().await;
    answers_as(&world, "T9");
    let answer = world.post("/api/v1/integrations", &connecting()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let integration = answer.ok();
    assert_eq!(integration["identity"], json!({"id": "B1", "tenant": "T9"}));
    assert_eq!(integration["label"], "Acme / bot");
    assert_eq!(integration["is_default"], true);
    assert_eq!(integration["credential_version"], 1);
    let sealed = world.vault.secret(id(&integration), 1, "access_token").unwrap();
    assert_eq!(sealed.expose(), SECRET);
    let seen = world.live.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].1, 1, "asked with the sealed version");
    assert!(!seen[0].0.to_view().to_string().contains(SECRET), "the request has a hole");
}

#[tokio::test]
async fn the_secret_is_in_no_answer_and_no_event() {
    let world = start().await;
    answers_as(&world, "T9");
    let mut texts = vec![world.post("/api/v1/integrations", &connecting()).await.body];
    for bad in [
        json!({"name": "b", "provider": "slack", "credential": SECRET}),
        json!({"name": "b", "provider": "slack", "credential": [SECRET]}),
        json!({"name": "b", "provider": "slack", "credential": {"access_token": {"value": SECRET}}}),
        json!({"name": "b", "provider": "slack", "credential": {"acces_token": SECRET}}),
        json!({"name": "b", "provider": "webhook", "settings": {"url": "https://a.example/"}, "credential": {"signing_secret": SECRET}}),
        json!({"name": "b", "provider": "nobody", "credential": {"access_token": SECRET}}),
        json!({"name": "slack-eu", "provider": "webhook", "credential": {"signing_secret": SECRET}}),
    ] {
        let answer = world.post("/api/v1/integrations", &bad).await;
        assert!((400..500).contains(&answer.status), "{answer:?}");
        texts.push(answer.body);
    }
    for path in ["integrations", "audit/events", "status", "runs", "workflows"] {
        texts.push(world.get(&format!("/api/v1/{path}")).await.body);
    }
    for text in texts {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn a_refused_identity_connects_nothing_and_keeps_nothing() {
    let world = start().await;
    *world.live.answer.lock().unwrap() = json!({"ok": false, "error": "invalid_auth"});
    let head = world.head();
    world.post("/api/v1/integrations", &connecting()).await.is_problem(422, "PL6005");
    assert_eq!(world.head(), head);
    assert_eq!(
        world.get("/api/v1/integrations").await.ok(),
        json!({"integrations": [], "next": null})
    );
}

#[tokio::test]
async fn connecting_again_keeps_the_id_and_takes_the_next_version() {
    let world = start().await;
    answers_as(&world, "T9");
    let first = world.post("/api/v1/integrations", &connecting()).await.ok();
    answers_as(&world, "T10");
    let second = world.post("/api/v1/integrations", &connecting()).await.ok();
    assert_eq!(first["id"], second["id"]);
    assert_eq!(second["credential_version"], 2);
    assert_eq!(second["identity"]["tenant"], "T10");
    *world.live.answer.lock().unwrap() = json!({"ok": false, "error": "invalid_auth"});
    world.post("/api/v1/integrations", &connecting()).await.is_problem(422, "PL6005");
    let still = world.vault.secret(id(&first), 2, "access_token").unwrap();
    assert_eq!(still.expose(), SECRET);
}

#[tokio::test]
async fn without_an_identity_call_the_identity_is_the_lineage() {
    let world = start().await;
    let secret = format!("whsec_{}", "A".repeat(32));
    let body = json!({
        "name": "hook", "provider": "webhook", "settings": {"url": "https://a.example/in"},
        "credential": {"signing_secret": secret},
    });
    let integration = world.post("/api/v1/integrations", &body).await.ok();
    assert_eq!(integration["identity"]["id"], integration["id"]);
    let bare = json!({"name": "slack", "provider": "slack"});
    let integration = world.post("/api/v1/integrations", &bare).await.ok();
    assert_eq!(integration["identity"]["id"], integration["id"]);
    assert_eq!(integration["credential_version"], 0);
    assert!(world.live.seen.lock().unwrap().is_empty(), "nobody is asked without a credential");
}

#[tokio::test]
async fn the_first_of_a_provider_is_its_default_until_another_is_named() {
    let world = start().await;
    let connect = async |body: Value| world.post("/api/v1/integrations", &body).await.ok();
    assert_eq!(connect(json!({"name": "a", "provider": "slack"})).await["is_default"], true);
    assert_eq!(connect(json!({"name": "b", "provider": "slack"})).await["is_default"], false);
    assert_eq!(
        connect(json!({"name": "c", "provider": "slack", "default": true})).await["is_default"],
        true
    );
    let list = world.get("/api/v1/integrations").await.ok();
    let defaults: Vec<_> =
        list["integrations"].as_array().unwrap().iter().map(|i| i["is_default"].clone()).collect();
    assert_eq!(defaults, [false, false, true]);
}

#[tokio::test]
async fn an_integration_is_switched_off_on_paused_and_taken_away() {
    let world = start().await;
    answers_as(&world, "T9");
    let integration = world.post("/api/v1/integrations", &connecting()).await.ok();
    let post = async |path: &str, body: &Value| world.post(&format!("/api/v1/{path}"), body).await;
    let listed = async || world.get("/api/v1/integrations").await.ok()["integrations"][0].clone();
    post("integrations/slack-eu/disable", &json!({})).await.ok();
    assert_eq!(listed().await["status"], IntegrationStatus::Disabled.word());
    post("integrations/slack-eu/enable", &json!({})).await.ok();
    assert_eq!(listed().await["status"], IntegrationStatus::Active.word());
    post("pause", &json!({"integration": "slack-eu"})).await.ok();
    assert_eq!(listed().await["paused"], true);
    assert_eq!(world.get("/api/v1/status").await.ok()["paused_integrations"], json!(["slack-eu"]));
    post("resume", &json!({"integration": "slack-eu"})).await.ok();
    assert_eq!(listed().await["paused"], false);
    post("pause", &json!({})).await.ok();
    assert_eq!(world.get("/api/v1/status").await.ok()["paused"], true);
    post("resume", &json!({})).await.ok();
    post("pause", &json!({"integration": "nothing"})).await.is_problem(404, "PL4009");
    post("integrations/nothing/disable", &json!({})).await.is_problem(404, "PL4009");
    post("integrations/slack-eu/disable", &json!({"x": 1})).await.is_problem(400, "PL4003");
    post("integrations/slack-eu/disconnect", &json!({})).await.ok();
    assert_eq!(listed().await, Value::Null);
    assert_eq!(world.vault.latest_version(id(&integration)).unwrap(), None);
}

/// Two connections of one Google account, and one of another.
async fn of_google(world: &World) {
    for (name, account) in [("mail", "ana"), ("drafts", "ana"), ("ben", "ben")] {
        let answer = json!({"emailAddress": format!("{account}@example.com"), "historyId": "1"});
        *world.live.answer.lock().unwrap() = answer;
        let body = json!({"name": name, "provider": "gmail", "credential": {"access_token": format!("t-{name}")}});
        let connected = world.post("/api/v1/integrations", &body).await;
        assert_eq!(connected.status, 201, "{connected:?}");
    }
    let answer = json!({"emailAddress": "ana@example.com", "historyId": "1"});
    *world.live.answer.lock().unwrap() = answer;
}

async fn how_they_stand(world: &World) -> Vec<(String, String)> {
    let list = world.get("/api/v1/integrations").await.ok();
    let rows = list["integrations"].as_array().unwrap().clone();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "name"), text(row, "status"))).collect()
}

#[tokio::test]
async fn a_disconnect_ends_what_rests_on_the_credential_first_and_looks_at_who_shares_the_grant() {
    let world = start().await;
    of_google(&world).await;
    *world.live.ends_grants.lock().unwrap() = true;
    let gone = world.post("/api/v1/integrations/mail/disconnect", &json!({})).await.ok();
    let asked = world.live.asked.lock().unwrap().clone();
    let stop = "POST https://gmail.googleapis.com/gmail/v1/users/me/stop";
    assert_eq!(asked, [stop, "POST https://oauth2.googleapis.com/revoke"]);
    let words = gone["credential"].as_str().unwrap();
    assert!(words.contains("the provider has ended the grant"), "{words}");
    assert!(words.contains("the watch of the mailbox ended with it"), "{words}");
    assert!(
        words.contains("drafts of the same account ended with it: connect it again"),
        "{words}"
    );
    assert!(!words.contains("ben"), "{words}");
    // it is on hold before anything is sent through it
    let stand = how_they_stand(&world).await;
    let named = |name: &str, status: &str| (name.to_owned(), status.to_owned());
    assert_eq!(stand, [named("ben", "active"), named("drafts", "failed")]);
}

#[tokio::test]
async fn a_grant_that_others_share_and_that_did_not_end_is_said_to_work() {
    let world = start().await;
    of_google(&world).await;
    let gone = world.post("/api/v1/integrations/mail/disconnect", &json!({})).await.ok();
    let words = gone["credential"].as_str().unwrap();
    assert!(words.contains("drafts of the same account still works"), "{words}");
    assert!(how_they_stand(&world).await.iter().all(|(_, status)| status == "active"));
}
