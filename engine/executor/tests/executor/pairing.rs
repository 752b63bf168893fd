//! A code that pairs a connection counts for ten minutes, by whichever clock says so first, and once,
//! however many bring it at the same moment.

use crate::world::{World, name, start};
use placet_adapters::SecretText;
use placet_adapters::inbound::{Claim, Event};
use placet_executor::arrivals::{Arrival, Landed};
use placet_model::event::hook::PairingStep;
use placet_model::{Digest, IntegrationId, Position};
use placet_vault::{Kek, KekSource, Vault, VaultOptions};
use serde_json::{Value, json};
use std::sync::Arc;

const MINUTE: i64 = 60_000;

/// With a bot that is believed.
async fn bot(dir: &tempfile::TempDir) -> (World, IntegrationId) {
    let world = start().await;
    world.connect("telegram").await;
    let id = world.handle.named("telegram").expect("it is there").id;
    let options = VaultOptions {
        file: dir.path().join("vault.redb"),
        key: KekSource::Given(Kek::from_bytes([7; 32])),
        project: "test".into(),
    };
    let vault = Arc::new(Vault::open(options).expect("it opens"));
    let fields = [
        ("bot_token".to_owned(), SecretText::new("7:abc")),
        ("webhook_secret".to_owned(), SecretText::new("s")),
    ];
    vault.store(id, 1, &fields.into()).expect("it is sealed");
    world.handle.keep_credentials(&vault).expect("it is kept");
    let again = placet_executor::govern::Connect {
        credential: Some((1, vec!["bot_token".to_owned(), "webhook_secret".to_owned()])),
        ..connect(&world)
    };
    world.handle.connect(&name("author"), id, again).await.expect("it connects");
    (world, id)
}

fn connect(world: &World) -> placet_executor::govern::Connect {
    let known = world.handle.named("telegram").expect("it is there");
    placet_executor::govern::Connect {
        name: known.name,
        provider: known.provider,
        settings: known.settings,
        identity: known.identity,
        label: known.label,
        is_default: true,
        credential: None,
        scopes: None,
    }
}

async fn offer(world: &World) -> String {
    let offer = world.handle.offer_pairing(&name("author"), "telegram").await.expect("it is made");
    offer.say.strip_prefix("/start ").expect("it is said like this").to_owned()
}

/// A message from this chat that brings the code back.
fn brings(integration: IntegrationId, chat: i64, code: &str) -> Arrival {
    Arrival {
        integration,
        credential_version: 1,
        event: Event {
            key: "telegram.message".into(),
            event_key: "communication.message.received".into(),
            dedupe: chat.to_string(),
            match_on: vec![],
            correlate: [].into(),
            data: json!({"event_id": chat, "channel": chat}),
            stored: json!({}),
            refetch: None,
            told: None,
            claim: Some(Claim { code: Digest::of(code.as_bytes()), to: json!(chat) }),
        },
    }
}

fn told_to(world: &World) -> Value {
    world.handle.named("telegram").expect("it is there").settings["notify_to"].clone()
}

fn paired(world: &World) -> usize {
    let view = world.handle.view().expect("it can be read");
    let events = view.events(Position::START).map(|event| event.expect("it can be read").event);
    let is_paired = |event: &placet_model::Event| matches!(event, placet_model::Event::PairingChanged(body) if body.step == PairingStep::Paired);
    events.filter(is_paired).count()
}

#[tokio::test]
async fn a_code_counts_for_ten_minutes_by_whichever_clock_says_so_first() {
    let dir = tempfile::tempdir().expect("a folder");
    let (world, id) = bot(&dir).await;
    let late = offer(&world).await;
    world.clock.advance_to(world.handle.now().plus_millis(10 * MINUTE));
    world.handle.arrival(brings(id, 1, &late)).await.expect("a message like any other");
    assert_eq!((told_to(&world), paired(&world)), (Value::Null, 0));
    assert_eq!(world.handle.pairing(id).unwrap().unwrap().state, "expired");

    // a wall clock that is set back does not give it more time
    let turned_back = offer(&world).await;
    world.clock.set_by(-60 * MINUTE);
    world.clock.advance_to(world.clock.now().plus_millis(10 * MINUTE));
    world.handle.arrival(brings(id, 2, &turned_back)).await.expect("a message like any other");
    assert_eq!((told_to(&world), paired(&world)), (Value::Null, 0));
    world.clock.set_by(60 * MINUTE);

    // one that is in time counts
    let good = offer(&world).await;
    world.clock.advance_to(world.handle.now().plus_millis(10 * MINUTE - 1));
    world.handle.arrival(brings(id, 3, &good)).await.expect("it is taken");
    assert_eq!((told_to(&world), paired(&world)), (json!(3), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_bring_a_code_at_once_one_is_bound_and_the_rest_change_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (world, id) = bot(&dir).await;
    let code = offer(&world).await;
    let all = (1..=16).map(|chat| {
        let (handle, arrival) = (world.handle.clone(), brings(id, chat, &code));
        tokio::spawn(async move { (chat, handle.arrival(arrival).await.expect("it is answered")) })
    });
    let mut bound = vec![];
    for one in all.collect::<Vec<_>>() {
        let (chat, landed) = one.await.expect("it ends");
        bound.extend(matches!(landed, Landed::Stored(_)).then_some(chat));
    }
    assert_eq!((bound.len(), paired(&world)), (1, 1));
    assert_eq!(told_to(&world), json!(bound[0]));
}

#[tokio::test]
async fn pairing_makes_no_connection_good_that_its_provider_has_refused() {
    use placet_model::integration::IntegrationStatus;
    let dir = tempfile::tempdir().expect("a folder");
    let (world, id) = bot(&dir).await;
    let code = offer(&world).await;
    world
        .recorder
        .answer(401, &json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    let tested =
        world.handle.test_integration(&name("author"), "telegram").await.expect("it is asked");
    assert!(!tested.ok);
    world.handle.arrival(brings(id, 5, &code)).await.expect("it is taken");
    let now = world.handle.named("telegram").expect("it is there");
    assert_eq!((told_to(&world), now.status), (json!(5), IntegrationStatus::Failed));
    assert_eq!(now.reason, tested.reason);
}
