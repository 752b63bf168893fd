//! Connecting in two steps: what an install lacks is shown until it is chosen among what the provider
//! lists, and what was chosen binds what comes in.
//!
//! covers: S7

use crate::http::{Answer, Ask};
use crate::world::{World, start};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_model::{Event, Position};
use ring::hmac;
use serde_json::{Value, json};

const KEY: &str = "helpscout-webhook-0001";

fn says(world: &World, answer: Value) {
    *world.live.answer.lock().unwrap() = answer;
}

/// An account whose app was installed, and its mailboxes.
async fn installed() -> World {
    let world = start().await;
    says(&world, json!({"id": 1, "firstName": "Ada", "lastName": "L", "companyId": 9}));
    let credential = json!({"access_token": "hs-1", "webhook_secret": KEY});
    let body = json!({"name": "help", "provider": "helpscout", "credential": credential});
    let made = world.post("/api/v1/integrations", &body).await.ok();
    assert_eq!(made["pending"][0]["setting"], "mailbox", "{made:#}");
    world.handle.keep_credentials(&world.vault).unwrap();
    let mailboxes = json!([{"id": 11, "name": "Support"}, {"id": 12, "name": "Sales"}]);
    says(
        &world,
        json!({"_embedded": {"mailboxes": mailboxes}, "page": {"number": 1, "totalPages": 1}}),
    );
    world
}

async fn complete(world: &World, body: Value) -> Answer {
    world.post("/api/v1/integrations/help/complete", &body).await
}

async fn shown(world: &World) -> (Value, Value) {
    let shown = world.get("/api/v1/integrations/help").await.ok();
    (shown["settings"]["mailbox"].clone(), shown["pending"].clone())
}

#[tokio::test]
async fn what_an_install_lacks_is_pending_until_it_is_chosen_among_what_the_provider_lists() {
    let world = installed().await;
    let missing = json!([{"setting": "mailbox", "title": "the mailbox that it is for"}]);
    let listed = world.get("/api/v1/integrations").await.ok();
    assert_eq!(listed["integrations"][0]["pending"], missing);
    assert_eq!(shown(&world).await, (Value::Null, missing.clone()));

    let steps = complete(&world, json!({})).await.ok();
    let choices = json!([{"value": 11, "label": "Support"}, {"value": 12, "label": "Sales"}]);
    assert_eq!(steps["steps"][0]["choices"], choices);
    // what is not among them changes nothing, and neither does whoever may not
    complete(&world, json!({"choose": "99"})).await.is_problem(422, "PL3073");
    complete(&world, json!({"setting": "channel"})).await.is_problem(409, "PL3072");
    let path = "/api/v1/integrations/help/complete";
    world.post_as("approver", path, &json!({"choose": "12"})).await.is_problem(403, "PL4005");
    assert_eq!(shown(&world).await, (Value::Null, missing));

    let chosen = complete(&world, json!({"choose": "Sales"})).await.ok();
    assert_eq!((&chosen["chosen"], &chosen["pending"]), (&json!(12), &json!([])));
    assert_eq!(shown(&world).await, (json!(12), json!([])));
    // each asking has used the credential, and says for what
    let view = world.handle.view().unwrap();
    let events = view.events(Position::START).map(|event| event.unwrap().event);
    let used = events.filter(|event| {
        matches!(event, Event::CredentialUsed(body) if body.operation == "helpscout.mailboxes.list")
    });
    assert_eq!(used.count(), 3);
}

/// A conversation as Help Scout posts it.
async fn posts(world: &World, id: u32, mailbox: u32) -> u16 {
    let body = json!({"id": id, "mailboxId": mailbox, "threads": 2}).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, KEY.as_bytes());
    let tag = BASE64.encode(hmac::sign(&key, body.as_bytes()));
    Ask::new("POST", "/hooks/helpscout/help")
        .header("Content-Type", "application/json")
        .header("X-HelpScout-Event", "convo.customer.reply.created")
        .header("X-HelpScout-Signature", &tag)
        .body(body)
        .send(world.server)
        .await
        .status
}

#[tokio::test]
async fn what_comes_in_for_another_mailbox_is_acknowledged_and_not_taken() {
    let world = installed().await;
    let taken = |world: &World| {
        let view = world.handle.view().unwrap();
        let events = view.events(Position::START).map(|event| event.unwrap().event);
        events.filter(|event| matches!(event, Event::InboundReceived(_))).count()
    };
    assert_eq!((posts(&world, 1, 12).await, taken(&world)), (200, 0), "nothing was chosen yet");
    complete(&world, json!({"choose": 12})).await.ok();
    assert_eq!((posts(&world, 2, 11).await, taken(&world)), (200, 0));
    assert_eq!((posts(&world, 3, 12).await, taken(&world)), (200, 1));
}

#[tokio::test]
async fn an_agents_own_part_of_an_install_is_asked_of_what_acts_for_agents_alone() {
    let world = start().await;
    says(
        &world,
        json!({"ok": true, "team": "T", "team_id": "T1", "user_id": "U9", "bot_id": "B9"}),
    );
    let slack =
        json!({"name": "bot-slack", "provider": "slack", "credential": {"access_token": "xoxb-1"}});
    let made = world.post("/api/v1/integrations", &slack).await.ok();
    assert_eq!(made["pending"], json!([]), "a workspace's install needs nothing more");
    let scope = json!({"agents": ["agent"]});
    world.post("/api/v1/integrations/bot-slack/scope", &scope).await.ok();
    let shown = world.get("/api/v1/integrations/bot-slack").await.ok();
    assert_eq!(shown["pending"][0]["setting"], "notify_to");

    let page = |next: &str, id: &str, name: &str| json!({"ok": true, "channels": [{"id": id, "name": name}], "response_metadata": {"next_cursor": next}});
    says(&world, page("", "C0AGENT", "agent-room"));
    let path = "/api/v1/integrations/bot-slack/complete";
    let chosen = world.post(path, &json!({"choose": "agent-room"})).await.ok();
    assert_eq!((&chosen["chosen"], &chosen["pending"]), (&json!("C0AGENT"), &json!([])));
}
