//! Identity tokens that are good, and every way in which one is not.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use placet_adapters::jwt::keys;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const EXPECTED: Expected<'_> =
    Expected { issuer: "https://login.example", client_id: "placet", nonce: "n0nce" };

/// A login server with one key of each kind that ring can make.
struct Server {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Server {
    fn new(seed: u8) -> Self {
        let ed = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let ec = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { ed, ec }
    }

    fn set(&self) -> Value {
        let (ed, point) = (self.ed.public_key().as_ref(), self.ec.public_key().as_ref());
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "use": "sig", "x": text(ed)},
            {"kty": "EC", "crv": "P-256", "kid": "ec", "x": text(&point[1..33]), "y": text(&point[33..])},
            {"kty": "oct", "kid": "shared", "k": text(b"secret")},
            {"kty": "EC", "crv": "P-384", "kid": "other", "x": "AA", "y": "AA"},
        ]})
    }

    fn token(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let signature = match head["alg"].as_str() {
            Some("ES256") => {
                let signature = self.ec.sign(&SystemRandom::new(), signed.as_bytes());
                signature.unwrap().as_ref().to_vec()
            }
            _ => self.ed.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example", "aud": "placet", "sub": "u1", "nonce": "n0nce",
        "iat": NOW - 5, "exp": NOW + 300, "preferred_username": "ana",
    })
}

fn checked(server: &Server, token: &str) -> Result<Map<String, Value>, Refused> {
    let now = Timestamp::from_millis(NOW * 1000);
    check(read(token)?, &keys(&server.set()), (&EXPECTED, now))
}

#[test]
fn a_token_of_the_servers_own_key_for_this_login_is_taken() {
    let server = Server::new(1);
    for head in [
        json!({"alg": "EdDSA", "kid": "ed"}),
        json!({"alg": "ES256", "kid": "ec", "typ": "JWT"}),
        json!({"alg": "EdDSA"}),
    ] {
        let claims = checked(&server, &server.token(&head, &claims())).unwrap();
        assert_eq!(claims["preferred_username"], "ana", "{head}");
    }
}

#[test]
fn s16_whatever_a_token_says_of_another_login_is_refused() {
    let server = Server::new(1);
    let refused = |member: &str, value: Value, words: &str| {
        let mut claims = claims();
        claims[member] = value;
        let token = server.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims);
        let why = checked(&server, &token).expect_err(member);
        assert!(why.contains(words), "{member}: {why}");
    };
    refused("iss", json!("https://login.example/"), "another issuer");
    refused("iss", json!(null), "another issuer");
    refused("aud", json!("other"), "another client");
    refused("aud", json!([]), "another client");
    refused("aud", json!(["other"]), "another client");
    refused("aud", json!(["placet", "other"]), "given to another client");
    refused("azp", json!("other"), "given to another client");
    refused("nonce", json!("another"), "another login");
    refused("nonce", json!(null), "another login");
    refused("exp", json!(NOW - 61), "it is over");
    refused("exp", json!(null), "until when");
    refused("exp", json!("2100-01-01"), "until when");
    refused("iat", json!(NOW + 61), "in the future");
    refused("iat", json!(NOW - 3600), "long before");
    refused("iat", json!(null), "when it was issued");
    refused("nbf", json!(NOW + 3600), "not good yet");
    // clocks differ a little
    let mut claims = claims();
    for (member, value) in [("exp", json!(NOW - 50)), ("iat", json!(NOW + 50))] {
        claims[member] = value;
        let token = server.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims);
        assert!(checked(&server, &token).is_ok(), "{member}");
    }
    claims["aud"] = json!(["other", "placet"]);
    claims["azp"] = json!("placet");
    let token = server.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims);
    assert!(checked(&server, &token).is_ok(), "for several, and given to us");
}

#[test]
fn s16_no_algorithm_but_those_of_public_keys_and_no_key_but_the_servers_is_believed() {
    let server = Server::new(1);
    let refused = |token: &str, words: &str| {
        let why = checked(&server, token).expect_err(words);
        assert!(why.contains(words), "{why}");
    };
    for head in [
        json!({"alg": "none"}),
        json!({"alg": "HS256", "kid": "shared"}),
        json!({"alg": "HS256", "kid": "ed"}),
        json!({"alg": "eddsa", "kid": "ed"}),
    ] {
        refused(&server.token(&head, &claims()), "none of RS256");
    }
    refused(&server.token(&json!({}), &claims()), "no signed token");
    let good = server.token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    refused(&format!("{signed}."), "does not verify");
    // of another server, under the same name
    let other = Server::new(2).token(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    refused(&other, "does not verify");
    // a key of another kind, and one that is not published
    for head in [
        json!({"alg": "ES256", "kid": "ed"}),
        json!({"alg": "EdDSA", "kid": "ec"}),
        json!({"alg": "RS256", "kid": "ed"}),
        json!({"alg": "EdDSA", "kid": "gone"}),
    ] {
        refused(&server.token(&head, &claims()), "does not publish");
    }
    refused(&server.token(&json!({"alg": "EdDSA", "crit": ["b64"]}), &claims()), "extension");
    // other claims under the same signature
    let mut turned = claims();
    turned["preferred_username"] = json!("root");
    let (head, _) = signed.split_once('.').unwrap();
    let claims = URL_SAFE_NO_PAD.encode(turned.to_string());
    refused(&format!("{head}.{claims}.{signature}"), "does not verify");
    for nothing in ["", ".", "..", "a.b.c", "e30.e30", &"a".repeat(40_000)] {
        assert!(checked(&server, nothing).is_err(), "{nothing:.20}");
    }
}
