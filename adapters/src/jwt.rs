//! Signed tokens of others (RFC 7519 in the compact form of RFC 7515) and the keys that their issuers
//! publish (RFC 7517): the form is read strictly, the signature is checked, and the claims are handed
//! out only then. What the claims must say is the caller's: an inbound hook and a login want other
//! things. Pure; whoever has keys has fetched them elsewhere.
//!
//! Invariant: the algorithm is the caller's choice and the key's, never the token's alone. So a token
//! that names no algorithm is none, and a public key is never taken for a shared secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// Characters of a token; those of providers and login servers have a tenth of it.
const TOKEN_MAX: usize = 32 * 1024;
/// Keys of one issuer.
const KEYS_MAX: usize = 64;

/// What the signature of a token is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA of 2,048 bits and more, PKCS #1, SHA-256.
    Rs256,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its name in a token.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// Why a token is not taken. Nothing of the token stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than any honest one.
    #[error("it is longer than {TOKEN_MAX} characters")]
    TooLong,
    /// Not three parts, or parts that are not what they should be.
    #[error("it is no signed token")]
    Malformed,
    /// `crit`.
    #[error("it demands an extension that is not known here")]
    Extended,
    /// By an algorithm that the caller does not take.
    #[error("it is signed by an algorithm that is not taken here")]
    Algorithm,
    /// No key that is published bears its id and kind.
    #[error("it is signed with a key that its issuer does not publish")]
    UnknownKey,
    /// Altered, or signed with another key.
    #[error("its signature does not verify under its issuer's key")]
    Signature,
}

/// A public key of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
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

/// The keys of a key set with which a token could be signed; others are passed over.
pub fn keys(set: &Value) -> Vec<PublicKey> {
    let list = set["keys"].as_array().into_iter().flatten().take(KEYS_MAX);
    list.filter_map(PublicKey::read).collect()
}

impl PublicKey {
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
        if named.is_some_and(|named| named != material.algorithm().word()) {
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
    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }
}

/// A token whose form is good, and whose signature nobody has checked.
#[derive(Debug)]
pub struct Unchecked<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> Unchecked<'t> {
    /// Reads the parts of a token by one of these algorithms.
    ///
    /// # Errors
    /// What is no token, or one by another algorithm.
    pub fn read(token: &'t str, taken: &[Algorithm]) -> Result<Self, Refused> {
        if token.len() > TOKEN_MAX {
            return Err(Refused::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let (head, claims) = signed.split_once('.').ok_or(Refused::Malformed)?;
        let decoded =
            |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| Refused::Malformed);
        let object = |part: &str| -> Result<Map<String, Value>, Refused> {
            serde_json::from_slice(&decoded(part)?).map_err(|_no_object| Refused::Malformed)
        };
        let head = object(head)?;
        if head.contains_key("crit") {
            return Err(Refused::Extended);
        }
        let named = head.get("alg").and_then(Value::as_str).ok_or(Refused::Malformed)?;
        let algorithm = taken.iter().copied().find(|known| known.word() == named);
        let algorithm = algorithm.ok_or(Refused::Algorithm)?;
        let key = head.get("kid").and_then(Value::as_str).map(str::to_owned);
        let (claims, signature) = (object(claims)?, decoded(signature)?);
        Ok(Self { signed, signature, algorithm, key, claims })
    }

    /// The id of the key with which it says that it is signed; believed only once it is checked.
    pub fn key_id(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Whether one of these keys may have signed it: the issuer may have new ones.
    pub fn is_by_one_of(&self, keys: &[PublicKey]) -> bool {
        self.candidates(keys).next().is_some()
    }

    fn candidates<'k>(&'k self, keys: &'k [PublicKey]) -> impl Iterator<Item = &'k PublicKey> {
        keys.iter().filter(|key| {
            key.material.algorithm() == self.algorithm && (self.key.is_none() || self.key == key.id)
        })
    }

    /// What it says, once one of these keys has signed it.
    ///
    /// # Errors
    /// A key that is not among them; a signature that does not hold.
    pub fn claims(self, keys: &[PublicKey]) -> Result<Map<String, Value>, Refused> {
        if !self.is_by_one_of(keys) {
            return Err(Refused::UnknownKey);
        }
        let signed = self.signed.as_bytes();
        if !self.candidates(keys).any(|key| key.verifies(signed, &self.signature)) {
            return Err(Refused::Signature);
        }
        Ok(self.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_that_is_for_something_else_or_of_an_odd_form_is_passed_over() {
        let key = URL_SAFE_NO_PAD.encode([1; 32]);
        let set = |first: Value, second: Value| json!({"keys": [first, second]});
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "use": "sig", "x": key});
        let ec = json!({"kty": "EC", "crv": "P-256", "kid": "ec", "x": key, "y": key});
        assert_eq!(keys(&set(ed.clone(), ec.clone())).len(), 2);
        let (mut encrypts, mut other) = (ed, ec.clone());
        encrypts["use"] = json!("enc");
        other["alg"] = json!("ES384");
        assert_eq!(keys(&set(encrypts, other)), []);
        let mut short = ec;
        short["y"] = json!(URL_SAFE_NO_PAD.encode([1; 31]));
        let shared = json!({"kty": "oct", "kid": "shared", "k": key});
        assert_eq!(keys(&set(short, shared)), []);
        for none in [json!(null), json!({"keys": 3}), json!({"keys": [{"kty": "RSA", "n": "!"}]})] {
            assert_eq!(keys(&none), []);
        }
        let many = vec![json!({"kty": "OKP", "crv": "Ed25519", "x": key}); KEYS_MAX + 1];
        assert_eq!(keys(&json!({ "keys": many })).len(), KEYS_MAX);
    }
}
