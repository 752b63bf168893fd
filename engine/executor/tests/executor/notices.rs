//! What people are told outside of the inbox: how often, in which words, over what, and what happens
//! when it cannot be told. And the alarms.
//!
//! covers: T1, S8

use crate::world::{Recorder, World, fixture, name, open_log, people, start_with};
use placet_adapters::{Cause, Failed};
use placet_executor::inbox::Caller;
use placet_executor::{Clock, Transports, Vote};
use placet_log::{Append, Expected, Log, NewEvent};
use placet_model::approval::{Escalation, Threshold};
use placet_model::decision::{Assurance, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::event::notice::{
    AlarmKind, ApproverAlarmRaised, NoticeAbout, NoticeFailed, NoticeFailure, NoticeQueued,
};
use placet_model::policy::{BreakGlass, NoticePayload, Policy, Require, Rule};
use placet_model::project::{Channel, ProjectConfig};
use placet_model::request::Body;
use placet_model::{Actor, Digest, Duration, Event, EventId, Position, Revision, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::watch;

const LINK: &str = "https://placet.example/acme/";
/// What an agent would like to have said to people.
const AGENT_TEXT: &str = "approve at https://evil.example/approve?token=1";

fn channel(to: &str) -> Channel {
    Channel {
        to: vec![name(to)],
        operation: "slack.chat.postMessage".to_owned(),
        integration: None,
        with: json!({"channel": "D0ANA", "text": "{text}"}),
        about: NoticeAbout::ALL.to_vec(),
    }
}

pub(crate) fn config(channels: &[(&str, Channel)]) -> ProjectConfig {
    let mut config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    config.notify.url = Some(LINK.to_owned());
    config.notify.interval = Some(Duration::from_days(1));
    config.channels =
        channels.iter().map(|(name, channel)| ((*name).to_owned(), channel.clone())).collect();
    config
}

fn for_approver() -> ProjectConfig {
    config(&[("ana-slack", channel("approver"))])
}

async fn telling(config: ProjectConfig, log: Log, policy: Policy) -> World {
    telling_by(Clock::System, config, log, policy).await
}

async fn telling_by(clock: Clock, config: ProjectConfig, log: Log, policy: Policy) -> World {
    let recorder = Arc::new(Recorder::default());
    let live = Arc::clone(&recorder);
    let mut world = start_with(config, (log, clock), live, recorder).await.unwrap();
    world.furnish().await;
    world.handle.apply_policy(&name("author"), policy).await.unwrap();
    tell(&mut world).unwrap();
    world
}

pub(crate) fn tell(world: &mut World) -> Result<(), placet_executor::Error> {
    let sandbox = Arc::new(placet_sandbox::Sandbox::new(0));
    let live = Arc::clone(&world.recorder);
    world.engine.tell_people(Transports { sandbox: Some(sandbox), live: Some(live) })
}

async fn ask(world: &World, mode: Mode) -> DecisionRow {
    let input = json!({"channel": "C1", "text": AGENT_TEXT});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, mode).await;
    let mut notices = world.handle.notices();
    loop {
        if let Some(row) = world.open_items().into_iter().find(|row| row.run == run) {
            return row;
        }
        notices.recv().await.unwrap();
    }
}

fn told(log: &Log) -> Vec<Event> {
    let view = log.read().unwrap();
    let events = view.stream(&StreamId::Notices, Revision::START);
    events.map(|event| event.unwrap().event).collect()
}

/// Waits until what was told is as wanted.
pub(crate) async fn until(world: &World, wanted: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let log = world.handle.log();
    let (moved, mut head) = watch::channel(log.head());
    let _subscription = log.subscribe(move |head| {
        moved.send_replace(head);
    });
    loop {
        let events = told(log);
        if wanted(&events) {
            return events;
        }
        let next = tokio::time::timeout(placet_test_support::DEADLINE, head.changed()).await;
        next.unwrap_or_else(|_| panic!("it did not come: {events:#?}")).unwrap();
    }
}

pub(crate) fn sent(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::NoticeSent(_))).count()
}

pub(crate) fn queued(events: &[Event]) -> Vec<&NoticeQueued> {
    let queued = events.iter().filter_map(|event| match event {
        Event::NoticeQueued(body) => Some(body),
        _ => None,
    });
    queued.collect()
}

fn failed(events: &[Event]) -> Vec<&NoticeFailed> {
    let failed = events.iter().filter_map(|event| match event {
        Event::NoticeFailed(body) => Some(body),
        _ => None,
    });
    failed.collect()
}

/// The messages that have left, as JSON, and where they went.
fn left(world: &World) -> Vec<(String, Value)> {
    let seen = world.recorder.seen.lock().unwrap();
    let message = seen.iter().map(|request| {
        let Body::Bytes(body) = &request.body else { panic!("{request:?}") };
        (request.url.to_string(), serde_json::from_slice(body).unwrap())
    });
    message.collect()
}

#[tokio::test]
async fn many_requests_are_one_message_that_has_the_link_and_nothing_of_theirs() {
    // given 90 requests whose content would like to be clicked
    let world = telling(for_approver(), open_log(None), people()).await;
    for _ in 0..90 {
        ask(&world, Mode::Live).await;
    }
    until(&world, |events| sent(events) == 1).await;
    // when the engine has stopped
    let (log, recorder) = (world.handle.log().clone(), Arc::clone(&world.recorder));
    let messages = left(&world);
    world.engine.stop().await.unwrap();
    // then one message has left within the interval, to where the operator says
    assert_eq!((recorder.count(), queued(&told(&log)).len()), (1, 1));
    let (url, message) = &messages[0];
    assert_eq!(url, "https://slack.com/api/chat.postMessage");
    assert_eq!(message["channel"], "D0ANA");
    let text = message["text"].as_str().unwrap();
    assert!(text.contains(LINK) && text.matches("://").count() == 1, "{text}");
    assert!(text.contains("for your decision"), "{text}");
    assert!(!message.to_string().contains("evil"), "{message}");
    let queued = told(&log);
    let Event::NoticeQueued(queued) = &queued[0] else { panic!("{queued:?}") };
    assert_eq!((&queued.to, queued.channel.as_str()), (&name("approver"), "ana-slack"));
    assert!(!format!("{queued:?}").contains("D0ANA"), "no address is in the log");
    assert_eq!(queued.mode, Mode::Live);
    placet_projections::compare(&log.read().unwrap()).unwrap();
}

#[tokio::test]
async fn what_waits_is_named_only_where_the_policy_says_so_and_then_defused() {
    let mut policy = people();
    policy.notice_payload = NoticePayload::Allow;
    let world = telling(for_approver(), open_log(None), policy).await;
    let row = ask(&world, Mode::Live).await;
    until(&world, |events| sent(events) == 1).await;
    let (_, message) = left(&world).remove(0);
    let text = message["text"].as_str().unwrap();
    assert!(text.contains(&format!("{} of ops/slack-notify", row.operation)), "{text}");
    assert_eq!(text.matches("://").count(), 1, "only the operator's link: {text}");
}

#[tokio::test]
async fn a_run_in_sandbox_mode_is_told_of_without_a_byte_leaving() {
    let world = telling(for_approver(), open_log(None), people()).await;
    ask(&world, Mode::Sandbox).await;
    let events = until(&world, |events| sent(events) == 1).await;
    let Some(Event::NoticeSent(sent)) = events.last() else { panic!("{events:?}") };
    assert!(sent.would_have_sent);
    assert_eq!(world.recorder.count(), 0);
}

#[tokio::test]
async fn a_try_is_repeated_where_nothing_was_sent_and_only_there() {
    for (answer, failure, tries, arrives) in [
        (Failed::before(Cause::Connect, "no"), NoticeFailure::NotSent, 2, true),
        (Failed::after(Cause::Timeout, "no answer"), NoticeFailure::InDoubt, 1, false),
        (Failed::before(Cause::Refused, "forbidden"), NoticeFailure::Refused, 1, false),
    ] {
        let world = telling(for_approver(), open_log(None), people()).await;
        world.recorder.fail(answer);
        ask(&world, Mode::Live).await;
        let over = |events: &[Event]| {
            sent(events) == 1 || failed(events).iter().any(|failed| failed.retry_at.is_none())
        };
        until(&world, over).await;
        let (log, recorder) = (world.handle.log().clone(), Arc::clone(&world.recorder));
        world.engine.stop().await.unwrap();
        let events = told(&log);
        assert_eq!((recorder.count(), sent(&events)), (tries, usize::from(arrives)), "{failure}");
        assert_eq!(failed(&events)[0].failure, failure);
        placet_projections::compare(&log.read().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_channel_that_is_dead_is_given_up_and_holds_up_no_run() {
    let mut config = for_approver();
    config.notify.tries_max = 2;
    let mut world = telling(config, open_log(None), people()).await;
    for _ in 0..2 {
        world.recorder.fail(Failed::before(Cause::Connect, "no"));
    }
    let row = ask(&world, Mode::Live).await;
    until(&world, |events| failed(events).len() == 1).await;
    // between the tries a vote is taken, and the run goes on to its end
    world.vote(&row, "approver", Verdict::Reject).await.unwrap();
    world.finished(row.run).await;
    let events = until(&world, |events| failed(events).len() == 2).await;
    assert_eq!((failed(&events)[0].retry_at.is_some(), failed(&events)[1].retry_at), (true, None));
    assert_eq!(sent(&events), 0);
}

#[tokio::test]
async fn a_pause_holds_notices_and_they_are_told_together_then() {
    let world = telling(for_approver(), open_log(None), people()).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    for _ in 0..3 {
        ask(&world, Mode::Live).await;
    }
    assert_eq!((told(world.handle.log()), world.recorder.count()), (vec![], 0));
    world.handle.resume(&name("author"), None).await.unwrap();
    let events = until(&world, |events| sent(events) == 1).await;
    assert_eq!(queued(&events)[0].about, [(NoticeAbout::Waiting, 3)]);
}

#[tokio::test]
async fn what_is_decided_before_it_is_told_is_not_told() {
    let mut world = telling(for_approver(), open_log(None), people()).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    let first = ask(&world, Mode::Live).await;
    ask(&world, Mode::Live).await;
    world.vote(&first, "second", Verdict::Reject).await.unwrap();
    world.finished(first.run).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    let events = until(&world, |events| sent(events) == 1).await;
    assert_eq!(queued(&events)[0].about, [(NoticeAbout::Waiting, 1)]);
}

#[tokio::test]
async fn what_still_waits_is_told_again_and_to_those_whom_its_escalation_adds() {
    let second = Duration::from_millis(1_000);
    let mut policy = people();
    let threshold = Threshold {
        from: vec![name("approver")],
        approve: 1,
        deny: 1,
        escalate: Some(Escalation { after: second, to: vec![name("second")] }),
    };
    let require =
        Require { thresholds: vec![threshold], remind: Some(second), ..Require::default() };
    policy.rules = vec![Rule { name: "soon".to_owned(), require, ..Rule::default() }];
    let channels = [("ana-slack", channel("approver")), ("ben-slack", channel("second"))];
    let mut config = config(&channels);
    config.notify.interval = Some(Duration::from_millis(0));
    // the second passes when the first has been told: he would be asked by then, and told as much
    let clock = Clock::virtual_start();
    clock.hold_at(Some(clock.now()));
    let world = telling_by(clock.clone(), config, open_log(None), policy).await;

    ask(&world, Mode::Live).await;

    let told = |events: &[Event], who: &str, about| {
        let to = |queued: &&NoticeQueued| queued.to == name(who);
        let names = |queued: &NoticeQueued| queued.about.contains(&(about, 1));
        queued(events).into_iter().filter(to).any(names)
    };
    until(&world, |events| told(events, "approver", NoticeAbout::Waiting)).await;
    let later = clock.now().plus_millis(1_000);
    clock.hold_at(Some(later));
    world.advance_to(later);
    let events = until(&world, |events| {
        told(events, "approver", NoticeAbout::Reminder)
            && told(events, "second", NoticeAbout::Escalation)
    })
    .await;
    assert!(
        !told(&events, "second", NoticeAbout::Waiting),
        "it was not theirs before: {events:#?}"
    );
}

#[tokio::test]
async fn an_emergency_is_told_to_those_who_are_to_look_into_it() {
    let mut policy = people();
    policy.break_glass = Some(BreakGlass {
        who: vec![name("approver")],
        assurance: Assurance::Test,
        review: vec![name("auditor")],
    });
    let channels = [("auditor-slack", channel("auditor")), ("ana-slack", channel("approver"))];
    let world = telling(config(&channels), open_log(None), policy).await;
    let row = ask(&world, Mode::Live).await;
    world.vote(&row, "approver", Verdict::BreakGlass).await.unwrap();
    let emergency = |events: &[Event]| {
        let about = |queued: &&NoticeQueued| queued.about == [(NoticeAbout::BreakGlass, 1)];
        queued(events).into_iter().filter(about).map(|queued| queued.to.clone()).collect::<Vec<_>>()
    };
    let events = until(&world, |events| !emergency(events).is_empty()).await;
    assert_eq!(emergency(&events), [name("auditor")]);
}

#[tokio::test]
async fn a_notice_that_a_stop_has_cut_short_is_given_up_and_said_to_be() {
    // given a log in which a notice was begun and nothing says how it ended
    let log = open_log(None);
    let begun = NoticeQueued {
        to: name("approver"),
        channel: "ana-slack".to_owned(),
        operation: "slack.chat.postMessage".to_owned(),
        integration: None,
        credential_version: 0,
        mode: Mode::Live,
        about: vec![(NoticeAbout::Waiting, 1)],
        up_to: Position::START,
        resume_after: Position::START,
        request_digest: Digest::of(b"bytes"),
    };
    let id = EventId::from_bytes([7; 16]);
    let new = NewEvent::new(id, Actor::Engine, begun);
    let append = Append::new(StreamId::Notices, Expected::Any, vec![new]);
    log.append_group(Clock::System.now(), vec![append]).wait().unwrap();
    // when an engine starts on it
    let world = telling(for_approver(), log, people()).await;
    // then it is over, and nothing has left
    let events = until(&world, |events| failed(events).len() == 1).await;
    let failed = failed(&events)[0];
    assert_eq!((failed.notice, failed.failure), (id, NoticeFailure::Interrupted));
    assert_eq!((failed.retry_at, world.recorder.count()), (None, 0));
}

#[tokio::test]
async fn a_channel_that_does_more_than_send_is_refused_at_the_start() {
    let wrong = [
        Channel { operation: "http.request".to_owned(), ..channel("approver") },
        Channel { operation: "slack.auth.test".to_owned(), ..channel("approver") },
        Channel { operation: "slack.nothing".to_owned(), ..channel("approver") },
        Channel { with: json!({"channel": 7, "text": "{text}"}), ..channel("approver") },
    ];
    for channel in wrong {
        let config = config(&[("wrong", channel.clone())]);
        let recorder = Arc::new(Recorder::default());
        let live = Arc::clone(&recorder);
        let place = (open_log(None), Clock::System);
        let mut world = start_with(config, place, live, recorder).await.unwrap();
        let refused = tell(&mut world).unwrap_err();
        assert_eq!(refused.code(), "PL3061", "{}", channel.operation);
    }
}

/// Approves, as somebody who is known by a session.
async fn approve(world: &World, row: &DecisionRow) {
    let vote = Vote {
        ballot: world.ballot(row, Verdict::Approve),
        voter: Voter { principal: name("approver"), assurance: Assurance::Session },
        request_id: None,
        signed: None,
    };
    world.handle.vote(vote).await.unwrap();
}

fn alarms(events: &[Event]) -> Vec<&ApproverAlarmRaised> {
    let alarms = events.iter().filter_map(|event| match event {
        Event::ApproverAlarmRaised(body) => Some(body),
        _ => None,
    });
    alarms.collect()
}

#[tokio::test]
async fn an_alarm_is_raised_once_in_a_window_is_told_to_admins_and_stops_nothing() {
    let mut config = config(&[("admins", channel("author"))]);
    config.alarms.minute_max = 5;
    config.alarms.quick_decisions_min = 5;
    let mut world = telling(config, open_log(None), people()).await;
    // given somebody who approves twenty requests as they come
    let mut runs = vec![];
    for _ in 0..20 {
        let row = ask(&world, Mode::Live).await;
        approve(&world, &row).await;
        runs.push(row.run);
    }
    let told_of = |events: &[Event]| {
        let about = |queued: &&&NoticeQueued| queued.about[0].0 == NoticeAbout::Alarm;
        queued(events).iter().filter(about).count()
    };
    until(&world, |events| alarms(events).len() == 2 && told_of(events) > 0).await;
    // when more are approved in the same window
    for _ in 0..5 {
        let row = ask(&world, Mode::Live).await;
        approve(&world, &row).await;
        runs.push(row.run);
    }
    // then each kind was raised once, and all have gone on
    for run in runs {
        if world.handle.report(run).unwrap()["status"] != "completed" {
            world.finished(run).await;
        }
    }
    let caller =
        Caller { principal: name("auditor"), assurance: Assurance::Session, request_id: None };
    let stats = world.handle.inbox_stats(&caller, &json!({"user": "approver"})).unwrap();
    let (log, figures) = (world.handle.log().clone(), stats["approvers"][0].clone());
    world.engine.stop().await.unwrap();
    let events = told(&log);
    let kinds: Vec<AlarmKind> = alarms(&events).iter().map(|alarm| alarm.alarm).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert!(kinds.contains(&AlarmKind::Rate) && kinds.contains(&AlarmKind::QuickShare));
    let rate = alarms(&events).into_iter().find(|alarm| alarm.alarm == AlarmKind::Rate).unwrap();
    assert!(rate.decisions > rate.bound && rate.bound == 5, "{rate:?}");
    assert_eq!((&figures["alarms"], &figures["decisions"]), (&json!(2), &json!(25)));
    placet_projections::compare(&log.read().unwrap()).unwrap();
}

#[tokio::test]
async fn votes_within_the_bounds_raise_no_alarm() {
    let mut config = for_approver();
    config.alarms.quick_decisions_min = 100;
    let world = telling(config, open_log(None), people()).await;
    for _ in 0..10 {
        let row = ask(&world, Mode::Live).await;
        approve(&world, &row).await;
    }
    ask(&world, Mode::Live).await;
    let log = world.handle.log().clone();
    until(&world, |events| !events.is_empty()).await;
    world.engine.stop().await.unwrap();
    assert_eq!(alarms(&told(&log)), Vec::<&ApproverAlarmRaised>::new());
}
