//! Secrets: open in the approved bytes, filled once at the send, bound to a host, never printed.

use crate::support::{SEND_ID, draft_time, rendered, slack};
use placet_adapters::{FillError, FillHoles, SecretText, WantedHole, fill};
use placet_model::plan::Authentication;
use placet_model::request::{HoleKind, HoledText, PreparedRequest};
use serde_json::json;
use std::sync::Mutex;

const SECRET: &str = "xoxb-canary-7f3a";
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Knows two secrets and remembers what it was asked.
#[derive(Debug, Default)]
struct Vault {
    asked: Mutex<Vec<(String, String)>>,
    text: Option<String>,
}

impl FillHoles for Vault {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        self.asked.lock().unwrap().push((wanted.hole.name.clone(), wanted.host.to_owned()));
        let text = match wanted.hole.name.as_str() {
            "access_token" => SECRET,
            "signing_secret" => SIGNING,
            _ => return Err(FillError::Unknown { hole: wanted.hole.clone() }),
        };
        Ok(SecretText::new(self.text.as_deref().unwrap_or(text)))
    }
}

fn webhook() -> PreparedRequest {
    let settings = json!({"url": "https://example.com/hooks/1?a=b"});
    rendered("webhook.event.send", &settings, &json!({"type": "user.created", "data": {"id": 7}}))
        .unwrap()
        .request
}

fn post() -> PreparedRequest {
    slack(&json!({"channel": "C123", "text": "hi"})).unwrap().request
}

#[test]
fn a_credential_is_a_hole_in_the_approved_bytes() {
    let request = post();
    let holes = request.holes();
    assert_eq!(holes.len(), 1);
    assert_eq!((holes[0].hole, holes[0].name.as_str()), (HoleKind::Credential, "access_token"));
    assert_eq!(request.to_view()["headers"]["Authorization"], "Bearer ‹credential:access_token›");
}

#[test]
fn a_webhooks_id_is_approved_and_its_timestamp_and_signature_are_holes() {
    let request = webhook();
    assert_eq!(
        request.header("webhook-id").and_then(HoledText::as_plain).as_deref(),
        Some(SEND_ID)
    );
    let holes: Vec<String> = request.holes().iter().map(ToString::to_string).collect();
    assert_eq!(holes, ["‹timestamp:unix_s›", "‹signature:standard-webhooks:signing_secret›"]);
}

#[test]
fn filling_changes_the_holes_and_nothing_else() {
    let vault = Vault::default();
    let filled = fill(&post(), None, &vault, draft_time()).unwrap();
    let header = |name: &str| {
        filled
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.expose().to_owned())
    };
    assert_eq!(header("authorization").unwrap(), format!("Bearer {SECRET}"));
    assert_eq!(header("content-type").unwrap(), "application/json; charset=utf-8");
    assert_eq!(filled.url.expose(), "https://slack.com/api/chat.postMessage");
    assert_eq!(
        Some(filled.body.as_slice()),
        match &post().body {
            placet_model::request::Body::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        }
    );
    assert_eq!(*vault.asked.lock().unwrap(), [("access_token".to_owned(), "slack.com".to_owned())]);
}

#[test]
fn a_webhook_is_signed_over_its_id_the_moment_of_the_try_and_the_body() {
    let filled = fill(&webhook(), None, &Vault::default(), draft_time()).unwrap();
    let header = |name: &str| {
        filled
            .headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.expose().to_owned())
            .unwrap()
    };
    assert_eq!(header("webhook-timestamp"), "1767225600");
    let expect =
        placet_adapters::sign::standard_webhooks(SIGNING, SEND_ID, 1_767_225_600, &filled.body)
            .unwrap();
    assert_eq!(header("webhook-signature"), expect);
}

#[test]
fn the_digest_does_not_depend_on_any_secret() {
    let before = (post().digest(), webhook().digest());
    fill(&post(), None, &Vault::default(), draft_time()).unwrap();
    assert_eq!((post().digest(), webhook().digest()), before);
    for request in [post(), webhook()] {
        let stored = String::from_utf8(request.to_bytes()).unwrap();
        assert!(!stored.contains(SECRET) && !stored.contains(SIGNING));
    }
}

#[test]
fn a_secret_that_would_break_a_header_line_is_not_filled_in_and_not_repeated() {
    let vault = Vault { text: Some("x\r\nX-Evil: s3cret".to_owned()), ..Vault::default() };
    let error = fill(&post(), None, &vault, draft_time()).unwrap_err();
    assert!(matches!(error, FillError::Unusable { .. }));
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_key_that_is_no_signing_key_is_not_used_and_not_repeated() {
    let vault = Vault { text: Some("s3cret".to_owned()), ..Vault::default() };
    let error = fill(&webhook(), None, &vault, draft_time()).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn nothing_that_holds_a_secret_prints_it() {
    let filled = fill(&post(), None, &Vault::default(), draft_time()).unwrap();
    assert!(!format!("{filled:?}").contains("canary"));
    assert!(!format!("{:?}", filled.headers).contains("canary"));
}

#[test]
fn authentication_of_an_http_call_is_holes_of_named_secrets() {
    let input = json!({"method": "get", "endpoint": "https://api.example.com/x"});
    let settings = json!({});
    let mut given = crate::support::given(&settings, &input);
    let basic = Authentication::Basic { username: "user".into(), password: "pass".into() };
    given.authentication = Some(&basic);
    let request =
        placet_adapters::render(&crate::support::operation("http.read"), given).unwrap().request;
    assert_eq!(request.header("authorization").unwrap().to_string(), "Basic ‹basic:user:pass›");
    let both = json!({"method": "get", "endpoint": "https://api.example.com/x", "headers": {"authorization": "x"}});
    given.input = &both;
    assert!(placet_adapters::render(&crate::support::operation("http.read"), given).is_err());
}

/// A bot whose token is this.
fn bot(token: &'static str) -> (PreparedRequest, Bot) {
    let input = json!({"chat_id": 5, "text": "hi"});
    let request = rendered("telegram.sendMessage", &json!({}), &input).unwrap().request;
    (request, Bot(token))
}

#[derive(Debug)]
struct Bot(&'static str);

impl FillHoles for Bot {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        assert_eq!(wanted.host, "api.telegram.org");
        Ok(SecretText::new(self.0))
    }
}

#[test]
fn a_token_in_a_path_is_shown_as_a_hole_and_written_as_one_segment() {
    let (request, vault) = bot("123456:AA-b_C");
    assert_eq!(
        request.url.to_string(),
        "https://api.telegram.org/bot‹credential:bot_token›/sendMessage"
    );
    let filled = fill(&request, None, &vault, draft_time()).unwrap();
    assert_eq!(filled.url.expose(), "https://api.telegram.org/bot123456:AA-b_C/sendMessage");
    assert!(!format!("{filled:?} {request:?}").contains("AA-b_C"));
}

#[test]
fn a_token_that_could_leave_its_segment_is_never_sent() {
    for token in ["1:a/../../x", "1:a/b", "..", "", "1:a\\b", "1:a\r\nHost: evil"] {
        let (request, vault) = bot(token);
        let filled = fill(&request, None, &vault, draft_time());
        assert!(matches!(filled, Err(FillError::Unusable { .. })), "{token:?}");
    }
    let (request, vault) = bot("1:a?b#c");
    let filled = fill(&request, None, &vault, draft_time()).unwrap();
    assert_eq!(filled.url.expose(), "https://api.telegram.org/bot1:a%3Fb%23c/sendMessage");
}

/// A vault whose every secret is this one.
#[derive(Debug)]
struct Only(&'static str);

impl FillHoles for Only {
    fn fill(&self, _: &WantedHole<'_>) -> Result<SecretText, FillError> {
        Ok(SecretText::new(self.0))
    }
}

#[test]
fn a_secret_in_a_json_body_stays_one_value_and_no_text_is_taken_for_a_hole() {
    let url = "https://placet.example/hooks/‹credential:webhook_secret›";
    let input = json!({"owner": "acme", "repo": "site", "url": url});
    let request = rendered("github.hooks.create", &json!({}), &input).unwrap().request;
    let holes: Vec<String> = request.holes().iter().map(ToString::to_string).collect();
    assert_eq!(holes, ["‹credential:token›", "‹credential:webhook_secret›"]);
    let filled = fill(&request, None, &Only("a\"},\"b\\"), draft_time()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&filled.body).unwrap();
    let config =
        json!({"url": url, "content_type": "json", "insecure_ssl": "0", "secret": "a\"},\"b\\"});
    assert_eq!(body["config"], config);
    assert_eq!((&body["events"], body.as_object().unwrap().len()), (&json!(["issue_comment"]), 4));
}

#[test]
fn a_login_is_told_in_its_halves_and_what_is_no_login_is_not_sent() {
    let settings = json!({"message_id_domain": "acme.example"});
    let input = json!({"Url": "https://placet.example/hooks/postmark/1"});
    let request = rendered("postmark.webhooks.create", &settings, &input).unwrap().request;
    let filled = fill(&request, None, &Only("ops:pass:word"), draft_time()).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&filled.body).unwrap();
    assert_eq!(body["HttpAuth"], json!({"Username": "ops", "Password": "pass:word"}));
    assert!(body.get("MessageStream").is_none(), "what is absent is not there");
    let error = fill(&request, None, &Only("no-login"), draft_time()).unwrap_err();
    assert!(!error.to_string().contains("no-login"), "{error}");
}
