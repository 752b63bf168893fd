//! A caller of the HTTP API: one connection that is kept, one request at a time.

use crate::Failure;
use serde_json::Value;
use std::fmt::Write as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Where the engine listens, and the token that opens it.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: String,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Client {
    door: Door,
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) async fn connect(door: &Door) -> Result<Self, Failure> {
        let stream = TcpStream::connect(&door.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { door: door.clone(), stream: BufReader::new(stream) })
    }

    pub(crate) async fn get(&mut self, user: &str, path: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.ask(("GET", user, path), "").await?)?)
    }

    pub(crate) async fn post(
        &mut self,
        user: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.ask(("POST", user, path), &body.to_string()).await?)?)
    }

    /// The body of the answer.
    pub(crate) async fn ask(
        &mut self,
        (method, user, path): (&str, &str, &str),
        body: &str,
    ) -> Result<Vec<u8>, Failure> {
        let Door { address, token } = &self.door;
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nplacet-as: {user}\r\n"
        );
        if !body.is_empty() {
            write!(
                request,
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            )?;
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        self.answer(path).await
    }

    async fn answer(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        let (mut line, mut length) = (String::new(), 0);
        self.stream.read_line(&mut line).await?;
        let good = line.starts_with("HTTP/1.1 2");
        let status = line.trim_end().to_owned();
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        if !good {
            return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&body)).into());
        }
        Ok(body)
    }
}
