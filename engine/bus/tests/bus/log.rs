//! The outbox on a real log: what stands in the log stands in the stream, in the public form.

use futures_util::StreamExt;
use placet_bus::subjects::{HEADER_MESSAGE_ID, HEADER_POSITION};
use placet_bus::{Bus, EventSource, Options};
use placet_log::{Append, Expected, Log, NewEvent, OpenOptions};
use placet_model::event::governance::{OutboundPaused, OutboundResumed};
use placet_model::{Actor, EventId, Revision, StreamId, Timestamp};
use placet_test_support::nats::NatsServer;
use serde_json::Value;

use crate::kit::{in_order_once, jetstream, positions, published, token};

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
