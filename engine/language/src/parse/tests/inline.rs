//! Functions where they are called: every task of a plan has a path of its own, and there is an end.

use std::collections::BTreeSet;
use std::fmt::Write;

use placet_model::TaskPath;
use placet_model::plan::{Plan, Task, TaskKind, TaskList};

use super::super::Checked;
use super::super::outside::Refuse;
use super::next::check;

const HEADER: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\n";

fn checked(body: &str) -> Checked {
    check(&format!("{HEADER}{body}"), std::path::Path::new("t.yaml"), Refuse::Nothing)
}

fn plan(body: &str) -> Plan {
    let checked = checked(body);
    let findings = checked.diagnostics;
    checked.plan.unwrap_or_else(|| unreachable!("{findings:#?}"))
}

/// The first finding, as `code line:column message`.
fn first(body: &str) -> String {
    let checked = checked(body);
    assert!(checked.plan.is_none(), "a plan came out");
    let found = checked.diagnostics.iter().find(|d| d.is_error()).expect("an error");
    format!("{} {}:{} {}", found.code.id, found.line, found.column, found.message)
}

fn paths<'p>(list: &'p TaskList, into: &mut Vec<&'p Task>) {
    for task in &list.0 {
        into.push(task);
        task.kind.lists().into_iter().for_each(|list| paths(list, into));
    }
}

/// `f0` calls `f1` so many times, and so on; the last one is a `set`.
fn tower(levels: usize, times: usize) -> String {
    let mut text = "use:\n  functions:\n".to_owned();
    for level in 0..levels {
        let calls: Vec<String> =
            (0..times).map(|n| format!("{{ c{n}: {{ call: f{} }} }}", level + 1)).collect();
        writeln!(text, "    f{level}: {{ do: [{}] }}", calls.join(", ")).unwrap();
    }
    format!("{text}    f{levels}: {{ set: {{ a: 1 }} }}\ndo: [{{ a: {{ call: f0 }} }}]\n")
}

#[test]
fn a_function_stands_in_the_plan_where_it_is_called_with_a_path_of_its_own() {
    let plan = plan(
        "use:\n  functions:\n    a/b:\n      do:\n        - say: { set: { x: 1 } }\n    twice: { call: a/b }\n\
         do:\n  - one: { call: twice }\n  - two: { for: { in: '.' }, do: [{ three: { call: a/b } }] }\n",
    );
    let mut all = Vec::new();
    paths(&plan.tasks, &mut all);
    let texts: Vec<&str> = all.iter().map(|task| task.path.as_str()).collect();
    assert_eq!(
        texts,
        [
            "/do/0/one",
            "/do/0/one/call/twice",
            "/do/0/one/call/twice/call/a~1b",
            "/do/0/one/call/twice/call/a~1b/do/0/say",
            "/do/1/two",
            "/do/1/two/do/0/three",
            "/do/1/two/do/0/three/call/a~1b",
            "/do/1/two/do/0/three/call/a~1b/do/0/say",
        ],
    );
    for task in all {
        assert_eq!(plan.task(&task.path), Some(task));
        assert_eq!(task.path.name(), task.name);
        if let TaskKind::Function(call) = &task.kind {
            assert_eq!(call.body.0.len(), 1, "{}", task.path);
        }
    }
}

#[test]
fn two_calls_of_one_function_are_two_tasks() {
    let plan = plan(
        "use: { functions: { f: { do: [{ s: { set: { x: 1 } } }] } } }\n\
         do: [{ a: { call: f } }, { b: { call: f } }]\n",
    );
    let mut all = Vec::new();
    paths(&plan.tasks, &mut all);
    let unique: BTreeSet<&TaskPath> = all.iter().map(|task| &task.path).collect();
    assert_eq!(unique.len(), all.len());
}

#[test]
fn sixteen_functions_may_call_each_other_and_seventeen_may_not() {
    let deep = plan(&tower(15, 1));
    let mut all = Vec::new();
    paths(&deep.tasks, &mut all);
    assert_eq!(all.len(), 32, "the call, fifteen functions with their call, and the last one");
    let chain: Vec<String> = (0..17).map(|n| format!("`f{n}`")).collect();
    assert_eq!(
        first(&tower(16, 1)),
        format!(
            "PL2109 21:19 functions call each other deeper than 16 levels: {}",
            chain.join(" calls ")
        ),
    );
}

#[test]
fn functions_that_double_themselves_meet_the_bound_on_tasks() {
    assert_eq!(
        first(&tower(14, 2)),
        "PL2109 19:19 the plan has more than 10000 tasks, functions put in"
    );
    assert_eq!(
        first(&tower(14, 40)),
        "PL2109 19:19 the plan has more than 10000 tasks, functions put in"
    );
}

#[test]
fn large_functions_that_are_called_often_meet_the_bound_on_bytes() {
    let large = "x".repeat(100_000);
    let calls: Vec<String> = (0..200).map(|n| format!("{{ c{n}: {{ call: f }} }}")).collect();
    let body = format!(
        "use: {{ functions: {{ f: {{ set: {{ a: {large} }} }} }} }}\ndo: [{}]\n",
        calls.join(", ")
    );
    let found = first(&body);
    assert!(found.ends_with("functions add more than 16777216 bytes to the plan"), "{found}");
}

#[test]
fn a_function_that_nothing_calls_is_no_part_of_the_plan() {
    let with =
        plan("use: { functions: { f: { set: { a: 1 } } } }\ndo: [{ a: { set: { b: 1 } } }]\n");
    let mut all = Vec::new();
    paths(&with.tasks, &mut all);
    assert_eq!(all.len(), 1);
}

#[test]
fn the_alias_of_an_operation_is_a_call_of_it() {
    let alias = plan(
        "do: [{ a: { call: 'slack-chat-post-message:1.0.0@default', with: { channel: C0SALES, text: hi } } }]\n",
    );
    let named = plan(
        "do: [{ a: { call: slack.chat.postMessage, with: { channel: C0SALES, text: hi } } }]\n",
    );
    assert_eq!(alias.tasks.0[0].kind, named.tasks.0[0].kind);
    assert_eq!(alias.operations, named.operations);
    assert_eq!(
        first(
            "do: [{ a: { call: 'slack-chat-post-message:1.2.0@default', with: { channel: C0SALES, text: hi } } }]\n"
        ),
        "PL2102 2:19 there is no version 1.2.0 of `slack.chat.postMessage`",
    );
    assert_eq!(
        first(
            "do: [{ a: { call: 'slack-chat-post-message:1.0.0@default', with: { text: hi } } }]\n"
        ),
        "PL2108 2:68 `with` of slack.chat.postMessage: \"channel\" is a required property",
    );
}
