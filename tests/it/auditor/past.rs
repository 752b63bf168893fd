//! `placet audit replay --at`: the project as it was.

use crate::world::Live;
use serde_json::{Value, json};

#[test]
fn the_project_is_shown_as_it_was_at_any_position() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    let events = live.until(&asked.run, "DecisionRequested");
    let requested = events.last().expect("it has come")["position"].as_u64().expect("a position");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    live.done("author", &["resume"]);
    live.done("author", &["integrations", "disable", "slack"]);
    let events = live.until(&asked.run, "RunCompleted");
    let completed = events.last().expect("it has come")["position"].as_u64().expect("a position");
    let check = |live: &Live| {
        let as_of = |at: u64| {
            let at = at.to_string();
            let args = ["audit", "replay", "--at", &at, "--json"];
            let mut state = live.placet(args).run().expect_code(0).json();
            let head = state["head"].take();
            assert!(head.as_u64() >= Some(completed), "{head}");
            state
        };
        let before = as_of(requested - 1);
        assert_eq!(before["inbox"], json!([]));
        assert_eq!(before["runs"][0]["status"], "running");
        let then = as_of(requested);
        assert_eq!(then["inbox"][0]["id"], asked.decision.as_str());
        assert_eq!(then["inbox"][0]["state"], "requested");
        assert_eq!(then["runs"][0]["waiting_for"]["decision"], asked.decision.as_str());
        assert_eq!(
            (&then["paused"], &then["integrations"][0]["status"]),
            (&json!(false), &json!("active"))
        );
        let end = as_of(completed);
        assert_eq!((&end["inbox"], &end["runs"][0]["status"]), (&json!([]), &json!("completed")));
        // as a person reads it
        let told = live.placet(["audit", "replay", "--at", &requested.to_string()]).run();
        let told = told.expect_code(0).stdout;
        assert!(told.starts_with(&format!("as of position {requested} of ")), "{told}");
        for word in [
            "outbound goes",
            "inbox:",
            &asked.decision,
            "runs:",
            &asked.run,
            "slack",
            "ops/slack-notify",
        ] {
            assert!(told.contains(word), "{word}: {told}");
        }
        for (at, words) in
            [("0", "0 is not in 1.."), ("1000000", "there is no position 1000000 in the log")]
        {
            let ended = live.placet(["audit", "replay", "--at", at]).run();
            assert_eq!(ended.code, Some(2), "{at}: {}", ended.stderr);
            assert!(ended.stderr.contains(words), "{at}: {}", ended.stderr);
        }
        [before, then, end]
    };
    let size = |live: &Live| {
        let status = live.placet(["projections", "status", "--json"]).run().expect_code(0).json();
        status["head"].as_u64().expect("a head")
    };
    let head = size(&live);
    let at_engine: [Value; 3] = check(&live);
    assert_eq!(size(&live), head, "looking back appends nothing");
    live.terminate();
    let head = size(&live);
    assert_eq!(check(&live), at_engine);
    assert_eq!(size(&live), head, "nor does it on data");
}
