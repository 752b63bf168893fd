//! Checks of `inbound.verify`: a scheme that could be read in two ways is refused.

use super::check_request::pointer;
use super::document_inbound::{AlgorithmDoc, EncodingDoc, IntegrityDoc, KeyFormDoc, VerifyDoc};
use super::problem::Problems;
use crate::inbound::{
    Algorithm, Encoding, Given, KeyForm, Piece, SharedSecret, Signed, Stamp, Token, Verify,
};
use crate::pointer::Pointer;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

pub(super) fn verify(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<Verify> {
    let shape = &document.value;
    if shape.alg == AlgorithmDoc::OidcRs256 {
        return token(document, problems);
    }
    let Some(key) = &shape.key else {
        problems.at(document, "verify.key names the secret that proves who posts");
        return None;
    };
    if key.secret.is_empty() {
        problems.at(document, "verify.key.secret names no field of the credentials");
    }
    let algorithm = match shape.alg {
        AlgorithmDoc::HmacSha256 => Algorithm::HmacSha256,
        AlgorithmDoc::HmacSha1 => Algorithm::HmacSha1,
        AlgorithmDoc::EcdsaP256Sha256 => Algorithm::EcdsaP256Sha256,
        AlgorithmDoc::SharedSecret | AlgorithmDoc::Basic | AlgorithmDoc::OidcRs256 => {
            return shared(document, &key.secret, problems);
        }
    };
    let form = match key.form {
        KeyFormDoc::Text => KeyForm::Text,
        KeyFormDoc::Whsec => KeyForm::Whsec,
        KeyFormDoc::Spki => KeyForm::Spki,
    };
    if (algorithm == Algorithm::EcdsaP256Sha256) != (form == KeyForm::Spki) {
        problems.at(document, "a public key is form spki, a shared one is not");
    }
    let Some(encoding) = shape.encoding else {
        problems.at(document, "a signature needs encoding: hex or base64");
        return None;
    };
    let given = given(document, problems)?;
    let pieces = pieces(document, problems)?;
    let stamp = stamp(document, problems)?;
    let pairs = matches!(given, Given::Pairs { .. });
    let asks_pair = pieces.iter().any(|piece| matches!(piece, Piece::Timestamp))
        || matches!(stamp, Some((Stamp::Pair, _)));
    if asks_pair && !pairs {
        problems.at(document, "part: timestamp needs verify.parse");
    }
    Some(Verify::Signed(Box::new(Signed {
        algorithm,
        key: (key.secret.clone(), form),
        given,
        pieces,
        encoding: match encoding {
            EncodingDoc::Hex => Encoding::Hex,
            EncodingDoc::Base64 => Encoding::Base64,
        },
        stamp,
    })))
}

/// A token says who posts; nothing else is looked at.
fn token(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<Verify> {
    let shape = &document.value;
    let more = shape.key.is_some() || !shape.signed.is_empty() || shape.header.is_some();
    if more || shape.integrity != IntegrityDoc::MetadataSigned {
        problems.at(document, "a token stands in Authorization, has no secret, and signs no body");
    }
    let Some(token) = &shape.token else {
        problems.at(document, "alg oidc-rs256 needs verify.token");
        return None;
    };
    Some(Verify::Token(Token {
        issuer: token.issuer.clone(),
        keys_url: token.keys.clone(),
        audience: token.audience.clone(),
        account: token.account.clone(),
    }))
}

fn shared(document: &Spanned<VerifyDoc>, secret: &str, problems: &mut Problems) -> Option<Verify> {
    let shape = &document.value;
    if shape.integrity != IntegrityDoc::SharedSecret || !shape.signed.is_empty() {
        problems.at(document, "a secret that is sent along signs nothing");
    }
    let Some(header) = &shape.header else {
        problems.at(document, "a shared secret needs header");
        return None;
    };
    Some(Verify::Shared(SharedSecret {
        header: header.clone(),
        secret: secret.to_owned(),
        basic: shape.alg == AlgorithmDoc::Basic,
    }))
}

fn given(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<Given> {
    let shape = &document.value;
    match (&shape.header, &shape.at, &shape.parse) {
        (Some(name), None, None) => Some(Given::Header {
            name: name.clone(),
            prefix: shape.prefix.clone(),
            sep: shape.sep.clone(),
        }),
        (None, Some(at), None) => Some(Given::Body { at: places(at, document, problems)? }),
        (Some(name), None, Some(parse)) => {
            let role = |wanted: &str| {
                parse.iter().find(|(_, role)| *role == wanted).map(|(name, _)| name.clone())
            };
            if let (Some(sep), Some(timestamp), Some(signature), 3) =
                (parse.get("sep"), role("timestamp"), role("signatures"), parse.len())
            {
                let (name, sep) = (name.clone(), sep.clone());
                return Some(Given::Pairs { name, sep, timestamp, signature });
            }
            problems.at(document, "verify.parse is {sep, <name>: timestamp, <name>: signatures}");
            None
        }
        _ => {
            problems.at(
                document,
                "a signature stands in header (with parse) or at a place of the body",
            );
            None
        }
    }
}

/// `/a|/b`: the first that is there.
fn places(
    text: &str,
    document: &Spanned<VerifyDoc>,
    problems: &mut Problems,
) -> Option<Vec<Pointer>> {
    text.split('|').map(|one| pointer(one.trim(), document, problems)).collect()
}

fn pieces(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for value in &document.value.signed {
        pieces.push(match value {
            Value::String(word) if word == "raw_body" => Piece::RawBody,
            Value::String(word) if word == "url_and_form" => Piece::UrlAndForm,
            Value::String(text) => Piece::Text(text.clone()),
            Value::Object(fields) => match only(fields) {
                Some(("header", name)) => Piece::Header(name.to_owned()),
                Some(("body", at)) => Piece::Body(places(at, document, problems)?),
                Some(("part", "timestamp")) => Piece::Timestamp,
                _ => return unknown(document, problems),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return unknown(document, problems);
            }
        });
    }
    let url = pieces.iter().any(|piece| matches!(piece, Piece::UrlAndForm));
    if pieces.is_empty() || (url && pieces.len() > 1) {
        problems.at(document, "verify.signed names what is signed; url_and_form stands alone");
        return None;
    }
    let covers = url || pieces.iter().any(|piece| matches!(piece, Piece::RawBody));
    if covers != (document.value.integrity == IntegrityDoc::BodySigned) {
        problems.at(document, "integrity is body_signed exactly where the body is signed");
    }
    Some(pieces)
}

fn unknown<T>(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<T> {
    problems.at(
        document,
        "a signed piece is text, raw_body, url_and_form, {header}, {body} or {part: timestamp}",
    );
    None
}

/// `Some(None)`: nothing says when it was signed.
#[expect(clippy::option_option, reason = "the outer one is a problem that was noted")]
fn stamp(document: &Spanned<VerifyDoc>, problems: &mut Problems) -> Option<Option<(Stamp, u32)>> {
    let shape = &document.value;
    match (&shape.timestamp, shape.skew_s, &shape.parse) {
        (None, None, _) => Some(None),
        (None, Some(skew_s), Some(_)) => Some(Some((Stamp::Pair, skew_s))),
        (Some(fields), Some(skew_s), _) => {
            let stamp = match only(fields) {
                Some(("header", name)) => Stamp::Header(name.to_owned()),
                Some(("body", at)) => Stamp::Body(places(at, document, problems)?),
                Some(("part", "timestamp")) => Stamp::Pair,
                _ => {
                    problems
                        .at(document, "verify.timestamp is {header}, {body} or {part: timestamp}");
                    return None;
                }
            };
            Some(Some((stamp, skew_s)))
        }
        (Some(_), None, _) | (None, Some(_), None) => {
            problems.at(document, "verify.timestamp and skew_s go together");
            None
        }
    }
}

fn only(fields: &Map<String, Value>) -> Option<(&str, &str)> {
    match fields.iter().collect::<Vec<_>>().as_slice() {
        [(name, value)] => Some((name.as_str(), value.as_str()?)),
        _ => None,
    }
}
