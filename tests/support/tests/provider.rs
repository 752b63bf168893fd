//! The stand-in is itself held to its word: exact bytes, scripted faults, no polling.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use placet_test_support::provider::{Behaviour, Provider};
use serde_json::json;

const POST: &str = "POST /api/chat.postMessage HTTP/1.1\r\nX-Odd-CASE: a  b\r\nContent-Length: 31\r\n\r\n{\"channel\":\"C1\",\"text\":\"hello\"}";

fn send(provider: &Provider, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(provider.host_port()).expect("loopback works");
    stream.write_all(request.as_bytes()).expect("loopback works");
    stream
}

/// Reads until the text is complete enough to hold `end`.
fn read_to(stream: &mut TcpStream, end: &str) -> String {
    let mut got = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&got).ends_with(end) {
        stream.read_exact(&mut byte).expect("loopback works");
        got.push(byte[0]);
    }
    String::from_utf8(got).expect("loopback works")
}

#[test]
fn a_request_is_recorded_byte_for_byte() {
    let provider = Provider::start();
    let answer = read_to(&mut send(&provider, POST), "}}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(r#""channel":"C1""#), "{answer}");
    let [request] = &provider.received()[..] else { panic!("one request") };
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/api/chat.postMessage")
    );
    assert_eq!(request.headers[0], ("X-Odd-CASE".to_owned(), "a  b".to_owned()));
    assert_eq!(request.body, br#"{"channel":"C1","text":"hello"}"#);
}

#[test]
fn a_chunked_body_arrives_whole() {
    let provider = Provider::start();
    let request = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    read_to(&mut send(&provider, request), "{\"ok\":true}");
    assert_eq!(provider.received()[0].body, b"abcde");
}

#[test]
fn a_silent_provider_applies_and_says_nothing() {
    let provider = Provider::start();
    provider.next(Behaviour::ApplyThenSilence);
    let stream = send(&provider, POST);
    provider.wait_until(|counts| counts.applied == 1);
    stream.set_nonblocking(true).unwrap();
    let read = (&stream).read(&mut [0]);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_reset_is_a_reset_and_says_whether_it_applied() {
    for (behaviour, applied) in [(Behaviour::ApplyThenReset, 1), (Behaviour::Reset, 0)] {
        let provider = Provider::start();
        provider.next(behaviour);
        let read = send(&provider, POST).read(&mut [0]);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(provider.applied().len(), applied);
    }
}

#[test]
fn a_held_request_waits_for_its_release() {
    let provider = Provider::start();
    provider.next_for("/api/chat.postMessage", Behaviour::Slack.held());
    let mut stream = send(&provider, POST);
    provider.wait_for(1);
    assert_eq!(provider.counts().applied, 0);
    provider.release();
    read_to(&mut stream, "}}");
    assert_eq!(provider.counts().applied, 1);
}

#[test]
fn refusals_do_nothing_and_the_connection_serves_on() {
    let provider = Provider::start();
    provider.next(Behaviour::TooManyRequests { retry_after_s: 7 });
    provider.next(Behaviour::refuse(404, &json!({"ok": false})));
    let mut stream = send(&provider, POST);
    assert!(read_to(&mut stream, "\r\n\r\n").contains("Retry-After: 7"));
    read_to(&mut stream, "}");
    stream.write_all(POST.as_bytes()).unwrap();
    assert!(read_to(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert_eq!((provider.counts().received, provider.counts().applied), (2, 0));
}

#[test]
fn what_was_applied_is_found_by_looking_it_up() {
    let provider = Provider::start();
    provider.next(Behaviour::ApplyThenReset);
    drop(send(&provider, POST).read(&mut [0]));
    let lookup = "GET /api/conversations.history?channel=C1&limit=100 HTTP/1.1\r\n\r\n";
    let answer = read_to(&mut send(&provider, lookup), "\"has_more\":false}");
    assert!(answer.contains("\"messages\":[{"), "{answer}");
    assert!(provider.applied_at("/api/chat.postMessage").len() == 1);
}

#[test]
fn in_a_crowd_no_connection_gets_through() {
    let provider = Provider::start();
    let crowd = provider.crowd();
    let address = provider.host_port().parse().expect("an address");
    let patience = Duration::from_millis(100);
    assert_eq!(
        TcpStream::connect_timeout(&address, patience).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    drop(crowd);
    read_to(&mut send(&provider, POST), "}}");
    provider.wait_until(|counts| counts.answered == 1);
}
