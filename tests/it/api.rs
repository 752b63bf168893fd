//! The HTTP API as a tool of another hand finds it: schemathesis reads the published description and
//! asks every operation for things that fit it, things that do not, and sequences along its links.

use crate::world::Live;
use std::process::Command;

/// A Python that has schemathesis.
fn schemathesis(test: &str) -> Option<std::path::PathBuf> {
    let found = std::env::var_os("PLACET_TEST_SCHEMATHESIS");
    if found.is_none() {
        let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!is_ci, "{test}: CI must have schemathesis");
        eprintln!("skipped: {test} (no schemathesis; ./tests/run installs it)");
    }
    found.map(Into::into)
}

#[test]
fn a_tool_of_another_hand_gets_no_answer_that_is_not_described_and_no_failure_of_ours() {
    let test = "a_tool_of_another_hand_gets_no_answer_that_is_not_described_and_no_failure_of_ours";
    let Some(schemathesis) = schemathesis(test) else { return };
    // given: an engine with a run that waits, and one that is over
    let live = Live::start();
    let over = live.ask("over");
    live.approve(&over);
    live.until(&over.run, "RunCompleted");
    live.ask("waits");
    // when
    let door = live.door();
    let authorization = format!("Authorization: Bearer {}", door.token);
    let document = format!("http://{}/api/v1/openapi.json", door.address);
    let asked = Command::new(schemathesis)
        .args(["run", &document, "--header", &authorization, "--seed", "1", "--no-color"])
        .args(["--max-examples", "10", "--request-timeout", "60", "--continue-on-failure"])
        // it has no end
        .args(["--exclude-path", "/api/v1/events"])
        // no schema can say which workflow exists, or that a document has no mistakes
        .args(["--exclude-checks", "positive_data_acceptance"])
        .env("HOME", live.project.dir())
        .current_dir(live.project.dir())
        .output()
        .expect("schemathesis can be started");
    // then
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}\n{}", String::from_utf8_lossy(&asked.stderr));
    let tried = said.lines().filter(|line| line.contains("Tested:") || line.contains("generated"));
    for line in tried {
        println!("{}", line.trim());
    }
    // the log has all of it, and is whole
    live.done("auditor", &["audit", "verify"]);
}
