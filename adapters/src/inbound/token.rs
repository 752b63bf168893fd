//! A token that proves who posts: a JWT under RS256 whose keys the issuer publishes (RFC 7519, RFC 7515,
//! RFC 7517). It says who the sender is and nothing about the body, so the body is a hint to look.
//!
//! The issuer's keys come from outside as text, like every other key: nothing is fetched here. What
//! is accepted is one algorithm, one issuer, one audience, one account; a token that lacks any of it is
//! nobody's.

use super::Arrival;
use super::verify::Unverified;
use crate::jwt::{self, Algorithm, Refused, Unchecked};
use crate::secret::SecretText;
use serde::Deserialize;
use serde_json::Value;

/// Bytes of a token; those of providers are about a thousand.
const TOKEN_BYTES_MAX: usize = 8 << 10;
/// How far the issuer's clock may be ahead of ours.
const AHEAD_S: i64 = 60;

/// Names under which [`Token::check`] asks for the published keys, the audience and the account.
pub(crate) const KEYS: &str = "token_keys";
pub(crate) const AUDIENCE: &str = "token_audience";
pub(crate) const ACCOUNT: &str = "token_account";

/// Who issues the tokens, and which settings of the integration say the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub(crate) issuer: String,
    pub(crate) keys_url: String,
    pub(crate) audience: String,
    pub(crate) account: String,
}

impl Token {
    /// Names of the settings that hold the address of the keys, the audience and the account.
    pub fn settings(&self) -> [&str; 3] {
        [&self.keys_url, &self.audience, &self.account]
    }

    /// Names under which a check asks for them, in the same order.
    pub const fn asked() -> [&'static str; 3] {
        [KEYS, AUDIENCE, ACCOUNT]
    }

    /// The id of the key with which a token says that it is signed; believed only once it is checked.
    pub fn key_id(headers: &[(String, String)]) -> Option<String> {
        let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let token = read(header?.1.strip_prefix("Bearer ")?).ok()?;
        token.key_id().map(str::to_owned)
    }

    pub(super) fn check(
        &self,
        arrival: &Arrival<'_>,
        keys: &dyn Fn(&str) -> Vec<SecretText>,
    ) -> Result<(), Unverified> {
        let one = |name: &str| keys(name).into_iter().find(|text| !text.expose().is_empty());
        let wanted = (one(KEYS), one(AUDIENCE), one(ACCOUNT));
        let (Some(published), Some(audience), Some(account)) = wanted else {
            return Err(Unverified::NoKey);
        };
        let header = arrival.header("authorization").ok_or(Unverified::Unsigned)?;
        let token = header.strip_prefix("Bearer ").ok_or(Unverified::Malformed)?;
        let published: Value =
            serde_json::from_str(published.expose()).map_err(|_no_keys| Unverified::BadKey)?;
        let claims = read(token)?.claims(&jwt::keys(&published))?;
        let claims: Claims =
            serde_json::from_value(Value::Object(claims)).map_err(|_odd| Unverified::Malformed)?;
        let now = arrival.at.as_secs();
        if claims.exp <= now || claims.iat.is_some_and(|at| at > now + AHEAD_S) {
            return Err(Unverified::Stale);
        }
        let is_ours = claims.iss == self.issuer
            && claims.aud == audience.expose()
            && claims.email.as_deref() == Some(account.expose())
            && claims.email_verified;
        if is_ours { Ok(()) } else { Err(Unverified::Mismatch) }
    }
}

/// A token that names its key.
fn read(token: &str) -> Result<Unchecked<'_>, Refused> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    let token = Unchecked::read(token, &[Algorithm::Rs256])?;
    if token.key_id().is_some() { Ok(token) } else { Err(Refused::Malformed) }
}

impl From<Refused> for Unverified {
    fn from(why: Refused) -> Self {
        match why {
            Refused::TooLong | Refused::Malformed | Refused::Extended => Self::Malformed,
            Refused::Algorithm | Refused::UnknownKey | Refused::Signature => Self::Mismatch,
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    iat: Option<i64>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}
