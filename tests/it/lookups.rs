//! A message whose answer was lost is looked up at its provider, by a real engine in live mode: it is found, the run goes
//! on, and nobody is asked. `kill -9` at every point of a look-up's way changes nothing of that.
//!
//! covers: S10, T11

use placet_test_support::provider::{Answer, Behaviour};
use serde_json::{Value, json};

use crate::world::{Asked, HISTORY, Live, POST, kinds};

/// An engine whose one message took effect, and whose answer was cut off.
fn lost() -> (Live, Asked) {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.provider.next_for(POST, Behaviour::ApplyThenReset);
    (live, asked)
}

/// The run is over as if the answer had come; the message left once, and nobody is asked.
fn found(live: &Live, asked: &Asked) -> Vec<Value> {
    let events = live.until(&asked.run, "RunCompleted");
    let settled = events.iter().find(|event| event["type"] == "AttemptReconciled");
    let settled = &settled.expect("it was in doubt")["body"];
    assert_eq!((&settled["by"], &settled["resolution"]), (&json!("lookup"), &json!("sent")));
    assert_eq!(live.posts().len(), 1, "it left once");
    assert_eq!(live.inbox(), Vec::<Value>::new());
    events
}

fn look_ups(live: &Live) -> usize {
    live.provider.received_at(HISTORY).len()
}

#[test]
fn a_message_whose_answer_was_lost_is_found_at_the_provider_and_the_run_goes_on() {
    let (live, asked) = lost();
    live.approve(&asked);
    let events = found(&live, &asked);
    let last =
        ["AttemptInDoubt", "LookupPlanned", "LookupStarted", "LookupEnded", "AttemptReconciled"];
    let told = kinds(&events);
    assert_eq!(told[told.len() - 7..told.len() - 2], last);
    assert_eq!(look_ups(&live), 1);
    let shown = live.json("author", &["runs", "show", &asked.run]);
    assert_eq!(shown["status"], "completed", "{shown}");
}

#[test]
fn a_kill_while_a_look_up_is_due_leaves_it_due() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    // a pause that comes while the call is under way holds the look-up, however late the kill comes
    live.provider.next_for(POST, Behaviour::ApplyThenReset.held());
    let before = live.provider.counts().received;
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received > before);
    live.done("author", &["pause"]);
    live.provider.release();
    live.until(&asked.run, "LookupPlanned");
    live.kill_9();
    assert_eq!(look_ups(&live), 0, "it was not made yet");
    live.restart();
    live.done("author", &["resume"]);
    found(&live, &asked);
    assert_eq!(look_ups(&live), 1);
}

#[test]
fn a_kill_while_a_look_up_is_under_way_makes_it_again() {
    let (mut live, asked) = lost();
    live.provider.next_for(HISTORY, Behaviour::Slack.held());
    let before = live.provider.counts().received;
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received >= before + 2);
    live.kill_9();
    live.provider.release();
    live.restart();
    let events = found(&live, &asked);
    let ends: Vec<_> = events.iter().filter(|event| event["type"] == "LookupEnded").collect();
    assert_eq!(ends[0]["body"]["finding"], "unanswered", "it says so of the first");
    assert_eq!((ends.len(), look_ups(&live)), (2, 2));
}

#[test]
fn a_kill_at_the_moment_of_the_finding_settles_it_once() {
    let (mut live, asked) = lost();
    live.approve(&asked);
    live.until(&asked.run, "LookupStarted");
    live.kill_9();
    live.restart();
    let events = found(&live, &asked);
    let told = kinds(&events);
    assert_eq!(told.iter().filter(|kind| **kind == "AttemptReconciled").count(), 1);
}

/// A page of other people's messages, after which there is another.
fn others(next: &str) -> Behaviour {
    Behaviour::Answer(Answer::json(&json!({
        "ok": true,
        "messages": [{"ts": "1700000000.000001", "text": "of somebody else"}],
        "has_more": true,
        "response_metadata": {"next_cursor": next},
    })))
}

#[test]
fn a_message_that_stands_on_the_second_page_is_found_there() {
    let (live, asked) = lost();
    live.provider.next_for(HISTORY, others("c2"));
    live.approve(&asked);
    found(&live, &asked);
    let pages = live.provider.received_at(HISTORY);
    assert_eq!(pages.len(), 2);
    assert!(!pages[0].target.contains("cursor="), "{}", pages[0].target);
    assert!(pages[1].target.contains("cursor=c2"), "{}", pages[1].target);
}

#[test]
fn a_page_that_does_not_come_is_not_taken_for_absence_and_is_read_again() {
    let (live, asked) = lost();
    live.provider.next_for(HISTORY, others("c2"));
    live.provider.next_for(HISTORY, Behaviour::refuse(503, &json!({})));
    live.approve(&asked);
    let events = found(&live, &asked);
    let ends: Vec<_> = events.iter().filter(|event| event["type"] == "LookupEnded").collect();
    assert_eq!(ends[0]["body"]["finding"], "unanswered");
    assert_eq!(ends.last().expect("an end")["body"]["finding"], "found");
    assert_eq!((ends.len(), look_ups(&live)), (2, 3));
}

#[test]
fn a_list_without_an_end_is_read_within_bounds_and_a_person_is_told_how_far() {
    let (live, asked) = lost();
    for page in 0..12 {
        live.provider.next_for(HISTORY, others(&format!("c{page}")));
    }
    live.approve(&asked);
    let events = live.until(&asked.run, "LookupEnded");
    assert_eq!(events.last().expect("an end")["body"]["finding"], "unanswered");
    assert_eq!(look_ups(&live), 10, "and not one more");
    let card = live.json("approver", &["inbox", "show", &asked.decision]);
    let told = card["in_doubt"]["lookups"][0]["detail"].as_str().unwrap_or_default();
    let words = "read 10 pages, and there are more: what stands there is not known";
    assert!(told.contains(words), "{told}");
    assert_eq!(card["in_doubt"]["next_lookup_at"], Value::Null, "reading again finds no more");
}
