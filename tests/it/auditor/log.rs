//! `placet audit log`: the filters, the forms, and following.

use super::session;
use crate::world::{Live, STORY, kinds};
use serde_json::Value;

/// The events that a question finds.
fn found(live: &Live, args: &[&str]) -> Vec<Value> {
    let log = live.placet(["audit", "log", "--json"]).args(args).run().expect_code(0);
    log.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Whether an event is what a question is after.
type Fits<'a> = &'a dyn Fn(&Value) -> bool;

fn run_of(event: &Value) -> Option<&str> {
    event["stream"].as_str()?.strip_prefix("run:")
}

#[test]
fn every_filter_finds_the_same_at_an_engine_and_on_data() {
    let mut live = Live::start();
    let first = live.ask("first");
    live.approve(&first);
    live.until(&first.run, "RunCompleted");
    let second = live.ask("second");
    live.done("approver", &["inbox", "reject", &second.decision, "--reason", "not now"]);
    live.until(&second.run, "RunFaulted");
    let all = found(&live, &[]);
    let vote = all.iter().find(|event| event["type"] == "VoteCast").expect("a vote");
    let since = vote["recorded_at"].as_str().expect("a moment");
    let until = all.iter().rfind(|event| event["type"] == "VoteCast").expect("a vote");
    let until = until["recorded_at"].as_str().expect("a moment");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let moment = |event: &Value| text(&event["recorded_at"]);
    let of_slack = |event: &Value| {
        event["body"]["operation"] == "slack.chat.postMessage"
            && event["type"] != "OperationRegistered"
            || ["decision", "attempt"].iter().any(|key| event["body"][*key].is_string())
            || event["stream"].as_str().is_some_and(|stream| stream.starts_with("integration:"))
            || event["type"] == "TriggerSet" && event["body"]["name"] == "slack"
    };
    let questions: [(&[&str], Fits<'_>); 7] = [
        (&["--run", &first.run], &|event| run_of(event) == Some(&first.run)),
        (&["--stream", "policy"], &|event| event["stream"] == "policy"),
        (&["--type", "VoteCast", "--type", "RunFaulted"], &|event| {
            event["type"] == "VoteCast" || event["type"] == "RunFaulted"
        }),
        (&["--actor", "approver"], &|event| event["actor"] == "principal:approver"),
        (&["--since", since, "--until", until], &|event| {
            moment(event).as_str() >= since && moment(event).as_str() < until
        }),
        (&["--integration", "slack"], &of_slack),
        (&["--since", "PT1H", "--type", "RunStarted"], &|event| event["type"] == "RunStarted"),
    ];
    let expected: Vec<Vec<Value>> = questions
        .iter()
        .map(|(_, fits)| all.iter().filter(|event| fits(event)).cloned().collect())
        .collect();
    let check = |live: &Live| {
        for ((args, _), expected) in questions.iter().zip(&expected) {
            assert!(!expected.is_empty(), "{args:?}");
            assert_eq!(&found(live, args), expected, "{args:?}");
        }
        let run = ["--run", &first.run];
        let last = found(live, &[&run[..], &["-n", "2"]].concat());
        assert_eq!(kinds(&last), STORY[STORY.len() - 2..]);
        let reversed = found(live, &[&run[..], &["--reverse", "--limit", "3"]].concat());
        let newest: Vec<&str> = STORY.iter().rev().take(3).copied().collect();
        assert_eq!(kinds(&reversed), newest);
        let unknown = live.placet(["audit", "log", "--integration", "nobody"]).run().expect_code(1);
        assert!(unknown.stderr.contains("there is no integration nobody"), "{}", unknown.stderr);
    };
    check(&live);
    live.terminate();
    check(&live);
}

#[test]
fn a_table_has_a_head_and_a_row_per_event() {
    let live = session();
    let run = found(&live, &["--type", "RunCompleted"]);
    let run = run_of(&run[0]).expect("a run");
    let csv = live.placet(["audit", "log", "--csv", "--run", run]).run().expect_code(0).stdout;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(
        rows[0],
        "position,recorded_at,type,stream,revision,actor,event_id,causation,correlation,body"
    );
    assert_eq!(rows.len(), STORY.len() + 1);
    for (row, kind) in rows[1..].iter().zip(STORY) {
        assert_eq!(row.split(',').nth(2), Some(kind), "{row}");
    }
    // both forms at once are none
    drop(live.placet(["audit", "log", "--csv", "--json"]).run().expect_code(2));
}

#[test]
fn following_shows_what_comes_until_the_engine_ends() {
    let mut live = Live::start();
    let before = live.ask("before");
    let follow = ["audit", "log", "--follow", "--json", "--type", "DecisionRequested"];
    let following = live.placet(follow).start();
    following.stdout_line(|line| line.contains(&before.decision));
    for text in ["one", "two"] {
        let asked = live.ask(text);
        let line = following.stdout_line(|line| line.contains(&asked.decision));
        let event: Value = serde_json::from_str(&line).expect("an event");
        assert_eq!(event["type"], "DecisionRequested");
    }
    live.terminate();
    let ended = following.finish();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("the engine has ended"), "{}", ended.stderr);
    assert_eq!(
        ended.stdout.lines().count(),
        3,
        "nothing else, and nothing twice: {}",
        ended.stdout
    );
    // on data alone nothing can come
    let ended = live.placet(follow).run().expect_code(0);
    assert_eq!(ended.stdout.lines().count(), 3);
    assert!(ended.stderr.contains("no engine has these data open"), "{}", ended.stderr);
}
