//! The numbered decisions where the specification is silent, as far as a check can see them. The
//! engine's tests hold what only a run shows.

use placet_language::Evaluator;
use placet_model::fault::same_kind;
use placet_model::plan::{
    AttributeMatch, Backoff, Consume, EventRead, Expression, Plan, RetryPolicy, TaskKind, Template,
};
use serde_json::json;

use crate::world::World;

const HEADER: &str = "document: { dsl: '1.0.3', namespace: test, name: t, version: '1.0.0' }\n";

fn plan(body: &str) -> Plan {
    let checked = World::new().check("t.yaml", &format!("{HEADER}{body}"));
    let findings = checked.diagnostics;
    checked.plan.unwrap_or_else(|| unreachable!("{findings:#?}"))
}

/// The kind of the only task.
fn kind(body: &str) -> TaskKind {
    plan(body).tasks.0.remove(0).kind
}

/// Every finding as `code message`.
fn findings(body: &str) -> Vec<String> {
    let checked = World::new().check("t.yaml", &format!("{HEADER}{body}"));
    checked.diagnostics.iter().map(|d| format!("{} {}", d.code.id, d.message)).collect()
}

fn retry(policy: &str) -> RetryPolicy {
    let body = format!(
        "do: [{{ a: {{ try: [{{ b: {{ call: slack.auth.test }} }}], catch: {{ retry: {policy} }} }} }}]\n"
    );
    let TaskKind::Try(inner) = kind(&body) else { unreachable!("a try") };
    inner.catch.retry.expect("a policy")
}

#[test]
fn d01_a_catch_may_retry_and_then_do_something_else() {
    let TaskKind::Try(inner) = kind(
        "do: [{ a: { try: [{ b: { call: slack.auth.test } }], catch: { retry: { limit: { attempt: { count: 2 } } }, \
         do: [{ c: { set: { x: 1 } } }] } } }]\n",
    ) else {
        unreachable!("a try")
    };
    assert!(inner.catch.retry.is_some() && inner.catch.tasks.is_some());
}

#[test]
fn d02_a_backoff_has_a_name_and_no_parameters() {
    let limit = "limit: { attempt: { count: 1 } }";
    for (word, backoff) in [
        ("constant", Backoff::Constant),
        ("linear", Backoff::Linear),
        ("exponential", Backoff::Exponential),
    ] {
        assert_eq!(retry(&format!("{{ backoff: {{ {word}: {{}} }}, {limit} }}")).backoff, backoff);
    }
    assert_eq!(retry(&format!("{{ {limit} }}")).backoff, Backoff::Constant);
}

#[test]
fn d03_the_count_is_kept_as_the_number_of_retries() {
    assert_eq!(retry("{ limit: { attempt: { count: 5 } } }").limit.count, Some(5));
}

#[test]
fn d04_both_durations_of_a_limit_are_kept_apart() {
    let limit = retry("{ limit: { duration: PT1H, attempt: { duration: PT1M } } }").limit;
    assert!(limit.total.is_some() && limit.attempt.is_some() && limit.total != limit.attempt);
}

#[test]
fn d05_branches_of_a_fork_keep_their_declared_order() {
    let TaskKind::Fork(fork) = kind(
        "do: [{ a: { fork: { branches: [{ z: { set: { x: 1 } } }, { b: { set: { x: 2 } } }] } } }]\n",
    ) else {
        unreachable!("a fork")
    };
    let names: Vec<&str> = fork.branches.0.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["z", "b"]);
    assert!(!fork.compete);
}

#[test]
fn d08_a_switch_without_a_default_is_no_mistake() {
    let TaskKind::Switch(cases) =
        kind("do: [{ a: { switch: [{ b: { when: .x, then: end } }], then: exit } }]\n")
    else {
        unreachable!("a switch")
    };
    assert!(cases.iter().all(|case| case.when.is_some()));
}

#[test]
fn d12_secrets_are_called_secrets_and_only_listed_ones_can_be_named() {
    let call = |listed: &str, token: &str| {
        format!(
            "use: {{ secrets: [{listed}] }}\ndo: [{{ a: {{ call: http, with: {{ method: GET, endpoint: {{ uri: \
             'https://a.example', authentication: {{ bearer: {{ token: '{token}' }} }} }} }} }} }}]\n"
        )
    };
    assert_eq!(findings(&call("key", "${ $secrets.key }")), Vec::<String>::new());
    let other = findings(&call("key", "${ $secrets.other }"));
    assert!(other[0].starts_with("PL2105 the secret `other` is not listed"), "{other:?}");
    let singular = findings(&call("key", "${ $secret.key }"));
    assert!(
        singular.iter().any(|found| found.contains("variable `$secret` is not defined")),
        "{singular:?}"
    );
}

#[test]
fn d13_an_expression_inside_a_longer_string_is_refused() {
    assert_eq!(
        findings("do: [{ a: { set: { x: 'Hello ${ .name }' } } }]\n"),
        ["PL2202 `${` inside a longer string is not evaluated"],
    );
    let TaskKind::Set(Template::Map(entries)) =
        kind("do: [{ a: { set: { x: '${ \"Hello \\(.name)\" }' } } }]\n")
    else {
        unreachable!("a set with an expression")
    };
    assert!(matches!(entries[0].1, Template::Expression(_)));
}

#[test]
fn d14_an_expression_that_cannot_give_exactly_one_result_is_refused() {
    for (expression, results) in [
        ("empty", "never gives a result"),
        ("empty | .a", "never gives a result"),
        (".a | empty", "never gives a result"),
        ("[empty] | empty + 1", "never gives a result"),
        (".a, .b", "gives 2 results"),
        ("(.a, .b) | { x: (1, 2) }", "gives 4 results"),
        ("-(1, 2)", "gives 2 results"),
    ] {
        let body = format!("do: [{{ a: {{ set: {{ x: '${{ {expression} }}' }} }} }}]\n");
        let found = findings(&body);
        assert!(
            found.len() == 1 && found[0].starts_with("PL2201") && found[0].contains(results),
            "{expression}: {found:?}"
        );
    }
    for expression in
        ["[.a, .b]", "empty // 1", ".[]", ".a?", "first(.a, .b)", "try empty catch 1", "null"]
    {
        let body = format!("do: [{{ a: {{ set: {{ x: '${{ {expression} }}' }} }} }}]\n");
        assert_eq!(findings(&body), Vec::<String>::new(), "{expression}");
    }
}

#[test]
fn d14_what_a_check_counts_is_what_an_evaluation_gives() {
    use placet_language::{Limits, Scope};
    let evaluator = Evaluator::new(Limits::default());
    for (expression, fits) in
        [("empty", false), (".a, .b", false), ("(.a | .b), 1 | 2", false), ("[.a, .b]", true)]
    {
        let input = json!({ "a": { "b": 1 }, "b": 2 });
        let value =
            evaluator.expression(&Expression(expression.to_owned()), &input, &Scope::default());
        assert_eq!(value.is_ok(), fits, "{expression}: {value:?}");
        let body = format!("do: [{{ a: {{ set: {{ x: '${{ {expression} }}' }} }} }}]\n");
        assert_eq!(findings(&body).is_empty(), fits, "{expression}");
    }
}

#[test]
fn d15_the_error_has_its_variable_in_when_and_in_the_retry() {
    let body = "do: [{ a: { try: [{ b: { call: slack.auth.test } }], catch: { as: oops, when: '$oops.status == 500', \
                retry: { when: '$oops.status > 500', limit: { attempt: { count: 1 } } } } } }]\n";
    assert_eq!(findings(body), Vec::<String>::new());
    let other =
        findings(&body.replace("when: '$oops.status == 500'", "when: '$error.status == 500'"));
    assert_eq!(other, ["PL2203 the variable `$error` is not defined here"]);
}

#[test]
fn d16_a_catch_may_do_nothing() {
    let TaskKind::Try(inner) =
        kind("do: [{ a: { try: [{ b: { set: { x: 1 } } }], catch: {} } }]\n")
    else {
        unreachable!("a try")
    };
    assert!(inner.catch.tasks.is_none() && inner.catch.retry.is_none());
}

#[test]
fn d18_every_host_of_the_standard_types_is_one_type() {
    let new = "https://open-workflow-specification.org/spec/1.0.0/errors/timeout";
    for host in ["serverlessworkflow.io", "open-workflow-specification.org"] {
        for path in ["spec/1.0.0/errors", "dsl/errors/types"] {
            assert!(same_kind(&format!("https://{host}/{path}/timeout"), new), "{host}/{path}");
        }
    }
    assert!(!same_kind("https://example.com/timeout", new));
}

#[test]
fn d19_a_correlation_reads_the_event_and_expects_a_value() {
    let TaskKind::Listen(listen) = kind(
        "do: [{ a: { listen: { to: { one: { with: { type: x }, correlate: { k: { from: .data.ts, expect: '${ .ts }' }, \
         l: { from: .data.u } } } } } } }]\n",
    ) else {
        unreachable!("a listen")
    };
    let Consume::One(filter) = &listen.to else { unreachable!("one") };
    assert_eq!(filter.correlate[0].from, Expression(".data.ts".to_owned()));
    assert_eq!(
        filter.correlate[0].expect,
        Some(Template::Expression(Expression(".ts".to_owned())))
    );
    assert_eq!(filter.correlate[1].expect, None);
}

#[test]
fn d20_a_schedule_reads_the_data_of_events_unless_it_says_otherwise() {
    let body = |read: &str| {
        format!(
            "schedule: {{ on: {{ one: {{ with: {{ type: x }} }} }}{read} }}\n\
             do: [{{ a: {{ set: {{ x: '${{ $workflow.input[0].data.y }}' }} }} }}]\n"
        )
    };
    let found = findings(&body(""));
    assert!(found.len() == 1 && found[0].starts_with("PL2307"), "{found:?}");
    assert_eq!(plan(&body("")).schedule.expect("a schedule").read, EventRead::Data);
    assert_eq!(findings(&body(", read: envelope")), Vec::<String>::new());
}

#[test]
fn d21_an_expression_for_data_is_kept_apart_from_a_literal() {
    let TaskKind::Listen(listen) = kind(
        "do: [{ a: { listen: { to: { one: { with: { type: x, data: '${ .a > 1 }' } } } } } }]\n",
    ) else {
        unreachable!("a listen")
    };
    let Consume::One(filter) = &listen.to else { unreachable!("one") };
    assert_eq!(filter.with[0].1, AttributeMatch::Equal(json!("x")));
    assert_eq!(filter.with[1].1, AttributeMatch::Expression(Expression(".a > 1".to_owned())));
}

#[test]
fn d22_extensions_are_refused_and_never_ignored() {
    let found = findings(
        "use: { extensions: [{ log: { extend: all, before: [{ x: { set: { a: 1 } } }] } }] }\ndo: []\n",
    );
    assert_eq!(found, ["PL2101 `use.extensions` is outside the profile (level L2 is not enabled)"]);
}

#[test]
fn d25_an_export_in_a_branch_is_accepted_with_a_warning() {
    let found = findings(
        "do: [{ a: { fork: { branches: [{ b: { set: { x: 1 }, export: { as: '$context + .' } } }] } } }]\n",
    );
    assert_eq!(
        found,
        ["PL2306 an export inside a fork is seen by its branch only, until the join"]
    );
}

#[test]
fn d26_an_unknown_function_is_found_before_anything_runs() {
    for (call, message) in [
        ("nobody.knows.this", "PL2102 unknown operation `nobody.knows.this`"),
        (
            "'f:1.0.0@default'",
            "PL2102 `f:1.0.0@default` would be in functions/f/1.0.0/function.yaml, which does not exist",
        ),
        ("'https://example.com/f.yaml'", "PL2102 a call by URL is outside the profile"),
    ] {
        assert_eq!(findings(&format!("do: [{{ a: {{ call: {call} }} }}]\n")), [message]);
    }
}
