//! Scenarios on the real path: errors, limits, slow and lost answers, people who do not simply say yes, and what comes
//! from outside; from files, from manifests, and inline in tests.

use placet_test_support::dirs::Project;
use placet_test_support::process::Finished;
use serde_json::{Value, json};

use crate::kit::placet;

const CUSTOMER: &str =
    "document: { dsl: '1.0.3', namespace: ops, name: customer, version: '1.0.0' }
do:
  - make:
      call: stripe.customers.create
      with: { name: Ana, email: ana@example.com }
";

const POST: &str = "document: { dsl: '1.0.3', namespace: ops, name: post, version: '1.0.0' }
do:
  - post:
      call: slack.chat.postMessage
      with: { channel: C0SALES, text: Hello }
";

const REPLY: &str = "document: { dsl: '1.0.3', namespace: ops, name: reply, version: '1.0.0' }
do:
  - hear:
      listen:
        to: { one: { with: { type: com.example.reply } } }
";

struct Stage(Project);

impl Stage {
    fn new() -> Self {
        let project = Project::new().with("placet.toml", "project = \"acme\"\n");
        let project = project.with_workflow("customer", CUSTOMER).with_workflow("post", POST);
        Self(project.with_workflow("reply", REPLY))
    }

    fn placet(&self, args: &[&str]) -> Finished {
        placet(&self.0).args(args.iter().copied()).run()
    }

    /// Plays a scenario of this text.
    fn play(&self, workflow: &str, text: &str) -> Finished {
        self.0.write("scenarios/played.scenario.yaml", text);
        self.named(workflow, "played")
    }

    fn named(&self, workflow: &str, name: &str) -> Finished {
        let file = self.0.dir().join(format!("workflows/{workflow}.yaml")).display().to_string();
        self.placet(&["run", &file, "--scenario", name, "--json"])
    }
}

fn scenario(lines: &str) -> String {
    format!("scenario: what is claimed\n{lines}")
}

#[test]
fn a_rate_limit_is_waited_for_in_virtual_time_and_the_next_call_goes_well() {
    let stage = Stage::new();
    let text = "calls:\n  - { operation: stripe.customers.create, call: 1, error: rate_limited }\n";
    let report = stage.play("customer", &scenario(text)).expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["output"]["name"], "Ana");
}

#[test]
fn a_refusal_for_good_fails_the_run_with_the_providers_own_words() {
    let stage = Stage::new();
    let text = "calls:\n  - { operation: slack.chat.postMessage, error: not_found }\n";
    let report = stage.play("post", &scenario(text)).expect_code(1).json();
    assert_eq!(report["status"], "faulted");
    assert!(report["error"].to_string().contains("channel_not_found"), "{}", report["error"]);
}

#[test]
fn what_was_done_without_an_answer_is_found_by_its_look_up_and_not_sent_again() {
    let stage = Stage::new();
    let text =
        "calls:\n  - { operation: slack.chat.postMessage, call: 1, applyThenTimeout: true }\n";
    let report = stage.play("post", &scenario(text)).expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    assert!(report["output"]["message_id"].is_string(), "what the look-up has found: {report:#}");
}

/// Telegram shows a bot nothing of what it has sent.
#[test]
fn where_no_look_up_can_tell_a_person_is_asked() {
    let stage = Stage::new();
    let tell = "document: { dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }\ndo:\n  - tell:\n      \
        call: telegram.sendMessage\n      with: { chat_id: 7, text: Hello }\n";
    stage.0.write("workflows/tell.yaml", tell);
    let text = "calls:\n  - { operation: telegram.sendMessage, call: 1, applyThenTimeout: true }\n";
    let played = stage.play("tell", &scenario(text)).expect_code(3);
    assert!(played.stderr.contains("outcome is unknown"), "{}", played.stderr);
    assert_eq!(played.json()["status"], "waiting");
}

#[test]
fn a_key_lets_the_same_bytes_go_again_where_the_answer_was_lost_or_broken() {
    for turn in ["applyThenTimeout: true", "malformed: true", "latency: PT10M"] {
        let stage = Stage::new();
        let text =
            format!("calls:\n  - {{ operation: stripe.customers.create, call: 1, {turn} }}\n");
        let report = stage.play("customer", &scenario(&text)).expect_code(0).json();
        assert_eq!(report["output"]["name"], "Ana", "{turn}: {report:#}");
    }
}

#[test]
fn a_slow_answer_takes_virtual_time_and_is_an_answer() {
    let stage = Stage::new();
    let test = "workflow: ../workflows/customer.yaml
tests:
  - name: five seconds pass
    calls: [{ operation: stripe.customers.create, latency: PT5S }]
    decisions: [approve]
    expect: { status: completed, duration: { atLeast: PT5S, atMost: PT6S } }
";
    stage.0.write("tests/slow.test.yaml", test);
    drop(stage.placet(&["test"]).expect_code(0));
}

#[test]
fn people_of_a_scenario_reject_edit_and_are_late() {
    let stage = Stage::new();
    let rejected = stage
        .play("post", &scenario("decisions: [{ reject: { reason: no } }]\n"))
        .expect_code(1)
        .json();
    assert_eq!(rejected["trace"][0]["status"], "faulted", "{rejected:#}");
    let late = "decisions:\n  - { after: PT2H, approve: }\n";
    assert_eq!(stage.play("post", &scenario(late)).expect_code(0).json()["status"], "completed");
    let edit = "decisions:\n  - edit: { with: { channel: C0SALES, text: Better } }\n  - approve\n";
    let edited = stage.play("post", &scenario(edit)).expect_code(0).json();
    assert_eq!(edited["trace"][0]["would_have_sent"]["body"]["text"], "Better", "{edited:#}");
}

#[test]
fn a_reply_comes_from_outside_after_a_while() {
    let stage = Stage::new();
    let text = "events:\n  - { after: PT1H, event: { type: com.example.reply, source: test, data: { text: hi } } }\n";
    let report = stage.play("reply", &scenario(text)).expect_code(0).json();
    assert!(report["output"].to_string().contains("hi"), "{report:#}");
}

#[test]
fn every_scenario_of_the_manifests_can_be_played() {
    let stage = Stage::new();
    let told = stage.placet(&["adapters", "show", "slack", "--scenarios", "--json"]);
    let told = told.expect_code(0).json();
    let named: Vec<&str> = told["scenarios"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    for kind in [
        "rate_limited",
        "not_found",
        "auth",
        "validation",
        "timeout_in_doubt",
        "slow",
        "apply_then_timeout",
        "malformed",
    ] {
        assert!(named.contains(&&*format!("slack.chat.postMessage/{kind}")), "{kind}: {named:?}");
    }
    for name in named.iter().filter(|name| name.starts_with("slack.chat.postMessage/")) {
        let played = stage.named("post", name);
        let status = played.json()["status"].clone();
        assert!(
            ["completed", "faulted", "waiting"].map(|s| json!(s)).contains(&status),
            "{name}: {status}"
        );
    }
}

#[test]
fn a_wrong_scenario_is_refused_at_its_place() {
    let stage = Stage::new();
    for (text, place, words) in [
        (
            "calls:\n  - { operation: stripe.customers.creat, error: auth }\n",
            ":3:",
            "did you mean `stripe.customers.create`",
        ),
        (
            "calls:\n  - { operation: stripe.customers.create, error: rate_limit }\n",
            ":3:",
            "did you mean `rate_limited`",
        ),
        ("calls:\n  - { error: auth, malformed: true }\n", ":3:", "a call goes one way"),
        (
            "calls:\n  - { operation: stripe.customers.create }\n",
            ":3:",
            "says nothing of how it goes",
        ),
        ("answers: []\n", ":2:", "answers"),
    ] {
        let refused = stage.play("customer", &scenario(text)).expect_code(2);
        assert!(
            refused.stderr.contains(words) && refused.stderr.contains(place),
            "{text}: {}",
            refused.stderr
        );
    }
    let unknown = stage.named("customer", "nothing-like-it").expect_code(2);
    assert!(unknown.stderr.contains("adapters show PROVIDER --scenarios"), "{}", unknown.stderr);
}

#[test]
fn editors_get_a_schema_that_takes_what_the_checker_takes() {
    let stage = Stage::new();
    let schema = stage.placet(&["test", "--scenario-schema"]).expect_code(0);
    let schema: Value = serde_json::from_str(&schema.stdout).expect("a schema is JSON");
    assert_eq!(schema["required"], json!(["scenario"]));
    let properties = schema["properties"].as_object().expect("properties");
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["scenario", "calls", "decisions", "events"]);
}

/// Telegram shows a bot nothing of what it has sent, so a person is asked, and the run waits in data that stay.
#[test]
fn a_run_on_data_goes_on_under_its_scenario_where_it_stood() {
    let stage = Stage::new();
    let tell = "document: { dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }\ndo:\n  - tell:\n      \
        call: telegram.sendMessage\n      with: { chat_id: 7, text: Hello }\n  - again:\n      \
        call: telegram.sendMessage\n      with: { chat_id: 7, text: Again }\n";
    stage.0.write("workflows/tell.yaml", tell);
    let text = "calls:\n  - { operation: telegram.sendMessage, call: 1, applyThenTimeout: true }\n\
        decisions:\n  - approve\n  - { reject: { reason: not twice } }\n";
    stage.0.write("scenarios/played.scenario.yaml", &scenario(text));
    let file = stage.0.dir().join("workflows/tell.yaml").display().to_string();
    let data = stage.0.dir().join("kept").display().to_string();
    let on_data = ["--data", &data, "--json"];
    let played = ["run", &file, "--scenario", "played"];
    let waiting = stage.placet(&[&played[..], &on_data].concat()).expect_code(3).json();
    let run = waiting["run"].as_str().expect("a run");

    // nothing has changed: it waits for the same person
    let resume = ["run", "--resume", run, "--scenario", "played"];
    let resume = [&resume[..], &on_data].concat();
    assert_eq!(stage.placet(&resume).expect_code(3).json()["trace"], waiting["trace"]);

    // she has looked; what the scenario has said is not said again, and the first call was the first
    let listed = stage.placet(&["inbox", "list", "--data", &data, "--as", "approver", "--json"]);
    let item = listed.expect_code(0).json()["items"][0]["id"].as_str().expect("an item").to_owned();
    let resolve = ["inbox", "resolve", &item, "sent", "--data", &data, "--as", "approver"];
    drop(stage.placet(&resolve).expect_code(0));
    let over = stage.placet(&resume).expect_code(1).json();
    assert_eq!(over["trace"][0]["status"], "completed", "{over:#}");
    assert!(over["error"].to_string().contains("not twice"), "{over:#}");

    // the scenario is checked as ever, and data of real time are no ground for one
    let unknown = ["run", "--resume", run, "--scenario", "nothing-like-it", "--data", &data];
    let unknown = stage.placet(&unknown).expect_code(2);
    assert!(unknown.stderr.contains("there is no scenario"), "{}", unknown.stderr);
}

/// What a kill between two events of one moment leaves behind: the first is on record, and it is that moment.
#[test]
fn an_event_that_was_due_when_its_run_broke_off_comes_once_when_the_run_goes_on() {
    let stage = Stage::new();
    let both = "document: { dsl: '1.0.3', namespace: ops, name: both, version: '1.0.0' }\ndo:\n  - hear:\n      listen:\n        \
        to: { all: [{ with: { type: a } }, { with: { type: b } }] }\n";
    stage.0.write("workflows/both.yaml", both);
    let event = |kind: &str| {
        format!(
            "  - {{ after: PT1H, event: {{ type: {kind}, source: test, data: {{ of: {kind} }} }} }}\n"
        )
    };
    let played = |events: &str| {
        stage.0.write("scenarios/played.scenario.yaml", &scenario(&format!("events:\n{events}")));
    };
    let file = stage.0.dir().join("workflows/both.yaml").display().to_string();
    let data = stage.0.dir().join("kept").display().to_string();
    let on = ["--scenario", "played", "--data", &data, "--json"];
    played(&event("a"));
    let waiting = stage.placet(&[&["run", &file], &on[..]].concat()).expect_code(3).json();
    let run = waiting["run"].as_str().expect("a run");
    played(&(event("a") + &event("b")));
    let over = stage.placet(&[&["run", "--resume", run], &on[..]].concat()).expect_code(0).json();
    assert_eq!(over["output"], json!([{ "of": "a" }, { "of": "b" }]), "{over:#}");
}
