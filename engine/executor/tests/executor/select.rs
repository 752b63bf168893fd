//! Which events somebody reads: every filter against a plain look at all of them, and that a stream is
//! read by its index.

use crate::world::{World, fixture, name, open_log, start};
use placet_executor::govern::Connect;
use placet_executor::public::select::{LOOKED_AT_MAX, Moment, Order, Page, Wanted, actor, kind};
use placet_log::{Append, Expected, Log, NewEvent};
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::event::EventKind;
use placet_model::event::governance::OutboundPaused;
use placet_model::integration::Identity;
use placet_model::{Actor, Duration, Event, EventId, Position, RecordedEvent, StreamId, Timestamp};
use serde_json::{Value, json};

const START: Position = Position::START;

fn page(log: &Log, wanted: &Wanted, from: (Order, Position), limit: usize) -> Page {
    let view = log.read().unwrap();
    let now = view.head().recorded_at;
    wanted.clone().resolve(&view, now).unwrap().page(&view, from, limit).unwrap()
}

/// All pages of this size, one after the other.
fn all(log: &Log, wanted: &Wanted, order: Order, limit: usize) -> Vec<u64> {
    let (mut found, mut cursor) = (vec![], START);
    loop {
        let page = page(log, wanted, (order, cursor), limit);
        assert!(page.events.len() <= limit);
        found.extend(page.events.iter().map(|event| event.position.get()));
        match page.next {
            Some(next) => cursor = next,
            None => return found,
        }
    }
}

/// Positions of the events of which this holds.
fn look(log: &Log, fits: impl Fn(&RecordedEvent) -> bool) -> Vec<u64> {
    let view = log.read().unwrap();
    let events = view.events(START).map(Result::unwrap).filter(|event| fits(event));
    events.map(|event| event.position.get()).collect()
}

/// A filter finds what is expected, from either end, whatever the page.
fn check(log: &Log, wanted: &Wanted, expected: &[u64]) {
    for limit in [1, 3, 1000] {
        assert_eq!(all(log, wanted, Order::OldestFirst, limit), expected, "{wanted:?} by {limit}");
        let mut newest = all(log, wanted, Order::NewestFirst, limit);
        newest.reverse();
        assert_eq!(newest, expected, "{wanted:?} by {limit}, newest first");
    }
}

/// One run through Slack that is approved, and one through a webhook that is rejected.
async fn session() -> World {
    let mut world = start().await;
    world.connect("webhook").await;
    let connect = Connect {
        name: "other-slack".into(),
        provider: "slack".into(),
        settings: Value::Null,
        identity: Identity { id: "B2".into(), tenant: "T2".into() },
        label: "Other".into(),
        is_default: false,
        credential: None,
        scopes: None,
    };
    let id = world.handle.integration_id("other-slack");
    world.handle.connect(&name("author"), id, connect).await.unwrap();
    let text = fixture("ok/slack-notify.yaml");
    for (integration, verdict) in [(None, Verdict::Approve), (Some("other-slack"), Verdict::Reject)]
    {
        let text = match integration {
            None => text.clone(),
            Some(name) => text.replace("with: {", &format!("with: {{ integration: {name},")),
        };
        world.clock.advance_to(world.handle.now().plus_millis(60_000));
        let run = world.run(&text, json!({"channel": "C0123", "text": "hello"}), Mode::Live).await;
        world.settled(run).await;
        let row = world.item(|row| row.run == run).await;
        assert_eq!(row.integration, integration.map_or_else(|| row.integration, |_| Some(id)));
        world.vote(&row, "approver", verdict).await.unwrap();
        world.finished(run).await;
    }
    world.handle.pause(&name("author"), Some("other-slack")).await.unwrap();
    world
}

#[tokio::test]
async fn every_filter_finds_what_a_look_at_all_events_finds() {
    let world = session().await;
    let log = world.handle.log();
    let everything = look(log, |_| true);
    check(log, &Wanted::default(), &everything);
    let stream = StreamId::Policy;
    let wanted = Wanted { stream: Some(stream.clone()), ..Wanted::default() };
    check(log, &wanted, &look(log, |event| event.stream == stream));
    let kinds = [EventKind::VoteCast, EventKind::AttemptStarted];
    let wanted = Wanted { kinds: kinds.into(), ..Wanted::default() };
    check(log, &wanted, &look(log, |event| kinds.contains(&event.event.kind())));
    for who in ["engine", "approver", "principal:author"] {
        let who = actor(who).unwrap();
        let found = look(log, |event| event.actor == who);
        assert!(!found.is_empty(), "{who}");
        check(log, &Wanted { actor: Some(who), ..Wanted::default() }, &found);
    }
    // every moment at which something was recorded, and one between
    let view = log.read().unwrap();
    for event in view.events(START) {
        let at = event.unwrap().recorded_at;
        for at in [at, at.plus_millis(-1)] {
            let since = Wanted { since: Some(Moment::At(at)), ..Wanted::default() };
            check(log, &since, &look(log, |event| event.recorded_at >= at));
            let until = Wanted { until: Some(Moment::At(at)), ..Wanted::default() };
            check(log, &until, &look(log, |event| event.recorded_at < at));
        }
    }
    let ago = Wanted { since: Some("PT1M".parse().unwrap()), ..Wanted::default() };
    let from = view.head().recorded_at.plus_millis(-60_000);
    check(log, &ago, &look(log, |event| event.recorded_at >= from));
    assert_eq!("PT1H".parse(), Ok(Moment::Ago(Duration::from_millis(3_600_000))));
}

#[tokio::test]
async fn an_integration_has_its_own_events_and_what_went_through_it() {
    let world = session().await;
    let log = world.handle.log();
    let found = |name: &str| {
        let wanted = Wanted { integration: Some(name.into()), ..Wanted::default() };
        let positions = all(log, &wanted, Order::OldestFirst, 2);
        let view = log.read().unwrap();
        let types = positions.iter().map(|at| view.event(Position::new(*at)).unwrap());
        types.map(|event| event.event.type_name()).collect::<Vec<_>>()
    };
    let asked = ["DraftPrepared", "DecisionRequested", "VoteCast", "DecisionSettled"];
    let sent = ["AttemptStarted", "AttemptSucceeded"];
    let connected = ["IntegrationConnected", "TriggerSet", "TriggerSet"];
    assert_eq!(found("slack"), [&connected[..], &asked, &sent].concat());
    assert_eq!(found("other-slack"), [&connected[..], &asked, &["OutboundPaused"]].concat());
    assert_eq!(found("webhook"), connected[..1], "nothing comes in over it");
    let id = world.handle.named("other-slack").unwrap().id.to_string();
    assert_eq!(found(&id), found("other-slack"));
    let view = log.read().unwrap();
    let unknown = Wanted { integration: Some("nobody".into()), ..Wanted::default() };
    let error = unknown.resolve(&view, Timestamp::EPOCH).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("PL4009", "there is no integration nobody")
    );
}

#[test]
fn a_stream_is_read_by_its_index_and_a_page_of_rare_events_ends_early() {
    let log = open_log(None);
    let paused = || Event::from(OutboundPaused { integration: None });
    let mut ids = 0_u128;
    let mut append = |stream: StreamId, count: usize| {
        let events = (0..count).map(|_| {
            ids += 1;
            NewEvent::new(EventId::from_bytes(ids.to_be_bytes()), Actor::Engine, paused())
        });
        let append = Append::new(stream, Expected::Any, events.collect());
        log.append(Timestamp::EPOCH, append).wait().unwrap();
    };
    // one event, more than a page may look at, and another one
    append(StreamId::Policy, 1);
    for _ in 0..=LOOKED_AT_MAX / 1000 {
        append(StreamId::Project, 1000);
    }
    append(StreamId::Policy, 1);
    let policy = Wanted { stream: Some(StreamId::Policy), ..Wanted::default() };
    let found = page(&log, &policy, (Order::OldestFirst, START), 10);
    assert_eq!((found.events.len(), found.next), (2, None));
    let after = page(&log, &policy, (Order::OldestFirst, Position::new(1)), 10);
    assert_eq!((after.events.len(), after.next), (1, None));
    // nothing of this kind is there: the page says where it stopped looking
    let rare = Wanted { kinds: [EventKind::VoteCast].into(), ..Wanted::default() };
    let found = page(&log, &rare, (Order::OldestFirst, START), 10);
    assert_eq!((found.events.len(), found.next), (0, Some(Position::new(LOOKED_AT_MAX as u64))));
    assert_eq!(all(&log, &rare, Order::OldestFirst, 10), Vec::<u64>::new());
}

#[test]
fn words_that_name_nothing_are_refused() {
    assert_eq!(kind("VoteCast"), Ok(EventKind::VoteCast));
    assert!(kind("votecast").is_err());
    assert_eq!(actor("engine"), Ok(Actor::Engine));
    assert_eq!(actor("principal:engine"), Ok(Actor::Principal(name("engine"))));
    assert!(actor("Not A Name").is_err());
    for bad in ["yesterday", "", "PT", "2026-13-01T00:00:00Z"] {
        assert!(bad.parse::<Moment>().is_err(), "{bad}");
    }
}
