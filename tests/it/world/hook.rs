//! A provider that posts to us: messages signed as Slack signs them, over a bare socket, so that a test can
//! stop anywhere in the middle.

use placet_model::Digest;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The secret that an integration of the tests shares with its provider.
pub(crate) const KEY: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// Request line and headers, with the empty line.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

/// A message in a thread, as Slack posts it.
pub(crate) fn message(event_id: &str, thread: &str) -> Value {
    let event = json!({
        "type": "message", "channel": "C0SALES", "user": "U5", "text": "ja, gern",
        "ts": "1767225599.000200", "thread_ts": thread, "channel_type": "channel",
    });
    json!({"team_id": "T1", "type": "event_callback", "event_id": event_id, "event": event})
}

/// The request with which Slack posts this to the integration `slack` at `address`, signed now.
pub(crate) fn post(address: &str, body: &Value) -> Post {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let body = body.to_string();
    let tag = hmac_sha256(KEY.as_bytes(), format!("v0:{now}:{body}").as_bytes()).hex();
    let head = format!(
        "POST /hooks/slack/slack HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nX-Slack-Request-Timestamp: {now}\r\nX-Slack-Signature: v0={tag}\r\n\r\n",
        body.len()
    );
    Post { head, body }
}

impl Post {
    /// Sends it, and the status of the answer; none where the connection breaks before one.
    pub(crate) fn send(&self, address: &str, wait: Duration) -> Option<u16> {
        let mut stream = self.send_only(address)?;
        stream.set_read_timeout(Some(wait)).ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).ok()?;
        std::str::from_utf8(&head).ok()?.rsplit(' ').next()?.parse().ok()
    }

    /// Sends it, and leaves the answer where it is.
    pub(crate) fn send_only(&self, address: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(self.head.as_bytes()).ok()?;
        stream.write_all(self.body.as_bytes()).ok()?;
        Some(stream)
    }

    /// Sends its head and the first byte of its body, and then nothing more while the stream lives.
    pub(crate) fn drip(&self, address: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.write_all(self.head.as_bytes()).ok()?;
        stream.write_all(self.body.get(..1)?.as_bytes()).ok()?;
        Some(stream)
    }
}

/// RFC 2104, for keys of a block at most: the tests sign with other code than what verifies.
pub(crate) fn hmac_sha256(key: &[u8], content: &[u8]) -> Digest {
    let mut block = [0; BLOCK];
    block[..key.len()].copy_from_slice(key);
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Digest::of_parts(&[&pad(0x36), content]);
    Digest::of_parts(&[&pad(0x5c), inner.as_bytes()])
}
