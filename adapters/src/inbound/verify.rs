//! Whether an arrival is the provider's: signatures over the raw bytes, and shared secrets, all
//! compared in constant time. Without a key nothing is believed.

use super::token::{self, Token};
use super::{Arrival, text_at};
use crate::pointer::Pointer;
use crate::secret::SecretText;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, signature};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// Most signatures of one arrival that are looked at.
const SIGNATURES_MAX: usize = 16;

/// How a provider proves itself.
#[derive(Debug)]
pub(crate) enum Verify {
    Signed(Box<Signed>),
    Shared(SharedSecret),
    Token(Token),
}

/// A signature over what was sent.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) algorithm: Algorithm,
    /// Field of the credentials, and how its text becomes a key.
    pub(crate) key: (String, KeyForm),
    pub(crate) given: Given,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) encoding: Encoding,
    /// The moment that is signed along, and how far from now it may be in seconds.
    pub(crate) stamp: Option<(Stamp, u32)>,
}

/// A secret that the provider sends along in a header.
#[derive(Debug)]
pub(crate) struct SharedSecret {
    pub(crate) header: String,
    pub(crate) secret: String,
    /// `Basic base64(user:password)`, where the credential holds `user:password`.
    pub(crate) basic: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    HmacSha256,
    HmacSha1,
    EcdsaP256Sha256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForm {
    /// The bytes of the text.
    Text,
    /// Base64 after `whsec_`.
    Whsec,
    /// A P-256 public key as base64 of its `SubjectPublicKeyInfo`.
    Spki,
}

/// Where the signature stands.
#[derive(Debug)]
pub(crate) enum Given {
    /// A header: one signature after `prefix`, or several between `sep`.
    Header { name: String, prefix: String, sep: Option<String> },
    /// A header of `name=value` pairs: `t=1,v1=ab,v1=cd`.
    Pairs { name: String, sep: String, timestamp: String, signature: String },
    /// The first of these places that has one: a provider may have more than one layout.
    Body { at: Vec<Pointer> },
}

/// A stretch of what is signed.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(String),
    Header(String),
    Body(Vec<Pointer>),
    RawBody,
    /// The moment that stands beside the signature.
    Timestamp,
    /// The public address, and behind it each form field with its value, sorted, without repetitions.
    UrlAndForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Hex,
    Base64,
}

/// Where the signed moment stands, in seconds since 1970.
#[derive(Debug)]
pub(crate) enum Stamp {
    Header(String),
    Body(Vec<Pointer>),
    /// Beside the signature.
    Pair,
}

/// Why an arrival is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    #[error("the integration has no secret that could prove the sender")]
    NoKey,
    #[error("the secret cannot be used as a key")]
    BadKey,
    #[error("it is not signed")]
    Unsigned,
    #[error("its signature cannot be read")]
    Malformed,
    #[error("its signature is not the provider's")]
    Mismatch,
    #[error("it was signed too long ago, or too far ahead")]
    Stale,
}

impl Verify {
    pub(super) fn check(
        &self,
        arrival: &Arrival<'_>,
        keys: &dyn Fn(&str) -> Vec<SecretText>,
    ) -> Result<(), Unverified> {
        if let Self::Token(token) = self {
            return token.check(arrival, keys);
        }
        let keys = keys(self.key_field());
        if keys.iter().all(|key| key.expose().is_empty()) {
            return Err(Unverified::NoKey);
        }
        match self {
            Self::Signed(signed) => signed.check(arrival, &keys),
            Self::Shared(shared) => shared.check(arrival, &keys),
            Self::Token(_) => Err(Unverified::NoKey),
        }
    }

    pub(super) fn key_field(&self) -> &str {
        match self {
            Self::Signed(signed) => &signed.key.0,
            Self::Shared(shared) => &shared.secret,
            Self::Token(_) => token::KEYS,
        }
    }
}

impl SharedSecret {
    fn check(&self, arrival: &Arrival<'_>, keys: &[SecretText]) -> Result<(), Unverified> {
        let given = arrival.header(&self.header).ok_or(Unverified::Unsigned)?;
        let given = if self.basic {
            let encoded = given.strip_prefix("Basic ").ok_or(Unverified::Malformed)?;
            BASE64.decode(encoded.trim()).map_err(|_not_base64| Unverified::Malformed)?
        } else {
            given.as_bytes().to_vec()
        };
        let same = keys.iter().filter(|key| !key.expose().is_empty()).any(|key| {
            // two tags under one key are compared in constant time, whatever the lengths
            let under = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
            let tag = hmac::sign(&under, key.expose().as_bytes());
            hmac::verify(&under, &given, tag.as_ref()).is_ok()
        });
        if same { Ok(()) } else { Err(Unverified::Mismatch) }
    }
}

/// A signature as it came: its candidates, and the moment beside it.
struct Found {
    signatures: Vec<Vec<u8>>,
    timestamp: Option<String>,
}

impl Signed {
    fn check(&self, arrival: &Arrival<'_>, keys: &[SecretText]) -> Result<(), Unverified> {
        let found = self.found(arrival)?;
        let contents = self.contents(arrival, &found)?;
        let mut bad_keys = 0;
        for key in keys {
            match self.holds(key, &contents, &found.signatures) {
                Ok(true) => return self.fresh(arrival, &found),
                Ok(false) => {}
                Err(_bad_key) => bad_keys += 1,
            }
        }
        Err(if bad_keys == keys.len() { Unverified::BadKey } else { Unverified::Mismatch })
    }

    fn found(&self, arrival: &Arrival<'_>) -> Result<Found, Unverified> {
        let (candidates, timestamp) = match &self.given {
            Given::Header { name, prefix, sep } => {
                let value = arrival.header(name).ok_or(Unverified::Unsigned)?;
                let parts: Vec<&str> = match sep {
                    Some(sep) => value.split(sep.as_str()).collect(),
                    None => vec![value],
                };
                let found =
                    parts.iter().filter_map(|part| part.trim().strip_prefix(prefix.as_str()));
                (found.map(str::to_owned).collect(), None)
            }
            Given::Pairs { name, sep, timestamp, signature } => {
                let value = arrival.header(name).ok_or(Unverified::Unsigned)?;
                pairs(value, sep, timestamp, signature)
            }
            Given::Body { at } => {
                let signature =
                    first_at(arrival.read().as_ref(), at).ok_or(Unverified::Unsigned)?;
                (vec![signature], None)
            }
        };
        let signatures: Vec<Vec<u8>> = candidates
            .iter()
            .take(SIGNATURES_MAX)
            .filter_map(|text| self.encoding.decode(text))
            .collect();
        if signatures.is_empty() {
            return Err(Unverified::Malformed);
        }
        Ok(Found { signatures, timestamp })
    }

    /// What may have been signed: more than one where an address can be written in more ways.
    fn contents(&self, arrival: &Arrival<'_>, found: &Found) -> Result<Vec<Vec<u8>>, Unverified> {
        if matches!(self.pieces.as_slice(), [Piece::UrlAndForm]) {
            return url_and_form(arrival);
        }
        let body = arrival.read();
        let mut content = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => content.extend_from_slice(text.as_bytes()),
                Piece::Header(name) => {
                    let value = arrival.header(name).ok_or(Unverified::Unsigned)?;
                    content.extend_from_slice(value.as_bytes());
                }
                Piece::Body(at) => {
                    let value = first_at(body.as_ref(), at).ok_or(Unverified::Unsigned)?;
                    content.extend_from_slice(value.as_bytes());
                }
                Piece::RawBody => content.extend_from_slice(arrival.body),
                Piece::Timestamp => {
                    let value = found.timestamp.as_ref().ok_or(Unverified::Unsigned)?;
                    content.extend_from_slice(value.as_bytes());
                }
                Piece::UrlAndForm => return Err(Unverified::Malformed),
            }
        }
        Ok(vec![content])
    }

    fn holds(
        &self,
        key: &SecretText,
        contents: &[Vec<u8>],
        signatures: &[Vec<u8>],
    ) -> Result<bool, Unverified> {
        let bytes = key_bytes(self.key.1, key.expose()).ok_or(Unverified::BadKey)?;
        let pairs =
            || contents.iter().flat_map(|content| signatures.iter().map(move |s| (content, s)));
        Ok(match self.algorithm {
            Algorithm::HmacSha256 | Algorithm::HmacSha1 => {
                let kind = if self.algorithm == Algorithm::HmacSha1 {
                    hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY
                } else {
                    hmac::HMAC_SHA256
                };
                let key = hmac::Key::new(kind, &bytes);
                pairs().any(|(content, tag)| hmac::verify(&key, content, tag).is_ok())
            }
            Algorithm::EcdsaP256Sha256 => {
                let key = signature::UnparsedPublicKey::new(
                    &signature::ECDSA_P256_SHA256_ASN1,
                    bytes.as_slice(),
                );
                pairs().any(|(content, signature)| key.verify(content, signature).is_ok())
            }
        })
    }

    /// Judged after the signature: only a moment that was signed says anything.
    fn fresh(&self, arrival: &Arrival<'_>, found: &Found) -> Result<(), Unverified> {
        let Some((stamp, skew_s)) = &self.stamp else { return Ok(()) };
        let text = match stamp {
            Stamp::Header(name) => arrival.header(name).map(str::to_owned),
            Stamp::Body(at) => first_at(arrival.read().as_ref(), at),
            Stamp::Pair => found.timestamp.clone(),
        };
        let signed_at: i64 =
            text.and_then(|text| text.trim().parse().ok()).ok_or(Unverified::Malformed)?;
        if arrival.at.as_secs().abs_diff(signed_at) <= u64::from(*skew_s) {
            Ok(())
        } else {
            Err(Unverified::Stale)
        }
    }
}

fn first_at(body: Option<&serde_json::Value>, places: &[Pointer]) -> Option<String> {
    places.iter().find_map(|at| text_at(body, at))
}

fn pairs(
    value: &str,
    sep: &str,
    timestamp: &str,
    signature: &str,
) -> (Vec<String>, Option<String>) {
    let (mut signatures, mut moment) = (Vec::new(), None);
    for (name, value) in value.split(sep).filter_map(|pair| pair.trim().split_once('=')) {
        if name == signature {
            signatures.push(value.to_owned());
        } else if name == timestamp {
            moment.get_or_insert_with(|| value.to_owned());
        }
    }
    (signatures, moment)
}

fn key_bytes(form: KeyForm, text: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    /// An uncompressed point, which ends a `SubjectPublicKeyInfo` of this curve.
    const POINT_BYTES: usize = 65;
    let bytes = match form {
        KeyForm::Text => text.as_bytes().to_vec(),
        KeyForm::Whsec => BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?,
        KeyForm::Spki => {
            let der = BASE64.decode(text).ok()?;
            der[der.len().checked_sub(POINT_BYTES)?..].to_vec()
        }
    };
    (!bytes.is_empty()).then(|| zeroize::Zeroizing::new(bytes))
}

/// The provider may have put the port into the address or not; a body that is no form is bound by its
/// digest in the address.
fn url_and_form(arrival: &Arrival<'_>) -> Result<Vec<Vec<u8>>, Unverified> {
    let url = Url::parse(arrival.url).map_err(|_no_url| Unverified::Malformed)?;
    let bound = url.query_pairs().find(|(name, _)| name == "bodySHA256");
    let mut suffix = String::new();
    if let Some((_, wanted)) = bound {
        let digest = digest::digest(&digest::SHA256, arrival.body);
        if !hex(digest.as_ref()).eq_ignore_ascii_case(&wanted) {
            return Err(Unverified::Mismatch);
        }
    } else {
        let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in arrival.form() {
            fields.entry(name).or_default().insert(value);
        }
        for (name, values) in fields {
            for value in values {
                suffix.push_str(&name);
                suffix.push_str(&value);
            }
        }
    }
    let spelled = spellings(arrival.url, &url);
    Ok(spelled.into_iter().map(|address| (address + &suffix).into_bytes()).collect())
}

/// The address as it came, and with its port said and left out.
fn spellings(text: &str, url: &Url) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return all;
    };
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    all.push(format!("{}://{host}:{port}{path}", url.scheme()));
    all.push(format!("{}://{host}{path}", url.scheme()));
    all
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
        out
    })
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => BASE64.decode(text.trim()).ok(),
            Self::Hex => {
                let text = text.trim();
                let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !text.len().is_multiple_of(2) || !digits {
                    return None;
                }
                (0..text.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
                    .collect()
            }
        }
    }
}
