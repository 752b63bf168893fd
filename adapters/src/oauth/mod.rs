//! Tokens of authorization servers, as far as no socket is needed: where to ask, with what words,
//! and what an answer is worth. `placet-egress` asks.
//!
//! A request holds a token as a hole whose name is the whole description of how it is obtained. So
//! an approval binds the server, the client, the scopes and the names of the secrets, and none of
//! their values. <https://www.rfc-editor.org/rfc/rfc6749>

mod answer;
mod assertion;
mod client;
mod endpoint;
mod error;
mod grant;
mod grants;
mod keep;
mod request;
mod signing_key;
mod token;

pub(crate) use answer::TokenAnswer;
pub(crate) use assertion::ASSERTION;
pub use assertion::{AssertionSpec, Unsigned, is_assertion};
pub use client::{Client, Proof};
pub use endpoint::{discovered, discovery_url, endpoint, is_listed, listed};
pub use error::Error;
pub(crate) use grant::Pkce;
pub use grant::{
    AppClient, Asking, CLIENT_ID, CLIENT_SECRET, GrantError, GrantSpec, Granted, REFRESH_TOKEN,
    Rotates, provider_words, shown,
};
pub use grants::{CannotRenew, Grants};
pub use keep::{KeepGrants, KeptGrant, News, Renews};
pub use request::request;
pub use signing_key::{KEY_BITS_MIN, KeyError};
pub use token::{Token, token};

use placet_model::canonical;
use placet_model::plan::{Authentication, Grant, OAuth2};
use placet_model::request::{Hole, HoleKind};

/// The hole for a token that is obtained like this.
pub(crate) fn hole(authentication: &Authentication) -> Hole {
    let json = serde_json::to_value(authentication).expect("names and texts are always JSON");
    let bytes = canonical::to_bytes(&json).expect("there is no number in it");
    Hole { hole: HoleKind::Token, name: String::from_utf8(bytes).expect("JSON is UTF-8") }
}

/// How the token of a hole is obtained; `None` for any other hole.
pub fn described(hole: &Hole) -> Option<Authentication> {
    (hole.hole == HoleKind::Token).then(|| serde_json::from_str(&hole.name).ok()).flatten()
}

/// The host that the secrets of a token go to, as far as the description tells.
pub(crate) fn server_host(hole: &Hole) -> Option<String> {
    let (Authentication::OAuth2(spec) | Authentication::Oidc(spec)) = described(hole)? else {
        return None;
    };
    let url = match &spec.token_endpoint {
        Some(path) => endpoint(&spec.authority, path).ok()?,
        None => discovery_url(&spec.authority).ok()?,
    };
    url.host_str().map(str::to_owned)
}

/// The names of the secrets with which a token is obtained.
pub(crate) fn secret_names(hole: &Hole) -> Vec<String> {
    match described(hole) {
        Some(Authentication::OAuth2(spec) | Authentication::Oidc(spec)) => of_spec(&spec),
        Some(Authentication::Stored { secret, .. }) => vec![secret],
        Some(Authentication::Basic { .. } | Authentication::Bearer { .. }) | None => vec![],
    }
}

fn of_spec(spec: &OAuth2) -> Vec<String> {
    let mut names: Vec<String> = spec.client_secret.iter().cloned().collect();
    match &spec.grant {
        Grant::ClientCredentials => {}
        Grant::RefreshToken(token) => names.push(token.clone()),
        Grant::Password { username, password } => {
            names.extend([username.clone(), password.clone()]);
        }
    }
    names
}
