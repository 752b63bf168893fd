//! A run's story: a sentence for every event, what was erased or cannot be read, and what bore on it.

use crate::world::{World, fixture, name, start};
use placet_executor::erasure::Erase;
use placet_executor::public::story::{Line, Story, Subject};
use placet_log::{Append, Expected, Log, NewEvent, OpenOptions, codec};
use placet_model::decision::Verdict;
use placet_model::draft::Mode;
use placet_model::event::EventKind;
use placet_model::event::attempt::AttemptInDoubt;
use placet_model::{Actor, Event, EventId, Position, RunId, StreamId, Timestamp};
use redb::{ReadableTable, TableDefinition};
use serde_json::json;
use std::path::Path;

async fn rejected(world: &mut World) -> (RunId, placet_model::DecisionId) {
    let text = fixture("ok/slack-notify.yaml");
    let run = world.run(&text, json!({"channel": "C0123", "text": "hello"}), Mode::Live).await;
    world.settled(run).await;
    let row = world.item(|row| row.run == run).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.vote(&row, "approver", Verdict::Reject).await.unwrap();
    world.finished(run).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    (run, row.decision)
}

fn told(world: &World, subject: Subject) -> Story {
    Story::of(&world.handle.view().unwrap(), subject).unwrap()
}

fn sentences(story: &Story) -> Vec<&str> {
    let sentence = |line: &'_ Line| match line {
        Line::Told { sentence, .. } | Line::Gap { sentence, .. } => sentence.clone().leak() as &str,
    };
    story.lines.iter().map(sentence).collect()
}

#[test]
fn every_type_of_event_has_a_sentence_on_one_line() {
    // these events are no history: no projections
    let log = Log::open(OpenOptions::in_memory("test")).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events");
    let mut ids = 0_u128;
    for kind in EventKind::ALL {
        for form in ["full", "bare"] {
            let file = fixtures.join(format!("{}/v1/{form}.bin", kind.name()));
            // a body without options has one form
            let Ok(body) = std::fs::read(&file) else { continue };
            let event = codec::decode(kind.type_id(), 1, &body).unwrap();
            ids += 1;
            let new = NewEvent::new(EventId::from_bytes(ids.to_be_bytes()), Actor::Engine, event);
            let append = Append::new(StreamId::Project, Expected::Any, vec![new]);
            let at = log.append(Timestamp::EPOCH, append).wait().unwrap().events[0].position;
            let story = Story::of(&log.read().unwrap(), Subject::Position(at)).unwrap();
            let [Line::Told { sentence, .. }] = &story.lines[..] else { panic!("{story:?}") };
            assert!(sentence.len() > 10 && sentence.chars().all(|c| !c.is_control()), "{sentence}");
        }
    }
    assert!(ids >= EventKind::ALL.len() as u128, "the golden files hold every type");
}

#[tokio::test]
async fn t07_a_story_says_who_did_what_on_which_digest_and_what_bore_on_it() {
    let mut world = start().await;
    let (run, decision) = rejected(&mut world).await;
    let story = told(&world, Subject::Run(run));
    assert!(story.is_whole());
    let Some(Event::DecisionRequested(asked)) = story.lines.iter().find_map(|line| match line {
        Line::Told { event, .. } => {
            Some(event.event.clone()).filter(|e| e.kind() == EventKind::DecisionRequested)
        }
        Line::Gap { .. } => None,
    }) else {
        panic!("{story:?}")
    };
    let draft = format!("sha256:{}…", asked.digest.short());
    let sentences = sentences(&story);
    let has = |words: &str| sentences.iter().filter(|sentence| sentence.contains(words)).count();
    assert_eq!(has(&format!("asked for the decision {decision} on exactly the draft {draft}")), 1);
    let vote =
        format!("approver rejected the request {decision} of the draft {draft} (test): “because”");
    assert_eq!(has(&vote), 1, "{sentences:#?}");
    assert_eq!(has("author paused everything outbound"), 1);
    assert_eq!(has("let everything outbound go on"), 0, "the run was over by then");
    assert_eq!(has("the run ended by a fault that nothing caught: approval-rejected"), 1);
    // in the order of the log, and the same under the decision's name
    let places: Vec<_> = story.to_json()["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["position"].as_u64().unwrap())
        .collect();
    assert!(places.is_sorted_by(|a, b| a < b), "{places:?}");
    assert_eq!(told(&world, Subject::Decision(decision)), story);
}

#[tokio::test]
async fn what_was_erased_is_told_as_erased_and_by_whom() {
    let mut world = start().await;
    let (run, _) = rejected(&mut world).await;
    let by = name("author");
    let erased = world.handle.erase(&by, &Erase::Run(run), None).await.unwrap();
    let story = told(&world, Subject::Run(run));
    assert!(story.is_whole(), "an erasure is no damage");
    let sentences = sentences(&story);
    assert!(sentences[0].ends_with("(its input is [erased])"), "{}", sentences[0]);
    let vote = sentences.iter().find(|sentence| sentence.starts_with("approver rejected")).unwrap();
    assert!(vote.ends_with(": [erased]"), "{vote}");
    let last = format!("author erased the content of the run {run} ({} payloads)", erased.payloads);
    assert_eq!(sentences.last(), Some(&last.as_str()));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_told_in_its_place_and_the_rest_goes_on() {
    let mut world = start().await;
    let (run, decision) = rejected(&mut world).await;
    let whole = told(&world, Subject::Run(run));
    let vote = whole.lines.iter().position(|line| {
        matches!(line, Line::Told { event, .. } if event.event.kind() == EventKind::VoteCast)
    });
    let vote = vote.unwrap();
    let Line::Told { event, .. } = &whole.lines[vote] else { unreachable!() };
    let (position, revision) = (event.position.get(), event.revision);
    world
        .handle
        .log()
        .maintain(move |tx| {
            let mut events = tx.open_table(TableDefinition::<u64, &[u8]>::new("events"))?;
            let mut row = events.get(position)?.unwrap().value().to_vec();
            row[40] ^= 1;
            events.insert(position, row.as_slice())?;
            Ok(())
        })
        .unwrap();
    let story = told(&world, Subject::Run(run));
    assert!(!story.is_whole());
    assert_eq!(story.lines.len(), whole.lines.len());
    for (place, (line, before)) in story.lines.iter().zip(&whole.lines).enumerate() {
        if place != vote {
            assert_eq!(line, before);
            continue;
        }
        let Line::Gap { revision: at, sentence, .. } = line else { panic!("{line:?}") };
        assert_eq!(*at, revision);
        assert!(sentence.contains(&format!("position {position}")), "{sentence}");
    }
    // the decision leads to the run by the projections, which hold no damaged row
    assert_eq!(told(&world, Subject::Decision(decision)), story);
}

#[tokio::test]
async fn nobody_of_that_name_is_told_so() {
    let world = start().await;
    let view = world.handle.view().unwrap();
    let none = RunId::from_bytes([7; 16]);
    assert_eq!(Story::of(&view, Subject::Run(none)).unwrap_err().code(), "PL4001");
    let none = placet_model::DecisionId::from_bytes([7; 16]);
    assert_eq!(Story::of(&view, Subject::Decision(none)).unwrap_err().code(), "PL3001");
    let beyond = Position::new(view.head().position().get() + 1);
    assert_eq!(Story::of(&view, Subject::Position(beyond)).unwrap_err().code(), "PL4003");
    for bad in ["", "0", "run_x", "dec_", "int_00000000000000000000000001", "-1"] {
        assert!(bad.parse::<Subject>().is_err(), "{bad}");
    }
}

#[test]
fn a_start_of_the_engine_is_told_where_it_came_between_a_try_and_what_became_of_it() {
    // these events are no history: no projections
    let log = Log::open(OpenOptions::in_memory("test")).unwrap();
    let golden = |kind: EventKind| {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/events");
        let body = std::fs::read(fixtures.join(format!("{}/v1/full.bin", kind.name()))).unwrap();
        codec::decode(kind.type_id(), 1, &body).unwrap()
    };
    let Event::AttemptStarted(started) = golden(EventKind::AttemptStarted) else { unreachable!() };
    let Event::AttemptInDoubt(doubt) = golden(EventKind::AttemptInDoubt) else { unreachable!() };
    let doubt = AttemptInDoubt { attempt: started.attempt, try_number: 1, ..doubt };
    let run = RunId::from_bytes([5; 16]);
    let history: [(StreamId, Event); 6] = [
        (StreamId::Run(run), golden(EventKind::RunStarted)),
        (StreamId::Project, golden(EventKind::EngineStarted)),
        (StreamId::Run(run), started.into()),
        (StreamId::Project, golden(EventKind::EngineStarted)),
        (StreamId::Run(run), doubt.into()),
        (StreamId::Project, golden(EventKind::EngineStarted)),
    ];
    for ((stream, event), id) in history.into_iter().zip(1_u128..) {
        let event = NewEvent::new(EventId::from_bytes(id.to_be_bytes()), Actor::Engine, event);
        let append = Append::new(stream, Expected::Any, vec![event]);
        log.append(Timestamp::EPOCH, append).wait().unwrap();
    }
    let story = Story::of(&log.read().unwrap(), Subject::Run(run)).unwrap();
    let types: Vec<_> = story.to_json()["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["RunStarted", "AttemptStarted", "EngineStarted", "AttemptInDoubt"]);
}
