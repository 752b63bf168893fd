//! Tokens of an authorization server that is not ours: oauthlib judges our requests.
//! `tests/run` installs it and names its Python in `PLACET_TEST_OAUTH_PYTHON`.

use crate::common::{Secrets, call};
use placet_adapters::{Answer, Cause, Redirects, RenderInput, Transport, render};
use placet_egress::{Egress, EgressConfig};
use placet_model::Timestamp;
use placet_model::plan::{Authentication, ClientAuthentication, Grant, OAuth2, TokenEncoding};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const PYTHON: &str = "PLACET_TEST_OAUTH_PYTHON";

/// The server's process; it ends with the test.
struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Server {
    #[expect(clippy::print_stdout, reason = "a skipped test says so")]
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python with oauthlib");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oauth/server.py");
        // over loopback and plain http, which oauthlib refuses elsewhere
        let mut process = Command::new(python)
            .arg(script)
            .env("OAUTHLIB_INSECURE_TRANSPORT", "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Self { process, url: format!("http://127.0.0.1:{}", port.trim()) })
    }

    fn client(&self) -> OAuth2 {
        OAuth2 {
            authority: self.url.clone(),
            grant: Grant::ClientCredentials,
            token_endpoint: Some("/token".into()),
            client: Some("placet".into()),
            client_secret: Some("secret".into()),
            client_authentication: ClientAuthentication::ClientSecretPost,
            encoding: TokenEncoding::Form,
            issuers: vec![],
            scopes: vec![],
            audiences: vec![],
        }
    }

    fn egress(&self) -> Egress {
        let texts = [
            ("secret", "s3 cret&="),
            ("wrong", "other"),
            ("user", "ana"),
            ("pass", "pass/wörd"),
            ("refresh", "first-refresh"),
        ];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let config = EgressConfig::allowing([self.url[7..].parse().unwrap()]);
        Egress::new(crate::common::live(), config, Arc::new(Secrets(texts.into())))
    }

    /// What the API says of the token: its scope.
    async fn call(&self, egress: &Egress, spec: OAuth2) -> Answer {
        let input = json!({"method": "GET", "endpoint": self.url});
        let authentication = Authentication::OAuth2(Box::new(spec));
        let given = RenderInput {
            settings: &Value::Null,
            input: &input,
            send_id: "",
            draft_time: Timestamp::EPOCH,
            authentication: Some(&authentication),
        };
        let blank = call(crate::common::request("GET", &self.url, ""), Redirects::Never);
        let request = render(&blank.operation, given).unwrap().request;
        egress.perform(call(request, Redirects::Never)).await
    }

    async fn scope(&self, egress: &Egress, spec: OAuth2) -> Value {
        let answer = self.call(egress, spec).await.unwrap();
        answer.json().unwrap()["scope"].clone()
    }
}

#[tokio::test]
async fn a_foreign_server_gives_a_token_for_every_grant_and_proof() {
    let Some(server) = Server::start() else { return };
    let egress = server.egress();
    let plain = server.client();
    assert_eq!(server.scope(&egress, plain.clone()).await, "read");
    let basic = ClientAuthentication::ClientSecretBasic;
    let wide = OAuth2 {
        client_authentication: basic,
        scopes: vec!["read".into(), "write".into()],
        ..plain.clone()
    };
    assert_eq!(server.scope(&egress, wide).await, "read write");
    let grant = Grant::Password { username: "user".into(), password: "pass".into() };
    assert_eq!(server.scope(&egress, OAuth2 { grant, ..plain }).await, "read");
}

#[tokio::test]
async fn a_foreign_server_that_uses_a_refresh_token_up_gives_the_next_one() {
    let Some(server) = Server::start() else { return };
    let egress = server.egress();
    let spec = OAuth2 { grant: Grant::RefreshToken("refresh".into()), ..server.client() };
    for _ in 0..3 {
        assert_eq!(server.scope(&egress, spec.clone()).await, "read");
    }
    // whoever starts with the first one again comes too late
    let failed = server.call(&server.egress(), spec).await.unwrap_err();
    assert!(failed.detail.contains("invalid_grant"), "{failed}");
}

#[tokio::test]
async fn a_foreign_server_refuses_a_wrong_secret_or_scope_and_the_call_says_so() {
    let Some(server) = Server::start() else { return };
    let egress = server.egress();
    let wrong = OAuth2 { client_secret: Some("wrong".into()), ..server.client() };
    let failed = server.call(&egress, wrong).await.unwrap_err();
    assert!(failed.cause == Cause::Hole && failed.detail.contains("invalid_client"), "{failed}");
    let more = OAuth2 { scopes: vec!["admin".into()], ..server.client() };
    let failed = server.call(&egress, more).await.unwrap_err();
    assert!(failed.detail.contains("invalid_scope"), "{failed}");
}
