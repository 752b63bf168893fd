//! Tokens of authorization servers: asked for at the send and not before, only where the operator
//! lists the server, once for all who wait, and never shown.
//!
//! covers: S16, T25

use crate::common::{Behaviour, StandIn, call, request};
use placet_adapters::{
    Answer, Cause, Failed, FillError, FillHoles, Phase, Redirects, SecretText, Transport,
    WantedHole, render,
};
use placet_egress::{Egress, EgressConfig};
use placet_model::Timestamp;
use placet_model::plan::{Authentication, ClientAuthentication, Grant, OAuth2, TokenEncoding};
use placet_model::request::PreparedRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const GOOD: &str = r#"{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 3600}"#;
const ONCE: &str = r#"{"access_token": "t0ken", "token_type": "bearer", "expires_in": 1}"#;

/// Secrets by name, each with the hosts that it may go to.
#[derive(Debug, Default)]
struct Bound(BTreeMap<&'static str, (String, Vec<&'static str>)>);

impl FillHoles for Bound {
    fn fill(&self, wanted: &WantedHole<'_>) -> Result<SecretText, FillError> {
        let hole = || wanted.hole.clone();
        let (text, hosts) = self
            .0
            .get(wanted.hole.name.as_str())
            .ok_or_else(|| FillError::Unknown { hole: hole() })?;
        if hosts.contains(&wanted.host) {
            return Ok(SecretText::new(text));
        }
        Err(FillError::WrongHost { hole: hole(), host: wanted.host.to_owned() })
    }
}

fn secrets() -> Bound {
    let both = vec!["127.0.0.1", "localhost"];
    let of = |name, text: &str| (name, (text.to_owned(), both.clone()));
    let mut secrets = BTreeMap::from([
        of("secret", "s3 cret&="),
        of("user", "ana"),
        of("pass", "pass/w\u{f6}rd"),
        of("refresh", "first-refresh"),
    ]);
    secrets.insert("elsewhere", ("x".to_owned(), vec!["localhost"]));
    Bound(secrets)
}

/// A server at `authority`, asked as a machine.
fn machine(authority: &str) -> OAuth2 {
    OAuth2 {
        authority: authority.to_owned(),
        grant: Grant::ClientCredentials,
        token_endpoint: Some("/token".to_owned()),
        client: Some("placet".to_owned()),
        client_secret: Some("secret".to_owned()),
        client_authentication: ClientAuthentication::ClientSecretPost,
        encoding: TokenEncoding::Form,
        issuers: vec![],
        scopes: vec![],
        audiences: vec![],
    }
}

/// A GET of the API, as it is rendered.
fn bytes(api: &str, authentication: &Authentication) -> PreparedRequest {
    let input = json!({"method": "GET", "endpoint": api});
    let given = placet_adapters::RenderInput {
        settings: &Value::Null,
        input: &input,
        send_id: "",
        draft_time: Timestamp::EPOCH,
        authentication: Some(authentication),
    };
    let operation = call(request("GET", api, ""), Redirects::Never).operation;
    render(&operation, given).unwrap().request
}

/// An API, an authorization server, and the way to both.
struct World {
    api: StandIn,
    server: StandIn,
    egress: Egress,
    /// How long a call may take.
    patience: Duration,
}

impl World {
    async fn new(answers: &[(&str, &str)]) -> Self {
        Self::with(StandIn::in_turn(answers).await).await
    }

    async fn with(server: StandIn) -> Self {
        let api = StandIn::answering("200 OK", "", "{}").await;
        let localhost = format!("localhost:{}", server.address.port());
        let allowed = [api.address.to_string(), server.address.to_string(), localhost];
        let config = EgressConfig::allowing(allowed.iter().map(|target| target.parse().unwrap()));
        let egress = Egress::new(crate::common::live(), config, Arc::new(secrets()));
        Self { api, server, egress, patience: Duration::from_mins(2) }
    }

    fn authority(&self) -> String {
        format!("http://localhost:{}", self.server.address.port())
    }

    async fn call(&self, spec: OAuth2) -> Answer {
        self.call_as(&Authentication::OAuth2(Box::new(spec))).await
    }

    async fn call_as(&self, authentication: &Authentication) -> Answer {
        let bytes = bytes(&self.api.url("/me"), authentication);
        let mut call = call(bytes, Redirects::Never);
        call.timeout = self.patience;
        self.egress.perform(call).await
    }

    /// What a call fails with; nothing of it has reached the API.
    async fn failure(&self, spec: OAuth2) -> Failed {
        let failed = self.call(spec).await.unwrap_err();
        assert_eq!(failed.phase, Phase::BeforeSend, "{failed}");
        assert_eq!(self.api.connects(), 0, "{failed}");
        assert!(!failed.detail.contains("s3"), "{failed}");
        failed
    }

    /// Head and body of the last request for a token.
    async fn asked(&self) -> (String, String) {
        let last = self.server.requests().await.pop().unwrap();
        let (head, body) = last.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }
}

#[tokio::test]
async fn a_token_is_asked_for_and_carried_by_the_call() {
    let world = World::new(&[("200 OK", GOOD)]).await;
    assert_eq!(world.call(machine(&world.authority())).await.unwrap().status, 200);
    let (head, body) = world.asked().await;
    assert!(head.starts_with("post /token http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert_eq!(
        body,
        "grant_type=client_credentials&client_id=placet&client_secret=s3%20cret%26%3D"
    );
    let sent = &world.api.requests().await[0];
    assert!(sent.contains("authorization: Bearer t0ken\r\n"), "{sent}");
    assert!(!format!("{:?}", world.egress).contains("t0ken"));
}

#[tokio::test]
async fn every_grant_proof_and_encoding_has_its_words() {
    let world = World::new(&[("200 OK", ONCE)]).await;
    let plain = machine(&world.authority());
    let wide = OAuth2 {
        scopes: vec!["read".into(), "write".into()],
        audiences: vec!["a".into(), "b".into()],
        ..plain.clone()
    };
    world.call(wide.clone()).await.unwrap();
    assert_eq!(
        world.asked().await.1,
        "grant_type=client_credentials&scope=read%20write&audience=a&audience=b&client_id=placet&client_secret=s3%20cret%26%3D"
    );
    world.call(OAuth2 { encoding: TokenEncoding::Json, ..wide }).await.unwrap();
    let (head, body) = world.asked().await;
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({
            "grant_type": "client_credentials", "scope": "read write", "audience": ["a", "b"], "client_id": "placet", "client_secret": "s3 cret&=",
        })
    );
    world
        .call(OAuth2 {
            client_authentication: ClientAuthentication::ClientSecretBasic,
            ..plain.clone()
        })
        .await
        .unwrap();
    let (head, body) = world.asked().await;
    // base64 of placet:s3%20cret%26%3D (RFC 6749 \u{a7}2.3.1)
    assert!(
        head.contains(
            &"authorization: Basic cGxhY2V0OnMzJTIwY3JldCUyNiUzRA==".to_ascii_lowercase()
        ),
        "{head}"
    );
    assert_eq!(body, "grant_type=client_credentials");
    world
        .call(OAuth2 {
            client_authentication: ClientAuthentication::None,
            client_secret: None,
            ..plain.clone()
        })
        .await
        .unwrap();
    assert_eq!(world.asked().await.1, "grant_type=client_credentials&client_id=placet");
    let grant = Grant::Password { username: "user".into(), password: "pass".into() };
    world.call(OAuth2 { grant, ..plain.clone() }).await.unwrap();
    assert_eq!(
        world.asked().await.1,
        "grant_type=password&username=ana&password=pass%2Fw%C3%B6rd&client_id=placet&client_secret=s3%20cret%26%3D"
    );
    world.call(OAuth2 { grant: Grant::RefreshToken("refresh".into()), ..plain }).await.unwrap();
    assert_eq!(
        world.asked().await.1,
        "grant_type=refresh_token&refresh_token=first-refresh&client_id=placet&client_secret=s3%20cret%26%3D"
    );
}

#[tokio::test]
async fn endpoints_are_below_the_authority_or_urls_of_their_own() {
    let world = World::new(&[("200 OK", ONCE)]).await;
    let authority = format!("{}/realms/a/", world.authority());
    world
        .call(OAuth2 { token_endpoint: Some("protocol/token".into()), ..machine(&authority) })
        .await
        .unwrap();
    assert!(world.asked().await.0.starts_with("post /realms/a/protocol/token "));
    let own = format!("{}/own", world.authority());
    world.call(OAuth2 { token_endpoint: Some(own), ..machine(&authority) }).await.unwrap();
    assert!(world.asked().await.0.starts_with("post /own "));
}

#[tokio::test]
async fn t25_all_who_wait_share_one_request_and_the_token_is_kept() {
    let world = World::new(&[("200 OK", GOOD)]).await;
    let spec = machine(&world.authority());
    let calls = tokio::join!(
        world.call(spec.clone()),
        world.call(spec.clone()),
        world.call(spec.clone()),
        world.call(spec.clone()),
    );
    for answer in [calls.0, calls.1, calls.2, calls.3] {
        assert_eq!(answer.unwrap().status, 200);
    }
    world.call(spec.clone()).await.unwrap();
    assert_eq!((world.server.requests().await.len(), world.api.requests().await.len()), (1, 5));
    world.call(OAuth2 { scopes: vec!["other".into()], ..spec }).await.unwrap();
    assert_eq!(world.server.requests().await.len(), 2, "another scope is another token");
}

#[tokio::test]
async fn a_token_that_is_about_to_expire_is_used_once() {
    let world = World::new(&[("200 OK", ONCE)]).await;
    for _ in 0..2 {
        world.call(machine(&world.authority())).await.unwrap();
    }
    assert_eq!(world.server.requests().await.len(), 2);
}

#[tokio::test]
async fn a_token_that_the_api_refuses_is_not_used_again() {
    let world = World::new(&[("200 OK", GOOD)]).await;
    let api = StandIn::answering("401 Unauthorized", "", "").await;
    let world = World {
        egress: Egress::new(
            crate::common::live(),
            EgressConfig::allowing(
                [
                    api.address.to_string(),
                    world.server.address.to_string(),
                    world.authority()[7..].to_owned(),
                ]
                .map(|t| t.parse().unwrap()),
            ),
            Arc::new(secrets()),
        ),
        api,
        ..world
    };
    for _ in 0..2 {
        assert_eq!(world.call(machine(&world.authority())).await.unwrap().status, 401);
    }
    assert_eq!((world.server.requests().await.len(), world.api.requests().await.len()), (2, 2));
}

#[tokio::test]
async fn t25_a_refresh_token_that_is_replaced_is_replaced() {
    let second = r#"{"access_token": "t0ken", "token_type": "Bearer", "expires_in": 1, "refresh_token": "second"}"#;
    let world = World::new(&[("200 OK", second), ("200 OK", ONCE), ("200 OK", ONCE)]).await;
    let spec =
        OAuth2 { grant: Grant::RefreshToken("refresh".into()), ..machine(&world.authority()) };
    for token in ["first-refresh", "second"] {
        world.call(spec.clone()).await.unwrap();
        let body = world.asked().await.1;
        assert!(body.contains(&format!("refresh_token={token}&")), "{body}");
    }
}

#[tokio::test]
async fn a_server_that_the_operator_does_not_list_is_not_asked() {
    let world = World::new(&[("200 OK", GOOD)]).await;
    let failed = world.failure(machine("https://login.example")).await;
    assert_eq!(failed.cause, Cause::Refused);
    assert_eq!(
        failed.detail,
        "tokens may not be asked for at login.example: add \"login.example\" to `read_hosts` of [egress] in placet.toml"
    );
    assert_eq!(world.server.connects(), 0);
}

#[tokio::test]
async fn a_token_goes_only_where_its_secrets_may_go() {
    let world = World::new(&[("200 OK", GOOD)]).await;
    let spec = OAuth2 { client_secret: Some("elsewhere".into()), ..machine(&world.authority()) };
    let failed = world.failure(spec.clone()).await;
    assert_eq!(failed.cause, Cause::Hole);
    assert!(failed.detail.contains("is not bound to the host 127.0.0.1"), "{failed}");
    let missing = world.failure(OAuth2 { client_secret: Some("missing".into()), ..spec }).await;
    assert!(missing.detail.contains("there is no \u{2039}secret:missing\u{203a}"), "{missing}");
    assert_eq!(world.server.connects(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_available_may_be_later() {
    let world = World::new(&[("500 Oops", "{}"), ("429 Slow", "{}"), ("200 OK", GOOD)]).await;
    for status in ["500", "429"] {
        let failed = world.failure(machine(&world.authority())).await;
        assert!(failed.cause == Cause::Connect && failed.detail.contains(status), "{failed}");
    }
    assert_eq!(world.call(machine(&world.authority())).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_does_not_answer_costs_no_more_than_the_calls_time() {
    let silent = StandIn::on("127.0.0.1:0", Behaviour::Silence).await;
    let world = World { patience: Duration::from_secs(4), ..World::with(silent).await };
    let failed = world.failure(machine(&world.authority())).await;
    assert_eq!(failed.cause, Cause::Timeout, "{failed}");
    let world = World::with(StandIn::on("127.0.0.1:0", Behaviour::HangUp).await).await;
    assert!(
        world
            .failure(machine(&world.authority()))
            .await
            .detail
            .contains("no token could be asked for")
    );
}

#[tokio::test]
async fn an_answer_that_is_no_token_to_use_fails_the_call_and_is_not_repeated() {
    let large =
        format!("{{\"access_token\": \"{}\", \"token_type\": \"Bearer\"}}", "s3".repeat(20_000));
    for (status, body, expect) in [
        (
            "401 Unauthorized",
            r#"{"error": "invalid_client", "error_description": "s3"}"#,
            "status 401 (invalid_client)",
        ),
        ("400 Bad", r#"{"error": "s3 <script>"}"#, "status 400"),
        ("302 Found", "", "status 302"),
        ("200 OK", "<html>s3</html>", "names no type"),
        ("200 OK", r#"{"access_token": "s3", "token_type": "mac"}"#, "another type than bearer"),
        (
            "200 OK",
            r#"{"access_token": "s3\r\nX-Evil: 1", "token_type": "Bearer"}"#,
            "no header can carry",
        ),
        ("200 OK", r#"{"access_token": "s3 s3", "token_type": "Bearer"}"#, "no header can carry"),
        ("200 OK", r#"{"access_token": "", "token_type": "Bearer"}"#, "no header can carry"),
        ("200 OK", r#"{"access_token": 7, "token_type": "Bearer"}"#, "there is none"),
        ("200 OK", &large, "too long"),
    ] {
        let world = World::new(&[(status, body)]).await;
        let failed = world.failure(machine(&world.authority())).await;
        assert!(
            failed.cause == Cause::Hole && failed.detail.contains(expect),
            "{body:.40}: {failed}"
        );
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_is_not_used() {
    // {"iss":"https://login.example"}
    let jwt = "e30.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.x";
    let body = format!("{{\"access_token\": \"{jwt}\", \"token_type\": \"Bearer\"}}");
    let world = World::new(&[("200 OK", &body)]).await;
    let of =
        |issuer: &str| OAuth2 { issuers: vec![issuer.to_owned()], ..machine(&world.authority()) };
    assert!(
        world.failure(of("https://other.example")).await.detail.contains("not one of `issuers`")
    );
    assert_eq!(world.call(of("https://login.example")).await.unwrap().status, 200);
    let opaque = World::new(&[("200 OK", GOOD)]).await;
    let spec =
        OAuth2 { issuers: vec!["https://login.example".into()], ..machine(&opaque.authority()) };
    assert!(opaque.failure(spec).await.detail.contains("does not say who issued it"));
}

#[tokio::test]
async fn a_provider_is_asked_where_its_tokens_are_and_must_be_the_one_that_is_meant() {
    let describe = async |issuer: &str, endpoint: &str| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let own = format!("http://localhost:{port}");
        let body = json!({"issuer": issuer.replace("OWN", &own), "token_endpoint": endpoint.replace("OWN", &own)}).to_string();
        let answer =
            |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let turns = [answer(&body), answer(GOOD)].into();
        let turns = Behaviour::Turns(Arc::new(std::sync::Mutex::new(turns)));
        World::with(StandIn::on(&format!("127.0.0.1:{port}"), turns).await).await
    };
    let oidc = |world: &World| {
        let spec = OAuth2 { token_endpoint: None, ..machine(&world.authority()) };
        Authentication::Oidc(Box::new(spec))
    };
    let world = describe("OWN", "OWN/tokens").await;
    assert_eq!(world.call_as(&oidc(&world)).await.unwrap().status, 200);
    let asked = world.server.requests().await;
    assert!(asked[0].starts_with("GET /.well-known/openid-configuration "), "{}", asked[0]);
    assert!(asked[1].starts_with("POST /tokens "), "{}", asked[1]);
    for (issuer, endpoint, expect) in [
        ("https://evil.example", "OWN/tokens", "its issuer is another one"),
        ("OWN", "https://evil.example/tokens", "add \"evil.example\" to `read_hosts`"),
        ("OWN", "", "cannot be used"),
    ] {
        let world = describe(issuer, endpoint).await;
        let failed = world.call_as(&oidc(&world)).await.unwrap_err();
        assert!(failed.phase == Phase::BeforeSend && failed.detail.contains(expect), "{failed}");
        assert_eq!((world.server.requests().await.len(), world.api.connects()), (1, 0));
    }
}

#[tokio::test]
async fn one_secret_may_describe_the_whole_way_to_a_token() {
    let world = World::new(&[("200 OK", ONCE)]).await;
    let stored = |text: String, hosts: Vec<&'static str>| {
        let secrets = Bound(BTreeMap::from([("all", (text, hosts))]));
        let localhost = world.authority()[7..].to_owned();
        let allowed =
            [world.api.address.to_string(), localhost].map(|target| target.parse().unwrap());
        Egress::new(crate::common::live(), EgressConfig::allowing(allowed), Arc::new(secrets))
    };
    let authentication = Authentication::Stored { scheme: "oauth2".into(), secret: "all".into() };
    let send = async |egress: Egress| {
        egress.perform(call(bytes(&world.api.url("/me"), &authentication), Redirects::Never)).await
    };
    let text = json!({
        "authority": world.authority(), "grant": "client_credentials", "client": {"id": "placet", "secret": "s3 cret&="},
        "endpoints": {"token": "/token"}, "scopes": ["read"],
    }).to_string();
    let both = vec!["127.0.0.1", "localhost"];
    assert_eq!(send(stored(text.clone(), both.clone())).await.unwrap().status, 200);
    assert_eq!(
        world.asked().await.1,
        "grant_type=client_credentials&scope=read&client_id=placet&client_secret=s3%20cret%26%3D"
    );
    let asked = world.server.connects();
    for (text, hosts, expect) in [
        (text.clone(), vec!["127.0.0.1"], "not bound to the host localhost"),
        (text, vec!["localhost"], "not bound to the host 127.0.0.1"),
        ("s3cret".to_owned(), both.clone(), "it is no JSON object"),
        (
            json!({"authority": world.authority(), "grant": "authorization_code"}).to_string(),
            both.clone(),
            "needs no person",
        ),
        (
            json!({"authority": world.authority(), "grant": "password"}).to_string(),
            both,
            "it lacks `username`",
        ),
    ] {
        let failed = send(stored(text, hosts)).await.unwrap_err();
        assert!(failed.phase == Phase::BeforeSend && failed.detail.contains(expect), "{failed}");
        assert!(!failed.detail.contains("s3cret"), "{failed}");
    }
    assert_eq!(world.server.connects(), asked);
}
