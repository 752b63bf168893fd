//! nats-server killed and partitioned while people and an agent go on: decisions over NATS and HTTP, all of them signed.
//! Nothing that was answered is lost, nothing is done twice, and the stream has each event once, in order.
//!
//! `PLACET_DECISIONS` and `PLACET_KILLS` ask for more than CI does, `PLACET_SEED` for another story.
//!
//! covers: S7, S10, T20, A6, A7

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, HeaderMap};
use placet_model::decision::Verdict;
use placet_model::signed::Said;
use placet_test_support::nats::NatsServer;
use placet_test_support::partition::Way;
use placet_test_support::random::Random;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Office, action, inbox, known, post, runtime, signed, stream_of};
use crate::world::POST;

/// What CI does.
const DECISIONS: u64 = 500;
const KILLS: u64 = 5;
/// Decisions under way at once.
const AT_ONCE: u64 = 24;
/// How long one decision may take, over all that happens meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one try of a request waits before the same one is sent again.
const TRY: Duration = Duration::from_secs(2);

/// Between two tries.
const PACE: Duration = Duration::from_millis(20);

fn asked_for(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// By which door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Nats,
    Http,
}

/// What one person was told in the end.
#[derive(Debug)]
struct Told {
    run: String,
    decision: String,
    state: String,
    position: u64,
}

struct People<'o> {
    office: &'o Office,
    address: String,
    clients: BTreeMap<&'static str, Client>,
    /// Requests that had to be sent again.
    again: AtomicU64,
}

impl People<'_> {
    /// Asks until there is an answer, always under the same request id.
    async fn ask(
        &self,
        (who, by): (&'static str, By),
        (subject, path): (&str, &str),
        body: &Value,
        id: &str,
    ) -> Value {
        let until = Instant::now() + PATIENCE;
        // where nobody is there to answer, the next try does not come at once
        let mut pace = tokio::time::interval(PACE);
        loop {
            pace.tick().await;
            let answer = match by {
                By::Nats => self.over_nats(who, subject, body, id).await,
                By::Http => {
                    let door = (self.address.as_str(), self.office.tokens[who].as_str());
                    timeout(TRY, post(door, path, (body, id)))
                        .await
                        .ok()
                        .and_then(Result::ok)
                        .map(|(_, _, body)| body)
                }
            };
            if let Some(answer) = answer {
                return answer;
            }
            assert!(Instant::now() < until, "no answer to {subject} by {who}");
            self.again.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn over_nats(&self, who: &str, subject: &str, body: &Value, id: &str) -> Option<Value> {
        let mut headers = HeaderMap::new();
        headers.insert("Placet-Request-Id", id);
        let client = &self.clients[who];
        let asked =
            client.request_with_headers(subject.to_owned(), headers, body.to_string().into());
        let answer = timeout(TRY, asked).await.ok()?.ok()?;
        Some(serde_json::from_slice(&answer.payload).expect("JSON"))
    }

    /// An action, its card, a signed verdict on it.
    async fn decide(&self, number: u64) -> Told {
        let by = |bit: u64| if number & bit == 0 { By::Nats } else { By::Http };
        let key = format!("act-{number}");
        let act = ("placet.v1.act.robot", "/actions");
        // a channel each: Slack takes one message a second for a channel
        let mut asked = action(&key);
        asked["with"]["channel"] = json!(format!("C{number}"));
        let acted = self.ask(("robot", by(1)), act, &asked, &key).await;
        let text = |answer: &Value, member: &str| {
            answer[member].as_str().unwrap_or_else(|| unreachable!("{answer}")).to_owned()
        };
        let (run, decision) = (text(&acted, "run"), text(&acted, "decision"));
        let who = if number.is_multiple_of(3) { "ben" } else { "ana" };
        let get = inbox(who, "get");
        let card =
            self.ask((who, By::Nats), (&get, ""), &json!({ "decision": decision }), "card").await;
        let verdict = if number.is_multiple_of(10) { Verdict::Reject } else { Verdict::Approve };
        let envelope = signed(&self.office.seeds[who], who, &[&card], Said::Vote(verdict));
        let doors = (inbox(who, "decide"), format!("/decisions/{decision}/votes"));
        let id = format!("vote-{number}");
        let answer = self.ask((who, by(2)), (&doors.0, &doors.1), &envelope, &id).await;
        let position = answer["position"].as_u64().unwrap_or_else(|| unreachable!("{answer}"));
        Told { run, decision, state: text(&answer, "state"), position }
    }
}

/// What the server and the way to it go through.
struct Trouble<'s> {
    server: &'s mut NatsServer,
    way: &'s Way,
    done: watch::Receiver<u64>,
    random: Random,
    partitions: u64,
    cuts: u64,
}

impl Trouble<'_> {
    /// Kills the server and breaks the engine's way to it, at moments that go by how far people have come.
    async fn go(&mut self, (kills, decisions): (u64, u64)) {
        for number in 1..=kills {
            self.until(number * decisions / (kills + 1), PATIENCE).await;
            self.break_way(number).await;
            self.server.kill_9();
            let away = Duration::from_millis(self.random.below(500));
            self.until(u64::MAX, away).await;
            tokio::task::block_in_place(|| self.server.restart());
        }
    }

    /// A way that swallows everything, healed without a word to anybody (one in five) or with the end of each
    /// connection; or cut at once.
    async fn break_way(&mut self, number: u64) {
        if number.is_multiple_of(2) {
            self.way.cut();
            self.cuts += 1;
            return;
        }
        self.way.partition();
        self.partitions += 1;
        let broken = Duration::from_millis(200 + self.random.below(400));
        self.until(u64::MAX, broken).await;
        if number % 5 == 1 { self.way.heal() } else { self.way.cut() }
    }

    /// Until so many decisions are made, or for so long.
    async fn until(&mut self, decisions: u64, at_most: Duration) {
        // what comes first
        drop(timeout(at_most, self.done.wait_for(|done| *done >= decisions)).await);
    }
}

#[test]
fn a_server_killed_and_partitioned_during_decisions_loses_none_and_doubles_none() {
    let name = "a_server_killed_and_partitioned_during_decisions_loses_none_and_doubles_none";
    let (decisions, kills) =
        (asked_for("PLACET_DECISIONS", DECISIONS), asked_for("PLACET_KILLS", KILLS));
    let limits = "agent_open_max = 100000\nagent_minute_max = 1000000";
    let Some(mut office) = Office::open(name, limits) else { return };
    // the server is killed from beside those who use it
    let Some(spare) = NatsServer::start_or_skip(name) else { return };
    let mut server = std::mem::replace(&mut office.server, spare);
    let url = server.url();
    let began = Instant::now();
    let runtime = runtime();
    let (told, again, (partitions, cuts)) =
        runtime.block_on(storm(&office, &mut server, (&url, decisions, kills)));
    let took = began.elapsed();
    office.server = server;
    let last = check(&office, &told, decisions);
    let stream = runtime.block_on(stream_of(&office, last));
    let log = office.log(&[]);
    let positions: Vec<u64> = stream.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, (1..=last).collect::<Vec<_>>(), "each once, in order");
    for ((position, published), recorded) in stream.iter().zip(&log) {
        assert_eq!(published, recorded, "at {position}");
    }
    println!(
        "{decisions} decisions in {:.1} s ({}/s), {kills} kills, {partitions} partitions, {cuts} cuts, {again} requests sent \
         again; {} sends, {last} events in the stream: 0 lost, 0 doubled",
        took.as_secs_f64(),
        decisions / took.as_secs().max(1),
        office.provider.applied_at(POST).len()
    );
}

/// A client that soon finds out that its server is gone, and comes back at once.
async fn connect(url: &str, known: ConnectOptions) -> Client {
    let options = known
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|_| Duration::from_millis(50))
        .retry_on_initial_connect();
    options.connect(url).await.expect("the server knows the key")
}

async fn storm(
    office: &Office,
    server: &mut NatsServer,
    (url, decisions, kills): (&str, u64, u64),
) -> (Vec<Told>, u64, (u64, u64)) {
    let mut clients = BTreeMap::new();
    for who in ["ana", "ben", "robot"] {
        clients.insert(who, connect(url, known(&office.seeds[who])).await);
    }
    let people = People { office, address: office.address(), clients, again: AtomicU64::new(0) };
    let (count, done) = watch::channel(0_u64);
    let next = AtomicU64::new(0);
    let worker = || async {
        let mut told = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= decisions {
                return told;
            }
            told.push(people.decide(number).await);
            count.send_modify(|count| *count += 1);
        }
    };
    let workers = futures_util::future::join_all((0..AT_ONCE).map(|_| worker()));
    let random = Random::new(asked_for("PLACET_SEED", 1));
    let mut trouble = Trouble { server, way: &office.way, done, random, partitions: 0, cuts: 0 };
    let (told, ()) = tokio::join!(workers, trouble.go((kills, decisions)));
    let again = people.again.load(Ordering::Relaxed);
    (told.into_iter().flatten().collect(), again, (trouble.partitions, trouble.cuts))
}

/// Everything comes to its end; what people were told is what is in the log, once each. The log's last position.
fn check(office: &Office, told: &[Told], decisions: u64) -> u64 {
    assert_eq!(told.len() as u64, decisions);
    let unique: BTreeSet<&str> = told.iter().map(|told| told.decision.as_str()).collect();
    assert_eq!(unique.len(), told.len(), "one decision for each action");
    let last_run = told.iter().max_by_key(|told| told.position).expect("somebody was told");
    let ended = |events: &[Value]| {
        let is_end =
            |event: &&Value| event["type"] == "RunCompleted" || event["type"] == "RunFaulted";
        events.iter().filter(is_end).count() as u64
    };
    let kind = if last_run.state == "approved" { "RunCompleted" } else { "RunFaulted" };
    office.until(&last_run.run, kind);
    let until = Instant::now() + PATIENCE;
    let log = loop {
        let log = office.log(&[]);
        if ended(&log) >= decisions {
            break log;
        }
        assert!(Instant::now() < until, "{} of {decisions} runs have ended", ended(&log));
    };
    let of = |kind: &str| -> BTreeMap<String, Vec<Value>> {
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in log.iter().filter(|event| event["type"] == kind) {
            let decision = event["body"]["decision"].as_str().unwrap_or_default().to_owned();
            found.entry(decision).or_default().push(event.clone());
        }
        found
    };
    let (votes, settled, started) = (of("VoteCast"), of("DecisionSettled"), of("AttemptStarted"));
    assert_eq!(
        (votes.len(), settled.len()),
        (told.len(), told.len()),
        "nobody else has decided anything"
    );
    for told in told {
        let vote = &votes[&told.decision];
        assert_eq!((vote.len(), settled[&told.decision].len()), (1, 1), "{told:?}");
        assert_eq!(
            (&vote[0]["position"], &vote[0]["body"]["assurance"]),
            (&json!(told.position), &json!("nkey"))
        );
        let tries = started.get(&told.decision).map_or(0, Vec::len);
        assert_eq!(tries, usize::from(told.state == "approved"), "{told:?}");
    }
    let approved = told.iter().filter(|told| told.state == "approved").count();
    assert_eq!(office.provider.applied_at(POST).len(), approved, "each approved one was sent once");
    log.last().and_then(|event| event["position"].as_u64()).expect("a position")
}
