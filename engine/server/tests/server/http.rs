//! HTTP/1.1 over a bare socket: a test sees what is sent and what comes back, byte for byte.

use placet_test_support::DEADLINE;
use serde_json::Value;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A request in the making; `Host` and `Connection` are set unless a test sets them.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { line: format!("{method} {target} HTTP/1.1"), headers: vec![], body: vec![] }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// A body without a length.
    pub(crate) fn raw_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it on a connection of its own and reads to the end.
    pub(crate) async fn send(self, server: SocketAddr) -> Answer {
        let mut stream = self.begin(server).await;
        let mut bytes = vec![];
        let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes));
        read.await.expect("an answer in time").expect("a whole answer");
        Answer::new(&String::from_utf8(bytes).expect("answers are text"))
    }

    /// Sends it and leaves the answer to be read.
    pub(crate) async fn begin(self, server: SocketAddr) -> BufReader<TcpStream> {
        let has =
            |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut lines = vec![self.line.clone()];
        if !has("host") {
            lines.push(format!("Host: {server}"));
        }
        let given = self.headers.iter().filter(|(_, value)| value != "(none)");
        lines.extend(given.map(|(name, value)| format!("{name}: {value}")));
        lines.push("Connection: close\r\n\r\n".to_owned());
        let text = lines.join("\r\n");
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        stream.write_all(text.as_bytes()).await.expect("a head can be sent");
        // a server that has refused by the head may have stopped reading
        drop(stream.write_all(&self.body).await);
        BufReader::new(stream)
    }
}

impl Answer {
    fn new(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.json()
    }

    /// Holds when it is a problem of this status and code, in every member.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem:#}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/errors/{code}"));
        let title = placet_model::code::find(code).expect("a known code").title;
        assert_eq!(problem["title"], title);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem:#}");
        problem
    }
}
