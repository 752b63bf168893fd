//! The two pages that a person's browser sees between us and a provider. The link binds the browser by a
//! cookie and sends it on; the callback takes the provider's answer, once. Neither takes an address from a
//! request, so neither can send anybody elsewhere. HEAD, as sent by those who only look at a link, uses
//! nothing up.

use crate::api::authorize::{self, Exchanged};
use crate::app::App;
use crate::authorizations::Stage;
use crate::extract::{Params, Place};
use crate::pages::{escape, page};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use placet_adapters::oauth::{Asking, shown};
use std::sync::Arc;

/// `GET /integrations/{provider}/start?ticket=…`.
pub(crate) async fn start(
    State(app): State<Arc<App>>,
    Place(provider): Place<String>,
    method: Method,
    params: Params,
) -> Result<Response, Problem> {
    let params = params.only(&["ticket"])?;
    if method == Method::HEAD {
        return Ok(StatusCode::OK.into_response());
    }
    let secure = !app.hosts.is_empty();
    let opened = params.text("ticket").and_then(|ticket| app.authorizations.open(ticket, secure));
    let Some((intent, cookie)) = opened.filter(|(intent, _)| intent.provider == provider) else {
        let words = "This link is not good, was opened before, or is older than ten minutes. Ask for \
                     another with placet integrations connect … --oauth.";
        return Ok(said(StatusCode::UNAUTHORIZED, "Not connected", words));
    };
    let grant = authorize::grant_of(&app, &intent.provider)?;
    let asking = Asking {
        client: &intent.client,
        redirect_uri: &intent.redirect_uri,
        state: &intent.state,
        verifier: &intent.verifier,
        scopes: &intent.scopes,
    };
    let url = grant.authorize_url(&intent.settings, &asking);
    let url = url.map_err(|error| Problem::new("PL5030", error.to_string()))?;
    let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, url.to_string())];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// `GET /integrations/{provider}/callback`: what a provider sends a person back with.
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    Place(provider): Place<String>,
    method: Method,
    headers: HeaderMap,
    params: Params,
) -> Response {
    if method == Method::HEAD {
        return StatusCode::OK.into_response();
    }
    let state = params.text("state").unwrap_or_default();
    let browser = browser(&headers, app.authorizations.cookie());
    let (id, intent) = match app.authorizations.take((&provider, state), browser) {
        Ok(taken) => taken,
        Err(why) => return said(StatusCode::BAD_REQUEST, "Not connected", why.words()),
    };
    let answer = Answered {
        code: params.text("code"),
        error: params.text("error"),
        words: params.text("error_description"),
        issuer: params.text("iss"),
    };
    // a browser that goes away must not break off what has begun
    let connecting = match answer.code_of(&app, &provider) {
        Ok(code) => authorize::exchange(Arc::clone(&app), intent, code),
        Err(problem) => return failed(&app, &id, &problem),
    };
    match tokio::spawn(connecting).await {
        Ok(Ok(exchanged)) => connected(&app, &id, &exchanged),
        Ok(Err(problem)) => failed(&app, &id, &problem),
        Err(error) => failed(&app, &id, &Problem::internal(&error)),
    }
}

/// The words of a provider's answer.
struct Answered<'a> {
    code: Option<&'a str>,
    error: Option<&'a str>,
    words: Option<&'a str>,
    issuer: Option<&'a str>,
}

impl Answered<'_> {
    /// The code, if it is this provider's own server that gives one (RFC 9207).
    fn code_of(&self, app: &App, provider: &str) -> Result<placet_adapters::SecretText, Problem> {
        let refused = |words: String| Err(Problem::new("PL5032", words));
        let grant = authorize::grant_of(app, provider)?;
        match (grant.issuer(), self.issuer) {
            (Some(known), Some(given)) if known != given => {
                return refused(format!("the answer is of {}, not of {known}", shown(given)));
            }
            (Some(known), None) => {
                return refused(format!("the answer does not say that it is of {known}"));
            }
            (Some(_) | None, _) => {}
        }
        if let Some(error) = self.error {
            let words = self.words.map(|words| format!(": {}", shown(words))).unwrap_or_default();
            return refused(format!("{provider} says {}{words}", shown(error)));
        }
        match self.code {
            Some(code) => Ok(placet_adapters::SecretText::new(code)),
            None => refused(format!("the answer of {provider} holds no code")),
        }
    }
}

fn connected(app: &App, id: &str, exchanged: &Exchanged) -> Response {
    let words = exchanged.words();
    app.authorizations.settle(id, Stage::Connected(exchanged.to_json(&app.handle.world())));
    said(StatusCode::OK, "Connected", &format!("{words} You may close this page."))
}

fn failed(app: &App, id: &str, problem: &Problem) -> Response {
    let (code, words) = (problem.code(), problem.detail().to_owned());
    let status = if code == "PL5032" { StatusCode::BAD_REQUEST } else { StatusCode::BAD_GATEWAY };
    let response = said(status, "Not connected", &format!("{words} ({code})"));
    app.authorizations.settle(id, Stage::Failed { code, words });
    response
}

fn said(status: StatusCode, title: &str, words: &str) -> Response {
    (status, page(title, &format!("<p>{}</p>", escape(words)))).into_response()
}

fn browser<'h>(headers: &'h HeaderMap, cookie: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).map(str::trim);
    pairs.find_map(|pair| pair.strip_prefix(cookie)?.strip_prefix('='))
}
