//! What was made can be read, listed and changed; keys and deletions are the provider's own
//! (facts/mocking.md R3, M7).

use placet_adapters::{Adapters, Answer, Cause, Response};
use placet_model::Timestamp;
use placet_sandbox::{Asked, Rule, Turn, Unknown, World};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

static SHIPPED: LazyLock<Adapters> = LazyLock::new(Adapters::shipped);

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn ask(world: &mut World, name: &str, input: &Value, key: Option<&str>) -> Answer {
    world.answer(Asked {
        operation: SHIPPED.operation(name).unwrap(),
        integration: "main",
        input,
        key,
        send_id: "",
        seen: None,
        now: now(),
        timeout: Duration::from_secs(30),
    })
}

fn body(world: &mut World, name: &str, input: &Value) -> Value {
    ask(world, name, input, None).unwrap().json().unwrap()
}

fn status(world: &mut World, name: &str, input: &Value) -> u16 {
    ask(world, name, input, None).unwrap().status
}

#[test]
fn a_customer_that_was_made_is_read_and_listed_with_what_was_said_of_it() {
    let mut world = World::new(0, Unknown::NotFound);
    let input = json!({"email": "ana@example.com", "name": "Ana", "metadata": {"plan": "b"}});
    let made = body(&mut world, "stripe.customers.create", &input);
    let read = body(&mut world, "stripe.customers.get", &json!({"id": made["id"]}));
    for name in ["id", "email", "name", "metadata", "created"] {
        assert_eq!(read[name], made[name], "{name}");
    }
    let listed = body(&mut world, "stripe.customers.list", &json!({}));
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["id"], made["id"]);
    let other = json!({"email": "ben@example.com"});
    assert_eq!(body(&mut world, "stripe.customers.list", &other)["data"], json!([]));
}

#[test]
fn an_update_keeps_the_id_and_what_it_does_not_speak_of() {
    let mut world = World::new(0, Unknown::NotFound);
    let input = json!({"amount": 1999, "currency": "eur"});
    let made = body(&mut world, "stripe.payment_intents.create", &input);
    let confirmed = body(&mut world, "stripe.payment_intents.confirm", &json!({"id": made["id"]}));
    assert_eq!(confirmed["id"], made["id"]);
    assert_eq!((&confirmed["amount"], &confirmed["status"]), (&json!(1999), &json!("succeeded")));
    let read = body(&mut world, "stripe.payment_intents.get", &json!({"id": made["id"]}));
    assert_eq!((&read["amount"], &read["status"]), (&json!(1999), &json!("succeeded")));
}

#[test]
fn an_id_that_nobody_has_made_is_not_found_or_supposed_as_the_world_is_told() {
    let unknown = json!({"id": "cus_nobody"});
    let mut strict = World::new(0, Unknown::NotFound);
    assert_eq!(status(&mut strict, "stripe.customers.get", &unknown), 404);
    let mut kind = World::new(0, Unknown::Supposed);
    let first = body(&mut kind, "stripe.customers.get", &unknown);
    assert_eq!(first["id"], "cus_nobody");
    assert_eq!(body(&mut kind, "stripe.customers.get", &unknown), first, "it stays what it was");
}

#[test]
fn the_same_key_gets_the_same_answer_and_another_payload_under_it_is_refused() {
    let mut world = World::new(0, Unknown::NotFound);
    let input = json!({"email": "ana@example.com"});
    let mut make =
        |input: &Value, key| ask(&mut world, "stripe.customers.create", input, Some(key));
    let first = make(&input, "k1").unwrap();
    assert_eq!(make(&input, "k1").unwrap(), first);
    let reused = make(&json!({"email": "ben@example.com"}), "k1").unwrap();
    assert_eq!(reused.status, 400);
    assert_eq!(reused.json().unwrap()["error"]["type"], "idempotency_error");
    assert_ne!(make(&input, "k2").unwrap().body, first.body);
    let listed = body(&mut world, "stripe.customers.list", &json!({}));
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "a replay makes nothing");
}

#[test]
fn messages_stand_in_their_own_channel() {
    let mut world = World::new(0, Unknown::NotFound);
    let said = json!({"channel": "C0SALES", "text": "hello"});
    let made = body(&mut world, "slack.chat.postMessage", &said);
    let history = body(&mut world, "slack.conversations.history", &json!({"channel": "C0SALES"}));
    assert_eq!(history["messages"][0]["ts"], made["ts"]);
    assert_eq!(history["messages"][0]["text"], "hello");
    let other = body(&mut world, "slack.conversations.history", &json!({"channel": "C0OTHER"}));
    assert_eq!(other["messages"], json!([]));
}

#[test]
fn two_worlds_that_are_asked_the_same_give_the_same_bytes() {
    let story = || {
        let mut world = World::new(7, Unknown::Supposed);
        let made = body(&mut world, "stripe.customers.create", &json!({"name": "Ana"}));
        let read = body(&mut world, "stripe.customers.get", &json!({"id": made["id"]}));
        let list = body(&mut world, "stripe.customers.list", &json!({}));
        format!("{made}{read}{list}")
    };
    assert_eq!(story(), story());
}

#[test]
fn the_nth_call_goes_as_a_rule_says_and_the_others_go_well() {
    let rule = |call, turn| Rule {
        operation: Some("stripe.customers.create".to_owned()),
        call: Some(call),
        turn,
    };
    let mut world = World::new(0, Unknown::NotFound);
    world.add_rule(rule(1, Turn::Error("rate_limited".to_owned())));
    world.add_rule(rule(2, Turn::ApplyThenTimeout));
    world.add_rule(rule(3, Turn::Malformed));
    world.add_rule(rule(4, Turn::Latency(Duration::from_secs(31))));
    world.add_rule(rule(5, Turn::Latency(Duration::from_secs(3))));
    let mut make = || ask(&mut world, "stripe.customers.create", &json!({"name": "Ana"}), None);
    assert_eq!(make().unwrap().status, 429);
    assert_eq!(make().unwrap_err().cause, Cause::Timeout);
    assert_eq!(make().unwrap().json(), None);
    assert_eq!(make().unwrap_err().cause, Cause::Timeout);
    let slow: Response = make().unwrap();
    assert!(slow.notes[0].contains("3s"), "{:?}", slow.notes);
    assert_eq!(make().unwrap().notes, Vec::<String>::new());
    let listed = body(&mut world, "stripe.customers.list", &json!({}));
    assert_eq!(listed["data"].as_array().unwrap().len(), 5, "all but the first were made");
}
