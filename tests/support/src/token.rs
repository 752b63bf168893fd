//! Tokens as an issuer signs them, with keys that are the tests' alone.

use ring::rand::SystemRandom;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use crate::dirs::fixture;
use crate::passkey;

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

/// The private key of a signer as GitHub hands it out: PKCS#1 in PEM.
pub fn private_key(signer: &str) -> String {
    let whole = decode(keys()[signer]["pkcs8"].as_str().expect("a key"));
    // what PKCS#8 puts before an RSA key of 2048 bits
    let text = base64(whole.get(26..).expect("a whole key"));
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(letters).collect();
    let lines = lines.join("\n");
    format!("-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----\n")
}

/// What a token claims that this signer has signed under RS256; none of any other.
pub fn claims(signer: &str, token: &str) -> Option<Value> {
    let (content, signature) = token.rsplit_once('.')?;
    let (head, claims) = content.split_once('.')?;
    let read = |part: &str| serde_json::from_slice::<Value>(&passkey::decode(part)).ok();
    let key = keys()[signer].clone();
    let number = |name: &str| passkey::decode(key[name].as_str().expect("a number"));
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let signature = passkey::decode(signature);
    public.verify(&RSA_PKCS1_2048_8192_SHA256, content.as_bytes(), &signature).ok()?;
    read(claims).filter(|_| read(head).is_some_and(|head| head["alg"] == "RS256"))
}

fn letters(chunk: &[u8]) -> &str {
    std::str::from_utf8(chunk).expect("base64 is ASCII")
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
