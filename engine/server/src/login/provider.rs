//! The login server: what it publishes of itself, its keys, and the exchange of a code. Everything goes
//! through the guarded transport, which dials no private address that the operator has not listed, follows
//! no redirect and bounds what comes back.

use super::Oidc;
use super::pending::Pending;
use super::token::{self, Expected};
use crate::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_adapters::jwt::{PublicKey, keys};
use placet_adapters::{FilledRequest, SecretText};
use placet_model::Timestamp;
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

/// What a server publishes is asked for again after so long.
const KEPT: Duration = Duration::from_mins(10);
/// Bytes of an address that a browser is sent to.
const ADDRESS_MAX: usize = 8 * 1024;

/// What a login server has published.
#[derive(Debug)]
pub(super) struct Published {
    authorize: Url,
    token: String,
    keys_at: String,
    keys: Vec<PublicKey>,
    /// Whether the secret may go in a header, which every server takes that says nothing.
    takes_basic: bool,
    names_issuer: bool,
}

/// The newest of it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    newest: Mutex<Option<(Instant, Arc<Published>)>>,
    /// It is asked for once, however many wait for it.
    asking: tokio::sync::Mutex<()>,
}

impl Kept {
    fn get(&self, now: Instant) -> Option<Arc<Published>> {
        let kept = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, published) = kept.as_ref()?;
        (now.saturating_duration_since(*since) < KEPT).then(|| Arc::clone(published))
    }

    fn set(&self, published: Arc<Published>, now: Instant) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, published));
    }
}

fn silent(words: String) -> Problem {
    Problem::new("PL5043", words)
}

impl Oidc {
    /// What the server publishes, asked for where it is not known.
    pub(super) async fn published(&self) -> Result<Arc<Published>, Problem> {
        if let Some(known) = self.kept.get(Instant::now()) {
            return Ok(known);
        }
        let _turn = self.kept.asking.lock().await;
        if let Some(known) = self.kept.get(Instant::now()) {
            return Ok(known);
        }
        let issuer = self.issuer.trim_end_matches('/');
        let found = self.read(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if found["issuer"] != self.issuer.as_str() {
            let words = "its own document names another issuer: login.oidc.issuer is compared letter by letter";
            return Err(silent(format!("{}: {words}", self.issuer)));
        }
        let text = |name: &str| {
            let lacks = || silent(format!("{}: its document names no {name}", self.issuer));
            found[name].as_str().map(str::to_owned).ok_or_else(lacks)
        };
        let authorize = text("authorization_endpoint")?;
        let authorize = Url::parse(&authorize)
            .ok()
            .filter(|url| url.scheme() == "https" || self.issuer.starts_with("http://"))
            .ok_or_else(|| {
                silent(format!("{}: people cannot be sent there safely", self.issuer))
            })?;
        let methods = found["token_endpoint_auth_methods_supported"].as_array();
        let keys_at = text("jwks_uri")?;
        let published = Arc::new(Published {
            authorize,
            token: text("token_endpoint")?,
            keys: keys(&self.read(&keys_at).await?),
            keys_at,
            takes_basic: methods
                .is_none_or(|methods| methods.iter().any(|one| one == "client_secret_basic")),
            names_issuer: found["authorization_response_iss_parameter_supported"] == true,
        });
        self.kept.set(Arc::clone(&published), Instant::now());
        Ok(published)
    }

    /// The same server with its keys asked for again: it may have new ones.
    async fn renewed(&self, known: &Published) -> Result<Arc<Published>, Problem> {
        let renewed = Arc::new(Published {
            authorize: known.authorize.clone(),
            token: known.token.clone(),
            keys: keys(&self.read(&known.keys_at).await?),
            keys_at: known.keys_at.clone(),
            ..*known
        });
        self.kept.set(Arc::clone(&renewed), Instant::now());
        Ok(renewed)
    }

    async fn read(&self, url: &str) -> Result<Value, Problem> {
        let headers = vec![("accept".to_owned(), SecretText::new("application/json"))];
        let (status, answer) = self.ask("GET", url, (headers, vec![])).await?;
        if status == 200 {
            return Ok(answer);
        }
        Err(silent(format!("{url} answered {status}")))
    }

    async fn ask(
        &self,
        method: &str,
        url: &str,
        (headers, body): (Vec<(String, SecretText)>, Vec<u8>),
    ) -> Result<(u16, Value), Problem> {
        let request =
            FilledRequest { method: method.to_owned(), url: SecretText::new(url), headers, body };
        let answer = self.transport.ask(request).await;
        let answer = answer.map_err(|failed| silent(format!("{url}: {failed}")))?;
        let value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        Ok((answer.status, value))
    }

    /// Where the person's browser is sent.
    pub(super) fn authorize_url(
        &self,
        published: &Published,
        (pending, redirect_uri): (&Pending, &str),
    ) -> Result<String, Problem> {
        let mut url = published.authorize.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.scopes.join(" "))
            .append_pair("state", &pending.state)
            .append_pair("nonce", &pending.nonce)
            .append_pair("code_challenge", &pending.challenge())
            .append_pair("code_challenge_method", "S256");
        let url = url.to_string();
        if url.len() > ADDRESS_MAX {
            return Err(silent(format!("{}: its address is too long", self.issuer)));
        }
        Ok(url)
    }

    /// The answer is this server's own (RFC 9207).
    pub(super) fn check_issuer(
        &self,
        published: &Published,
        given: Option<&str>,
    ) -> Result<(), Problem> {
        match given {
            Some(given) if given != self.issuer => {
                Err(Problem::new("PL5044", "the answer is of another login server"))
            }
            None if published.names_issuer => {
                Err(Problem::new("PL5044", "the answer does not say of which login server it is"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Redeems a code: what the identity token says, once all of it holds.
    pub(super) async fn claims(
        &self,
        (pending, redirect_uri): (&Pending, &str),
        code: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Problem> {
        let mut published = self.published().await?;
        let token = self.redeem(&published, (pending, redirect_uri), code).await?;
        let refused =
            |words: String| Problem::new("PL5045", format!("the identity token: {words}"));
        let read = token::read(&token).map_err(refused)?;
        if !read.is_by_one_of(&published.keys) {
            published = self.renewed(&published).await?;
        }
        let expected =
            Expected { issuer: &self.issuer, client_id: &self.client_id, nonce: &pending.nonce };
        token::check(read, &published.keys, (&expected, now)).map_err(refused)
    }

    /// What redeems a code: headers and form.
    fn redeeming(
        &self,
        published: &Published,
        (pending, redirect_uri): (&Pending, &str),
        code: &str,
    ) -> (Vec<(String, SecretText)>, Vec<u8>) {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("code_verifier", &pending.verifier);
        let mut headers = vec![
            ("accept".to_owned(), SecretText::new("application/json")),
            ("content-type".to_owned(), SecretText::new("application/x-www-form-urlencoded")),
        ];
        match &self.secret {
            Some(secret) if published.takes_basic => {
                // each half as in a form (RFC 6749 §2.3.1)
                let half = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = format!("{}:{}", half(&self.client_id), half(secret.expose()));
                let basic = format!("Basic {}", STANDARD.encode(pair));
                headers.push(("authorization".to_owned(), SecretText::new(basic)));
            }
            Some(secret) => {
                form.append_pair("client_id", &self.client_id)
                    .append_pair("client_secret", secret.expose());
            }
            None => {
                form.append_pair("client_id", &self.client_id);
            }
        }
        (headers, form.finish().into_bytes())
    }

    async fn redeem(
        &self,
        published: &Published,
        of: (&Pending, &str),
        code: &str,
    ) -> Result<String, Problem> {
        let request = self.redeeming(published, of, code);
        let (status, answer) = self.ask("POST", &published.token, request).await?;
        if let Some(token) = answer["id_token"].as_str().filter(|_| status == 200) {
            return Ok(token.to_owned());
        }
        let words = match answer["error"].as_str() {
            Some(error) => format!("the login server says {}", shown(error)),
            None => format!("the login server answered {status}, without an identity token"),
        };
        Err(Problem::new("PL5044", words))
    }
}

/// Words of a login server, as they may stand in ours.
pub(super) fn shown(text: &str) -> String {
    placet_adapters::oauth::shown(text)
}
