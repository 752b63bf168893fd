//! `kill -9` at every point of a message's way: after the restart no run is lost, nothing is sent twice, and what nobody
//! can know is put to a person. Each test kills a real engine in live mode and counts at the provider stand-in.
//!
//! covers: S10, T11

use placet_test_support::nats::NatsServer;
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};

use crate::world::{Asked, Live, POST, STORY, kinds, stream_is_the_log};

/// Waits until the run is over, and gives its status.
fn ended(live: &Live, asked: &Asked, kind: &str) -> Value {
    live.until(&asked.run, kind);
    live.json("author", &["runs", "show", &asked.run])["status"].clone()
}

/// The one item that waits is this decision's, in this state.
fn assert_waits(live: &Live, asked: &Asked, state: &str) {
    let items = live.inbox();
    let found: Vec<_> = items.iter().map(|item| (&item["id"], &item["state"])).collect();
    assert_eq!(found, [(&json!(asked.decision), &json!(state))]);
}

/// An engine whose one message took effect without an answer, killed and started again.
fn killed_during_the_call() -> (Live, Asked) {
    let mut live = Live::start();
    live.cannot_be_looked_up();
    let asked = live.ask("Hello");
    live.provider.next_for(POST, Behaviour::ApplyThenSilence);
    let applied = live.provider.counts().applied;
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.applied > applied);
    live.kill_9();
    live.restart();
    live.until(&asked.run, "AttemptInDoubt");
    (live, asked)
}

#[test]
fn a_kill_before_the_vote_leaves_the_request_as_it_was() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    let card = live.card(&asked.decision);
    live.kill_9();
    live.restart();
    assert_waits(&live, &asked, "requested");
    let again = live.card(&asked.decision);
    for member in ["digest", "request", "expires_at", "policy"] {
        assert_eq!(again[member], card[member], "{member}");
    }
    live.approve(&asked);
    assert_eq!(ended(&live, &asked, "RunCompleted"), "completed");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn t11_a_kill_between_settlement_and_claim_keeps_the_approval_and_spends_it_once() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    live.kill_9();
    live.restart();
    // the pause holds over the restart
    assert_waits(&live, &asked, "approved");
    assert_eq!(live.posts(), []);
    live.done("author", &["resume"]);
    assert_eq!(ended(&live, &asked, "RunCompleted"), "completed");
    assert_eq!(live.posts().len(), 1);
    let events = live.until(&asked.run, "RunCompleted");
    assert_eq!(kinds(&events), STORY, "one vote was enough");
}

/// The engine is killed while it connects: no byte of the request has left, but only the provider's side knows that.
#[test]
fn a_kill_after_the_attempt_is_recorded_and_before_its_first_byte_is_in_doubt() {
    let mut live = Live::start();
    live.cannot_be_looked_up();
    let asked = live.ask("Hello");
    let crowd = live.provider.crowd();
    live.approve(&asked);
    live.until(&asked.run, "AttemptStarted");
    live.kill_9();
    drop(crowd);
    live.restart();
    live.until(&asked.run, "AttemptInDoubt");
    assert_waits(&live, &asked, "in_doubt");
    assert_eq!(live.posts(), [], "never sent again by itself");
    let fresh = sent_anew(&live, &asked);
    assert_eq!(ended(&live, &fresh, "RunCompleted"), "completed");
    assert_eq!(live.posts().len(), 1);
}

/// Says that it was not sent, and approves the draft that asks anew.
fn sent_anew(live: &Live, asked: &Asked) -> Asked {
    live.done("approver", &["inbox", "resolve", &asked.decision, "not-sent"]);
    let before = live.posts().len();
    let events = live.until_nth(&asked.run, "DecisionRequested", 2);
    let decision = &events.last().expect("it asks anew")["body"]["decision"];
    let fresh =
        Asked { run: asked.run.clone(), decision: decision.as_str().expect("an id").to_owned() };
    assert_ne!(fresh.decision, asked.decision);
    let (old, new) = (live.card(&asked.decision), live.card(&fresh.decision));
    assert_ne!(old["digest"], new["digest"]);
    assert_ne!(old["document"]["send_id"], new["document"]["send_id"]);
    assert_eq!(live.posts().len(), before, "a new draft needs a new vote");
    live.approve(&fresh);
    fresh
}

#[test]
fn a_kill_during_the_call_is_in_doubt_and_sent_settles_it() {
    let (live, asked) = killed_during_the_call();
    assert_waits(&live, &asked, "in_doubt");
    let card = live.card(&asked.decision);
    assert_eq!(card["in_doubt"]["answers"], json!(["sent", "not_sent", "give_up"]));
    assert!(card["in_doubt"]["words"].as_str().expect("words").starts_with("probably sent"));
    live.done("approver", &["inbox", "resolve", &asked.decision, "sent"]);
    assert_eq!(ended(&live, &asked, "RunCompleted"), "completed");
    assert_eq!(live.posts().len(), 1);
    assert_eq!(live.inbox(), Vec::<Value>::new());
}

#[test]
fn a_kill_during_the_call_is_in_doubt_and_not_sent_asks_anew_with_another_send_id() {
    let (live, asked) = killed_during_the_call();
    let fresh = sent_anew(&live, &asked);
    assert_eq!(ended(&live, &fresh, "RunCompleted"), "completed");
    let marker =
        |n: usize| live.posts()[n].json().expect("JSON")["metadata"]["event_payload"].clone();
    assert_eq!(live.posts().len(), 2, "once for each vote");
    assert_ne!(marker(0), marker(1));
}

#[test]
fn a_kill_during_the_call_is_in_doubt_and_giving_up_faults_the_task() {
    let (live, asked) = killed_during_the_call();
    live.done("approver", &["inbox", "resolve", &asked.decision, "give-up"]);
    assert_eq!(ended(&live, &asked, "RunFaulted"), "faulted");
    assert_eq!(live.posts().len(), 1);
    let again =
        live.placet(["inbox", "resolve", &asked.decision, "sent", "--as", "approver"]).run();
    let again = again.expect_code(1);
    assert!(again.stderr.contains("PL30"), "it is settled: {}", again.stderr);
}

/// The engine stands still before the answer comes, so the answer lies at its door, unread, when it is killed.
#[test]
fn a_kill_after_the_answer_and_before_the_commit_is_in_doubt_and_never_sent_twice() {
    let mut live = Live::start();
    live.cannot_be_looked_up();
    let asked = live.ask("Hello");
    live.provider.next_for(POST, Behaviour::Slack.held());
    let before = live.provider.counts();
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received > before.received);
    live.running().freeze();
    live.provider.release();
    live.provider.wait_until(move |counts| counts.answered > before.answered);
    live.kill_9();
    live.restart();
    live.until(&asked.run, "AttemptInDoubt");
    assert_waits(&live, &asked, "in_doubt");
    live.done("approver", &["inbox", "resolve", &asked.decision, "sent"]);
    assert_eq!(ended(&live, &asked, "RunCompleted"), "completed");
    assert_eq!(live.posts().len(), 1);
}

/// Where exactly the kill falls is up to the machine: the answer may have been read and committed, or not.
#[test]
fn a_kill_at_the_moment_of_the_answer_ends_completed_or_found_and_sent_once() {
    const ROUNDS: usize = 6;
    let mut live = Live::start();
    let mut completed = 0;
    for round in 1..=ROUNDS {
        let asked = live.ask(&format!("round {round}"));
        let before = live.provider.counts();
        live.approve(&asked);
        live.provider.wait_until(move |counts| counts.answered > before.answered);
        live.kill_9();
        live.restart();
        // what was in doubt is found at the provider
        let events = live.until(&asked.run, "RunCompleted");
        completed += usize::from(!kinds(&events).contains(&"AttemptInDoubt"));
        assert_eq!(live.posts().len(), round, "each is sent once");
    }
    println!("{completed} of {ROUNDS} were committed before the kill");
    let runs = live.json("author", &["runs", "list", "--status", "completed"]);
    assert_eq!(runs["runs"].as_array().expect("a list").len(), ROUNDS, "no run is lost");
}

#[test]
fn a_kill_right_after_the_answer_was_recorded_loses_nothing_and_asks_nobody() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "AttemptSucceeded");
    live.kill_9();
    live.restart();
    assert_eq!(kinds(&live.until(&asked.run, "RunCompleted")), STORY);
    assert_eq!(live.inbox(), Vec::<Value>::new());
    assert_eq!(live.posts().len(), 1);
}

/// The kill falls while the last events are on their way to the stream, or just after.
#[test]
fn a_killed_engine_goes_on_with_the_stream_where_it_was() {
    let name = "a_killed_engine_goes_on_with_the_stream_where_it_was";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let mut live = Live::on_nats(&server, None);
    let mut last = 0;
    for round in 0..3 {
        let asked = live.ask(&format!("round {round}"));
        live.approve(&asked);
        let end = live.until(&asked.run, "RunCompleted").pop().expect("the end of the run");
        last = end["position"].as_u64().expect("a position");
        live.kill_9();
        live.restart();
    }
    stream_is_the_log(&server, &live, last);
}

#[test]
fn a_kill_while_an_attempt_is_put_off_goes_on_without_a_person() {
    let mut live = Live::start();
    let asked = live.ask("Hello");
    // longer than anything holds up the kill: it is to come before the next try, not into it
    live.provider.next_for(POST, Behaviour::TooManyRequests { retry_after_s: 10 });
    live.approve(&asked);
    live.until(&asked.run, "AttemptDeferred");
    live.kill_9();
    live.restart();
    assert_eq!(ended(&live, &asked, "RunCompleted"), "completed");
    let posts = live.posts();
    assert_eq!(posts.len(), 2, "refused once, then taken");
    assert_eq!(posts[0].body, posts[1].body, "the same bytes under the same approval");
    assert_eq!(live.provider.applied_at(POST).len(), 1);
    assert!(!kinds(&live.until(&asked.run, "RunCompleted")).contains(&"AttemptInDoubt"));
}
