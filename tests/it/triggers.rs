//! Which events start runs, as an operator meets it: a connection brings its triggers, somebody switches one
//! off, a workflow that nothing starts is warned of, and what people said outlives the connection.

use crate::hooks::signed;
use crate::world::hook::{message, post};
use crate::world::{Live, kinds};
use placet_test_support::DEADLINE;
use serde_json::{Value, json};

const STARTED: &str = "document: { dsl: '1.0.3', namespace: ops, name: answer, version: '1.0.0' }
schedule: { on: { one: { with: { type: slack.message } } } }
do:
  - note: { set: { id: '${ .[0].event_id }' } }
";

/// What is said of the events of Slack: `event state origin`.
fn said(live: &Live) -> Vec<String> {
    let list = live.json("auditor", &["triggers", "list"]);
    let rows = list["triggers"].as_array().expect("a list").iter();
    let of_slack = rows.filter(|row| row["integration"] == "slack");
    let word = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    of_slack.map(|row| ["event", "state", "origin"].map(|name| word(row, name)).join(" ")).collect()
}

/// Slack posts a message, and it is taken.
fn posted(live: &Live, id: &str) {
    let address = &live.door().address;
    assert_eq!(post(address, &message(id, "17.1")).send(address, DEADLINE), Some(200), "{id}");
}

/// The ids of the messages that started runs, once so many of these are over; in that order.
fn started(live: &Live, count: usize) -> Vec<Value> {
    let of_answer = |event: &&Value| event["body"]["workflow"]["name"] == "answer";
    let runs = |events: &[Value]| -> Vec<Value> {
        let starts = events.iter().filter(|event| event["type"] == "RunStarted").filter(of_answer);
        starts.map(|event| event["stream"].clone()).collect()
    };
    let over = |events: &[Value]| {
        let runs = runs(events);
        let ends = events.iter().filter(|event| event["type"] == "RunCompleted");
        ends.filter(|event| runs.contains(&event["stream"])).count()
    };
    let events = live.door().events().until(|events| over(events) >= count);
    let id = |stream: &Value| {
        let run = stream.as_str().expect("a stream").trim_start_matches("run:");
        live.json("author", &["runs", "show", run])["output"]["id"].clone()
    };
    runs(&events).iter().map(id).collect()
}

#[test]
fn a_trigger_comes_with_its_connection_is_switched_by_an_operator_and_outlives_it_once_written() {
    let mut live = signed();
    let seeded = ["slack.message on seeded", "slack.revoked off seeded"];
    assert_eq!(said(&live), seeded, "they came with the connection");
    live.project.write("workflows/answer.yaml", STARTED);
    live.done("author", &["deploy", "."]);
    posted(&live, "Ev1");
    assert_eq!(started(&live, 1), ["Ev1"]);

    // off, over the command line: what comes then starts nothing, also later
    live.done("author", &["triggers", "set", "slack", "slack.message", "off"]);
    posted(&live, "Ev2");
    let stranger = ["triggers", "set", "slack", "slack.message", "on", "--as", "approver"];
    assert!(live.placet(stranger).run().expect_code(1).stderr.contains("PL4005"));
    let nothing = ["triggers", "remove", "slack", "slack.nope", "--as", "author"];
    assert!(live.placet(nothing).run().expect_code(1).stderr.contains("PL3078"));
    // a check says so, with the line
    drop(live.terminate());
    let checked = live.placet(["check", "workflows/answer.yaml"]).run().expect_code(0);
    let words = format!("{}{}", checked.stdout, checked.stderr);
    assert!(words.contains("PL2416") && words.contains("answer.yaml:2:"), "{words}");
    live.restart();

    // on again, over HTTP
    let on = json!({"integration": "slack", "event": "slack.message", "state": "on"});
    let (status, answer) = live.door().post("author", "/api/v1/triggers", &on);
    assert_eq!((status, &answer["triggers"][0]["starts"]), (200, &json!(["ops/answer@1.0.0"])));
    posted(&live, "Ev3");
    assert_eq!(started(&live, 2), ["Ev1", "Ev3"], "what came while it was off starts nothing");

    // what somebody said outlives the connection, what came with it does not
    live.done("author", &["integrations", "disconnect", "slack", "--yes"]);
    assert_eq!(said(&live), ["slack.message on written"]);
    live.connect();
    assert_eq!(said(&live), ["slack.message on written", "slack.revoked off seeded"]);
    live.done("author", &["triggers", "remove", "slack", "slack.message"]);
    assert_eq!(said(&live), ["slack.message removed -", "slack.revoked off seeded"]);

    // and all of it is on record, with who has said it
    let set = live.json_lines(&["audit", "log", "--type", "TriggerSet"]);
    let off = set.iter().find(|event| event["body"]["origin"] == "written").expect("it is there");
    assert_eq!(
        (&off["body"]["enabled"], &off["actor"]),
        (&json!(false), &json!("principal:author"))
    );
    let removed = live.json_lines(&["audit", "log", "--type", "TriggerRemoved"]);
    assert_eq!(kinds(&removed), ["TriggerRemoved"; 2], "{removed:?}");
}
