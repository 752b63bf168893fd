//! What providers post, once it is proven: recorded once, told to whoever waits, and known as the
//! answer to what a run has sent.

use crate::branches::document;
use crate::lookups::{marker, page};
use crate::world::{World, start};
use placet_adapters::inbound::Event;
use placet_adapters::{Cause, Failed};
use placet_executor::arrivals::{Arrival, Landed};
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::{IntegrationId, RunId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SEND_AND_LISTEN: &str =
    "  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }
  - reply: { listen: { to: { one: { with: { type: slack.message, replyto: /do/0/send } } } } }
";

async fn begin(world: &World, tasks: &str) -> RunId {
    world.run(&document(tasks), Value::Null, Mode::Sandbox).await
}

fn slack(world: &World) -> IntegrationId {
    let all = world.handle.world();
    all.integrations.values().find(|known| known.provider == "slack").expect("there is one").id
}

fn message(world: &World, id: &str, (channel, thread): (&str, &str)) -> Arrival {
    let correlate = [("channel", channel), ("message_id", thread)];
    let correlate = correlate.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Arrival {
        integration: slack(world),
        credential_version: 0,
        event: Event {
            key: "slack.message".into(),
            event_key: "communication.message.received".into(),
            dedupe: id.into(),
            match_on: vec!["channel".into(), "message_id".into()],
            correlate: correlate.into(),
            data: json!({"event_id": id, "channel": channel, "thread_ts": thread}),
            stored: json!({}),
            refetch: None,
            told: None,
            claim: None,
        },
    }
}

#[tokio::test]
async fn an_answer_reaches_the_run_that_has_sent_the_message_and_says_which_one() {
    let mut world = start().await;
    let run = begin(&world, SEND_AND_LISTEN).await;
    let item = world.item(|row| row.run == run).await;
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    let report = world.entry(run, "send", "completed").await;
    let thread = report["trace"][0]["output"]["ts"].as_str().unwrap().to_owned();
    for (id, place) in [("other-thread", ("C1", "1.1")), ("other-channel", ("C2", thread.as_str()))]
    {
        world.handle.arrival(message(&world, id, place)).await.unwrap();
    }
    world.handle.arrival(message(&world, "mine", ("C1", &thread))).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["output"][0]["event_id"], "mine", "{report:#}");
}

#[tokio::test]
async fn the_same_event_is_recorded_once_however_many_bring_it_at_once() {
    let world = start().await;
    let posts = (0..32).map(|_| {
        let (handle, arrival) = (world.handle.clone(), message(&world, "Ev1", ("C1", "1.1")));
        tokio::spawn(async move { handle.arrival(arrival).await.unwrap() })
    });
    let mut stored = vec![];
    let mut repeated = vec![];
    for post in posts.collect::<Vec<_>>() {
        match post.await.unwrap() {
            Landed::Stored(place) => stored.push(place),
            Landed::Duplicate(place) => repeated.push(place),
        }
    }
    let [place] = stored.as_slice() else { panic!("stored {stored:?}") };
    assert_eq!(repeated, [*place; 31]);
    let other = world.handle.arrival(message(&world, "Ev2", ("C1", "1.1"))).await.unwrap();
    assert!(matches!(other, Landed::Stored(_)), "another id is another event");
}

#[tokio::test]
async fn no_address_of_a_person_stands_in_the_body_and_erasing_the_person_erases_what_came() {
    let world = start().await;
    let mut arrival = message(&world, "<1@mail.example.com>", ("C1", "1.1"));
    arrival.event.correlate.insert("from".into(), "+4915112345678".into());
    arrival.event.match_on.push("from".into());
    arrival.event.data = json!({"from": "+4915112345678", "mail": "ana@example.com"});
    let Landed::Stored(place) = world.handle.arrival(arrival).await.unwrap() else {
        panic!("it is new")
    };
    let view = world.handle.view().unwrap();
    let body = format!("{:?}", view.event(place).unwrap().event);
    for personal in ["4915112345678", "ana@", "mail.example"] {
        assert!(!body.contains(personal), "{body}");
    }
    for who in ["+4915112345678", "ana@example.com"] {
        let held = view.subject(&world.handle.log().pseudonym(who)).unwrap();
        assert_eq!(held, [placet_log::Erasable::Arrival(place)], "{who}");
    }
}

const SEND_BESIDE_LISTEN: &str = "  - both:
      fork:
        branches:
          - send: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }
          - reply: { listen: { to: { one: { with: { type: slack.message, replyto: /do/0/both/fork/branches/0/send } } } } }
";

#[tokio::test]
async fn an_answer_that_came_before_its_message_was_found_is_looked_at_again_when_it_is() {
    let mut world = start().await;
    let run = world.run(&document(SEND_BESIDE_LISTEN), Value::Null, Mode::Live).await;
    let item = world.item(|row| row.run == run).await;
    // given an answer to a message of which nobody knows yet that it arrived
    let thread = "1700000000.000100";
    world.handle.arrival(message(&world, "mine", ("C1", thread))).await.unwrap();
    world.handle.load().await.unwrap();
    let failed = Failed::after(Cause::Reset, "connection reset");
    world.recorder.fail(failed);
    let found = page(&[&marker(&world, &item)]);
    world.recorder.answer(200, &found);
    // when a look-up finds the message
    world.vote(&item, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert!(report["output"].to_string().contains("mine"), "{report:#}");
    assert_eq!(world.recorder.sends().len(), 1);
}

/// What each provider tells of an answer, and what was sent before it.
#[tokio::test]
async fn an_answer_reaches_its_run_by_what_its_provider_tells_of_it_and_no_other_does() {
    let sms = "{ call: twilio.messages.create, with: { to: '+4915112345678', from: '+15005550006', body: hi } }";
    let comment =
        "{ call: github.issues.comment, with: { owner: acme, repo: site, number: 12, body: hi } }";
    let answers = [("number", "12"), ("repository", "acme/site")];
    let people = [("from", "+4915112345678"), ("to", "+15005550006")];
    for (provider, send, kind, names, other) in [
        ("twilio", sms, "twilio.message", people, ("from", "+4915199999999")),
        ("github", comment, "github.issue_comment", answers, ("number", "13")),
    ] {
        let mut world = start().await;
        world.connect(provider).await;
        let wait = format!(
            "{{ listen: {{ to: {{ one: {{ with: {{ type: {kind}, replyto: /do/0/send }} }} }} }} }}"
        );
        let tasks = format!("  - send: {send}\n  - reply: {wait}\n");
        let run = begin(&world, &tasks).await;
        let item = world.item(|row| row.run == run).await;
        world.vote(&item, "approver", Verdict::Approve).await.unwrap();
        world.entry(run, "send", "completed").await;
        let all = world.handle.world();
        let through =
            all.integrations.values().find(|known| known.provider == provider).unwrap().id;
        let arrival = |id: &str, names: BTreeMap<&str, &str>| Arrival {
            integration: through,
            credential_version: 0,
            event: Event {
                key: kind.into(),
                event_key: "communication.message.received".into(),
                dedupe: id.into(),
                match_on: names.keys().map(|name| (*name).to_owned()).collect(),
                correlate: names.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
                data: json!({"id": id}),
                stored: json!({}),
                refetch: None,
                told: None,
                claim: None,
            },
        };
        let mine = BTreeMap::from(names);
        let mut others = mine.clone();
        others.insert(other.0, other.1);
        world.handle.arrival(arrival("other", others)).await.unwrap();
        world.handle.arrival(arrival("mine", mine)).await.unwrap();
        let report = world.finished(run).await;
        assert_eq!(report["output"][0]["id"], "mine", "{report:#}");
    }
}
