//! What people can do to a request besides saying yes or no, and what agents can ask for: over the command line, HTTP
//! and NATS, with a live engine and a provider stand-in on loopback.
//!
//! covers: T8, T9, T10, S5, S7, A6, A7, A9

use placet_test_support::nats::NatsServer;
use serde_json::{Value, json};

use crate::world::{Desk, Live, ballot, kinds};

const LEADS: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
";

fn action(key: &str, text: &str) -> Value {
    json!({
        "operation": "slack.chat.postMessage", "with": {"channel": "C0SALES", "text": text},
        "idempotency_key": key, "reason": "the customer asked for it",
    })
}

#[test]
fn an_edit_at_the_terminal_is_shown_as_a_difference_and_sent_once_another_has_approved() {
    let live = Live::under(LEADS);
    let asked = live.ask("Hello");
    live.project
        .write("edit.json", r#"{"channel": "C0SALES", "text": "Good day", "unfurl_links": false}"#);
    let edit = ["inbox", "edit", &asked.decision, "--with", "@edit.json", "--reason", "politer"];
    let said = live.done("approver", &edit);
    let next = said.stdout.lines().last().expect("the next decision").to_owned();
    assert!(next.starts_with("dec_") && next != asked.decision, "{}", said.stdout);
    let shown = live.done("second", &["inbox", "show", &next]).stdout;
    for line in [
        "since revision 1, edited by approver",
        "changed /text",
        "- \"Hello\"",
        "+ \"Good day\"",
        "added /unfurl_links",
        "+ false",
    ] {
        assert!(shown.contains(line), "{line:?} is missing:\n{shown}");
    }
    let own = live.placet(["inbox", "approve", &next]).args(["--as", "approver"]).run();
    let own = own.expect_code(1);
    assert!(own.stderr.contains("PL3050"), "{}", own.stderr);
    assert_eq!(live.posts(), []);
    live.done("second", &["inbox", "approve", &next]);
    let events = live.until(&asked.run, "RunCompleted");
    let story = kinds(&events);
    assert!(story.contains(&"DraftEdited"), "{story:?}");
    let posts = live.posts();
    assert_eq!(posts.len(), 1);
    let body = posts[0].json().expect("JSON");
    assert_eq!((&body["text"], &body["unfurl_links"]), (&json!("Good day"), &json!(false)));
    live.done("author", &["audit", "verify"]);
}

#[test]
fn an_edit_over_nats_keeps_its_types_and_must_fit_the_operation() {
    let name = "an_edit_over_nats_keeps_its_types_and_must_fit_the_operation";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(LEADS));
    let asked = live.ask("Hello");
    let desk = Desk::at(&server);
    let digest = desk.card("approver", &asked.decision)["digest"].clone();
    let edit = |with: Value| {
        let mut edit = ballot(&asked.decision, &digest, "edit");
        edit["with"] = with;
        edit
    };
    let number = edit(json!({"channel": "C0SALES", "text": 5}));
    assert_eq!(desk.refusal("approver", &number), "PL3051");
    let elsewhere = edit(json!({"channel": "C0SALES", "text": "x", "integration": "other"}));
    assert_eq!(desk.refusal("approver", &elsewhere), "PL3051");
    let with = json!({"channel": "C0SALES", "text": "Good day", "unfurl_links": true});
    let receipt = desk.ask("approver", "decide", &edit(with));
    assert_eq!(receipt["state"], "superseded", "{receipt}");
    let next = receipt["successor"].as_str().expect("the next decision").to_owned();
    let card = desk.card("second", &next);
    assert_eq!(card["request"]["body"]["unfurl_links"], true);
    desk.ask("second", "decide", &ballot(&next, &card["digest"], "approve"));
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts()[0].json().expect("JSON")["unfurl_links"], true);
}

#[test]
fn a_request_is_left_to_another_and_taken_back_over_nats_and_at_the_terminal() {
    let name = "a_request_is_left_to_another_and_taken_back_over_nats_and_at_the_terminal";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(LEADS));
    let desk = Desk::at(&server);
    let first = live.ask("one");
    live.done("approver", &["inbox", "reassign", &first.decision, "--to", "second"]);
    assert_eq!(desk.items("approver").len(), 0);
    assert_eq!(desk.items("second").len(), 1);
    let second = live.ask("two");
    let digest = desk.card("approver", &second.decision)["digest"].clone();
    let mut to = ballot(&second.decision, &digest, "reassign");
    to["to"] = json!(["auditor"]);
    assert_eq!(desk.refusal("approver", &to), "PL3052");
    to = ballot(&second.decision, &digest, "reassign");
    to["to"] = json!(["approver"]);
    assert_eq!(desk.ask("second", "decide", &to)["state"], "requested");
    assert_eq!(desk.refusal("second", &ballot(&second.decision, &digest, "approve")), "PL3008");
    let withdraw = ballot(&second.decision, &digest, "withdraw");
    assert_eq!(desk.ask("author", "decide", &withdraw)["state"], "withdrawn");
    live.done("second", &["inbox", "approve", &first.decision]);
    live.until(&first.run, "RunCompleted");
    live.until(&second.run, "RunFaulted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn several_are_approved_in_one_act_at_the_terminal_and_over_nats() {
    let name = "several_are_approved_in_one_act_at_the_terminal_and_over_nats";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let live = Live::on_nats(&server, Some(LEADS));
    let desk = Desk::at(&server);
    let asked: Vec<_> = ["a", "b", "c"].map(|text| live.ask(text)).into();
    let said = live.done("approver", &["inbox", "approve", &asked[0].decision, &asked[1].decision]);
    assert_eq!(said.stdout.matches("approve: approved").count(), 2, "{}", said.stdout);
    let digest = desk.card("approver", &asked[2].decision)["digest"].clone();
    let mut act = ballot(&asked[2].decision, &digest, "approve");
    let item = json!({"decision": act["decision"], "digest": digest});
    let members = act.as_object_mut().expect("a map");
    members.remove("decision");
    members.remove("digest");
    act["items"] = json!([item]);
    let answer = desk.ask("second", "decide", &act);
    assert_eq!(answer["items"][0]["state"], "approved", "{answer}");
    for one in &asked {
        live.until(&one.run, "RunCompleted");
    }
    assert_eq!(live.posts().len(), 3);
}

#[test]
fn an_agent_asks_over_nats_is_told_the_outcome_and_takes_back_its_own() {
    let name = "an_agent_asks_over_nats_is_told_the_outcome_and_takes_back_its_own";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let mut live = Live::on_nats(&server, None);
    let desk = Desk::at(&server);
    let mut told = desk.told("placet.v1.act.agent.event");
    let acted = desk.request("placet.v1.act.agent", &action("k1", "Hello"));
    let (run, decision) = (acted["run"].as_str(), acted["decision"].as_str());
    let (run, decision) =
        (run.expect("a run").to_owned(), decision.expect("a decision").to_owned());
    let card = desk.card("approver", &decision);
    assert_eq!(card["agent_says_unverified"], "the customer asked for it", "{card:#}");
    assert_eq!(desk.refusal("agent", &ballot(&decision, &card["digest"], "approve")), "PL3012");
    // the same key is the same action, also for an engine that knows it from its log alone
    live.kill_9();
    live.restart();
    assert_eq!(desk.request("placet.v1.act.agent", &action("k1", "Hello")), acted);
    let other = desk.request("placet.v1.act.agent", &action("k1", "Bye"));
    assert_eq!(other["error"]["code"], "PL4041", "{other}");
    desk.ask("approver", "decide", &ballot(&decision, &card["digest"], "approve"));
    live.until(&run, "RunCompleted");
    let event = told();
    assert_eq!((&event["run"], &event["status"]), (&json!(run), &json!("completed")));

    let second = desk.request("placet.v1.act.agent", &action("k2", "Hello"));
    let body = json!({ "decision": second["decision"] });
    let others = desk.request("placet.v1.act.other.withdraw", &body);
    assert_eq!(others["error"]["code"], "PL3004", "{others}");
    let taken = desk.request("placet.v1.act.agent.withdraw", &body);
    assert_eq!(taken["state"], "withdrawn", "{taken}");
    assert_eq!(told()["error"]["type"], "urn:placet:errors:approval-withdrawn");
    let person = desk.request("placet.v1.act.approver", &action("k3", "Hello"));
    assert_eq!(person["error"]["code"], "PL4005");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_hundred_votes_at_once_through_two_clients_settle_a_request_once() {
    let name = "a_hundred_votes_at_once_through_two_clients_settle_a_request_once";
    let Some(server) = NatsServer::start_or_skip(name) else { return };
    let voters: Vec<String> = (0..100).map(|n| format!("voter{n}")).collect();
    let policy = format!(
        "
groups: {{ crowd: [{}] }}
rules:
  - {{ name: one, match: {{ effect: send }}, require: {{ approvers: [crowd], quorum: 3 }} }}
",
        voters.join(", ")
    );
    let live = Live::on_nats(&server, Some(&policy));
    let asked = live.ask("Hello");
    let (left, right) = (Desk::at(&server), Desk::at(&server));
    let digest = left.card("voter0", &asked.decision)["digest"].clone();
    let requests = |voters: &[String]| -> Vec<(String, Value)> {
        let vote = |who: &String| {
            let subject = format!("placet.v1.inbox.{who}.decide");
            (subject, ballot(&asked.decision, &digest, "approve"))
        };
        voters.iter().map(vote).collect()
    };
    let (one, two) = (requests(&voters[..50]), requests(&voters[50..]));
    let answers = std::thread::scope(|scope| {
        let one = scope.spawn(|| left.at_once(one));
        let two = scope.spawn(|| right.at_once(two));
        [one.join().expect("answers"), two.join().expect("answers")].concat()
    });
    let count = |state: &str| answers.iter().filter(|answer| answer["state"] == state).count();
    assert_eq!((count("requested"), count("approved")), (2, 1), "{answers:?}");
    let late = answers.iter().filter(|answer| answer["error"]["code"] == "PL3007").count();
    assert_eq!(late, 97, "{answers:?}");
    let events = live.until(&asked.run, "RunCompleted");
    let story = kinds(&events);
    for (kind, times) in [("VoteCast", 3), ("DecisionSettled", 1), ("AttemptStarted", 1)] {
        assert_eq!(
            story.iter().filter(|found| **found == kind).count(),
            times,
            "{kind}: {story:?}"
        );
    }
    assert_eq!(live.posts().len(), 1);
}
