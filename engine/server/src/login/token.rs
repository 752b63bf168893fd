//! The identity token of a login server (`OpenID` Connect Core §3.1.3.7): read strictly, its signature
//! checked with one of the server's keys, every claim that binds it to this login compared. Pure.
//!
//! Taken are RS256, ES256 and `EdDSA` with a key of that very kind. So a token that names no algorithm is
//! none, and a public key is never taken for a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_model::Timestamp;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// Clocks may differ by so many seconds.
const SKEW_SECONDS: i64 = 60;
/// A token is issued for one login; one that is older was kept by somebody.
const AGE_SECONDS_MAX: i64 = 600;
/// Characters of a token; those of login servers have a tenth of it.
const TOKEN_MAX: usize = 32 * 1024;
/// Keys of one server.
const KEYS_MAX: usize = 64;

/// Why a token is not taken, in words. Nothing of the token stands in them.
pub(super) type Refused = String;

/// What this login expects a token to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client_id: &'e str,
    pub(super) nonce: &'e str,
}

/// A public key of a login server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// 65 bytes of a point that is not compressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of a key set (RFC 7517) with which one of ours could be signed; others are passed over.
pub(super) fn keys(set: &Value) -> Vec<Key> {
    let list = set["keys"].as_array().into_iter().flatten().take(KEYS_MAX);
    list.filter_map(Key::read).collect()
}

impl Key {
    fn read(jwk: &Value) -> Option<Self> {
        if jwk["use"].as_str().is_some_and(|used| used != "sig") {
            return None;
        }
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
        let material = match (jwk["kty"].as_str()?, jwk["crv"].as_str()) {
            ("RSA", _) => Material::Rsa { n: part("n")?, e: part("e")? },
            ("EC", Some("P-256")) => {
                let (x, y) = (part("x")?, part("y")?);
                let is_point = x.len() == 32 && y.len() == 32;
                is_point.then(|| Material::P256([&[0x04], &x[..], &y[..]].concat()))?
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(part("x")?),
            _ => return None,
        };
        let named = jwk["alg"].as_str();
        if named.is_some_and(|named| named != material.algorithm()) {
            return None;
        }
        Some(Self { id: jwk["kid"].as_str().map(str::to_owned), material })
    }

    fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let checked = match &self.material {
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Material::Ed25519(key) => {
                UnparsedPublicKey::new(&ED25519, key).verify(signed, signature)
            }
        };
        checked.is_ok()
    }
}

impl Material {
    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }
}

/// A token whose form is good, and whose signature nobody has checked.
#[derive(Debug)]
pub(super) struct Unchecked<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: &'static str,
    key: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> Unchecked<'t> {
    /// Reads the parts.
    ///
    /// # Errors
    /// What is no token, or one by an algorithm that is not taken.
    pub(super) fn read(token: &'t str) -> Result<Self, Refused> {
        let malformed = || "it is no signed token".to_owned();
        if token.len() > TOKEN_MAX {
            return Err(format!("it is longer than {TOKEN_MAX} characters"));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (head, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| malformed());
        let object = |part: &str| -> Result<Map<String, Value>, Refused> {
            serde_json::from_slice(&decoded(part)?).map_err(|_no_object| malformed())
        };
        let head = object(head)?;
        if head.contains_key("crit") {
            return Err("it demands an extension that is not known here".to_owned());
        }
        let named = head.get("alg").and_then(Value::as_str).unwrap_or_default();
        let taken = ["RS256", "ES256", "EdDSA"].into_iter().find(|known| *known == named);
        let algorithm =
            taken.ok_or_else(|| "it is signed by none of RS256, ES256 and EdDSA".to_owned())?;
        let key = head.get("kid").and_then(Value::as_str).map(str::to_owned);
        let (claims, signature) = (object(claims)?, decoded(signature)?);
        Ok(Self { signed, signature, algorithm, key, claims })
    }

    /// Whether one of these keys may have signed it: the server may have new ones.
    pub(super) fn is_by_one_of(&self, keys: &[Key]) -> bool {
        self.candidates(keys).next().is_some()
    }

    fn candidates<'k>(&'k self, keys: &'k [Key]) -> impl Iterator<Item = &'k Key> {
        keys.iter().filter(|key| {
            key.material.algorithm() == self.algorithm && (self.key.is_none() || self.key == key.id)
        })
    }

    /// The claims, once the signature and everything that binds them to this login holds.
    ///
    /// # Errors
    /// What does not hold.
    pub(super) fn check(
        self,
        keys: &[Key],
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Refused> {
        if !self.is_by_one_of(keys) {
            return Err("it is signed with a key that the login server does not publish".to_owned());
        }
        let signed = self.signed.as_bytes();
        if !self.candidates(keys).any(|key| key.verifies(signed, &self.signature)) {
            return Err("its signature does not verify under the login server's key".to_owned());
        }
        check_claims(&self.claims, expected, now.as_secs())?;
        Ok(self.claims)
    }
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
