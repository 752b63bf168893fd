//! The outbox on a real log: what stands in the log stands in the stream, in the public form.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use placet_bus::subjects::{HEADER_EPOCH, HEADER_MESSAGE_ID, HEADER_POSITION};
use placet_bus::{Bus, EventSource, Options, Status};
use placet_log::{Append, Expected, Log, NewEvent, OpenOptions};
use placet_model::event::governance::{EpochStarted, OutboundPaused, OutboundResumed};
use placet_model::{Actor, EventId, Revision, StreamId, Timestamp};
use placet_test_support::nats::NatsServer;
use serde_json::Value;

use crate::kit::{in_order_once, jetstream, positions, published, status, token};

fn append(log: &Log, number: u8) {
    let event = if number.is_multiple_of(2) {
        NewEvent::new(
            EventId::from_bytes([number; 16]),
            Actor::Engine,
            OutboundResumed { integration: None },
        )
    } else {
        NewEvent::new(
            EventId::from_bytes([number; 16]),
            Actor::Engine,
            OutboundPaused { integration: None },
        )
    };
    let expected = Expected::Exact(Revision::new(u64::from(number) - 1));
    let at = Timestamp::from_millis(1_700_000_000_000 + i64::from(number));
    log.append_blocking(at, Append::new(StreamId::Project, expected, vec![event]))
        .expect("an append");
}

#[tokio::test]
async fn the_log_and_the_stream_hold_the_same() {
    let Some(server) = NatsServer::start_or_skip("the_log_and_the_stream_hold_the_same") else {
        return;
    };
    let log = Log::open(OpenOptions::in_memory("acme")).unwrap();
    (1..=3).for_each(|number| append(&log, number));
    let options = Options { url: server.url(), seed: None, project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, EventSource::of(&log), None);
    published(&bus, 3).await;
    (4..=40).for_each(|number| append(&log, number));
    published(&bus, 40).await;
    bus.stop().await;
    assert_eq!(positions(&server).await, in_order_once(40));

    let stream = jetstream(&server).await.get_stream("PLACET_EV_acme").await.unwrap();
    let second = stream.get_raw_message(2).await.unwrap();
    let header = |name: &str| second.headers.get(name).unwrap().as_str().to_owned();
    assert_eq!(second.subject.as_str(), "placet.v1.ev.acme.OutboundResumed");
    assert_eq!(header(HEADER_POSITION), "2");
    assert_eq!(header(HEADER_MESSAGE_ID), format!("{}:2", log.install_id()));
    let body: Value = serde_json::from_slice(&second.payload).unwrap();
    assert_eq!(body["recorded_at"], "2023-11-14T22:13:20.002Z");
    assert_eq!(body["stream"], "project");
}

#[tokio::test]
async fn a_reader_may_take_one_kind_of_event() {
    let Some(server) = NatsServer::start_or_skip("a_reader_may_take_one_kind_of_event") else {
        return;
    };
    let log = Log::open(OpenOptions::in_memory("acme")).unwrap();
    (1..=6).for_each(|number| append(&log, number));
    let options = Options { url: server.url(), seed: None, project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, EventSource::of(&log), None);
    published(&bus, 6).await;
    let stream = jetstream(&server).await.get_stream("PLACET_EV_acme").await.unwrap();
    let only = async_nats::jetstream::consumer::pull::OrderedConfig {
        filter_subject: "placet.v1.ev.acme.OutboundPaused".to_owned(),
        ..Default::default()
    };
    let paused = stream.create_consumer(only).await.unwrap().messages().await.unwrap().take(3);
    let kinds: Vec<Value> = paused
        .map(|message| {
            serde_json::from_slice::<Value>(&message.unwrap().payload).unwrap()["position"].take()
        })
        .collect()
        .await;
    assert_eq!(kinds, [1, 3, 5]);
}

/// A log in a file of its own, so that it can be copied.
fn open(dir: &std::path::Path) -> Log {
    let key = placet_log::ProjectKey::from_bytes([7; 32]);
    let options = OpenOptions::new(dir, "acme").keys(placet_log::KeyPlace::Given(key));
    Log::open(options).expect("the log opens")
}

fn copied(from: &std::path::Path) -> tempfile::TempDir {
    let to = tempfile::tempdir().expect("a directory");
    for file in ["log.redb", "keys.redb"] {
        std::fs::copy(from.join(file), to.path().join(file)).expect("a copy");
    }
    to
}

/// Begins an epoch, as a restore does.
fn begin_epoch(log: &Log, epoch: u64) {
    let head = *log.read().expect("it can be read").head();
    let (size, root) = (head.size, head.root);
    let begun = EpochStarted { epoch, size, root, lost_to: None };
    let id = EventId::from_bytes([u8::try_from(100 + epoch).expect("few"); 16]);
    let event = NewEvent::new(id, Actor::Engine, begun);
    let append = Append::new(StreamId::Project, Expected::Any, vec![event]);
    log.append_blocking(head.recorded_at, append).expect("an append");
}

async fn publish_all(server: &NatsServer, log: &Log) {
    let options = Options { url: server.url(), seed: None, project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, EventSource::of(log), None);
    published(&bus, log.head().get()).await;
    bus.stop().await;
}

/// Position, epoch and message id of every message, in order.
async fn told(server: &NatsServer) -> Vec<(String, Option<String>, String)> {
    let stream = jetstream(server).await.get_stream("PLACET_EV_acme").await;
    let stream = stream.expect("the stream is there");
    let mut told = vec![];
    for sequence in 1..=stream.cached_info().state.messages {
        let message = stream.get_raw_message(sequence).await.expect("a message");
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned());
        let id = header(HEADER_MESSAGE_ID).expect("an id");
        let position = header(HEADER_POSITION).expect("a position");
        told.push((position, header(HEADER_EPOCH), id));
    }
    told
}

#[tokio::test]
async fn a_restored_log_loses_no_event_and_none_is_taken_for_one_of_the_lost_life() {
    let name = "a_restored_log_loses_no_event_and_none_is_taken_for_one_of_the_lost_life";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path());
    (1..=3).for_each(|number| append(&log, number));
    drop(log);
    let (early, late) = (copied(dir.path()), copied(dir.path()));
    // the life that is lost publishes two more
    let log = open(dir.path());
    (4..=5).for_each(|number| append(&log, number));
    publish_all(&server, &log).await;
    // given the log that was restored from before, when it goes on
    let restored = open(early.path());
    begin_epoch(&restored, 2);
    append(&restored, 5);
    publish_all(&server, &restored).await;
    let all = told(&server).await;
    let places: Vec<_> = all.iter().map(|(at, epoch, _)| (at.as_str(), epoch.as_deref())).collect();
    let lost = [("4", None), ("5", None)];
    let fresh = [("4", Some("2")), ("5", Some("2"))];
    assert_eq!(places[..3], [("1", None), ("2", None), ("3", None)]);
    assert_eq!((&places[3..5], &places[5..]), (&lost[..], &fresh[..]));
    let ids: BTreeSet<_> = all.iter().map(|(_, _, id)| id).collect();
    assert_eq!(ids.len(), all.len(), "no id stands twice: the server drops nothing");
    // a second restore from the same copy, whose epoch has a higher number, finds its place as well
    let again = open(late.path());
    begin_epoch(&again, 3);
    publish_all(&server, &again).await;
    let (at, epoch, _) = told(&server).await.pop().unwrap();
    assert_eq!((at.as_str(), epoch.as_deref()), ("4", Some("3")));
    // and the one that it has replaced is refused
    append(&restored, 6);
    let options = Options { url: server.url(), seed: None, project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, EventSource::of(&restored), None);
    let refused = status(&bus, |status| matches!(status, Status::Refused(_))).await;
    assert!(format!("{refused:?}").contains("epoch 3"), "{refused:?}");
}
