//! The same answer at every door: who may not decide, what is over, what is in force.

use placet_test_support::nats::NatsServer;
use serde_json::{Value, json};

use crate::world::{Asked, Desk, Live, ballot, kinds};

/// Everybody has a role of their own, and may start runs and approve besides.
const EVERY_ROLE: &str = "
principals:
  p-author: [author, approver]
  p-approver: [approver, author]
  p-operator: [operator, approver]
  p-auditor: [auditor, approver, author]
  p-admin: [admin, approver]
  p-all: [author, approver, operator, auditor, admin]
groups: { leads: [p-author, p-approver, p-operator, p-auditor, p-admin, p-all, approver] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
breakGlass: { who: [leads], review: [leads] }
";
const PEOPLE: [&str; 6] = ["p-author", "p-approver", "p-operator", "p-auditor", "p-admin", "p-all"];

const SOON_OVER: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: quick, match: { effect: send }, require: { approvers: [leads], quorum: 1, expires: PT1S } }
breakGlass: { who: [second], review: [approver] }
";

/// Starts `ops/slack-notify` as somebody, and waits until it asks.
fn ask_as(live: &Live, who: &str) -> Asked {
    let input = json!({"channel": "C0SALES", "text": "Hello"}).to_string();
    let started = live.json(who, &["start", "ops/slack-notify", "--input", &input]);
    let run = started["run"].as_str().expect("a run").to_owned();
    let events = live.until(&run, "DecisionRequested");
    let decision = events.last().expect("it asks")["body"]["decision"].as_str().expect("an id");
    Asked { run, decision: decision.to_owned() }
}

fn votes_at(decision: &str) -> String {
    format!("/api/v1/decisions/{decision}/votes")
}

/// The codes with which the command line, HTTP and NATS refuse this verdict.
fn refused_at_each_door(
    (live, desk): (&Live, &Desk),
    (who, decision): (&str, &str),
    (verdict, digest): (&str, &Value),
) -> [String; 3] {
    let mut words = vec!["inbox", if verdict == "break_glass" { "break-glass" } else { verdict }];
    words.extend([decision]);
    match verdict {
        "reject" | "break_glass" => words.extend(["--reason", "because"]),
        "respond" => words.extend(["--text", "because"]),
        _ => {}
    }
    let cli = live.placet(words).args(["--as", who]).run().expect_code(1).stderr;
    let code = cli.split("PL3").nth(1).and_then(|rest| rest.get(..3));
    let mut body = ballot(decision, digest, verdict);
    let nats = desk.refusal(who, &body);
    body.as_object_mut().expect("a map").remove("decision");
    let (status, http) = live.door().post(who, &votes_at(decision), &body);
    assert!((400..500).contains(&status), "{who} {verdict}: {status} {http}");
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    [format!("PL3{}", code.unwrap_or_default()), word(&http["code"]), word(&nats)]
}

/// The rows are roles, the columns doors; whoever has more than one role has them all here.
#[test]
fn t03_whoever_caused_it_decides_it_at_no_door_whatever_their_role() {
    let name = "t03_whoever_caused_it_decides_it_at_no_door_whatever_their_role";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(EVERY_ROLE));
    let desk = Desk::at(&server);
    let mut last = None;
    for who in PEOPLE {
        let asked = ask_as(&live, who);
        let digest = desk.card(who, &asked.decision)["digest"].clone();
        for verdict in ["approve", "reject", "respond", "break_glass"] {
            let codes =
                refused_at_each_door((&live, &desk), (who, &asked.decision), (verdict, &digest));
            assert_eq!(codes, ["PL3003", "PL3003", "PL3003"], "{who}: {verdict}");
        }
        last = Some(asked);
    }
    // an agent is refused as an agent, of whatever request; the command line reads the card first, which it may not see
    let asked = last.expect("somebody asked");
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    let codes =
        refused_at_each_door((&live, &desk), ("agent", &asked.decision), ("approve", &digest));
    assert_eq!(codes, ["PL3001", "PL3012", "PL3012"]);
    assert_eq!(live.posts(), [], "nobody has approved anything");
    // and every request is still open to somebody else
    let (status, answer) = live.door().post(
        "approver",
        &votes_at(&asked.decision),
        &json!({"verdict": "approve", "digest": digest}),
    );
    assert_eq!((status, &answer["state"]), (200, &json!("approved")), "{answer}");
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

const TIGHTENED: &str = "
document: { dsl: '1.0.3', namespace: ops, name: NAME, version: '1.0.0' }
do:
  - send:
      call: slack.chat.postMessage
      with: { channel: C0SALES, text: Hello }
      metadata:
        approval: { approvers: [second], expires: PT1H, reasonRequired: always }
";
const LEADS: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
";

#[test]
fn t04_the_same_document_asks_for_the_same_by_whatever_door_it_came() {
    let live = Live::under(LEADS);
    let source = |name: &str| TIGHTENED.replace("NAME", name);
    // given one document in the project's folder, one posted, and one that is started from its file
    live.project.write("workflows/folder.yaml", &source("folder"));
    live.done("author", &["deploy", "."]);
    let posted = json!({"file": "posted.yaml", "source": source("posted")});
    let (status, answer) = live.door().post("author", "/api/v1/workflows", &posted);
    assert_eq!(status, 200, "{answer}");
    live.project.write("started.yaml", &source("started"));
    let policies: Vec<Value> = ["ops/folder", "ops/posted", "started.yaml"]
        .into_iter()
        .map(|what| {
            let run =
                live.json("author", &["start", what])["run"].as_str().expect("a run").to_owned();
            let events = live.until(&run, "DecisionRequested");
            let decision = events.last().expect("it asks")["body"]["decision"].clone();
            live.json("second", &["inbox", "show", decision.as_str().expect("an id")])["policy"]
                .clone()
        })
        .collect();
    // then each asks for both, the project's and the author's
    let words = policies[0].to_string();
    assert!(
        words.contains("1 approval of leads") && words.contains("1 approval of second"),
        "{words}"
    );
    assert_eq!(policies[0], policies[1]);
    assert_eq!(policies[0], policies[2]);
    // and a policy that was posted is the one that was applied from its file
    let digest = |answer: &Value| answer["digest"].clone();
    let before = digest(&live.door().get("author", "/api/v1/policy").1);
    let (status, answer) = live.door().post(
        "author",
        "/api/v1/policy",
        &json!({"file": "policy.yaml", "source": LEADS}),
    );
    assert_eq!(
        (status, digest(&live.door().get("author", "/api/v1/policy").1)),
        (200, before),
        "{answer}"
    );
}

#[test]
fn t14_once_it_has_expired_every_door_and_every_verdict_says_so() {
    let name = "t14_once_it_has_expired_every_door_and_every_verdict_says_so";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(SOON_OVER));
    let desk = Desk::at(&server);
    let signer = super::race::Signer::register(&live, "approver");
    let asked = live.ask("Hello");
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    live.until(&asked.run, "RunFaulted");
    for verdict in ["approve", "reject", "respond"] {
        let codes =
            refused_at_each_door((&live, &desk), ("approver", &asked.decision), (verdict, &digest));
        assert_eq!(codes, ["PL3006", "PL3006", "PL3006"], "{verdict}");
    }
    let codes =
        refused_at_each_door((&live, &desk), ("second", &asked.decision), ("break_glass", &digest));
    assert_eq!(codes, ["PL3006", "PL3006", "PL3006"]);
    // an edit, a reassignment, a withdrawal, an act of several, and a signed vote come as late
    let door = live.door();
    let with = |more: Value| {
        let mut body = json!({"digest": digest});
        body.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        door.post("approver", &votes_at(&asked.decision), &body).1["code"].clone()
    };
    assert_eq!(
        with(json!({"verdict": "edit", "with": {"channel": "C0SALES", "text": "x"}})),
        "PL3006"
    );
    assert_eq!(with(json!({"verdict": "reassign", "to": ["second"]})), "PL3006");
    let withdraw = json!({"verdict": "withdraw", "digest": digest});
    assert_eq!(door.post("author", &votes_at(&asked.decision), &withdraw).1["code"], "PL3006");
    let items = json!([{"decision": asked.decision, "digest": digest}]);
    let several = json!({"verdict": "approve", "items": items});
    let (_, several) = door.post("approver", "/api/v1/decisions/votes", &several);
    assert_eq!(several["items"][0]["error"]["code"], "PL3006", "{several}");
    let signed = signer.approve(&asked.decision, &digest);
    assert_eq!(desk.refusal("approver", &signed), "PL3006");
    assert_eq!(door.post("approver", "/api/v1/votes", &signed).1["code"], "PL3006");
    let events = live.until(&asked.run, "RunFaulted");
    assert!(!kinds(&events).contains(&"VoteCast"), "{:?}", kinds(&events));
    assert_eq!(live.posts(), []);
}

#[test]
fn t21_a_name_in_the_body_is_nobody_over_http_and_nats() {
    let name = "t21_a_name_in_the_body_is_nobody_over_http_and_nats";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(LEADS));
    let desk = Desk::at(&server);
    let asked = live.ask("Hello");
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    for member in ["voter", "user", "principal", "as"] {
        let mut claimed = ballot(&asked.decision, &digest, "approve");
        claimed[member] = json!("second");
        assert_eq!(desk.refusal("author", &claimed), "PL4003", "{member}");
        claimed.as_object_mut().expect("a map").remove("decision");
        let (_, http) = live.door().post("author", &votes_at(&asked.decision), &claimed);
        assert_eq!(http["code"], "PL4003", "{member}: {http}");
    }
    // without the claim, each is who they were authenticated as
    assert_eq!(desk.refusal("author", &ballot(&asked.decision, &digest, "approve")), "PL3003");
    desk.ask("second", "decide", &ballot(&asked.decision, &digest, "approve"));
    let events = live.until(&asked.run, "RunCompleted");
    let vote = events.iter().find(|event| event["type"] == "VoteCast").expect("a vote");
    assert_eq!(
        (&vote["actor"], &vote["body"]["voter"]),
        (&json!("principal:second"), &json!("second"))
    );
}

#[test]
fn t26_a_vote_whose_answer_was_lost_is_one_vote_when_it_comes_again() {
    let name = "t26_a_vote_whose_answer_was_lost_is_one_vote_when_it_comes_again";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let mut live = Live::on_nats(&server, Some(LEADS));
    let desk = Desk::at(&server);
    let asked = live.ask("Hello");
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    live.done("author", &["pause"]);
    // given a vote that is committed, and an engine that is killed before anybody has read its answer
    let vote = ballot(&asked.decision, &digest, "approve");
    desk.tell_as("approver", "decide", &vote, "the-one");
    live.until(&asked.run, "DecisionSettled");
    live.kill_9();
    live.restart();
    // when the message is delivered again, and once more
    let receipt = desk.ask_as("approver", "decide", &vote, "the-one");
    assert_eq!(receipt["state"], "approved", "{receipt}");
    assert_eq!(desk.ask_as("approver", "decide", &vote, "the-one"), receipt);
    live.done("author", &["resume"]);
    // then it was one vote, and one message
    let events = live.until(&asked.run, "RunCompleted");
    for kind in ["VoteCast", "DecisionSettled", "AttemptStarted"] {
        assert_eq!(kinds(&events).iter().filter(|found| **found == kind).count(), 1, "{kind}");
    }
    assert_eq!(live.posts().len(), 1);
}
