//! Tokens that prove who posts: one algorithm, one issuer, one audience, one account, and nothing that is
//! over or signed by somebody else.
//!
//! covers: S15

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use placet_adapters::inbound::{Arrival, Received, Token, Unverified};
use placet_adapters::{Adapters, Response, SecretText};
use placet_model::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

const NOW_S: i64 = 1_767_225_600;
const AUDIENCE: &str = "https://placet.example/hooks/gmail/1";
const ACCOUNT: &str = "push@acme.iam.gserviceaccount.com";

fn keys() -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/keys/push.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What the issuer publishes: its key among others.
fn published() -> String {
    let mut key = keys()["issuer"].clone();
    key.as_object_mut().unwrap().remove("pkcs8");
    json!({"keys": [{"kid": "ec-1", "kty": "EC", "crv": "P-256"}, key]}).to_string()
}

fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT,
        "email_verified": true, "iat": NOW_S - 10, "exp": NOW_S + 3_600, "sub": "1",
    })
}

fn signed(signer: &str, head: &Value, claims: &Value) -> String {
    let encode = |value: &Value| BASE64URL.encode(value.to_string());
    let content = format!("{}.{}", encode(head), encode(claims));
    let der = STANDARD.decode(keys()[signer]["pkcs8"].as_str().unwrap()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PKCS1_SHA256, &random, content.as_bytes(), &mut signature).unwrap();
    format!("{content}.{}", BASE64URL.encode(signature))
}

fn head() -> Value {
    json!({"alg": "RS256", "kid": "e2e-key-1", "typ": "JWT"})
}

fn received(authorization: Option<&str>, given: &dyn Fn(&str) -> Vec<SecretText>) -> Received {
    let adapters = Adapters::shipped();
    let manifest = adapters.manifest("gmail").unwrap();
    let headers: Vec<(String, String)> = authorization
        .map(|value| ("Authorization".to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let body = br#"{"message":{"data":"e30","messageId":"1"},"subscription":"s"}"#;
    let at = Timestamp::from_millis(NOW_S * 1000);
    let arrival = Arrival { url: AUDIENCE, headers: &headers, body, at };
    manifest.inbound().unwrap().receive(&arrival, given, None)
}

fn configured(name: &str) -> Vec<SecretText> {
    let text = match name {
        "token_keys" => published(),
        "token_audience" => AUDIENCE.to_owned(),
        "token_account" => ACCOUNT.to_owned(),
        _ => return vec![],
    };
    vec![SecretText::new(text)]
}

#[expect(clippy::needless_pass_by_value, reason = "made where it is given")]
fn check(what: &str, authorization: Option<String>, expected: &Received) {
    assert_eq!(received(authorization.as_deref(), &configured), *expected, "{what}");
}

#[expect(clippy::unnecessary_wraps, reason = "a header that may be absent")]
fn bearer(signer: &str, head: &Value, claims: &Value) -> Option<String> {
    Some(format!("Bearer {}", signed(signer, head, claims)))
}

#[test]
fn a_token_of_the_issuer_for_us_is_a_hint_and_nothing_of_the_body_is_believed() {
    check("good", bearer("issuer", &head(), &claims()), &Received::Hint);
}

#[test]
fn a_token_that_says_anything_else_is_nobody_s() {
    let mismatch = Received::Unverified(Unverified::Mismatch);
    for (what, name, value) in [
        ("another issuer", "iss", json!("https://accounts.example.com")),
        ("another audience", "aud", json!("https://other.example/hooks/gmail/1")),
        ("another account", "email", json!("mallory@evil.iam.gserviceaccount.com")),
        ("an account that is not verified", "email_verified", json!(false)),
    ] {
        let mut claims = claims();
        claims[name] = value;
        check(what, bearer("issuer", &head(), &claims), &mismatch);
    }
    for name in ["email", "email_verified"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        check(&format!("without {name}"), bearer("issuer", &head(), &claims), &mismatch);
    }
    let malformed = Received::Unverified(Unverified::Malformed);
    for name in ["iss", "aud", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        check(&format!("without {name}"), bearer("issuer", &head(), &claims), &malformed);
    }
}

#[test]
fn a_token_that_is_over_or_of_the_future_is_stale() {
    let stale = Received::Unverified(Unverified::Stale);
    for (name, at) in [("exp", NOW_S), ("exp", NOW_S - 1), ("iat", NOW_S + 3_000)] {
        let mut claims = claims();
        claims[name] = json!(at);
        check(name, bearer("issuer", &head(), &claims), &stale);
    }
}

#[test]
fn a_token_of_another_key_another_algorithm_or_that_was_altered_is_refused() {
    let mismatch = Received::Unverified(Unverified::Mismatch);
    check("a stranger's key of the same name", bearer("stranger", &head(), &claims()), &mismatch);
    let unknown = json!({"alg": "RS256", "kid": "e2e-key-2"});
    check("an unknown key", bearer("issuer", &unknown, &claims()), &mismatch);
    for alg in ["none", "HS256", "RS512", "rs256"] {
        let head = json!({"alg": alg, "kid": "e2e-key-1"});
        check(alg, bearer("issuer", &head, &claims()), &mismatch);
    }
    let token = signed("issuer", &head(), &claims());
    let (content, signature) = token.rsplit_once('.').unwrap();
    let (first, _) = content.split_once('.').unwrap();
    let mut other = claims();
    other["aud"] = json!("https://placet.example/hooks/gmail/2");
    let other = BASE64URL.encode(other.to_string());
    check("other claims", Some(format!("Bearer {first}.{other}.{signature}")), &mismatch);
    check("no signature", Some(format!("Bearer {content}.")), &mismatch);
}

#[test]
fn what_is_no_token_is_refused_and_a_missing_one_too() {
    let unsigned = Received::Unverified(Unverified::Unsigned);
    check("nothing", None, &unsigned);
    let malformed = Received::Unverified(Unverified::Malformed);
    for text in
        ["", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer a", "Bearer ..", "Bearer e30.e30."]
    {
        check(text, Some(text.to_owned()), &malformed);
    }
    check("huge", Some(format!("Bearer {}", "a".repeat(20_000))), &malformed);
}

#[test]
fn without_keys_audience_or_account_nobody_is_believed() {
    let token = format!("Bearer {}", signed("issuer", &head(), &claims()));
    for missing in ["token_keys", "token_audience", "token_account"] {
        let given = |name: &str| if name == missing { vec![] } else { configured(name) };
        assert_eq!(
            received(Some(&token), &given),
            Received::Unverified(Unverified::NoKey),
            "{missing}"
        );
    }
}

#[test]
fn the_key_that_a_token_names_is_read_without_believing_anything() {
    let token = format!("Bearer {}", signed("stranger", &head(), &claims()));
    let headers = [("authorization".to_owned(), token)];
    assert_eq!(Token::key_id(&headers).as_deref(), Some("e2e-key-1"));
    assert_eq!(Token::key_id(&[]), None);
}

#[test]
fn a_message_that_is_read_is_an_event_of_its_own_id_and_our_own_is_none() {
    let adapters = Adapters::shipped();
    let inbound = adapters.manifest("gmail").unwrap().inbound().unwrap();
    let read = |labels: &[&str]| {
        let body = json!({"id": "aaaaa1", "threadId": "aaaaa0", "labelIds": labels,
            "internalDate": "1767225600000", "snippet": "not to be stored"});
        let response = Response::new(200, vec![], body.to_string().into_bytes());
        assert_eq!(
            inbound.sync().unwrap().came(&response),
            Some(Timestamp::from_millis(NOW_S * 1000))
        );
        inbound.read(&response, None)
    };
    let Received::Event(event) = read(&["INBOX"]) else { panic!("it is an event") };
    assert_eq!((event.key.as_str(), event.dedupe.as_str()), ("gmail.message", "aaaaa1"));
    assert_eq!(event.correlate["thread_id"], "aaaaa0");
    assert!(!event.data.to_string().contains("not to be stored"));
    assert_eq!(read(&["INBOX", "SENT"]), Received::Own { key: "own".to_owned() });
}
