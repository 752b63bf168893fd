//! Pairing a connection with a conversation: what comes to the webhook binds it once, or changes nothing,
//! and the provider hears what it always does.
//!
//! covers: S15

use crate::http::Ask;
use crate::world::{World, start};
use placet_model::event::hook::PairingStep;
use placet_model::{Event, Position};
use serde_json::{Value, json};

const SECRET: &str = "webhook-secret-0001";

/// With a bot whose webhook is believed.
async fn bot() -> World {
    let world = start().await;
    *world.live.answer.lock().unwrap() = json!({"ok": true, "result": {"id": 7, "is_bot": true, "first_name": "Ops", "username": "ops_bot"}});
    let credential = json!({"bot_token": "7:abc", "webhook_secret": SECRET});
    let body = json!({"name": "ops-bot", "provider": "telegram", "credential": credential});
    world.post("/api/v1/integrations", &body).await.ok();
    world.handle.keep_credentials(&world.vault).unwrap();
    world
}

async fn offer(world: &World) -> Value {
    world.post("/api/v1/integrations/ops-bot/pair", &json!({})).await.ok()
}

/// What a chat writes, with the secret that Telegram sends along.
async fn writes(world: &World, update: i64, chat: i64, (text, secret): (&str, &str)) -> u16 {
    let message = json!({"message_id": update, "date": 1_767_225_600, "text": text,
        "chat": {"id": chat, "type": "private"}, "from": {"id": chat, "is_bot": false, "first_name": "Ana"}});
    Ask::new("POST", "/hooks/telegram/ops-bot")
        .header("X-Telegram-Bot-Api-Secret-Token", secret)
        .json(&json!({"update_id": update, "message": message}))
        .send(world.server)
        .await
        .status
}

/// To whom it tells things, how its pairing stands, and how many messages are in the log.
async fn stands(world: &World) -> (Value, Value, usize) {
    let shown = world.get("/api/v1/integrations/ops-bot").await.ok();
    let view = world.handle.view().unwrap();
    let events = view.events(Position::START).map(|event| event.unwrap().event);
    let messages = events.filter(|event| matches!(event, Event::InboundReceived(_))).count();
    let known = world.handle.named("ops-bot").unwrap();
    (known.settings["notify_to"].clone(), shown["pairing"]["state"].clone(), messages)
}

#[tokio::test]
async fn whoever_sends_the_code_is_whom_the_connection_tells_and_it_counts_once() {
    let world = bot().await;
    assert_eq!(stands(&world).await, (Value::Null, Value::Null, 0));

    // given a code that an operator was shown
    let offered = offer(&world).await;
    let say = offered["say"].as_str().unwrap().to_owned();
    let code = say.strip_prefix("/start ").unwrap();
    assert_eq!(offered["link"], json!(format!("https://t.me/ops_bot?start={code}")));
    assert_eq!((code.len(), &offered["is_posted"]), (32, &json!(false)));

    // what is wrong, or not proven to be the provider's, binds nobody
    let wrong = format!("/start {}", "0".repeat(32));
    assert_eq!(writes(&world, 1, 66, (&wrong, SECRET)).await, 200);
    assert_eq!(writes(&world, 2, 66, (&say, "another-secret")).await, 401);
    assert_eq!(
        stands(&world).await,
        (Value::Null, json!("offered"), 1),
        "a message like any other"
    );

    // when it comes back, then its chat is bound, and no workflow hears of it
    assert_eq!(writes(&world, 3, 4711, (&say, SECRET)).await, 200);
    let bound = (json!(4711), json!("paired"), 1);
    assert_eq!(stands(&world).await, bound);

    // and then it is spent: for the provider that did not hear the answer, and for everybody else
    let head = world.head();
    assert_eq!(writes(&world, 3, 4711, (&say, SECRET)).await, 200);
    assert_eq!(writes(&world, 4, 66, (&say, SECRET)).await, 200);
    assert_eq!((stands(&world).await, world.head()), (bound, head));

    // the code stands nowhere in the log
    let view = world.handle.view().unwrap();
    for event in view.events(Position::START) {
        let event = event.unwrap();
        assert!(!format!("{event:?}").contains(code), "{event:?}");
    }
}

#[tokio::test]
async fn another_code_takes_the_place_of_the_one_before_and_binds_anew() {
    let world = bot().await;
    let (first, second) = (offer(&world).await, offer(&world).await);
    let say = |offered: &Value| offered["say"].as_str().unwrap().to_owned();
    assert_eq!(writes(&world, 1, 66, (&say(&first), SECRET)).await, 200);
    assert_eq!(stands(&world).await, (Value::Null, json!("offered"), 1));
    // a group writes it with the bot's name
    let in_group = say(&second).replace("/start", "/start@ops_bot");
    assert_eq!(writes(&world, 2, -100_123, (&in_group, SECRET)).await, 200);
    assert_eq!(stands(&world).await, (json!(-100_123), json!("paired"), 1));
    let view = world.handle.view().unwrap();
    let steps = view.events(Position::START).filter_map(|event| match event.unwrap().event {
        Event::PairingChanged(body) => Some((body.step, body.to)),
        _ => None,
    });
    let expected = [
        (PairingStep::Offered, None),
        (PairingStep::Offered, None),
        (PairingStep::Paired, Some("-100123".to_owned())),
    ];
    assert_eq!(steps.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_code_is_made_only_for_operators_and_where_it_could_come_back() {
    let world = bot().await;
    let path = "/api/v1/integrations/ops-bot/pair";
    world.post_as("approver", path, &json!({})).await.is_problem(403, "PL4005");
    world.post("/api/v1/integrations/nobody/pair", &json!({})).await.is_problem(404, "PL4009");
    // a bot whose webhook nobody would believe, and a provider whose connections are not paired
    let credential = json!({"bot_token": "8:abc"});
    let deaf = json!({"name": "deaf", "provider": "telegram", "credential": credential});
    world.post("/api/v1/integrations", &deaf).await.ok();
    let refused = world.post("/api/v1/integrations/deaf/pair", &json!({})).await;
    refused.is_problem(409, "PL3071");
    *world.live.answer.lock().unwrap() =
        json!({"ok": true, "team": "T", "team_id": "T1", "user_id": "U9", "bot_id": "B9"});
    let slack =
        json!({"name": "slack", "provider": "slack", "credential": {"access_token": "xoxb-1"}});
    world.post("/api/v1/integrations", &slack).await.ok();
    world.post("/api/v1/integrations/slack/pair", &json!({})).await.is_problem(409, "PL3070");
}
