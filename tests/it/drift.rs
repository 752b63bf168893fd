//! A provider that answers otherwise than its schema says: the run goes on where nobody looks, it is on
//! record without a value, and counted.
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
