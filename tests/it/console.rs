//! The console in a real browser, as people use it: `tests/it/console/*.py` hold what they do and see, and
//! `browser.py` what no visit may do. Pictures are in `target/screens`.

use crate::kit::Dev;
use placet_test_support::dirs::Project;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `./tests/run` installs for a browser.
pub(crate) struct Browser {
    python: PathBuf,
    screens: PathBuf,
}

impl Browser {
    /// Says `skipped` where there is none; CI must have one.
    pub(crate) fn found(test: &str) -> Option<Self> {
        let names = ["PLACET_TEST_CHROMIUM", "PLACET_TEST_AXE"];
        let there = names.iter().all(|name| std::env::var_os(name).is_some());
        let python = std::env::var_os("PLACET_TEST_BROWSER_PYTHON").filter(|_| there);
        let Some(python) = python else {
            let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!is_ci, "{test}: CI must have a browser");
            eprintln!("skipped: {test} (no browser; ./tests/run installs it)");
            return None;
        };
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("screens");
        Some(Self { python: python.into(), screens })
    }

    /// What a person sees and does: the function of this name in this script.
    pub(crate) fn journey(&self, (script, name): (&str, &str), given: &Value) -> Value {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/console").join(script);
        let mut running = Command::new(&self.python)
            .args([script.as_os_str(), name.as_ref()])
            .env("PLACET_TEST_SCREENS", &self.screens)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the browser's script can be started");
        let mut input = running.stdin.take().expect("its input");
        input.write_all(given.to_string().as_bytes()).expect("it reads what it is given");
        drop(input);
        let ended = running.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{name}: {said}");
        serde_json::from_slice(&ended.stdout).expect("it tells what it has seen as JSON")
    }
}

/// An engine in the sandbox, and a visit to it.
#[test]
fn people_find_their_way_and_decide_in_a_real_browser() {
    let Some(browser) = Browser::found("people_find_their_way_and_decide_in_a_real_browser") else {
        return;
    };
    let project = Project::new().with("placet.toml", "");
    let dev = Dev::start(&project, &[]);
    let file = dev.running.stdout_line(|line| line.starts_with("token "));
    let file = file.trim_start_matches("token").trim();
    let token = std::fs::read_to_string(file).expect("the token file is there");
    let given = json!({ "login": dev.login, "base": dev.url, "token": token.trim() });
    let told = browser.journey(("journeys.py", "visitor"), &given);
    println!("{told}");
    let seconds = told["first_approval_s"].as_f64().expect("a length of time");
    assert!(seconds < 60.0, "the first approval took {seconds} s");
}

const WITH_A_PASSKEY: &str = "rules:
  - { name: signed, match: { effect: send }, require: { signature: passkey } }
";

/// covers: S6, S7
#[test]
fn a_passkey_of_a_real_browser_signs_exactly_one_decision_and_the_log_verifies_it_again() {
    let name =
        "a_passkey_of_a_real_browser_signs_exactly_one_decision_and_the_log_verifies_it_again";
    let Some(browser) = Browser::found(name) else { return };
    let project = Project::new().with("placet.toml", "").with("policy.yaml", WITH_A_PASSKEY);
    let dev = Dev::start(&project, &[]);
    let file = dev.running.stdout_line(|line| line.starts_with("token "));
    let token = std::fs::read_to_string(file.trim_start_matches("token").trim());
    let token = token.expect("the token file is there");
    // passkeys are made for a name
    let login = dev.login.replace("127.0.0.1", "localhost");
    let given = json!({ "login": login, "base": dev.url, "token": token.trim() });
    let told = browser.journey(("passkeys.py", "passkeys"), &given);
    println!("{told}");
    assert!(told["counted"].as_u64() > Some(0), "the authenticator counts: {told}");

    let list = dev.command("author", &["passkeys", "list", "--json"]).run().expect_code(0).json();
    let passkey = &list["passkeys"][0];
    assert_eq!((&passkey["principal"], &passkey["revoked"]), (&json!("approver"), &json!(true)));
    let table = dev.command("author", &["passkeys", "list"]).run().expect_code(0).stdout;
    assert!(table.contains("approver") && table.contains("revoked"), "{table}");
    let id = passkey["id"].as_str().expect("an id");
    // what was revoked stays so
    let again = dev.command("author", &["passkeys", "confirm", id]).run();
    assert!(again.expect_code(1).stderr.contains("PL3045"));
    drop(dev.command("approver", &["passkeys", "revoke", id]).run().expect_code(0));
    let verified = dev.command("auditor", &["audit", "verify", "--json"]);
    let verified = verified.run().expect_code(0).json();
    assert_eq!(verified["signatures"], 1, "{verified}");
    let said = dev.command("author", &["audit", "log"]).run().expect_code(0).stdout;
    let revoked = said.lines().find(|line| line.contains("PasskeyRevoked"));
    assert!(revoked.is_some_and(|line| line.ends_with("engine")), "{said}");
}
