//! What every request of a provider carries, and the mode of its credential.

use crate::support::{ADAPTERS, answer, draft_time, given, load, operation, rendered};
use placet_adapters::limits::Caller;
use placet_adapters::{FillError, FillHoles, SecretText, WantedHole, fill, render};
use placet_model::IntegrationId;
use placet_model::integration::{Identity, Integration, IntegrationStatus, UseScope};
use serde_json::{Value, json};

const ACME: &str = r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
config: {schema: config.json}
credentials: {schema: keys.json}
api_version: {header: Acme-Version, value: "2026-01"}
auth:
  kind: api_key
  placement: {header: Authorization, value: "Bearer {secret:token}"}
  extra_headers: {X-Site: "{config.site?}", X-App: "{secret:app}"}
  mode_from: {credential: token, prefix: {t_: test, l_: live}}
limits:
  - {scope: account, rate: 5, window_s: 1, mode: live}
operations:
  notes.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "https://api.acme.example/notes/{input./id}", headers: {X-Own: own}}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

fn acme(from: &str, to: &str) -> Result<placet_adapters::Adapters, String> {
    assert!(ACME.contains(from), "{from}");
    let files = [
        ("any.json", "{}"),
        (
            "config.json",
            r#"{"type": "object", "properties": {"site": {"type": "string"}, "n": {}}}"#,
        ),
        (
            "keys.json",
            r#"{"type": "object", "properties": {"token": {"type": "string"}, "app": {"type": "string"}}}"#,
        ),
    ];
    load(&ACME.replacen(from, to, 1), &files)
}

fn refused(from: &str, to: &str, place: &str, words: &str) {
    let error = acme(from, to).err().unwrap_or_else(|| panic!("{to} was taken"));
    assert!(error.contains(words) && error.contains(&format!(" {place}: ")), "{to}: {error}");
}

fn headers(settings: &Value) -> Vec<(String, String)> {
    let adapters = acme("acme", "acme").unwrap();
    let input = json!({"id": "n1"});
    let get = adapters.operation("acme.notes.get").unwrap();
    let rendered = render(get, given(settings, &input)).unwrap();
    rendered.request.headers.iter().map(|(name, value)| (name.clone(), value.to_string())).collect()
}

#[test]
fn every_request_names_the_version_and_what_all_requests_say_before_its_own_headers() {
    let pairs = headers(&json!({"site": "s1"}));
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..5], ["Acme-Version", "X-App", "X-Site", "X-Own", "Authorization"]);
    assert_eq!(pairs[0].1, "2026-01");
    assert!(
        !headers(&json!({})).iter().any(|(name, _)| name == "X-Site"),
        "an absent one is dropped"
    );
}

#[test]
fn a_secret_of_an_extra_header_is_a_hole_until_the_bytes_leave() {
    #[derive(Debug)]
    struct Secrets;
    impl FillHoles for Secrets {
        fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
            Ok(SecretText::new(format!("s3cret-{}", wanted.hole.name)))
        }
    }
    let adapters = acme("acme", "acme").unwrap();
    let (settings, input) = (json!({}), json!({"id": "n1"}));
    let get = adapters.operation("acme.notes.get").unwrap();
    let request = render(get, given(&settings, &input)).unwrap().request;
    assert!(!String::from_utf8_lossy(&request.to_bytes()).contains("s3cret"));
    let filled = fill(&request, None, &Secrets, draft_time()).unwrap();
    let app = filled.headers.iter().find(|(name, _)| name == "X-App").unwrap();
    assert_eq!(app.1.expose(), "s3cret-app");
}

#[test]
fn a_version_in_the_path_is_one_segment_of_each_url() {
    let sid = format!("AC{}", "a".repeat(32));
    let settings = json!({"account_sid": sid});
    let url =
        rendered("twilio.account.get", &settings, &json!({})).unwrap().request.url.to_string();
    assert_eq!(url, format!("https://api.twilio.com/2010-04-01/Accounts/{sid}.json"));

    let path = "api_version: {path: \"{api_version}\", value: v3}";
    refused(
        "api_version: {header: Acme-Version, value: \"2026-01\"}",
        path,
        "19:14",
        "needs the segment",
    );
    refused("/notes/", "/{api_version}/", "19:14", "needs api_version.path");
}

#[test]
fn what_is_said_of_all_requests_is_refused_with_its_place_where_it_cannot_be() {
    let version = "{header: Acme-Version, value: \"2026-01\"}";
    refused(version, "{value: v1}", "7:14", "{header, value} or {path, value}");
    refused(version, "{header: A, path: \"{api_version}\", value: v1}", "7:14", "{header, value}");
    refused(version, "{header: Acme-Version, value: \"a b\"}", "7:14", "1 to 64");
    refused(version, "{header: \"A B\", value: v1}", "7:14", "no header name");
    refused(version, "{path: v1, value: v1}", "7:14", "names {api_version}");
    refused(version, "{header: X-App, value: v1}", "11:18", "says the header X-App");
    refused(
        "X-Site: \"{config.site?}\"",
        "X-Site: \"{input./x}\"",
        "11:18",
        "settings and secrets",
    );
    refused("X-Own: own", "acme-version: other", "19:14", "is said for every request");
    refused("X-Own: own", "authorization: other", "19:14", "is said for every request");
    let mode = "{credential: token, prefix: {t_: test, l_: live}}";
    refused(mode, "{credential: other, prefix: {t_: test}}", "12:14", "have no field other");
    refused(mode, "{credential: token, prefix: {t_: test, t_x: live}}", "12:14", "two modes");
    refused(mode, "{credential: token, prefix: {t_: Test}}", "12:14", "no word");
    refused(mode, "{credential: token, prefix: {}}", "12:14", "is empty");
    refused("mode: live}\n", "mode: gold}\n", "14:50", "a mode of auth.mode_from");
}

#[test]
fn a_credential_shows_its_mode_by_its_first_letters_and_by_nothing_else() {
    let stripe = ADAPTERS.manifest("stripe").unwrap();
    let from = stripe.mode_from().unwrap();
    let mode = |key: &str| from.of(&SecretText::new(key)).map(str::to_owned);
    assert_eq!(from.credential(), "api_key");
    assert_eq!(mode("sk_live_abc").as_deref(), Some("live"));
    assert_eq!(mode("rk_test_abc").as_deref(), Some("test"));
    assert_eq!(mode("pk_live_abc"), None);
    assert_eq!(from.modes(), ["live", "test"]);
}

#[test]
fn the_mode_is_part_of_the_identity_that_an_approval_binds() {
    let test = ADAPTERS.manifest("stripe").unwrap().identity_test().unwrap();
    let body = answer(200, &[], r#"{"id": "acct_1", "email": "a@b.example"}"#);
    let as_mode = |mode| test.account(&body, mode).unwrap().unwrap().identity;
    assert_ne!(as_mode(Some("live")), as_mode(Some("test")));
    assert_eq!(as_mode(Some("live")).tenant, "acct_1 (live)");
    assert_eq!(as_mode(None).tenant, "acct_1");
}

#[test]
fn a_live_key_has_a_hundred_calls_a_second_and_a_test_key_twenty_five() {
    let create = operation("stripe.customers.create");
    let rates = |mode: Option<&str>| {
        let account = Identity { id: "acct_1".to_owned(), tenant: "acct_1".to_owned() };
        let integration = integration(account.in_mode(mode));
        let charges = create.charges(Caller { integration: &integration, target: None });
        charges.iter().map(|charge| charge.rate).collect::<Vec<_>>()
    };
    assert_eq!(rates(Some("live")), [100]);
    assert_eq!(rates(Some("test")), [25]);
    assert_eq!(rates(None), [100, 25], "what is not known counts in both");
}

#[test]
fn the_modes_and_headers_of_all_requests_are_bound_by_an_approval() {
    let digest = |from: &str, to: &str| {
        acme(from, to).unwrap().operation("acme.notes.get").unwrap().digest()
    };
    let usual = digest("acme", "acme");
    for (from, to) in [("2026-01", "2026-02"), ("X-Site: ", "X-Place: "), ("t_: test", "t_: live")]
    {
        assert_ne!(digest(from, to), usual, "{to}");
    }
    assert_eq!(digest("rate: 5", "rate: 50"), usual, "limits are outside");
}

fn integration(identity: Identity) -> Integration {
    Integration {
        id: IntegrationId::from_bytes([9; 16]),
        name: "stripe".to_owned(),
        provider: "stripe".to_owned(),
        settings: json!({}),
        identity,
        label: String::new(),
        status: IntegrationStatus::Active,
        reason: None,
        credential_version: 1,
        is_default: true,
        scopes: vec![],
        used_in: UseScope::default(),
    }
}
