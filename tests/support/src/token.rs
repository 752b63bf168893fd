//! Tokens as an issuer signs them, with keys that are the tests' alone.

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::dirs::fixture;

/// The keys that the issuer publishes.
pub fn published() -> Value {
    let mut key = keys()["issuer"].clone();
    key.as_object_mut().expect("a key").remove("pkcs8");
    json!({"keys": [key]})
}

/// A token with these claims, signed by `issuer`, or by a `stranger` under the same key id.
pub fn signed(signer: &str, claims: &Value) -> String {
    let key = keys()[signer].clone();
    let head = json!({"alg": "RS256", "kid": key["kid"], "typ": "JWT"});
    let content = format!(
        "{}.{}",
        encode(head.to_string().as_bytes(), URL),
        encode(claims.to_string().as_bytes(), URL)
    );
    let pair = RsaKeyPair::from_pkcs8(&decode(key["pkcs8"].as_str().expect("a key")));
    let pair = pair.expect("the fixture holds a key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), content.as_bytes(), &mut signature)
        .expect("it signs");
    format!("{content}.{}", encode(&signature, URL))
}

/// Base64 with padding, as Pub/Sub writes its data.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = encode(bytes, PLAIN);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

const PLAIN: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
pub(crate) const URL: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn keys() -> Value {
    let text = std::fs::read_to_string(fixture("keys/push.json")).expect("the fixture is there");
    serde_json::from_str(&text).expect("it is JSON")
}

pub(crate) fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = group >> (18 - 6 * place) & 63;
            text.push(char::from(alphabet[index as usize]));
        }
    }
    text
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = vec![];
    let (mut group, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = PLAIN.iter().position(|known| *known == letter).expect("base64");
        group = group << 6 | u32::try_from(value).expect("six bits");
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((group >> bits & 255) as u8);
        }
    }
    bytes
}
