//! The printed configuration on a real server: who may do what, when everybody has a key.
//!
//! covers: S19, T21

use async_nats::{Client, ConnectOptions, HeaderMap, Request};
use futures_util::{StreamExt, stream};
use nkeys::KeyPair;
use placet_bus::config::{Does, Person, ServerConfig};
use placet_bus::{Bus, Inbox, InboxClient, InboxRequest, Options, Sender, Status, Verb};
use placet_test_support::DEADLINE;
use placet_test_support::nats::NatsServer;
use serde_json::{Map, Value, json};
use std::time::Duration;

use crate::kit::{Log, patient, published, status, token};

/// What `placet nats config` prints for these keys, on the test's own port and store.
fn printed(engine: &KeyPair, people: &[(&str, &KeyPair, Does)]) -> String {
    let person = |(name, key, does): &(&str, &KeyPair, Does)| Person {
        name: name.parse().expect("a principal"),
        key: key.public_key(),
        does: *does,
    };
    let config = ServerConfig {
        project: "acme".to_owned(),
        listen: "127.0.0.1:4222".to_owned(),
        store_dir: "/var/lib/nats".to_owned(),
        engine: engine.public_key(),
        people: people.iter().map(person).collect(),
    };
    let own =
        |line: &&str| !line.starts_with("listen:") && !line.trim_start().starts_with("store_dir:");
    config.text().lines().filter(own).collect::<Vec<_>>().join("\n")
}

async fn person(server: &NatsServer, key: &KeyPair) -> Client {
    let seed = key.seed().expect("a fresh key has its seed");
    let options =
        ConnectOptions::with_nkey(seed).custom_inbox_prefix(format!("_INBOX_{}", key.public_key()));
    patient(options).connect(server.url()).await.expect("the person has a key")
}

async fn start(server: &NatsServer, key: &KeyPair, log: &Log) -> Bus {
    let inbox = Inbox::new(
        || stream::pending().boxed(),
        |request: InboxRequest| async move {
            let sender = match request.sender {
                Sender::Account { account, user } => json!([account, user]),
                Sender::Unproven => Value::Null,
            };
            Ok(json!({"user": request.user.as_str(), "sender": sender}))
        },
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
    let Some(server) = NatsServer::start_configured_or_skip(
        name,
        &printed(&engine, &[("ana", &ana, Does::Decide)]),
    ) else {
        return;
    };
    let log = Log::named("log_a");
    log.append(5);
    let bus = start(&server, &engine, &log).await;
    published(&bus, 5).await;

    let seed = ana.seed().unwrap();
    let client =
        InboxClient::connect(&server.url(), &"ana".parse().unwrap(), Some(&seed)).await.unwrap();
    let answer = client.ask(Verb::List, "1", &Map::new()).await.unwrap();
    assert_eq!(answer, json!({"user": "ana", "sender": ["PEOPLE", ana.public_key()]}));
    let person = person(&server, &ana).await;
    let soon = Duration::from_millis(300);
    for foreign in [
        "placet.v1.inbox.ben.list",
        "placet.v1.inbox.ben.decide",
        "placet.v1.ev.acme.DecisionSettled",
        "$JS.API.INFO",
        "$SRV.PING",
    ] {
        assert!(ask(&person, foreign, soon).await.is_err(), "{foreign}");
    }
    let seed = engine.seed().unwrap();
    let own = patient(ConnectOptions::with_nkey(seed)).connect(server.url()).await.unwrap();
    for forbidden in ["$JS.API.STREAM.DELETE.PLACET_EV_acme", "$JS.API.STREAM.PURGE.PLACET_EV_acme"]
    {
        assert!(ask(&own, forbidden, soon).await.is_err(), "{forbidden}");
    }
    log.append(1);
    published(&bus, 6).await;
}

/// An answer, within this time, to a request that says who sent it, under this reply subject or one of the
/// client's own.
async fn forged(
    client: &Client,
    (subject, reply): (&str, Option<&str>),
    (key, patience): (&KeyPair, Duration),
) -> Option<Value> {
    let own = client.new_inbox();
    let reply = reply.unwrap_or(&own).to_owned();
    let mut headers = HeaderMap::new();
    let info = json!({"acc": "PEOPLE", "user": key.public_key()});
    headers.insert("Nats-Request-Info", info.to_string());
    let mut answers = client.subscribe(reply.clone()).await.expect("it may hear");
    let sent =
        client.publish_with_reply_and_headers(subject.to_owned(), reply, headers, "{}".into());
    sent.await.expect("the server takes it");
    client.flush().await.expect("the server has it");
    let answer = tokio::time::timeout(patience, answers.next()).await.ok()??;
    Some(serde_json::from_slice(&answer.payload).expect("JSON"))
}

#[tokio::test]
async fn who_sent_a_request_cannot_be_made_up_outside_nor_inside_the_engines_account() {
    let name = "who_sent_a_request_cannot_be_made_up_outside_nor_inside_the_engines_account";
    let (engine, ana, ben) = (KeyPair::new_user(), KeyPair::new_user(), KeyPair::new_user());
    let people = [("ana", &ana, Does::Decide), ("ben", &ben, Does::DecideAndFollow)];
    let Some(server) = NatsServer::start_configured_or_skip(name, &printed(&engine, &people))
    else {
        return;
    };
    let log = Log::named("log_a");
    let bus = start(&server, &engine, &log).await;

    // from the account of the people the server writes over it
    let person = person(&server, &ana).await;
    let answer = forged(&person, ("placet.v1.inbox.ana.list", None), (&ben, DEADLINE)).await;
    let answer = answer.unwrap();
    assert_eq!(answer["sender"], json!(["PEOPLE", ana.public_key()]));
    // inside the engine's account it would pass, and is refused
    let seed = engine.seed().unwrap();
    let inside = patient(ConnectOptions::with_nkey(seed)).connect(server.url()).await.unwrap();
    let refused = forged(&inside, ("placet.v1.inbox.ben.list", None), (&ben, DEADLINE)).await;
    let refused = refused.unwrap();
    assert_eq!(refused["error"]["code"], "PL5005", "{refused}");
    // and the reply subjects of imports are the server's own
    let (reply, soon) = (Some("_R_.made.up"), Duration::from_millis(500));
    let none = forged(&inside, ("placet.v1.inbox.ben.list", reply), (&ben, soon)).await;
    assert_eq!(none, None);
    bus.stop().await;
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
