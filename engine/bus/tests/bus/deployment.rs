//! `deploy/nats.conf` on a real server: who may do what, when everybody has a key.

use async_nats::{Client, ConnectOptions, Request};
use futures_util::{StreamExt, stream};
use nkeys::KeyPair;
use placet_bus::{Bus, Inbox, InboxClient, InboxRequest, Options, Status, Verb};
use placet_test_support::nats::NatsServer;
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::kit::{Log, published, status, token};

/// The file as an operator fills it in, on the test's own port and store.
fn filled_in(engine: &KeyPair, ana: &KeyPair) -> String {
    let file = include_str!("../../../../deploy/nats.conf");
    let own =
        |line: &&str| !line.starts_with("listen:") && !line.trim_start().starts_with("store_dir:");
    let lines: Vec<&str> = file.lines().filter(own).collect();
    lines.join("\n").replace("<engine>", &engine.public_key()).replace("<ana>", &ana.public_key())
}

async fn person(server: &NatsServer, key: &KeyPair) -> Client {
    let seed = key.seed().expect("a fresh key has its seed");
    let options =
        ConnectOptions::with_nkey(seed).custom_inbox_prefix(format!("_INBOX_{}", key.public_key()));
    options.connect(server.url()).await.expect("the person has a key")
}

async fn start(server: &NatsServer, key: &KeyPair, log: &Log) -> Bus {
    let inbox = Inbox::new(
        || stream::pending().boxed(),
        |request: InboxRequest| async move { Ok(json!({"user": request.user.as_str()})) },
    );
    let seed = key.seed().expect("a fresh key has its seed");
    let options =
        Options { url: server.url(), seed: Some(seed), project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, log.source(), Some(inbox));
    status(&bus, |status| matches!(status, Status::Ready { .. })).await;
    bus
}

/// An answer, or the error of a request that got none.
async fn ask(client: &Client, subject: &str, patience: Duration) -> Result<Value, String> {
    let request = Request::new().payload("{}".into()).timeout(Some(patience));
    let answer = client
        .send_request(subject.to_owned(), request)
        .await
        .map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&answer.payload).expect("JSON"))
}

#[tokio::test]
async fn the_shipped_configuration_keeps_everybody_in_their_place() {
    let name = "the_shipped_configuration_keeps_everybody_in_their_place";
    let (engine, ana) = (KeyPair::new_user(), KeyPair::new_user());
    let Some(server) = NatsServer::start_configured_or_skip(name, &filled_in(&engine, &ana)) else {
        return;
    };
    let log = Log::named("log_a");
    log.append(5);
    let bus = start(&server, &engine, &log).await;
    published(&bus, 5).await;

    let seed = ana.seed().unwrap();
    let client =
        InboxClient::connect(&server.url(), &"ana".parse().unwrap(), Some(&seed)).await.unwrap();
    assert_eq!(client.ask(Verb::List, "1", &Map::new()).await.unwrap(), json!({"user": "ana"}));
    let person = person(&server, &ana).await;
    let soon = Duration::from_millis(300);
    for foreign in [
        "placet.v1.inbox.ben.list",
        "placet.v1.ev.acme.DecisionSettled",
        "$JS.API.INFO",
        "$SRV.PING",
    ] {
        assert!(ask(&person, foreign, soon).await.is_err(), "{foreign}");
    }
    let seed = engine.seed().unwrap();
    let own = ConnectOptions::with_nkey(seed).connect(server.url()).await.unwrap();
    for forbidden in ["$JS.API.STREAM.DELETE.PLACET_EV_acme", "$JS.API.STREAM.PURGE.PLACET_EV_acme"]
    {
        assert!(ask(&own, forbidden, soon).await.is_err(), "{forbidden}");
    }
    log.append(1);
    published(&bus, 6).await;
}

#[test]
fn options_do_not_print_what_is_secret() {
    let options = Options {
        url: "nats://engine:hunter2@127.0.0.1:4222".to_owned(),
        seed: Some("SUAAA".to_owned()),
        project: token("acme"),
        replicas: 1,
    };
    let shown = format!("{options:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("SUAAA"), "{shown}");
}
