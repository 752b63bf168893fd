//! `kill -9` of a real engine at random moments, again and again, while people act and the provider fails: a checker that
//! knows nothing but the events and what the provider saw finds every acknowledged act, no send twice, and nothing stuck.
//!
//! `PLACET_KILLS` asks for more kills than the few of CI, `PLACET_SEED` for another story. Each failure names its seed;
//! where exactly a kill falls is up to the machine.
//!
//! covers: S10, T11

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::time::Duration;

use placet_test_support::nats::NatsServer;
use placet_test_support::provider::{Answer, Behaviour, Received};
use placet_test_support::random::Random;
use serde_json::{Value, json};

use crate::world::{Live, POST, stream_is_the_log};

/// Kills of a CI run.
const KILLS: u64 = 8;
/// The latest moment of a kill, after people began to act.
const MILLIS_MAX: u64 = 900;

fn asked_for(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What people were told.
#[derive(Debug, Default)]
struct Told {
    runs: BTreeSet<String>,
    approved: BTreeSet<String>,
}

/// The send id in a message.
fn marker(message: &Received) -> String {
    let body = message.json().unwrap_or_default();
    body["metadata"]["event_payload"]["placet_send"].as_str().unwrap_or_default().to_owned()
}

fn effects(live: &Live) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for message in live.provider.applied_at(POST) {
        *effects.entry(marker(&message)).or_default() += 1;
    }
    effects
}

/// What a command answers that may meet a dead engine; none where it does.
fn read(live: &Live, user: &str, args: &[&str]) -> Option<Value> {
    let done = live.placet(args.iter().copied()).args(["--json", "--as", user]).run();
    (done.code == Some(0)).then(|| done.json())
}

/// Whether an act was acknowledged, that may meet a dead engine or come too late.
fn acted(live: &Live, user: &str, args: &[&str]) -> bool {
    let done = live.placet(args.iter().copied()).args(["--as", user]).run();
    assert_ne!(done.code, Some(2), "{args:?}: {}", done.stderr);
    done.code == Some(0)
}

fn begin(live: &Live, told: &mut Told, text: &str) {
    let input = json!({"channel": "C0SALES", "text": text}).to_string();
    if let Some(started) = read(live, "author", &["start", "ops/slack-notify", "--input", &input]) {
        told.runs.insert(started["run"].as_str().expect("a run").to_owned());
    }
}

/// Approves what waits, and says of what is in doubt whether it has arrived.
fn answer_all(live: &Live, told: &mut Told) {
    let Some(list) = read(live, "author", &["inbox", "list", "--all"]) else { return };
    for item in list["items"].as_array().expect("a list") {
        let decision = item["id"].as_str().expect("an id");
        if item["state"] == "in_doubt" {
            let Some(card) = read(live, "approver", &["inbox", "show", decision]) else { return };
            let send_id = card["document"]["send_id"].as_str().expect("a send id").to_owned();
            let arrived = effects(live).contains_key(&send_id);
            let word = if arrived { "sent" } else { "not-sent" };
            acted(live, "approver", &["inbox", "resolve", decision, word]);
        } else if item["state"] == "requested"
            && acted(live, "approver", &["inbox", "approve", decision])
        {
            told.approved.insert(decision.to_owned());
        }
    }
}

fn trouble(random: &mut Random) -> Behaviour {
    match random.below(6) {
        0 => Behaviour::ApplyThenReset,
        1 => Behaviour::Reset,
        2 => Behaviour::ApplyThenGarbage,
        3 => Behaviour::TooManyRequests { retry_after_s: 1 },
        4 => Behaviour::Refuse(Answer::status(503, &json!({}))),
        _ => Behaviour::Slack,
    }
}

/// People act, and at some moment the engine is gone, or stands still for a while.
fn round(live: &mut Live, told: &mut Told, (random, text): (&mut Random, &str)) {
    live.provider.next_for(POST, trouble(random));
    let moment = Duration::from_millis(random.below(MILLIS_MAX));
    let stands_still = random.one_in(4);
    std::thread::scope(|scope| {
        let (done, over) = mpsc::channel();
        let live = &*live;
        scope.spawn(move || {
            begin(live, told, text);
            answer_all(live, told);
            // the engine may have been killed first, and nobody listens
            let _nobody_listens = done.send(());
        });
        let _which_comes_first = over.recv_timeout(moment);
        if stands_still {
            live.running().freeze();
            let _which_comes_first = over.recv_timeout(moment);
            live.running().thaw();
            let _it_goes_on = over.recv_timeout(moment);
        }
        live.running().strike();
    });
    live.kill_9();
    live.restart();
}

fn is_end(event: &Value) -> bool {
    ["RunCompleted", "RunFaulted", "RunCancelled"].iter().any(|kind| event["type"] == **kind)
}

/// Everything comes to an end; the events, from the first on to the last.
fn healed(live: &Live, told: &mut Told) -> Vec<Value> {
    let mut seen = 0;
    loop {
        answer_all(live, told);
        // nothing new within the deadline: it is stuck
        drop(live.door().events().until(|events| events.len() > seen));
        // all of them: a run of which nobody was told may have begun after the end of all others
        let events = live.json_lines(&["audit", "log"]);
        let begun = events.iter().filter(|event| event["type"] == "RunStarted").count();
        let ended = events.iter().filter(|event| is_end(event)).count();
        if begun == ended && begun >= told.runs.len() {
            return events;
        }
        seen = events.len();
    }
}

/// From the events and the provider alone.
fn check(events: &[Value], live: &Live, told: &Told) {
    let of_kind = |kind: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["type"] == kind).map(|event| &event["body"]).collect()
    };
    let streams: BTreeSet<&str> = events.iter().filter_map(|e| e["stream"].as_str()).collect();
    for run in &told.runs {
        assert!(streams.contains(format!("run:{run}").as_str()), "{run} is lost");
    }
    let voted: BTreeSet<&str> =
        of_kind("VoteCast").iter().filter_map(|body| body["decision"].as_str()).collect();
    for decision in &told.approved {
        assert!(voted.contains(decision.as_str()), "the vote on {decision} is lost");
    }
    let effects = effects(live);
    assert!(effects.values().all(|count| *count == 1), "sent twice: {effects:?}");
    let mut started: BTreeMap<&str, &str> = BTreeMap::new();
    for body in of_kind("AttemptStarted") {
        let attempt = body["attempt"].as_str().expect("an id");
        let decision = body["decision"].as_str().expect("every send has a decision");
        assert!(voted.contains(decision), "{attempt} was never approved");
        started.insert(attempt, body["send_id"].as_str().expect("a send id"));
    }
    for message in live.posts() {
        assert!(started.values().any(|send_id| *send_id == marker(&message)), "no record of it");
    }
    let arrived = |body: &Value| {
        let attempt = body["attempt"].as_str().expect("an id");
        effects.get(started[attempt]).copied().unwrap_or_default()
    };
    for body in of_kind("AttemptSucceeded") {
        assert_eq!(arrived(body), 1, "succeeded and never arrived: {body}");
    }
    for body in of_kind("AttemptReconciled") {
        assert_eq!(arrived(body), usize::from(body["resolution"] == "sent"), "{body}");
    }
}

#[test]
fn an_engine_killed_at_random_moments_loses_nothing_and_sends_nothing_twice() {
    let (kills, seed) = (asked_for("PLACET_KILLS", KILLS), asked_for("PLACET_SEED", 1));
    println!("PLACET_SEED={seed}");
    let mut random = Random::new(seed);
    let (mut live, mut told) = (Live::start(), Told::default());
    for number in 0..kills {
        round(&mut live, &mut told, (&mut random, &format!("message {number}")));
    }
    live.provider.otherwise(Behaviour::Slack);
    let events = healed(&live, &mut told);
    check(&events, &live, &told);
    println!(
        "{kills} kills, {} runs and {} approvals acknowledged, {} sends, 0 lost, 0 twice",
        told.runs.len(),
        told.approved.len(),
        effects(&live).len()
    );
}

/// Engine and server die in turn; what was said while the other was gone comes once, and in order.
#[test]
fn engine_and_nats_server_killed_in_turn_leave_the_stream_whole() {
    let name = "engine_and_nats_server_killed_in_turn_leave_the_stream_whole";
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    let seed = asked_for("PLACET_SEED", 1);
    println!("PLACET_SEED={seed}");
    let mut random = Random::new(seed);
    let mut live = Live::on_nats(&server, None);
    let mut last = 0;
    for number in 0..asked_for("PLACET_KILLS", 6) {
        let without_server = random.one_in(2);
        if without_server {
            server.kill_9();
        }
        let asked = live.ask(&format!("message {number}"));
        live.approve(&asked);
        let end = live.until(&asked.run, "RunCompleted").pop().expect("the end of the run");
        last = end["position"].as_u64().expect("a position");
        if without_server {
            server.restart();
        }
        if !without_server || random.one_in(2) {
            live.kill_9();
            live.restart();
        }
    }
    stream_is_the_log(&server, &live, last);
}
