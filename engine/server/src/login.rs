//! Logging in at the login server of one's organization (`OpenID` Connect, authorization code with PKCE).
//!
//! `GET /login/oidc` sends a browser there, and `GET /login/callback` takes what it comes back with. Neither
//! takes an address from a request: people go on to a path of this server. What is begun is sealed in a
//! cookie (`pending`), what comes back is checked word by word (`token`), and whose it is says `who`.

mod pending;
mod provider;
mod token;
mod who;

use crate::app::App;
use crate::console::is_local;
use crate::extract::Params;
use crate::pages::{escape, page_leading_on};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use pending::{Pending, Pendings};
use placet_adapters::{SecretText, Transport};
use placet_model::Principal;
use provider::{Kept, shown};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// A login server, and who may come in by it.
#[derive(Debug)]
pub struct Oidc {
    /// Its name for itself, letter by letter.
    pub issuer: String,
    /// Its name for this engine.
    pub client_id: String,
    /// What this engine proves itself with; none for a public client.
    pub secret: Option<SecretText>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// The claim that names the person.
    pub claim: String,
    /// Domains of verified addresses that may come in; any without one.
    pub domains: Vec<String>,
    /// Groups that may come in; everybody without one.
    pub groups: Vec<String>,
    /// The claim that names them.
    pub groups_claim: String,
    /// Principals by what the claim says, where that is not their name.
    pub people: BTreeMap<String, Principal>,
    /// The way out.
    pub transport: Arc<dyn Transport>,
    kept: Kept,
}

impl Oidc {
    /// With everything else as it usually is.
    pub fn new(issuer: &str, client_id: &str, transport: Arc<dyn Transport>) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            secret: None,
            scopes: ["openid", "profile", "email"].map(str::to_owned).into(),
            claim: "preferred_username".to_owned(),
            domains: vec![],
            groups: vec![],
            groups_claim: "groups".to_owned(),
            people: BTreeMap::new(),
            transport,
            kept: Kept::default(),
        }
    }

    /// How people know it.
    pub(crate) fn host(&self) -> &str {
        let rest = self.issuer.split_once("://").map_or(self.issuer.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }
}

/// A login server with the logins that are under way there.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) oidc: Oidc,
    pendings: Pendings,
}

impl Login {
    pub(crate) fn new(oidc: Oidc, port: u16) -> Self {
        Self { oidc, pendings: Pendings::new(port) }
    }
}

fn login_of(app: &App) -> Result<&Login, Problem> {
    app.login.as_ref().ok_or_else(|| Problem::new("PL4012", "this engine has no login server"))
}

/// Where the login server sends people back to, under the name that they have opened: cookies are one
/// name's. The guard has looked at it.
fn redirect_uri(app: &App, headers: &HeaderMap) -> Result<String, Problem> {
    let host = crate::caller::one(headers, header::HOST.as_str())?.unwrap_or_default();
    let is_listed = app.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    let scheme = if is_listed { "https" } else { "http" };
    Ok(format!("{scheme}://{}/login/callback", host.to_ascii_lowercase()))
}

/// `GET /login/oidc?next=…`.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    let params = params.only(&["next"])?;
    let login = login_of(&app)?;
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let next = params.text("next").filter(|next| is_local(next)).unwrap_or("/");
    let published = login.oidc.published().await?;
    let (pending, cookie) = login.pendings.begin(next, (Instant::now(), app.is_behind_tls()));
    let redirect = redirect_uri(&app, &headers)?;
    let url = login.oidc.authorize_url(&published, (&pending, &redirect))?;
    let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, url)];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// `GET /login/callback`: what the login server sends a person back with.
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    let login = login_of(&app)?;
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let refused = |words: &str| Problem::new("PL5044", words);
    let cookie = crate::session::cookie(&headers, login.pendings.cookie());
    let state = params.text("state").unwrap_or_default();
    let taken = login.pendings.take((cookie, state), Instant::now());
    let pending = taken.map_err(|why| refused(why.words()))?;
    if let Some(error) = params.text("error") {
        let words = params.text("error_description").map(|words| format!(": {}", shown(words)));
        let words = words.unwrap_or_default();
        return Err(refused(&format!("the login server says {}{words}", shown(error))));
    }
    let code = params.text("code").ok_or_else(|| refused("the answer holds no code"))?;
    let published = login.oidc.published().await?;
    login.oidc.check_issuer(&published, params.text("iss"))?;
    let redirect = redirect_uri(&app, &headers)?;
    let who = identified(&app, login, (&pending, &redirect), code).await?;
    let session = app.sessions.begin(&who, app.is_behind_tls());
    let next = escape(&pending.next);
    let text = format!("<p>You are {}. <a href=\"{next}\">Go on</a>.</p>", escape(who.as_str()));
    Ok(([(header::SET_COOKIE, session)], page_leading_on("Logged in", &text, &next))
        .into_response())
}

/// The principal whose login it is, whom the policy knows.
async fn identified(
    app: &App,
    login: &Login,
    of: (&Pending, &str),
    code: &str,
) -> Result<Principal, Problem> {
    let stranger = |words: String| Problem::new("PL4052", words);
    let claims = login.oidc.claims(of, code, app.handle.now()).await?;
    login.pendings.redeemed(of.0, Instant::now());
    let who = who::principal(&login.oidc, &claims).map_err(stranger)?;
    let world = app.handle.world();
    match world.policy.principals.get(&who) {
        Some(info) if info.kind == placet_model::actor::PrincipalKind::User => Ok(who),
        Some(_program) => Err(stranger(format!("{who} is no person, and has a token instead"))),
        None => Err(stranger(format!(
            "the login server says that you are {who}, and the policy knows nobody of that name"
        ))),
    }
}
