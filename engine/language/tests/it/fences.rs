//! For the author who wonders what an expression may do: each fence and each decision about
//! evaluation, as a claim.

use std::time::{Duration, Instant};

use placet_language::{Evaluator, ExpressionError as Error, Health, Limits, Scope};
use placet_model::plan::{Expression, Template};
use serde_json::{Value, json};

/// Slow machines are no finding here; the deadline has tests of its own.
fn evaluator() -> Evaluator {
    Evaluator::new(Limits { deadline: Duration::from_secs(20), workers: 2, ..Limits::default() })
}

fn eval(expression: &str, input: &Value) -> Result<Value, Error> {
    let scope = Scope::new()
        .with("context", json!({ "total": 3 }))
        .with("steps", json!({ "send": { "ts": "1.2" } }));
    evaluator().expression(&Expression(expression.to_owned()), input, &scope)
}

fn refused(expression: &str) -> String {
    let result = eval(expression, &json!({}));
    let Err(Error::Refused { reason }) = &result else {
        unreachable!("{expression:.40} is not refused but gives {result:?}")
    };
    reason.clone()
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inner, _| json!([inner]))
}

#[test]
fn fence01_functions_that_reach_outside_are_not_there() {
    for expression in [
        "halt",
        "halt_error",
        "halt_error(1)",
        "halt(0)",
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "debug(\"x\")",
        "stderr",
        "input_line_number",
        "input_filename",
        "now",
        "localtime",
        "strflocaltime(\"%H\")",
        "get_search_list",
        "$__prog_args",
        "include \"x\"; 1",
        "import \"x\" as x; 1",
        "stderr_empty",
        "debug_empty",
    ] {
        match eval(expression, &json!({})) {
            Err(Error::Refused { .. } | Error::UndefinedVariable { .. }) => {}
            other => panic!("{expression} gives {other:?}"),
        }
    }
}

#[test]
fn fence02_loops_that_no_data_bounds_are_refused() {
    for expression in [
        "repeat(.)",
        "until(false; .)",
        "while(true; .)",
        "range(3)",
        "range(0; 3)",
        "range(0; 3; 1)",
        "recurse(.)",
        "recurse(.; true)",
        "limit(1; .)",
        "combinations",
        "combinations(2)",
        "[.[] | {a: (1 | [range(9)])}]",
        "\"\\(range(3))\"",
    ] {
        refused(expression);
    }
    for expression in [
        "[..]",
        "[recurse]",
        "map(.)",
        "[.[] | select(. > 1)]",
        "first(.[])",
        "last(.[])",
        "any",
        "all",
        "reduce .[] as $x (0; . + $x)",
        "[foreach .[] as $x (0; . + $x)]",
        "[paths]",
        "walk(.)",
    ] {
        assert!(eval(expression, &json!([1, 2])).is_ok(), "{expression}");
    }
}

#[test]
fn fence03_definitions_are_refused_on_the_tree_and_not_by_text() {
    assert!(refused("def f: 1 + f; f").contains("def"));
    assert!(refused("[.[] | def f: f; f]").contains("def"));
    assert_eq!(eval("\"def f: 1; f\"", &json!(null)), Ok(json!("def f: 1; f")));
    assert_eq!(eval("{def: 1}", &json!(null)), Ok(json!({ "def": 1 })));
}

#[test]
fn fence04_source_length_and_syntax_depth_are_bounded() {
    let long = format!("\"{}\"", "x".repeat(4 * 1024));
    assert!(refused(&long).contains("4096 bytes"));
    let fits = format!("\"{}\"", "x".repeat(4 * 1024 - 2));
    assert!(eval(&fits, &json!(null)).is_ok());
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("{a:", "}"), (". as $x | ", "")] {
        let times = 4000 / (open.len() + close.len());
        refused(&format!("{}1{}", open.repeat(times), close.repeat(times)));
    }
    for broken in ["(", "[", "{", "\"\\(", "if ", "try ", "reduce ", "label $x | "] {
        refused(&broken.repeat(4000 / broken.len()));
    }
}

#[test]
fn fence05_input_size_and_depth_are_checked_before_anything_runs() {
    let large = json!("x".repeat(4 * 1024 * 1024));
    for expression in [".", "length", "$big", "$big | length"] {
        let scope = Scope::new().with("big", large.clone());
        let result = evaluator().expression(&Expression(expression.to_owned()), &large, &scope);
        assert!(matches!(result, Err(Error::InputLimit { .. })), "{expression}: {result:?}");
    }
    for expression in [".", "length"] {
        let result = eval(expression, &nested(65));
        assert!(matches!(result, Err(Error::InputLimit { .. })), "{expression}: {result:?}");
        assert!(eval(expression, &nested(64)).is_ok(), "{expression}");
    }
}

#[test]
fn fence05_results_over_a_limit_are_never_built() {
    let half = json!("x".repeat(600 * 1024));
    for expression in [". + .", "[., .]", "{a: ., b: .}"] {
        let result = eval(expression, &half);
        assert!(matches!(result, Err(Error::ResultLimit { .. })), "{expression}: {result:?}");
    }
    let large = json!("x".repeat(2 * 1024 * 1024));
    assert!(matches!(eval(".", &large), Err(Error::ResultLimit { .. })));
    assert_eq!(eval("length", &large), Ok(json!(2 * 1024 * 1024)));
    let result = eval("[[.]]", &nested(63));
    assert!(matches!(result, Err(Error::ResultLimit { .. })), "{result:?}");
}

#[test]
fn fence06_at_most_two_results_are_pulled() {
    // A third result would be an error of another kind.
    assert_eq!(eval("1, 2, error(\"third\")", &json!(null)), Err(Error::SeveralResults));
    let many = json!((0..100_000).collect::<Vec<_>>());
    assert_eq!(eval(".[] as $a | .[] as $b | .[]", &many), Err(Error::SeveralResults));
}

#[test]
fn fence07_regular_expressions_are_bounded_and_take_linear_time() {
    let bomb = json!(format!("{}!", "a".repeat(50_000)));
    assert_eq!(eval("test(\"^(a+)+$\")", &bomb), Ok(json!(false)));
    let long = format!("test(\"{}\")", "a".repeat(1025));
    let Err(Error::Failed { message }) = eval(&long, &json!("a")) else { panic!("not refused") };
    assert!(message.contains("1024 bytes"), "{message}");
    let fits = format!("test(\"{}\")", "a".repeat(1024));
    assert_eq!(eval(&fits, &json!("a")), Ok(json!(false)));
    assert!(matches!(
        eval("test(\"((a{1000}){1000}){1000}\")", &json!("a")),
        Err(Error::Failed { .. })
    ));
    for expression in [
        "[match(\"b\"; \"g\").offset]",
        "[scan(\"b\") | 1]",
        "gsub(\"b\"; \"x\")",
        "[splits(\"b\")]",
        "capture(\"(?<x>b)\")",
        "sub(\"b\"; \"x\")",
        "split(\"b\"; \"g\")",
    ] {
        assert!(eval(expression, &json!("abab")).is_ok(), "{expression}");
    }
}

/// Runs for minutes without a loop that has a name: a product over the input.
const ENDLESS: &str =
    "reduce (.[] as $a | .[] as $b | .[] as $c | .[] as $d | 1) as $x (0; . + $x)";
/// Runs for long in one native function, which cannot be stopped from inside.
const STUBBORN: &str = "test(\"^(?:[a-z]{1,40}){1,40}!$\")";

fn impatient(deadline_ms: u64, abandoned_max: usize) -> Evaluator {
    let deadline = Duration::from_millis(deadline_ms);
    Evaluator::new(Limits { deadline, workers: 2, abandoned_max, ..Limits::default() })
}

#[test]
fn fence08_an_evaluation_over_its_deadline_ends_itself_and_its_thread_is_used_again() {
    // one that takes as long again is given up: so long, because a busy machine may keep it from ending itself
    let evaluator = impatient(2_000, 8);
    let input = json!((0..200).collect::<Vec<_>>());
    for endless in [ENDLESS, "[.[] as $a | .[] as $b | .[] as $c | try error catch .] | length"] {
        let started = Instant::now();
        let result = evaluator.expression(&Expression(endless.to_owned()), &input, &Scope::new());
        assert_eq!(result, Err(Error::Deadline { deadline_ms: 2_000 }));
        assert!(started.elapsed() < Duration::from_mins(1), "it runs for minutes by itself");
        assert_eq!(evaluator.health(), Health::Fit { abandoned: 0 });
    }
}

#[test]
fn fence08_an_evaluation_that_cannot_be_stopped_is_given_up_and_its_caller_goes_on() {
    let evaluator = impatient(20, 8);
    let input = json!("a".repeat(4 * 1024 * 1024 - 2));
    let result = evaluator.expression(&Expression(STUBBORN.to_owned()), &input, &Scope::new());
    assert_eq!(result, Err(Error::Deadline { deadline_ms: 20 }));
    assert_eq!(evaluator.health(), Health::Fit { abandoned: 1 });
}

#[test]
fn fence08_too_many_hanging_evaluations_ask_for_a_restart_in_order() {
    let evaluator = impatient(20, 2);
    let input = json!("a".repeat(4 * 1024 * 1024 - 2));
    for _ in 0..2 {
        let result = evaluator.expression(&Expression(STUBBORN.to_owned()), &input, &Scope::new());
        assert_eq!(result, Err(Error::Deadline { deadline_ms: 20 }));
    }
    assert_eq!(evaluator.health(), Health::MustRestart { abandoned: 2 });
    let result = evaluator.expression(&Expression("1 + 1".into()), &input, &Scope::new());
    assert_eq!(result, Err(Error::MustRestart { abandoned: 2 }));
    // What needs no engine still works, so that the process can finish in order.
    let plain = evaluator.expression(&Expression(".a".into()), &json!({"a": 1}), &Scope::new());
    assert_eq!(plain, Ok(json!(1)));
}

#[test]
fn fence09_no_expression_can_nest_values_until_the_stack_overflows() {
    let eight = "[0, 1, 2, 3, 4, 5, 6, 7] as $l | ";
    let many = "($l[] | $l[] | $l[] | $l[] | $l[] | $l[] | $l[]) as $x";
    let wraps = ["[.]", "{a: .}", "[[.]]", "{} | .a = .", "[.] | .[0] |= [.]"];
    let reduced = wraps.map(|wrap| format!("{eight}reduce {many} (0; {wrap}) | length"));
    let walked = format!("[0]{} | length", " | walk([.])".repeat(30));
    let objects = format!("0{} | length", " | {a: .} | walk({a: .})".repeat(20));
    let added = format!("{eight}reduce {many} ([]; . + [.]) | length");
    let merged = format!("{eight}reduce {many} ({{}}; {{a: .}} * {{b: 1}}) | length");
    for expression in reduced.into_iter().chain([walked, objects, added, merged]) {
        let scope = Scope::new();
        let result =
            impatient(1_000, 8).expression(&Expression(expression.clone()), &json!(null), &scope);
        match result {
            // A value that shares its parts may unfold to more than can be counted in time.
            Err(Error::ResultLimit { .. } | Error::Deadline { .. }) => {}
            // The accumulator of `.a = .` is the old object, one level at most.
            other => assert!(expression.contains(".a = ."), "{expression} gives {other:?}"),
        }
    }
}

#[test]
fn text_from_outside_cannot_nest_values_either() {
    for open in ["[", "{\"a\":", "[[{\"a\":[", "-", "\"\\u0000"] {
        let text = json!(open.repeat(1024 * 1024 / open.len()));
        let result = eval("fromjson", &text);
        assert!(matches!(result, Err(Error::Failed { .. })), "{open}: {result:?}");
    }
    assert_eq!(eval("fromjson", &json!("[1, {\"a\": null}]")), Ok(json!([1, { "a": null }])));
    assert_eq!(eval("[fromjson?]", &json!("nothing")), Ok(json!([])));
}

#[test]
fn fence09_no_expression_can_use_up_the_memory() {
    let eight = "[0, 1, 2, 3, 4, 5, 6, 7] as $l | ";
    let many = "($l[] | $l[]) as $x";
    for growing in [
        "\"x\" * 100000000000 | length".to_owned(),
        "\"x\" * 99999999999999999999 | length".to_owned(),
        format!("{eight}reduce {many} (0; [., .]) | tojson | length"),
        format!("{eight}reduce {many} (0; [., .]) | try error(.) catch tostring | length"),
        format!("{eight}reduce {many} (\"x\"; . + .) | length"),
        format!("{eight}reduce {many} ([0]; . + .) | length"),
        format!("{eight}reduce {many} ([0]; [., .] | flatten) | length"),
        format!("{eight}reduce {many} (3; . * .) | tostring | length"),
        format!("{eight}reduce {many} ([0]; [.[], .[]]) | length"),
        format!("{eight}reduce {many} (\"xy\"; gsub(\"x\"; \"xxxx\")) | length"),
    ] {
        let result = impatient(1_000, 8).expression(
            &Expression(growing.clone()),
            &json!(null),
            &Scope::new(),
        );
        let stopped = matches!(result, Err(Error::ResultLimit { .. } | Error::Deadline { .. }));
        assert!(stopped, "{growing}: {result:?}");
    }
}

#[test]
fn an_error_that_quotes_a_value_without_end_is_cut_inside_the_expression_too() {
    let unfolding = "reduce ([0, 1, 2, 3, 4, 5, 6, 7] as $l | $l[] | $l[]) as $x (0; [., .])";
    let caught = format!("{unfolding} | try (. + 1) catch length");
    assert_eq!(eval(&caught, &json!(null)), Ok(json!(301)));
}

#[test]
fn the_bound_on_depth_refuses_nothing_that_fits() {
    let items = json!((0..3_000).map(|n| json!({ "id": n })).collect::<Vec<_>>());
    let kept = "reduce .[] as $i ({seen: [], out: []}; {seen: [$i.id], out: [[[.seen]]]}) | .out";
    assert_eq!(eval(kept, &items), Ok(json!([[[[2998]]]])));
    let grown = "reduce .[] as $i ({seen: {}, out: []}; .out += [{id: $i.id, seen: .seen}]) | .out | length";
    assert_eq!(eval(grown, &items), Ok(json!(3_000)));
}

#[test]
fn deep_recursion_over_a_legal_input_does_not_end_the_process() {
    let wide = json!((0..2_000).map(|n| json!([n])).collect::<Vec<_>>());
    assert_eq!(eval("[..] | length", &wide), Ok(json!(4_001)));
    assert!(eval("[..] | length", &nested(64)).is_ok());
    assert!(
        eval("walk(if type == \"array\" then reverse else . end) | length", &nested(60)).is_ok()
    );
    assert!(eval("tojson | fromjson | length", &nested(64)).is_ok());
    assert!(eval("flatten | length", &nested(64)).is_ok());
}

#[test]
fn fence10_values_are_data_and_never_code() {
    let input = json!({ "text": "${ .secret }", "secret": 1 });
    assert_eq!(eval(".text", &input), Ok(json!("${ .secret }")));
    assert_eq!(eval("{(.text): .text}", &input), Ok(json!({ "${ .secret }": "${ .secret }" })));
}

#[test]
fn exactly_one_result_is_required_and_null_is_one() {
    assert_eq!(eval("empty", &json!(null)), Err(Error::NoResult));
    assert_eq!(eval(".[]", &json!([])), Err(Error::NoResult));
    assert_eq!(eval(".[]", &json!([1, 2])), Err(Error::SeveralResults));
    assert_eq!(eval(".[]", &json!([null])), Ok(Value::Null));
    assert_eq!(eval("null", &json!(1)), Ok(Value::Null));
}

#[test]
fn a_condition_gives_a_boolean_or_null_and_nothing_else() {
    let condition = |expression: &str, input: &Value| {
        evaluator().condition(&Expression(expression.to_owned()), input, &Scope::new())
    };
    assert_eq!(condition(".a > 1", &json!({"a": 2})), Ok(true));
    assert_eq!(condition(".a", &json!({"a": false})), Ok(false));
    assert_eq!(condition(".missing", &json!({})), Ok(false));
    for other in [json!(0), json!(1), json!("true"), json!([]), json!({})] {
        let result = condition(".a", &json!({ "a": other }));
        assert!(matches!(result, Err(Error::NotBoolean { .. })), "{result:?}");
    }
}

#[test]
fn a_plain_path_means_the_same_with_and_without_the_engine() {
    let inputs = [
        json!(null),
        json!({}),
        json!({"a": null}),
        json!({"a": {"b": 1.0}}),
        json!({"a": [1]}),
        json!({"a": "x"}),
        json!([1]),
        json!("x"),
        json!(1e2),
        json!(true),
        json!({"a": {"b": {}}}),
    ];
    for input in &inputs {
        for path in
            [".", ".a", ".a.b", "$context", "$context.total", "$steps.send.ts", "$steps.x.y"]
        {
            let (plain, engine) = (eval(path, input), eval(&format!("({path})"), input));
            match (&plain, &engine) {
                (Err(Error::Failed { .. }), Err(Error::Failed { .. })) => {}
                _ => assert_eq!(plain, engine, "{path} on {input}"),
            }
        }
    }
    assert_eq!(eval("$nope", &json!(1)), eval("($nope)", &json!(1)));
}

#[test]
fn equal_numbers_have_one_form_whatever_their_spelling() {
    let input = json!({ "a": 1.0 });
    for expression in [".a", "(.a)", "1.0", "1e0", "2 / 2", "-0.0 + 1"] {
        assert_eq!(eval(expression, &input).unwrap().to_string(), "1", "{expression}");
    }
    assert_eq!(eval("1 / 4", &input), Ok(json!(0.25)));
    assert_eq!(eval("9007199254740993", &input), Ok(json!(9_007_199_254_740_993_u64)));
    for expression in ["nan", "infinite", "1e999", "99999999999999999999 * 10"] {
        assert!(matches!(eval(expression, &input), Err(Error::NotJson { .. })), "{expression}");
    }
}

#[test]
fn keys_keep_the_order_in_which_they_were_written() {
    let value = eval("{z: 1, a: 2} + {m: 3}", &json!(null)).unwrap();
    assert_eq!(value.to_string(), r#"{"z":1,"a":2,"m":3}"#);
}

#[test]
fn a_template_is_evaluated_at_its_leaves_once_and_keys_never() {
    let template = Template::Map(vec![
        ("${ .k }".into(), Template::Literal(json!({ "plain": "${ .text }" }))),
        (
            "list".into(),
            Template::List(vec![
                Template::Expression(Expression(".text".into())),
                Template::Expression(Expression("$context.total + .n".into())),
            ]),
        ),
    ]);
    let scope = Scope::new().with("context", json!({ "total": 1 }));
    let input = json!({ "text": "${ .n }", "n": 2 });
    assert_eq!(
        evaluator().template(&template, &input, &scope),
        Ok(json!({ "${ .k }": { "plain": "${ .text }" }, "list": ["${ .n }", 3] })),
    );
}

#[test]
fn an_error_message_of_jq_is_cut_so_that_it_cannot_carry_a_payload() {
    let input = json!("secret ".repeat(1000));
    let Err(Error::Failed { message }) = eval(". + 1", &input) else { panic!("no error") };
    assert!(message.chars().count() <= 301, "{}", message.len());
}
