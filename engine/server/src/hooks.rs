//! `POST /hooks/{provider}/{integration}`: what a provider posts to us. No token and no session: the
//! signature over the bytes as they came is the proof, and without one nothing is read or recorded.
//!
//! The answer is the manifest's, by what became of the message, and comes after the commit; nothing
//! that follows from the message holds it up. A message that could not be taken is asked for again.
//!
//! Anybody can post, so everything that costs something is bounded: the bytes of a body and of all
//! bodies at once, the time for one to arrive, how many are looked at at once. Requests that prove
//! nothing are counted, never recorded one by one.

use crate::app::App;
use crate::guard;
use crate::problem::Problem;
use crate::token_keys::TokenKeys;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use placet_adapters::inbound::{self, Ack, Arrival, Inbound, Received, Reply, Token, Unverified};
use placet_adapters::{Manifest, SecretText};
use placet_executor::arrivals::{self, Landed};
use placet_model::IntegrationId;
use placet_model::event::inbound::Refused;
use placet_model::integration::{Integration, IntegrationStatus};
use placet_vault::Vault;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For a body to arrive, whatever it is.
const BODY_TIME: Duration = Duration::from_secs(10);
/// All bodies that are being read or looked at, in KiB.
const BODIES_KIB_MAX: usize = 64 << 10;
/// Messages that are looked at at once; further ones wait, for as long as the provider does.
const LOOKED_AT_MAX: usize = 32;
/// Before each try of a reading.
const READ_AGAIN: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];

/// What all hooks share.
#[derive(Debug)]
pub(crate) struct Hooks {
    /// KiB of bodies that there is room for.
    room: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    /// Keys of issuers of tokens.
    tokens: TokenKeys,
    /// Connections whose reading is asked for and has not begun.
    hinted: Mutex<BTreeSet<IntegrationId>>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            looks: Arc::new(Semaphore::new(LOOKED_AT_MAX)),
            tokens: TokenKeys::default(),
            hinted: Mutex::default(),
        }
    }
}

/// The routes; outside of everything that the pages and the API are behind.
pub(crate) fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/hooks/{provider}/{integration}", post(hook))
        .layer(from_fn_with_state(Arc::clone(app), guard::host_only))
}

/// Whose webhook it is.
struct Hook {
    app: Arc<App>,
    manifest: Arc<Manifest>,
    integration: Integration,
}

/// What is to be answered, and why nothing was recorded where that counts.
type Refusal = (Ack, Refused);

async fn hook(
    State(app): State<Arc<App>>,
    Path((provider, name)): Path<(String, String)>,
    request: Request,
) -> Response {
    let manifest = app.handle.adapters().manifest(&provider).cloned();
    let Some(manifest) = manifest.filter(|manifest| manifest.inbound().is_some()) else {
        let detail = format!("no provider {provider:?} posts here");
        return Problem::new("PL4012", detail).into_response();
    };
    let Some(inbound) = manifest.inbound() else { return StatusCode::NOT_FOUND.into_response() };
    let inbound = inbound.meant_for(media(request.headers()));
    let Some(integration) = find(&app, &provider, &name) else {
        return respond(inbound.reply(Ack::UnknownConnection));
    };
    let begun = Instant::now();
    let hook = Hook { app, manifest: Arc::clone(&manifest), integration };
    let reply = match hook.take(inbound, request).await {
        Ok(reply) => reply,
        Err((ack, reason)) => {
            hook.count(reason);
            inbound.reply(ack)
        }
    };
    hook.app.measures.acknowledged(begun.elapsed());
    respond(reply)
}

/// What kind of body it says that it has.
fn media(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The integration with this id or name, unless it is gone.
fn find(app: &App, provider: &str, name: &str) -> Option<Integration> {
    let world = app.handle.world();
    let known = match name.parse() {
        Ok(id) => world.integrations.get(&id),
        Err(_no_id) => world.by_name(name),
    };
    let usable = |found: &&Integration| {
        found.provider == provider && found.status != IntegrationStatus::Disconnected
    };
    known.filter(usable).cloned()
}

impl Hook {
    async fn take(&self, inbound: &Inbound, request: Request) -> Result<Reply, Refusal> {
        if self.app.handle.world().stopping || *self.app.closing.borrow() {
            return Ok(self.later(inbound));
        }
        let (parts, body) = request.into_parts();
        let Some((body, _room)) = self.body(inbound, body).await? else {
            return Ok(self.later(inbound));
        };
        let looks = Arc::clone(&self.app.hooks.looks).acquire_owned();
        let Ok(Ok(look)) = tokio::time::timeout(inbound.deadline() / 2, looks).await else {
            return Ok(self.later(inbound));
        };
        let posted =
            Posted { url: self.url(&parts.uri, &parts.headers), headers: parts.headers, body };
        let seen = self.look(posted).await;
        drop(look);
        match seen {
            Some(received) => self.answer(inbound, received).await,
            None => Ok(self.later(inbound)),
        }
    }

    /// The whole body, with the room that it takes; `None` where there is no room, or it does not
    /// arrive: the provider comes again.
    async fn body(
        &self,
        inbound: &Inbound,
        body: Body,
    ) -> Result<Option<(Bytes, Vec<OwnedSemaphorePermit>)>, Refusal> {
        let reading = async {
            let (mut whole, mut room) = (Vec::new(), Vec::new());
            let mut chunks = body.into_data_stream();
            while let Some(chunk) = chunks.next().await {
                let Ok(chunk) = chunk else { return Ok(None) };
                if whole.len() + chunk.len() > inbound.body_max() {
                    return Err((Ack::RetryLater, Refused::TooLarge));
                }
                let kib = u32::try_from(chunk.len().div_ceil(1024)).unwrap_or(u32::MAX);
                let Ok(more) = Arc::clone(&self.app.hooks.room).try_acquire_many_owned(kib) else {
                    return Ok(None);
                };
                room.push(more);
                whole.extend_from_slice(&chunk);
            }
            Ok(Some((Bytes::from(whole), room)))
        };
        tokio::time::timeout(BODY_TIME, reading).await.unwrap_or(Ok(None))
    }

    /// The address that the provider knows us by.
    fn url(&self, uri: &Uri, headers: &HeaderMap) -> String {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or_default();
        let listed = self.app.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
        // a proxy that ends TLS stands before the names that were listed
        let scheme = match text("x-forwarded-proto") {
            Some("http") => "http",
            Some("https") => "https",
            _ if listed => "https",
            _ => "http",
        };
        let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
        format!("{scheme}://{host}{path}")
    }

    /// Verifies and reads it, away from the threads that answer; `None` where the keys cannot be read.
    async fn look(&self, posted: Posted) -> Option<Received> {
        let keys = self.keys(&posted.headers).await?;
        let (manifest, own) = (Arc::clone(&self.manifest), self.integration.identity.clone());
        let at = self.app.handle.now();
        let media = media(&posted.headers).to_owned();
        let seen = tokio::task::spawn_blocking(move || {
            let Posted { url, headers, body } = posted;
            let headers: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| {
                    (
                        name.as_str().to_owned(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect();
            let arrival = Arrival { url: &url, headers: &headers, body: &body, at };
            let given = |field: &str| -> Vec<SecretText> {
                keys.iter().filter(|(name, _)| name == field).map(|(_, key)| key.clone()).collect()
            };
            let inbound = manifest.inbound()?.meant_for(&media);
            Some(inbound.receive(&arrival, &given, Some(&own)))
        });
        seen.await.ok().flatten()
    }

    /// The secrets that may prove the sender; none where the integration has none.
    async fn keys(&self, headers: &HeaderMap) -> Option<Vec<(String, SecretText)>> {
        if let Some(token) = self.manifest.inbound().and_then(Inbound::token) {
            return self.token_keys(token, headers).await;
        }
        let fields = self.manifest.inbound().map(Inbound::key_fields).unwrap_or_default();
        let (id, version) = (self.integration.id, self.integration.credential_version);
        let Some(vault) = self.app.vault.clone().filter(|_| version > 0) else {
            return Some(vec![]);
        };
        let now = self.app.handle.now();
        let read = tokio::task::spawn_blocking(move || -> Result<Vec<_>, placet_vault::Error> {
            let mut keys = vec![];
            for field in fields {
                let current = key(&vault, (id, version), &field)?;
                // the one in force first, then what a rotation has replaced a while ago
                let all = current.into_iter().chain(vault.retired(id, &field, now)?);
                keys.extend(all.map(|key| (field.clone(), key)));
            }
            Ok(keys)
        });
        match read.await {
            Ok(Ok(keys)) => Some(keys),
            Ok(Err(error)) => {
                tracing::error!(%error, integration = %id, "the key of a webhook cannot be read");
                None
            }
            Err(_panicked) => None,
        }
    }

    /// What a token is checked with: published keys, and what the integration's settings say. None where
    /// the keys cannot be had just now: the sender comes again.
    async fn token_keys(
        &self,
        token: &Token,
        headers: &HeaderMap,
    ) -> Option<Vec<(String, SecretText)>> {
        let Some(live) = self.app.live.clone() else { return Some(vec![]) };
        let authorization =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let headers = authorization.map(|value| ("authorization".to_owned(), value.to_owned()));
        let key_id = Token::key_id(headers.as_slice());
        let setting = |name: &str| self.integration.settings[name].as_str().map(str::to_owned);
        let [url, audience, account] = token.settings().map(setting);
        let (Some(url), Some(key_id)) = (url, key_id) else { return Some(vec![]) };
        let adapters = self.app.handle.adapters();
        let published = self.app.hooks.tokens.get((&url, &key_id), (adapters, &live)).await?;
        let all = Token::asked().into_iter().zip([Some(published), audience, account]);
        let given = all.filter_map(|(name, text)| Some((name.to_owned(), SecretText::new(text?))));
        Some(given.collect())
    }

    async fn answer(&self, inbound: &Inbound, received: Received) -> Result<Reply, Refusal> {
        if let Received::Unverified(why) = received {
            return Err((Ack::BadSignature, refused(why)));
        }
        if self.integration.status == IntegrationStatus::Disabled {
            return Err((Ack::RetryLater, Refused::Disabled));
        }
        match received {
            Received::Unverified(why) => Err((Ack::BadSignature, refused(why))),
            Received::Handshake(reply) => {
                self.count(Refused::Handshake);
                Ok(reply)
            }
            Received::Hint => {
                self.measure("hint");
                read_soon(&self.app, self.integration.id);
                Ok(inbound.reply(Ack::Stored))
            }
            Received::Own { .. } => Err((Ack::Stored, Refused::Own)),
            Received::Unknown => Err((Ack::Stored, Refused::Unknown)),
            Received::Event(event) if self.is_elsewhere(&event) => {
                Err((Ack::Stored, Refused::Unknown))
            }
            Received::Event(event) => Ok(inbound.reply(self.land(vec![*event]).await)),
            Received::Several(all) => {
                let mut events = vec![];
                for one in all {
                    match one {
                        Received::Event(event) if !self.is_elsewhere(&event) => events.push(*event),
                        Received::Own { .. } => self.count(Refused::Own),
                        _ => self.count(Refused::Unknown),
                    }
                }
                Ok(inbound.reply(self.land(events).await))
            }
        }
    }

    /// Whether it is of a part of the account that this connection is not for.
    fn is_elsewhere(&self, event: &inbound::Event) -> bool {
        let steps = self.manifest.steps().iter();
        let mut steps = steps.filter(|step| step.is_elsewhere(&self.integration, &event.data));
        steps.next().is_some()
    }

    /// Records what came in one message. One that could not be recorded brings the whole message
    /// again, of which the rest is known by then.
    async fn land(&self, events: Vec<inbound::Event>) -> Ack {
        let Integration { id, credential_version, .. } = self.integration;
        let all = events.into_iter().map(|event| {
            self.app.handle.arrival(arrivals::Arrival {
                integration: id,
                credential_version,
                event,
            })
        });
        let mut ack = Ack::Duplicate;
        for landed in join_all(all).await {
            match landed {
                Ok(Landed::Stored(_)) => {
                    self.measure("stored");
                    ack = Ack::Stored;
                }
                Ok(Landed::Duplicate(_)) => self.measure("duplicate"),
                Err(error) => {
                    let code = error.code();
                    tracing::warn!(
                        code,
                        "what a provider posted is not recorded; it is asked to come again"
                    );
                    self.measure("retry_later");
                    return Ack::RetryLater;
                }
            }
        }
        ack
    }

    /// A message that is to come again.
    fn later(&self, inbound: &Inbound) -> Reply {
        self.measure("retry_later");
        inbound.reply(Ack::RetryLater)
    }

    fn measure(&self, result: &'static str) {
        self.app.measures.arrived(&self.integration.provider, result);
    }

    fn count(&self, reason: Refused) {
        self.measure(reason.word());
        let Integration { id, credential_version, .. } = self.integration;
        self.app.handle.arrival_refused(id, credential_version, reason);
    }
}

/// What came while no engine ran is read at its start.
pub(crate) fn read_what_came(app: &Arc<App>) {
    for id in app.handle.synced_connections() {
        read_soon(app, id);
    }
}

/// Reads a connection beside everything else. Hints that come before a reading has begun are one; a
/// provider that is not heard is asked again a few times, and then at the next hint.
fn read_soon(app: &Arc<App>, id: IntegrationId) {
    let lock =
        |app: &App| app.hooks.hinted.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    if !lock(app) {
        return;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        for wait in READ_AGAIN {
            tokio::time::sleep(wait).await;
            app.hooks.hinted.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            let mut closing = app.closing.clone();
            let read = tokio::select! {
                read = app.handle.sync_hinted(id) => read,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            match read {
                Ok(_) => return,
                Err(error) => {
                    tracing::warn!(%error, integration = %id, "what a provider hinted at is not read yet");
                }
            }
        }
    });
}

/// A request as it came.
struct Posted {
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

fn key(
    vault: &Vault,
    (id, version): (IntegrationId, u32),
    field: &str,
) -> Result<Option<SecretText>, placet_vault::Error> {
    match vault.secret(id, version, field) {
        Ok(key) => Ok(Some(key)),
        Err(
            placet_vault::Error::NoSuchField { .. } | placet_vault::Error::NoSuchVersion { .. },
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

const fn refused(why: Unverified) -> Refused {
    match why {
        Unverified::NoKey => Refused::NoKey,
        Unverified::BadKey => Refused::BadKey,
        Unverified::Unsigned => Refused::Unsigned,
        Unverified::Malformed => Refused::Malformed,
        Unverified::Mismatch => Refused::Mismatch,
        Unverified::Stale => Refused::Stale,
    }
}

fn respond(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = (status, reply.body).into_response();
    let media = reply.media.and_then(|media| HeaderValue::from_str(&media).ok());
    match media {
        Some(media) => drop(response.headers_mut().insert(header::CONTENT_TYPE, media)),
        None => drop(response.headers_mut().remove(header::CONTENT_TYPE)),
    }
    response
}
