//! A server or stream that cannot hold what is asked for is refused, and the reason is said in words.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, Republish, RetentionPolicy, StorageType,
};
use placet_bus::{Bus, Options, Refusal, Status, Syncs};
use placet_test_support::nats::NatsServer;

use crate::kit::{Log, jetstream, published, start, start_at, status, token};

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

#[tokio::test]
async fn a_server_below_2_12_is_refused_before_it_is_used() {
    let name = "a_server_below_2_12_is_refused_before_it_is_used";
    let Some(server) = NatsServer::start_old_or_skip(name) else { return };
    let log = Log::named("log_a");
    log.append(3);
    let bus = start(&server, &log);
    let refusal = refusal_never_ready(&bus).await;
    assert_eq!(refusal.code, "PL5001");
    let text = refusal.to_string();
    assert!(text.contains("too old") && text.contains("use 2.12 or newer"), "{text}");
    // it would have taken the events, and none was given to it
    let streams = jetstream(&server).await.get_stream("PLACET_EV_acme").await;
    assert!(streams.is_err(), "{streams:?}");
}

#[tokio::test]
async fn a_server_without_jetstream_is_refused() {
    let name = "a_server_without_jetstream_is_refused";
    let Some(server) = NatsServer::start_without_jetstream_or_skip(name) else { return };
    let bus = start(&server, &Log::named("log_a"));
    let refusal = refusal_never_ready(&bus).await;
    assert_eq!(refusal.code, "PL5002");
    assert!(refusal.to_string().contains("start it with -js"), "{refusal}");
}

#[tokio::test]
async fn an_account_without_jetstream_is_refused() {
    let name = "an_account_without_jetstream_is_refused";
    let config = "accounts { ENGINE { users: [{ user: e, password: e }] }, OTHER { jetstream: enabled, users: [{ user: o, password: o }] } }";
    let Some(server) = NatsServer::start_configured_or_skip(name, config) else { return };
    let url = server.url().replace("://", "://e:e@");
    let refusal = refusal_never_ready(&start_at(&url, &Log::named("log_a"))).await;
    assert_eq!(refusal.code, "PL5002");
}

/// Accounts as `placet nats config` prints them, with this in the server's `jetstream`.
fn asked_how_it_syncs(jetstream: &str) -> String {
    format!(
        "
jetstream {{ {jetstream} }}
accounts {{
  ENGINE {{
    jetstream: enabled, users: [{{ user: e, password: e }}]
    imports = [{{ service: {{ account: SYS, subject: \"$SYS.REQ.SERVER.PING.JSZ\" }} }}]
  }}
  SYS {{ exports = [{{ service: \"$SYS.REQ.SERVER.PING.JSZ\", accounts: [ENGINE], response_type: stream }}] }}
}}
system_account: SYS
"
    )
}

fn copies(server: &NatsServer, replicas: u8) -> Bus {
    let url = server.url().replace("://", "://e:e@");
    let options = Options { url, seed: None, project: token("acme"), replicas };
    Bus::start(options, Log::named("log_a").source(), None)
}

async fn ready(bus: &Bus) -> Syncs {
    let ready = status(bus, |status| matches!(status, Status::Ready { .. })).await;
    let Status::Ready { syncs, .. } = ready else { unreachable!("that was waited for") };
    syncs
}

#[tokio::test]
async fn the_status_says_whether_the_server_syncs_what_it_acknowledges() {
    let name = "the_status_says_whether_the_server_syncs_what_it_acknowledges";
    for (config, expected) in [
        (asked_how_it_syncs("sync_interval: always"), Syncs::Always),
        (asked_how_it_syncs(""), Syncs::AtIntervals),
        // nothing lets its clients ask
        ("authorization { user: e, password: e }".to_owned(), Syncs::NotKnown),
    ] {
        let Some(server) = NatsServer::start_configured_or_skip(name, &config) else { return };
        let bus = copies(&server, 1);
        assert_eq!(ready(&bus).await, expected, "{config}");
        let told = bus.status().borrow().to_json();
        assert_eq!(told["syncs"], expected.word(), "{told}");
    }
}

#[tokio::test]
async fn copies_on_servers_that_sync_at_intervals_are_refused() {
    let name = "copies_on_servers_that_sync_at_intervals_are_refused";
    let Some(server) = NatsServer::start_configured_or_skip(name, &asked_how_it_syncs("")) else {
        return;
    };
    let refusal = refusal_never_ready(&copies(&server, 3)).await;
    assert_eq!(refusal.code, "PL5006");
    assert!(refusal.to_string().contains("sync_interval: always"), "{refusal}");
    // one that syncs is asked for them, and says itself that it is alone
    let config = asked_how_it_syncs("sync_interval: always");
    let Some(server) = NatsServer::start_configured_or_skip(name, &config) else { return };
    assert_eq!(refusal_never_ready(&copies(&server, 3)).await.code, "PL5003");
}

/// The cursor comes from the stream's leader: an engine that may not get directly, which a lagging copy would answer, lacks
/// nothing.
#[tokio::test]
async fn the_end_of_the_stream_is_never_read_from_a_copy() {
    let name = "the_end_of_the_stream_is_never_read_from_a_copy";
    let config = "authorization { users: [{ user: e, password: e, permissions: { publish: { allow: \">\", deny: \"$JS.API.DIRECT.>\" } } }] }";
    let Some(server) = NatsServer::start_configured_or_skip(name, config) else { return };
    let log = Log::named("log_a");
    let url = server.url().replace("://", "://e:e@");
    for upto in [5, 10] {
        log.append(5);
        let bus = start_at(&url, &log);
        published(&bus, upto).await;
        bus.stop().await;
    }
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
    let old = |config: Config| Config { discard: DiscardPolicy::Old, ..config };
    let away =
        Republish { source: ">".to_owned(), destination: "away.>".to_owned(), headers_only: false };
    let cases = [
        ("allow_atomic", Config { allow_atomic_publish: false, ..base() }),
        ("deny_delete", Config { deny_delete: false, ..base() }),
        ("deny_purge", Config { deny_purge: false, ..base() }),
        ("subjects", Config { subjects: vec!["placet.v1.ev.>".to_owned()], ..base() }),
        // asked for together, the server lifts deny_purge without a word
        ("deny_purge", old(Config { allow_message_schedules: true, ..base() })),
        // a roll-up is a purge, so the server takes it only without the denial
        ("deny_purge", Config { deny_purge: false, allow_rollup: true, ..base() }),
        ("allow_msg_ttl", Config { allow_message_ttl: true, ..base() }),
        ("allow_direct", Config { allow_direct: true, ..base() }),
        ("storage", Config { storage: StorageType::Memory, ..base() }),
        ("retention", Config { retention: RetentionPolicy::Interest, ..base() }),
        ("discard", old(base())),
        ("max_age", Config { max_age: Duration::from_hours(1), ..base() }),
        ("max_msgs", Config { max_messages: 1_000, ..base() }),
        ("max_bytes", Config { max_bytes: 1 << 20, ..base() }),
        ("max_msg_size", Config { max_message_size: 512, ..base() }),
        ("max_msgs_per_subject", Config { max_messages_per_subject: 5, ..base() }),
        ("republish", Config { republish: Some(away), ..base() }),
    ];
    for (field, config) in cases {
        // a server each: a stream that was deleted is in the way of the next of its name for a moment
        let Some(server) = NatsServer::start_or_skip(name) else { return };
        jetstream(&server).await.create_stream(config).await.unwrap();
        let bus = start(&server, &Log::named("log_a"));
        let refusal = refusal_never_ready(&bus).await;
        assert_eq!(refusal.code, "PL5003");
        let text = refusal.to_string();
        // which stream, which field, what it is and what was asked for, and what to do
        for words in ["PLACET_EV_acme", field, "asked for", "nats stream edit"] {
            assert!(text.contains(words), "{field}, {words}: {text}");
        }
        bus.stop().await;
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
