//! For authors: `placet test`. What passes, what fails and how that reads, what cannot be run.

use crate::kit::placet;
use placet_test_support::dirs::Project;
use placet_test_support::process::Finished;
use serde_json::{Value, json};

/// A workflow with two sends, a wait between them, and a caught rejection.
const FLOW: &str = "document: { dsl: '1.0.3', namespace: t, name: flow, version: '1.0.0' }
do:
  - first:
      call: slack.chat.postMessage
      with: { channel: '${ .channel }', text: one }
  - pause: { wait: PT2H }
  - second:
      try:
        - post:
            call: slack.chat.postMessage
            with: { channel: '${ $workflow.input.channel }', text: two }
      catch:
        errors: { with: { type: 'urn:placet:errors:approval-rejected' } }
        do:
          - note: { set: { refused: true } }
";

/// Two of three must agree to every send.
const POLICY: &str = "groups:
  leads: [ana, ben, cho]
rules:
  - match: { effect: send }
    require: { approvers: [leads], quorum: 2, expires: P1D, reasonRequired: on-reject }
";

fn project(tests: &str) -> Project {
    Project::new()
        .with("placet.toml", "project = \"t\"\n")
        .with("policy.yaml", POLICY)
        .with_workflow("flow", FLOW)
        .with("tests/flow.test.yaml", &format!("workflow: ../workflows/flow.yaml\ntests:\n{tests}"))
}

fn run(project: &Project, more: &[&str]) -> Finished {
    placet(project).args(["test"].iter().chain(more)).run()
}

/// The one test of the project, which ends with this code: its part of the JSON outcome.
fn only(tests: &str, code: i32) -> Value {
    let outcome = run(&project(tests), &["--json"]).expect_code(code).json();
    let tests = outcome["files"][0]["tests"].as_array().expect("tests");
    assert_eq!(tests.len(), 1, "{outcome}");
    tests[0].clone()
}

/// What did not hold, each as `what: message`.
fn failures(test: &Value) -> Vec<String> {
    let all = test["failures"].as_array().into_iter().flatten();
    let text = |failure: &Value, key: &str| failure[key].as_str().unwrap_or_default().to_owned();
    all.map(|failure| format!("{}: {}", text(failure, "what"), text(failure, "message"))).collect()
}

#[test]
fn decisions_votes_waits_and_sends_are_scripted_and_checked() {
    let test = only(
        "  - name: both are sent, two hours apart
    input: { channel: C1 }
    decisions:
      - { task: first, approve: { by: [ana, ben] } }
      - { task: post, after: PT30M, approve: { by: cho } }
      - { task: /do/2/second/try/0/post, approve: { by: ana } }
    expect:
      status: completed
      output: { $match: { channel: C1 } }
      sent:
        - { task: first, method: POST, headers: { AUTHORIZATION: { $contains: Bearer } }, body: { text: one } }
        - { task: post, integration: slack, body: { text: { $expr: '. == \"two\"' }, channel: { $expr: '. == $input.channel' } } }
      tasks: { first: completed, pause: completed, second: [completed], note: never }
      duration: PT2H30M
",
        0,
    );
    assert_eq!(test["status"], "passed", "{test}");
}

#[test]
fn an_edit_is_scripted_with_its_whole_with_and_answered_by_what_comes_next() {
    let test = only(
        "  - name: the first is edited
    input: { channel: C1 }
    decisions:
      - { task: first, edit: { by: ana, with: { channel: C1, text: uno, unfurl_links: false } } }
      - { task: first, approve: { by: ana, refused: PL3050 } }
      - { task: first, approve: { by: [ben, cho] } }
      - approve
    expect:
      sent: [{ body: { text: uno, unfurl_links: false } }, { body: { text: two } }]
",
        0,
    );
    assert_eq!(test["status"], "passed", "{test}");
}

#[test]
fn without_names_whoever_may_votes_as_often_as_it_takes() {
    let test = only(
        "  - name: a rejection of the second is caught
    input: { channel: C1 }
    decisions: [approve, { reject: { reason: no } }]
    expect:
      output: { refused: true }
      sent: [{ body: { text: one } }]
      tasks: { post: faulted, note: completed }
",
        0,
    );
    assert_eq!(test["status"], "passed", "{test}");
}

#[test]
fn an_unexpected_request_fails_the_test_with_its_card() {
    let test = only(
        "  - name: only one is asked for
    input: { channel: C1 }
    decisions:
      - { task: first, approve: { by: [ana, ben] } }
    expect: { status: completed }
",
        1,
    );
    assert_eq!(
        failures(&test),
        [
            "decisions: an unexpected request: /do/2/second/try/0/post asks for slack.chat.postMessage, and `decisions` has no answer for it"
        ]
    );
    let card = test["failures"][0]["detail"].as_str().expect("a card");
    for words in ["what will be sent, in full", "\"text\": \"two\"", "2 approvals of leads"] {
        assert!(card.contains(words), "{words}: {card}");
    }
    assert_eq!(test["report"]["trace"][0]["would_have_sent"]["body"]["text"], "one");
}

#[test]
fn too_few_votes_say_how_many_more_are_needed() {
    let test = only(
        "  - name: one is enough
    input: { channel: C1 }
    decisions: [{ approve: { by: ben } }]
    expect: { status: completed }
",
        1,
    );
    assert_eq!(
        failures(&test),
        [
            "decisions: /do/0/first asks for slack.chat.postMessage, and the votes in `decisions` are not enough: it still needs 1 more of ana, ben, cho"
        ]
    );
}

#[test]
fn a_vote_that_the_engine_refuses_fails_at_the_name_of_the_voter() {
    let test = only(
        "  - name: anybody may approve
    input: { channel: C1 }
    decisions:
      - approve: { by: [ana, approver] }
    expect: { status: completed }
",
        1,
    );
    let [failure] = failures(&test).try_into().expect("one failure");
    assert!(
        failure.starts_with(
            "decisions[0]: the vote of approver is refused: PL3008 not entitled to vote"
        ),
        "{failure}"
    );
    assert_eq!(
        (&test["failures"][0]["line"], &test["failures"][0]["column"]),
        (&json!(6), &json!(30))
    );
}

#[test]
fn a_refusal_can_be_what_is_expected() {
    let test = only(
        "  - name: nobody votes twice, and the script says so
    input: { channel: C1 }
    decisions:
      - approve: { by: ana }
      - approve: { by: ana, refused: PL3005 }
      - reject: { by: ben, refused: PL3009 }
      - reject: { by: ben, reason: too early }
    expect: { error: { status: 403, detail: too early }, sent: [] }
",
        0,
    );
    assert_eq!(test["status"], "passed", "{test}");
    let test = only(
        "  - name: ana may not
    input: { channel: C1 }
    decisions: [{ approve: { by: ana, refused: PL3008 } }]
    expect: { status: waiting }
",
        1,
    );
    assert_eq!(failures(&test), ["decisions[0]: the vote of ana counts, expected PL3008"]);
}

#[test]
fn feedback_withdrawal_and_expiry_end_the_draft_with_their_error() {
    for (decision, expect) in [
        (
            "{ respond: { by: cho, text: shorter } }",
            "{ error: { type: 'urn:placet:errors:approval-response', status: 409, detail: shorter }, sent: [] }",
        ),
        (
            "{ withdraw: {} }",
            "{ error: { type: 'urn:placet:errors:approval-withdrawn', status: 409 }, duration: PT0S }",
        ),
        (
            "{ after: PT1H, withdraw: { by: author } }",
            "{ error: { type: 'urn:placet:errors:approval-withdrawn' }, duration: PT1H }",
        ),
        (
            "expire",
            "{ error: { type: 'urn:placet:errors:approval-expired', status: 408 }, sent: [], duration: P1D }",
        ),
    ] {
        let test = only(
            &format!(
                "  - name: it ends\n    input: {{ channel: C1 }}\n    decisions: [{decision}]\n    expect: {expect}\n"
            ),
            0,
        );
        assert_eq!(test["status"], "passed", "{decision}: {test}");
    }
}

#[test]
fn what_was_scripted_and_never_came_about_fails_the_test() {
    let test = only(
        "  - name: a second request comes
    input: { channel: C1 }
    answers:
      - { operation: slack.chat.postMessage, error: not_found }
      - { operation: slack.chat.postMessage, status: 500 }
    decisions:
      - { task: first, approve: { by: [ana, ben] } }
      - { task: post, approve: { by: [ana, ben] } }
    expect: { status: faulted }
",
        1,
    );
    assert_eq!(
        failures(&test),
        ["decisions[1]: post never asked for it", "answers[1]: no call ever asked for it"]
    );
}

#[test]
fn providers_answer_as_scripted_and_then_from_their_schemas() {
    let test = only(
        "  - name: a busy provider is asked again later, with the same approval
    input: { channel: C1 }
    answers:
      - { operation: slack.chat.postMessage, error: rate_limited }
      - url: https://slack.com/api/chat.postMessage
        status: 200
        body: { ok: true, channel: C9, ts: '1.000001', message: { text: one } }
    decisions: [approve, approve]
    expect:
      tasks: { first: completed }
      sent: [{ task: first }, { task: post }]
      duration: { atLeast: PT2H30S, atMost: PT2H1M }
",
        0,
    );
    assert_eq!(test["status"], "passed", "{test}");
    assert_eq!(test["report"]["trace"][0]["output"]["channel"], "C9");
}

#[test]
fn a_failure_says_what_where_and_how_to_see_it_again() {
    let tests = "  - name: it says 'hello'
    input: { channel: C1 }
    seed: 7
    decisions: [approve, approve]
    expect:
      sent:
        - { task: first, body: { channel: C1, text: hello } }
        - { task: post }
      duration: PT1H
";
    let shown = run(&project(tests), &[]).expect_code(1).stdout;
    let wanted = [
        "tests/flow.test.yaml",
        "  FAIL   it says 'hello'",
        "FAIL tests/flow.test.yaml: it says 'hello'",
        "  expect.sent[0].body.text: not as expected",
        "   --> tests/flow.test.yaml:9:47",
        "  9 |         - { task: first, body: { channel: C1, text: hello } }",
        "    --- expected",
        "    +++ actual",
        "    -    \"text\": \"hello\"",
        "    +    \"text\": \"one\"",
        "  expect.duration: expected PT1H of virtual time, the run took PT2H",
        "    --> tests/flow.test.yaml:11:7",
        "  what the run did",
        "        would have sent (approved as sha256:",
        r"  seed 7; run it again: placet test --filter 'tests/flow.test.yaml: it says '\''hello'\'''",
        "1 failed in",
    ];
    let mut lines = shown.lines();
    for part in wanted {
        assert!(lines.any(|line| line.starts_with(part)), "{part}\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where nobody looks: {shown}");
    // what is not named is not in the diff: the send id differs with every run
    assert!(!shown.contains("-    \"client_msg_id\""), "{shown}");
}

#[test]
fn every_expectation_that_does_not_hold_is_told_at_once() {
    let test = only(
        "  - name: all wrong
    input: { channel: C1 }
    decisions: [approve, { reject: { reason: no } }]
    expect:
      output: { refused: false, more: 1 }
      sent: []
      tasks: { note: never, pause: skipped }
",
        1,
    );
    assert_eq!(
        failures(&test),
        [
            "expect.output.refused: not as expected",
            "expect.sent: expected 0 requests, 1 would have been sent",
            "expect.tasks.note: expected note never to begin, it is completed",
            "expect.tasks.pause: expected pause skipped, it is completed",
        ]
    );
    let diff = test["failures"][0]["diff"].as_str().expect("a diff");
    assert_eq!(
        diff,
        "--- expected\n+++ actual\n@@ -1,4 +1,3 @@\n {\n-  \"refused\": false,\n-  \"more\": 1\n+  \"refused\": true\n }"
    );
}

#[test]
fn a_run_that_faults_unexpectedly_says_why() {
    let test = only(
        "  - name: it completes
    input: { channel: C1 }
    decisions: [{ reject: { by: ana, reason: no } }]
    expect: { output: 1 }
",
        1,
    );
    assert_eq!(
        failures(&test),
        [
            "expect.status: expected completed, the run is faulted: urn:placet:errors:approval-rejected 403 at /do/0/first: no"
        ]
    );
}

#[test]
fn the_seed_decides_what_the_sandbox_answers_and_can_be_given() {
    let project = project(
        "  - name: the same each time
    input: { channel: C1 }
    seed: 3
    decisions: [approve, approve]
    expect: { status: completed }
",
    );
    let output = |more: &[&str]| {
        let args: Vec<&str> = ["--json"].iter().chain(more).copied().collect();
        let outcome = run(&project, &args).expect_code(0).json();
        outcome["files"][0]["tests"][0]["report"]["trace"][0]["output"].clone()
    };
    let own = output(&[]);
    assert_eq!((output(&[]), output(&["--seed", "3"])), (own.clone(), own.clone()));
    assert_ne!(output(&["--seed", "4"]), own);
}

#[test]
fn a_filter_chooses_by_file_and_name_and_choosing_nothing_is_an_error() {
    let test = |name: &str| {
        format!("  - {{ name: {name}, input: {{ channel: C1 }}, expect: {{ status: waiting }} }}\n")
    };
    let project = project(&(test("one") + &test("two")));
    for (filter, names) in
        [("two", vec!["two"]), ("flow.test.yaml: one", vec!["one"]), ("flow", vec!["one", "two"])]
    {
        let outcome = run(&project, &["--filter", filter, "--json"]).expect_code(0).json();
        let tests = outcome["files"][0]["tests"].as_array().expect("tests");
        let found: Vec<&str> = tests.iter().filter_map(|test| test["name"].as_str()).collect();
        assert_eq!(found, names, "{filter}");
    }
    let none = run(&project, &["--filter", "three"]).expect_code(2);
    assert!(none.stderr.contains("no test has \"three\""), "{}", none.stderr);
}

#[test]
fn no_tests_is_an_error_that_says_where_they_go() {
    let project = Project::new().with("placet.toml", "");
    let none = run(&project, &[]).expect_code(2);
    assert!(none.stderr.contains("write one as ./tests/NAME.test.yaml"), "{}", none.stderr);
    let gone = run(&project, &["nowhere"]).expect_code(2);
    assert!(gone.stderr.contains("nowhere is not there"), "{}", gone.stderr);
}

#[test]
fn what_cannot_be_run_is_told_with_its_place_and_the_rest_is_run() {
    let project = project("  - { name: fine, input: { channel: C1 }, expect: { status: waiting } }\n")
        .with_workflow("broken", "document: { dsl: '1.0.3', namespace: t, name: b, version: '1.0.0' }\ndo:\n  - a: { sett: 1 }\n")
        .with("tests/a.test.yaml", "workflow: ../workflows/flow.yaml\ntests:\n  - { name: a, expect: {} }\n")
        .with("tests/b.test.yaml", "workflow: ../workflows/broken.yaml\ntests:\n  - { name: b, expect: { sent: [] } }\n")
        .with("tests/deep/c.test.yaml", "workflow: gone.yaml\ntests:\n  - { name: c, expect: { sent: [] } }\n")
        .with("tests/d.test.yaml", "workflow: ../workflows/flow.yaml\ntests:\n  - name: d\n    decisions: [{ task: frist, approve: { by: anna } }]\n    expect: { sent: [] }\n");
    let shown = run(&project, &[]).expect_code(2).stdout;
    for words in [
        "tests/a.test.yaml:3:24",
        "this test claims nothing",
        "workflows/broken.yaml:3:10",
        "tests/deep/c.test.yaml:1:11",
        "tests/deep/gone.yaml cannot be read",
        "tests/d.test.yaml:4:25",
        "did you mean `first`?",
        "tests/d.test.yaml:4:47",
        "did you mean `ana`?",
        "  ok     fine",
        "1 passed, 4 errors",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let outcome = run(&project, &["--json"]).expect_code(2).json();
    assert_eq!((&outcome["passed"], &outcome["errors"]), (&json!(1), &json!(4)));
    assert_eq!(outcome["files"][0]["findings"][0]["line"], 3);
}

const LISTENS: &str = "document: { dsl: '1.0.3', namespace: t, name: reply, version: '1.0.0' }
do:
  - send: { call: slack.chat.postMessage, with: { channel: C1, text: hello } }
  - wait:
      try:
        - reply:
            listen: { to: { one: { with: { type: slack.message }, correlate: { thread: { from: '.data.thread_ts', expect: '${ $steps.send.ts }' } } } } }
            timeout: { after: P2D }
      catch:
        errors: { with: { status: 408 } }
        do: [ { remind: { set: { reminded: true } } } ]
";

#[test]
fn events_come_at_their_virtual_time_or_not_and_the_workflow_goes_the_way_they_say() {
    let tests = "workflow: ../workflows/reply.yaml
tests:
  - name: another thread says something, and nobody replies
    decisions: [approve]
    events: [{ after: PT1H, event: { type: slack.message, source: test, data: { thread_ts: other, text: x } } }]
    expect: { status: completed, output: { reminded: true }, duration: P2D }
  - name: a reply that is no event
    decisions: [approve]
    events: [{ after: PT1H, event: { type: slack.message, source: test, time: noon } }]
    expect: { status: completed }
";
    let project = project("  - { name: x, skip: later, expect: { sent: [] } }\n")
        .with_workflow("reply", LISTENS)
        .with("tests/reply.test.yaml", tests);
    let shown = run(&project, &[]).expect_code(1).stdout;
    assert!(shown.contains("ok     another thread says something, and nobody replies"), "{shown}");
    assert!(shown.contains("FAIL   a reply that is no event"), "{shown}");
    assert!(shown.contains("`time` must be a moment"), "{shown}");
}

#[test]
fn check_reads_a_test_file_as_a_test() {
    let good = project("  - { name: a, expect: { status: completed } }\n");
    let words = ["check", "tests/flow.test.yaml", "--json"];
    drop(placet(&good).args(words).run().expect_code(0));

    let bad = project(
        "  - { name: a, decisions: [ { task: frist, approve: {} } ], expect: { status: completed } }\n",
    );
    let found = placet(&bad).args(words).run().expect_code(1).json();
    assert_eq!(found.as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!(found[0]["line"], 3, "{found}");
    let told = found[0].to_string();
    assert!(told.contains("frist") && told.contains("first"), "{told}");
}

#[test]
fn integrations_that_the_file_declares_are_there() {
    let project = project("  - { name: x, skip: later, expect: { sent: [] } }\n")
        .with_workflow(
            "named",
            "document: { dsl: '1.0.3', namespace: t, name: named, version: '1.0.0' }\ndo:\n  \
             - a: { call: slack.chat.postMessage, with: { integration: sales-slack, channel: C1, text: x } }\n",
        )
        .with(
            "tests/named.test.yaml",
            "workflow: ../workflows/named.yaml\nintegrations: { sales-slack: slack }\ntests:\n  \
             - { name: n, decisions: [approve], expect: { sent: [{ integration: sales-slack }] } }\n",
        );
    let shown = run(&project, &[]).expect_code(0).stdout;
    assert!(shown.contains("  ok     n") && shown.contains("  skip   x  (later)"), "{shown}");
}

#[test]
fn nothing_of_a_test_is_left_behind() {
    let project = project(
        "  - { name: a, input: { channel: C1 }, decisions: [approve, approve], expect: { status: completed } }\n",
    );
    drop(run(&project, &[]).expect_code(0));
    assert!(!project.data().exists(), "no data in the project");
    for (name, place) in project.env() {
        let left = std::fs::read_dir(&place).expect("a folder").count();
        assert_eq!(left, 0, "nothing in {name}");
    }
}

#[test]
fn many_tests_run_side_by_side_and_are_told_in_order() {
    let one = |n: usize| {
        format!(
            "  - {{ name: number {n}, input: {{ channel: C{n} }}, decisions: [approve, approve], expect: {{ sent: [{{ body: {{ channel: C{n} }} }}, {{}}] }} }}\n"
        )
    };
    let project = project(&(1..=40).map(one).collect::<String>());
    let outcome = run(&project, &["--json"]).expect_code(0).json();
    assert_eq!(outcome["passed"], 40, "{outcome}");
    let tests = outcome["files"][0]["tests"].as_array().expect("tests");
    let names: Vec<&str> = tests.iter().filter_map(|test| test["name"].as_str()).collect();
    let wanted: Vec<String> = (1..=40).map(|n| format!("number {n}")).collect();
    assert_eq!(names, wanted);
}

#[test]
fn junit_has_a_suite_per_file_and_is_well_formed_whatever_the_text() {
    let project = project(
        "  - { name: 'a & b <\"c\">', input: { channel: C1 }, decisions: [approve, approve], expect: { status: completed } }
  - name: fails
    input: { channel: C1 }
    decisions: [approve, approve]
    expect: { sent: [{ body: { text: \"<]]>&\\u0007\" } }, {}] }
  - { name: skipped, skip: 'a \"reason\"', expect: { sent: [] } }
",
    )
    .with("tests/a.test.yaml", "workflow: ../workflows/flow.yaml\ntests:\n  - { name: a, expect: {} }\n");
    drop(run(&project, &["--junit", "out.xml"]).expect_code(2));
    let xml = std::fs::read_to_string(project.dir().join("out.xml")).expect("the report");
    let elements = elements(&xml);
    let count = |name: &str| elements.iter().filter(|(found, _)| found == name).count();
    assert_eq!((count("testsuites"), count("testsuite"), count("testcase")), (1, 2, 4), "{xml}");
    assert_eq!((count("failure"), count("error"), count("skipped")), (1, 1, 1), "{xml}");
    let attribute = |name: &str, at: usize, key: &str| -> String {
        let (_, attributes) =
            elements.iter().filter(|(found, _)| found == name).nth(at).expect(name);
        let found = attributes.iter().find(|(found, _)| found == key);
        found.unwrap_or_else(|| panic!("{name} has no {key}: {xml}")).1.clone()
    };
    for (key, value) in [("tests", "4"), ("failures", "1"), ("errors", "1"), ("skipped", "1")] {
        assert_eq!(attribute("testsuites", 0, key), value, "{key}");
    }
    assert_eq!(attribute("testsuite", 1, "name"), "tests/flow.test.yaml");
    assert_eq!(attribute("testcase", 1, "name"), "a & b <\"c\">");
    assert_eq!(attribute("testcase", 1, "classname"), "tests/flow.test.yaml");
    assert!(attribute("testcase", 1, "time").parse::<f64>().is_ok());
    assert_eq!(attribute("failure", 0, "message"), "expect.sent[0].body.text: not as expected");
    assert!(
        xml.contains("-    &quot;text&quot;") || xml.contains("-    \"text\": \"&lt;]]&gt;&amp;"),
        "{xml}"
    );
}

type Attributes = Vec<(String, String)>;

/// The elements of an XML document in order; panics where it is not well formed.
fn elements(xml: &str) -> Vec<(String, Attributes)> {
    let mut rest =
        xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    let (mut open, mut found): (Vec<String>, _) = (vec![], vec![]);
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(!open.is_empty() || text.trim().is_empty(), "text outside of the root: {text:?}");
        let _is_text = unescaped(text);
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "tags close in order");
            continue;
        }
        let (tag, closes) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut read: Attributes = vec![];
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.trim_start().split_once("=\"").expect("an attribute");
            let (value, more) = value.split_once('"').expect("its value ends");
            assert!(!read.iter().any(|(known, _)| known == key), "{key} stands twice");
            read.push((key.to_owned(), unescaped(value)));
            attributes = more;
        }
        found.push((name.to_owned(), read));
        if !closes {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    found
}

fn unescaped(text: &str) -> String {
    let legal = |c: char| c >= ' ' || matches!(c, '\n' | '\t' | '\r');
    assert!(text.chars().all(legal) && !text.contains("]]>"), "{text:?}");
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, entity)) = rest.split_once('&') {
        let (entity, after) = entity.split_once(';').expect("an entity ends");
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#9" => '\t',
            "#10" => '\n',
            "#13" => '\r',
            other => panic!("&{other}; is no entity"),
        });
        rest = after;
    }
    plain + rest
}
