//! A bot as an operator pairs it: the code comes from one terminal, comes back from a chat, outlives a
//! kill in between, and from then on the channel reaches that chat.
//!
//! covers: S2, S7

use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};

use crate::world::Live;
use crate::world::hook::Post;

const TELL: &str = "document: { dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }
do:
  - tell: { call: notify.send, with: { channel: 'telegram:ops-bot', text: A-1 is late } }
";
const SECRET: &str = "webhook-secret-0001";
const CHAT: i64 = 4711;

fn answers(request: &Received, _applied: &[Received]) -> Behaviour {
    let body = match request.path() {
        "/bot7:abc/getMe" => {
            json!({"ok": true, "result": {"id": 7, "is_bot": true, "first_name": "Ops", "username": "ops_bot"}})
        }
        "/bot7:abc/sendMessage" => {
            json!({"ok": true, "result": {"message_id": 5, "chat": {"id": CHAT, "type": "private"}, "date": 1_700_000_000}})
        }
        _ => return Behaviour::Slack,
    };
    Behaviour::Answer(Answer::json(&body))
}

/// What the chat writes to the bot, as Telegram posts it.
fn writes(live: &Live, update: u32, text: &str) -> Option<u16> {
    let body = json!({"update_id": update, "message": {"message_id": update, "date": 1_767_225_600,
        "text": text, "chat": {"id": CHAT, "type": "private"},
        "from": {"id": CHAT, "is_bot": false, "first_name": "Ana"}}});
    let (address, body) = (&live.door().address, body.to_string());
    let head = format!(
        "POST /hooks/telegram/ops-bot HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nX-Telegram-Bot-Api-Secret-Token: {SECRET}\r\n\r\n",
        body.len()
    );
    Post { head, body }.send(address, DEADLINE)
}

#[test]
fn a_bot_is_paired_from_a_terminal_and_a_chat_and_then_tells_that_chat() {
    let mut live = Live::stopped();
    live.provider.otherwise(Behaviour::Play(Play::new(answers)));
    live.project.write("workflows/tell.yaml", TELL);
    live.restart();
    let base = format!("api_base={}", live.provider.url(""));
    let connect = ["integrations", "connect", "telegram", "--name", "ops-bot", "--set", &base];
    let pairing = live
        .placet(connect)
        .args(["--credential", "bot_token=env:BOT", "--credential", "webhook_secret=env:HOOK"])
        .args(["--pair"])
        .env("BOT", "7:abc")
        .env("HOOK", SECRET)
        .start();
    let first = pairing.stdout_line(|line| line.starts_with("/start "));
    assert!(pairing.stdout_lines()[0].starts_with("https://t.me/ops_bot?start="));

    // an engine that dies meanwhile has forgotten nothing
    drop(pairing.interrupt());
    live.kill_9();
    live.restart();
    assert_eq!(writes(&live, 1, &first), Some(200));
    let shown = live.done("author", &["integrations", "show", "ops-bot"]);
    assert!(shown.stdout.contains("with 4711 since"), "{}", shown.stdout);

    // whoever waits for it is told
    let waits = live.placet(["integrations", "pair", "ops-bot"]).start();
    let say = waits.stdout_line(|line| line.starts_with("/start "));
    assert_eq!(writes(&live, 2, &first), Some(200), "spent: it changes nothing");
    assert_eq!(writes(&live, 3, &say), Some(200));
    let done = waits.finish().expect_code(0);
    assert!(done.stdout.ends_with("ops-bot: paired with 4711"), "{}", done.stdout);

    live.connect(); // what the project's other workflow needs
    live.done("author", &["deploy", "."]);
    let started = live.json("author", &["start", "ops/tell"]);
    let run = started["run"].as_str().expect("a run").to_owned();
    let asked = live.until(&run, "DecisionRequested");
    let decision = asked.last().expect("it has come")["body"]["decision"].clone();
    let decision = decision.as_str().expect("its id");
    live.done("approver", &["inbox", "approve", decision]);
    live.until(&run, "RunCompleted");
    let arrived = live.provider.received_at("/bot7:abc/sendMessage");
    let body: Value = serde_json::from_slice(&arrived[0].body).expect("JSON");
    assert_eq!((arrived.len(), &body["chat_id"]), (1, &json!(CHAT)));

    // and no code stands in what anybody can read
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0);
    for say in [first, say] {
        let code = say.strip_prefix("/start ").expect("a code");
        assert!(!log.stdout.contains(code), "{code}");
    }
}
