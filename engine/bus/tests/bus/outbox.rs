//! In order and exactly once, whatever is killed.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use placet_bus::Status;
use placet_bus::subjects::{HEADER_MESSAGE_ID, HEADER_POSITION};
use placet_test_support::nats::NatsServer;
use placet_test_support::partition::Way;

use crate::kit::{Log, in_order_once, jetstream, positions, published, start, start_at, status};

#[tokio::test]
async fn events_reach_the_stream_in_order_once() {
    let Some(server) = NatsServer::start_or_skip("events_reach_the_stream_in_order_once") else {
        return;
    };
    let log = Log::named("log_a");
    log.append(1);
    let bus = start(&server, &log);
    published(&bus, 1).await;
    log.append(650);
    log.append(1);
    published(&bus, 652).await;
    bus.stop().await;
    assert_eq!(positions(&server).await, in_order_once(652));
}

#[tokio::test]
async fn the_cursor_is_read_from_the_stream() {
    let Some(server) = NatsServer::start_or_skip("the_cursor_is_read_from_the_stream") else {
        return;
    };
    let log = Log::named("log_a");
    log.append(5);
    for upto in [5, 12, 40] {
        let bus = start(&server, &log);
        published(&bus, upto).await;
        bus.stop().await;
        log.append([7, 28, 1][[5, 12, 40].iter().position(|n| *n == upto).unwrap()]);
    }
    assert_eq!(positions(&server).await, in_order_once(40));
}

#[tokio::test]
async fn a_stop_waits_for_what_is_in_the_log() {
    let Some(server) = NatsServer::start_or_skip("a_stop_waits_for_what_is_in_the_log") else {
        return;
    };
    let log = Log::named("log_a");
    let bus = start(&server, &log);
    status(&bus, |status| matches!(status, Status::Ready { .. })).await;
    log.append(450);
    bus.stop().await;
    assert_eq!(positions(&server).await, in_order_once(450));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_again_and_again_loses_and_repeats_nothing() {
    let name = "a_server_killed_again_and_again_loses_and_repeats_nothing";
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    let log = Log::named("log_a");
    let bus = start(&server, &log);
    let began = Instant::now();
    let (mut total, mut kills) = (0, 0);
    // each round is cut at another place: before, in the middle of, and after a few batches
    for round in 0..12 {
        log.append(1_500);
        total += 1_500;
        published(&bus, total - 1_500 + round * 120).await;
        server.kill_9();
        kills += 1;
        log.append(10);
        total += 10;
        server.restart();
        published(&bus, total).await;
    }
    println!("{total} events, {kills} kills, {} ms", began.elapsed().as_millis());
    assert_eq!(positions(&server).await, in_order_once(total));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_killed_and_doubled_lose_and_repeat_nothing() {
    let name = "publishers_killed_and_doubled_lose_and_repeat_nothing";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let log = Log::named("log_a");
    let mut total = 0;
    for round in 0..20 {
        log.append(700);
        total += 700;
        // two at once, and dropped in mid-flight: the fence lets one batch through, whoever sends it
        let (one, other) = (start(&server, &log), start(&server, &log));
        published(&one, total - 700 + round * 35).await;
        drop((one, other));
    }
    let last = start(&server, &log);
    published(&last, total).await;
    assert_eq!(positions(&server).await, in_order_once(total));
}

#[tokio::test]
async fn an_engine_that_starts_before_its_server_catches_up() {
    let name = "an_engine_that_starts_before_its_server_catches_up";
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    server.kill_9();
    let log = Log::named("log_a");
    log.append(300);
    let bus = start_at(&server.url(), &log);
    status(&bus, |status| matches!(status, Status::Connecting { attempts: 1.., .. })).await;
    server.restart();
    published(&bus, 300).await;
    assert_eq!(positions(&server).await, in_order_once(300));
}

#[tokio::test]
async fn an_event_that_is_too_large_does_not_stop_the_others() {
    let name = "an_event_that_is_too_large_does_not_stop_the_others";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let log = Log::named("log_a");
    log.append(1);
    log.append_body(vec![b'x'; 2 * 1024 * 1024]);
    log.append(1);
    let bus = start(&server, &log);
    published(&bus, 3).await;
    assert_eq!(positions(&server).await, in_order_once(3));
    let stream = jetstream(&server).await.get_stream("PLACET_EV_acme").await.unwrap();
    let stub: serde_json::Value =
        serde_json::from_slice(&stream.get_raw_message(2).await.unwrap().payload).unwrap();
    assert_eq!(
        stub,
        serde_json::json!({"position": 2, "type": "RunStarted", "omitted": "too_large"})
    );
}

#[tokio::test]
async fn a_message_that_was_sent_before_is_not_stored_twice() {
    let name = "a_message_that_was_sent_before_is_not_stored_twice";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let log = Log::named("log_a");
    log.append(3);
    let bus = start(&server, &log);
    published(&bus, 3).await;
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_MESSAGE_ID, "log_a:3");
    headers.insert(HEADER_POSITION, "3");
    let jetstream = jetstream(&server).await;
    let repeated = jetstream
        .publish_with_headers("placet.v1.ev.acme.VoteCast", headers, "x".into())
        .await
        .unwrap();
    assert!(repeated.await.unwrap().duplicate);
    log.append(4);
    published(&bus, 7).await;
    assert_eq!(positions(&server).await, in_order_once(7));
}

#[tokio::test]
async fn an_idle_bus_notices_a_new_event_at_once() {
    let Some(server) = NatsServer::start_or_skip("an_idle_bus_notices_a_new_event_at_once") else {
        return;
    };
    let log = Log::named("log_a");
    let bus = start(&server, &log);
    status(&bus, |status| matches!(status, Status::Ready { .. })).await;
    let mut slowest = Duration::ZERO;
    for upto in 1..=20 {
        let began = Instant::now();
        log.append(1);
        published(&bus, upto).await;
        slowest = slowest.max(began.elapsed());
    }
    println!("slowest event: {} ms", slowest.as_millis());
}

/// A partition is not told to anybody: the way takes what is sent, and nothing comes back.
#[tokio::test]
async fn a_way_that_swallows_everything_is_given_up_and_another_one_taken() {
    let name = "a_way_that_swallows_everything_is_given_up_and_another_one_taken";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let way = Way::to(server.port());
    let log = Log::named("log_a");
    log.append(3);
    let bus = start_at(&way.nats_url(), &log);
    published(&bus, 3).await;
    way.partition();
    log.append(5);
    // given up without anybody having said that it is broken, while a new one would pass
    way.heal();
    published(&bus, 8).await;
    assert_eq!(positions(&server).await, in_order_once(8));
    assert!(way.passed() >= 2, "another connection was made");
    // and one that is cut in the middle of everything
    for upto in (18..=98).step_by(10) {
        log.append(10);
        way.cut();
        published(&bus, upto).await;
    }
    assert_eq!(positions(&server).await, in_order_once(98));
}
