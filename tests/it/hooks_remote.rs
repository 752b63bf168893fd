//! Webhooks at a provider, as an operator asks for them, against a stand-in on loopback that remembers
//! what stands there: made, found again after a crash, believed by the secret that only the vault has,
//! and taken away.
//!
//! covers: S2, S7

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use placet_test_support::DEADLINE;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};

use crate::world::Live;
use crate::world::hook::{Post, hmac_sha256};

const ENDPOINTS: &str = "/v1/webhook_endpoints";
/// What the provider makes for each endpoint, and says once.
const SECRET: &str = "whsec_e2eEndpointSecret0001";
const HERE: &str = "https://placet.example";

/// A stand-in Stripe: what stands there, by id, and how the next one is answered.
#[derive(Debug, Default)]
struct Account {
    endpoints: Vec<(String, String)>,
    made: usize,
    next: Option<Behaviour>,
}

type Shared = Arc<Mutex<Account>>;

fn answer(body: &Value) -> Behaviour {
    Behaviour::Answer(Answer::json(body))
}

fn endpoint((id, url): &(String, String)) -> Value {
    json!({"id": id, "object": "webhook_endpoint", "url": url, "status": "enabled",
        "enabled_events": ["refund.created"], "created": 1_700_000_000, "livemode": false})
}

fn plays(account: &Shared, request: &Received) -> Behaviour {
    let mut account = account.lock().expect("nobody panics");
    match (request.method.as_str(), request.path()) {
        ("GET", "/v1/account") => {
            answer(&json!({"id": "acct_1", "email": "ops@example.com", "country": "DE"}))
        }
        ("GET", ENDPOINTS) => {
            let data: Vec<Value> = account.endpoints.iter().map(endpoint).collect();
            answer(&json!({"object": "list", "has_more": false, "data": data}))
        }
        ("POST", ENDPOINTS) => {
            let fields = String::from_utf8_lossy(&request.body).into_owned();
            let url = fields.split('&').find_map(|field| field.strip_prefix("url="));
            let url = url.unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
            account.made += 1;
            let made = (format!("we_{}", account.made), url);
            account.endpoints.push(made.clone());
            let mut said = endpoint(&made);
            said["secret"] = json!(SECRET);
            account.next.take().unwrap_or_else(|| answer(&said))
        }
        ("DELETE", path) => {
            let id = path.rsplit('/').next().unwrap_or_default().to_owned();
            account.endpoints.retain(|(known, _)| *known != id);
            answer(&json!({"id": id, "object": "webhook_endpoint", "deleted": true}))
        }
        _ => Behaviour::Slack,
    }
}

fn world() -> (Live, Shared) {
    let mut live = Live::stopped();
    let account = Shared::default();
    let played = Arc::clone(&account);
    live.provider.otherwise(Behaviour::Play(Play::new(move |request, _| plays(&played, request))));
    live.restart();
    let base = format!("api_base={}", live.provider.url(""));
    let connect = ["integrations", "connect", "stripe", "--set", &base];
    let connect = live.placet(connect).args(["--credential", "api_key=env:STRIPE"]);
    drop(connect.env("STRIPE", "sk_test_e2e").run().expect_code(0));
    (live, account)
}

fn standing(account: &Shared) -> Vec<(String, String)> {
    account.lock().expect("nobody panics").endpoints.clone()
}

fn on(live: &Live) -> Value {
    live.json("author", &["integrations", "hooks", "stripe", "on", "--at", HERE])
}

fn step(live: &Live) -> String {
    let shown = live.json("author", &["integrations", "hooks", "stripe"]);
    shown["hooks"][0]["step"].as_str().unwrap_or_default().to_owned()
}

/// Whether the event is taken that Stripe signs with this secret.
fn posted(live: &Live, secret: &str) -> Option<u16> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let body = json!({"id": "evt_1", "object": "event", "type": "refund.created", "created": now,
        "data": {"object": {"id": "re_1", "status": "succeeded"}}});
    let body = body.to_string();
    let tag = hmac_sha256(secret.as_bytes(), format!("{now}.{body}").as_bytes()).hex();
    let address = &live.door().address;
    let head = format!(
        "POST /hooks/stripe/stripe HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nStripe-Signature: t={now},v1={tag}\r\n\r\n",
        body.len()
    );
    Post { head, body }.send(address, DEADLINE)
}

#[test]
fn a_webhook_is_asked_for_its_secret_goes_into_the_vault_alone_and_it_is_taken_away_at_the_end() {
    let (live, account) = world();
    let made = on(&live);
    let hook = &made["hooks"][0];
    assert_eq!((&hook["step"], &hook["remote"]), (&json!("made"), &json!("we_1")), "{made:#}");
    let url = standing(&account)[0].1.clone();
    assert!(url.starts_with("https://placet.example/hooks/stripe/int_"), "{url}");

    // the secret proves who posts, and stands nowhere
    assert_eq!(posted(&live, "whsec_another00000000000000"), Some(401));
    assert_eq!(posted(&live, SECRET), Some(200));
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0);
    let shown = live.done("author", &["integrations", "show", "stripe"]);
    let said = live.running().stderr_lines().join("\n");
    for text in [&made.to_string(), &log.stdout, &shown.stdout, &said] {
        assert!(!text.contains(SECRET), "the secret was said");
    }

    // asked for again: one stands there, not two
    on(&live);
    assert_eq!(standing(&account).len(), 1);
    let gone = live.done("author", &["integrations", "disconnect", "stripe", "--yes"]);
    assert!(gone.stderr.contains("was taken away"), "{}", gone.stderr);
    assert_eq!(standing(&account), []);
}

#[test]
fn a_kill_between_the_provider_and_the_record_leaves_no_webhook_behind() {
    let (mut live, account) = world();
    account.lock().expect("nobody panics").next = Some(Behaviour::ApplyThenSilence);
    let asking = live
        .placet(["integrations", "hooks", "stripe", "on", "--at", HERE, "--as", "author"])
        .start();
    live.provider.wait_until(|_| standing(&account).len() == 1);
    live.kill_9();
    drop(asking.finish());
    assert_eq!(standing(&account).len(), 1, "and nobody here knows its id");
    // but what was asked is on record, and that no answer came
    let calls = |live: &Live| {
        let args = ["audit", "log", "--type", "OwnCallStarted", "--type", "OwnCallEnded"];
        let calls = live.json_lines(&args);
        let word = |event: &Value| {
            let word = if event["type"] == "OwnCallStarted" { "purpose" } else { "outcome" };
            event["body"][word].as_str().unwrap_or_default().to_owned()
        };
        calls.iter().map(word).collect::<Vec<_>>()
    };
    assert_eq!(calls(&live), ["subscribe"]);

    live.restart();
    let is_removed = |event: &Value| {
        event["type"] == "SubscriptionChanged" && event["body"]["step"] == "removed"
    };
    drop(live.door().events().until(|events| events.iter().any(is_removed)));
    assert_eq!(standing(&account), [], "what the crash left is found and taken away");
    assert_eq!(step(&live), "removed");
    let cleared = ["subscribe", "find", "done", "unsubscribe", "done"];
    assert_eq!(calls(&live), cleared, "no end is made up for the first");
    let made = on(&live);
    assert_eq!(made["hooks"][0]["step"], "made", "asked for again, it is made");
    assert_eq!(calls(&live), [&cleared[..], &["subscribe", "done"]].concat());
    assert_eq!(standing(&account).len(), 1);
}

#[test]
fn an_answer_that_is_lost_leaves_nothing_behind_either() {
    let (live, account) = world();
    account.lock().expect("nobody panics").next = Some(Behaviour::ApplyThenReset);
    let asked = ["integrations", "hooks", "stripe", "on", "--at", HERE, "--as", "author"];
    let asked = live.placet(asked).run().expect_code(1);
    assert!(asked.stderr.contains("PL4072"), "{}", asked.stderr);
    assert_eq!(standing(&account), []);
    assert_eq!(step(&live), "removed");
}

#[test]
fn a_refusal_says_the_provider_s_word_and_that_nothing_stands_there() {
    let (live, account) = world();
    let refusal = json!({"error": {"type": "invalid_request_error", "code": "url_invalid"}});
    account.lock().expect("nobody panics").next = Some(Behaviour::refuse(400, &refusal));
    let asked = ["integrations", "hooks", "stripe", "on", "--at", HERE, "--as", "author"];
    let asked = live.placet(asked).run().expect_code(1);
    assert!(
        asked.stderr.contains("PL4071") && asked.stderr.contains("url_invalid"),
        "{}",
        asked.stderr
    );
    // who may not operate asks for nothing
    let asked = ["integrations", "hooks", "stripe", "on", "--at", HERE, "--as", "approver"];
    assert!(live.placet(asked).run().expect_code(1).stderr.contains("PL4005"));
}

#[test]
fn a_bot_s_one_webhook_carries_the_secret_of_the_vault_and_is_emptied() {
    let mut live = Live::stopped();
    let me = json!({"ok": true, "result": {"id": 7, "is_bot": true, "first_name": "Ops", "username": "ops_bot"}});
    live.provider.otherwise(answer(&me));
    live.restart();
    let base = format!("api_base={}", live.provider.url(""));
    let connect = ["integrations", "connect", "telegram", "--set", &base];
    let connect = live.placet(connect).args(["--credential", "bot_token=env:BOT"]);
    let connect = connect.args(["--credential", "webhook_secret=env:HOOK"]);
    drop(connect.env("BOT", "7:abc").env("HOOK", "e2e-hook-secret").run().expect_code(0));
    live.done("author", &["integrations", "hooks", "telegram", "on", "--at", HERE]);
    let asked = live.provider.received_at("/bot7:abc/setWebhook");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].target.contains("secret_token=e2e-hook-secret"));
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0);
    assert!(!log.stdout.contains("e2e-hook-secret") && !log.stdout.contains("7:abc"));
    let call = live.json_lines(&["audit", "log", "--type", "OwnCallStarted"])[0].clone();
    let place = live.provider.url("/bot‹credential:bot_token›/setWebhook");
    assert_eq!(call["body"]["url"], place, "the path without its token, and no query");
    live.done("author", &["integrations", "hooks", "telegram", "off"]);
    assert_eq!(live.provider.received_at("/bot7:abc/deleteWebhook").len(), 1);
}
