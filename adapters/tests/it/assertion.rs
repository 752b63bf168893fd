//! Tokens that a credential signs for: what is signed, for whom and for how long, what it is exchanged with,
//! what the answer is worth, whose the connection is, and how a file that says it wrongly is refused. Another
//! provider of this kind is data alone.
//!
//! covers: S13, S16.

use crate::support::ADAPTERS;
use placet_adapters::manifest::{Revoked, Way, own_filled};
use placet_adapters::oauth::{AssertionSpec, GrantError, KeyError, Unsigned};
use placet_adapters::{
    Adapters, Answer, FilledRequest, Manifest, ManifestFile, Response, SecretText,
};
use placet_model::Timestamp;
use placet_test_support::token;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

const NOW_S: i64 = 1_767_225_600;

fn github() -> &'static Arc<Manifest> {
    ADAPTERS.manifest("github").unwrap()
}

fn spec() -> &'static AssertionSpec {
    github().assertion().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_S * 1000)
}

fn settings() -> Value {
    github().settings(&json!({})).unwrap()
}

fn fields(pairs: &[(&str, &str)]) -> BTreeMap<String, SecretText> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), SecretText::new(*text))).collect()
}

fn with_key(key: &str) -> BTreeMap<String, SecretText> {
    fields(&[("app_id", "99"), ("installation_id", "4711"), ("private_key", key)])
}

fn app() -> BTreeMap<String, SecretText> {
    with_key(&token::private_key("issuer"))
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer")]
fn answered(status: u16, headers: &[(&str, &str)], body: &Value) -> Answer {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Ok(Response::new(status, headers.iter().map(own).collect(), body.to_string().into_bytes()))
}

fn header(request: &FilledRequest, name: &str) -> String {
    let found = request.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.expose().to_owned()).unwrap_or_default()
}

#[test]
fn what_is_signed_holds_under_the_public_key_and_says_the_app_and_its_minutes() {
    let signed = spec().assertion(&settings(), &app(), now()).unwrap();
    let claims = token::claims("issuer", signed.expose()).expect("it is signed by RS256");
    // GitHub: `exp` at most ten minutes ahead; sixty seconds back for its clock
    assert_eq!(claims, json!({"iss": "99", "iat": NOW_S - 60, "exp": NOW_S + 540}));
    assert!(token::claims("stranger", signed.expose()).is_none());
    // the clock is the caller's, and a minute later another one is signed
    let later = spec().assertion(&settings(), &app(), now().plus_millis(60_000)).unwrap();
    let claims = token::claims("issuer", later.expose()).unwrap();
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOW_S), &json!(NOW_S + 600)));
    assert_eq!(format!("{signed:?}"), "SecretText(…)");
}

#[test]
fn a_key_signs_in_either_wrapping_and_without_its_line_breaks() {
    let pkcs1 = token::private_key("issuer");
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/keys/push.json"));
    let keys: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let base64 = keys["issuer"]["pkcs8"].as_str().unwrap();
    let pkcs8 = format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n");
    // a field of a form takes line breaks out; an editor on Windows puts more in
    let (flat, crlf) = (pkcs1.replace('\n', ""), pkcs1.replace('\n', "\r\n"));
    for key in [&pkcs1, &pkcs8, &flat, &crlf] {
        let signed = spec().assertion(&settings(), &with_key(key), now()).unwrap();
        assert!(token::claims("issuer", signed.expose()).is_some());
    }
}

#[test]
fn what_cannot_sign_is_refused_in_its_own_words_and_none_of_it_is_said() {
    let whole = token::private_key("issuer");
    for (key, why) in [
        ("ghp_s3cret".to_owned(), KeyError::NotPem),
        (whole.replace("RSA PRIVATE", "EC PRIVATE"), KeyError::NotRsa),
        (whole.replace("RSA PRIVATE", "ENCRYPTED PRIVATE"), KeyError::Encrypted),
        (whole.replacen("MII", "MIJ", 1), KeyError::Unfit),
    ] {
        let error = spec().check(&with_key(&key)).unwrap_err();
        assert_eq!(error, Unsigned::Key { field: "private_key".to_owned(), why });
        let said = format!("{error} {error:?}");
        assert!(!said.contains("s3cret") && !said.contains("MII"), "{said}");
    }
    let lacking = fields(&[("private_key", &whole)]);
    assert_eq!(spec().assertion(&settings(), &lacking, now()), Err(Unsigned::Lacks));
}

#[test]
fn it_is_exchanged_at_the_installation_and_stands_in_no_url() {
    let request = spec().exchange(&settings(), &app(), now()).unwrap();
    let url = "https://api.github.com/app/installations/4711/access_tokens";
    assert_eq!((request.method.as_str(), request.url.expose()), ("POST", url));
    assert_eq!((request.host().as_str(), request.body.len()), ("api.github.com", 0));
    assert_eq!(header(&request, "User-Agent"), "placet", "GitHub answers nobody without one");
    let authorization = header(&request, "Authorization");
    let signed = authorization.strip_prefix("Bearer ").unwrap();
    assert!(token::claims("issuer", signed).is_some());
    let said = format!("{request:?}");
    assert!(!said.contains(signed) && !said.contains("PRIVATE"), "{said}");
}

fn granted(answer: &Answer) -> Result<Option<Duration>, GrantError> {
    spec().granted("api.github.com", answer, now()).map(|given| {
        assert_eq!((given.access.expose(), given.refresh), ("ghs_1", None));
        given.expires_in
    })
}

#[test]
fn a_token_lives_until_the_moment_that_is_said_by_the_clock_of_the_one_who_says_it() {
    let body = |end: &str| json!({"token": "ghs_1", "expires_at": end, "permissions": {}});
    let hour = body("2026-01-01T01:00:00Z");
    assert_eq!(granted(&answered(201, &[], &hour)), Ok(Some(Duration::from_hours(1))));
    // their clock is ten minutes ahead: the token lives no longer for that
    let ahead = [("Date", "Thu, 01 Jan 2026 00:10:00 GMT")];
    assert_eq!(granted(&answered(201, &ahead, &hour)), Ok(Some(Duration::from_mins(50))));
    // one that is over is renewed at once, and never one that lasts
    let over = body("2025-12-31T23:00:00Z");
    assert_eq!(granted(&answered(201, &[], &over)), Ok(Some(Duration::ZERO)));
    for unsaid in [json!({"token": "ghs_1"}), body("soon")] {
        let error = granted(&answered(201, &[], &unsaid)).unwrap_err();
        assert!(error.to_string().contains("does not say when it ends"), "{error}");
    }
}

#[test]
fn a_refusal_is_told_from_an_installation_that_is_gone_and_from_a_server_that_is_away() {
    let message = json!({"message": "x"});
    let of = |status| granted(&answered(status, &[], &message)).unwrap_err();
    assert!(matches!(of(401), GrantError::Refused { .. }));
    assert!(matches!(of(403), GrantError::Refused { .. }));
    assert!(matches!(of(404), GrantError::Over { .. }));
    assert!(matches!(of(429), GrantError::Unavailable { .. }));
    assert!(matches!(of(502), GrantError::Unavailable { .. }));
}

#[test]
fn an_apps_connection_is_the_app_and_the_installation_and_a_tokens_is_the_user() {
    let (own, shown) = (app(), fields(&[("token", "ghp_1"), ("webhook_secret", "s")]));
    assert_eq!(github().way(own.keys()), Way::Signed);
    assert_eq!(github().way(shown.keys()), Way::Shown);
    let test = github().identity_test_of(Way::Signed).unwrap();
    assert_eq!(test.operation().name(), "github.installation.get");
    let answer =
        json!({"id": 4711, "app_id": 99, "app_slug": "placet", "account": {"login": "acme"}});
    let account = test.account(&answered(200, &[], &answer), None).unwrap().unwrap();
    assert_eq!(
        (account.identity.id.as_str(), account.identity.tenant.as_str()),
        ("app 99", "4711")
    );
    assert_eq!(account.label, "placet at acme");
    let test = github().identity_test_of(Way::Shown).unwrap();
    assert_eq!(test.operation().name(), "github.user.get");
}

#[test]
fn a_disconnect_takes_back_the_token_and_says_that_the_key_is_still_good() {
    let revoke = github().revoke_of(Way::Signed).unwrap();
    let mut own = app();
    own.insert("token".to_owned(), SecretText::new("ghs_1"));
    let request = own_filled(&revoke.request(&settings(), &own).unwrap(), &own).unwrap();
    let url = "https://api.github.com/installation/token";
    assert_eq!((request.method.as_str(), request.url.expose()), ("DELETE", url));
    assert_eq!(header(&request, "Authorization"), "Bearer ghs_1");
    for (revoked, begins) in [
        (Revoked::Yes, "forgotten here, and the provider has taken it back"),
        (Revoked::Ended, "forgotten here, and its token had ended"),
    ] {
        let words = revoke.words(&revoked);
        assert!(words.starts_with(begins), "{words}");
        assert!(words.contains("the App's private key is still good there"), "{words}");
        assert!(words.ends_with("https://github.com/settings/apps"), "{words}");
    }
}

/// A provider of another kind: a form, claims of its own, seconds. As Google's service accounts have it.
const OTHER: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
credentials: {schema: credentials.json}
auth:
  kind: bearer
  placement: {header: Authorization, value: "Bearer {secret:access_token}"}
  assertion:
    alg: RS256
    key: "{secret:private_key}"
    claims: {iss: "{secret:client_email}", scope: notes, aud: "https://api.acme.example/token"}
    lives_s: 3600
    request:
      url: "https://api.acme.example/token"
      body: {grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: "{secret:assertion}"}
operations:
  notes.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

fn load(text: &str) -> Result<Adapters, String> {
    let credentials = r#"{"type": "object", "properties": {"access_token": {"type": "string"},
        "private_key": {"type": "string"}, "client_email": {"type": "string"}}}"#;
    let schemas = |path: &str| match path {
        "any.json" => Some("{}".to_owned()),
        "credentials.json" => Some(credentials.to_owned()),
        _ => None,
    };
    let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: text.to_owned() };
    Adapters::with_project(&[file], &schemas, &BTreeSet::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn another_provider_that_takes_an_assertion_is_data_alone() {
    let adapters = load(OTHER).unwrap();
    let manifest = adapters.manifest("acme").unwrap();
    let spec = manifest.assertion().unwrap();
    let key = token::private_key("stranger");
    let own = fields(&[("client_email", "a@acme.example"), ("private_key", &key)]);
    let request = spec.exchange(&json!({}), &own, now()).unwrap();
    assert_eq!(header(&request, "Content-Type"), "application/x-www-form-urlencoded");
    assert_eq!(header(&request, "Authorization"), "");
    let body: BTreeMap<_, _> = url::form_urlencoded::parse(&request.body).collect();
    assert_eq!(body["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(
        token::claims("stranger", &body["assertion"]).unwrap(),
        json!({
            "iss": "a@acme.example", "scope": "notes", "aud": "https://api.acme.example/token",
            "iat": NOW_S, "exp": NOW_S + 3600,
        })
    );
    let answer = answered(200, &[], &json!({"access_token": "ya29", "expires_in": 3599}));
    let given = spec.granted("api.acme.example", &answer, now()).unwrap();
    assert_eq!(given.expires_in, Some(Duration::from_secs(3599)));
    let bound = adapters.operation("acme.notes.get").unwrap();
    assert!(bound.grants().is_some() && bound.signed().is_none());
}

#[test]
fn a_file_that_would_sign_too_much_or_show_it_elsewhere_is_refused_with_its_line() {
    for (piece, by, words) in [
        ("alg: RS256", "alg: none", "10:"),
        ("alg: RS256", "alg: HS256", "10:"),
        ("lives_s: 3600", "lives_s: 3601", "lives_s is 1 to 3600"),
        ("lives_s: 3600", "lives_s: 0", "lives_s is 1 to 3600"),
        ("lives_s: 3600", "lives_s: 9\n    issued_before_s: 301", "at most 300"),
        ("scope: notes", "exp: notes", "the engine says this itself"),
        ("scope: notes", "scope: \"{secret:gone}\"", "no field gone"),
        ("scope: notes", "scope: \"{secret:assertion}\"", "cannot name the assertion"),
        ("scope: notes", "scope: \"{secret:private_key}\"", "is shown to nobody"),
        ("assertion: \"{", "x: \"{secret:private_key}\", assertion: \"{", "is shown to nobody"),
        ("{secret:access_token}", "{secret:private_key}", "is shown to nobody"),
        ("\"{secret:private_key}\"", "private_key", "auth.assertion.key is"),
        ("\"{secret:private_key}\"", "\"{secret:gone}\"", "no field gone"),
        ("url: \"https://api.acme", "url: \"https://evil", "one of the manifest's hosts"),
        (".example/token\"\n      body", ".example/{secret:assertion}\"\n      body", "in a url"),
        ("assertion: \"{secret:assertion}\"}", "x: y}", "nothing shows the assertion"),
        ("effect: read", "effect: read\n    auth: assertion", "needs auth.assertion.placement"),
        ("kind: bearer", "kind: caller", "oauth2_code, bearer or api_key"),
        ("lives_s: 3600", "lives_s: 9\n    expires_unit: ms", "not built yet"),
    ] {
        assert!(OTHER.contains(piece), "{piece}");
        let error =
            load(&OTHER.replacen(piece, by, 1)).err().unwrap_or_else(|| panic!("{by} was taken"));
        assert!(error.contains(words) && error.contains("adapters/acme.yaml"), "{by}: {error}");
    }
    let placed = "lives_s: 3600\n    placement: {header: Authorization, value: \"Bearer {secret:assertion}\"}";
    let signed = OTHER.replacen("lives_s: 3600", placed, 1);
    let signed = signed.replacen("effect: read", "effect: read\n    auth: assertion", 1);
    let adapters = load(&signed).unwrap();
    let operation = adapters.operation("acme.notes.get").unwrap();
    assert!(operation.signed().is_some() && operation.grants().is_none());
    let plain = load(OTHER).unwrap().operation("acme.notes.get").unwrap().digest();
    assert_ne!(operation.digest(), plain, "with what it is called is bound");
    let error = load(&signed.replacen("effect: read", "effect: write", 1)).unwrap_err();
    assert!(error.contains("only a read is called with the assertion"), "{error}");
}
