//! The identity token of a login server (`OpenID` Connect Core §3.1.3.7): its form and its signature are
//! checked as those of every signed token, and every claim that binds it to this login is compared. Pure.

use placet_adapters::jwt::{self, Algorithm, PublicKey, Unchecked};
use placet_model::Timestamp;
use serde_json::{Map, Value};

/// What login servers sign with; RS256 is what each of them must know.
const TAKEN: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
/// Clocks may differ by so many seconds.
const SKEW_SECONDS: i64 = 60;
/// A token is issued for one login; one that is older was kept by somebody.
const AGE_SECONDS_MAX: i64 = 600;

/// Why a token is not taken, in words. Nothing of the token stands in them.
pub(super) type Refused = String;

/// What this login expects a token to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client_id: &'e str,
    pub(super) nonce: &'e str,
}

/// A token by one of the algorithms that are taken.
///
/// # Errors
/// What is no token, or one by another algorithm.
pub(super) fn read(token: &str) -> Result<Unchecked<'_>, Refused> {
    Unchecked::read(token, &TAKEN).map_err(|why| match why {
        jwt::Refused::Algorithm => "it is signed by none of RS256, ES256 and EdDSA".to_owned(),
        other => other.to_string(),
    })
}

/// The claims, once the signature and everything that binds them to this login holds.
///
/// # Errors
/// What does not hold.
pub(super) fn check(
    token: Unchecked<'_>,
    keys: &[PublicKey],
    (expected, now): (&Expected<'_>, Timestamp),
) -> Result<Map<String, Value>, Refused> {
    let claims = token.claims(keys).map_err(|why| why.to_string())?;
    check_claims(&claims, expected, now.as_secs())?;
    Ok(claims)
}

fn check_claims(
    claims: &Map<String, Value>,
    expected: &Expected<'_>,
    now: i64,
) -> Result<(), Refused> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let holds = |holds: bool, words: &str| if holds { Ok(()) } else { Err(words.to_owned()) };
    holds(text("iss") == Some(expected.issuer), "it is of another issuer")?;
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    holds(audience.contains(&expected.client_id), "it is for another client")?;
    let party = text("azp");
    let is_ours = party == Some(expected.client_id);
    holds(is_ours || (party.is_none() && audience.len() == 1), "it was given to another client")?;
    let seconds = |name: &str| {
        let value = claims.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "it saturates, and then it is refused")]
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    };
    let ends = seconds("exp").ok_or("it does not say until when it is good")?;
    holds(now < ends.saturating_add(SKEW_SECONDS), "it is over")?;
    let issued = seconds("iat").ok_or("it does not say when it was issued")?;
    holds(issued <= now + SKEW_SECONDS, "it was issued in the future")?;
    let oldest = now - AGE_SECONDS_MAX - SKEW_SECONDS;
    holds(issued >= oldest, "it was issued long before this login")?;
    let begins = seconds("nbf").unwrap_or(issued);
    holds(begins <= now + SKEW_SECONDS, "it is not good yet")?;
    holds(text("nonce") == Some(expected.nonce), "it belongs to another login")
}

#[cfg(test)]
mod tests;
