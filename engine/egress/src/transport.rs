//! [`Egress`]: check, fill the holes, send once, read within bounds.

use crate::client::{Clients, Kind, Speaking};
use crate::client_certificate;
use crate::config::EgressConfig;
use crate::destination::{Destination, Reach, Source};
use crate::failure::failed;
use crate::headers;
use crate::live::Live;
use crate::once;
use crate::renewals::{Obtain, Renewals};
use crate::resolver::{GuardedResolver, Lookup, SystemLookup};
use crate::smtp;
use crate::timeouts::Clock;
use crate::tokens::{self, Tokens, WithTokens};
use crate::turns::{self, Turns};
use placet_adapters::manifest::ClientCertificate;
use placet_adapters::{
    Answer, Call, CallIntegration, Cause, Failed, FillHoles, FilledRequest, Operation, Performing,
    Preparing, Redirects, Response, SecretText, Stage, Transport, Turn, Waiting, fill, oauth,
};
use placet_model::Timestamp;
use placet_model::request::PreparedRequest;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION};
use reqwest::{Client, Method, StatusCode};
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Redirects that a read follows.
const REDIRECTS_MAX: usize = 5;

/// The live transport. Cheap to share.
#[derive(Debug, Clone)]
pub struct Egress {
    config: Arc<EgressConfig>,
    clients: Arc<Clients>,
    holes: Arc<dyn FillHoles>,
    pub(crate) kept_tokens: Arc<Tokens>,
    pub(crate) renewals: Arc<Renewals>,
    turns: Arc<Turns>,
}

impl Egress {
    /// A transport under these rules; `holes` is the only source of secrets.
    pub fn new(live: Live, config: EgressConfig, holes: Arc<dyn FillHoles>) -> Self {
        Self::with_lookup(live, (config, holes), Arc::new(SystemLookup))
    }

    /// The same, with another source of addresses. Its answers pass the same checks.
    pub fn with_lookup(
        _live: Live,
        (config, holes): (EgressConfig, Arc<dyn FillHoles>),
        lookup: Arc<dyn Lookup>,
    ) -> Self {
        let config = Arc::new(config);
        let clients = Arc::new(Clients::new(Arc::clone(&config), lookup));
        let turns = Arc::new(Turns::new(config.turns));
        let (kept_tokens, renewals) = Default::default();
        Self { config, clients, holes, kept_tokens, renewals, turns }
    }

    pub(crate) fn config(&self) -> &EgressConfig {
        &self.config
    }

    pub(crate) fn resolver(&self, reach: Reach) -> GuardedResolver {
        self.clients.resolver(reach)
    }

    pub(crate) fn tls(&self, speaking: Speaking) -> Result<Arc<ClientConfig>, String> {
        self.clients.tls(speaking)
    }

    pub(crate) fn holes(&self) -> &dyn FillHoles {
        &*self.holes
    }

    /// Runs one errand. Its time begins when everything of ours is ready: what fails before that
    /// is before the send, whatever it took.
    pub(crate) async fn run(&self, errand: &Errand<'_>) -> Answer {
        if smtp::takes(&errand.request.method) {
            let filled = fill(errand.request, errand.integration, &*self.holes, now())
                .map_err(|error| Failed::before(Cause::Hole, error.to_string()))?;
            return self.mail(errand, &filled).await;
        }
        if !tokens::any_in(errand.request) {
            let filled = self.filled(errand, BTreeMap::new())?;
            return self.run_filled(errand, filled).await;
        }
        // half of the time is for the token, so that the whole stays within it
        let half = Errand { timeout: errand.timeout / 2, ..*errand };
        let target = self.checked(&errand.request.url.to_string(), Source::Request)?;
        let host = target.url.host_str().unwrap_or_default();
        let tokens = self.tokens(errand.request, (host, half.timeout)).await?;
        let filled = self.filled(errand, tokens)?;
        let answer = self.run_filled(&half, filled).await;
        if answer.as_ref().is_ok_and(|response| response.status == 401) {
            self.forget_tokens(errand.request).await;
        }
        answer
    }

    fn filled(
        &self,
        errand: &Errand<'_>,
        tokens: BTreeMap<String, SecretText>,
    ) -> Result<FilledRequest, Failed> {
        self.checked(&errand.request.url.to_string(), Source::Request)?;
        let holes = WithTokens { tokens, assertion: errand.assertion, others: &*self.holes };
        fill(errand.request, errand.integration, &holes, now())
            .map_err(|error| Failed::before(Cause::Hole, error.to_string()))
    }

    /// Sends a request whose holes are filled.
    pub(crate) async fn run_filled(&self, errand: &Errand<'_>, filled: FilledRequest) -> Answer {
        let hop = self.first_hop(errand, filled)?;
        if errand.redirects == Redirects::Never {
            // a gated call never shares a connection: on one that the server may have closed already,
            // nobody can tell a call that never left from one that was lost
            let secured = self.secured(errand, &hop)?;
            let clock = Clock::start(self.config.timeouts, errand.timeout);
            return self.send_once(errand, (&hop, secured), &clock).await;
        }
        self.client(errand, &hop)?;
        match tokio::time::timeout(errand.timeout, self.travel(errand, hop)).await {
            Ok(answer) => answer,
            // connecting has a shorter limit of its own: the request may have been written
            Err(_elapsed) => Err(Failed::after(
                Cause::Timeout,
                format!("no whole answer in {} ms", errand.timeout.as_millis()),
            )),
        }
    }

    /// The first request, towards a target that may be called.
    fn first_hop(&self, errand: &Errand<'_>, filled: FilledRequest) -> Result<Hop, Failed> {
        let plain = errand.request.url.to_string();
        let first = self.checked(&plain, Source::Request)?;
        // a hole in the URL must not have moved the request elsewhere
        let destination = self.checked(filled.url.expose(), Source::Request)?;
        if !destination.same_origin(&first) {
            return Err(Failed::before(
                Cause::Refused,
                "a secret has changed where the url points",
            ));
        }
        Ok(Hop {
            method: method(&filled)?,
            headers: headers::outgoing(&filled)?,
            body: filled.body,
            destination,
        })
    }

    async fn travel(&self, errand: &Errand<'_>, mut hop: Hop) -> Answer {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(errand, &hop).await?;
            match self.next_hop(errand, &hop, &response)? {
                Some(next) => hop = next,
                None => return read(response, errand.bytes_max).await,
            }
        }
        Err(Failed::after(Cause::Unreadable, format!("more than {REDIRECTS_MAX} redirects")))
    }

    fn checked(&self, url: &str, source: Source) -> Result<Destination, Failed> {
        Destination::check(url, &self.config, source)
            .map_err(|refusal| Failed::before(Cause::Refused, refusal.to_string()))
    }

    /// The client for a hop; made when it is first needed, which takes time.
    fn client(&self, errand: &Errand<'_>, hop: &Hop) -> Result<Client, Failed> {
        let kind = Kind::new(hop.destination.reach, self.config.timeouts, errand.timeout);
        if let Some(certificate) = errand.certificate
            && self.is_first(errand, hop)?
        {
            let url = &hop.destination.url;
            let own = client_certificate::identity(&*self.holes, (errand, certificate), url)?;
            let client = self.clients.showing(kind, own);
            return client.map_err(|_unsaid| client_certificate::unfit());
        }
        self.clients.get(kind).map_err(|_ignored| no_certificates())
    }

    /// TLS for a connection of our own, with the certificate that the provider asks for; none where
    /// the address is plain.
    fn secured(&self, errand: &Errand<'_>, hop: &Hop) -> Result<Option<Arc<ClientConfig>>, Failed> {
        let url = &hop.destination.url;
        let config = match errand.certificate {
            Some(certificate) => {
                let pair = client_certificate::pair(&*self.holes, (errand, certificate), url)?;
                let config = self.clients.tls_showing(pair);
                config.map(|fits| fits.ok_or_else(client_certificate::unfit))
            }
            None if url.scheme() == "https" => self.tls(Speaking::Http).map(Ok),
            None => return Ok(None),
        };
        config.map_err(|_unreadable| no_certificates())?.map(Some)
    }

    /// Whether a hop goes to the origin that the request names; a redirect elsewhere gets no
    /// credential.
    fn is_first(&self, errand: &Errand<'_>, hop: &Hop) -> Result<bool, Failed> {
        let first = self.checked(&errand.request.url.to_string(), Source::Request)?;
        Ok(hop.destination.same_origin(&first))
    }

    async fn send(&self, errand: &Errand<'_>, hop: &Hop) -> Result<reqwest::Response, Failed> {
        let client = self.client(errand, hop)?;
        let mut request = client
            .request(hop.method.clone(), hop.destination.url.clone())
            .headers(hop.headers.clone());
        if !hop.body.is_empty() {
            request = request.body(hop.body.clone());
        }
        request.send().await.map_err(|error| failed(&error))
    }

    /// The next request, if the answer is a redirect that may be followed.
    fn next_hop(
        &self,
        errand: &Errand<'_>,
        hop: &Hop,
        response: &reqwest::Response,
    ) -> Result<Option<Hop>, Failed> {
        let movable = matches!(
            response.status(),
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        let safe = matches!(hop.method, Method::GET | Method::HEAD | Method::OPTIONS)
            && hop.body.is_empty();
        let Some(location) = response.headers().get(LOCATION).filter(|_| movable && safe) else {
            return Ok(None);
        };
        if errand.redirects == Redirects::Never {
            return Ok(None);
        }
        let refuse = |words: &str| {
            Failed::after(Cause::Refused, format!("a redirect was not followed: {words}"))
        };
        let target = location
            .to_str()
            .ok()
            .and_then(|location| hop.destination.url.join(location).ok())
            .ok_or_else(|| refuse("it names no url"))?;
        if errand.redirects == Redirects::FollowListed
            && !oauth::is_listed(&target, &self.config.read_hosts)
        {
            return Ok(None);
        }
        let source = match hop.destination.reach {
            Reach::Public => Source::PublicRedirect,
            Reach::Listed => Source::ListedRedirect,
        };
        let destination = Destination::check(target.as_str(), &self.config, source)
            .map_err(|refusal| refuse(&refusal.to_string()))?;
        let mut headers = hop.headers.clone();
        if !destination.same_origin(&hop.destination) {
            drop_credentials(&mut headers, errand.request);
        }
        Ok(Some(Hop { method: hop.method.clone(), headers, body: Vec::new(), destination }))
    }
}

impl Transport for Egress {
    fn perform(&self, call: Call) -> Performing<'_> {
        Box::pin(async move {
            let errand = Errand::of(&call);
            if let Some(spec) = call.operation.signed() {
                return self.run_signed(&errand, spec).await;
            }
            let Some(spec) = call.operation.grants() else { return self.run(&errand).await };
            let obtain = if call.attempt.is_some() { Obtain::Ahead } else { Obtain::Now };
            self.run_granted(&errand, spec, obtain).await
        })
    }

    fn turn<'a>(&'a self, url: &'a str, of: Option<&'a CallIntegration>) -> Waiting<'a> {
        let lane = of.map(|integration| integration.id.to_string());
        // what is no URL is refused when it is sent, and goes nowhere
        let Some(host) = turns::host(url) else { return Box::pin(ready(Turn::free())) };
        Box::pin(
            async move { self.turns.wait(host, lane).await.map_or_else(Turn::free, Turn::holding) },
        )
    }

    fn ask(&self, request: FilledRequest) -> Performing<'_> {
        Box::pin(self.ask_server(request))
    }

    fn is_ready(&self, of: &CallIntegration, operation: &Operation) -> bool {
        operation.grants().is_none_or(|spec| self.has_token(of, spec))
    }

    fn make_ready(&self, of: CallIntegration, operation: Arc<Operation>) -> Preparing<'_> {
        Box::pin(async move {
            if let Some(spec) = operation.grants() {
                self.renew_ahead(&of, spec).await;
            }
        })
    }
}

/// What of a call matters on the way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand<'a> {
    pub(crate) request: &'a PreparedRequest,
    pub(crate) integration: Option<&'a CallIntegration>,
    pub(crate) redirects: Redirects,
    pub(crate) timeout: Duration,
    pub(crate) bytes_max: usize,
    /// Shown while the connection is made, to the origin that the request names.
    pub(crate) certificate: Option<&'a ClientCertificate>,
    /// What the credential has signed for this call.
    pub(crate) assertion: Option<&'a SecretText>,
}

impl<'a> Errand<'a> {
    fn of(call: &'a Call) -> Self {
        Self {
            request: &call.request,
            integration: call.integration.as_ref(),
            redirects: call.redirects,
            timeout: call.timeout,
            bytes_max: call.response_bytes_max,
            certificate: call.operation.client_certificate(),
            assertion: None,
        }
    }
}

/// One request on its way.
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) destination: Destination,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

fn no_certificates() -> Failed {
    Failed::before(Cause::Tls, "the platform's certificates cannot be read")
}

fn method(filled: &FilledRequest) -> Result<Method, Failed> {
    Method::from_bytes(filled.method.as_bytes())
        .map_err(|_ignored| Failed::before(Cause::Refused, "the method is no token"))
}

/// Everything that could be a credential: every header with a hole, and the usual names.
fn drop_credentials(headers: &mut HeaderMap, request: &PreparedRequest) {
    for (name, value) in &request.headers {
        if value.holes().next().is_some() {
            headers.remove(name.as_str());
        }
    }
    headers.remove(AUTHORIZATION);
    headers.remove(COOKIE);
}

async fn read(mut response: reqwest::Response, bytes_max: usize) -> Answer {
    let status = response.status().as_u16();
    let notes = once::unpacked_note(response.headers());
    let headers = headers::incoming(response.headers())?;
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(headers::too_large(bytes_max));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| after(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(headers::too_large(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { notes, ..Response::new(status, headers, body) })
}

/// Whatever breaks while an answer is read comes after the send.
fn after(error: &reqwest::Error) -> Failed {
    let Failed { cause, detail, .. } = failed(error);
    Failed::after(cause, detail).at(Stage::Body)
}

/// This try's moment, for timestamp and signature holes.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
