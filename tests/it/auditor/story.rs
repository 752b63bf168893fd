//! `placet audit show`: a run's story.

use crate::world::{Live, STORY};
use serde_json::Value;

/// A run that was held by a pause, and then sent.
fn held() -> (Live, crate::world::Asked) {
    let live = Live::start();
    let asked = live.ask("Hello");
    live.done("author", &["pause"]);
    live.approve(&asked);
    live.until(&asked.run, "DecisionSettled");
    live.done("author", &["resume"]);
    live.until(&asked.run, "RunCompleted");
    (live, asked)
}

#[test]
fn a_run_is_told_in_sentences_with_who_what_when_and_on_which_digest() {
    let (mut live, asked) = held();
    let card = live.card(&asked.decision);
    let draft = card["digest"].as_str().expect("a digest");
    let brief = format!("{}…", &draft[.."sha256:".len() + 12]);
    let check = |live: &Live| {
        let told = live.placet(["audit", "show", &asked.run]).run().expect_code(0).stdout;
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with(&asked.run) && lines[0].contains("ops/slack-notify"));
        // the run's own events, and the pause that held it
        assert_eq!(lines.len(), 1 + STORY.len() + 2, "{told}");
        let has = |words: &str| {
            let found: Vec<&&str> = lines.iter().filter(|line| line.contains(words)).collect();
            assert_eq!(found.len(), 1, "{words}: {told}");
            found[0].to_string()
        };
        let decision = &asked.decision;
        let vote = has(&format!(
            "approver approved the request {decision} for exactly the draft {brief} (transport)"
        ));
        assert!(vote.get(..20).is_some_and(is_moment), "{vote}");
        has("author started ops/slack-notify@");
        has("author paused everything outbound");
        has("author let everything outbound go on");
        let sent = has("began to send exactly the bytes sha256:");
        assert!(sent.contains(&format!("of the draft {brief} to the provider")), "{sent}");
        assert!(sent.contains("try 1"), "{sent}");
        has("succeeded (the answer was 200)");
        // the decision leads to the same story, also as JSON
        let same = live.placet(["audit", "show", decision]).run().expect_code(0).stdout;
        assert_eq!(same, told);
        live.placet(["audit", "show", decision, "--json"]).run().expect_code(0).json()
    };
    let at_engine: Value = check(&live);
    let vote = at_engine["lines"].as_array().expect("lines").iter();
    let mut votes = vote.filter(|line| line["type"] == "VoteCast");
    assert_eq!(votes.next().expect("a vote")["event"]["body"]["digest"], draft);
    live.terminate();
    assert_eq!(check(&live), at_engine);
}

#[test]
fn a_reason_cannot_look_like_a_line_of_the_story() {
    let live = Live::start();
    let asked = live.ask("Hello");
    let forged = "no\n2026-01-01 00:00:00Z  approver approved the request";
    live.done("approver", &["inbox", "reject", &asked.decision, "--reason", forged]);
    live.until(&asked.run, "RunFaulted");
    let told = live.placet(["audit", "show", &asked.run]).run().expect_code(0).stdout;
    assert!(told.contains("approver approved the request"), "the reason is told: {told}");
    assert!(!told.lines().any(|line| line.starts_with("2026-01-01")), "{told}");
}

/// `2026-11-29 09:12:03Z`.
fn is_moment(text: &str) -> bool {
    let form = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c });
    form.collect::<String>() == "0000-00-00 00:00:00Z"
}

#[test]
fn one_event_is_told_and_shown_and_nobody_is_refused() {
    let (mut live, asked) = held();
    let check = |live: &Live| {
        let event = live.placet(["audit", "show", "1", "--json"]).run().expect_code(0).json();
        assert_eq!(event["position"], 1);
        let told = live.placet(["audit", "show", "1"]).run().expect_code(0).stdout;
        let (sentence, shown) = told.split_once('\n').expect("a sentence and the event");
        assert!(sentence.get(..20).is_some_and(is_moment), "{sentence}");
        assert_eq!(serde_json::from_str::<Value>(shown).expect("the event"), event);
        for (subject, code, words) in [
            ("1000000", 2, "there is no event at position 1000000"),
            ("0", 2, "neither a run, a decision nor a position"),
            ("run_00000000000000000000000001", 1, "there is no run"),
            ("dec_00000000000000000000000001", 1, "PL3001"),
        ] {
            let ended = live.placet(["audit", "show", subject]).run();
            assert_eq!(ended.code, Some(code), "{subject}: {}", ended.stderr);
            assert!(ended.stderr.contains(words), "{subject}: {}", ended.stderr);
        }
    };
    check(&live);
    live.terminate();
    check(&live);
    drop(asked);
}
