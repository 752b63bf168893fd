//! An authenticator as a browser meets one: makes a credential, and signs challenges with it. Its flags
//! and what the browser says of the page can be set, so that a test sees what is refused.

use crate::token::{URL, decode as plain, encode};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use std::cell::Cell;

/// Somebody was there, and it was verified who.
const PRESENT_AND_VERIFIED: u8 = 0x05;

/// A software authenticator with one credential.
#[derive(Debug)]
pub struct Authenticator {
    key: Key,
    credential: [u8; 16],
    /// The party that it signs for.
    pub rp_id: String,
    /// The page that asks it.
    pub origin: String,
    /// What it says of who is there.
    pub flags: u8,
    /// The last number that it has counted; at 0 it does not count.
    pub counted: Cell<u32>,
}

/// The bytes of a part in base64url.
pub fn decode(part: &str) -> Vec<u8> {
    plain(&part.replace('-', "+").replace('_', "/"))
}

#[derive(Debug)]
enum Key {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Authenticator {
    /// One that signs with ECDSA over P-256.
    pub fn es256(rp_id: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
        Self::with(Key::Es256(pair.expect("a key that was just made")), rp_id)
    }

    /// One that signs with Ed25519.
    pub fn eddsa(rp_id: &str) -> Self {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).expect("randomness");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any seed is a key");
        Self::with(Key::EdDsa(pair), rp_id)
    }

    fn with(key: Key, rp_id: &str) -> Self {
        let mut credential = [0; 16];
        SystemRandom::new().fill(&mut credential).expect("randomness");
        let origin = match rp_id {
            "localhost" => "http://localhost:7480".to_owned(),
            host => format!("https://{host}"),
        };
        let (rp_id, flags, counted) = (rp_id.to_owned(), PRESENT_AND_VERIFIED, Cell::new(0));
        Self { key, credential, rp_id, origin, flags, counted }
    }

    /// Its own name for the credential, as it stands in `allowCredentials`.
    pub fn credential(&self) -> String {
        encode(&self.credential, URL)
    }

    /// The answer to `navigator.credentials.create` with this challenge: client data and authenticator
    /// data, in base64url.
    pub fn create(&self, challenge: &str) -> (String, String) {
        let mut data = self.head(self.flags | 0x40);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.credential);
        data.extend(self.cose());
        let client = self.client("webauthn.create", challenge);
        (encode(client.as_bytes(), URL), encode(&data, URL))
    }

    /// The answer to `navigator.credentials.get` with this challenge, as it stands in the place of a
    /// signature.
    pub fn get(&self, challenge: &str) -> String {
        if self.counted.get() > 0 {
            self.counted.set(self.counted.get() + 1);
        }
        let (data, client) = (self.head(self.flags), self.client("webauthn.get", challenge));
        let signed = [&data, digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = match &self.key {
            Key::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), &signed);
                signature.expect("randomness").as_ref().to_vec()
            }
            Key::EdDsa(pair) => pair.sign(&signed).as_ref().to_vec(),
        };
        let parts = [&data[..], client.as_bytes(), &signature].map(|part| encode(part, URL));
        format!("webauthn.{}", parts.join("."))
    }

    fn client(&self, kind: &str, challenge: &str) -> String {
        json!({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false})
            .to_string()
    }

    fn head(&self, flags: u8) -> Vec<u8> {
        let party = digest(&SHA256, self.rp_id.as_bytes());
        [party.as_ref(), &[flags], &self.counted.get().to_be_bytes()].concat()
    }

    fn cose(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(pair) => {
                let point = pair.public_key().as_ref();
                let head = [0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
                [&head[..], &point[1..33], &[0x22, 0x58, 0x20], &point[33..]].concat()
            }
            Key::EdDsa(pair) => {
                let head = [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
                [&head[..], pair.public_key().as_ref()].concat()
            }
        }
    }
}
