//! The nightly check of connections, by the virtual clock: what it finds is recorded each time, holds or frees what
//! goes through, and is told once per change.

use crate::notices::{config, queued, sent, tell, until};
use crate::world::{Recorder, World, name, open_log, people, start_with};
use placet_adapters::{Cause, Failed};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Notice};
use placet_model::event::notice::NoticeAbout;
use placet_model::integration::{Identity, IntegrationStatus};
use placet_model::project::Channel;
use placet_model::{Event, IntegrationId, Revision, StreamId, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An engine that tells its operator over the default connection, and checks `sales`, which has a credential.
async fn watched() -> (World, IntegrationId) {
    let to_operator = Channel {
        to: vec![name("author")],
        operation: "slack.chat.postMessage".to_owned(),
        integration: Some("slack".to_owned()),
        with: json!({"channel": "D0OPS", "text": "{text}"}),
        about: vec![NoticeAbout::Connection],
    };
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder);
    let place = (open_log(None), Clock::virtual_start());
    let mut world = start_with(config(&[("ops", to_operator)]), place, live, recorder)
        .await
        .expect("it starts");
    world.handle.apply_policy(&name("author"), people()).await.expect("the first policy");
    world.connect("slack").await;
    let sales = Connect {
        name: "sales".into(),
        provider: "slack".into(),
        settings: Value::Null,
        identity: Identity { id: "B1".into(), tenant: "T1".into() },
        label: "Sales".into(),
        is_default: false,
        credential: Some((1, vec!["access_token".to_owned()])),
        scopes: None,
    };
    let id = world.handle.integration_id("sales");
    world.handle.connect(&name("author"), id, sales).await.expect("it connects");
    tell(&mut world).expect("the channel is good");
    world.engine.watch_connections();
    (world, id)
}

fn good() -> Value {
    json!({"ok": true, "team": "T", "team_id": "T1", "user": "placet", "user_id": "U1", "bot_id": "B1"})
}

/// Another day, and the checks that are due by then.
async fn night(world: &World, days: i64) {
    let to = world.handle.now().plus_millis(days * DAY_MS);
    world.clock.advance_to(to);
    world.engine.check_due_connections().await.expect("they are made");
}

/// The connection's own story since it was connected: types, and when.
fn story(world: &World, id: IntegrationId) -> Vec<(&'static str, Timestamp)> {
    let view = world.handle.view().expect("it can be read");
    let stream = StreamId::Integration(id);
    let events = view.stream(&stream, Revision::START);
    let events = events.map(|event| event.expect("it can be read"));
    events.skip(2).map(|event| (event.event.type_name(), event.recorded_at)).collect()
}

fn kinds(world: &World, id: IntegrationId) -> Vec<&'static str> {
    story(world, id).into_iter().map(|(kind, _)| kind).collect()
}

fn status(world: &World, id: IntegrationId) -> IntegrationStatus {
    world.handle.world().integrations[&id].status
}

#[tokio::test]
async fn a_nightly_check_holds_what_is_refused_and_tells_operators_once_until_it_is_good_again() {
    let (world, id) = watched().await;
    let mut hints = world.handle.notices();
    // given nothing is due before its hour
    world.engine.check_due_connections().await.expect("nothing is due");
    assert_eq!(kinds(&world, id), Vec::<&str>::new());

    // when the provider refuses the credential, two nights long
    for _ in 0..2 {
        world.recorder.answer(200, &json!({"ok": false, "error": "token_revoked"}));
        night(&world, 1).await;
        assert_eq!(status(&world, id), IntegrationStatus::Failed);
    }
    // then each check is on record, and the operator was told of one change
    let refused = ["CredentialUsed", "HealthCheckFailed"];
    assert_eq!(kinds(&world, id), [refused, refused].concat());
    let told = until(&world, |events| sent(events) == 1).await;
    assert_eq!(queued(&told)[0].about, [(NoticeAbout::Connection, 1)]);

    // when the provider is silent, nothing is known, and it is asked again an hour later
    world.recorder.fail(Failed::before(Cause::Connect, "no route"));
    night(&world, 1).await;
    assert_eq!(status(&world, id), IntegrationStatus::Failed);
    world.recorder.answer(200, &good());
    world.clock.advance_to(world.handle.now().plus_millis(60 * 60 * 1000));
    world.engine.check_due_connections().await.expect("it is made");
    // then it is good again, which is told once as well
    assert_eq!(status(&world, id), IntegrationStatus::Active);
    let mut whole = [refused, refused].concat();
    whole.extend(["CredentialUsed", "CredentialUsed", "IntegrationTested"]);
    assert_eq!(kinds(&world, id), whole);
    let told = until(&world, |events| sent(events) == 2).await;
    assert_eq!(queued(&told).len(), 2, "one for each change");

    // and a further night that finds nothing new tells nobody anything
    world.recorder.answer(200, &good());
    night(&world, 1).await;
    let mut changes = 0;
    while let Ok(hint) = hints.try_recv() {
        changes += usize::from(hint == Notice::Integration { integration: id });
    }
    assert_eq!(changes, 2, "failed, and good again");
}

#[tokio::test]
async fn a_night_that_was_slept_through_is_made_up_for_once() {
    let (world, id) = watched().await;
    world.recorder.answer(200, &good());
    night(&world, 5).await;
    assert_eq!(kinds(&world, id), ["CredentialUsed", "IntegrationTested"]);
    // the next one is due in the hour of the next night, not before
    let asked_at = story(&world, id)[1].1;
    world.engine.check_due_connections().await.expect("nothing is due");
    assert_eq!(kinds(&world, id).len(), 2);
    world.recorder.answer(200, &good());
    night(&world, 1).await;
    let next = story(&world, id)[2].1;
    assert!(next.millis_since(asked_at) >= DAY_MS, "{asked_at} {next}");
    assert!(matches!(story(&world, id)[..], [_, _, _, ("IntegrationTested", _)]));
    let seen = world.handle.log().read().expect("it can be read");
    let failures = seen.events(placet_model::Position::START.next());
    let failed = |event: &Event| matches!(event, Event::HealthCheckFailed(_));
    assert!(!failures.map(|event| event.expect("an event").event).any(|event| failed(&event)));
}
