//! The parties of the tests: the stand-in as a process, a browser, and an engine beside them.

use crate::world::Live;
use placet_test_support::DEADLINE;
use placet_test_support::process::{Placet, Running};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const PYTHON: &str = "PLACET_TEST_OAUTH_PYTHON";
/// The secret of the app, as the stand-in knows it.
pub(crate) const APP_SECRET: &str = "app/s3cret&=";
/// A secret of what comes in, kept beside the tokens.
pub(crate) const SIGNING: &str = "signing-0123456789abcdef";

/// The stand-in; it ends with the test.
pub(crate) struct Slack {
    process: Child,
    pub(crate) address: String,
}

impl Drop for Slack {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Slack {
    pub(crate) fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            println!("skipped: {PYTHON} names no Python with oauthlib");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oauth/server.py");
        let process = Command::new(python).arg(script).stdout(Stdio::piped()).spawn();
        let mut process = process.expect("python starts");
        let mut port = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut port).expect("it says its port");
        Some(Self { process, address: format!("127.0.0.1:{}", port.trim()) })
    }

    pub(crate) fn set(&self, how: &Value) {
        let page = fetch(&self.address, ("POST", "/control"), "", &how.to_string());
        assert_eq!(page.status, 200);
    }

    pub(crate) fn told(&self) -> Value {
        let page = fetch(&self.address, ("GET", "/control"), "", "");
        serde_json::from_str(&page.body).expect("it answers with JSON")
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.told()[what].as_u64().expect("a count")
    }

    /// Waits until the tokens that it has given have ended for whoever has them; from then on it refuses them.
    pub(crate) fn until_its_tokens_end(&self) {
        let begun = Instant::now();
        while self.count("young") > 0 {
            assert!(begun.elapsed() < DEADLINE, "its tokens live on");
            std::thread::yield_now();
        }
        self.set(&serde_json::json!({"end": true}));
    }

    pub(crate) fn posts(&self) -> Vec<String> {
        let told = self.told();
        let posts = told["posts"].as_array().expect("a list").iter();
        posts.map(|text| text.as_str().expect("a text").to_owned()).collect()
    }
}

/// An answer.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> String {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("no {name}: {}", self.head)).1.to_owned()
    }

    /// `name=value` of its cookie.
    pub(crate) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().expect("a pair").to_owned()
    }
}

/// One request over a socket of its own; `cookie` where it is not empty.
pub(crate) fn fetch(address: &str, (method, path): (&str, &str), cookie: &str, body: &str) -> Page {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{cookie}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it takes requests");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Page { status, head: head.to_owned(), body: body.to_owned() }
}

/// Host and the rest of a plain URL.
pub(crate) fn split(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").unwrap_or_else(|| panic!("no plain url: {url}"));
    rest.split_at(rest.find('/').expect("a path"))
}

/// What the callback is asked with, and the browser's cookie.
pub(crate) struct Back {
    pub(crate) address: String,
    pub(crate) path: String,
    pub(crate) cookie: String,
    /// The query with which the provider was asked.
    pub(crate) asked: String,
}

/// An engine that knows the stand-in, with nothing connected.
pub(crate) fn engine(slack: &Slack) -> Live {
    engine_of(slack, Live::stopped())
}

/// The same, of a project that was made for it.
pub(crate) fn engine_of(slack: &Slack, mut live: Live) -> Live {
    let allow = format!("project = \"acme\"\n[egress]\nallow = [\"{}\"]\n", slack.address);
    live.project.write("placet.toml", &allow);
    live.restart();
    live
}

/// The command that connects Slack by OAuth.
pub(crate) fn connecting(live: &Live, slack: &Slack) -> Placet {
    let base = format!("api_base=http://{}/api", slack.address);
    let connect = ["integrations", "connect", "slack", "--oauth", "--set", &base, "--set"];
    let more = ["pkce=true", "--client-id", "app-id", "--client-secret", "env:APP_SECRET"];
    let secret = ["--credential", "signing_secret=env:SIGNING"];
    let connect = live.placet(connect).args(more).args(secret);
    connect.env("APP_SECRET", APP_SECRET).env("SIGNING", SIGNING)
}

/// Opens the link and lets the person agree at the provider, up to the way back.
pub(crate) fn agree(slack: &Slack, link: &str) -> Back {
    let (address, path) = split(link);
    let opened = fetch(address, ("GET", path), "", "");
    assert_eq!(opened.status, 303, "{}", opened.body);
    let there = opened.header("location");
    let asked = there.strip_prefix("https://slack.com/oauth/v2/authorize?").expect("Slack's page");
    let agreed = fetch(&slack.address, ("GET", &format!("/authorize?{asked}")), "", "");
    let back = agreed.header("location");
    let (address, path) = split(&back);
    Back {
        address: address.to_owned(),
        path: path.to_owned(),
        cookie: opened.cookie(),
        asked: asked.to_owned(),
    }
}

impl Back {
    pub(crate) fn go(&self) -> Page {
        fetch(&self.address, ("GET", &self.path), &self.cookie, "")
    }
}

/// The link that a command has printed.
pub(crate) fn link_of(command: &Running) -> String {
    command.stdout_line(|line| line.starts_with("http://"))
}

/// Connects whole.
pub(crate) fn connect(live: &Live, slack: &Slack) -> String {
    let command = connecting(live, slack).start();
    let page = agree(slack, &link_of(&command)).go();
    assert_eq!(page.status, 200, "{}", page.body);
    let done = command.finish().expect_code(0);
    done.stdout + &done.stderr
}

/// The integration as the API shows it.
pub(crate) fn integration(live: &Live) -> Value {
    let (status, answer) = live.door().get("author", "/api/v1/integrations");
    assert_eq!(status, 200, "{answer}");
    answer["integrations"][0].clone()
}
