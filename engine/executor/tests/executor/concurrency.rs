//! Many at once: votes, pauses, cancelling and stopping against each other, in whatever order they
//! come. What the log says afterwards must be lawful at every place of it.
//!
//! covers: S7, S25, T2, T12

use crate::world::{Recorder, World, fixture, name, open_log, people, start_with};
use placet_adapters::{Answer, Call, Cause, Failed, Performing, Response, Transport};
use placet_executor::{Clock, Error, Notice, Start, Vote};
use placet_model::actor::{PrincipalKind, Role};
use placet_model::approval::Threshold;
use placet_model::decision::{Assurance, Resolution, Verdict, Voter};
use placet_model::draft::Mode;
use placet_model::policy::{Match, Policy, PrincipalInfo, Require, Rule};
use placet_model::project::ProjectConfig;
use placet_model::{Event, Position, RecordedEvent, RunId};
use placet_projections::{DecisionRow, RunFilter, RunStatus, Views};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Counts every call when the transport gets it, and answers when the turnstile is open.
#[derive(Debug)]
struct Turnstile {
    begun: watch::Sender<usize>,
    open: Semaphore,
}

impl Turnstile {
    fn closed() -> Arc<Self> {
        Arc::new(Self { begun: watch::channel(0).0, open: Semaphore::new(0) })
    }

    fn open(&self) {
        self.open.add_permits(1 << 20);
    }

    fn begun(&self) -> usize {
        *self.begun.borrow()
    }

    async fn begun_at_least(&self, count: usize) {
        let mut begun = self.begun.subscribe();
        begun.wait_for(|begun| *begun >= count).await.unwrap();
    }
}

fn answer(call: &Call) -> Answer {
    match call.input["text"].as_str() {
        Some("refused") => json_answer(&json!({"ok": false, "error": "channel_not_found"})),
        Some("lost") => Err(Failed::after(Cause::Timeout, "no answer")),
        _ => json_answer(
            &json!({"ok": true, "channel": "C0123", "ts": "1700000000.000100", "message": {}}),
        ),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer")]
fn json_answer(body: &serde_json::Value) -> Answer {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Ok(Response::new(200, headers, serde_json::to_vec(body).unwrap()))
}

impl Transport for Turnstile {
    fn perform(&self, call: Call) -> Performing<'_> {
        self.begun.send_modify(|begun| *begun += 1);
        Box::pin(async move {
            let _pass = self.open.acquire().await.unwrap();
            answer(&call)
        })
    }
}

async fn busy(transport: Arc<Turnstile>) -> World {
    let config = ProjectConfig { project: "test".into(), ..ProjectConfig::default() };
    let place = (open_log(None), Clock::System);
    let world = start_with(config, place, transport, Arc::new(Recorder::default())).await.unwrap();
    world.furnish().await;
    world
}

/// Begins runs that ask, one for each text, and waits until every request is in the inbox.
async fn ask(world: &World, texts: &[&str]) -> Vec<(RunId, DecisionRow)> {
    let plan = world.deploy(&fixture("ok/slack-notify.yaml")).await;
    let mut starts = JoinSet::new();
    for (number, text) in texts.iter().enumerate() {
        // a channel each: Slack takes one message a second for a channel
        let input = json!({"channel": format!("C{number}"), "text": text});
        let start = Start { plan, input, requester: name("author"), mode: Mode::Live, seed: 0 };
        let handle = world.handle.clone();
        starts.spawn(async move { handle.start(start).await.unwrap() });
    }
    let _runs = starts.join_all().await;
    let view = world.handle.view().unwrap();
    let rows = Views::new(&view).unwrap().open(None, usize::MAX).unwrap();
    assert_eq!(rows.len(), texts.len(), "a start answers when its request is on disk");
    rows.into_iter().map(|row| (row.run, row)).collect()
}

fn vote(world: &World, row: &DecisionRow, who: &str, verdict: Verdict) -> Vote {
    Vote {
        ballot: world.ballot(row, verdict),
        voter: Voter { principal: name(who), assurance: Assurance::Test },
        request_id: None,
        signed: None,
    }
}

async fn approve_all(world: &World, asked: &[(RunId, DecisionRow)]) {
    let mut votes = JoinSet::new();
    for (_, row) in asked {
        let (handle, vote) = (world.handle.clone(), vote(world, row, "approver", Verdict::Approve));
        votes.spawn(async move { handle.vote(vote).await.map(drop) });
    }
    for voted in votes.join_all().await {
        voted.unwrap();
    }
}

/// Waits until this many runs are over.
async fn over(world: &mut World, count: usize) {
    let ended = |world: &World| {
        let view = world.handle.view().unwrap();
        let runs = Views::new(&view).unwrap().runs(&RunFilter::default(), None, usize::MAX);
        let is_over = |status| !matches!(status, RunStatus::Running | RunStatus::Waiting);
        runs.unwrap().iter().filter(|run| is_over(run.status)).count()
    };
    while ended(world) < count {
        let wait = placet_test_support::DEADLINE;
        let notice = tokio::time::timeout(wait, world.notices.recv());
        let told = notice.await.unwrap_or_else(|_| panic!("stuck at {} of {count}", ended(world)));
        assert_ne!(told, Ok(Notice::Failed));
    }
}

fn events(world: &World) -> Vec<RecordedEvent> {
    let view = world.handle.view().unwrap();
    view.events(Position::new(1)).map(Result::unwrap).collect()
}

fn count(events: &[RecordedEvent], name: &str) -> usize {
    events.iter().filter(|event| event.event.type_name() == name).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_wait_for_a_place_do_not_leave_after_an_acknowledged_pause() {
    let turnstile = Turnstile::closed();
    let mut world = busy(Arc::clone(&turnstile)).await;
    let asked = ask(&world, &["hello"; 530]).await;
    approve_all(&world, &asked).await;
    turnstile.begun_at_least(512).await;
    world.handle.pause(&name("author"), None).await.unwrap();
    turnstile.open();
    over(&mut world, 512).await;
    assert_eq!(turnstile.begun(), 512, "the others have waited, and were held");
    world.handle.resume(&name("author"), None).await.unwrap();
    over(&mut world, 530).await;
    assert_eq!(turnstile.begun(), 530);
    let events = events(&world);
    assert_eq!(count(&events, "VoteCast"), 530, "nobody was asked twice");
    assert_eq!(count(&events, "AttemptInDoubt"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_leaves_once_a_pause_that_races_with_approvals_is_acknowledged() {
    for _ in 0..4 {
        let turnstile = Turnstile::closed();
        turnstile.open();
        let world = busy(Arc::clone(&turnstile)).await;
        let asked = ask(&world, &["hello"; 50]).await;
        let pausing = async {
            tokio::task::yield_now().await;
            world.handle.pause(&name("author"), None).await.unwrap();
            turnstile.begun()
        };
        let ((), left) = tokio::join!(approve_all(&world, &asked), pausing);
        let World { engine, .. } = world;
        engine.stop().await.unwrap();
        assert_eq!(turnstile.begun(), left);
    }
}

fn crowd(size: usize, approve: u8) -> Policy {
    let mut policy = people();
    for number in 0..size {
        let info = PrincipalInfo {
            kind: PrincipalKind::User,
            roles: [Role::Approver].into_iter().collect(),
        };
        policy.principals.insert(name(&format!("voter-{number}")), info);
    }
    policy.rules.push(Rule {
        name: "several".into(),
        matches: Match::default(),
        require: Require {
            thresholds: vec![Threshold::of(vec![], approve.into())],
            ..Require::default()
        },
        ..Rule::default()
    });
    policy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_votes_at_once_settle_once_and_the_others_are_told_so() {
    for needed in [1_u8, 3] {
        let turnstile = Turnstile::closed();
        turnstile.open();
        let mut world = busy(Arc::clone(&turnstile)).await;
        world.handle.apply_policy(&name("author"), crowd(100, needed)).await.unwrap();
        let (_, row) = ask(&world, &["hello"]).await.remove(0);
        let mut votes = JoinSet::new();
        for number in 0..100 {
            let who = format!("voter-{number}");
            let (handle, vote) = (world.handle.clone(), vote(&world, &row, &who, Verdict::Approve));
            votes.spawn(async move { handle.vote(vote).await });
        }
        let results = votes.join_all().await;
        let (counted, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(counted.len(), usize::from(needed));
        let codes: Vec<_> = refused.into_iter().map(|vote| vote.unwrap_err().code()).collect();
        assert!(codes.iter().all(|code| *code == "PL3007"), "{codes:?}");
        over(&mut world, 1).await;
        let events = events(&world);
        assert_eq!(count(&events, "DecisionSettled"), 1);
        assert_eq!(count(&events, "VoteCast"), usize::from(needed));
        assert_eq!(turnstile.begun(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn t12_cancelling_and_approving_at_once_send_once_or_not_at_all() {
    let turnstile = Turnstile::closed();
    turnstile.open();
    let mut world = busy(Arc::clone(&turnstile)).await;
    let asked = ask(&world, &["hello"; 60]).await;
    let mut acts = JoinSet::new();
    for (number, (run, row)) in asked.iter().enumerate() {
        let (handle, other, run) = (world.handle.clone(), world.handle.clone(), *run);
        let vote = vote(&world, row, "approver", Verdict::Approve);
        let cancelling = async move { handle.cancel(run, name("author"), None).await.map(drop) };
        let voting = async move { other.vote(vote).await.map(drop) };
        if number % 2 == 0 {
            acts.spawn(cancelling);
            acts.spawn(voting);
        } else {
            acts.spawn(voting);
            acts.spawn(cancelling);
        }
    }
    for act in acts.join_all().await {
        let code = act.err().map(|error| error.code());
        assert!(matches!(code, None | Some("PL3014" | "PL3007" | "PL4008")), "{code:?}");
    }
    over(&mut world, 60).await;
    let (mut cancelled, mut started) = (BTreeMap::new(), 0);
    for event in events(&world) {
        match event.event {
            Event::RunCancelled(_) => drop(cancelled.insert(event.stream, event.position)),
            Event::AttemptStarted(_) => {
                started += 1;
                assert!(!cancelled.contains_key(&event.stream), "{} was over", event.stream);
            }
            _ => {}
        }
    }
    assert_eq!(turnstile.begun(), started);
    println!("{} cancelled, {started} sent", cancelled.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_vote_in_the_log_was_cast_with_the_rights_of_its_place() {
    let turnstile = Turnstile::closed();
    turnstile.open();
    let world = busy(Arc::clone(&turnstile)).await;
    // one vote is not enough: no claim looks at the project again
    let with = crowd(0, 2);
    world.handle.apply_policy(&name("author"), with.clone()).await.unwrap();
    let mut without = with.clone();
    without.principals.remove(&name("approver"));
    let asked = ask(&world, &["hello"; 80]).await;
    for (round, (_, row)) in asked.iter().enumerate() {
        let policy = if round % 2 == 0 { without.clone() } else { with.clone() };
        let author = name("author");
        let (applied, _voted) = tokio::join!(
            world.handle.apply_policy(&author, policy),
            world.handle.vote(vote(&world, row, "approver", Verdict::Approve)),
        );
        applied.unwrap();
    }
    let view = world.handle.view().unwrap();
    let (mut policy, mut votes) = (Policy::default(), 0);
    for event in events(&world) {
        match &event.event {
            Event::PolicyChanged(body) => {
                let payload = view.payload(&event.stream, body.policy).unwrap();
                policy = serde_json::from_slice(payload.as_bytes()).unwrap();
            }
            Event::VoteCast(body) => {
                votes += 1;
                assert!(policy.principals.contains_key(&body.voter), "{}", event.position);
            }
            _ => {}
        }
    }
    println!("{votes} of 80 votes came in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stop_waits_for_calls_under_way_and_records_what_came_of_them() {
    let turnstile = Turnstile::closed();
    let world = busy(Arc::clone(&turnstile)).await;
    let asked = ask(&world, &["hello"; 20]).await;
    approve_all(&world, &asked).await;
    turnstile.begun_at_least(20).await;
    let World { engine, handle, .. } = world;
    let stopping = tokio::spawn(engine.stop());
    turnstile.open();
    stopping.await.unwrap().unwrap();
    let view = handle.view().unwrap();
    let events: Vec<_> = view.events(Position::new(1)).map(Result::unwrap).collect();
    assert_eq!(count(&events, "AttemptSucceeded"), 20);
    assert!(matches!(handle.notices().recv().await, Err(_closed)), "listeners hear the end");
    let again = vote_of(&handle, &asked[0].1);
    assert!(matches!(handle.vote(again).await, Err(Error::Stopping)));
}

fn vote_of(handle: &placet_executor::Handle, row: &DecisionRow) -> Vote {
    let ballot = placet_model::decision::Ballot {
        decision: row.decision,
        digest: row.digest,
        verdict: Verdict::Approve,
        nonce: handle.nonce(),
        time: handle.now(),
        reason: None,
    };
    let voter = Voter { principal: name("approver"), assurance: Assurance::Test };
    Vote { ballot, voter, request_id: None, signed: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_runs_at_once_end_each_in_its_own_way() {
    const KINDS: [(&str, Verdict); 4] = [
        ("hello", Verdict::Approve),
        ("refused", Verdict::Approve),
        ("lost", Verdict::Approve),
        ("hello", Verdict::Reject),
    ];
    let turnstile = Turnstile::closed();
    turnstile.open();
    let mut world = busy(Arc::clone(&turnstile)).await;
    let texts: Vec<_> = KINDS.iter().cycle().take(200).map(|(text, _)| *text).collect();
    let asked = ask(&world, &texts).await;
    let mut hellos = 0;
    let mut acts = JoinSet::new();
    for (_, row) in &asked {
        let view = world.handle.view().unwrap();
        let stream = placet_model::StreamId::Run(row.run);
        let with = view.payload(&stream, row.with).unwrap();
        let with: serde_json::Value = serde_json::from_slice(with.as_bytes()).unwrap();
        let (text, mut verdict) = (with["text"].as_str().unwrap().to_owned(), Verdict::Approve);
        if text == "hello" {
            hellos += 1;
            verdict = if hellos % 2 == 0 { Verdict::Reject } else { Verdict::Approve };
        }
        let (handle, vote) = (world.handle.clone(), vote(&world, row, "approver", verdict));
        let decision = row.decision;
        acts.spawn(async move {
            let mut notices = handle.notices();
            handle.vote(vote).await.unwrap();
            if text != "lost" {
                return;
            }
            // as soon as it is in doubt
            loop {
                let by = name("approver");
                match handle.resolve(decision, Resolution::GiveUp, by).await {
                    Ok(_) => return,
                    Err(error) => assert_eq!(error.code(), "PL3016"),
                }
                let _any = notices.recv().await;
            }
        });
    }
    acts.join_all().await;
    over(&mut world, 200).await;
    let mut ends = BTreeMap::<String, usize>::new();
    for (run, _) in &asked {
        let report = world.handle.report(*run).unwrap();
        let kind = report["error"]["type"].as_str().unwrap_or("completed").to_owned();
        *ends.entry(kind.rsplit(['/', ':']).next().unwrap_or_default().to_owned()).or_default() +=
            1;
    }
    let wanted = [
        ("approval-rejected", 50),
        ("communication", 50),
        ("completed", 50),
        ("send-in-doubt", 50),
    ];
    let ends: Vec<_> = ends.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(ends, wanted);
    assert_eq!(turnstile.begun(), 150);
    let load = world.handle.load().await.unwrap();
    assert_eq!((load.runs, load.handed_out), (0, 0), "nothing of them stays in memory");
}
