//! The process dies at every commit: before it is durable, or after, with nobody told. The next
//! engine on the surviving files ends the run as if nothing had happened: nothing is sent twice,
//! nothing is lost, nothing is stuck.
//!
//! covers: S10, S26, T11

use crate::world::{Recorder, World, fixture, is_over, name, try_start};
use placet_executor::{Clock, Error, Notice, Start};
use placet_log::{
    BoxError, KeyPlace, Log, OpenOptions, ProjectKey, Projector, ReadView, Subscription,
};
use placet_model::decision::{DecisionState, Resolution, Verdict};
use placet_model::draft::Mode;
use placet_model::request::PreparedRequest;
use placet_model::{Digest, Event, Position, RecordedEvent, RunId};
use placet_projections::{DecisionRow, Projections, RunFilter, Views};
use redb::WriteTransaction;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    Never,
    /// The n-th commit comes to nothing.
    Before(u64),
    /// The n-th commit is durable, and nobody is told.
    After(u64),
}

/// The projections of a process that dies.
struct Mortal {
    inner: Projections,
    commits: Arc<AtomicU64>,
    kill: Kill,
}

impl Projector for Mortal {
    fn prepare(&mut self, tx: &WriteTransaction, view: &ReadView) -> Result<(), BoxError> {
        self.inner.prepare(tx, view)
    }

    fn apply(&mut self, tx: &WriteTransaction, events: &[RecordedEvent]) -> Result<(), BoxError> {
        let commit = self.commits.fetch_add(1, Ordering::SeqCst) + 1;
        if self.kill == Kill::Before(commit) {
            return Err("the process dies before this commit".into());
        }
        self.inner.apply(tx, events)
    }
}

pub(crate) fn open(dir: &Path, kill: Kill) -> (Log, Option<Subscription>) {
    open_counting(dir, kill, &Arc::default())
}

/// As [`open`], once whatever an earlier life has left behind in this process has let go of the log. A
/// process that dies leaves nothing behind; here a call that was under way ends when it is polled. What
/// never lets go is a leak, and fails.
async fn open_again(dir: &Path, kill: Kill) -> (Log, Option<Subscription>) {
    let opened = async {
        loop {
            match try_open(dir, kill, &Arc::default()) {
                Err(placet_log::Error::InUse { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    let opened = tokio::time::timeout(placet_test_support::DEADLINE, opened).await;
    opened.expect("an earlier life holds the log for ever")
}

/// As [`open`], with the number of commits so far.
pub(crate) fn open_counting(
    dir: &Path,
    kill: Kill,
    commits: &Arc<AtomicU64>,
) -> (Log, Option<Subscription>) {
    try_open(dir, kill, commits).unwrap()
}

fn try_open(
    dir: &Path,
    kill: Kill,
    commits: &Arc<AtomicU64>,
) -> Result<(Log, Option<Subscription>), placet_log::Error> {
    let projector = Mortal { inner: Projections::new(), commits: Arc::clone(commits), kill };
    let options = OpenOptions::new(dir, "test")
        .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
        .cache_bytes(1 << 20)
        .projector(projector);
    let log = Log::open(options)?;
    let Kill::After(commit) = kill else { return Ok((log, None)) };
    let commits = Arc::clone(commits);
    let death = log.subscribe(move |_head| {
        if commits.load(Ordering::SeqCst) == commit {
            // without the noise of a panic's message
            std::panic::resume_unwind(Box::new("the process dies after this commit"));
        }
    });
    Ok((log, Some(death)))
}

/// A workflow, what it begins with, and what people say to its requests.
#[derive(Debug, Clone)]
struct Story {
    text: String,
    input: Value,
    verdict: Verdict,
    /// Workflows that it runs.
    others: Vec<String>,
    /// What comes from outside, in order.
    events: Vec<Value>,
}

impl Story {
    fn of(text: impl Into<String>, input: Value) -> Self {
        let (verdict, others, events) = (Verdict::Approve, vec![], vec![]);
        Self { text: text.into(), input, verdict, others, events }
    }
}

/// How a life ends.
#[derive(Debug)]
enum End {
    Dead,
    Over(Value),
}

/// A story that is told over several lives.
struct Teller<'a> {
    story: &'a Story,
    plan: Digest,
    recorder: Arc<Recorder>,
    run: Option<RunId>,
    /// Doubts that a person has settled.
    doubts: usize,
}

impl Teller<'_> {
    async fn live(&mut self, dir: &Path, kill: Kill) -> End {
        let (log, _death) = open_again(dir, kill).await;
        let clock = Clock::virtual_start();
        if !self.story.events.is_empty() {
            // time does not run out before they have come
            clock.hold_at(Some(clock.now()));
        }
        let started = try_start(log, clock, Arc::clone(&self.recorder)).await;
        let mut world = match started {
            Ok(world) => world,
            Err(error) => {
                assert!(matches!(error, Error::CommitFailed { .. }), "{error}");
                return End::Dead;
            }
        };
        let end = self.tell(&mut world).await;
        self.no_call_without_a_record(&world);
        let World { engine, handle, .. } = world;
        let stopped = engine.stop().await;
        drop(handle);
        match &end {
            Ok(report) => {
                drop(stopped);
                End::Over(report.clone())
            }
            Err(error) => {
                // whichever it notices first: that it cannot write, or that it cannot read
                let code = stopped.as_ref().err().map(Error::code);
                assert!(matches!(code, Some("PL1006" | "PL1002")), "{error}: {stopped:?}");
                End::Dead
            }
        }
    }

    /// Until the run is over, or the engine is.
    async fn tell(&mut self, world: &mut World) -> Result<Value, Error> {
        let run = self.begin(world).await?;
        for event in &self.story.events {
            // an event that came in an earlier life is the same event
            world.handle.publish(event.clone(), None, &name("author")).await?;
        }
        world.clock.hold_at(None);
        world.handle.wake();
        loop {
            if let Some(report) = over(world, run)? {
                return Ok(report);
            }
            for item in open_items(world)? {
                self.answer(world, &item).await?;
            }
            if let Some(report) = over(world, run)? {
                return Ok(report);
            }
            let notice = tokio::time::timeout(placet_test_support::DEADLINE, world.notices.recv());
            let notice = notice.await.unwrap_or_else(|_| {
                panic!("stuck: {:?} {:#?}", world.events(run), open_items(world))
            });
            if notice == Ok(Notice::Failed) {
                return Err(Error::CommitFailed { reason: "it has told so".into() });
            }
        }
    }

    /// The run that an earlier life has begun, or a new one.
    async fn begin(&mut self, world: &World) -> Result<RunId, Error> {
        let view = world.handle.view()?;
        let mut known = Views::new(&view)?.runs(&RunFilter::default(), None, 10)?;
        for row in std::mem::take(&mut known) {
            if Views::new(&view)?.order(row.run)?.is_none() {
                known.push(row);
            }
        }
        assert!(known.len() <= 1, "{known:#?}");
        if let Some(known) = known.first() {
            assert!(self.run.is_none_or(|run| run == known.run), "an acknowledged run is lost");
            return Ok(known.run);
        }
        assert_eq!(self.run, None, "an acknowledged run is lost");
        let input = self.story.input.clone();
        let start =
            Start { plan: self.plan, input, requester: name("author"), mode: Mode::Live, seed: 0 };
        let run = world.handle.start(start).await?;
        self.run = Some(run);
        Ok(run)
    }

    async fn answer(&mut self, world: &World, item: &DecisionRow) -> Result<(), Error> {
        if item.in_doubt.is_some() {
            // a person looks at the provider
            let resolution =
                if self.has_arrived(world, item) { Resolution::Sent } else { Resolution::NotSent };
            return match world.handle.resolve(item.decision, resolution, name("approver")).await {
                Ok(_) => {
                    self.doubts += 1;
                    Ok(())
                }
                Err(error) => still_alive(error),
            };
        }
        if item.state != DecisionState::Requested {
            return Ok(());
        }
        match world.vote(item, "approver", self.story.verdict).await {
            Ok(_) => Ok(()),
            Err(error) => still_alive(error),
        }
    }

    fn has_arrived(&self, world: &World, item: &DecisionRow) -> bool {
        let view = world.handle.view().unwrap();
        let stream = placet_model::StreamId::Run(item.run);
        let bytes = view.payload(&stream, item.request).unwrap();
        let seen = self.recorder.seen.lock().unwrap();
        seen.iter().any(|request| request.to_bytes() == bytes.as_bytes())
    }

    /// Every call that was made has its `AttemptStarted` on disk.
    fn no_call_without_a_record(&self, world: &World) {
        // a log that has stopped is not read any more: the next life looks
        let Ok(view) = world.handle.view() else { return };
        let events = view.events(Position::new(1));
        let recorded = events.filter(|event| {
            let event = &event.as_ref().unwrap().event;
            matches!(event, Event::AttemptStarted(_) | Event::LookupStarted(_))
        });
        let recorded = recorded.count();
        assert!(self.recorder.count() <= recorded, "{} calls", self.recorder.count());
    }
}

/// A wish that came too late is no reason to stop.
fn still_alive(error: Error) -> Result<(), Error> {
    match error {
        Error::Stopping | Error::CommitFailed { .. } | Error::Env(_) => Err(error),
        Error::Turn(_) | Error::Refused { .. } | Error::TooMuch { .. } => Ok(()),
    }
}

fn over(world: &World, run: RunId) -> Result<Option<Value>, Error> {
    let report = world.handle.report(run)?;
    Ok(is_over(&report).then_some(report))
}

fn open_items(world: &World) -> Result<Vec<DecisionRow>, Error> {
    let view = world.handle.view()?;
    Ok(Views::new(&view)?.open(None, 100)?)
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A project that is ready to run the story.
async fn furnished(story: &Story) -> (tempfile::TempDir, Digest) {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), Kill::Never);
    let world = try_start(log, Clock::virtual_start(), Arc::default()).await.unwrap();
    world.furnish().await;
    world.connect("webhook").await;
    for other in &story.others {
        world.deploy(other).await;
    }
    let plan = world.deploy(&story.text).await;
    world.engine.stop().await.unwrap();
    (dir, plan)
}

/// What must be equal however often the process died. A send id belongs to its draft, so drafts
/// that were made again differ in it: gated sends are counted, and reads are told apart.
#[derive(Debug, PartialEq)]
struct Told {
    status: Value,
    output: Value,
    sends: usize,
    reads: BTreeSet<String>,
    /// Every execution of a task and how it ended; branches may take turns in another order.
    trace: Vec<String>,
}

fn told(report: &Value, recorder: &Recorder) -> Told {
    let seen = recorder.sends();
    let (reads, sends): (Vec<_>, Vec<_>) = seen.iter().partition(|r| {
        let url = r.url.to_string();
        url.contains("auth.test") || url.contains("conversations.list")
    });
    let sends: BTreeSet<Vec<u8>> = sends.into_iter().map(PreparedRequest::to_bytes).collect();
    let entry = |entry: &Value| {
        let place = [&entry["task"], &entry["iteration"], &entry["attempt"], &entry["status"]];
        place.map(Value::to_string).join(" ")
    };
    let mut trace: Vec<String> =
        report["trace"].as_array().into_iter().flatten().map(entry).collect();
    trace.sort();
    Told {
        trace,
        status: report["status"].clone(),
        output: report["output"].clone(),
        sends: sends.len(),
        reads: reads.into_iter().map(|request| request.url.to_string()).collect(),
    }
}

async fn survives_every_crash(story: Story, sends_once: bool) {
    let (base, plan) = furnished(&story).await;
    let teller = || Teller { story: &story, plan, recorder: Arc::default(), run: None, doubts: 0 };
    let fresh = || {
        let dir = tempfile::tempdir().unwrap();
        copy(base.path(), dir.path());
        dir
    };
    let mut whole = teller();
    let End::Over(report) = whole.live(fresh().path(), Kill::Never).await else { panic!("dead") };
    let expected = told(&report, &whole.recorder);
    let (mut lives, mut doubts) = (0, 0);
    for kill in [Kill::Before, Kill::After] {
        for commit in 1.. {
            let (dir, mut teller) = (fresh(), teller());
            let kill = kill(commit);
            if let End::Over(_) = teller.live(dir.path(), kill).await {
                assert!(commit > 2, "the process has never died");
                break;
            }
            lives += 1;
            let End::Over(report) = teller.live(dir.path(), Kill::Never).await else {
                panic!("{kill:?}: dead again")
            };
            let mut found = told(&report, &teller.recorder);
            if teller.doubts > 0 || !sends_once {
                // what the provider answered was lost with the process, or names the send
                found.output = expected.output.clone();
            }
            assert_eq!(found, expected, "{kill:?} {report:#}");
            if sends_once {
                let seen = teller.recorder.sends();
                let gated = seen.len() - reads(&seen);
                assert_eq!(gated, expected.sends, "{kill:?}: sent twice");
            }
            doubts += teller.doubts;
        }
    }
    println!("{lives} deaths, {doubts} doubts for a person");
}

fn reads(seen: &[PreparedRequest]) -> usize {
    seen.iter().filter(|r| r.method == "GET" || r.url.to_string().contains("auth.test")).count()
}

fn story(path: &str, input: Value) -> Story {
    Story::of(fixture(&format!("ok/{path}.yaml")), input)
}

#[tokio::test]
async fn a_loop_survives_every_crash() {
    let input = json!({"people": [{"name": "Ana"}, {"name": "Ben"}, {"name": "Cho"}]});
    survives_every_crash(story("for", input), true).await;
}

#[tokio::test]
async fn a_long_loop_survives_every_crash_between_its_appends() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: long, version: '1.0.0' }\ndo:\n  - sum: { for: { each: n, in: '.items' }, do: [ { add: { set: '${ { sum: ((.sum // 0) + $n) } }' } } ] }\n";
    let input = json!({"items": (0..400).collect::<Vec<u32>>()});
    let story = Story::of(text, input);
    survives_every_crash(story, true).await;
}

#[tokio::test]
async fn a_switch_survives_every_crash() {
    survives_every_crash(story("switch", json!({"order": {"amount": 5}})), true).await;
}

#[tokio::test]
async fn a_caught_rejection_survives_every_crash() {
    let story = Story { verdict: Verdict::Reject, ..story("try-catch", json!({})) };
    survives_every_crash(story, true).await;
}

#[tokio::test]
async fn waits_survive_every_crash() {
    survives_every_crash(story("wait", json!({"delay": "PT1H"})), true).await;
}

#[tokio::test]
async fn transforms_survive_every_crash() {
    survives_every_crash(story("data-flow", json!({"name": "Ana"})), true).await;
}

#[tokio::test]
async fn timeouts_survive_every_crash() {
    survives_every_crash(story("timeout", json!({})), true).await;
}

#[tokio::test]
async fn jumps_back_survive_every_crash() {
    survives_every_crash(story("polling", json!({})), true).await;
}

#[tokio::test]
async fn t11_a_gated_send_survives_every_crash_and_leaves_once() {
    let input = json!({"channel": "C0123", "text": "hello"});
    survives_every_crash(story("slack-notify", input), true).await;
}

#[tokio::test]
async fn an_approved_send_inside_a_try_survives_every_crash() {
    survives_every_crash(story("try-catch", json!({})), true).await;
}

#[tokio::test]
async fn reads_survive_every_crash_and_are_read_again() {
    let mut story = story("three-reads", json!({}));
    story.text = story.text.replace("with: { integration: ops-slack }", "with: {}");
    survives_every_crash(story, true).await;
}

#[tokio::test]
async fn a_keyed_send_survives_every_crash_with_the_same_bytes() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: hook, version: '1.0.0' }\ndo:\n  - tell: { call: webhook.event.send, with: { type: a.b, data: { n: 1 } } }\n";
    let story = Story::of(text, Value::Null);
    survives_every_crash(story, false).await;
}

#[tokio::test]
async fn forks_and_races_survive_every_crash() {
    survives_every_crash(story("fork", json!({})), true).await;
}

#[tokio::test]
async fn gated_sends_side_by_side_survive_every_crash_and_leave_once_each() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: side, version: '1.0.0' }\ndo:\n  - both:\n      fork:\n        branches:\n          - left: { call: slack.chat.postMessage, with: { channel: C1, text: left } }\n          - right: { do: [ { w: { wait: PT1S } }, { s: { call: slack.chat.postMessage, with: { channel: C1, text: right } } } ] }\n  - after: { set: { done: true } }\n";
    survives_every_crash(Story::of(text, Value::Null), true).await;
}

#[tokio::test]
async fn events_that_are_sent_survive_every_crash() {
    survives_every_crash(story("emit", json!({"id": "1", "order": 7})), false).await;
}

#[tokio::test]
async fn waits_for_events_survive_every_crash_and_take_each_event_once() {
    let event = |id: &str, kind: &str, rest: Value| {
        let mut event = json!({"type": kind, "source": "test", "id": id});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        event
    };
    let message =
        json!({"subject": "C01", "priority": 3, "data": {"text": "hi", "thread_ts": "1.5"}});
    let mut events = vec![
        event("1", "slack.message", message),
        event("2", "a", json!({"room": "x"})),
        event("3", "b", json!({})),
    ];
    events.extend((4..8).map(|id| event(&id.to_string(), "other", json!({"data": id}))));
    events.extend((8..10).map(|id| event(&id.to_string(), "a", json!({"data": {"value": id}}))));
    events.push(event("10", "end", json!({})));
    let story = Story { events, ..story("listen", json!({})) };
    survives_every_crash(story, true).await;
}

#[tokio::test]
async fn retries_survive_every_crash() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: again, version: '1.0.0' }\ndo:\n  - guard:\n      try:\n        - note: { set: { n: 1 } }\n        - bad: { raise: { error: { type: 'https://example.com/e', status: 503 } } }\n      catch:\n        retry: { delay: PT1S, backoff: { linear: {} }, jitter: { from: PT0S, to: PT1S }, limit: { attempt: { count: 3, duration: PT1M } } }\n        do: [ { gave: { set: { up: true } } } ]\n";
    survives_every_crash(Story::of(text, Value::Null), true).await;
    survives_every_crash(story("retry", json!({"delay": "PT1S"})), true).await;
}

#[tokio::test]
async fn runs_of_other_workflows_survive_every_crash_and_begin_once() {
    let child = |name: &str, version: &str, tasks: &str| {
        format!(
            "document: {{ dsl: '1.0.3', namespace: test, name: {name}, version: '{version}' }}\ndo:\n{tasks}"
        )
    };
    let send = "  - w: { wait: PT1S }\n  - s: { call: slack.chat.postMessage, with: { channel: C1, text: hi } }\n";
    let others = vec![
        child("child-flow", "1.2.0", send),
        child("log", "1.0.0", "  - a: { set: { a: 1 } }\n"),
    ];
    let story = Story { others, ..story("run", json!({"user": "ana"})) };
    survives_every_crash(story, true).await;
}

#[tokio::test]
async fn functions_survive_every_crash() {
    let text = "document: { dsl: '1.0.3', namespace: test, name: fun, version: '1.0.0' }\nuse:\n  functions:\n    greet: { do: [ { say: { set: { text: '${ \"Hello \" + .name }' } } }, { tell: { call: slack.chat.postMessage, with: { channel: C1, text: '${ .text }' } } } ] }\n    twice: { do: [ { a: { call: greet, with: { name: ana } } }, { b: { call: greet, with: { name: ben } } } ] }\ndo:\n  - hello: { call: twice }\n";
    survives_every_crash(Story::of(text, Value::Null), true).await;
}

#[tokio::test]
async fn timeouts_by_expression_survive_every_crash() {
    let input = json!({"limit": "PT5S", "total": "PT1M"});
    survives_every_crash(story("timeouts", input), true).await;
}
