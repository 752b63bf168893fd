//! What an operator can rely on: a pause holds everything at once and loses nothing, a stricter policy asks again, one
//! engine owns a directory, and it ends in order.
//!
//! covers: T18

use placet_test_support::port::Port;
use placet_test_support::provider::Behaviour;
use serde_json::{Value, json};

use crate::world::{Asked, Live, POST, STORY, kinds};

const ONE_OF_TWO: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: one, match: { effect: send }, require: { approvers: [leads], quorum: 1 } }
";

const BOTH: &str = "
groups: { leads: [approver, second] }
rules:
  - { name: both, match: { effect: send }, require: { approvers: [leads], quorum: 2 } }
";

/// The only item of the inbox.
fn item(live: &Live) -> Value {
    let items = live.inbox();
    assert_eq!(items.len(), 1, "{items:?}");
    items[0].clone()
}

/// Approves while `close` holds, and shows that it is held for this reason; after `open` it goes, once.
fn held_and_then_sent(close: &[&str], reason: &str, open: &[&str]) {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.done("author", close);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    let held = item(&live);
    assert_eq!((&held["state"], &held["hold"]), (&json!("approved"), &json!(reason)));
    assert_eq!(held["missing"], json!([]));
    for (command, words) in [
        (vec!["inbox", "list", "--all"], format!("held: {reason}")),
        (vec!["inbox", "show", &asked.decision], format!("held      {reason}")),
    ] {
        let shown = live.done("author", &command).stdout;
        assert!(shown.contains(&words), "{command:?} does not say why it waits:\n{shown}");
    }
    assert_eq!(live.posts(), []);
    live.done("author", open);
    let events = live.until(&asked.run, "RunCompleted");
    assert_eq!(kinds(&events), STORY, "the same approval is spent");
    assert_eq!(live.posts().len(), 1);
    assert_eq!(live.inbox(), Vec::<Value>::new());
}

#[test]
fn a_pause_holds_what_was_approved_until_it_is_resumed() {
    held_and_then_sent(&["pause"], "outbound traffic of the project is paused", &["resume"]);
}

#[test]
fn a_pause_of_one_integration_holds_what_goes_through_it() {
    let (close, open) = (["pause", "--integration", "slack"], ["resume", "--integration", "slack"]);
    held_and_then_sent(&close, "outbound traffic of the integration is paused", &open);
}

#[test]
fn a_disabled_integration_holds_what_goes_through_it() {
    let (close, open) = (["integrations", "disable", "slack"], ["integrations", "enable", "slack"]);
    held_and_then_sent(&close, "the integration is disabled", &open);
}

#[test]
fn a_stricter_policy_asks_for_the_missing_vote_by_name_and_keeps_the_first() {
    let live = Live::under(ONE_OF_TWO);
    let asked = live.ask("Hello");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    live.project.write("stricter.yaml", BOTH);
    live.done("author", &["policy", "apply", "stricter.yaml"]);
    live.done("author", &["resume"]);
    live.until(&asked.run, "RequirementRaised");
    let back = item(&live);
    assert_eq!((&back["state"], &back["votes"]), (&json!("requested"), &json!(1)));
    assert_eq!(back["missing"], json!(["1 approval of leads"]));
    assert_eq!(live.posts(), []);
    live.done("second", &["inbox", "approve", &asked.decision]);
    let events = live.until(&asked.run, "RunCompleted");
    let votes: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "VoteCast")
        .map(|e| &e["body"]["voter"])
        .collect();
    assert_eq!(votes, ["approver", "second"]);
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn t18_the_vote_of_somebody_who_has_lost_the_right_no_longer_counts() {
    let live = Live::under(ONE_OF_TWO);
    let asked = live.ask("Hello");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    live.project.write("others.yaml", &ONE_OF_TWO.replace("approver, second", "second, third"));
    live.done("author", &["policy", "apply", "others.yaml"]);
    live.done("author", &["resume"]);
    live.until(&asked.run, "RequirementRaised");
    assert_eq!(item(&live)["state"], "requested");
    assert_eq!(live.posts(), []);
    live.done("third", &["inbox", "approve", &asked.decision]);
    live.until(&asked.run, "RunCompleted");
    assert_eq!(live.posts().len(), 1);
}

#[test]
fn a_workflow_is_deployed_as_soon_as_the_integration_that_it_lacks_is_connected() {
    let mut live = Live::stopped();
    live.restart();
    live.running().stderr_line(|line| line.contains("slack-notify.yaml is not deployed"));
    live.connect();
    live.running().stderr_line(|line| line.starts_with("deployed ops/slack-notify@1.0.0"));
    live.ask("Hello");
}

#[test]
fn a_second_engine_on_the_same_data_is_refused() {
    let live = Live::start();
    let second = live.dev().run().expect_code(1);
    assert!(second.stderr.contains("PL1001"), "{}", second.stderr);
    assert!(second.stderr.contains("in use"), "{}", second.stderr);
    assert_eq!(second.stdout, "", "it served nothing");
    // the first one does not notice
    let asked = live.ask("Hello");
    live.approve(&asked);
    live.until(&asked.run, "RunCompleted");
}

/// A killed engine leaves word of its address behind, and a copy of the data takes it along.
#[test]
fn a_command_on_some_data_never_reaches_an_engine_of_other_data() {
    let port = Port::reserve();
    let address = port.address();
    let mut gone = Live::stopped();
    gone.listen_at(&address);
    gone.restart();
    gone.kill_9();
    // given an engine of another project, of the same user, on the same port
    let other = Live::beside(&gone, &address);
    assert_eq!(other.door().address, address);
    // when the first project is paused, then that one is, and not the one that happens to listen there
    gone.done("author", &["pause"]);
    let types = |live: &Live| {
        let log = live.placet(["audit", "log", "--type", "OutboundPaused"]).run().expect_code(0);
        log.stdout.lines().count()
    };
    assert_eq!((types(&gone), types(&other)), (1, 0));
    // and a copy of the other's data is not the other: it is read by itself, and changed by nobody
    let copy = other.copy_of_data();
    other.done("author", &["pause"]);
    let log = ["audit", "log", "--type", "OutboundPaused", "--data", &copy];
    let read = other.placet(log).run().expect_code(0);
    assert_eq!(read.stdout, "", "the copy was made before");
    let refused = other.placet(["resume", "--data", &copy]).run().expect_code(1);
    assert!(refused.stderr.contains("PL1010"), "{}", refused.stderr);
    assert!(refused.stderr.contains("placet restore --copy"), "{}", refused.stderr);
}

#[test]
fn sigterm_lets_the_call_under_way_end_and_records_what_became_of_it() {
    let mut live = Live::start();
    let waiting = live.ask("later");
    let asked = live.ask("now");
    live.provider.next_for(POST, Behaviour::Slack.held());
    let before = live.provider.counts();
    live.approve(&asked);
    live.provider.wait_until(move |counts| counts.received > before.received);
    // when it is asked to end while the provider has yet to answer
    live.running().ask_to_end();
    live.running().stderr_line(|line| line == "stopping");
    live.provider.release();
    let ended = live.ended();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // then the answer is in the log, and nothing is left to be in doubt
    let sent = of_run(&live, &asked);
    assert!(sent.contains("AttemptSucceeded"), "{sent}");
    live.restart();
    live.until(&asked.run, "RunCompleted");
    assert_eq!(item(&live)["id"], json!(waiting.decision), "what waited still waits");
    assert_eq!(live.posts().len(), 1);
}

/// The run's events, read from the data that no engine has open.
fn of_run(live: &Live, asked: &Asked) -> String {
    let stream = format!("run:{}", asked.run);
    live.placet(["audit", "log", "--stream", &stream]).run().expect_code(0).stdout
}
