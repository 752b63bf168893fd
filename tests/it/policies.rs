//! What an admin can rely on: a policy is checked before it binds, tried out on what was asked, and
//! gives no more than the people behind it have given.
//!
//! covers: T4, T13

use serde_json::{Value, json};

use crate::world::Live;

const STANDING: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
standing:
  - name: status
    match: { operation: slack.chat.postMessage, workflow: ops/slack-notify }
    until: 2100-01-01T00:00:00Z
    maxPerDay: 1
";

const STRICTER: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
  - { name: long, match: { when: '.with.text | length > 3' }, require: { deny: true } }
";

/// Everything that the log says, as its lines.
fn log(live: &Live) -> String {
    live.done("author", &["audit", "log", "--json"]).stdout
}

#[test]
fn mistakes_in_a_policy_are_named_with_their_place_and_its_schema_is_for_editors() {
    let live = Live::start();
    live.project.write("wrong.yaml", "rules:\n  - match: { firstContat: true }\n    require: {}\n");
    let found = live.placet(["policy", "check", "wrong.yaml"]).run().expect_code(1);
    let told = format!("{}{}", found.stdout, found.stderr);
    assert!(
        told.contains("wrong.yaml:2:14") && told.contains("did you mean `firstContact`?"),
        "{told}"
    );
    let schema = live.placet(["check", "--schema=policy"]).run().expect_code(0).stdout;
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["standing"].is_object(), "{schema}");
}

#[test]
fn a_policy_is_tried_out_on_past_requests_and_nothing_is_recorded() {
    let live = Live::under(STANDING);
    let asked = live.ask("Hello");
    live.project.write("stricter.yaml", STRICTER);
    let before = log(&live);
    let found = live.json("author", &["policy", "test", "stricter.yaml"]);
    assert_eq!(found["summary"]["refused"], json!(1), "{found:#}");
    assert_eq!(found["decisions"][0]["decision"], json!(asked.decision));
    assert_eq!(found["decisions"][0]["refused_by"], json!(["long"]));
    let words = live.done("author", &["policy", "test", "stricter.yaml"]).stdout;
    assert!(words.contains("refused by long"), "{words}");
    assert_eq!(log(&live), before);
}

#[test]
fn a_vote_in_advance_is_given_by_a_person_under_their_own_name_and_used_up() {
    let live = Live::under(STANDING);
    let waits = live.ask("Hello");
    live.done("approver", &["policy", "endorse", "status"]);
    assert_eq!(live.posts(), [], "what was asked before is still asked");
    live.done("second", &["inbox", "reject", &waits.decision, "--reason", "too early"]);
    let sent = live.done(
        "author",
        &["start", "ops/slack-notify", "--input", "{\"channel\":\"C1\",\"text\":\"up\"}"],
    );
    let run =
        sent.stdout.split_whitespace().find(|word| word.starts_with("run_")).unwrap().to_owned();
    let events = live.until(&run, "RunCompleted");
    let cast = events.iter().find(|event| event["type"] == "VoteCast").unwrap();
    assert_eq!(cast["body"]["voter"], "approver");
    let used = events.iter().find(|event| event["type"] == "StandingUsed").unwrap();
    assert_eq!((&used["body"]["standing"], &used["body"]["count"]), (&json!("status"), &json!(1)));
    assert_eq!(live.posts().len(), 1);
    live.ask("Hello again");
    assert_eq!(live.posts().len(), 1, "used up for today");
}
