//! What ends by itself at a provider is asked for anew before that, by the virtual clock: Gmail's watch of a
//! mailbox, which ends after a week and is to be renewed every day.

use crate::notices::{config, queued, sent, tell, until};
use crate::world::{Recorder, World, name, open_log, people, start_with};
use placet_adapters::{Call, Performing, Response, Transport};
use placet_executor::connections::{LAPSED, Warning, Wish};
use placet_executor::govern::Connect;
use placet_executor::{Clock, Handle};
use placet_model::event::hook::{OwnCallOutcome, OwnCallPurpose, SubscriptionStep};
use placet_model::event::notice::NoticeAbout;
use placet_model::integration::{Identity, IntegrationStatus};
use placet_model::project::Channel;
use placet_model::{Event, Revision, StreamId};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, OnceLock};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A mailbox that remembers when it was asked to be watched.
#[derive(Debug, Default)]
struct Mailbox {
    /// Milliseconds of the clock.
    watched: Mutex<Vec<i64>>,
    stopped: Mutex<usize>,
    is_down: Mutex<bool>,
    /// Of the engine that asks: what it has recorded when a call leaves.
    asked_by: OnceLock<Handle>,
    /// Calls that the log knew of, by purpose.
    on_record: Mutex<Vec<OwnCallPurpose>>,
}

impl Mailbox {
    fn answer(&self, call: &Call) -> (u16, Value) {
        let now = call.occurrence.now.as_millis();
        match call.operation.name() {
            "gmail.watch.start" if *self.is_down.lock().unwrap() => (503, json!({})),
            "gmail.watch.start" => {
                self.watched.lock().unwrap().push(now);
                (200, json!({"historyId": "1000", "expiration": (now + 7 * DAY_MS).to_string()}))
            }
            "gmail.watch.stop" => {
                *self.stopped.lock().unwrap() += 1;
                (204, Value::Null)
            }
            _ => (200, json!({"emailAddress": "ops@example.com", "historyId": "1000"})),
        }
    }

    /// What leaves stands in the log by its digest, and has no end yet.
    fn is_recorded(&self, call: &Call) {
        let (Some(handle), Some(integration)) = (self.asked_by.get(), &call.integration) else {
            return;
        };
        if !call.operation.name().starts_with("gmail.watch.") {
            return;
        }
        let view = handle.view().unwrap();
        let stream = StreamId::Integration(integration.id);
        let last = view.stream(&stream, Revision::START).map(|event| event.unwrap().event).last();
        let Some(Event::OwnCallStarted(body)) = last else { panic!("{last:?}") };
        assert_eq!(body.request_digest, call.request.digest());
        assert_eq!(body.operation, call.operation.name());
        self.on_record.lock().unwrap().push(body.purpose);
    }

    fn days(&self) -> Vec<i64> {
        let watched = self.watched.lock().unwrap();
        watched.iter().map(|at| (at - watched[0]) / DAY_MS).collect()
    }
}

impl Transport for Mailbox {
    fn perform(&self, call: Call) -> Performing<'_> {
        self.is_recorded(&call);
        let (status, body) = self.answer(&call);
        let body = if body.is_null() { vec![] } else { body.to_string().into_bytes() };
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Box::pin(async move { Ok(Response::new(status, headers, body)) })
    }
}

/// An engine with a mailbox that is watched.
async fn watched() -> (World, Arc<Mailbox>) {
    let mailbox = Arc::new(Mailbox::default());
    let to_operator = Channel {
        to: vec![name("author")],
        operation: "slack.chat.postMessage".to_owned(),
        integration: Some("slack".to_owned()),
        with: json!({"channel": "D0OPS", "text": "{text}"}),
        about: vec![NoticeAbout::Connection],
    };
    let config = config(&[("ops", to_operator)]);
    let place = (open_log(None), Clock::virtual_start());
    let live = Arc::clone(&mailbox) as Arc<dyn Transport>;
    let mut world =
        start_with(config, place, live, Arc::new(Recorder::default())).await.expect("it starts");
    mailbox.asked_by.set(world.handle.clone()).expect("there is one engine");
    world.handle.apply_policy(&name("author"), people()).await.expect("the first policy");
    world.connect("slack").await;
    let gmail = Connect {
        name: "gmail".into(),
        provider: "gmail".into(),
        settings: json!({"push_topic": "projects/acme/topics/gmail"}),
        identity: Identity { id: "ops@example.com".into(), tenant: "ops@example.com".into() },
        label: "Ops".into(),
        is_default: true,
        credential: Some((1, vec!["access_token".to_owned()])),
        scopes: None,
    };
    let id = world.handle.integration_id("gmail");
    world.handle.connect(&name("author"), id, gmail).await.expect("it connects");
    world.engine.watch_connections();
    let wish = Wish { base: "https://placet.example".into(), resource: String::new() };
    let made = world.handle.subscribe(&name("author"), "gmail", wish).await.expect("it is made");
    assert_eq!(made.step, SubscriptionStep::Made);
    (world, mailbox)
}

/// So many hours later, and what is due by then.
async fn later(world: &World, hours: i64) {
    let to = world.handle.now().plus_millis(hours * DAY_MS / 24);
    world.clock.advance_to(to);
    world.engine.check_due_connections().await.expect("it is looked after");
}

/// What came of each call of the engine's own: purpose, outcome, status.
fn own_calls(world: &World) -> Vec<(OwnCallPurpose, OwnCallOutcome, Option<u16>)> {
    let gmail = world.handle.named("gmail").expect("it is there");
    let view = world.handle.view().unwrap();
    let (mut begun, mut ended) = (vec![], vec![]);
    for event in view.stream(&StreamId::Integration(gmail.id), Revision::START) {
        let event = event.unwrap();
        match event.event {
            Event::OwnCallStarted(body) => begun.push((event.event_id, body.purpose)),
            Event::OwnCallEnded(body) => {
                let (id, purpose) = *begun.last().expect("it began");
                assert_eq!(body.call, id, "one after the other");
                ended.push((purpose, body.outcome, body.status));
            }
            _ => {}
        }
    }
    assert_eq!(begun.len(), ended.len(), "each has an end");
    ended
}

#[tokio::test]
async fn each_call_of_our_own_is_on_record_by_its_digest_before_it_leaves_and_so_is_its_outcome() {
    let (world, mailbox) = watched().await;
    later(&world, 24).await;
    *mailbox.is_down.lock().unwrap() = true;
    later(&world, 24).await;
    world.handle.unsubscribe(&name("author"), "gmail").await.expect("it is taken away");
    let calls = own_calls(&world);
    let purposes: Vec<OwnCallPurpose> = calls.iter().map(|(purpose, ..)| *purpose).collect();
    assert_eq!(*mailbox.on_record.lock().unwrap(), purposes, "nothing left that was not recorded");
    let [first, second, failed @ .., last] = &calls[..] else { panic!("{calls:?}") };
    let done = |purpose, status| (purpose, OwnCallOutcome::Done, Some(status));
    assert_eq!(*first, done(OwnCallPurpose::Subscribe, 200));
    assert_eq!(*second, done(OwnCallPurpose::Renew, 200));
    assert!(!failed.is_empty());
    for (purpose, outcome, status) in failed {
        assert_eq!((*purpose, *status), (OwnCallPurpose::Renew, Some(503)));
        assert_ne!(*outcome, OwnCallOutcome::Done);
    }
    assert_eq!(*last, done(OwnCallPurpose::Unsubscribe, 204));
}

fn step(world: &World) -> (SubscriptionStep, Option<i64>) {
    let all = world.handle.subscriptions("gmail").expect("it can be read");
    let end = all[0].expires_at.map(placet_model::Timestamp::as_millis);
    (all[0].step, end)
}

#[tokio::test]
async fn a_watch_of_a_week_is_asked_for_anew_each_day_and_no_more_often() {
    let (world, mailbox) = watched().await;
    // when ten days pass, looked at every six hours
    for _ in 0..40 {
        later(&world, 6).await;
    }
    assert_eq!(mailbox.days(), (0..=10).collect::<Vec<_>>());
    let last = *mailbox.watched.lock().unwrap().last().unwrap();
    assert_eq!(step(&world), (SubscriptionStep::Made, Some(last + 7 * DAY_MS)));
    // and nothing more once it is taken away
    world.handle.unsubscribe(&name("author"), "gmail").await.expect("it is taken away");
    later(&world, 48).await;
    assert_eq!((mailbox.days().len(), *mailbox.stopped.lock().unwrap()), (11, 1));
    assert_eq!(step(&world).0, SubscriptionStep::Removed);
}

#[tokio::test]
async fn a_provider_that_is_not_heard_is_asked_again_and_the_watch_stands_until_its_own_end() {
    let (world, mailbox) = watched().await;
    let (_, end) = step(&world);
    *mailbox.is_down.lock().unwrap() = true;
    for _ in 0..6 {
        later(&world, 24).await;
        assert_eq!(step(&world), (SubscriptionStep::Made, end), "it goes on until its end");
    }
    // heard again before the end, it is as if nothing had been
    *mailbox.is_down.lock().unwrap() = false;
    later(&world, 12).await;
    assert_eq!(mailbox.days(), [0, 6]);
    assert!(step(&world).1 > end);
    // not heard past the end, it is said that nothing stands there
    *mailbox.is_down.lock().unwrap() = true;
    later(&world, 8 * 24).await;
    assert_eq!(step(&world).0, SubscriptionStep::Refused);
}

fn warnings(world: &World) -> Vec<Warning> {
    let gmail = world.handle.named("gmail").expect("it is there");
    world.handle.warnings(&gmail).expect("it can be read")
}

#[tokio::test]
async fn a_watch_that_has_ended_is_a_warning_of_the_connection_and_is_told_to_operators_once() {
    let (mut world, mailbox) = watched().await;
    tell(&mut world).expect("the channel is good");
    let (_, end) = step(&world);
    *mailbox.is_down.lock().unwrap() = true;
    later(&world, 6 * 24).await;
    assert_eq!(warnings(&world), [], "it stands until its own end");
    // when its end has passed, it is said, and what is sent is not held for it
    for _ in 0..3 {
        later(&world, 24).await;
    }
    let [warning] = &warnings(&world)[..] else { panic!("one subscription has ended") };
    assert_eq!((warning.code, Some(warning.since.as_millis())), (LAPSED, end));
    assert!(warning.reason.is_some(), "in the provider's word");
    let gmail = world.handle.named("gmail").expect("it is there");
    assert_eq!(gmail.status, IntegrationStatus::Active);
    let told = until(&world, |events| sent(events) == 1).await;
    assert_eq!(queued(&told)[0].about, [(NoticeAbout::Connection, 1)]);
    // asked for again by an operator, it is well, which is told as well
    *mailbox.is_down.lock().unwrap() = false;
    let wish = Wish { base: "https://placet.example".into(), resource: String::new() };
    world.handle.subscribe(&name("author"), "gmail", wish).await.expect("it is made");
    assert_eq!(warnings(&world), []);
    let told = until(&world, |events| sent(events) == 2).await;
    assert_eq!(queued(&told).len(), 2, "one for each change");
}

#[tokio::test]
async fn a_watch_that_ended_while_nobody_could_be_asked_is_a_warning_too() {
    let (world, _mailbox) = watched().await;
    let author = name("author");
    world.handle.set_integration(&author, "gmail", IntegrationStatus::Disabled).await.unwrap();
    later(&world, 8 * 24).await;
    assert_eq!(step(&world).0, SubscriptionStep::Made, "nobody was asked");
    assert_eq!(warnings(&world).len(), 1);
    world.handle.unsubscribe(&author, "gmail").await.expect("it is taken away");
    assert_eq!(warnings(&world), []);
}
