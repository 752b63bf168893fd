//! A token that proves who posts: a JWT under RS256 whose keys the issuer publishes (RFC 7519, RFC 7515,
//! RFC 7517). It says who the sender is and nothing about the body, so the body is a hint to look.
//!
//! The issuer's keys come from outside as text, like every other key: nothing is fetched here. What
//! is accepted is one algorithm, one issuer, one audience, one account; a token that lacks any of it is
//! nobody's.

use super::Arrival;
use super::verify::Unverified;
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;

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
        let token = header?.1.strip_prefix("Bearer ")?;
        let (head, _) = parts(token)?;
        Some(head.kid)
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
        let (head, body) = parts(token).ok_or(Unverified::Malformed)?;
        if head.alg != "RS256" {
            return Err(Unverified::Mismatch);
        }
        let published: Published =
            serde_json::from_str(published.expose()).map_err(|_no_keys| Unverified::BadKey)?;
        let key = published.keys.iter().find(|key| key.kid == head.kid && key.may_sign());
        let key = key.ok_or(Unverified::Mismatch)?;
        key.check(body.signed.as_bytes(), &body.signature)?;
        let claims: Claims =
            serde_json::from_slice(&body.claims).map_err(|_no_claims| Unverified::Malformed)?;
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

/// What is signed, what it says, and the signature.
struct Body<'t> {
    signed: &'t str,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: String,
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

#[derive(Deserialize)]
struct Published {
    keys: Vec<Key>,
}

/// A published key; what is no RSA key for signatures is passed over.
#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    kid: String,
    #[serde(default)]
    kty: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl Key {
    fn may_sign(&self) -> bool {
        self.kty == "RSA"
            && self.alg.as_ref().is_none_or(|alg| alg == "RS256")
            && self.purpose.as_ref().is_none_or(|purpose| purpose == "sig")
    }

    fn check(&self, signed: &[u8], signature: &[u8]) -> Result<(), Unverified> {
        let number = |text: &str| BASE64URL.decode(text).map_err(|_no_number| Unverified::BadKey);
        let key = RsaPublicKeyComponents { n: number(&self.n)?, e: number(&self.e)? };
        let held = key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature);
        held.map_err(|_unspecified| Unverified::Mismatch)
    }
}

fn parts(token: &str) -> Option<(Head, Body<'_>)> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let decode = |text: &str| BASE64URL.decode(text).ok();
    let head = serde_json::from_slice(&decode(head)?).ok()?;
    let body = Body { signed, claims: decode(claims)?, signature: decode(signature)? };
    Some((head, body))
}
