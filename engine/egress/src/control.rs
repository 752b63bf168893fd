//! The operator's own calls to its own engine: what `placet inbox` or `placet runs` ask over HTTP.
//!
//! Plain requests to an address that a person has named. None of the rules for providers apply, and
//! nothing that a workflow says ever comes here.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use std::time::Duration;

/// A running engine answers at once; this long only a wrong address is waited for.
const CONNECT: Duration = Duration::from_secs(5);
/// From the request to the last byte of its answer.
const ANSWER: Duration = Duration::from_mins(2);
/// Bytes of one line of a stream of events.
const LINE_BYTES_MAX: usize = 4 << 20;

/// A way to one engine.
#[derive(Debug, Clone)]
pub struct Control {
    client: Client,
    base: Url,
}

/// What the engine said, whatever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body, uninterpreted.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The address is no `http://` or `https://` URL.
    #[error("{url:?} is no URL such as http://127.0.0.1:7480")]
    Url {
        /// What was given.
        url: String,
    },
    /// A token or a user's name that no header can carry.
    #[error("{what} cannot stand in a header")]
    Header {
        /// What was given; never the token itself.
        what: String,
    },
    /// Nobody listens there.
    #[error("no engine answers at {url}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The connection broke after the request may have been taken.
    #[error("the engine at {url} did not answer to the end")]
    Broken {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// A line of a stream that is longer than anything an engine sends.
    #[error("the engine sent a line of more than {LINE_BYTES_MAX} bytes")]
    Line,
}

impl Control {
    /// A way to the engine at `base`; `token` goes along as bearer token.
    ///
    /// # Errors
    /// [`ControlError::Url`], [`ControlError::Header`].
    pub fn new(base: &str, token: Option<&str>) -> Result<Self, ControlError> {
        let url = Url::parse(base).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = url.ok_or_else(|| ControlError::Url { url: base.to_owned() })?;
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value = value.map_err(|_ignored| header_error("the token"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            drop(rustls::crypto::ring::default_provider().install_default());
        }
        let client = Client::builder()
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .build();
        let unreachable = |source| ControlError::Unreachable { url: base.to_string(), source };
        Ok(Self { client: client.map_err(unreachable)?, base })
    }

    /// Where the engine is.
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Reads.
    ///
    /// # Errors
    /// [`ControlError::Unreachable`], [`ControlError::Broken`].
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Reply, ControlError> {
        let request = with_headers(self.client.get(self.at(path)?), headers)?;
        self.answer(request.timeout(ANSWER)).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Control::get`].
    pub async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        json: Vec<u8>,
    ) -> Result<Reply, ControlError> {
        let request = self.client.post(self.at(path)?).header("content-type", "application/json");
        self.answer(with_headers(request, headers)?.body(json).timeout(ANSWER)).await
    }

    /// Opens a stream of lines that goes on until the engine ends it.
    ///
    /// # Errors
    /// As [`Control::get`]; any status but 200 is the reply instead.
    pub async fn lines(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Result<Lines, Reply>, ControlError> {
        let request = with_headers(self.client.get(self.at(path)?), headers)?;
        let response = request.send().await.map_err(|source| self.failed(source))?;
        if response.status().as_u16() == 200 {
            return Ok(Ok(Lines { response, buffer: Vec::new(), url: self.base.to_string() }));
        }
        self.read(response).await.map(Err)
    }

    fn at(&self, path: &str) -> Result<Url, ControlError> {
        self.base.join(path).map_err(|_ignored| ControlError::Url { url: path.to_owned() })
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Reply, ControlError> {
        let response = request.send().await.map_err(|source| self.failed(source))?;
        self.read(response).await
    }

    async fn read(&self, response: reqwest::Response) -> Result<Reply, ControlError> {
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|source| self.failed(source))?;
        Ok(Reply { status, body: body.to_vec() })
    }

    fn failed(&self, source: reqwest::Error) -> ControlError {
        let url = self.base.to_string();
        if source.is_connect() {
            ControlError::Unreachable { url, source: source.without_url() }
        } else {
            ControlError::Broken { url, source: source.without_url() }
        }
    }
}

/// Lines as they come.
#[derive(Debug)]
pub struct Lines {
    response: reqwest::Response,
    buffer: Vec<u8>,
    url: String,
}

impl Lines {
    /// The next line without its line feed; none once the engine has ended the stream.
    ///
    /// # Errors
    /// [`ControlError::Broken`], [`ControlError::Line`].
    pub async fn next(&mut self) -> Result<Option<String>, ControlError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                return Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(ControlError::Line);
            }
            let chunk = self.response.chunk().await;
            match chunk.map_err(|source| ControlError::Broken { url: self.url.clone(), source })? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn with_headers(
    mut request: RequestBuilder,
    headers: &[(&str, &str)],
) -> Result<RequestBuilder, ControlError> {
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).map_err(|_ignored| header_error(name))?;
        let value = HeaderValue::try_from(*value).map_err(|_ignored| header_error(value))?;
        request = request.header(name, value);
    }
    Ok(request)
}

fn header_error(what: &str) -> ControlError {
    ControlError::Header { what: what.to_owned() }
}
