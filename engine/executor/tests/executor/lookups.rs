//! What is in doubt is looked up at its provider: when, how, and what follows from what it says.
//!
//! covers: S7

use crate::world::{World, fixture, is_look_up, name, start};
use placet_adapters::{Cause, Failed};
use placet_model::decision::{Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptReconciled, ReconciledBy};
use placet_model::event::lookup::{AbsenceWorth, LookupEnded, LookupFinding, LookupStarted};
use placet_model::{Event, RecordedEvent, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};

/// A Slack message whose answer was lost, and what its look-ups are answered.
async fn lost(world: &mut World, lookups: &[Value]) -> (RunId, DecisionRow) {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    for answer in lookups {
        world.recorder.answer(200, answer);
    }
    let row = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    (run, row)
}

/// A page of a channel with these messages; `ours` stands for the marker of what was sent.
pub(crate) fn page(markers: &[&str]) -> Value {
    let messages = markers.iter().enumerate().map(|(n, marker)| {
        json!({
            "type": "message",
            "ts": format!("1700000000.00010{n}"),
            "metadata": {"event_type": "placet_send", "event_payload": {"placet_send": marker}},
        })
    });
    json!({"ok": true, "messages": messages.collect::<Vec<_>>()})
}

fn story(world: &World, run: RunId) -> Vec<RecordedEvent> {
    let view = world.handle.view().unwrap();
    view.stream(&StreamId::Run(run), Revision::START).map(Result::unwrap).collect()
}

fn ended(world: &World, run: RunId) -> Vec<LookupEnded> {
    let bodies = story(world, run).into_iter().filter_map(|event| match event.event {
        Event::LookupEnded(body) => Some(body),
        _ => None,
    });
    bodies.collect()
}

fn findings(world: &World, run: RunId) -> Vec<(LookupFinding, Option<AbsenceWorth>)> {
    ended(world, run).into_iter().map(|body| (body.finding, body.worth)).collect()
}

/// The marker of what was approved.
pub(crate) fn marker(world: &World, row: &DecisionRow) -> String {
    let view = world.handle.view().unwrap();
    let bytes = view.payload(&StreamId::Run(row.run), row.request).unwrap();
    let text = String::from_utf8_lossy(bytes.as_bytes()).into_owned();
    let request = placet_model::request::PreparedRequest::from_bytes(text.as_bytes()).unwrap();
    let placet_model::request::Body::Bytes(body) = &request.body else { panic!("{text}") };
    let body: Value = serde_json::from_slice(body).unwrap();
    body["metadata"]["event_payload"]["placet_send"].as_str().unwrap().to_owned()
}

fn card(world: &World, row: &DecisionRow) -> Value {
    crate::signing::card(world, "approver", row.decision)
}

/// The last look-up has been made, and nobody but a person can go on.
async fn looked_up(world: &mut World, run: RunId) {
    loop {
        let last = ended(world, run).pop();
        if last.is_some_and(|last| last.next_at.is_none()) {
            return;
        }
        world.settled(run).await;
    }
}

#[tokio::test]
async fn what_is_found_was_sent_and_the_run_goes_on_with_its_ids() {
    let mut world = start().await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    let row = world.open_items().remove(0);
    // given an answer that is lost, a look-up that comes too early, and one that shows it
    world.recorder.fail(Failed::after(Cause::Reset, "connection reset"));
    world.recorder.answer(200, &page(&["another"]));
    world.recorder.answer(200, &page(&["another", &marker(&world, &row)]));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert_eq!(world.recorder.sends().len(), 1, "it left once");
    let early = (LookupFinding::Absent, Some(AbsenceWorth::TooEarly));
    assert_eq!(findings(&world, run), [early, (LookupFinding::Found, None)]);
    let by = story(&world, run).into_iter().find_map(|event| match event.event {
        Event::AttemptReconciled(AttemptReconciled { by, resolution, output, .. }) => {
            Some((by, resolution, output.is_some()))
        }
        _ => None,
    });
    assert_eq!(by, Some((ReconciledBy::Lookup, Resolution::Sent, true)));
    let found = ended(&world, run).pop().unwrap();
    let ids: Vec<_> = found.answer.result.iter().map(|id| (&*id.at, &*id.value)).collect();
    assert!(ids.contains(&("message_id", "1700000000.000101")), "what later events refer to");
    assert!(ids.contains(&("channel", "C0123")), "{ids:?}");
    let reports = &report["trace"];
    assert!(reports.to_string().contains("1700000000.000101"), "{reports:#}");
    assert_eq!(world.open_items(), []);
}

#[tokio::test]
async fn a_look_up_is_recorded_with_its_connection_before_it_leaves_and_asks_for_what_was_sent() {
    let mut world = start().await;
    let (run, row) = lost(&mut world, &[json!({"ok": true})]).await;
    looked_up(&mut world, run).await;
    let events = story(&world, run);
    let started: Vec<LookupStarted> = events
        .iter()
        .filter_map(|event| match &event.event {
            Event::LookupStarted(body) => Some(body.clone()),
            _ => None,
        })
        .collect();
    let first = &started[0];
    let bound = first.integration.as_ref().expect("whose credential is used");
    assert_eq!((bound.identity.id.as_str(), bound.identity.tenant.as_str()), ("B1", "T1"));
    assert_eq!(first.operation, "slack.conversations.history");
    let seen = world.recorder.seen.lock().unwrap();
    let asked: Vec<_> = seen.iter().filter(|request| is_look_up(request)).collect();
    assert_eq!(asked.len(), started.len(), "one record for each");
    assert_eq!(placet_model::Digest::of(&asked[0].to_bytes()), first.request_digest);
    let url = asked[0].url.to_string();
    assert!(url.contains("channel=C0123") && url.contains("include_all_metadata"), "{url}");
    assert_eq!(asked[0].method, "GET");
    drop(seen);
    // it is not made before the provider's reads have caught up
    let doubt = events.iter().find(|e| matches!(e.event, Event::AttemptInDoubt(_))).unwrap();
    let look = events.iter().find(|e| matches!(e.event, Event::LookupStarted(_))).unwrap();
    assert!(look.recorded_at.millis_since(doubt.recorded_at) >= 5000);
    assert!(world.open_items()[0].in_doubt.is_some_and(|(id, _)| id == first.attempt));
    assert_eq!(world.open_items()[0].decision, row.decision);
}

#[tokio::test]
async fn absence_is_too_early_inside_the_settle_window_and_evidence_for_a_person_after_it() {
    let mut world = start().await;
    let absent: Vec<Value> = (0..12).map(|_| page(&["another"])).collect();
    let (run, row) = lost(&mut world, &absent).await;
    looked_up(&mut world, run).await;
    let mut found = findings(&world, run);
    let last = found.pop();
    assert_eq!(last, Some((LookupFinding::Absent, Some(AbsenceWorth::Evidence))));
    assert!(found.iter().all(|one| *one == (LookupFinding::Absent, Some(AbsenceWorth::TooEarly))));
    let events = story(&world, run);
    let sent = events.iter().find(|e| matches!(e.event, Event::AttemptStarted(_))).unwrap();
    let said = events.iter().rfind(|e| matches!(e.event, Event::LookupEnded(_))).unwrap();
    // the call's own 30 s, and the manifest's 60
    assert!(said.recorded_at.millis_since(sent.recorded_at) >= 90_000);
    assert_eq!(world.recorder.sends().len(), 1, "never again by itself");
    // the person sees each of them
    let doubt = &card(&world, &row)["in_doubt"];
    let shown = doubt["lookups"].as_array().unwrap();
    assert_eq!(shown.len(), found.len() + 1, "{doubt:#}");
    assert_eq!(shown[shown.len() - 1]["worth"], "evidence");
    assert!(shown[0]["words"].as_str().unwrap().contains("not show it yet"), "{doubt:#}");
    assert_eq!(doubt["next_lookup_at"], Value::Null);
    world.handle.resolve(row.decision, Resolution::Sent, name("approver")).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "completed");
}

#[tokio::test]
async fn a_look_up_waits_for_room_in_its_providers_budget() {
    // Slack takes fifty readings of its history in a minute; sixty sends are in doubt at once
    const SENDS: usize = 60;
    const PER_MINUTE: usize = 50;
    let mut world = start().await;
    let mut asked = vec![];
    for number in 0..SENDS {
        let input = json!({"channel": format!("C{number:04}"), "text": "hello"});
        let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
        world.settled(run).await;
        asked.push(run);
    }
    for _ in 0..SENDS {
        world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    }
    for _ in 0..SENDS * 12 {
        world.recorder.answer(200, &page(&["another"]));
    }
    // the clock stands still until all are sent, so that none of those answers goes to a look-up
    world.clock.hold_at(Some(world.handle.now()));
    for row in world.open_items() {
        world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    }
    for run in &asked {
        world.item(|row| row.run == *run && row.in_doubt.is_some()).await;
    }
    world.clock.hold_at(None);
    world.handle.wake();
    for run in &asked {
        looked_up(&mut world, *run).await;
    }
    let begun = |run: &RunId| {
        let events = story(&world, *run).into_iter();
        let begun = events.filter(|event| matches!(event.event, Event::LookupStarted(_)));
        begun.map(|event| event.recorded_at).collect::<Vec<_>>()
    };
    let mut moments: Vec<_> = asked.iter().flat_map(begun).collect();
    moments.sort_unstable();
    let within_a_minute = |from: usize| {
        let rest = moments[from..].iter();
        rest.take_while(|at| at.millis_since(moments[from]) < 60_000).count()
    };
    let most = (0..moments.len()).map(within_a_minute).max().unwrap();
    println!("{} look-ups of {SENDS} sends, at most {most} within a minute", moments.len());
    assert!(moments.len() >= SENDS && most <= PER_MINUTE, "{most} within a minute");
}

#[tokio::test]
async fn of_several_matches_nobody_picks() {
    let mut world = start().await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    let row = world.open_items().remove(0);
    let ours = marker(&world, &row);
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    world.recorder.answer(200, &page(&[&ours, &ours]));
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    looked_up(&mut world, run).await;
    assert_eq!(findings(&world, run), [(LookupFinding::Several, None)]);
    let doubt = &card(&world, &row)["in_doubt"];
    assert_eq!(doubt["lookups"][0]["count"], 2, "{doubt:#}");
    assert!(world.open_items()[0].in_doubt.is_some());
}

#[tokio::test]
async fn a_look_up_waits_as_the_provider_says_and_a_refused_one_leaves_a_person_at_once() {
    let mut world = start().await;
    let (run, row) = lost(&mut world, &[]).await;
    // given a provider that asks for patience, and then lacks the scope
    {
        let mut answers = world.recorder.answers.lock().unwrap();
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("retry-after".to_owned(), "120".to_owned()),
        ];
        let body = serde_json::to_vec(&json!({"ok": false, "error": "ratelimited"})).unwrap();
        answers.push_back(Ok(placet_adapters::Response::new(429, headers, body)));
    }
    world.recorder.answer(200, &json!({"ok": false, "error": "missing_scope"}));
    looked_up(&mut world, run).await;
    let unanswered = (LookupFinding::Unanswered, None);
    assert_eq!(findings(&world, run), [unanswered, unanswered]);
    let events = story(&world, run);
    let starts: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.event, Event::LookupStarted(_)))
        .map(|event| event.recorded_at)
        .collect();
    assert!(starts[1].millis_since(starts[0]) >= 120_000);
    let doubt = &card(&world, &row)["in_doubt"];
    assert_eq!(doubt["lookups"][0]["status"], 429, "{doubt:#}");
    let integration = &world.handle.world().integrations;
    let active = placet_model::integration::IntegrationStatus::Active;
    assert!(integration.values().all(|one| one.status == active), "a read marks nothing failed");
}

#[tokio::test]
async fn a_pause_holds_the_look_up_and_what_a_person_says_makes_it_needless() {
    let mut world = start().await;
    world.clock.hold_at(Some(world.handle.now()));
    let (run, row) = lost(&mut world, &[]).await;
    world.item(|row| row.in_doubt.is_some()).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    world.clock.hold_at(None);
    world.advance_to(world.handle.now().plus_millis(60 * 60 * 1000));
    world.settled(run).await;
    assert_eq!(ended(&world, run), []);
    assert_eq!(world.recorder.count(), 1, "nothing left while it was paused");
    world.handle.resolve(row.decision, Resolution::GiveUp, name("approver")).await.unwrap();
    world.finished(run).await;
    world.handle.resume(&name("author"), None).await.unwrap();
    let view = world.handle.view().unwrap();
    let due = placet_projections::Views::new(&view).unwrap().next_due().unwrap();
    assert_eq!(due, None, "nothing is asked after any more");
}

#[tokio::test]
async fn the_look_up_of_a_cancelled_run_still_tells_what_became_of_its_send() {
    let mut world = start().await;
    world.clock.hold_at(Some(world.handle.now()));
    let (run, row) = lost(&mut world, &[]).await;
    world.item(|row| row.in_doubt.is_some()).await;
    world.recorder.answer(200, &page(&[&marker(&world, &row)]));
    world.handle.cancel(run, name("author"), None).await.unwrap();
    assert_eq!(world.finished(run).await["status"], "cancelled");
    assert!(world.open_items()[0].in_doubt.is_some(), "what was sent is still in doubt");
    world.clock.hold_at(None);
    world.advance_to_due();
    while world.handle.load().await.unwrap().runs > 0 {}
    assert_eq!(world.open_items(), []);
    assert_eq!(findings(&world, run), [(LookupFinding::Found, None)]);
}
