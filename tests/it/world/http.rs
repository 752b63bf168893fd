//! The engine's event stream over a plain socket, as something that a test can wait on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use placet_test_support::DEADLINE;
use serde_json::Value;

/// Where an engine listens, and the token that lets a test act as anybody.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Door {
    /// Events from the first one on, as they come.
    pub(crate) fn events(&self) -> Events {
        let mut stream = TcpStream::connect(&self.address).expect("the engine listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        let (address, token) = (&self.address, &self.token);
        let head = format!(
            "GET /api/v1/events?after=0 HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the engine takes requests");
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).expect("the engine answers");
        assert!(line.starts_with("HTTP/1.1 200"), "the event stream does not open: {line}");
        while line.trim_end() != "" {
            line.clear();
            stream.read_line(&mut line).expect("the engine answers");
        }
        Events { stream, text: String::new() }
    }

    /// Status and JSON answer of a `POST` as this user.
    pub(crate) fn post(&self, user: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", (user, path), &body.to_string())
    }

    /// Status and JSON answer of a `GET` as this user.
    pub(crate) fn get(&self, user: &str, path: &str) -> (u16, Value) {
        self.ask("GET", (user, path), "")
    }

    /// As [`Door::post`], because of this span.
    pub(crate) fn post_traced(
        &self,
        traceparent: &str,
        (user, path): (&str, &str),
        body: &Value,
    ) -> (u16, Value) {
        let user = format!("{user}\r\ntraceparent: {traceparent}");
        self.ask("POST", (&user, path), &body.to_string())
    }

    fn ask(&self, method: &str, (user, path): (&str, &str), body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("the engine listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        let (address, token, length) = (&self.address, &self.token, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nPlacet-As: {user}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).expect("the engine takes requests");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the engine answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = serde_json::from_str(body).expect("answers are JSON");
        (status.expect("a status"), body)
    }
}

/// An open event stream.
#[derive(Debug)]
pub(crate) struct Events {
    stream: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// Reads on until `wanted` holds of all events since the first; panics after [`DEADLINE`].
    pub(crate) fn until(mut self, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        let mut seen: Vec<Value> = Vec::new();
        while !wanted(&seen) {
            let story: Vec<_> = seen.iter().map(|event| event["type"].clone()).collect();
            assert!(start.elapsed() < DEADLINE, "it did not come; so far {story:?}");
            let chunk = self.chunk();
            assert!(!chunk.is_empty(), "the stream ended; so far {story:?}");
            self.text.push_str(&chunk);
            while let Some((line, rest)) = self.text.split_once('\n') {
                if let Some(data) = line.strip_prefix("data:") {
                    seen.push(serde_json::from_str(data).expect("events are JSON"));
                }
                self.text = rest.to_owned();
            }
        }
        seen
    }

    /// One chunk of the chunked encoding; empty at the end.
    fn chunk(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the event stream goes on");
        let length = usize::from_str_radix(line.trim(), 16).unwrap_or_default();
        let mut chunk = vec![0; length + 2];
        self.stream.read_exact(&mut chunk).expect("a chunk is whole");
        chunk.truncate(length);
        String::from_utf8(chunk).expect("events are UTF-8")
    }
}
