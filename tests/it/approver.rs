//! What an approver can rely on: they see the exact bytes, exactly those leave once and only after their vote, and every
//! vote that must not count is refused by name. Live engine, real NATS server, provider stand-in on loopback.
//!
//! covers: S7, S9, T12, T14, T17

use placet_model::request::{Body, Hole, HoleKind, HoledText, Part, PreparedRequest};
use placet_test_support::nats::NatsServer;
use placet_test_support::provider::Received;
use serde_json::{Value, json};

use crate::world::{Asked, Desk, Live, STORY, TOKEN, ballot, kinds, stream_of};

/// Two people of three, so that one vote leaves a request open.
const QUORUM_OF_TWO: &str = "
groups: { leads: [approver, second, third] }
rules:
  - { name: two, match: { effect: send }, require: { approvers: [leads], quorum: 2 } }
";

const SOON_OVER: &str = "
groups: { leads: [approver] }
rules:
  - { name: quick, match: { effect: send }, require: { approvers: [leads], quorum: 1, expires: PT1S } }
";

/// What the stand-in received, as a prepared request: the credential, the one part that was a hole, becomes one again.
fn as_prepared(received: &Received, card: &Value) -> PreparedRequest {
    let hole = Hole { hole: HoleKind::Credential, name: "access_token".into() };
    let headers = card["request"]["headers"].as_object().expect("headers");
    let headers = headers.keys().map(|name| {
        let value = received.header(name).expect("every header of the card arrives");
        let value = match value.strip_suffix(TOKEN) {
            Some(start) => HoledText(vec![Part::Text(start.to_owned()), Part::Hole(hole.clone())]),
            None => HoledText::plain(value),
        };
        (name.clone(), value)
    });
    let host = received.header("host").expect("a host");
    PreparedRequest {
        method: received.method.clone(),
        url: HoledText::plain(format!("http://{host}{}", received.target)),
        headers: headers.collect(),
        body: Body::Bytes(received.body.clone()),
    }
}

#[test]
fn nothing_arrives_before_a_vote_over_nats_and_then_exactly_the_approved_bytes_once() {
    let name = "nothing_arrives_before_a_vote_over_nats_and_then_exactly_the_approved_bytes_once";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, None);
    // given a request that waits
    let asked = live.ask("Hello\u{202e} <all> ünd 日本");
    let desk = Desk::at(&server);
    let items = desk.items("approver");
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(items[0]["id"], json!(asked.decision));
    let card = desk.card("approver", &asked.decision);
    assert_eq!(card["digest"], items[0]["digest"]);
    assert_eq!(card["request"]["body"]["text"], "Hello\u{202e} <all> ünd 日本");
    assert_eq!(live.posts(), [], "nothing arrives before the vote");
    // when its approver says yes to the digest of the card
    let receipt =
        desk.ask("approver", "decide", &ballot(&asked.decision, &card["digest"], "approve"));
    assert_eq!(receipt["state"], "approved", "{receipt}");
    // then these bytes arrive, once, and the log tells the story in order
    let events = live.until(&asked.run, "RunCompleted");
    assert_eq!(kinds(&events), STORY);
    let posts = live.posts();
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    let arrived = as_prepared(&posts[0], &card).digest();
    assert_eq!(json!(arrived), card["request_digest"], "{}", posts[0].text());
    assert_eq!(posts[0].json().expect("JSON"), card["request"]["body"]);
    // the vote, the settlement and the attempt name the digest that the approver saw
    for event in events.iter().filter(|event| !event["body"]["digest"].is_null()) {
        assert_eq!(event["body"]["digest"], card["digest"], "{event}");
    }
}

#[test]
fn the_stream_holds_the_same_events_as_the_log_in_the_same_order() {
    let name = "the_stream_holds_the_same_events_as_the_log_in_the_same_order";
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, None);
    let first = live.ask("one");
    live.approve(&first);
    live.until(&first.run, "RunCompleted");
    // given that the server is away while another message takes its way
    server.kill_9();
    let second = live.ask("two");
    live.approve(&second);
    let last = live.until(&second.run, "RunCompleted").pop().expect("the end of the run");
    // when it is back
    server.restart();
    // then the stream catches up: nothing is missing, nothing stands twice, everything is in its place
    let last = last["position"].as_u64().expect("a position");
    let (positions, stream): (Vec<u64>, Vec<Value>) = stream_of(&server, last).into_iter().unzip();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>());
    let log = live.door().events().until(|events| events.len() as u64 == last);
    assert_eq!(stream, log);
    let of = |asked: &Asked| {
        let its = |event: &&Value| event["stream"] == format!("run:{}", asked.run);
        kinds(&stream.iter().filter(its).cloned().collect::<Vec<_>>()).join(" ")
    };
    assert_eq!(of(&first), STORY.join(" "));
    assert_eq!(of(&second), STORY.join(" "));
}

#[test]
fn votes_that_must_not_count_are_refused_by_name_and_nothing_is_lost() {
    let name = "votes_that_must_not_count_are_refused_by_name_and_nothing_is_lost";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(QUORUM_OF_TWO));
    let asked = live.ask("Hello");
    let desk = Desk::at(&server);
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    let yes = |digest: &Value| ballot(&asked.decision, digest, "approve");
    // given one vote of the two that are needed
    let first = desk.ask("approver", "decide", &yes(&digest));
    assert_eq!(first["state"], "requested", "{first}");
    // when others come that must not count, then each is refused by its own code
    let other = json!(format!("sha256:{}", "0".repeat(64)));
    assert_eq!(desk.refusal("second", &yes(&other)), "PL3002", "another digest");
    assert_eq!(desk.refusal("author", &yes(&digest)), "PL3003", "the requester");
    assert_eq!(desk.refusal("nobody", &yes(&digest)), "PL3004", "an unknown user");
    assert_eq!(desk.refusal("approver", &yes(&digest)), "PL3005", "the same person again");
    assert_eq!(desk.refusal("auditor", &yes(&digest)), "PL3008", "who is not asked");
    assert_eq!(desk.refusal("agent", &yes(&digest)), "PL3012", "an agent");
    let unknown = ballot("dec_00000000000000000000000000", &digest, "approve");
    assert_eq!(desk.refusal("second", &unknown), "PL3001", "another request");
    assert_eq!(live.posts(), [], "one vote is not two");
    // then the second vote that counts still does, once: under its own request id it gets its own answer again
    let last = yes(&digest);
    let receipt = desk.ask_as("second", "decide", &last, "the-last-vote");
    assert_eq!(receipt["state"], "approved", "{receipt}");
    assert_eq!(desk.ask_as("second", "decide", &last, "the-last-vote"), receipt);
    assert_eq!(desk.refusal("third", &yes(&digest)), "PL3007", "it is closed");
    let events = live.until(&asked.run, "RunCompleted");
    assert_eq!(kinds(&events).iter().filter(|kind| **kind == "VoteCast").count(), 2);
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_vote_after_the_request_has_expired_is_refused() {
    let name = "a_vote_after_the_request_has_expired_is_refused";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(SOON_OVER));
    let asked = live.ask("Hello");
    let desk = Desk::at(&server);
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    let events = live.until(&asked.run, "RunFaulted");
    let late = desk.refusal("approver", &ballot(&asked.decision, &digest, "approve"));
    assert_eq!(late, "PL3006", "silence was a no");
    assert!(!kinds(&events).contains(&"VoteCast"), "{:?}", kinds(&events));
    assert_eq!(live.posts(), []);
}

#[test]
fn t12_a_vote_after_the_run_was_cancelled_is_refused() {
    let name = "t12_a_vote_after_the_run_was_cancelled_is_refused";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, None);
    let asked = live.ask("Hello");
    let desk = Desk::at(&server);
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    live.done("author", &["runs", "cancel", &asked.run, "--reason", "no longer needed"]);
    live.until(&asked.run, "RunCancelled");
    let late = desk.refusal("approver", &ballot(&asked.decision, &digest, "approve"));
    assert_eq!(late, "PL3014");
    assert_eq!(desk.items("approver"), Vec::<Value>::new(), "it is in nobody's inbox");
    assert_eq!(live.posts(), []);
}

#[test]
fn a_vote_that_wants_no_reply_counts_all_the_same() {
    let name = "a_vote_that_wants_no_reply_counts_all_the_same";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, None);
    let asked = live.ask("Hello");
    let desk = Desk::at(&server);
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    desk.tell("approver", "decide", &ballot(&asked.decision, &digest, "approve"));
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_rejection_sends_nothing_and_its_reason_reaches_the_workflow() {
    let live = Live::start();
    let asked = live.ask("Hello");
    let reject = ["inbox", "reject", &asked.decision, "--reason", "wrong channel"];
    live.done("approver", &reject);
    live.until(&asked.run, "RunFaulted");
    let report = live.json("author", &["runs", "show", &asked.run]);
    assert_eq!(report["error"]["type"], "urn:placet:errors:approval-rejected", "{report:#}");
    assert_eq!(report["error"]["detail"], "wrong channel");
    assert_eq!(live.posts(), []);
}
