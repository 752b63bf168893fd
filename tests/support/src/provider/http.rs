//! As much HTTP/1.1 as a stand-in needs: reading one request without losing a byte of it, writing one answer.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::behaviour::Answer;

/// Between two bytes of an answer that drips.
const DRIP: std::time::Duration = std::time::Duration::from_millis(100);
/// Requests above this are not read: a test that needs more says so here.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One request exactly as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Method, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Header names and values in the order and spelling in which they were sent.
    pub headers: Vec<(String, String)>,
    /// Body bytes, chunked framing removed.
    pub body: Vec<u8>,
}

impl Received {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads one request; `None` when the peer has closed or sent no request. `buffer` keeps what came of the next one.
pub(super) async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            break end;
        }
        fill(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).ok()?;
    buffer.drain(..head_end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Received { method, target, headers, body: Vec::new() };
    request.body = if request.header("transfer-encoding").is_some() {
        chunks(stream, buffer).await?
    } else {
        let length =
            request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
        take(stream, buffer, length).await?
    };
    Some(request)
}

/// Writes an answer; says whether the connection still stands.
pub(super) async fn write(stream: &mut TcpStream, answer: &Answer) -> bool {
    write_raw(stream, &bytes(answer)).await
}

/// Writes an answer without its last byte.
pub(super) async fn write_part(stream: &mut TcpStream, answer: &Answer) {
    let answer = Answer {
        body: if answer.body.is_empty() { vec![b' '] } else { answer.body.clone() },
        ..answer.clone()
    };
    let bytes = bytes(&answer);
    write_raw(stream, &bytes[..bytes.len() - 1]).await;
}

/// Writes an answer a byte at a time.
pub(super) async fn drip(stream: &mut TcpStream, answer: &Answer) {
    let mut pace = tokio::time::interval(DRIP);
    for byte in bytes(answer) {
        if !write_raw(stream, &[byte]).await {
            return;
        }
        pace.tick().await;
    }
}

fn bytes(answer: &Answer) -> Vec<u8> {
    let mut head =
        format!("HTTP/1.1 {} Scripted\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    for (name, value) in &answer.headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&answer.body);
    bytes
}

/// Writes bytes as they are; says whether the connection still stands.
pub(super) async fn write_raw(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

async fn chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(end) = find(buffer, b"\r\n") {
                break end;
            }
            fill(stream, buffer).await?;
        };
        let line = String::from_utf8(buffer.drain(..line_end + 2).collect()).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        let chunk = take(stream, buffer, size).await?;
        take(stream, buffer, 2).await?;
        if chunk.is_empty() {
            return Some(body);
        }
        body.extend(chunk);
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    if length > REQUEST_BYTES_MAX {
        return None;
    }
    while buffer.len() < length {
        fill(stream, buffer).await?;
    }
    Some(buffer.drain(..length).collect())
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0 && buffer.len() <= REQUEST_BYTES_MAX).then_some(())
}

fn find(buffer: &[u8], wanted: &[u8]) -> Option<usize> {
    buffer.windows(wanted.len()).position(|window| window == wanted)
}
