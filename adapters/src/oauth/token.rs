//! What an authorization server's answer is worth (RFC 6749 §5, RFC 6750 §2.1).

use super::Error;
use crate::secret::SecretText;
use crate::transport::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// How long a token serves when its server does not say.
const LIFETIME_DEFAULT: Duration = Duration::from_mins(5);
/// Longest time that a token is kept, whatever its server says.
const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Bytes of a token.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// A token, how long it may be used again, and what renews it.
pub struct Token {
    pub access: SecretText,
    /// Until shortly before it expires; nothing for one that is used once.
    pub keep_for: Duration,
    /// A refresh token that takes the place of the one that was used.
    pub refresh: Option<SecretText>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(for {} s)", self.keep_for.as_secs())
    }
}

/// The token in an answer of `host`.
///
/// # Errors
/// The server is not available or refuses; the token is of another kind than bearer, or is not one
/// that a header can carry, or is of an issuer that is not accepted.
pub fn token(host: &str, issuers: &[String], response: &Response) -> Result<Token, Error> {
    let status = response.status;
    let unusable = |reason| Error::Unusable { host: host.to_owned(), reason };
    if status == 429 || status >= 500 {
        return Err(Error::Unavailable { host: host.to_owned(), status });
    }
    let body = response.json().unwrap_or_default();
    if status != 200 {
        return Err(Error::Refused { host: host.to_owned(), status, code: code(&body) });
    }
    let kind = body["token_type"].as_str().ok_or_else(|| unusable("it names no type"))?;
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(unusable("it is of another type than bearer"));
    }
    let access = body["access_token"].as_str().ok_or_else(|| unusable("there is none"))?;
    let is_token = (1..=TOKEN_BYTES_MAX).contains(&access.len())
        && access.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_token {
        return Err(unusable("it holds what no header can carry, or is too long"));
    }
    if !issuers.is_empty() {
        let issuer = issuer(access).or_else(|| issuer(body["id_token"].as_str()?));
        let issuer = issuer.ok_or_else(|| unusable("it does not say who issued it"))?;
        if !issuers.contains(&issuer) {
            return Err(unusable("its issuer is not one of `issuers`"));
        }
    }
    Ok(Token {
        access: SecretText::new(access),
        keep_for: keep_for(&body["expires_in"]),
        refresh: body["refresh_token"].as_str().map(SecretText::new),
    })
}

/// The error code, if it is one: letters, digits and `_`.
fn code(body: &Value) -> Option<String> {
    let code = body["error"].as_str()?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (code.len() <= 64 && code.bytes().all(word)).then(|| code.to_owned())
}

/// The `iss` of a JWT. It came from the server itself over its own connection, which is what makes
/// it worth something; its signature is for whoever the token is shown to.
fn issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    payload["iss"].as_str().map(str::to_owned)
}

/// A tenth of its life, and at least 10 s, is left for the way: a token that is about to expire is
/// used once.
fn keep_for(expires_in: &Value) -> Duration {
    let seconds = expires_in.as_u64().or_else(|| expires_in.as_str()?.parse().ok());
    let life = seconds.map_or(LIFETIME_DEFAULT, Duration::from_secs).min(LIFETIME_MAX);
    life.saturating_sub((life / 10).max(Duration::from_secs(10)))
}
