//! Tokens of authorization servers, obtained right before the bytes leave and never earlier: one
//! request at a time for each, kept in memory until shortly before they expire, written nowhere.
//!
//! A token is asked for only at hosts that the operator lists. Its secrets must be bound to the
//! server that they go to, and to the host that the token goes to: what they buy goes no further
//! than they may go themselves. Whatever fails here is before the send.

use crate::transport::{Egress, Errand};
use placet_adapters::oauth::{self, Client};
use placet_adapters::{
    Cause, Failed, FillError, FillHoles, FilledRequest, Redirects, Response, SecretText,
    WantedHole, secrets,
};
use placet_model::plan::Authentication;
use placet_model::request::{Body, Hole, HoleKind, HoledText, PreparedRequest};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// Bytes of an authorization server's answer.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// Descriptions of tokens that are remembered.
const KEPT_MAX: usize = 1000;

/// The tokens in hand, by the description of how they are obtained.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    kept: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Slot>>>>,
}

/// One of them. Whoever holds the lock is the only one who asks for it.
#[derive(Debug, Default)]
struct Slot {
    token: Option<(SecretText, Instant)>,
    /// Takes the place of the refresh token that it was renewed with.
    refresh: Option<SecretText>,
}

impl Tokens {
    fn slot(&self, description: &str) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX && !kept.contains_key(description) {
            kept.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(kept.entry(description.to_owned()).or_default())
    }
}

/// The tokens of one request, before every other source of secrets.
#[derive(Debug)]
pub(crate) struct WithTokens<'a> {
    pub(crate) tokens: BTreeMap<String, SecretText>,
    /// What the credential has signed for this request.
    pub(crate) assertion: Option<&'a SecretText>,
    pub(crate) others: &'a dyn FillHoles,
}

impl FillHoles for WithTokens<'_> {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        if let Some(assertion) = self.assertion.filter(|_| oauth::is_assertion(wanted.hole)) {
            return Ok(assertion.clone());
        }
        if wanted.hole.hole != HoleKind::Token {
            return self.others.fill(wanted);
        }
        let token = self.tokens.get(&wanted.hole.name).cloned();
        token.ok_or_else(|| FillError::Unknown { hole: wanted.hole.clone() })
    }
}

/// The descriptions of the tokens that a request holds.
fn wanted(request: &PreparedRequest) -> Vec<&Hole> {
    let mut holes = request.holes();
    holes.retain(|hole| hole.hole == HoleKind::Token);
    holes.dedup();
    holes
}

/// Whether a request holds a token.
pub(crate) fn any_in(request: &PreparedRequest) -> bool {
    !wanted(request).is_empty()
}

impl Egress {
    /// Every token that the request holds, within `limit`.
    pub(crate) async fn tokens(
        &self,
        request: &PreparedRequest,
        (host, limit): (&str, Duration),
    ) -> Result<BTreeMap<String, SecretText>, Failed> {
        let mut tokens = BTreeMap::new();
        for hole in wanted(request) {
            let token = tokio::time::timeout(limit, self.token(hole, (host, limit))).await;
            let token = token.unwrap_or_else(|_elapsed| {
                let words = format!("no token within {} ms", limit.as_millis());
                Err(Failed::before(Cause::Timeout, words))
            });
            tokens.insert(hole.name.clone(), token?);
        }
        Ok(tokens)
    }

    /// Asks anew next time: a server has refused what was in hand.
    pub(crate) async fn forget_tokens(&self, request: &PreparedRequest) {
        for hole in wanted(request) {
            self.kept_tokens.slot(&hole.name).lock().await.token = None;
        }
    }

    async fn token(
        &self,
        hole: &Hole,
        (host, limit): (&str, Duration),
    ) -> Result<SecretText, Failed> {
        for name in secrets::names(hole) {
            self.secret(&name, host)?;
        }
        let slot = self.kept_tokens.slot(&hole.name);
        let mut slot = slot.lock().await;
        if let Some((token, until)) = &slot.token
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        slot.token = None;
        let (endpoint, mut client) = self.client_of(hole, (host, limit)).await?;
        if let Some(refresh) = slot.refresh.take() {
            client.renewed_by(refresh);
        }
        let server = endpoint.host_str().unwrap_or_default().to_owned();
        let answer = self.ask(oauth::request(&client, &endpoint), limit).await?;
        let token = oauth::token(&server, &client.issuers, &answer).map_err(|e| failed(&e))?;
        slot.refresh = token.refresh;
        if !token.keep_for.is_zero() {
            slot.token = Some((token.access.clone(), Instant::now() + token.keep_for));
        }
        Ok(token.access)
    }

    /// Where to ask, and as whom.
    async fn client_of(
        &self,
        hole: &Hole,
        (host, limit): (&str, Duration),
    ) -> Result<(Url, Client), Failed> {
        let description = oauth::described(hole)
            .ok_or_else(|| Failed::before(Cause::Hole, "the token is described in no known way"))?;
        match description {
            Authentication::OAuth2(spec) | Authentication::Oidc(spec) => {
                let at = (spec.authority.as_str(), spec.token_endpoint.as_deref());
                let endpoint = self.endpoint(at, &spec.issuers, limit).await?;
                let server = endpoint.host_str().unwrap_or_default();
                let client = Client::of(&spec, |name| self.secret(name, server))?;
                Ok((endpoint, client))
            }
            Authentication::Stored { scheme, secret } => {
                let text = self.secret(&secret, host)?;
                let client =
                    Client::stored(&secret, &scheme, &text).map_err(|error| failed(&error))?;
                let at = (client.authority.as_str(), client.token_endpoint.as_deref());
                let endpoint = self.endpoint(at, &client.issuers, limit).await?;
                self.secret(&secret, endpoint.host_str().unwrap_or_default())?;
                Ok((endpoint, client))
            }
            Authentication::Basic { .. } | Authentication::Bearer { .. } => {
                Err(Failed::before(Cause::Hole, "a token is described as something else"))
            }
        }
    }

    /// The token endpoint; where the provider describes itself, it is asked first.
    async fn endpoint(
        &self,
        (authority, path): (&str, Option<&str>),
        issuers: &[String],
        limit: Duration,
    ) -> Result<Url, Failed> {
        if let Some(path) = path {
            return self.listed(oauth::endpoint(authority, path));
        }
        let url = self.listed(oauth::discovery_url(authority))?;
        let request = FilledRequest {
            method: "GET".to_owned(),
            url: SecretText::new(url.as_str()),
            headers: vec![("Accept".to_owned(), SecretText::new("application/json"))],
            body: Vec::new(),
        };
        let answer = self.ask(request, limit).await?;
        let host = url.host_str().unwrap_or_default();
        if answer.status != 200 {
            let (host, status) = (host.to_owned(), answer.status);
            return Err(failed(&oauth::Error::Unavailable { host, status }));
        }
        let body = answer.json().unwrap_or_default();
        self.listed(oauth::discovered(authority, issuers, &body))
    }

    /// The URL, if the operator lists its host.
    fn listed(&self, url: Result<Url, oauth::Error>) -> Result<Url, Failed> {
        let url = url.map_err(|error| failed(&error))?;
        let hosts = &self.config().read_hosts;
        let allowed = self.config().allow.iter().map(ToString::to_string);
        let hosts: Vec<String> = hosts.iter().cloned().chain(allowed).collect();
        if oauth::is_listed(&url, &hosts) {
            return Ok(url);
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        Err(failed(&oauth::Error::NotListed { host }))
    }

    /// A secret of the operator, if it may go to this host.
    fn secret(&self, name: &str, host: &str) -> Result<SecretText, Failed> {
        let hole = Hole { hole: HoleKind::Secret, name: name.to_owned() };
        let wanted = WantedHole { hole: &hole, integration: None, host };
        self.holes().fill(&wanted).map_err(|error| Failed::before(Cause::Hole, error.to_string()))
    }

    /// Asks an authorization server once. Nothing of the call itself has left whatever comes of it.
    async fn ask(&self, request: FilledRequest, limit: Duration) -> Result<Response, Failed> {
        let shown = PreparedRequest {
            method: request.method.clone(),
            url: HoledText::plain(request.url.expose()),
            headers: Vec::new(),
            body: Body::Empty,
        };
        let errand = Errand {
            request: &shown,
            integration: None,
            redirects: Redirects::Never,
            timeout: limit,
            bytes_max: ANSWER_BYTES_MAX,
            certificate: None,
            assertion: None,
        };
        let answer = self.run_filled(&errand, request).await;
        answer.map_err(|failed| {
            let words = format!("no token could be asked for: {}", failed.detail);
            Failed::before(failed.cause, words)
        })
    }
}

/// A server that is not available may be later; everything else stays as it is.
fn failed(error: &oauth::Error) -> Failed {
    let cause = match error {
        oauth::Error::Unavailable { .. } => Cause::Connect,
        oauth::Error::Refused { .. } | oauth::Error::Unusable { .. } => Cause::Hole,
        oauth::Error::Server { .. }
        | oauth::Error::NotListed { .. }
        | oauth::Error::Stored { .. }
        | oauth::Error::Discovery { .. } => Cause::Refused,
    };
    Failed::before(cause, error.to_string())
}
