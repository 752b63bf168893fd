//! What providers post: the proof, the answer that the provider needs, and what is recorded of it.
//!
//! covers: S15

use crate::http::{Answer, Ask};
use crate::world::{World, name, start};
use placet_log::Erasable;
use placet_model::event::inbound::Refused;
use placet_model::{Digest, Event, Position, RecordedEvent};
use ring::hmac;
use serde_json::{Value, json};

const KEY: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Waits for an answer in a thread.
const REPLY: &str = "
document: { dsl: '1.0.3', namespace: ops, name: slack-reply, version: '1.0.0' }
do:
  - answer:
      listen:
        to:
          one:
            with: { type: slack.message }
            correlate:
              thread: { from: .data.thread_ts, expect: '${ .thread }' }
";

/// With a Slack integration whose webhooks are signed.
async fn signed() -> World {
    let world = start().await;
    let account = json!({"ok": true, "team": "Acme", "user": "bot", "team_id": "T1", "user_id": "U9", "bot_id": "B9"});
    *world.live.answer.lock().unwrap() = account;
    let credential = json!({"access_token": "xoxb-1", "signing_secret": KEY});
    let body = json!({"name": "slack", "provider": "slack", "credential": credential});
    world.post("/api/v1/integrations", &body).await.ok();
    world
}

fn message(event_id: &str, thread: &str) -> Value {
    let event = json!({"type": "message", "channel": "C1", "user": "U5", "text": "ja, gern", "ts": "1767225599.000200", "thread_ts": thread, "channel_type": "channel"});
    json!({"team_id": "T1", "type": "event_callback", "event_id": event_id, "event": event})
}

/// A request as Slack makes it, so many seconds from now.
fn post(world: &World, body: &Value, seconds: i64) -> Ask {
    post_to(world, "/hooks/slack/slack", body, seconds)
}

fn post_to(world: &World, target: &str, body: &Value, seconds: i64) -> Ask {
    let at = world.handle.now().as_secs() + seconds;
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{at}:{body}").as_bytes());
    let tag = Digest::from_bytes(tag.as_ref().try_into().unwrap()).hex();
    Ask::new("POST", target)
        .header("Content-Type", "application/json")
        .header("X-Slack-Request-Timestamp", &at.to_string())
        .header("X-Slack-Signature", &format!("v0={tag}"))
        .body(body)
}

/// Gives the connection another signing secret; what is signed with the one of before is taken so long.
async fn rotated(world: &World, secret: &str, more: Value) -> Value {
    let mut body = json!({"credential": {"signing_secret": secret}});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post("/api/v1/integrations/slack/rotate", &body).await.ok()
}

#[tokio::test]
async fn what_is_signed_with_the_secret_of_before_is_taken_until_its_end_and_not_where_it_is_known_to_others()
 {
    let world = signed().await;
    world.handle.keep_credentials(&world.vault).unwrap();
    let day = rotated(&world, &KEY.replace('8', "9"), json!({})).await;
    let until: placet_model::Timestamp =
        serde_json::from_value(day["old_signatures_until"].clone()).unwrap();
    let left = until.millis_since(world.handle.now());
    assert!((86_000_000..=86_400_000).contains(&left), "a day: {left}");
    // posted before the provider knew of the new one
    let late = post(&world, &message("Ev1", "17.1"), 0).send(world.server).await;
    assert_eq!((late.status, posted(&world).len()), (200, 1));
    let Event::InboundReceived(body) = &posted(&world)[0].event else { unreachable!() };
    assert_eq!(body.credential_version, 2);
    // the version that it was of is gone all the same
    assert_eq!(world.vault.latest_version(body.integration).unwrap(), Some(2));
    // back to it, and from there on at once: the one in between is known to others
    rotated(&world, KEY, json!({"grace_hours": 0})).await;
    let other = rotated(&world, &KEY.replace('8', "7"), json!({"grace_hours": 0})).await;
    assert_eq!(other["old_signatures_until"], Value::Null);
    world.vault.forget_ended(placet_model::Timestamp::from_millis(i64::MAX)).unwrap();
    let refused = post(&world, &message("Ev2", "17.1"), 0).send(world.server).await;
    assert_eq!((refused.status, posted(&world).len()), (401, 1));
    let long = json!({"credential": {"signing_secret": KEY}, "grace_hours": 169});
    world.post("/api/v1/integrations/slack/rotate", &long).await.is_problem(400, "PL4003");
}

fn events(world: &World) -> Vec<RecordedEvent> {
    let view = world.handle.view().unwrap();
    view.events(Position::START).map(Result::unwrap).collect()
}

fn posted(world: &World) -> Vec<RecordedEvent> {
    let is_posted = |event: &RecordedEvent| matches!(event.event, Event::InboundReceived(_));
    events(world).into_iter().filter(is_posted).collect()
}

#[tokio::test]
async fn a_signed_message_is_on_disk_when_it_is_acknowledged_and_its_repetition_is_none() {
    let world = signed().await;
    let first = post(&world, &message("Ev1", "17.1"), 0).send(world.server).await;
    assert_eq!((first.status, first.body.as_str()), (200, ""));
    let recorded = posted(&world);
    let again = post(&world, &message("Ev1", "17.1"), 1).send(world.server).await;
    assert_eq!(again.status, 200);
    assert_eq!(posted(&world), recorded, "once");
    let metrics = world.get("/metrics").await.body;
    for told in [
        "placet_webhook_arrivals_total{provider=\"slack\",result=\"stored\"} 1\n",
        "placet_webhook_arrivals_total{provider=\"slack\",result=\"duplicate\"} 1\n",
        "placet_webhook_ack_seconds_count 2\n",
    ] {
        assert!(metrics.contains(told), "{told}{metrics}");
    }
    let [event] = recorded.as_slice() else { panic!("{recorded:?}") };
    let Event::InboundReceived(body) = &event.event else { unreachable!() };
    assert_eq!(
        (body.kind.as_str(), body.event_key.as_str()),
        ("slack.message", "communication.message.received")
    );
    assert_eq!(body.credential_version, 1, "the use of the credential is on record");
    let view = world.handle.view().unwrap();
    let own = placet_model::PayloadRef::new(event.revision, 0);
    let envelope: Value =
        serde_json::from_slice(view.payload(&event.stream, own).unwrap().as_bytes()).unwrap();
    assert_eq!(envelope["id"], "Ev1");
    assert_eq!(envelope["eventKey"], "communication.message.received");
    assert_eq!(envelope["data"]["thread_ts"], "17.1");
    assert!(!envelope.to_string().contains("gern"), "no content: {envelope}");
    assert_eq!(view.payloads_of(&Erasable::Arrival(event.position)).unwrap(), 1);
}

#[tokio::test]
async fn what_is_not_proven_is_refused_read_by_nobody_and_only_counted() {
    let world = signed().await;
    let head = world.head();
    let body = message("Ev1", "17.1");
    let altered = post(&world, &body, 0).body(body.to_string().replace("ja", "no"));
    let unsigned = Ask::new("POST", "/hooks/slack/slack").json(&body);
    for (ask, why) in [
        (altered, "altered"),
        (unsigned, "unsigned"),
        (post(&world, &body, -301), "stale"),
        // by far: it is made before the others are answered, and the present comes nearer
        (post(&world, &body, 600), "from the future"),
    ] {
        let answer = ask.send(world.server).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{why}");
    }
    assert_eq!(world.head(), head, "a request that proves nothing writes nothing");
    world.handle.stop().await;
    let told: Vec<_> = events(&world)
        .into_iter()
        .filter_map(|event| match event.event {
            Event::InboundRejected(body) => Some(body.refused),
            _ => None,
        })
        .collect();
    let [refused] = told.as_slice() else { panic!("one sum: {told:?}") };
    let counts: Vec<_> = refused.iter().map(|one| (one.reason, one.count)).collect();
    assert_eq!(counts, [(Refused::Unsigned, 1), (Refused::Mismatch, 1), (Refused::Stale, 2)]);
}

#[tokio::test]
async fn a_handshake_is_answered_once_it_is_proven_and_leaves_nothing() {
    let world = signed().await;
    let head = world.head();
    let body = json!({"type": "url_verification", "challenge": "c-1"});
    let answer = post(&world, &body, 0).send(world.server).await;
    assert_eq!(answer.ok(), json!({"challenge": "c-1"}));
    let forged = Ask::new("POST", "/hooks/slack/slack").json(&body).send(world.server).await;
    assert_eq!(forged.status, 401);
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn our_own_message_that_comes_back_is_acknowledged_and_not_recorded() {
    let world = signed().await;
    let mut echo = message("Ev2", "17.1");
    echo["event"]["bot_id"] = json!("B9");
    assert_eq!(post(&world, &echo, 0).send(world.server).await.status, 200);
    assert_eq!(
        post(&world, &json!({"type": "event_callback", "event": {"type": "reaction_added"}}), 0)
            .send(world.server)
            .await
            .status,
        200
    );
    assert_eq!(posted(&world), []);
}

#[tokio::test]
async fn every_place_that_nobody_listens_at_has_its_own_answer() {
    let world = signed().await;
    let body = message("Ev3", "17.1");
    let at = |target: &str| post_to(&world, target, &body, 0);
    let id = world.handle.integration_id("slack");
    at("/hooks/nobody/slack").send(world.server).await.is_problem(404, "PL4012");
    at("/hooks/webhook/slack").send(world.server).await.is_problem(404, "PL4012");
    assert_eq!(at("/hooks/slack/other").send(world.server).await.status, 200, "it shall stop");
    assert_eq!(
        at("/hooks/github/slack").send(world.server).await.status,
        200,
        "of another provider"
    );
    let nothing = json!({});
    let change = |verb: &'static str| world.post_as("author", verb, &nothing);
    change("/api/v1/integrations/slack/disable").await.ok();
    assert_eq!(at("/hooks/slack/slack").send(world.server).await.status, 503, "come again");
    assert_eq!(posted(&world), []);
    change("/api/v1/integrations/slack/enable").await.ok();
    assert_eq!(at(&format!("/hooks/slack/{id}")).send(world.server).await.status, 200);
    assert_eq!(posted(&world).len(), 1, "by its id as by its name");
    change("/api/v1/integrations/slack/disconnect").await.ok();
    assert_eq!(at(&format!("/hooks/slack/{id}")).send(world.server).await.status, 200);
    assert_eq!(posted(&world).len(), 1, "it is gone");
    world.handle.stop().await;
    assert_eq!(at("/hooks/slack/slack").send(world.server).await.status, 200);
}

#[tokio::test]
async fn an_engine_that_stops_asks_the_provider_to_come_again() {
    let world = signed().await;
    world.handle.stop().await;
    let answer = post(&world, &message("Ev4", "17.1"), 0).send(world.server).await;
    assert_eq!(answer.status, 503);
    assert_eq!(posted(&world), []);
}

#[tokio::test]
async fn neither_a_token_nor_a_page_is_asked_for_and_no_other_host_is_served() {
    let world = signed().await;
    let page = post(&world, &message("Ev5", "17.1"), 0)
        .header("Origin", "https://api.slack.com")
        .header("Idempotency-Key", "same")
        .header("Sec-Fetch-Site", "cross-site");
    assert_eq!(page.send(world.server).await.status, 200);
    let foreign = post(&world, &message("Ev6", "17.1"), 0).header("Host", "evil.example");
    foreign.send(world.server).await.is_problem(403, "PL4015");
    let read = Ask::new("GET", "/hooks/slack/slack").send(world.server).await;
    assert_eq!(read.status, 405);
}

#[tokio::test]
async fn a_body_that_is_larger_than_any_of_the_providers_is_not_read_to_its_end() {
    let world = signed().await;
    let large = post(&world, &json!({"type": "x", "text": "a".repeat(2 << 20)}), 0);
    assert_eq!(large.send(world.server).await.status, 503);
    assert_eq!(posted(&world), []);
}

#[tokio::test]
async fn two_at_the_same_time_are_one_event() {
    let world = signed().await;
    let asks: Vec<_> = (0..16).map(|_| post(&world, &message("Ev7", "17.1"), 0)).collect();
    let sent: Vec<_> = asks.into_iter().map(|ask| tokio::spawn(ask.send(world.server))).collect();
    for sent in sent {
        let Answer { status, .. } = sent.await.unwrap();
        assert_eq!(status, 200);
    }
    assert_eq!(posted(&world).len(), 1);
}

#[tokio::test]
async fn nobody_may_send_an_event_in_the_name_of_a_provider() {
    let world = signed().await;
    let id = world.handle.integration_id("slack");
    let forged =
        json!({"type": "slack.message", "source": format!("placet:integration:{id}"), "id": "Ev1"});
    let refused = world.handle.publish(forged, None, &name("author")).await.unwrap_err();
    assert_eq!(refused.code(), "PL4018");
}

#[tokio::test]
async fn a_run_that_listens_gets_the_reply_in_its_thread_whether_it_came_before_or_after() {
    let mut world = signed().await;
    let body = json!({"file": "reply.yaml", "source": REPLY});
    world.post("/api/v1/workflows", &body).await.ok();
    let start = json!({"workflow": "ops/slack-reply", "input": {"thread": "17.1"}});
    let run = world.post("/api/v1/runs", &start).await.ok()["run"].as_str().unwrap().to_owned();
    for (id, thread) in [("Ev8", "99.9"), ("Ev9", "17.1")] {
        assert_eq!(post(&world, &message(id, thread), 0).send(world.server).await.status, 200);
    }
    let report = world.finished(&run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(report["output"][0]["event_id"], "Ev9", "{report:#}");
}
