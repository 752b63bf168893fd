//! What a person is sent to a provider with, what its token endpoint is asked, and what its answers are
//! worth, for every provider that ships with `auth.oauth`; and how a file that says it wrongly is refused.
//!
//! covers: S16.

use placet_adapters::manifest::{Revoked, own_filled};
use placet_adapters::oauth::{AppClient, Asking, GrantError, GrantSpec, Granted, Rotates};
use placet_adapters::{
    Adapters, Answer, Cause, Failed, Manifest, ManifestFile, Response, SecretText,
};
use placet_model::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use url::Url;

const REDIRECT: &str = "https://placet.example.com/integrations/x/callback";
/// The verifier of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn manifest(provider: &str) -> Arc<Manifest> {
    Arc::clone(Adapters::shipped().manifest(provider).unwrap())
}

fn settings(provider: &str, given: &Value) -> Value {
    manifest(provider).settings(given).unwrap()
}

fn app() -> AppClient {
    AppClient { id: "app id".to_owned(), secret: Some(SecretText::new("app/secret")) }
}

/// Gives `act` the grant of a provider and what a person is sent there with.
fn with<T>(provider: &str, act: impl FnOnce(&GrantSpec, &Asking<'_>) -> T) -> T {
    let (manifest, client) = (manifest(provider), app());
    let (state, verifier) = (SecretText::new("state-1"), SecretText::new(VERIFIER));
    let scopes = ["one".to_owned(), "two".to_owned()];
    let asking = Asking {
        client: &client,
        redirect_uri: REDIRECT,
        state: &state,
        verifier: &verifier,
        scopes: &scopes,
    };
    act(manifest.grant().unwrap(), &asking)
}

fn authorize(provider: &str, given: &Value) -> (String, BTreeMap<String, String>) {
    let settings = settings(provider, given);
    let url = with(provider, |grant, asking| grant.authorize_url(&settings, asking).unwrap());
    let query = url.query_pairs().into_owned().collect();
    (format!("{}{}", url.host_str().unwrap(), url.path()), query)
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer")]
fn answered(status: u16, body: &Value) -> Answer {
    Ok(Response::new(status, vec![], body.to_string().into_bytes()))
}

fn granted(provider: &str, answer: &Answer) -> Result<Granted, GrantError> {
    with(provider, |grant, _| grant.granted("login.example", answer, Timestamp::EPOCH))
}

#[test]
fn every_shipped_provider_whose_grant_a_person_gives_says_how() {
    for (name, manifest) in Adapters::shipped().manifests() {
        if manifest.source().contains("kind: oauth2_code") {
            assert!(manifest.grant().is_some(), "{name}");
        }
    }
}

#[test]
fn a_person_is_sent_with_state_redirect_and_challenge_in_each_providers_own_words() {
    let (at, query) = authorize("gmail", &json!({}));
    assert_eq!(at, "accounts.google.com/o/oauth2/v2/auth");
    assert_eq!(query["code_challenge"], CHALLENGE, "RFC 7636, appendix B");
    assert_eq!(query["code_challenge_method"], "S256");
    assert_eq!((&*query["state"], &*query["redirect_uri"]), ("state-1", REDIRECT));
    assert_eq!((&*query["response_type"], &*query["client_id"]), ("code", "app id"));
    assert_eq!((&*query["access_type"], &*query["prompt"]), ("offline", "consent"));
    assert_eq!(query["scope"], "one two");

    let (at, query) = authorize("slack", &json!({}));
    assert_eq!((&*at, &*query["scope"]), ("slack.com/oauth/v2/authorize", "one,two"));
    assert!(!query.contains_key("code_challenge"), "an app that was not told of it refuses it");
    let (_, query) = authorize("slack", &json!({"pkce": true}));
    assert_eq!(query["code_challenge"], CHALLENGE);

    for provider in ["helpscout", "intercom"] {
        let (_, query) = authorize(provider, &json!({}));
        assert!(!query.contains_key("scope"), "{provider}: permissions are set on the app");
    }
    assert_eq!(authorize("github", &json!({})).0, "github.com/login/oauth/authorize");
}

#[test]
fn a_code_is_exchanged_with_its_verifier_and_the_very_redirect_and_no_secret_is_in_the_url() {
    let code = SecretText::new("co de");
    let asked = |provider: &str, given: &Value| {
        let settings = settings(provider, given);
        with(provider, |grant, asking| grant.exchange(&settings, &code, asking).unwrap())
    };
    let gmail = asked("gmail", &json!({}));
    assert_eq!(gmail.url.expose(), "https://oauth2.googleapis.com/token");
    let body = String::from_utf8(gmail.body).unwrap();
    let fields: BTreeMap<_, _> = url::form_urlencoded::parse(body.as_bytes()).collect();
    assert_eq!((&*fields["grant_type"], &*fields["code"]), ("authorization_code", "co de"));
    assert_eq!((&*fields["code_verifier"], &*fields["redirect_uri"]), (VERIFIER, REDIRECT));
    assert_eq!((&*fields["client_id"], &*fields["client_secret"]), ("app id", "app/secret"));

    let slack = asked("slack", &json!({}));
    let (_, basic) = slack.headers.iter().find(|(name, _)| name == "Authorization").unwrap();
    assert_eq!(basic.expose(), "Basic YXBwJTIwaWQ6YXBwJTJGc2VjcmV0");
    let body = String::from_utf8(slack.body).unwrap();
    assert!(!body.contains("client_secret") && !body.contains("code_verifier"), "{body}");
}

#[test]
fn each_answer_is_worth_what_its_provider_means_by_it() {
    let slack = granted(
        "slack",
        &answered(
            200,
            &json!({"ok": true, "access_token": "xoxe.xoxb-1", "refresh_token": "xoxe-1", "expires_in": 43200, "scope": "chat:write,users:read"}),
        ),
    );
    let slack = slack.unwrap();
    assert_eq!(
        (slack.access.expose(), slack.refresh.unwrap().expose().to_owned()),
        ("xoxe.xoxb-1", "xoxe-1".to_owned())
    );
    assert_eq!(slack.expires_in.unwrap().as_secs(), 43_200);
    assert_eq!(slack.scopes.unwrap(), ["chat:write", "users:read"]);

    let forever =
        granted("intercom", &answered(200, &json!({"token": "x", "access_token": "tok"})));
    let forever = forever.unwrap();
    assert!(forever.expires_in.is_none() && forever.refresh.is_none());

    let says = |provider: &str, status: u16, body: Value| {
        granted(provider, &answered(status, &body)).unwrap_err()
    };
    let refused = says("slack", 200, json!({"ok": false, "error": "invalid_code"}));
    assert!(
        matches!(refused, GrantError::Refused { ref words, .. } if words == "invalid_code"),
        "{refused}"
    );
    for over in ["invalid_refresh_token", "token_revoked"] {
        let error = says("slack", 200, json!({"ok": false, "error": over}));
        assert!(matches!(error, GrantError::Over { .. }), "{error}");
    }
    let error = says(
        "gmail",
        400,
        json!({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}),
    );
    assert!(
        matches!(error, GrantError::Over { ref words, .. } if words.contains("revoked")),
        "{error}"
    );
    let error = says("github", 200, json!({"error": "bad_verification_code"}));
    assert!(matches!(error, GrantError::Refused { .. }), "{error}");
    assert!(matches!(says("gmail", 503, json!({})), GrantError::Unavailable { .. }));
    assert!(matches!(says("gmail", 429, json!({})), GrantError::Unavailable { .. }));
    assert!(matches!(
        says("gmail", 200, json!({"access_token": "a b"})),
        GrantError::Unusable { .. }
    ));
    assert!(matches!(says("gmail", 200, json!({})), GrantError::Unusable { .. }));

    let before = Err(Failed::before(Cause::Connect, "nobody there"));
    assert!(matches!(granted("gmail", &before), Err(GrantError::Unavailable { .. })));
    let after = Err(Failed::after(Cause::Reset, "it broke"));
    assert!(matches!(granted("gmail", &after), Err(GrantError::Lost { .. })));
}

#[test]
fn words_of_a_provider_are_shown_without_what_could_deceive() {
    let text = format!("a\u{202e}b\r\n\u{1b}[2Jc{}", "x".repeat(500));
    let error = granted("gmail", &answered(400, &json!({"error": text}))).unwrap_err().to_string();
    assert!(error.contains("ab[2Jcxxx") && error.len() < 300 && error.is_ascii(), "{error}");
}

#[test]
fn a_token_is_renewed_before_its_end_and_not_all_at_once() {
    let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
    with("slack", |grant, _| {
        assert_eq!(grant.rotates(), Rotates::OptIn);
        assert_eq!(grant.due_at(at(0), at(720), 0), at(600), "two hours before");
        assert_eq!(grant.due_at(at(0), at(720), 255), at(570), "a quarter of that earlier at most");
        assert_eq!(grant.due_at(at(0), at(5), 0), at(4), "a short one in its last fifth");
        assert_eq!(grant.due_at(at(0), at(0), 255), at(0));
    });
}

#[test]
fn a_disconnect_asks_the_provider_to_take_it_back_or_says_that_nobody_can() {
    let fields = |pairs: &[(&str, &str)]| -> BTreeMap<String, SecretText> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), SecretText::new(*text))).collect()
    };
    let oauth = fields(&[
        ("access_token", "t/1"),
        ("token", "t/1"),
        ("client_id", "id"),
        ("client_secret", "s"),
    ]);
    let asked = |provider: &str| {
        let (manifest, settings) = (manifest(provider), settings(provider, &json!({})));
        let prepared = manifest.revoke().unwrap().request(&settings, &oauth)?;
        // what is on record is what leaves, and tells no secret
        let shown = prepared.to_view().to_string();
        assert!(
            !shown.contains("t/1") && !shown.contains("t%2F1") && !shown.contains("aWQ6cw"),
            "{shown}"
        );
        let request = own_filled(&prepared, &oauth).unwrap();
        let header = |name: &str| {
            let found = request.headers.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.expose().to_owned()).unwrap_or_default()
        };
        let body = String::from_utf8(request.body.clone()).unwrap();
        Some(format!(
            "{} {} {} {body}",
            request.method,
            request.url.expose(),
            header("Authorization")
        ))
    };
    assert_eq!(asked("slack").unwrap(), "POST https://slack.com/api/auth.revoke Bearer t/1 ");
    assert_eq!(asked("gmail").unwrap(), "POST https://oauth2.googleapis.com/revoke  token=t%2F1");
    assert_eq!(
        asked("intercom").unwrap(),
        "POST https://api.intercom.io/auth/uninstall Bearer t/1 "
    );
    let github = r#"DELETE https://api.github.com/applications/id/token Basic aWQ6cw== {"access_token":"t/1"}"#;
    assert_eq!(asked("github").unwrap(), github);
    assert_eq!(asked("helpscout"), None);

    let github = manifest("github");
    let revoke = github.revoke().unwrap();
    let own = fields(&[("token", "ghp_1")]);
    assert!(revoke.request(&Value::Null, &own).is_none(), "a person's own token is no app's");
    assert!(revoke.words(&Revoked::NoCall).contains("revoke it yourself at https://github.com/"));
    let slack = manifest("slack");
    let revoke = slack.revoke().unwrap();
    assert_eq!(revoke.outcome(&answered(200, &json!({"ok": true, "revoked": true}))), Revoked::Yes);
    let no = revoke.outcome(&answered(200, &json!({"ok": false, "error": "not_authed"})));
    assert!(revoke.words(&no).contains("not_authed") && revoke.words(&no).contains("yourself"));
    let gmail = manifest("gmail");
    let words = gmail.revoke().unwrap().words(&Revoked::Yes);
    assert!(
        words.contains("ended the grant") && words.contains("every other connection"),
        "{words}"
    );
}

#[test]
fn what_else_a_disconnect_ends_is_asked_for_one_by_one_and_each_says_how_it_went() {
    let revoke = "revoke:\n  scope: none\n  also:\n    - {ends: the webhook, request: {method: DELETE, \
         url: \"https://api.acme.example/hooks\", auth: token}, success_when: [{body: {at: /ok, is: true}}]}\n    \
         - {ends: the refresh token, request: {method: POST, url: \"https://api.acme.example/revoke\", \
         auth: none, body: {token: \"{secret:refresh_token}\"}}}\noperations:";
    let own = load(&OWN.replacen("operations:", revoke, 1)).unwrap();
    let revoke = own.manifest("acme").unwrap().revoke().unwrap();
    let fields = BTreeMap::from([("access_token".to_owned(), SecretText::new("t"))]);
    let [webhook, refresh] = revoke.also() else { panic!("there are two") };
    let request = own_filled(&webhook.request(&Value::Null, &fields).unwrap(), &fields).unwrap();
    assert_eq!(
        (request.method.as_str(), request.url.expose()),
        ("DELETE", "https://api.acme.example/hooks")
    );
    let good = webhook.outcome(&answered(200, &json!({"ok": true})));
    assert_eq!(webhook.words(&good), "the webhook ended with it");
    let no = webhook.outcome(&answered(200, &json!({"ok": false, "error": "gone"})));
    let told = webhook.words(&no);
    assert!(told.contains("the webhook did not end") && told.contains("gone"), "{told}");
    assert!(refresh.request(&Value::Null, &fields).is_none(), "there is no refresh token");
    assert!(refresh.words(&Revoked::NoCall).contains("goes on"));
    assert_eq!(revoke.outcome(&answered(200, &json!({}))), Revoked::NoCall);
    let elsewhere = "operations:";
    let by = "revoke: {scope: none, also: [{ends: x, request: {method: POST, url: \"https://evil.example/\", auth: token}}]}\noperations:";
    let error = load(&OWN.replacen(elsewhere, by, 1)).unwrap_err();
    assert!(error.contains("https at one of the manifest's hosts"), "{error}");
}

const OWN: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth:
  kind: oauth2_code
  placement: {header: Authorization, value: "Bearer {secret:access_token}"}
  oauth: {authorize: "https://api.acme.example/go", token: "https://api.acme.example/token", client_auth: post, rotates: always}
operations:
  notes.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

fn load(text: &str) -> Result<Adapters, String> {
    let schemas = |path: &str| (path == "any.json").then(|| "{}".to_owned());
    let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: text.to_owned() };
    Adapters::with_project(&[file], &schemas, &BTreeSet::new())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_file_that_would_send_a_person_or_a_secret_elsewhere_is_refused_with_its_line() {
    assert!(load(OWN).is_ok());
    for (piece, by, words) in [
        ("https://api.acme.example/go", "https://evil.example/go", "8:"),
        ("https://api.acme.example/token", "http://api.acme.example/token", "https"),
        (
            "https://api.acme.example/token",
            "https://api.acme.example@evil.example/token",
            "not one of",
        ),
        ("https://api.acme.example/token", "{input./url}", "an address is"),
        ("rotates: always", "rotates: always, params: {state: x}", "the engine says this itself"),
        (
            "rotates: always",
            "rotates: always, params: {redirect_uri: x}",
            "the engine says this itself",
        ),
        ("rotates: always", "rotates: no_refresh, refresh_before_s: 60", "nothing is renewed"),
        ("rotates: always", "rotates: sometimes", "8:"),
        ("Bearer {secret:access_token}", "{secret:a}{secret:b}", "one {secret:field}"),
        ("kind: oauth2_code", "kind: api_key", "oauth2_code or bearer"),
    ] {
        assert!(OWN.contains(piece), "{piece}");
        let error =
            load(&OWN.replacen(piece, by, 1)).err().unwrap_or_else(|| panic!("{by} was taken"));
        assert!(error.contains(words) && error.contains("adapters/acme.yaml"), "{by}: {error}");
    }
}

#[test]
fn a_parameter_of_the_manifest_never_takes_the_place_of_ours() {
    let settings = settings("gmail", &json!({}));
    let url: Url = with("gmail", |grant, asking| grant.authorize_url(&settings, asking).unwrap());
    let mut seen = BTreeSet::new();
    for (name, _) in url.query_pairs() {
        assert!(seen.insert(name.to_string()), "{name} stands twice");
    }
}
