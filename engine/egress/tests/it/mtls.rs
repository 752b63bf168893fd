//! `auth.placement.mtls`: a real TLS server, in a process of its own, that demands a certificate of us.

use crate::common::Secrets;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use placet_adapters::{
    Adapters, Answer, Call, CallIntegration, Cause, ManifestFile, Occurrence, Phase, Redirects,
    RenderInput, Transport as _, render,
};
use placet_egress::{Egress, EgressConfig};
use placet_model::{IntegrationId, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const PYTHON: &str = "PLACET_TEST_SMTP_PYTHON";
/// A gated call has a connection of its own, a read one of the pool.
const GATED: (&str, Redirects) = ("https", Redirects::Never);
const READ: (&str, Redirects) = ("https", Redirects::Follow);
const MANIFEST: &str = r#"manifest: 1
provider: bank
title: Bank
config: {schema: config.json}
credentials: {schema: keys.json}
auth: {kind: api_key, placement: {mtls: {certificate: "{secret:certificate}", key: "{secret:key}"}}}
operations:
  who.get:
    effect: read
    input_schema: any.json
    request: {method: GET, url: "{config.api_base}/who"}
    classify: [{when: {status: 200}, outcome: sent}, {else: refused_retry}]
"#;

struct Server {
    process: Child,
    told: Value,
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
            println!("skipped: {PYTHON} names no Python with trustme");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mtls/server.py");
        let mut process = Command::new(python).arg(script).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Some(Self { process, told: serde_json::from_str(&line).unwrap() })
    }

    fn pem(&self, whose: &str, what: &str) -> String {
        self.told[whose][what].as_str().unwrap().to_owned()
    }

    /// What comes of a call with this certificate and this key.
    async fn call(
        &self,
        (scheme, redirects): (&str, Redirects),
        certificate: &str,
        key: &str,
    ) -> Answer {
        let port = &self.told["port"];
        let mut config = EgressConfig::allowing([format!("localhost:{port}").parse().unwrap()]);
        config.authorities.push(BASE64.decode(self.told["authority"].as_str().unwrap()).unwrap());
        let secrets = [("certificate", certificate), ("key", key)];
        let secrets = secrets.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let egress = Egress::new(crate::common::live(), config, Arc::new(Secrets(secrets.into())));
        let settings = json!({"api_base": format!("{scheme}://localhost:{port}")});
        egress.perform(call(&settings, redirects)).await
    }
}

fn call(settings: &Value, redirects: Redirects) -> Call {
    let schemas = |path: &str| {
        Some(match path {
            "config.json" => r#"{"type": "object", "properties": {"api_base": {"type": "string", "pattern": "^https?://localhost:[0-9]+$"}}}"#.to_owned(),
            _ => "{}".to_owned(),
        })
    };
    let file = ManifestFile { path: "bank.yaml".to_owned(), text: MANIFEST.to_owned() };
    let adapters = Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap();
    let operation = Arc::clone(adapters.operation("bank.who.get").unwrap());
    let input = json!({});
    let given = RenderInput {
        settings,
        input: &input,
        send_id: "",
        draft_time: Timestamp::EPOCH,
        authentication: None,
    };
    let request = render(&operation, given).unwrap().request;
    let integration = CallIntegration {
        id: IntegrationId::from_bytes([7; 16]),
        name: "bank".to_owned(),
        credential_version: 1,
    };
    Call {
        attempt: None,
        operation,
        integration: Some(integration),
        request: Arc::new(request),
        input: Arc::new(input),
        occurrence: Occurrence { seen: None, now: Timestamp::EPOCH },
        redirects,
        timeout: Duration::from_mins(2),
        send_id: String::new(),
        response_bytes_max: 1 << 16,
    }
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_is_shown_ours_and_knows_us_by_it() {
    let Some(server) = Server::start() else { return };
    for (who, way) in [("ours", GATED), ("other", GATED), ("ours", READ), ("other", READ)] {
        let answer = server.call(way, &server.pem(who, "chain"), &server.pem(who, "key")).await;
        let response = answer.unwrap_or_else(|failed| panic!("{who}: {failed}"));
        let name = if who == "ours" { "placet" } else { "other" };
        assert_eq!(response.json().unwrap()["who"], name);
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let Some(server) = Server::start() else { return };
    let (chain, key) = (server.pem("stranger", "chain"), server.pem("stranger", "key"));
    let secret = key.lines().nth(1).unwrap();
    for way in [GATED, READ] {
        let failed = server.call(way, &chain, &key).await.unwrap_err();
        assert!(!format!("{failed} {failed:?}").contains(secret), "no letter of the key is said");
    }
}

#[tokio::test]
async fn what_is_no_certificate_and_key_is_refused_before_anything_leaves_and_is_not_repeated() {
    let Some(server) = Server::start() else { return };
    let (chain, key) = (server.pem("ours", "chain"), server.pem("ours", "key"));
    let other = server.pem("other", "key");
    for (certificate, key) in [
        (chain.as_str(), "planted-secret"),
        ("planted-secret", key.as_str()),
        (chain.as_str(), other.as_str()),
        (chain.as_str(), "-----BEGIN PRIVATE KEY-----\nplanted-secret\n-----END PRIVATE KEY-----"),
    ] {
        for way in [GATED, READ] {
            let failed = server.call(way, certificate, key).await.unwrap_err();
            assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Hole), "{failed}");
            let said = format!("{failed} {failed:?}");
            let secret = key.lines().nth(1).unwrap_or(key);
            assert!(!said.contains("planted") && !said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn without_tls_no_certificate_is_shown_and_nothing_leaves() {
    let Some(server) = Server::start() else { return };
    let (chain, key) = (server.pem("ours", "chain"), server.pem("ours", "key"));
    for way in [("http", Redirects::Never), ("http", Redirects::Follow)] {
        let failed = server.call(way, &chain, &key).await.unwrap_err();
        assert_eq!((failed.phase, failed.cause), (Phase::BeforeSend, Cause::Refused), "{failed}");
        assert!(failed.detail.contains("over TLS"), "{failed}");
    }
}
