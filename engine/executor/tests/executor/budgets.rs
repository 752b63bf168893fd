//! What a provider allows within a time holds for all runs together, and waiting costs no approval.

use crate::world::{Recorder, World, name, open_log, start_parts};
use placet_adapters::{Adapters, Answer, Call, ManifestFile, Performing, Response, Transport};
use placet_executor::{Clock, Start};
use placet_log::{Log, OpenOptions, Storage};
use placet_model::decision::{DecisionState, Verdict};
use placet_model::draft::Mode;
use placet_model::project::ProjectConfig;
use placet_model::{Event, Position, RecordedEvent, Timestamp};
use placet_projections::{DecisionRow, Projections, Views};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A project's own provider, with these limits.
fn manifest(limits: &str) -> String {
    format!(
        r#"manifest: 1
provider: acme
title: Acme
hosts: [api.acme.example]
auth: {{kind: bearer, placement: {{header: Authorization, value: "Bearer {{secret:token}}"}}}}
limits: {limits}
operations:
  notes.create:
    effect: write
    input_schema: any.json
    output_schema: any.json
    target: {{grammar: '^(?<room>[a-z0-9]+)$', format: "{{room}}", examples: [n1]}}
    request: {{method: POST, url: "https://api.acme.example/rooms/{{target.room}}", body: {{kind: json, value: {{text: "{{input./text}}"}}}}}}
    text_limits: none
    preview: {{title: "Note to {{target}}", fields: [/text]}}
    classify:
      - {{when: {{status: 2xx}}, outcome: sent}}
      - {{when: {{status: 429}}, outcome: refused_retry}}
      - {{else: in_doubt}}
    wait_from: [{{header: Retry-After, unit: s, max_s: 600}}]
    result: {{message_id: "{{/id}}"}}
    store: [/id]
    delivery: {{kind: none}}
    vendor_dry_run: none
    mock: {{errors: {{rate_limited: {{status: 429}}, not_found: {{status: 404}}, validation: {{status: 400}}, auth: {{status: 401}}, timeout_in_doubt: {{transport: after_send, happened: false}}}}}}
"#
    )
}

fn adapters(limits: &str) -> Arc<Adapters> {
    let schemas = |path: &str| (path == "any.json").then(|| "{}".to_owned());
    let file = ManifestFile { path: "adapters/acme.yaml".to_owned(), text: manifest(limits) };
    Arc::new(Adapters::with_project(&[file], &schemas, &BTreeSet::new()).unwrap())
}

const NOTE: &str = r#"document: {dsl: '1.0.3', namespace: t, name: note, version: '1.0.0'}
input: {schema: {format: json, document: {type: object}}}
do:
  - note:
      call: acme.notes.create
      with: {room: "${ .room }", text: hello}
"#;

async fn world_on(log: Log, clock: Clock, limits: &str, live: Option<Arc<dyn Transport>>) -> World {
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    let recorder = Arc::new(Recorder::default());
    let live = live.unwrap_or_else(|| Arc::clone(&recorder) as Arc<dyn Transport>);
    start_parts((config, adapters(limits)), (log, clock), live, recorder).await.unwrap()
}

async fn world(clock: Clock, limits: &str, live: Option<Arc<dyn Transport>>) -> World {
    let world = world_on(open_log(None), clock, limits, live).await;
    world.furnish().await;
    world.connect("acme").await;
    world
}

/// Starts so many notes to these rooms, and waits until all of them are asked for.
async fn asked(world: &mut World, rooms: &[&str]) -> Vec<DecisionRow> {
    let plan = world.deploy(NOTE).await;
    let mut rows = vec![];
    for room in rooms {
        let (input, requester) = (json!({ "room": room }), name("author"));
        let start = Start { plan, input, requester, mode: Mode::Live, seed: 0 };
        let run = world.handle.start(start).await.unwrap();
        rows.push(world.item(|row| row.run == run).await);
    }
    rows
}

/// As [`asked`], and approves them. An approval is claimed, or held, before its vote is answered.
async fn approved(world: &mut World, rooms: &[&str]) -> Vec<DecisionRow> {
    let rows = asked(world, rooms).await;
    for row in &rows {
        world.vote(row, "approver", Verdict::Approve).await.unwrap();
    }
    rows
}

/// Waits until so many calls have been answered as sent.
async fn sent(world: &mut World, many: usize) {
    let count = |world: &World| {
        world.all_events().iter().filter(|e| matches!(e.event, Event::AttemptSucceeded(_))).count()
    };
    until(world, |world| count(world) == many).await;
}

async fn until(world: &mut World, holds: impl Fn(&World) -> bool) {
    let patience = placet_test_support::DEADLINE;
    while !holds(world) {
        let notice = tokio::time::timeout(patience, world.notices.recv()).await;
        let _one_of_many = notice.expect("it did not come").expect("the engine runs");
    }
}

fn state(world: &World, row: &DecisionRow) -> DecisionState {
    let view = world.handle.view().unwrap();
    Views::new(&view).unwrap().decision(row.decision).unwrap().unwrap().state
}

impl World {
    fn all_events(&self) -> Vec<RecordedEvent> {
        let view = self.handle.view().unwrap();
        view.events(Position::new(1)).map(Result::unwrap).collect()
    }
}

/// Moments at which requests arrived, the most within any window of this length.
fn most_within(arrivals: &[Instant], window: Duration) -> usize {
    let within = |from: &Instant| {
        arrivals.iter().filter(|at| **at >= *from && at.duration_since(*from) < window).count()
    };
    arrivals.iter().map(within).max().unwrap_or_default()
}

/// Carries a call over a real socket to a server that notes when it came.
#[derive(Debug)]
struct Wire(String);

impl Transport for Wire {
    fn perform(&self, _: Call) -> Performing<'_> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(&self.0).await.unwrap();
            stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
            let mut answer = vec![];
            stream.read_to_end(&mut answer).await.unwrap();
            Ok(Response::new(200, vec![], answer)) as Answer
        })
    }
}

async fn server() -> (String, Arc<Mutex<Vec<Instant>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let arrivals: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let seen = Arc::clone(&arrivals);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 64];
            let _some = stream.read(&mut head).await.unwrap();
            seen.lock().unwrap().push(Instant::now());
            stream.write_all(br#"{"id":"n1"}"#).await.unwrap();
        }
    });
    (address, arrivals)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_fifty_approved_sends_never_exceeds_the_provider_s_rate() {
    let (address, arrivals) = server().await;
    let limits = "[{scope: account, rate: 20, window_s: 1}]";
    let mut world = world(Clock::System, limits, Some(Arc::new(Wire(address)))).await;
    approved(&mut world, &["a"; 50]).await;
    sent(&mut world, 50).await;
    let arrivals = arrivals.lock().unwrap().clone();
    assert_eq!(arrivals.len(), 50, "each is sent once");
    let most = most_within(&arrivals, Duration::from_secs(1));
    assert!(most <= 20, "{most} within a second");
    let took = arrivals.last().unwrap().duration_since(arrivals[0]);
    assert!(took >= Duration::from_secs(2), "fifty need three windows: {took:?}");
    world.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_budget_keeps_the_approval_and_another_channel_does_not_wait() {
    let limits = "[{scope: channel, rate: 1, window_s: 3600}]";
    let mut world = world(Clock::System, limits, None).await;
    approved(&mut world, &["a"]).await;
    sent(&mut world, 1).await;
    let second = approved(&mut world, &["a"]).await.remove(0);
    assert_eq!(state(&world, &second), DecisionState::Approved, "unspent");
    assert_eq!(world.recorder.count(), 1);
    approved(&mut world, &["b"]).await;
    sent(&mut world, 2).await;
    assert_eq!(state(&world, &second), DecisionState::Approved, "unspent");
    world.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_budget_is_told_that_it_does_and_until_when() {
    let limits = "[{scope: channel, rate: 1, window_s: 3600}]";
    let mut world = world(Clock::System, limits, None).await;
    let first = approved(&mut world, &["a"]).await.remove(0);
    sent(&mut world, 1).await;
    let earliest = world.handle.now().plus_millis(50 * 60_000);
    let second = approved(&mut world, &["a"]).await.remove(0);
    let row = |world: &World, row: &DecisionRow| {
        let view = world.handle.view().unwrap();
        Views::new(&view).unwrap().decision(row.decision).unwrap().unwrap()
    };
    let words = world.handle.budget_wait(&row(&world, &second)).expect("it waits");
    let until = words.rsplit(' ').next().unwrap().parse::<Timestamp>().unwrap();
    assert!(until > earliest && until <= world.handle.now().plus_millis(3_600_000), "{words}");
    // its card and its run say the same; what has gone waits for nothing
    let card = crate::signing::card(&world, "approver", second.decision);
    let held = card["hold"].as_str().unwrap();
    assert!(held.contains("allows no more calls") && held.contains("not before"), "{held}");
    let run = world.handle.run_row(second.run).unwrap().unwrap();
    assert!(world.handle.budget_wait_of(&run).unwrap().is_some());
    assert_eq!(world.handle.budget_wait(&row(&world, &first)), None);
    world.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_weighs_more_takes_more() {
    let limits = "[{scope: account, rate: 5, window_s: 3600, weight: {notes.create: 2}}]";
    let mut world = world(Clock::System, limits, None).await;
    let rows = approved(&mut world, &["a"; 3]).await;
    sent(&mut world, 2).await;
    assert_eq!(state(&world, &rows[2]), DecisionState::Approved, "four of five are taken");
    assert_eq!(world.recorder.count(), 2);
    world.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_of_one_run_holds_back_the_others_of_the_same_scope() {
    // no rate is declared at all: the provider's own answer is what is known
    let mut world = world(Clock::virtual_start(), "[]", None).await;
    let answer = Response::new(429, vec![("retry-after".into(), "30".into())], vec![]);
    world.recorder.answers.lock().unwrap().push_back(Ok(answer));
    // while somebody is asked, the virtual clock stands still
    let rows = asked(&mut world, &["a", "b"]).await;
    world.vote(&rows[0], "approver", Verdict::Approve).await.unwrap();
    let put_off = |event: &RecordedEvent| matches!(event.event, Event::AttemptDeferred(_));
    until(&mut world, |world| world.all_events().iter().any(put_off)).await;
    world.vote(&rows[1], "approver", Verdict::Approve).await.unwrap();
    sent(&mut world, 2).await;
    let events = world.all_events();
    let deferred = events.iter().find_map(|event| match &event.event {
        Event::AttemptDeferred(body) => Some(body.until),
        _ => None,
    });
    let until = deferred.expect("the first was put off");
    let begun = events.iter().filter_map(|event| match &event.event {
        Event::AttemptStarted(body) => Some((body.try_number, event.recorded_at)),
        _ => None,
    });
    let begun: Vec<_> = begun.collect();
    assert_eq!(begun.len(), 3, "one try that was refused, and one for each: {begun:?}");
    assert!(begun[1..].iter().all(|(_, at)| *at >= until), "{begun:?} before {until}");
    world.engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_gives_nobody_a_second_helping() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let options = OpenOptions::with_storage(Storage::Directory(dir.path().to_owned()), "test");
        let keys = placet_log::KeyPlace::Given(placet_log::ProjectKey::from_bytes([7; 32]));
        Log::open(options.keys(keys).projector(Projections::new())).unwrap()
    };
    let limits = "[{scope: account, rate: 1, window_s: 3600}]";
    let mut world = world_on(open(), Clock::System, limits, None).await;
    world.furnish().await;
    world.connect("acme").await;
    approved(&mut world, &["a"]).await;
    sent(&mut world, 1).await;
    world.engine.stop().await.unwrap();
    drop((world.handle, world.recorder, world.notices));

    let mut world = world_on(open(), Clock::System, limits, None).await;
    let second = approved(&mut world, &["a"]).await.remove(0);
    assert_eq!(state(&world, &second), DecisionState::Approved, "unspent");
    assert_eq!(world.recorder.count(), 0, "the hour's one call was made before");
    world.engine.stop().await.unwrap();
}
