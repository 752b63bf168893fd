//! For authors: what a `*.test.yaml` means, and what is refused in it, with its place.

use std::collections::{BTreeMap, BTreeSet};

use placet_language::test_file::{
    EndStatus, Known, Others, Pattern, Reply, Says, ScriptedVerdict, TaskEnds, TestFile, When,
};
use placet_language::{Diagnostic, Source, check_test};
use placet_model::Duration;
use serde_json::json;

fn lines(findings: &[Diagnostic]) -> Vec<String> {
    findings
        .iter()
        .map(|d| format!("{} {}:{} {} = {}", d.code.id, d.line, d.column, d.message, d.help))
        .collect()
}

fn read(text: &str) -> (Option<TestFile>, Vec<String>) {
    let (file, findings) = check_test(&Source::new("a.test.yaml", text));
    (file, lines(&findings))
}

/// The file of one test with these lines, which begin on line 4.
fn test(lines: &str) -> String {
    format!("workflow: ../workflows/a.yaml\ntests:\n  - name: it holds\n{lines}")
}

fn good(lines: &str) -> TestFile {
    let (file, findings) = read(&test(lines));
    assert_eq!(findings, Vec::<String>::new(), "{lines}");
    file.expect("a file without findings")
}

fn refused(lines: &str, expected: &[&str]) {
    let (file, findings) = read(&test(lines));
    assert_eq!(findings, expected, "{lines}");
    assert!(file.is_none(), "{lines}");
}

const EXPECT: &str = "    expect: { status: completed }\n";

#[test]
fn a_test_has_an_input_a_script_and_expectations_with_their_places() {
    let file = good(
        "    input: { channel: C0SALES }\n    seed: 7\n    startAt: 2026-03-01T09:00:00Z\n    \
         startedBy: ana\n    answers:\n      - { operation: slack.chat.postMessage, error: not_found }\n      \
         - { url: 'https://api.example.com/x', status: 201, headers: { X-A: b }, body: { ok: true } }\n    \
         decisions:\n      - approve\n      - { task: notify, after: PT1H, reject: { by: [ben, cho], reason: no } }\n      \
         - respond: { by: ben, text: shorter }\n      - { task: /do/0/notify, expire: {} }\n      \
         - approve: { by: ana, refused: PL3003 }\n    events:\n      \
         - { after: PT2H, event: { type: a.b, source: test, data: { x: 1 } } }\n      \
         - { afterTask: notify, event: { type: a.b, source: test } }\n    expect:\n      status: faulted\n",
    );
    assert_eq!(file.workflow.value, "../workflows/a.yaml");
    let test = &file.tests[0];
    assert_eq!(test.name.value, "it holds");
    assert_eq!((&test.input, test.seed), (&json!({"channel": "C0SALES"}), 7));
    assert_eq!(test.start_at.map(|at| at.to_string()).as_deref(), Some("2026-03-01T09:00:00.000Z"));
    assert_eq!(test.started_by.as_ref().map(|by| by.value.as_str()), Some("ana"));
    assert!(
        matches!(&test.answers[0].value.reply, Reply::Error(name) if name.value == "not_found")
    );
    let own = Reply::Response {
        status: 201,
        headers: vec![("x-a".to_owned(), "b".to_owned())],
        body: Some(json!({"ok": true})),
    };
    assert_eq!(test.answers[1].value.reply, own);
    let says: Vec<&Says> = test.decisions.iter().map(|d| &d.value.says).collect();
    assert!(
        matches!(says[0], Says::Vote(vote) if vote.verdict == ScriptedVerdict::Approve && vote.by.is_empty())
    );
    let Says::Vote(no) = says[1] else { unreachable!("a vote: {says:?}") };
    assert_eq!(
        (no.verdict, no.by.len(), no.reason.as_deref()),
        (ScriptedVerdict::Reject, 2, Some("no"))
    );
    assert_eq!(test.decisions[1].value.after, Some(Duration::from_millis(3_600_000)));
    assert_eq!(says[3], &Says::Expire);
    assert!(
        matches!(says[4], Says::Vote(v) if v.refused.as_ref().is_some_and(|c| c.value == "PL3003"))
    );
    assert_eq!(test.events[0].value.when, When::After(Duration::from_millis(7_200_000)));
    assert!(matches!(&test.events[1].value.when, When::Begun(task) if task.value == "notify"));
    assert_eq!(test.expect.status.value, EndStatus::Faulted);
}

#[test]
fn an_output_is_compared_whole_and_errors_and_sends_by_what_is_named() {
    let file = good(
        "    expect:\n      output: { a: { b: 1 }, c: { $match: { d: 2 } }, e: [{ $type: string }] }\n      \
         sent:\n        - { body: { x: { $is: { $expr: y } } } }\n",
    );
    let expect = &file.tests[0].expect;
    let Some(Pattern::Map { members, others }) = expect.output.as_ref().map(|e| &e.pattern) else {
        unreachable!("a map: {expect:?}")
    };
    assert_eq!(*others, Others::Refused);
    assert!(matches!(&members[0].1.pattern, Pattern::Map { others: Others::Refused, .. }));
    assert!(matches!(&members[1].1.pattern, Pattern::Map { others: Others::Allowed, .. }));
    let sent = &expect.sent.as_ref().expect("sent").value[0];
    let Pattern::Map { members, others: Others::Allowed } = &sent.pattern else {
        unreachable!("a map that allows others: {sent:?}")
    };
    let Pattern::Map { members, others: Others::Allowed } = &members[0].1.pattern else {
        unreachable!("the body as well: {members:?}")
    };
    assert_eq!(members[0].1.pattern, Pattern::Is(json!({"$expr": "y"})));
}

#[test]
fn without_a_status_a_run_completes_unless_an_error_is_expected() {
    let status = |lines: &str| good(lines).tests[0].expect.status.value;
    assert_eq!(status("    expect: { sent: [] }\n"), EndStatus::Completed);
    assert_eq!(status("    expect: { error: { status: 403 } }\n"), EndStatus::Faulted);
}

#[test]
fn how_tasks_ended_is_one_word_for_all_or_a_list_in_order() {
    let file = good("    expect: { tasks: { a: skipped, b: [faulted, completed], c: never } }\n");
    let ends: Vec<&TaskEnds> = file.tests[0].expect.tasks.iter().map(|(_, e)| &e.value).collect();
    assert_eq!(
        ends,
        [
            &TaskEnds::All("skipped".to_owned()),
            &TaskEnds::Each(vec!["faulted".to_owned(), "completed".to_owned()]),
            &TaskEnds::Never,
        ]
    );
}

#[test]
fn a_test_that_claims_nothing_is_an_error() {
    refused("    input: {}\n", &["PL2003 3:5 a test lacks the key `expect` = add `expect:`"]);
    refused(
        "    expect: {}\n",
        &[
            "PL2003 4:13 this test claims nothing = add at least one of: status, output, error, sent, tasks, duration, refused",
        ],
    );
    let (file, findings) = read("workflow: a.yaml\ntests: []\n");
    assert_eq!(
        findings,
        ["PL2003 2:8 there is no test in this file = add `- name: …` with `expect:`"]
    );
    assert!(file.is_none());
}

#[test]
fn every_mistake_is_told_at_once_with_what_was_meant() {
    refused(
        "    imput: 1\n    seed: seven\n    decisions: [aprove, { accept: {} }, {}, { approve: {}, reject: {} }]\n    \
         expect: { staus: completed, duration: 2h }\n",
        &[
            "PL2003 4:5 unknown key `imput` in a test = did you mean `input`?",
            "PL2003 5:11 `seed` must be a whole number of at least 0 = write it without quotes",
            "PL2003 6:17 `aprove` is no decision = did you mean `approve`?",
            "PL2003 6:27 unknown key `accept` in a decision = did you mean `approve`?",
            "PL2003 6:41 a decision says nothing = add one of: approve, reject, respond, withdraw, expire, edit",
            "PL2109 6:60 a decision says one thing, `reject` is a second = write a decision of its own for each; the votes of several people stand under `by`",
            "PL2003 7:15 unknown key `staus` in `expect` = did you mean `status`?",
            "PL2301 7:43 `2h` is not an ISO 8601 duration = write PT2H",
        ],
    );
}

#[test]
fn a_scripted_edit_says_the_whole_new_with() {
    refused(
        &format!("    decisions:\n      - {{ task: a, edit: {{ by: ana }} }}\n{EXPECT}"),
        &["PL2003 5:28 `edit` lacks the key `with` = add `with:`"],
    );
}

#[test]
fn expectations_that_contradict_each_other_are_refused() {
    for (expect, finding) in [
        (
            "{ status: completed, error: { status: 403 } }",
            "PL2109 4:34 a run that is completed has no `error` = remove `error:`, or expect another status",
        ),
        (
            "{ status: faulted, output: 1 }",
            "PL2109 4:32 a run that is faulted has no `output` = remove `output:`, or expect another status",
        ),
        (
            "{ status: waiting, output: 1 }",
            "PL2109 4:32 a run that is waiting has no `output` = remove `output:`, or expect another status",
        ),
        (
            "{ refused: PL4010, sent: [] }",
            "PL2109 4:32 a run that is refused has no `sent` = `refused` is about the start, such as an input that the schema refuses",
        ),
    ] {
        refused(&format!("    expect: {expect}\n"), &[finding]);
    }
}

#[test]
fn nothing_in_an_expectation_is_evaluated_by_accident() {
    refused(
        "    expect: { output: '${ .x }' }\n",
        &[
            "PL2205 4:23 an expectation is compared as it stands, `${ }` is not evaluated = write { $expr: '.x' } for a condition on the value, or { $is: '…' } for this very text",
        ],
    );
    refused(
        "    expect: { output: { $exp: '.x' } }\n",
        &["PL2003 4:25 there is no matcher `$exp` = did you mean `$expr`?"],
    );
    refused(
        "    expect: { output: { $match: { a: 1 }, b: 2 } }\n",
        &[
            "PL2003 4:43 a matcher stands alone in its map = write it as the value of the member that it is about, or $is for a map whose keys start with `$`",
        ],
    );
    refused(
        "    expect: { output: { a: { $expr: '$context.x' }, b: { $expr: '.[' }, c: { $type: text } } }\n",
        &[
            "PL2203 4:37 the variable `$context` is not defined here = `.` is the value, `$input` the input of the run",
            "PL2201 4:65 the expression cannot be read: expected closing bracket = write the expression in single quotes in YAML; see jq's manual for the syntax",
            "PL2003 4:85 `text` is no type of JSON = one of: string, number, boolean, object, array, null, any",
        ],
    );
}

#[test]
fn an_answer_says_to_what_and_what() {
    refused(
        &format!(
            "    answers: [{{ status: 200 }}, {{ operation: a.b }}, {{ operation: a.b, error: x, body: 1 }}]\n{EXPECT}"
        ),
        &[
            "PL2003 4:15 an answer says neither to which operation nor to which url = add `operation:` or `url:`",
            "PL2109 4:32 an answer has either an `error` or a `status` = `error:` names one of the manifest; `status:`, `headers:`, `body:` are your own",
            "PL2109 4:80 `error` and `body` contradict each other = an error of the manifest has its own; or write `status`",
        ],
    );
}

#[test]
fn names_of_tests_stand_once_and_on_one_line() {
    let (_, findings) = read(
        "workflow: a.yaml\ntests:\n  - { name: x, expect: { sent: [] } }\n  - { name: x, expect: { sent: [] } }\n  \
         - { name: \"a\\nb\", expect: { sent: [] } }\n",
    );
    assert_eq!(
        findings,
        [
            "PL2109 4:13 two tests are called `x` = name each for what it claims",
            "PL2003 5:13 `name` must be one line of at most 200 characters = say what the test claims, in short",
        ]
    );
}

#[test]
fn names_that_nothing_in_the_project_has_are_found_with_the_nearest() {
    let workflow = "document: { dsl: '1.0.3', namespace: t, name: a, version: '1.0.0' }\ndo:\n  \
                    - notify: { set: { x: 1 } }\n  - twice: { do: [{ same: { set: { x: 1 } } }] }\n  \
                    - thrice: { do: [{ same: { set: { x: 1 } } }] }\n";
    let world = crate::world::World::new();
    let plan = world.check("a.yaml", workflow).plan.expect("a plan");
    let operations =
        BTreeMap::from([("slack.chat.postMessage".to_owned(), vec!["auth".to_owned()])]);
    let people = ["ana", "ben"].map(str::to_owned).into();
    let providers: BTreeSet<String> = ["slack".to_owned()].into();
    let known =
        Known { plans: &[&plan], operations: &operations, people: &people, providers: &providers };
    let text = format!(
        "integrations: {{ s: slak }}\n{}",
        test(
            "    startedBy: anna\n    answers: [{ operation: slack.chat.postMesage, error: auth }, { operation: slack.chat.postMessage, error: aut }]\n    \
             decisions: [{ task: notfy, approve: { by: bem } }, { task: /do/0/notify, approve: {} }, { task: same, approve: {} }]\n    \
             expect: { tasks: { /do/1/twice/do/0/same: completed, zzz: never }, sent: [{ task: notify }, { task: /do/0/notfy }] }\n"
        )
    );
    let source = Source::new("a.test.yaml", text);
    let file = check_test(&source).0.expect("a readable file");
    assert_eq!(
        lines(&file.check_names(&source, &known)),
        [
            "PL2003 1:20 there is no provider named `slak` = did you mean `slack`?",
            "PL2003 5:16 there is no principal named `anna` = did you mean `ana`?",
            "PL2003 6:28 there is no operation named `slack.chat.postMesage` = did you mean `slack.chat.postMessage`?",
            "PL2003 6:110 there is no error of slack.chat.postMessage named `aut` = did you mean `auth`?",
            "PL2103 7:25 the workflow has no task `notfy` = did you mean `notify`?",
            "PL2003 7:47 there is no principal named `bem` = did you mean `ben`?",
            "PL2103 7:101 2 tasks are called `same` = name the one that is meant: /do/1/twice/do/0/same, /do/2/thrice/do/0/same",
            "PL2103 8:58 the workflow has no task `zzz` = tasks of the workflow: /do/0/notify, /do/1/twice, /do/1/twice/do/0/same, /do/2/thrice, /do/2/thrice/do/0/same",
            "PL2103 8:99 the workflow has no task `/do/0/notfy` = did you mean `/do/0/notify`?",
        ]
    );
}

#[test]
fn no_text_makes_the_reader_panic() {
    let whole = test(
        "    decisions: [approve, { task: a, reject: { by: [b], reason: c } }]\n    expect: { output: { $expr: '.a' }, sent: [{ body: { x: [1] } }] }\n",
    );
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        let (file, findings) = read(&whole[..end]);
        assert!(file.is_some() || !findings.is_empty(), "{}", &whole[..end]);
    }
}

/// Whether the schema for editors takes the document, and whether the check does.
fn both(text: &str) -> (bool, bool) {
    let registry = placet_schemas::Registry::new();
    let schema = registry.shipped(placet_schemas::TEST).expect("the schema ships");
    let document: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
    (schema.is_valid(&document), read(text).0.is_some())
}

#[test]
fn the_schema_for_editors_takes_what_the_check_takes_and_refuses_what_it_refuses() {
    let example = include_str!("../../../cli/example/tests/slack-notify.test.yaml");
    assert_eq!(both(example), (true, true));
    for good in [
        "    decisions: [approve, reject, withdraw, expire, { approve: {} }, { expire: true }, { task: a, after: PT1H, respond: { text: x, by: [a, b] } }]\n    expect: { status: waiting }\n",
        "    answers: [{ operation: a.b, error: x }, { url: u, status: 200, headers: { a: b }, body: [1] }]\n    expect: { tasks: { a: never, b: [faulted, completed] } }\n",
        "    events: [{ after: { hours: 1 }, event: { type: a, source: b, x: 1 } }, { afterTask: a, event: { type: a, source: b } }]\n    expect: { duration: { atLeast: PT1S } }\n",
        "    expect: { error: { $expr: .status }, sent: [{ body: { a: [{ $type: any }] } }, { $match: { task: a } }] }\n",
        "    expect: { output: { $is: { $a: 1, b: 2 } }, duration: PT1S }\n",
        "    expect: { refused: PL4010 }\n",
    ] {
        assert_eq!(both(&test(good)), (true, true), "{good}");
    }
    for bad in [
        "    expect: {}\n",
        "    seed: -1\n    expect: { sent: [] }\n",
        "    decisions: [aprove]\n    expect: { sent: [] }\n",
        "    decisions: [{ task: a }]\n    expect: { sent: [] }\n",
        "    decisions: [{ approve: {}, reject: {} }]\n    expect: { sent: [] }\n",
        "    decisions: [{ edit: {} }]\n    expect: { sent: [] }\n",
        "    decisions: [{ approve: { by: A@b.c } }]\n    expect: { sent: [] }\n",
        "    answers: [{ status: 200 }]\n    expect: { sent: [] }\n",
        "    answers: [{ operation: a, error: x, status: 200 }]\n    expect: { sent: [] }\n",
        "    events: [{ event: { type: a, source: b } }]\n    expect: { sent: [] }\n",
        "    events: [{ after: PT1S, event: { source: a } }]\n    expect: { sent: [] }\n",
        "    expect: { output: { $exp: x } }\n",
        "    expect: { output: [{ $match: {}, b: 1 }] }\n",
        "    expect: { sent: [{ bdoy: {} }] }\n",
        "    expect: { error: { code: 1 } }\n",
        "    expect: { tasks: { a: done } }\n",
        "    expect: { refused: PL4010, sent: [] }\n",
    ] {
        assert_eq!(both(&test(bad)), (false, false), "{bad}");
    }
}
