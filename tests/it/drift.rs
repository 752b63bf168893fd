//! A provider that answers otherwise than its schema says: the run goes on where nobody looks, it is on
//! record without a value, and counted. What it answers can become an example for the sandbox.
//!
//! covers: S21

use placet_test_support::provider::{Answer, Behaviour};
use serde_json::{Value, json};

use crate::world::{Live, POST};

/// A post whose answer has a number where its schema has a text.
fn odd() -> Behaviour {
    let message = json!({"text": "Hello", "user": "U0PRIVATE"});
    let body = json!({"ok": true, "channel": "C0SALES", "ts": 17, "message": message});
    Behaviour::Answer(Answer::json(&body))
}

fn drifted(live: &Live) -> Vec<Value> {
    let events = live.json_lines(&["audit", "log", "--type", "ResponseDrifted"]);
    events.iter().map(|event| event["body"].clone()).collect()
}

#[test]
fn an_answer_that_is_not_as_declared_is_an_event_and_no_fault() {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.provider.next_for(POST, odd());
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");

    let events = drifted(&live);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["operation"], "slack.chat.postMessage");
    let places = events[0]["places"].as_array().expect("places");
    assert!(places.contains(&json!({"at": "/ts", "kind": "type"})), "{places:?}");
    let text = events[0].to_string();
    assert!(!text.contains("U0PRIVATE") && !text.contains("C0SALES"), "no value: {text}");

    let shown = live.json("author", &["integrations", "show", "slack"]);
    assert_eq!(shown["drift"][0]["operation"], "slack.chat.postMessage");
    assert_eq!(shown["drift"][0]["count"], 1);
    let tested = live.json("author", &["integrations", "test", "slack"]);
    assert_eq!(tested["drift"][0]["count"], 1, "{tested}");
    let page = live.done("author", &["integrations", "show", "slack"]).stdout;
    assert!(page.contains("1 answers not as declared"), "{page}");
}

#[test]
fn where_a_step_reads_what_differs_the_task_fails_as_it_must() {
    let live = Live::start();
    let workflow = "document: { dsl: '1.0.3', namespace: ops, name: reads, version: '1.0.0' }\ndo:\n  \
        - send: { call: slack.chat.postMessage, with: { channel: C0SALES, text: Hello } }\n  \
        - keep: { set: { ts: '${ $steps.send.ts }' } }\n";
    live.project.write("workflows/reads.yaml", workflow);
    live.done("author", &["deploy", "."]);
    let started = live.json("author", &["start", "ops/reads"]);
    let run = started["run"].as_str().expect("a run");
    let events = live.until(run, "DecisionRequested");
    let decision = events.last().expect("it asks")["body"]["decision"].as_str().expect("its id");
    live.provider.next_for(POST, odd());
    live.done("approver", &["inbox", "approve", decision]);
    live.until(run, "RunFaulted");
    assert_eq!(drifted(&live).len(), 1, "it is on record all the same");
    let shown = live.json("author", &["runs", "show", run]);
    let words = shown["error"].to_string();
    assert!(words.contains("does not match the schema of slack.chat.postMessage"), "{words}");
}

/// Two channels, as Slack lists them; names and ids are somebody's.
fn channels() -> Behaviour {
    let one = |id: &str, name: &str| json!({"id": id, "name": name, "is_channel": true});
    let all = json!({"ok": true, "channels": [one("C0SALES77", "sales-emea"), one("C0BOARD88", "board")]});
    Behaviour::Answer(Answer::json(&all))
}

#[test]
fn a_live_answer_becomes_an_example_that_the_sandbox_answers_with_and_nobodys_words_stand_in_it() {
    let live = Live::start();
    let workflow = "document: { dsl: '1.0.3', namespace: ops, name: list, version: '1.0.0' }\ndo:\n  \
        - list: { call: slack.conversations.list, with: {} }\n";
    live.project.write("workflows/list.yaml", workflow);
    live.done("author", &["deploy", "."]);
    live.provider.next_for("/api/conversations.list", channels());
    let started = live.json("author", &["start", "ops/list"]);
    let run = started["run"].as_str().expect("a run");
    let events = live.until(run, "RunCompleted");
    let sent =
        events.iter().find(|event| event["type"] == "AttemptSucceeded").expect("it was read");
    let attempt = sent["body"]["attempt"].as_str().expect("an attempt");

    let told = live.json("author", &["adapters", "record", attempt]);
    assert_eq!((&told["valid"], &told["whole"]), (&json!(true), &json!(true)), "{told}");
    assert_eq!(told["body"]["channels"].as_array().map(Vec::len), Some(2), "its shape is kept");
    let file = std::fs::read_to_string(told["file"].as_str().expect("a file")).expect("text");
    for word in ["SALES", "BOARD", "emea", "board"] {
        assert!(!file.contains(word), "{word} in {file}");
    }
    assert!(file.contains(r#""kind": "id""#), "what was replaced is told: {file}");

    // the sandbox answers so, and says where it has it from
    let here = |args: &[&str]| live.placet(args.iter().copied()).run().expect_code(0);
    let notify = live.project.dir().join("workflows/list.yaml").display().to_string();
    let ran = here(&["run", &notify, "--json"]).json();
    assert_eq!(ran["output"]["channels"], told["body"]["channels"], "{ran:#}");
    let shown = here(&["adapters", "show", "slack.conversations.list", "--json"]).json();
    assert_eq!(shown["examples"]["used"].as_array().map(Vec::len), Some(1), "{shown}");

    // an answer that is not as declared is recorded as it was, and named instead of used
    let asked = live.ask("Hello");
    live.provider.next_for(POST, odd());
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
    let post = ["adapters", "record", &asked.run, "--operation", "slack.chat.postMessage"];
    let told = live.json("author", &post);
    assert_eq!((&told["valid"], &told["whole"]), (&json!(false), &json!(false)), "{told}");
    assert!(told["body"]["ts"].is_number() && told["body"]["channel"] != "C0SALES", "{told}");
    let shown = here(&["adapters", "show", "slack.chat.postMessage", "--json"]).json();
    assert_eq!(shown["examples"]["not_used"][0]["at"], "/ts", "{shown}");
    let checked = here(&["check", "."]);
    let said = checked.stdout + &checked.stderr;
    assert!(said.contains("PL3082") && said.contains("adapters/answers/slack.chat.post"), "{said}");

    // what was erased cannot be recorded, and what the sandbox has answered is no provider's
    let refused = |args: &[&str]| {
        let refused =
            live.placet(args.iter().copied()).args(["--as", "author"]).run().expect_code(1);
        assert!(refused.stderr.contains("PL3081"), "{}", refused.stderr);
        refused.stderr
    };
    live.done("author", &["erase", run, "--yes"]);
    assert!(refused(&["adapters", "record", run]).contains("erased"));
}
