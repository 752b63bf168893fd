//! The other end of the inbox service: what a person's command line uses to ask over NATS.

use std::time::Duration;

use async_nats::{Client, HeaderMap, Request, RequestErrorKind, ServerAddr};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use placet_model::Principal;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::connect;
use crate::inbox::{InboxRefusal, Verb};
use crate::subjects::{self, HEADER_REQUEST_ID, ParseTokenError, Token};

/// How long one try waits for its answer.
const TRY: Duration = Duration::from_secs(5);

/// How long a request is repeated under its own id, over a restart of the engine, before its outcome is reported as
/// unknown.
const PATIENCE: Duration = Duration::from_secs(15);

/// Between two tries while nobody answers.
const PAUSE: Duration = Duration::from_millis(250);

/// One user's way to their inbox.
#[derive(Debug, Clone)]
pub struct InboxClient {
    client: Client,
    user: Token,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The name cannot stand in a subject.
    #[error("the user's name cannot be used")]
    User {
        #[source]
        /// Why.
        source: ParseTokenError,
    },
    /// What was given is no address.
    #[error("{url:?} is no address such as nats://127.0.0.1:4222: {reason}")]
    Address {
        /// What was given.
        url: String,
        /// The client library's words.
        reason: String,
    },
    /// No server at the address, or it does not let us in.
    #[error("no connection to the NATS server: {reason}")]
    Connect {
        /// The client library's words.
        reason: String,
    },
    /// Nobody serves inboxes there, or the permission is missing; a decision may have been recorded all the same.
    #[error("no answer: {reason}; ask again with the same request id to learn the outcome")]
    NoAnswer {
        /// What the last try met.
        reason: String,
    },
    /// An answer that is not of this protocol.
    #[error("the answer cannot be read: {reason}")]
    Answer {
        /// What is wrong with it.
        reason: String,
    },
    /// A lawful no.
    #[error("{} {}: {}", refusal.code, refusal.title, refusal.detail)]
    Refused {
        /// The engine's words.
        refusal: InboxRefusal,
    },
}

/// Whether a server could be looked for at this URL at all.
///
/// # Errors
/// [`ClientError::Address`].
pub fn check_address(url: &str) -> Result<(), ClientError> {
    address(url).map(drop)
}

fn address(url: &str) -> Result<ServerAddr, ClientError> {
    url.parse().map_err(|error: std::io::Error| {
        // a password may stand before the host
        let shown = url.rsplit_once('@').map_or(url, |(_login, host)| host).to_owned();
        ClientError::Address { url: shown, reason: error.to_string() }
    })
}

impl InboxClient {
    /// Connects as `user`; `seed` is the user's nkey seed, where the server knows its users by key.
    ///
    /// # Errors
    /// [`ClientError::User`], [`ClientError::Connect`].
    pub async fn connect(
        url: &str,
        user: &Principal,
        seed: Option<&str>,
    ) -> Result<Self, ClientError> {
        let user = Token::parse(user.as_str()).map_err(|source| ClientError::User { source })?;
        let refused = |reason: String| ClientError::Connect { reason };
        let address = address(url)?;
        let mut options = connect::login(&address, seed).name("placet inbox");
        if let Some(seed) = seed {
            let key =
                nkeys::KeyPair::from_seed(seed).map_err(|error| refused(error.to_string()))?;
            // the permission to subscribe is for one's own replies only
            options = options.custom_inbox_prefix(format!("_INBOX_{}", key.public_key()));
        }
        let client = options.connect(address).await;
        Ok(Self { client: client.map_err(|error| refused(error.to_string()))?, user })
    }

    /// Asks, and asks again under the same id while nobody answers: the same id gets the same answer, so a decision is
    /// recorded once however often it is sent.
    ///
    /// # Errors
    /// [`ClientError::Refused`], [`ClientError::NoAnswer`], [`ClientError::Answer`].
    pub async fn ask(
        &self,
        verb: Verb,
        request_id: &str,
        body: &Map<String, Value>,
    ) -> Result<Value, ClientError> {
        let subject = subjects::inbox_request(&self.user, verb);
        let payload = Bytes::from(Value::Object(body.clone()).to_string());
        let until = Instant::now() + PATIENCE;
        loop {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER_REQUEST_ID, request_id);
            let request =
                Request::new().payload(payload.clone()).headers(headers).timeout(Some(TRY));
            match self.client.send_request(subject.clone(), request).await {
                Ok(answer) => return answer_of(&answer.payload),
                Err(error) => {
                    let again = matches!(
                        error.kind(),
                        RequestErrorKind::TimedOut | RequestErrorKind::NoResponders
                    );
                    if !again || Instant::now() >= until {
                        return Err(ClientError::NoAnswer { reason: error.to_string() });
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Notices that the inbox changed, from now on. Hints: whoever misses one finds the same by asking.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub async fn notices(&self) -> Result<impl Stream<Item = Value> + use<>, ClientError> {
        let refused = |reason: String| ClientError::Connect { reason };
        let told = self.client.subscribe(subjects::inbox_event(&self.user)).await;
        let told = told.map_err(|error| refused(error.to_string()))?;
        Ok(told
            .filter_map(|notice| std::future::ready(serde_json::from_slice(&notice.payload).ok())))
    }
}

fn answer_of(payload: &[u8]) -> Result<Value, ClientError> {
    let answer: Value = serde_json::from_slice(payload)
        .map_err(|error| ClientError::Answer { reason: error.to_string() })?;
    let error = &answer["error"];
    if error.is_null() {
        return Ok(answer);
    }
    let text = |member: &str| error[member].as_str().unwrap_or_default().to_owned();
    let refusal = InboxRefusal { code: text("code"), title: text("title"), detail: text("detail") };
    Err(ClientError::Refused { refusal })
}
