//! A server or stream that cannot hold what is asked for is refused, and the reason is said in words.

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use placet_bus::{Bus, Refusal, Status};
use placet_test_support::nats::NatsServer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::kit::{Log, jetstream, published, start, start_at, status};

async fn refusal(bus: &Bus) -> Refusal {
    let refused = status(bus, |status| matches!(status, Status::Refused(_))).await;
    let Status::Refused(refusal) = refused else { unreachable!("that was waited for") };
    refusal
}

/// The refusal of a bus that must not say in between that all is well.
async fn refusal_never_ready(bus: &Bus) -> Refusal {
    let refused = status(bus, |status| {
        assert!(!matches!(status, Status::Ready { .. }), "ready before its stream was looked at");
        matches!(status, Status::Refused(_))
    });
    let Status::Refused(refusal) = refused.await else { unreachable!("that was waited for") };
    refusal
}

/// As much of a server as a client needs to believe that it is connected.
async fn pretend(listener: TcpListener, info: String) {
    let (stream, _) = listener.accept().await.expect("a client comes");
    let (reader, mut writer) = stream.into_split();
    writer.write_all(format!("INFO {info}\r\n").as_bytes()).await.expect("the client reads");
    let mut lines = BufReader::new(reader).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.starts_with("PING") {
            writer.write_all(b"PONG\r\n").await.expect("the client reads");
        }
    }
}

async fn refused_by(version: &str, jetstream: &str) -> Refusal {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("nats://{}", listener.local_addr().expect("a bound socket"));
    let info = format!(
        r#"{{"server_id":"X","version":"{version}","host":"h","port":4222,"headers":true,"max_payload":1048576{jetstream}}}"#
    );
    let server = tokio::spawn(pretend(listener, info));
    let bus = start_at(&url, &Log::named("log_a"));
    let refusal = refusal(&bus).await;
    bus.stop().await;
    server.abort();
    refusal
}

#[tokio::test]
async fn a_server_below_2_12_is_refused() {
    for version in ["2.9.10", "2.11.9"] {
        let refusal = refused_by(version, r#","jetstream":true"#).await;
        assert_eq!(refusal.code, "PL5001");
        let text = refusal.to_string();
        assert!(
            text.contains(version) && text.contains("too old") && text.contains("2.12"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    let refusal = refused_by("2.15.1", "").await;
    assert_eq!(refusal.code, "PL5002");
    assert!(refusal.to_string().contains("-js"), "{refusal}");
}

#[tokio::test]
async fn the_stream_has_what_was_asked_for() {
    let Some(server) = NatsServer::start_or_skip("the_stream_has_what_was_asked_for") else {
        return;
    };
    let bus = start(&server, &Log::named("log_a"));
    status(&bus, |status| matches!(status, Status::Ready { .. })).await;
    let jetstream = jetstream(&server).await;
    let stream = jetstream.get_stream("PLACET_EV_acme").await.unwrap();
    let config = &stream.cached_info().config;
    assert!(config.deny_delete && config.deny_purge && config.allow_atomic_publish, "{config:?}");
    assert!(!config.allow_rollup && !config.allow_message_schedules, "{config:?}");
    assert_eq!(config.subjects, ["placet.v1.ev.acme.>"]);
    assert!(stream.purge().await.is_err());
}

#[tokio::test]
async fn a_stream_made_by_somebody_else_is_refused_with_the_field() {
    let name = "a_stream_made_by_somebody_else_is_refused_with_the_field";
    let base = || Config {
        name: "PLACET_EV_acme".to_owned(),
        subjects: vec!["placet.v1.ev.acme.>".to_owned()],
        deny_delete: true,
        deny_purge: true,
        allow_atomic_publish: true,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    let cases = [
        ("allow_atomic", Config { allow_atomic_publish: false, ..base() }),
        ("deny_purge", Config { deny_purge: false, ..base() }),
        ("max_msgs", Config { max_messages: 1_000, ..base() }),
        ("subjects", Config { subjects: vec!["placet.v1.ev.>".to_owned()], ..base() }),
        // asked for together, the server lifts deny_purge without a word
        (
            "deny_purge",
            Config { allow_message_schedules: true, discard: DiscardPolicy::Old, ..base() },
        ),
    ];
    for (field, config) in cases {
        let Some(server) = NatsServer::start_or_skip(name) else { return };
        jetstream(&server).await.create_stream(config).await.unwrap();
        let bus = start(&server, &Log::named("log_a"));
        let refusal = refusal(&bus).await;
        assert_eq!(refusal.code, "PL5003");
        assert!(
            refusal.detail.contains("PLACET_EV_acme") && refusal.detail.contains(field),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn another_logs_stream_is_not_continued() {
    let Some(server) = NatsServer::start_or_skip("another_logs_stream_is_not_continued") else {
        return;
    };
    let (ours, theirs) = (Log::named("log_a"), Log::named("log_b"));
    theirs.append(3);
    ours.append(9);
    let bus = start(&server, &theirs);
    published(&bus, 3).await;
    bus.stop().await;
    let bus = start(&server, &ours);
    let refusal = refusal_never_ready(&bus).await;
    assert!(refusal.detail.contains("log_b:3") && refusal.detail.contains("log_a"), "{refusal}");
}

#[tokio::test]
async fn a_log_that_is_older_than_its_stream_is_refused() {
    let name = "a_log_that_is_older_than_its_stream_is_refused";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let (whole, restored) = (Log::named("log_a"), Log::named("log_a"));
    whole.append(20);
    restored.append(12);
    let bus = start(&server, &whole);
    published(&bus, 20).await;
    bus.stop().await;
    let refusal = refusal(&start(&server, &restored)).await;
    assert!(refusal.detail.contains("20") && refusal.detail.contains("12"), "{refusal}");
}
