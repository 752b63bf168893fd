//! Every bound of a document, with the words that name it and what to do.

use std::fmt::Write;

use placet_language::{Evaluator, ExpressionError, Limits, Scope};
use placet_model::plan::Expression;
use serde_json::json;

use crate::world::World;

const HEADER: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\n";

/// The finding of a document over a bound says the bound and what to do.
fn over(text: &str, bound: &str, help: &str) {
    let checked = World::new().check("t.yaml", text);
    assert!(checked.plan.is_none(), "{bound}");
    let found =
        checked.diagnostics.iter().any(|d| d.message.contains(bound) && d.help.contains(help));
    let said: Vec<_> = checked.diagnostics.iter().take(3).collect();
    assert!(found, "{bound}: {said:#?}");
}

/// A document at a bound is a plan.
fn fits(text: &str) {
    let checked = World::new().check("t.yaml", text);
    let said: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).take(3).collect();
    assert!(checked.plan.is_some(), "{said:#?}");
}

fn body(rest: &str) -> String {
    format!("{HEADER}{rest}\n")
}

#[test]
fn a_document_has_at_most_so_many_bytes() {
    over(&body(&"#".repeat(1024 * 1024)), "at most 1048576", "several files");
}

#[test]
fn a_document_is_at_most_so_deep() {
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        body(&format!("do: [{{ a: {{ set: {{ x: {open}{close} }} }} }}]"))
    };
    // Around the value: the document, `do`, its item, the task and `set`.
    fits(&deep(64 - 5));
    over(&deep(65 - 5), "deeper than 64 levels", "workflow of their own");
}

#[test]
fn a_document_holds_at_most_so_many_values_and_bytes_of_text() {
    let many = "1,".repeat(100_001);
    over(&body(&format!("do: [{{ a: {{ set: {{ x: [{many}] }} }} }}]")), "100000 values", "files");
    let long = "x".repeat(900_000);
    let aliases =
        format!("do: [{{ a: {{ set: {{ x: &x '{long}', y: [*x, *x, *x, *x, *x] }} }} }}]");
    over(&body(&aliases), "4194304 bytes of text", "aliases count");
}

#[test]
fn a_plan_has_at_most_so_many_tasks_however_they_are_written() {
    let tasks = |count: usize| {
        let mut text = body("do:");
        for n in 0..count {
            writeln!(text, "  - t{n}: {{ wait: PT1S }}").unwrap();
        }
        text
    };
    fits(&tasks(10_000));
    over(&tasks(10_001), "more than 10000 tasks", "run.workflow");
}

#[test]
fn an_expression_is_at_most_so_long_and_deep() {
    let set = |jq: &str| body(&format!("do: [{{ a: {{ set: {{ x: '${{{jq}}}' }} }} }}]"));
    fits(&set(&format!("\"{}\"", "x".repeat(4 * 1024 - 2))));
    over(
        &set(&format!("\"{}\"", "x".repeat(4 * 1024 - 1))),
        "longer than 4096 bytes",
        "several tasks",
    );
    over(&set(&format!("{}1{}", "[".repeat(65), "]".repeat(65))), "deeper than 64 levels", "tasks");
}

#[test]
fn a_pattern_of_an_event_is_at_most_so_long() {
    let listen = |pattern: &str| {
        body(&format!(
            "do: [{{ a: {{ listen: {{ to: {{ one: {{ with: {{ type: '{pattern}' }} }} }} }} }} }}]"
        ))
    };
    fits(&listen(&format!("^{}$", "x".repeat(1022))));
    over(&listen(&format!("^{}$", "x".repeat(1023))), "longer than 1024 bytes", "shorten");
}

#[test]
fn a_duration_is_at_most_ten_years() {
    fits(&body("do: [{ a: { wait: P10Y } }]"));
    over(&body("do: [{ a: { wait: P11Y } }]"), "at most ten years", "P2D");
}

#[test]
fn an_evaluation_over_a_bound_says_which_and_what_to_do() {
    let evaluator = Evaluator::new(Limits::default());
    let said = |expression: &str, input: &serde_json::Value| -> ExpressionError {
        let expression = Expression(expression.to_owned());
        evaluator.expression(&expression, input, &Scope::new()).expect_err("a bound")
    };
    let large = said(".", &json!("x".repeat(5 * 1024 * 1024))).to_string();
    assert!(large.contains("4194304") && large.contains("input.from"), "{large}");
    let result = said("[., .]", &json!("x".repeat(600 * 1024))).to_string();
    assert!(result.contains("1048576") && result.contains("`for` task"), "{result}");
    let impatient = Evaluator::new(Limits {
        deadline: std::time::Duration::from_millis(20),
        ..Limits::default()
    });
    let many = json!((0..10_000).collect::<Vec<_>>());
    let slow = Expression("[.[] as $a | .[] | select(. == $a)] | length".to_owned());
    let late = impatient.expression(&slow, &many, &Scope::new()).expect_err("a bound").to_string();
    assert!(late.contains("longer than 20 ms") && late.contains("less data"), "{late}");
}
