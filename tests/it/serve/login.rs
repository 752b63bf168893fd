//! Logging in to `serve` at a login server that is not ours (`oidc-provider-mock`, from `PyPI`), in a real
//! browser, up to a vote that is signed with a passkey. `tests/run` installs it and names its Python in
//! `PLACET_TEST_OIDC_PYTHON`. What is refused is in `engine/server/tests/server/login.rs`.
//!
//! covers: S6, S16

use super::{CONFIG, Served, init, project, serve};
use crate::console::Browser;
use crate::kit::{INPUT, placet};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

const PYTHON: &str = "PLACET_TEST_OIDC_PYTHON";

/// The login server; it ends with the test.
struct LoginServer {
    process: Child,
    url: String,
}

impl Drop for LoginServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl LoginServer {
    /// It knows `u1`, who is `ana.lee` there, and `u2`, whom this project does not know.
    fn start(test: &str) -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!is_ci, "{test}: CI must have a login server");
            eprintln!("skipped: {test} ({PYTHON} names no Python with oidc-provider-mock)");
            return None;
        };
        let person = |sub: &str, name: &str| {
            let person = json!({"sub": sub, "preferred_username": name});
            ["--user-claims".to_owned(), person.to_string()]
        };
        let mut process = Command::new(python)
            .args([
                "-W",
                "ignore",
                "-m",
                "oidc_provider_mock",
                "--port",
                "0",
                "--require-nonce",
                "true",
            ])
            .args(person("u1", "ana.lee"))
            .args(person("u2", "eve"))
            .env("PYTHONUNBUFFERED", "1")
            .stderr(Stdio::piped())
            .spawn()
            .expect("python starts");
        let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut lines = stderr.lines().map(|line| line.expect("it says text"));
        let url = lines.find_map(|line| {
            let (_, rest) = line.split_once("running on ")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        // it says a line for each request, which somebody must read
        drop(std::thread::spawn(move || lines.for_each(drop)));
        Some(Self { process, url: url.expect("it says where it listens") })
    }
}

#[test]
fn people_log_in_at_their_own_login_server_and_sign_with_a_passkey_in_a_real_browser() {
    let name = "people_log_in_at_their_own_login_server_and_sign_with_a_passkey_in_a_real_browser";
    let (Some(browser), Some(login)) = (Browser::found(name), LoginServer::start(name)) else {
        return;
    };
    let project = project();
    let root = init(&project, "root");
    let (host, url) = (login.url.replace("http://", ""), &login.url);
    project.write(
        "placet.toml",
        &format!(
            "{CONFIG}[egress]\nallow = [\"{host}\"]\n[login.oidc]\nissuer = \"{url}\"\n\
             client_id = \"placet\"\nsecret_env = \"LOGIN_SECRET\"\npeople = [\"ana.lee=ana\"]\n"
        ),
    );
    let lacks = serve(&project, &[]).run().expect_code(2);
    assert!(lacks.stderr.contains("LOGIN_SECRET is not set"), "{}", lacks.stderr);
    let running = serve(&project, &[]).env("LOGIN_SECRET", "s3cret").start();
    let url = running.stdout_line(|line| line.starts_with("http://"));
    let served = Served { project: &project, running, url };
    served.done(&root, &["policy", "apply"]);
    let wendy = served.token(&root, "wendy");
    served.done(&wendy, &["integrations", "connect", "slack"]);
    served.done(&wendy, &["deploy", "."]);
    let started = served.done(&wendy, &["start", "ops/slack-notify", "--input", INPUT, "--json"]);
    let run = started.json()["run"].as_str().expect("a run").to_owned();
    let watch = placet(&project).args(["runs", "watch", &run]).env("PLACET_TOKEN", &wendy).start();
    watch.stdout_line(|line| line.contains("DecisionRequested"));

    let base = served.url.replace("127.0.0.1", "localhost");
    let given = json!({ "login": base, "also": host, "run": run });
    let came = browser.journey(("login.py", "comes_in"), &given);
    let id = came["passkey"].as_str().expect("a passkey");
    served.done(&root, &["passkeys", "confirm", id]);
    let mut given = given;
    given["credential"] = came["credential"].clone();
    let decided = browser.journey(("login.py", "decides"), &given);
    println!("{decided}");
    watch.stdout_line(|line| line.contains("RunCompleted"));
    let verified = served.done(&root, &["audit", "verify", "--json"]).json();
    assert_eq!(verified["signatures"], 1, "{verified}");
    let vote = served.done(&root, &["audit", "log", "--type", "VoteCast", "--json"]).json();
    let cast: &Value = &vote["body"];
    assert_eq!((&cast["voter"], &cast["assurance"]), (&json!("ana"), &json!("passkey")), "{vote}");
    let stopped = served.running.terminate().expect_code(0);
    assert!(!stopped.stderr.contains("s3cret") && !stopped.stdout.contains("s3cret"));
}
