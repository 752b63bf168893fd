//! What a provider tells by itself of a send in doubt: it settles the doubt once, whenever it comes and
//! whoever speaks at the same moment, and nothing else does.
//!
//! covers: S7, S10

use crate::world::{Recorder, World, fixture, name, open_log, start, start_parts};
use placet_adapters::inbound::{Event as Came, Told};
use placet_adapters::{Adapters, Call, Cause, Failed, Performing, Transport};
use placet_executor::arrivals::Arrival;
use placet_executor::{Clock, Handle};
use placet_model::decision::{Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::event::attempt::{AttemptReconciled, ReconciledBy};
use placet_model::event::lookup::EvidenceArrived;
use placet_model::project::ProjectConfig;
use placet_model::{Event, IntegrationId, Position, Revision, RunId, StreamId};
use placet_projections::DecisionRow;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

fn story(handle: &Handle, run: RunId) -> Vec<Event> {
    let view = handle.view().unwrap();
    view.stream(&StreamId::Run(run), Revision::START).map(|event| event.unwrap().event).collect()
}

fn settled(handle: &Handle, run: RunId) -> Vec<AttemptReconciled> {
    let events = story(handle, run).into_iter();
    events
        .filter_map(|event| match event {
            Event::AttemptReconciled(body) => Some(body),
            _ => None,
        })
        .collect()
}

fn evidence(handle: &Handle, run: RunId) -> Vec<EvidenceArrived> {
    let events = story(handle, run).into_iter();
    events
        .filter_map(|event| match event {
            Event::EvidenceArrived(body) => Some(body),
            _ => None,
        })
        .collect()
}

/// The mark of what the run has begun to send.
fn mark(handle: &Handle, run: RunId) -> String {
    let started = story(handle, run).into_iter().find_map(|event| match event {
        Event::AttemptStarted(body) => Some(body.send_id),
        _ => None,
    });
    started.expect("it has begun")
}

fn slack(handle: &Handle) -> IntegrationId {
    let all = handle.world();
    all.integrations.values().find(|known| known.provider == "slack").expect("there is one").id
}

/// Our own message coming back.
fn echo(integration: IntegrationId, (id, send_id, is_final): (&str, &str, bool)) -> Arrival {
    let result = [("message_id", "1700000000.000777"), ("channel", "C0123")];
    let result = result.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Arrival {
        integration,
        credential_version: 1,
        event: Came {
            key: "slack.echo".into(),
            event_key: "communication.message.echoed".into(),
            dedupe: id.into(),
            match_on: vec![],
            correlate: [].into(),
            data: json!({"event_id": id}),
            stored: json!({}),
            refetch: None,
            told: Some(Told { send_id: send_id.to_owned(), is_final, result }),
            claim: None,
        },
    }
}

/// A message whose answer was lost.
async fn lost(world: &mut World) -> (RunId, DecisionRow) {
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    world.settled(run).await;
    world.recorder.fail(Failed::after(Cause::Timeout, "no answer in 30 s"));
    // its look-ups say nothing, so that only a person or the provider itself can
    for _ in 0..24 {
        world.recorder.answer(200, &json!({"ok": true}));
    }
    let row = world.open_items().into_iter().find(|row| row.run == run).unwrap();
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let row = world.item(|row| row.run == run && row.in_doubt.is_some()).await;
    (run, row)
}

#[tokio::test]
async fn our_own_message_that_comes_back_settles_the_doubt_and_the_run_goes_on_with_its_ids() {
    let mut world = start().await;
    let (run, _) = lost(&mut world).await;
    let (integration, send_id) = (slack(&world.handle), mark(&world.handle, run));
    world.handle.arrival(echo(integration, ("Ev1", &send_id, true))).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    assert!(report["trace"].to_string().contains("1700000000.000777"), "{report:#}");
    let [told] = &evidence(&world.handle, run)[..] else { panic!("one piece of evidence") };
    let came = world.handle.view().unwrap().event(told.arrival).unwrap().event;
    assert!(matches!(came, Event::InboundReceived(body) if body.kind == told.kind));
    let by: Vec<_> = settled(&world.handle, run).iter().map(|s| (s.by, s.resolution)).collect();
    assert_eq!(by, [(ReconciledBy::Arrival, Resolution::Sent)]);
    assert_eq!((world.recorder.sends().len(), world.open_items().len()), (1, 0));
    // a second one, of whatever kind, finds nothing in doubt
    world.handle.arrival(echo(integration, ("Ev2", &send_id, true))).await.unwrap();
    world.handle.load().await.unwrap();
    assert_eq!((evidence(&world.handle, run).len(), settled(&world.handle, run).len()), (1, 1));
}

#[tokio::test]
async fn what_says_not_yet_or_bears_another_mark_or_came_to_another_connection_settles_nothing() {
    let mut world = start().await;
    let (run, row) = lost(&mut world).await;
    let (own, send_id) = (slack(&world.handle), mark(&world.handle, run));
    let other = world.handle.integration_id("another");
    let stranger = "abcdefghijklmnopqrstuvwxyz234567abcdefgh";
    for (n, (through, mark, is_final)) in
        [(own, &*send_id, false), (own, stranger, true), (other, &*send_id, true)]
            .into_iter()
            .enumerate()
    {
        let id = format!("Ev{n}");
        world.handle.arrival(echo(through, (&id, mark, is_final))).await.unwrap();
        world.handle.load().await.unwrap();
    }
    assert_eq!((evidence(&world.handle, run).len(), settled(&world.handle, run).len()), (0, 0));
    let told = world.handle.resolve(row.decision, Resolution::GiveUp, name("approver")).await;
    assert!(told.is_ok(), "it is still a person's: {told:?}");
}

#[tokio::test]
async fn a_person_and_the_provider_at_the_same_moment_settle_it_once() {
    for round in 0..16 {
        let mut world = start().await;
        let (run, row) = lost(&mut world).await;
        let (integration, send_id) = (slack(&world.handle), mark(&world.handle, run));
        let came = world.handle.arrival(echo(integration, ("Ev1", &send_id, true)));
        let said = world.handle.resolve(row.decision, Resolution::Sent, name("approver"));
        let (came, said) = if round % 2 == 0 {
            tokio::join!(came, said)
        } else {
            let (said, came) = tokio::join!(said, came);
            (came, said)
        };
        came.expect("it is recorded, whoever was first");
        world.finished(run).await;
        let by: Vec<_> = settled(&world.handle, run).iter().map(|settled| settled.by).collect();
        let [by] = by[..] else { panic!("settled {by:?}") };
        assert_eq!(said.is_ok(), by == ReconciledBy::Person, "{said:?}");
        let told = evidence(&world.handle, run).len();
        assert_eq!(told, usize::from(by == ReconciledBy::Arrival));
        assert_eq!(world.recorder.sends().len(), 1);
    }
}

/// A provider that tells of the message before its answer is lost.
#[derive(Debug, Default)]
struct Quick {
    engine: OnceLock<Handle>,
    recorder: Arc<Recorder>,
}

impl Transport for Quick {
    fn perform(&self, call: Call) -> Performing<'_> {
        let handle = self.engine.get().expect("it has started").clone();
        let recorded = self.recorder.perform(call.clone());
        Box::pin(async move {
            if call.attempt.is_none() {
                return recorded.await;
            }
            let body = match &call.request.body {
                placet_model::request::Body::Bytes(bytes) => serde_json::from_slice(bytes).unwrap(),
                other => panic!("{other:?}"),
            };
            let body: Value = body;
            let send_id = body["metadata"]["event_payload"]["placet_send"].as_str().unwrap();
            handle.arrival(echo(slack(&handle), ("Ev1", send_id, true))).await.unwrap();
            Err(Failed::after(Cause::Reset, "connection reset"))
        })
    }
}

#[tokio::test]
async fn what_the_provider_told_before_the_answer_was_lost_is_found_when_the_doubt_begins() {
    let recorder = Arc::new(Recorder::default());
    let live = Arc::new(Quick { engine: OnceLock::new(), recorder: Arc::clone(&recorder) });
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    let (log, clock) = (open_log(None), Clock::virtual_start());
    let transport = Arc::clone(&live) as Arc<dyn Transport>;
    let parts = (config, Arc::new(Adapters::shipped()));
    let mut world = start_parts(parts, (log, clock), transport, recorder).await.unwrap();
    live.engine.set(world.handle.clone()).expect("it is set once");
    world.furnish().await;
    let input = json!({"channel": "C0123", "text": "hello"});
    let run = world.run(&fixture("ok/slack-notify.yaml"), input, Mode::Live).await;
    let row = world.item(|row| row.run == run).await;
    world.vote(&row, "approver", Verdict::Approve).await.unwrap();
    let report = world.finished(run).await;
    assert_eq!(report["status"], "completed", "{report:#}");
    let events = story(&world.handle, run);
    let kinds: Vec<_> = events.iter().map(Event::type_name).collect();
    let at = kinds.iter().position(|kind| *kind == "AttemptInDoubt").expect("its answer was lost");
    // in one commit with the doubt: nobody is asked, and nothing is looked up
    assert_eq!(kinds[at + 1..at + 3], ["EvidenceArrived", "AttemptReconciled"]);
    assert!(!kinds.contains(&"LookupPlanned"), "{kinds:?}");
    assert_ne!(evidence(&world.handle, run)[0].arrival, Position::START);
}
