//! The walk of an operator through the life of one connection, with the real binary, a real nats-server, and a
//! stand-in Slack on loopback: docs/operators.md tells the same walk, command by command.

use placet_test_support::DEADLINE;
use placet_test_support::nats::NatsServer;
use placet_test_support::process::Finished;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};

use crate::world::hook::{KEY, message, post};
use crate::world::{Desk, Live, POST, ballot, kinds};

const FIRST: &str = "xoxb-walk-first";
const SECOND: &str = "xoxb-walk-second";
const OTHERS: &str = "xoxb-walk-of-another-bot";
/// Where the stand-in is told to forget a token.
const REVOKE: &str = "/api/auth.revoke";

/// Sends, and waits for the answer in the thread.
const ASK: &str = "
document: { dsl: '1.0.3', namespace: ops, name: ask, version: '1.0.0' }
do:
  - send:
      call: slack.chat.postMessage
      with: { channel: '${ .channel }', text: '${ .text }' }
  - answer:
      listen: { to: { one: { with: { type: slack.message, replyto: /do/0/send } } } }
      timeout: { after: P2D }
";

/// Slack, with two bots behind three tokens.
fn slack(request: &Received, _applied: &[Received]) -> Behaviour {
    let token = request.header("authorization").unwrap_or_default().to_owned();
    match request.path().rsplit('/').next() {
        Some("auth.test") => {
            let bot = if token.contains(OTHERS) { "B0OTHER" } else { "B0PLACET" };
            let body = json!({
                "ok": true, "team": "Example", "team_id": "T0EXAMPLE",
                "user": "placet", "user_id": "U0PLACET", "bot_id": bot,
            });
            let scopes = "chat:write,channels:read,users:read,channels:history,im:history";
            Behaviour::Answer(Answer::json(&body).header("x-oauth-scopes", scopes))
        }
        Some("auth.revoke") => {
            Behaviour::Answer(Answer::json(&json!({"ok": true, "revoked": true})))
        }
        _ => Behaviour::Slack,
    }
}

/// The operator, at the command line.
struct Operator<'a>(&'a Live);

impl Operator<'_> {
    fn try_to(&self, args: &[&str]) -> Finished {
        let placet = self.0.placet(args.iter().copied()).args(["--as", "author"]);
        let placet = placet.env("FIRST", FIRST).env("SECOND", SECOND).env("OTHERS", OTHERS);
        placet.env("SIGNING", KEY).run()
    }

    fn does(&self, args: &[&str]) -> Finished {
        self.try_to(args).expect_code(0)
    }

    fn is_refused(&self, args: &[&str], words: &[&str]) {
        let refused = self.try_to(args);
        assert_ne!(refused.code, Some(0), "{args:?}: {}", refused.stdout);
        for word in words {
            assert!(refused.stderr.contains(word), "{args:?} lacks {word}: {}", refused.stderr);
        }
    }

    /// Starts `ops/ask` and waits until it asks: run and decision.
    fn asks(&self, channel: &str) -> (String, String) {
        let input = json!({"channel": channel, "text": "Shall we?"}).to_string();
        let started = self.0.json("author", &["start", "ops/ask", "--input", &input]);
        let run = started["run"].as_str().expect("a run").to_owned();
        let events = self.0.until(&run, "DecisionRequested");
        let decision = &events.last().expect("it has come")["body"]["decision"];
        (run, decision.as_str().expect("a decision").to_owned())
    }
}

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

fn has(finished: &Finished, words: &[&str]) {
    let said = format!("{}{}", finished.stdout, finished.stderr);
    for word in words {
        assert!(said.contains(word), "no {word} in:\n{said}");
    }
}

fn token_of(request: &Received) -> String {
    request.header("authorization").expect("a token").trim_start_matches("Bearer ").to_owned()
}

/// The reply of a person in the thread of a message, as Slack posts it.
fn replies(live: &Live, (channel, thread): (&str, &str), event_id: &str) -> Option<u16> {
    let mut body = message(event_id, thread);
    body["event"]["channel"] = json!(channel);
    let address = &live.door().address;
    post(address, &body).send(address, DEADLINE)
}

/// Slack's name for the message that a run has sent: the first `ts` of its outputs.
fn sent_as(shown: &Value) -> String {
    let text = shown.to_string();
    let (_, rest) = text.split_once("\"ts\":\"").expect("an output with a ts");
    rest.split('"').next().expect("a text").to_owned()
}

#[test]
fn an_operator_walks_a_connection_from_its_first_day_to_its_last() {
    let Some(server) = NatsServer::start_or_skip("the walk of an operator") else { return };
    // given a project whose workflow cannot be deployed yet, and an engine that says what comes next
    let mut live = Live::stopped_on(&server);
    live.project.write("workflows/ask.yaml", ASK);
    live.provider.otherwise(Behaviour::Play(Play::new(slack)));
    live.restart();
    let next = live.running().stdout_line(|line| line.contains("integrations connect slack"));
    assert!(next.contains("--credential access_token=env:SLACK_TOKEN"), "{next}");
    let operator = Operator(&live);

    connects(&operator);
    tests(&operator);
    let run = sends_and_hears(&operator, &server);
    rotates(&operator);
    is_used_and_switched_off_and_on(&operator, &server);
    disconnects(&operator);

    // then no credential stands in anything that was said or recorded
    let log = live.placet(["audit", "log", "--json"]).run().expect_code(0).stdout;
    for secret in [FIRST, SECOND, OTHERS, KEY] {
        assert!(!log.contains(secret), "a credential stands in the log");
    }
    assert!(log.contains(&run));
}

fn connects(operator: &Operator<'_>) {
    let connect = |more| with(&["integrations", "connect"], more);
    // what a new operator gets wrong is answered with what to do
    operator.is_refused(&connect(&["slak"]), &["PL4065", "there is slack", "adapters list"]);
    operator
        .is_refused(&connect(&["slack"]), &["PL4064", "access_token", "signing_secret", "--oauth"]);
    operator.is_refused(
        &connect(&["slack", "--credential", "token=env:FIRST"]),
        &["PL4003", "its fields are access_token"],
    );
    operator.is_refused(
        &connect(&["slack", "--credential", "access_token=xoxb-typed-here"]),
        &["FIELD=env:VARIABLE"],
    );
    let list = operator.does(&["integrations", "list"]);
    has(&list, &["no integration is connected: placet integrations connect PROVIDER"]);

    // when it is connected without the secret that proves what comes in
    let base = format!("api_base={}", operator.0.provider.url("/api"));
    let slack = connect(&["slack", "--set", &base, "--credential", "access_token=env:FIRST"]);
    let connected = operator.does(&slack);
    // then it says whose it is, what the scopes are good for, what it lacks, and what comes next
    has(&connected, &["B0PLACET of T0EXAMPLE", "base (send, list_channels, list_users)"]);
    has(&connected, &["nothing: its credential has no signing_secret"]);
    has(&connected, &["--credential signing_secret=env:VARIABLE", "placet deploy ."]);

    // and with it, what comes in is believed
    let whole = [&slack[..], &["--credential", "signing_secret=env:SIGNING"]].concat();
    let connected = operator.does(&whole);
    let hook = format!("http://{}/hooks/slack/slack", operator.0.door().address);
    has(&connected, &[&format!("enter {hook} at the provider"), "slack.message"]);
    let shown = operator.0.json("author", &["integrations", "show", "slack"]);
    assert_eq!(shown["hook"]["believed"], json!(true));
    assert_eq!(shown["tested_ok"], json!(true), "connecting has asked the provider");
    operator.does(&["deploy", "."]);
}

fn tests(operator: &Operator<'_>) {
    let tested = operator.does(&["integrations", "test", "slack"]);
    has(&tested, &["B0PLACET of T0EXAMPLE", "chat:write", "inbound (replies)"]);
    has(&tested, &["public_any (send_without_joining): needs chat:write.public"]);
}

fn sends_and_hears(operator: &Operator<'_>, server: &NatsServer) -> String {
    let live = operator.0;
    // a message is drafted; the approver sees its bytes over NATS and approves them there
    let (run, decision) = operator.asks("C0SALES");
    let desk = Desk::at(server);
    let card = desk.card("approver", &decision);
    assert_eq!(card["identity"]["id"], json!("B0PLACET"), "{card:#}");
    let approved = desk.ask("approver", "decide", &ballot(&decision, &card["digest"], "approve"));
    assert_eq!(approved["state"], json!("approved"), "{approved}");
    live.until(&run, "WaitStarted");
    assert_eq!(token_of(&live.posts()[0]), FIRST);

    // the run waits, and whoever asks what uses the connection is told
    let uses = live.json("author", &["integrations", "uses", "slack"]);
    assert_eq!(uses["waiting"], json!(1));
    assert_eq!(
        uses["waits"][0],
        json!({"run": run, "workflow": "ops/ask@1.0.0", "tasks": ["/do/1/answer"]})
    );

    // a reply in another thread is none; the one in this thread goes on with the run
    let thread = sent_as(&live.json("author", &["runs", "show", &run]));
    assert_eq!(replies(live, ("C0SALES", "1600000000.000001"), "Ev1"), Some(200));
    assert_eq!(replies(live, ("C0SALES", &thread), "Ev2"), Some(200));
    let events = live.until(&run, "RunCompleted");
    let taken = events.iter().filter(|event| event["type"] == "EventMatched").count();
    assert_eq!(taken, 1, "{:?}", kinds(&events));
    let shown = live.json("author", &["runs", "show", &run]);
    assert_eq!(shown["output"][0]["thread_ts"], json!(thread), "{shown:#}");
    assert_eq!(live.posts().len(), 1, "one message");
    run
}

fn rotates(operator: &Operator<'_>) {
    let live = operator.0;
    let rotate = |more| with(&["integrations", "rotate", "slack"], more);
    // given a running workflow whose message is approved and cannot go yet
    let (run, decision) = operator.asks("C0ROTATE");
    live.done("author", &["pause"]);
    live.done("approver", &["inbox", "approve", &decision]);
    live.until(&run, "DecisionSettled");
    // when the credential is another one of the same account, its next attempt takes it
    has(&operator.does(&rotate(&["--credential", "access_token=env:SECOND"])), &["is in force"]);
    live.done("author", &["resume"]);
    live.until(&run, "WaitStarted");
    assert_eq!(token_of(live.posts().last().expect("it is sent")), SECOND);

    // given another one, and a credential of another account: refused, then meant
    let (run, decision) = operator.asks("C0VOID");
    live.done("author", &["pause"]);
    live.done("approver", &["inbox", "approve", &decision]);
    live.until(&run, "DecisionSettled");
    let others = rotate(&["--credential", "access_token=env:OTHERS"]);
    operator.is_refused(&others, &["PL4062", "--new-identity", "B0OTHER"]);
    has(&operator.does(&with(&others, &["--new-identity"])), &["ANOTHER ACCOUNT"]);
    live.done("author", &["resume"]);
    // then what was approved for the account before is void, and nothing has left for it
    let events = live.until(&run, "DecisionVoided");
    assert_eq!(events.last().expect("an event")["body"]["field"], json!("identity"));
    assert_eq!(live.posts().len(), 2);
    live.until(&run, "RunFaulted");
    // and what is asked for from now on shows the identity that would send
    let (run, decision) = operator.asks("C0NEW");
    assert_eq!(live.card(&decision)["identity"]["id"], json!("B0OTHER"));
    live.done("author", &["runs", "cancel", &run]);
}

fn is_used_and_switched_off_and_on(operator: &Operator<'_>, server: &NatsServer) {
    let live = operator.0;
    let uses = operator.does(&["integrations", "uses", "slack"]);
    has(&uses, &["ops/ask@1.0.0 /do/0/send", "waits for what it brings: /do/1/answer"]);
    let (run, decision) = operator.asks("C0HELD");
    has(&operator.does(&["integrations", "disable", "slack"]), &["slack: disabled"]);
    live.done("approver", &["inbox", "approve", &decision]);
    live.until(&run, "DecisionSettled");
    assert_eq!(live.posts().len(), 2, "it is held");
    // what comes in meanwhile is asked for again later
    assert_eq!(replies(live, ("C0HELD", "1600000000.000001"), "Ev3"), Some(503));
    // switched on again over NATS, which says so to whoever operates
    let desk = Desk::at(server);
    let mut told = desk.told("placet.v1.integrations.author.event");
    let enabled = desk.request("placet.v1.integrations.author.enable", &json!({ "name": "slack" }));
    assert_eq!(enabled["status"], json!("active"), "{enabled}");
    assert_eq!(told()["status"], json!("active"));
    live.until(&run, "WaitStarted");
    assert_eq!(live.posts().len(), 3);
    live.done("author", &["runs", "cancel", &run]);
}

fn disconnects(operator: &Operator<'_>) {
    let live = operator.0;
    let id = live.json("author", &["integrations", "show", "slack"])["id"].clone();
    let disconnect = ["integrations", "disconnect", "slack"];
    operator.is_refused(&disconnect, &["slack is in use", "ops/ask@1.0.0", "say --yes"]);
    let gone = operator.does(&[&disconnect[..], &["--yes"]].concat());
    has(&gone, &["forgotten here, and the provider has taken it back", "slack: disconnected"]);
    let revoked = live.provider.received_at(REVOKE);
    assert_eq!(revoked.iter().map(token_of).collect::<Vec<_>>(), [OTHERS]);
    // what the provider still posts is acknowledged, so that it stops, and recorded nowhere
    let before = live.json_lines(&["audit", "log", "--type", "InboundReceived"]).len();
    assert_eq!(replies(live, ("C0SALES", "1600000000.000001"), "Ev4"), Some(200));
    assert_eq!(live.json_lines(&["audit", "log", "--type", "InboundReceived"]).len(), before);
    // what users wrote stays: the workflow is in force, and says what it misses
    let input = json!({"channel": "C0SALES", "text": "Hello"}).to_string();
    let started = live.json("author", &["start", "ops/ask", "--input", &input]);
    live.until(started["run"].as_str().expect("a run"), "RunFaulted");
    assert!(live.project.dir().join("workflows/ask.yaml").exists());
    operator.is_refused(&["integrations", "show", "slack"], &["PL4009", "integrations list"]);
    // and who connects again goes on where it was, as a connection of its own
    let base = format!("api_base={}", live.provider.url("/api"));
    let again = ["integrations", "connect", "slack", "--set", &base];
    operator.does(&[&again[..], &["--credential", "access_token=env:OTHERS"]].concat());
    let shown = live.json("author", &["integrations", "show", "slack"]);
    assert_ne!(shown["id"], id, "approvals of the old one never come to mean the new one");
    operator.asks("C0AGAIN");
    assert_eq!(live.provider.received_at(POST).len(), 3);
}
