//! The inbox service as a NATS client meets it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message};
use futures_util::{StreamExt, stream};
use placet_bus::subjects::{HEADER_REQUEST_ID, HEADER_SERVICE_ERROR, HEADER_SERVICE_ERROR_CODE};
use placet_bus::{
    Bus, Inbox, InboxClient, InboxRefusal, InboxRequest, Notice, Options, Status, Verb, Word,
};
use placet_test_support::DEADLINE;
use placet_test_support::nats::NatsServer;
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::time::timeout;

use crate::kit::{Log, client, patient, status, token};

/// An engine that records what it is asked, answers `decide` when it is let to, and refuses the decision `dec_no`.
struct Engine {
    asked: Arc<Mutex<Vec<InboxRequest>>>,
    count: watch::Sender<usize>,
    gate: Arc<Semaphore>,
    notices: broadcast::Sender<Notice>,
}

impl Engine {
    fn new() -> Self {
        let notices = broadcast::Sender::new(16);
        Self {
            asked: Arc::default(),
            count: watch::Sender::new(0),
            gate: Arc::new(Semaphore::new(0)),
            notices,
        }
    }

    fn inbox(&self) -> Inbox {
        let (asked, count, gate) =
            (Arc::clone(&self.asked), self.count.clone(), Arc::clone(&self.gate));
        let notices = self.notices.clone();
        let notices = move || {
            let told = stream::unfold(notices.subscribe(), async |mut told| {
                Some((told.recv().await.ok()?, told))
            });
            told.boxed()
        };
        Inbox::new(notices, move |request: InboxRequest| {
            let (asked, count, gate) = (Arc::clone(&asked), count.clone(), Arc::clone(&gate));
            async move {
                asked.lock().expect("no test thread panics with it").push(request.clone());
                count.send_modify(|count| *count += 1);
                if request.verb == Verb::Decide {
                    gate.acquire().await.expect("the gate stays open").forget();
                }
                if request.body.get("decision") == Some(&json!("dec_no")) {
                    let title = "the digest is not that of the draft".to_owned();
                    return Err(InboxRefusal {
                        code: "PL3002".to_owned(),
                        title,
                        detail: "changed".to_owned(),
                    });
                }
                Ok(json!({"user": request.user.as_str(), "id": request.request_id}))
            }
        })
    }

    async fn asked(&self, wanted: usize) -> Vec<InboxRequest> {
        let mut count = self.count.subscribe();
        let reached = timeout(DEADLINE, count.wait_for(|count| *count >= wanted)).await;
        assert!(reached.is_ok(), "asked {} times", *self.count.borrow());
        self.asked.lock().expect("no test thread panics with it").clone()
    }
}

async fn serve(url: &str, engine: &Engine) -> Bus {
    let options = Options { url: url.to_owned(), seed: None, project: token("acme"), replicas: 1 };
    let bus = Bus::start(options, Log::named("log_a").source(), Some(engine.inbox()));
    status(&bus, |status| matches!(status, Status::Ready { .. })).await;
    bus
}

async fn ask(client: &Client, subject: &str, id: &str, body: Value) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER_REQUEST_ID, id);
    let answer =
        client.request_with_headers(subject.to_owned(), headers, body.to_string().into()).await;
    answer.expect("an answer")
}

fn body(message: &Message) -> Value {
    serde_json::from_slice(&message.payload).expect("JSON")
}

fn header(message: &Message, name: &str) -> String {
    let headers = message.headers.as_ref().expect("headers");
    headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn each_verb_reaches_the_engine_as_the_subjects_user() {
    let name = "each_verb_reaches_the_engine_as_the_subjects_user";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    engine.gate.add_permits(1);
    for (verb, kind) in
        [("list", Verb::List), ("get", Verb::Get), ("decide", Verb::Decide), ("stats", Verb::Stats)]
    {
        let subject = format!("placet.v1.inbox.ana.{verb}");
        // whoever the body claims to be, the subject's user is the one
        let answer = ask(&client, &subject, verb, json!({"user": "ben"})).await;
        assert_eq!(body(&answer), json!({"user": "ana", "id": verb}));
        let asked = engine.asked(1).await;
        assert_eq!(asked.last().unwrap().verb, kind);
    }
    let bare = client.request("placet.v1.inbox.ana.list", "".into()).await.unwrap();
    assert_eq!(body(&bare), json!({"user": "ana", "id": null}));
}

#[tokio::test]
async fn each_word_of_a_connections_life_reaches_the_engine_as_the_subjects_user() {
    let name = "each_word_of_a_connections_life_reaches_the_engine_as_the_subjects_user";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    for word in Word::ALL {
        let subject = format!("placet.v1.integrations.wendy.{}", word.text());
        let answer = ask(&client, &subject, word.text(), json!({"user": "ben"})).await;
        assert_eq!(body(&answer), json!({"user": "wendy", "id": word.text()}));
        let asked = engine.asked(1).await;
        assert_eq!(asked.last().unwrap().verb, Verb::Integrations(word));
    }
}

#[tokio::test]
async fn a_refusal_has_a_body_and_the_service_headers() {
    let name = "a_refusal_has_a_body_and_the_service_headers";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    let answer = ask(&client, "placet.v1.inbox.ana.get", "1", json!({"decision": "dec_no"})).await;
    let error = json!({"code": "PL3002", "title": "the digest is not that of the draft", "detail": "changed"});
    assert_eq!(body(&answer), json!({ "error": error }));
    assert_eq!(header(&answer, HEADER_SERVICE_ERROR_CODE), "3002");
    assert_eq!(header(&answer, HEADER_SERVICE_ERROR), "the digest is not that of the draft");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_before_the_engine() {
    let name = "what_cannot_be_read_is_refused_before_the_engine";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    let deep = "[".repeat(5_000);
    let good = "placet.v1.inbox.ana.list";
    for (subject, text) in [
        (good, "nonsense"),
        (good, "[]"),
        (good, "\"text\""),
        (good, "{\"a\":"),
        (good, deep.as_str()),
        ("placet.v1.inbox.Ana.list", "{}"),
        ("placet.v1.inbox._ana.list", "{}"),
        ("placet.v1.inbox.an\u{e4}.list", "{}"),
        ("placet.v1.inbox.$admin.list", "{}"),
    ] {
        let answer = client.request(subject, text.to_owned().into()).await.unwrap();
        assert_eq!(body(&answer)["error"]["code"], "PL5004", "{subject} {text:.20}");
    }
    // more or fewer parts than the contract has are nobody's subject
    for subject in
        ["placet.v1.inbox.list", "placet.v1.inbox.ana.x.list", "placet.v1.inbox.ana.list.x"]
    {
        assert!(client.request(subject, "{}".into()).await.is_err(), "{subject}");
    }
    assert_eq!(engine.asked(0).await, []);
}

#[tokio::test]
async fn a_decision_without_a_reply_subject_is_carried_out() {
    let name = "a_decision_without_a_reply_subject_is_carried_out";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    engine.gate.add_permits(1);
    let client = client(&server.url()).await;
    client.publish("placet.v1.inbox.ana.decide", r#"{"decision":"dec_1"}"#.into()).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(engine.asked(1).await[0].body["decision"], "dec_1");
}

#[tokio::test]
async fn a_stop_answers_what_is_at_work() {
    let Some(server) = NatsServer::start_or_skip("a_stop_answers_what_is_at_work") else { return };
    let engine = Engine::new();
    let bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    let asking = {
        let client = client.clone();
        tokio::spawn(
            async move { ask(&client, "placet.v1.inbox.ana.decide", "1", json!({})).await },
        )
    };
    engine.asked(1).await;
    let stopping = tokio::spawn(bus.stop());
    engine.gate.add_permits(1);
    assert_eq!(body(&asking.await.unwrap())["user"], "ana");
    stopping.await.unwrap();
    let late = client.request("placet.v1.inbox.ana.list", "".into()).await;
    assert!(late.is_err(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_is_back_after_a_killed_server() {
    let name = "the_service_is_back_after_a_killed_server";
    let Some(mut server) = NatsServer::start_or_skip(name) else { return };
    let engine = Engine::new();
    let bus = serve(&server.url(), &engine).await;
    for round in 1..=2 {
        server.kill_9();
        status(&bus, |status| matches!(status, Status::Connecting { .. })).await;
        server.restart();
        status(&bus, |status| matches!(status, Status::Ready { .. })).await;
        let answer =
            ask(&client(&server.url()).await, "placet.v1.inbox.ana.list", "1", json!({})).await;
        assert_eq!(body(&answer)["user"], "ana", "round {round}");
    }
}

#[tokio::test]
async fn the_service_can_be_discovered() {
    let Some(server) = NatsServer::start_or_skip("the_service_can_be_discovered") else { return };
    let _bus = serve(&server.url(), &Engine::new()).await;
    let client = client(&server.url()).await;
    let info = client.request("$SRV.INFO.placet-inbox", "".into()).await.unwrap();
    let endpoints = body(&info)["endpoints"].clone();
    let subjects: Vec<&str> = endpoints
        .as_array()
        .unwrap()
        .iter()
        .map(|endpoint| endpoint["subject"].as_str().unwrap())
        .collect();
    for verb in ["list", "get", "decide"] {
        assert!(subjects.contains(&format!("placet.v1.inbox.*.{verb}").as_str()), "{subjects:?}");
    }
    let ping = client.request("$SRV.PING", "".into()).await.unwrap();
    assert_eq!(body(&ping)["name"], "placet-inbox");
    ask(&client, "placet.v1.inbox.ana.list", "1", json!({})).await;
    let stats = body(&client.request("$SRV.STATS.placet-inbox", "".into()).await.unwrap());
    let mut counts = stats["endpoints"].as_array().unwrap().iter();
    let list = counts.find(|endpoint| endpoint["name"] == "list").unwrap();
    assert_eq!((&list["num_requests"], &list["queue_group"]), (&json!(1), &json!("q")), "{stats}");
}

#[tokio::test]
async fn a_user_is_told_that_the_inbox_changed() {
    let Some(server) = NatsServer::start_or_skip("a_user_is_told_that_the_inbox_changed") else {
        return;
    };
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    let client = client(&server.url()).await;
    let mut ana = client.subscribe("placet.v1.inbox.ana.event").await.unwrap();
    // an answer means that the server has taken the subscription before it
    ask(&client, "placet.v1.inbox.ana.list", "1", json!({})).await;
    for user in ["ben", "ana"] {
        let notice = Notice {
            user: user.parse().unwrap(),
            about: placet_bus::About::Inbox,
            body: json!({"decision": "dec_1", "for": user}),
        };
        engine.notices.send(notice).unwrap();
    }
    let told = timeout(DEADLINE, ana.next()).await.unwrap().unwrap();
    assert_eq!(body(&told), json!({"decision": "dec_1", "for": "ana"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_client_asks_until_it_is_answered() {
    let name = "a_persons_client_asks_until_it_is_answered";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let ana = InboxClient::connect(&server.url(), &"ana".parse().unwrap(), None).await.unwrap();
    let asking = {
        let ana = ana.clone();
        tokio::spawn(async move { ana.ask(Verb::List, "req-1", &Map::new()).await })
    };
    // nobody serves yet; the engine comes later
    let engine = Engine::new();
    let _bus = serve(&server.url(), &engine).await;
    assert_eq!(asking.await.unwrap().unwrap(), json!({"user": "ana", "id": "req-1"}));
    let no = json!({"decision": "dec_no"}).as_object().unwrap().clone();
    let refused = ana.ask(Verb::Get, "req-2", &no).await.unwrap_err();
    assert_eq!(refused.to_string(), "PL3002 the digest is not that of the draft: changed");
}

/// People may publish only on their own subjects; the engine's account has nobody else in it.
const PERMISSIONS: &str = r#"
jetstream {}
authorization {
  users = [
    { user: engine, password: e },
    { user: ana, password: a, permissions: { publish: "placet.v1.inbox.ana.*", subscribe: "_INBOX.>" } },
  ]
}
"#;

#[tokio::test]
async fn nobody_asks_in_anothers_name() {
    let name = "nobody_asks_in_anothers_name";
    let Some(server) = NatsServer::start_configured_or_skip(name, PERMISSIONS) else { return };
    let engine = Engine::new();
    let _bus = serve(&server.url().replace("nats://", "nats://engine:e@"), &engine).await;
    let login =
        async_nats::ConnectOptions::with_user_and_password("ana".to_owned(), "a".to_owned());
    let ana = patient(login).connect(server.url()).await.unwrap();
    let own = ask(&ana, "placet.v1.inbox.ana.list", "1", json!({})).await;
    assert_eq!(body(&own)["user"], "ana");
    let request =
        async_nats::Request::new().payload("{}".into()).timeout(Some(Duration::from_millis(300)));
    assert!(ana.send_request("placet.v1.inbox.ben.list", request).await.is_err());
    let forged =
        async_nats::Request::new().payload("{}".into()).timeout(Some(Duration::from_millis(300)));
    assert!(ana.send_request("placet.v1.ev.acme.DecisionSettled", forged).await.is_err());
    assert_eq!(engine.asked(1).await.len(), 1);
}
