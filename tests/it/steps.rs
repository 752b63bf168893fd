//! Connecting in two steps as an operator does it: an app is installed in an account, what is still to be
//! chosen is shown and said how, nothing goes out until then, and afterwards only what was chosen does.
//!
//! covers: S7

use placet_test_support::nats::NatsServer;
use placet_test_support::provider::{Answer, Behaviour, Play, Received};
use serde_json::{Value, json};

use crate::world::{Desk, Live};

const MAIL: &str = "document: { dsl: '1.0.3', namespace: ops, name: mail, version: '1.0.0' }
do:
  - mail:
      call: helpscout.conversations.create
      with: { mailbox_id: '${ .mailbox }', email: ada@example.com, subject: Hi, text: Hello, status: active }
";
const CREATE: &str = "/v2/conversations";

fn answers(request: &Received, _applied: &[Received]) -> Behaviour {
    let mailboxes = [(11, "Support"), (12, "Sales")];
    let mailboxes = mailboxes.map(|(id, name)| json!({"id": id, "name": name}));
    Behaviour::Answer(match request.path() {
        "/v2/users/me" => Answer::json(
            &json!({"id": 7, "companyId": 9, "firstName": "Ada", "lastName": "L", "role": "admin"}),
        ),
        "/v2/mailboxes" => Answer::json(
            &json!({"_embedded": {"mailboxes": mailboxes}, "page": {"number": 1, "totalPages": 1}}),
        ),
        CREATE => Answer::status(201, &Value::Null).header("Resource-ID", "4711"),
        _ => return Behaviour::Slack,
    })
}

/// A run of the mail in this mailbox.
fn starts(live: &Live, mailbox: u32) -> String {
    let input = json!({ "mailbox": mailbox }).to_string();
    let started = live.json("author", &["start", "ops/mail", "--input", &input]);
    started["run"].as_str().expect("a run").to_owned()
}

/// Why a run of the mail in this mailbox ends before anybody is asked.
fn faults(live: &Live, mailbox: u32) -> String {
    let run = starts(live, mailbox);
    live.until(&run, "RunFaulted");
    assert_eq!(live.inbox(), Vec::<Value>::new(), "nobody is asked");
    live.json("author", &["runs", "show", &run])["error"].to_string()
}

#[test]
fn an_install_waits_for_its_mailbox_to_be_chosen_and_then_sends_in_that_one_alone() {
    let Some(server) = NatsServer::start_or_skip("connecting in two steps") else { return };
    let mut live = Live::stopped_on(&server);
    live.provider.otherwise(Behaviour::Play(Play::new(answers)));
    live.project.write("workflows/mail.yaml", MAIL);
    live.restart();
    live.connect(); // what the project's other workflow needs

    // connected, and what is missing is said with the command that gives it
    let base = format!("api_base={}", live.provider.url(""));
    let connect = ["integrations", "connect", "helpscout", "--name", "help", "--set", &base];
    let connect = live.placet(connect).args(["--credential", "access_token=env:HELP"]);
    let connected = connect.env("HELP", "hs-e2e-0001").run().expect_code(0);
    let how = "the mailbox that it is for (placet integrations complete help)";
    assert!(connected.stdout.contains(how), "{}", connected.stdout);
    let list = live.done("author", &["integrations", "list"]);
    let row = list.stdout.lines().find(|line| line.starts_with("help")).expect("it is listed");
    assert!(row.contains("active, pending"), "{row}");

    // until then nothing goes out
    live.done("author", &["deploy", "."]);
    let why = faults(&live, 12);
    assert!(why.contains("placet integrations complete help"), "{why}");

    // what can be chosen is what the provider lists, and whoever chooses stands in the log
    let complete = ["integrations", "complete", "help"];
    let listed = live.done("author", &complete);
    assert!(listed.stdout.contains("Support") && listed.stdout.contains("12"), "{}", listed.stdout);
    let desk = Desk::at(&server);
    let told = desk.request("placet.v1.integrations.author.complete", &json!({ "name": "help" }));
    assert_eq!(told["steps"][0]["choices"][1], json!({"value": 12, "label": "Sales"}), "{told:#}");
    let refused = live.placet(complete).args(["--choose", "Nobody"]).run().expect_code(1);
    assert!(refused.stderr.contains("PL3073"), "{}", refused.stderr);
    let chosen = live.done("author", &[&complete[..], &["--choose", "Sales"]].concat());
    assert!(chosen.stdout.contains("help: mailbox is 12"), "{}", chosen.stdout);
    let made = live.json_lines(&["audit", "log", "--type", "IntegrationConnected"]);
    let last = made.last().expect("it is recorded");
    assert_eq!((made.len(), &last["actor"]), (3, &json!("principal:author")), "{made:#?}");

    // it outlives a kill; then a test, an approval, and a mail in that mailbox
    live.kill_9();
    live.restart();
    live.done("author", &["integrations", "test", "help"]);
    let shown = live.json("author", &["integrations", "show", "help"]);
    assert_eq!((&shown["pending"], &shown["settings"]["mailbox"]), (&json!([]), &json!(12)));
    let run = starts(&live, 12);
    let asked = live.until(&run, "DecisionRequested");
    let decision = asked.last().expect("it has come")["body"]["decision"].clone();
    live.done("approver", &["inbox", "approve", decision.as_str().expect("its id")]);
    live.until(&run, "RunCompleted");
    let why = faults(&live, 11);
    assert!(why.contains("mailbox 12 alone"), "{why}");
    let arrived = live.provider.received_at(CREATE);
    let bodies: Vec<Value> = arrived.iter().map(|one| one.json().expect("JSON")).collect();
    assert_eq!((bodies.len(), &bodies[0]["mailboxId"]), (1, &json!(12)), "{bodies:#?}");
}
