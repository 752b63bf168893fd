//! Clients that are not ours (the providers' own Python packages) work against `placet sandbox serve`.
//!
//! covers: S21

use placet_test_support::dirs::Project;
use placet_test_support::process::{Placet, Running};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::world::PLACET;

/// A Python with the packages; `./tests/run` installs them.
const PYTHON: &str = "PLACET_TEST_CLIENTS_PYTHON";

/// A server of these providers, and its base URL.
fn serving(args: &[&str]) -> (Project, Running, String) {
    let project = Project::new();
    let serve = ["sandbox", "serve", "--listen", "127.0.0.1:0"];
    let running = Placet::new(PLACET, &project).args(serve).args(args).start();
    let line = running.stdout_line(|line| line.contains("http://"));
    let url = line.split_whitespace().last().expect("name and URL").to_owned();
    let base = url.rsplit_once('/').expect("a path for each provider").0.to_owned();
    (project, running, base)
}

/// Runs a client of another hand to its end; the operations that it says it has tried.
fn tried(test: &str, script: &str, base: &str) -> Option<BTreeSet<String>> {
    let Some(python) = std::env::var_os(PYTHON) else {
        let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!in_ci, "{test}: CI must have {PYTHON}");
        eprintln!("skipped: {test} ({PYTHON} is not set: ./tests/run sets it)");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients").join(script);
    let done = Command::new(python).arg(script).arg(base).output().expect("python starts");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    let said: Value = serde_json::from_slice(&done.stdout).expect("one line of JSON");
    let tried = said["tried"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Some(tried.map(str::to_owned).collect())
}

/// Every operation that a provider's manifest has.
fn operations(provider: &str) -> BTreeSet<String> {
    let list = Placet::new(PLACET, &Project::new()).args(["adapters", "list", "--json"]).run();
    let list = list.expect_code(0).json();
    let providers = list["providers"].as_array().expect("providers").iter();
    let of = providers.filter(|one| one["provider"] == provider);
    let all = of.flat_map(|one| one["operations"].as_array().expect("operations"));
    all.filter_map(|one| one["name"].as_str()).map(str::to_owned).collect()
}

#[test]
fn stripes_own_package_works_for_every_operation() {
    let test = "stripes_own_package_works_for_every_operation";
    let (_project, running, base) = serving(&["--provider", "stripe"]);
    let Some(tried) = tried(test, "stripe_client.py", &base) else { return };
    println!("stripe: {} operations tried", tried.len());
    assert_eq!(tried, operations("stripe"));
    drop(running.terminate().expect_code(0));
}

#[test]
fn slacks_own_package_works_for_every_operation() {
    let test = "slacks_own_package_works_for_every_operation";
    let (_project, running, base) = serving(&["--provider", "slack"]);
    let Some(tried) = tried(test, "slack_client.py", &base) else { return };
    println!("slack: {} operations tried", tried.len());
    assert_eq!(tried, operations("slack"));
    drop(running.terminate().expect_code(0));
}

#[test]
fn nothing_but_loopback_is_listened_on_without_a_word() {
    let serve = ["sandbox", "serve", "--listen", "0.0.0.0:0", "--provider", "slack"];
    let refused = Placet::new(PLACET, &Project::new()).args(serve).run().expect_code(2);
    assert!(refused.stderr.contains("--allow-remote"), "{}", refused.stderr);
}
