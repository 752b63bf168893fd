//! Gmail as an operator has it, against a stand-in mailbox on loopback: a push is a hint that only a token
//! of the issuer for us brings, what came is read from the last position on, and each message becomes an
//! arrival once, whatever is pushed again and whenever the process dies.
//!
//! covers: S15

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use placet_test_support::token::{base64, published, signed};
use serde_json::{Value, json};

use crate::world::Live;
use crate::world::hook::Post;

const ME: &str = "ops@example.com";
const AUDIENCE: &str = "https://placet.example/hooks/gmail/gmail";
const ACCOUNT: &str = "push@acme.iam.gserviceaccount.com";
const TOPIC: &str = "projects/acme/topics/gmail";
const WEEK_S: u64 = 7 * 24 * 3_600;
const MESSAGES: &str = "/gmail/v1/users/me/messages/";

/// A stand-in mailbox: its messages with the position at which each came.
#[derive(Debug, Default)]
struct Mailbox {
    position: u64,
    messages: Vec<(u64, String, Vec<&'static str>)>,
    /// Positions before this one are not known any more.
    forgotten: u64,
    /// The message whose next look is never answered.
    silent: Option<&'static str>,
}

type Shared = Arc<Mutex<Mailbox>>;

impl Mailbox {
    fn comes(&mut self, id: &str, labels: &[&'static str]) {
        self.position += 10;
        self.messages.push((self.position, id.to_owned(), labels.to_vec()));
    }
}

fn answer(body: &Value) -> Behaviour {
    Behaviour::Answer(Answer::json(body))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn plays(mailbox: &Shared, request: &Received) -> Behaviour {
    let mut mailbox = mailbox.lock().expect("nobody panics");
    let query = request.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let given = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    let gone = json!({"error": {"code": 404, "message": "Requested entity was not found.", "errors": [{"reason": "notFound"}]}});
    match request.path() {
        "/certs" => answer(&published()),
        "/gmail/v1/users/me/profile" => {
            answer(&json!({"emailAddress": ME, "historyId": mailbox.position.to_string()}))
        }
        "/gmail/v1/users/me/watch" => answer(&json!({
            "historyId": mailbox.position.to_string(), "expiration": ((now_s() + WEEK_S) * 1000).to_string(),
        })),
        "/gmail/v1/users/me/stop" => Behaviour::Answer(Answer::json(&json!({}))),
        "/gmail/v1/users/me/history" => {
            let from: u64 = given("startHistoryId").and_then(|id| id.parse().ok()).unwrap_or(0);
            if from < mailbox.forgotten {
                return Behaviour::refuse(404, &gone);
            }
            let came = mailbox.messages.iter().filter(|(at, ..)| *at > from);
            let came: Vec<Value> = came
                .map(|(at, id, _)| json!({"id": at.to_string(), "messagesAdded": [{"message": {"id": id, "threadId": id}}]}))
                .collect();
            let mut body = json!({"historyId": mailbox.position.to_string()});
            if !came.is_empty() {
                body["history"] = json!(came);
            }
            answer(&body)
        }
        "/gmail/v1/users/me/messages" => {
            let all = mailbox.messages.iter().rev();
            let all: Vec<Value> = all.map(|(_, id, _)| json!({"id": id, "threadId": id})).collect();
            answer(&json!({"messages": all}))
        }
        path => {
            let Some(id) = path.strip_prefix(MESSAGES) else { return Behaviour::Slack };
            if mailbox.silent.take_if(|silent| *silent == id).is_some() {
                return Behaviour::ApplyThenSilence;
            }
            match mailbox.messages.iter().find(|(_, known, _)| known == id) {
                Some((_, id, labels)) => answer(&json!({
                    "id": id, "threadId": id, "labelIds": labels, "historyId": "1",
                    "internalDate": (now_s() * 1000).to_string(),
                })),
                None => Behaviour::refuse(404, &gone),
            }
        }
    }
}

fn world() -> (Live, Shared) {
    let mut live = Live::stopped();
    let mailbox: Shared = Arc::new(Mutex::new(Mailbox { position: 1_000, ..Mailbox::default() }));
    let played = Arc::clone(&mailbox);
    live.provider.otherwise(Behaviour::Play(Play::new(move |request, _| plays(&played, request))));
    live.restart();
    let settings = [
        format!("api_base={}", live.provider.url("")),
        format!("push_keys={}", live.provider.url("/certs")),
        format!("push_audience={AUDIENCE}"),
        format!("push_account={ACCOUNT}"),
        format!("push_topic={TOPIC}"),
    ];
    let connect = live.placet(["integrations", "connect", "gmail"]);
    let connect = settings.iter().fold(connect, |connect, one| connect.args(["--set", one]));
    let connect = connect.args(["--credential", "access_token=env:GMAIL"]);
    drop(connect.env("GMAIL", "ya29.e2e").run().expect_code(0));
    (live, mailbox)
}

fn comes(mailbox: &Shared, id: &str) {
    mailbox.lock().expect("nobody panics").comes(id, &["INBOX", "UNREAD"]);
}

fn sync(live: &Live) -> Value {
    live.json("author", &["integrations", "sync", "gmail"])
}

/// How the mailbox was read, as the log has it: kind, position, taken.
fn readings(live: &Live) -> Vec<(String, String, u64)> {
    let events = live.json_lines(&["audit", "log", "--type", "SyncCompleted"]);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let reading = |event: &Value| {
        let body = &event["body"];
        (text(&body["kind"]), text(&body["position"]), body["taken"].as_u64().expect("a count"))
    };
    events.iter().map(reading).collect()
}

fn arrivals(live: &Live) -> usize {
    live.json_lines(&["audit", "log", "--type", "InboundReceived"]).len()
}

fn claims() -> Value {
    json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "email": ACCOUNT,
        "email_verified": true, "iat": now_s(), "exp": now_s() + 600,
    })
}

/// What Pub/Sub posts, and the status of the answer.
fn push(live: &Live, token: Option<&str>) -> Option<u16> {
    let hint = json!({"emailAddress": ME, "historyId": "99999999"}).to_string();
    let message = json!({"data": base64(hint.as_bytes()), "messageId": "1", "publishTime": "2026-01-01T00:00:00Z"});
    let body =
        json!({"message": message, "subscription": "projects/acme/subscriptions/s"}).to_string();
    let address = &live.door().address;
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /hooks/gmail/gmail HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{token}Content-Length: {}\r\n\r\n",
        body.len()
    );
    Post { head, body }.send(address, DEADLINE)
}

/// Waits for the `n`th reading.
fn read(live: &Live, n: usize) {
    let is_one = |event: &&Value| event["type"] == "SyncCompleted";
    drop(live.door().events().until(|events| events.iter().filter(is_one).count() >= n));
}

#[test]
fn what_came_since_the_last_reading_is_taken_once_and_the_position_is_a_fact() {
    let (live, mailbox) = world();
    comes(&mailbox, "aaaaa1");
    assert_eq!(sync(&live)["kind"], "baseline", "what was there before is nobody's news");
    comes(&mailbox, "aaaaa2");
    mailbox.lock().expect("nobody panics").comes("aaaaa3", &["INBOX", "SENT"]);
    let read = sync(&live);
    assert_eq!(
        (&read["seen"], &read["taken"]),
        (&json!(2), &json!(1)),
        "our own is none: {read:#}"
    );
    assert_eq!(sync(&live)["seen"], 0);
    assert_eq!(arrivals(&live), 1);
    let expected = [("baseline", "1010", 0), ("changes", "1030", 1)];
    let expected = expected.map(|(kind, at, taken)| (kind.to_owned(), at.to_owned(), taken));
    assert_eq!(readings(&live), expected, "nothing new is nothing to record");
}

#[test]
fn a_push_with_a_token_of_the_issuer_has_it_read_and_is_repeated_without_harm() {
    let (live, mailbox) = world();
    sync(&live);
    comes(&mailbox, "bbbbb1");
    assert_eq!(push(&live, Some(&signed("issuer", &claims()))), Some(200));
    read(&live, 2);
    for _ in 0..3 {
        assert_eq!(push(&live, Some(&signed("issuer", &claims()))), Some(200));
    }
    comes(&mailbox, "bbbbb2");
    assert_eq!(push(&live, Some(&signed("issuer", &claims()))), Some(200));
    read(&live, 3);
    assert_eq!(arrivals(&live), 2);
    assert_eq!(live.provider.received_at("/certs").len(), 1, "the keys are kept");
}

#[test]
fn a_mailbox_is_watched_from_on_to_off_and_the_reading_begins_with_the_watch() {
    let (live, mailbox) = world();
    comes(&mailbox, "fffff1");
    let on = ["integrations", "hooks", "gmail", "on", "--at", "https://placet.example"];
    let hook = live.json("author", &on)["hooks"][0].clone();
    assert_eq!(hook["step"], "made", "{hook:#}");
    let until = hook["expires_at"].as_str().expect("it ends by itself");
    let until: placet_model::Timestamp = until.parse().expect("a moment");
    let in_s = until.as_secs() - i64::try_from(now_s()).expect("now");
    assert!((6 * 86_400..=7 * 86_400).contains(&in_s), "it ends in {in_s} s");
    let asked = live.provider.received_at("/gmail/v1/users/me/watch");
    assert_eq!(asked.len(), 1);
    let asked = asked[0].json().expect("JSON");
    assert_eq!((&asked["topicName"], &asked["labelIds"]), (&json!(TOPIC), &json!(["INBOX"])));
    // what was there is nobody's news, and what comes from the watch on is
    comes(&mailbox, "fffff2");
    assert_eq!(push(&live, Some(&signed("issuer", &claims()))), Some(200));
    read(&live, 2);
    assert_eq!(arrivals(&live), 1);
    live.done("author", &["integrations", "hooks", "gmail", "off"]);
    assert_eq!(live.provider.received_at("/gmail/v1/users/me/stop").len(), 1);
    let shown = live.json("author", &["integrations", "hooks", "gmail"]);
    assert_eq!(shown["hooks"][0]["step"], "removed", "{shown:#}");
}

#[test]
fn a_push_that_proves_nothing_has_nothing_read() {
    let (live, mailbox) = world();
    sync(&live);
    comes(&mailbox, "ccccc1");
    let looks = || live.provider.received_at("/gmail/v1/users/me/history").len();
    let before = looks();
    let mut other = claims();
    other["aud"] = json!("https://other.example/");
    let mut over = claims();
    over["exp"] = json!(now_s() - 1);
    let altered = signed("issuer", &claims()).replace('.', ".e");
    for (what, token) in [
        ("another audience", Some(signed("issuer", &other))),
        ("over", Some(signed("issuer", &over))),
        ("a stranger's", Some(signed("stranger", &claims()))),
        ("altered", Some(altered)),
        ("none", None),
    ] {
        assert_eq!(push(&live, token.as_deref()), Some(401), "{what}");
    }
    assert_eq!((looks(), arrivals(&live)), (before, 0));
}

#[test]
fn a_position_that_is_too_old_has_everything_read_and_nothing_taken_twice() {
    let (live, mailbox) = world();
    sync(&live);
    comes(&mailbox, "ddddd1");
    sync(&live);
    comes(&mailbox, "ddddd2");
    mailbox.lock().expect("nobody panics").forgotten = 5_000;
    let read = sync(&live);
    assert_eq!(
        (&read["kind"], &read["seen"], &read["taken"]),
        (&json!("full"), &json!(2), &json!(1))
    );
    assert_eq!(arrivals(&live), 2);
}

#[test]
fn a_kill_in_the_middle_of_a_reading_loses_nothing_and_doubles_nothing() {
    let (mut live, mailbox) = world();
    sync(&live);
    for id in ["eeeee1", "eeeee2", "eeeee3"] {
        comes(&mailbox, id);
    }
    // the first is taken, the second is never answered
    mailbox.lock().expect("nobody panics").silent = Some("eeeee2");
    let reading = live.placet(["integrations", "sync", "gmail", "--as", "author"]).start();
    let second = format!("{MESSAGES}eeeee2");
    live.provider.wait_until(|_| live.provider.received_at(&second).len() == 1);
    assert_eq!(arrivals(&live), 1);
    live.kill_9();
    drop(reading.finish());

    live.restart();
    read(&live, 2);
    assert_eq!(arrivals(&live), 3, "what came is read at the start, from where it stood");
    assert_eq!(readings(&live).last().map(|last| last.2), Some(2), "the first was there before");
}
