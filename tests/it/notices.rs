//! Notices as they arrive: a real engine, a real HTTP stand-in, and everything that opens links.
//!
//! covers: T1

use crate::world::{Live, TOKEN};
use placet_test_support::port::Port;
use placet_test_support::provider::Received;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Where the approver's notices go.
const ADDRESS: &str = "D0APPROVER";

/// An engine that tells the approver over the stand-in, with its own address as the link.
fn telling() -> Live {
    let mut live = Live::stopped();
    let port = Port::reserve();
    let address = port.address();
    live.listen_at(&address);
    let config = format!(
        "project = \"acme\"\n\n[notify]\nurl = \"http://{address}/\"\ninterval = \"P1D\"\n\n\
         [channels.approver-slack]\nto = [\"approver\"]\noperation = \"slack.chat.postMessage\"\n\
         with = {{ channel = \"{ADDRESS}\", text = \"{{text}}\" }}\n"
    );
    live.project.write("placet.toml", &config);
    live.restart();
    live.connect();
    live.done("author", &["deploy", "."]);
    live
}

/// The words of a message that a client would turn into links.
fn links(message: &Received) -> Vec<String> {
    let body = String::from_utf8_lossy(&message.body).replace("\\n", " ").replace('"', " ");
    let words = body.split_whitespace().filter(|word| word.contains("://"));
    words.map(str::to_owned).collect()
}

/// Opens a link as a scanner does, or as a browser that is logged in.
fn open(live: &Live, method: &str, link: &str, whose: Option<&str>) -> String {
    let rest = link.strip_prefix("http://").expect("the link of the configuration");
    let (address, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(address).expect("the engine listens");
    let token = &live.door().token;
    let who = whose.map_or_else(String::new, |who| {
        format!("Authorization: Bearer {token}\r\nPlacet-As: {who}\r\n")
    });
    let head =
        format!("{method} /{path} HTTP/1.1\r\nHost: {address}\r\n{who}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the engine takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the engine answers");
    answer
}

#[test]
fn opening_every_link_of_a_notice_a_hundred_times_decides_nothing() {
    // given a request, and the notice of it as it has arrived
    let live = telling();
    let asked = live.ask("hello");
    let is = |event: &Value, kind: &str| event["type"] == kind;
    live.door().events().until(|events| events.iter().any(|event| is(event, "NoticeSent")));
    let notices = live.posts();
    assert_eq!(notices.len(), 1);
    let links = links(&notices[0]);
    assert_eq!(links, [format!("http://{}/", live.door().address)], "one link, the operator's");
    // when everything that opens links opens it, with and without the approver's own rights
    for link in &links {
        for method in ["GET", "HEAD"] {
            for whose in [None, Some("approver")] {
                for _ in 0..100 {
                    let answer = open(&live, method, link, whose);
                    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
                }
            }
        }
    }
    // then nothing was decided, and nothing has left but the notice
    let card = live.card(&asked.decision);
    assert_eq!(card["state"], "requested", "{card:#}");
    assert_eq!(card["votes"], serde_json::json!([]));
    assert_eq!(live.posts().len(), 1);
    // and a vote of a person does what it always did
    live.approve(&asked);
    let run = live.until(&asked.run, "RunCompleted");
    assert_eq!(run.iter().filter(|event| is(event, "VoteCast")).count(), 1);
    assert_eq!(live.posts().len(), 2);
}

#[test]
fn a_notice_is_on_record_without_address_text_or_secret() {
    let live = telling();
    live.ask("hello");
    let done = |events: &[Value]| events.iter().any(|event| event["type"] == "NoticeSent");
    let events = live.door().events().until(done);
    let told: Vec<&Value> = events.iter().filter(|event| event["stream"] == "notices").collect();
    assert_eq!(told[0]["type"], "NoticeQueued");
    assert_eq!(told[0]["body"]["to"], "approver");
    assert_eq!(told[1]["body"]["would_have_sent"], false);
    let record = serde_json::to_string(&told).expect("events are JSON");
    for secret in [ADDRESS, TOKEN, "for your decision"] {
        assert!(!record.contains(secret), "{secret} stands in {record}");
    }
    // the credential is in the request that the provider got, and the sentence says who was told
    assert!(format!("{:?}", live.posts()[0].headers).contains(TOKEN));
}
