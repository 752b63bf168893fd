//! `notify.send` as an author uses it: each channel, through the real binary, to a stand-in on loopback.
//! What arrives is what was approved, and it arrives once.

use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};

use crate::world::{Asked, Live};

const TELL: &str = "document: { dsl: '1.0.3', namespace: ops, name: tell, version: '1.0.0' }
do:
  - tell:
      call: notify.send
      with: { channel: '${ .by }', subject: Late, text: '${ .text }' }
";
/// By channel: provider, connection, settings besides the address, the credential, where it arrives.
const CHANNELS: [(&str, &str, &[&str], &str, &str); 3] = [
    (
        "telegram",
        "ops-bot",
        &["notify_to=-100123"],
        "bot_token=env:TELEGRAM",
        "/bot7:abc/sendMessage",
    ),
    ("webhook", "webhook", &[], "signing_secret=env:WEBHOOK", "/team"),
    (
        "resend",
        "resend",
        &["notify_to=team@example.com", "notify_from=placet@example.com"],
        "api_key=env:RESEND",
        "/emails",
    ),
];

/// Each provider's own answers.
fn answers(request: &Received, _applied: &[Received]) -> Behaviour {
    let body = match request.path() {
        "/bot7:abc/getMe" => {
            json!({"ok": true, "result": {"id": 7, "is_bot": true, "first_name": "Ops", "username": "ops_bot"}})
        }
        "/bot7:abc/sendMessage" => {
            json!({"ok": true, "result": {"message_id": 5, "chat": {"id": -100_123, "type": "group"}, "date": 1_700_000_000}})
        }
        "/domains" => {
            json!({"object": "list", "data": [{"id": "d1", "name": "example.com", "status": "verified"}]})
        }
        "/emails" => json!({"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}),
        "/team" => json!({}),
        _ => return Behaviour::Slack,
    };
    Behaviour::Answer(Answer::json(&body))
}

fn world() -> Live {
    let mut live = Live::stopped();
    live.provider.otherwise(Behaviour::Play(Play::new(answers)));
    live.project.write("workflows/tell.yaml", TELL);
    live.restart();
    live.connect();
    let base = format!("api_base={}", live.provider.url("/api"));
    let settings = ["integrations", "connect", "slack", "--set", &base, "--set", "notify_to=C0OPS"];
    let again = live.placet(settings).args(["--credential", "access_token=env:SLACK"]);
    drop(again.env("SLACK", "xoxb-e2e-0123456789").run().expect_code(0));
    for (provider, connection, more, credential, _) in CHANNELS {
        let address = match provider {
            "webhook" => format!("url={}", live.provider.url("/team")),
            _ => format!("api_base={}", live.provider.url("")),
        };
        let connect = ["integrations", "connect", provider, "--name", connection];
        let connect = live.placet(connect).args(["--set", &address, "--credential", credential]);
        let connect =
            more.iter().fold(connect, |connect, setting| connect.args(["--set", setting]));
        let connect = connect
            .env("TELEGRAM", "7:abc")
            .env("WEBHOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .env("RESEND", "re_e2e");
        drop(connect.run().expect_code(0));
    }
    live.done("author", &["deploy", "."]);
    live
}

fn ask(live: &Live, by: &str) -> Asked {
    let input = json!({"by": by, "text": "A-1 is late"}).to_string();
    let started = live.json("author", &["start", "ops/tell", "--input", &input]);
    let run = started["run"].as_str().expect("a run").to_owned();
    let events = live.until(&run, "DecisionRequested");
    let asked = events.last().expect("it has come");
    let decision = asked["body"]["decision"].as_str().expect("a decision").to_owned();
    Asked { run, decision }
}

#[test]
fn each_channel_brings_the_approved_bytes_to_whom_its_connection_tells() {
    let live = world();
    for (by, at, text) in [
        ("slack", "/api/chat.postMessage", "/text"),
        ("telegram:ops-bot", "/bot7:abc/sendMessage", "/text"),
        ("webhook", "/team", "/data/text"),
        ("email", "/emails", "/text"),
    ] {
        let asked = ask(&live, by);
        let card = live.card(&asked.decision);
        assert_eq!(card["routed"]["channel"], by, "{card:#}");
        assert_eq!(live.provider.received_at(at), [], "{by}: nothing left before the approval");
        live.approve(&asked);
        live.until(&asked.run, "RunCompleted");
        let arrived = live.provider.received_at(at);
        assert_eq!(arrived.len(), 1, "{by}");
        let body: Value = serde_json::from_slice(&arrived[0].body).expect("JSON");
        assert_eq!(card["request"]["body"], body, "{by}: what was shown is what arrived");
        let said = body.pointer(text).and_then(Value::as_str).expect("the text");
        assert!(said.contains("A-1 is late"), "{by}: {body}");
    }
}

#[test]
fn the_sandbox_tells_by_every_channel_before_anything_is_connected() {
    let live = Live::stopped();
    live.project.write("workflows/tell.yaml", TELL);
    let text = live.placet(["check", "workflows/tell.yaml"]).run().expect_code(0);
    assert!(text.stderr.contains("no errors") || text.stdout.contains("no errors"));
    for (by, mark) in [
        ("slack", "chat.postMessage"),
        ("telegram:telegram", "/sendMessage"),
        ("webhook", "example.com/webhook"),
        ("email", "\"MAIL\""),
    ] {
        let input = json!({"by": by, "text": "A-1 is late"}).to_string();
        let run = ["run", "workflows/tell.yaml", "--input", &input, "--approve", "auto", "--json"];
        let run = live.placet(run).run().expect_code(0);
        let last = run.stdout.lines().last().expect("a report");
        let report: Value = serde_json::from_str(last).expect("JSON");
        assert_eq!(report["status"], "completed", "{report:#}");
        let trace = report["trace"].as_array().expect("a trace");
        let left = trace.iter().map(|entry| entry["would_have_sent"].to_string());
        assert!(left.into_iter().any(|left| left.contains(mark)), "{by}: {report:#}");
    }
}

#[test]
fn check_says_where_a_channel_leads_nowhere() {
    let live = Live::stopped();
    let wrong = TELL.replace("'${ .by }'", "pager");
    live.project.write("workflows/tell.yaml", &wrong);
    let said = live.placet(["check", "workflows/tell.yaml"]).run().expect_code(1);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(
        text.contains("PL2110") && text.contains("no provider carries the channel pager"),
        "{text}"
    );
    assert!(text.contains('5'), "it names the line: {text}");
}
