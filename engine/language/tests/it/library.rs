//! For the author who knows jq: behind the fences the library means what it means in jaq itself.

use std::time::Duration;

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data};
use jaq_json::Val;
use placet_language::{Evaluator, Limits, Scope};
use placet_model::plan::Expression;
use serde_json::{Value, json};

type Plain = jaq_core::Filter<data::JustLut<Val>>;

/// The expression in plain jaq, all results in one list; `None` if it does not compile.
fn compile(expression: &str) -> Option<Plain> {
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let code = format!("[{expression}]");
    let modules = Loader::new(defs).load(&arena, File { code: &code, path: () }).ok()?;
    Compiler::default().with_funs(funs).compile(modules).ok()
}

/// What plain jaq gives; `None` for an error.
fn plain(filter: &Plain, input: &Value) -> Option<Value> {
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let input: Val = serde_json::from_value(input.clone()).ok()?;
    let result = filter.id.run((context, input)).next()?.ok()?;
    serde_json::from_str(&result.to_string()).ok()
}

const EXPRESSIONS: &[&str] = &[
    ".",
    ".a",
    ".a?",
    ".[0]",
    ".[0]?",
    ".[1:]",
    ".[:-1]",
    ".[-1:]",
    ".[]",
    ".[]?",
    "..",
    "keys",
    "keys_unsorted",
    "length",
    "utf8bytelength",
    "not",
    "type",
    "tojson",
    "tostring",
    "tonumber",
    "ascii_downcase",
    "explode",
    "explode | implode",
    "reverse",
    "sort",
    "sort_by(.a)",
    "group_by(.a)",
    "unique",
    "unique_by(.a)",
    "min",
    "max",
    "min_by(.a)",
    "add",
    "any",
    "all",
    "flatten",
    "flatten(1)",
    "to_entries",
    "with_entries(.value |= tostring)",
    "from_entries",
    "map(. + 1)",
    "map_values(. + 1)",
    "map(select(. > 1))",
    "paths",
    "[paths(type == \"number\")]",
    "has(\"a\")",
    "has(0)",
    "has(-1)",
    "contains(\"b\")",
    "contains([1])",
    "contains({a: 1})",
    "inside(\"abc\")",
    "index(\"b\")",
    "rindex(\"b\")",
    "indices(\"b\")",
    "indices(1)",
    "indices([1, 2])",
    "indices(\"\")",
    "startswith(\"a\")",
    "endswith(\"c\")",
    "ltrimstr(\"a\")",
    "trim",
    "split(\"b\")",
    "split(\"\")",
    "join(\"-\")",
    "test(\"B\"; \"i\")",
    "[match(\"[a-c]\"; \"g\").offset]",
    "capture(\"(?<x>b)\")",
    "sub(\"b\"; \"x\")",
    "gsub(\"[ac]\"; \"x\")",
    "[scan(\".\")]",
    "ascii_upcase | @base64",
    "@base64d",
    "@uri",
    "@html",
    "@sh",
    "@json",
    "@text",
    "tojson | fromjson",
    "fromjson",
    ". + 1",
    ". - 1",
    ". * 2",
    ". / 2",
    ". % 2",
    "-(.)",
    ". + .",
    ". - .",
    ". * .",
    ". / .",
    ". == .",
    ". < 2",
    ".a = 1",
    ".a |= 5",
    ".[0] = 9",
    ".[0] |= empty",
    ".[1:] = [7]",
    ".[1:] |= map(. + 1)",
    "del(.a)",
    "del(.[0])",
    "del(.a, .b)",
    ".a += 1",
    ".a //= 3",
    ".a // 3",
    "getpath([\"a\"])",
    "setpath([\"a\"]; 1)",
    "delpaths([[\"a\"]])",
    "transpose",
    "bsearch(2)",
    "bsearch(5)",
    "walk(if type == \"number\" then . + 1 else . end)",
    "reduce .[] as $x (0; . + $x)",
    "[foreach .[] as $x (0; . + $x)]",
    "first",
    "last",
    "nth(1)",
    "first(.[])",
    "isempty(.[])",
    "floor",
    "sqrt",
    "pow(.; 2)",
    "todate",
    "fromdate",
    "gmtime",
    "\"2026-01-01T00:00:00Z\" | fromdate",
    "strftime(\"%Y\")",
    "ltrimstr(1)",
    "abs",
    "try error(\"x\") catch .",
    "if . then 1 else 2 end",
    ".. |= .",
    "label $out | .[] | if . > 1 then ., break $out else . end",
    "tojson | length",
    "splits(\"b\")",
    "pick(.a)",
    "limit(1; .[])",
    "error",
    "ascii",
    "@csv",
    "input",
    "{a: .[]}",
    "{(.[]?): 1}",
    "[.[] as [$a, $b] | $a]",
    ".[\"a\"]",
    ".[{\"start\": 1}]",
    ".[[1]]",
    "isvalid(.a)",
    "toarray",
    "nan < 1",
    "infinite | tostring",
];

#[test]
fn the_library_means_what_it_means_in_jaq() {
    let inputs = [
        json!(null),
        json!(true),
        json!(0),
        json!(-3),
        json!(2.5),
        json!(1_767_225_600),
        json!(""),
        json!("abc"),
        json!("a b<é>"),
        json!("YWJj"),
        json!("[1,2]"),
        json!([]),
        json!([1, 2, 3]),
        json!([[1, 2], [3]]),
        json!([{"a": 2}, {"a": 1}, {"a": 2, "b": 0}]),
        json!(["a", "b"]),
        json!([1, "a", null, [2], {"a": 1}]),
        json!({}),
        json!({"a": 1, "b": [1, 2]}),
        json!({"b": {"a": null}, "a": "x"}),
        json!([{"key": "k", "value": 1}]),
    ];
    let limits = Limits { deadline: Duration::from_secs(20), workers: 1, ..Limits::default() };
    let evaluator = Evaluator::new(limits);
    let (mut same, mut refused, mut different) = (0, 0, Vec::new());
    for expression in EXPRESSIONS {
        let filter = compile(expression);
        for input in &inputs {
            if KNOWN.iter().any(|(known, of, _)| {
                known == expression && of.contains(&input.to_string().as_str())
            }) {
                continue;
            }
            let ours =
                evaluator.expression(&Expression(format!("[{expression}]")), input, &Scope::new());
            if matches!(ours, Err(placet_language::ExpressionError::Refused { .. })) {
                refused += 1;
                continue;
            }
            let theirs = filter.as_ref().and_then(|filter| plain(filter, input));
            let theirs = theirs.map(|value| numbers(&value));
            if ours.as_ref().ok().map(numbers) == theirs {
                same += 1;
            } else {
                different.push(format!("{expression} on {input}: {ours:?} but jaq: {theirs:?}"));
            }
        }
    }
    assert_eq!(different, Vec::<String>::new());
    println!("{same} same, {refused} refused");
    assert!(same > 2_000 && refused < 250, "{same} same, {refused} refused");
}

/// Where we differ on purpose: expression, inputs, reason.
const KNOWN: &[(&str, &[&str], &str)] = &[
    ("tonumber", &["\"\""], "an empty text is no number; jaq gives nothing at all"),
    ("fromjson", &["\"\""], "an empty text is no JSON; jaq gives nothing at all"),
    ("has(-1)", LISTS, "as jq: a list has no negative places"),
    ("index(\"b\")", &["null"], "as jq: null"),
    ("rindex(\"b\")", &["null"], "as jq: null"),
    ("indices(\"b\")", &["null"], "as jq: null"),
    ("indices(\"\")", &["null"], "as jq: null"),
    ("indices(1)", &["null"], "as jq: null"),
    ("indices([1, 2])", &["null"], "as jq: null"),
    ("@base64d", &["null", "true"], "bytes that are no text are no JSON; jaq replaces them"),
];

const LISTS: &[&str] = &[
    "[1,2,3]",
    "[[1,2],[3]]",
    "[{\"a\":2},{\"a\":1},{\"a\":2,\"b\":0}]",
    "[\"a\",\"b\"]",
    "[1,\"a\",null,[2],{\"a\":1}]",
    "[{\"key\":\"k\",\"value\":1}]",
];

/// Numbers by value: 1.0 and 1 are one.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(numbers).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, item)| (key.clone(), numbers(item))).collect())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}
