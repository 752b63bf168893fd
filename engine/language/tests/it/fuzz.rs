//! For everybody who opens a file from somebody else: no text makes the language panic, and every
//! text gives a value or an error.
//!
//! `SEED=… cargo nextest run -p placet-language fuzz --no-capture` repeats a run.

use std::collections::BTreeMap;

use crate::world::{World, fixtures, policy};
use placet_language::{
    Diagnostic, Evaluator, ExpressionError, Limits, Scope, Source, check, check_policy,
    check_project,
};
use placet_model::plan::Expression;
use serde_json::json;

const POLICY: &str = "groups:\n  sales-leads: [ana, ben]\nprincipals:\n  dan: [approver, author]\n  \
     eve: { kind: service, roles: [operator] }\nrules:\n  - name: writes\n    match: { effect: [send, write], \
     provider: slack }\n    require: { approvers: [sales-leads, { from: [cho], approve: 1 }], quorum: 2, \
     expires: P1D, reasonRequired: on-reject, selfApproval: false }\nblocked: [stripe.refunds.create]\n";

const PROJECT: &str = "project = \"acme\"\n[egress]\nread_hosts = [\"api.example.com\", \"[::1]:80\"]\n\
     allow = [\"127.0.0.1:8080\"]\n[secrets.token]\nenv = \"TOKEN\"\nhosts = [\"api.example.com\"]\n\
     [limits]\nsteps_max = 1_000\ncall_ms_max = 0x10\n";

const TOKENS: &[&str] = &[
    "${",
    "}",
    "'",
    "\"",
    "- ",
    ": ",
    "{",
    "[",
    "]",
    "}",
    ",",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|\n",
    "---\n",
    "\t",
    "\u{feff}",
    "\u{0}",
    "é",
    "😀",
    "null",
    "true",
    "~",
    "1e999",
    "-0",
    "0x",
    "99999999999999999999",
    "call",
    "do",
    "for",
    "try",
    "catch",
    "switch",
    "then",
    "if",
    "with",
    "wait",
    "P1D",
    "PT",
    "30m",
    "$steps.a",
    "$secrets",
    "def f: f; ",
    "range(1)",
    "..",
    ".[",
    "(",
    ")",
    "((((((((",
    "\\(",
    "[[[[[[[[",
    "{{{{{{{{",
    "? ",
    "%YAML 1.1\n",
    "'${ .a }'",
    "${ . }",
    "http",
    "integration",
    "metadata",
    "approval",
    "[x]",
    "a.b",
    "\r\n",
    "\r",
];

/// A small generator of our own: the same numbers for the same seed, for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("below a usize")
    }
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or(20_260_101).max(1)
}

/// One to four changes: bytes, tokens, lines, pieces of other files.
fn mutate(text: &str, others: &[String], random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
            1 if at < bytes.len() => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            3 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let other = others[random.below(others.len())].as_bytes();
                let start = random.below(other.len());
                let end = (start + random.below(80)).min(other.len());
                bytes.splice(at..at, other[start..end].iter().copied());
            }
            5 => swap_lines(&mut bytes, random),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].repeat(1 + random.below(3));
                bytes.splice(at..at, token.into_bytes());
            }
        }
    }
    bytes
}

fn swap_lines(bytes: &mut Vec<u8>, random: &mut Random) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (one, two) = (random.below(lines.len()), random.below(lines.len()));
    if random.below(3) == 0 {
        let copy = lines[one].clone();
        lines.insert(two, copy);
    } else {
        lines.swap(one, two);
    }
    *bytes = lines.join(&b'\n');
}

/// A value or an error; places inside of the text; every finding can be shown.
fn is_sound(source: &Source, has_value: bool, diagnostics: &[Diagnostic]) {
    let has_error = diagnostics.iter().any(Diagnostic::is_error);
    assert!(has_value != has_error, "neither or both for {:?}", source.text());
    let lines = source.text().matches('\n').count() + 1;
    for diagnostic in diagnostics {
        assert!(
            !diagnostic.message.contains("could not be checked"),
            "panic on {:?}",
            source.text()
        );
        assert!((1..=lines).contains(&(diagnostic.line as usize)), "{diagnostic:?}");
        assert!(diagnostic.column >= 1 && !diagnostic.render(source).is_empty());
    }
}

#[test]
fn ten_thousand_mutated_workflows_give_a_plan_or_an_error_and_never_a_panic() {
    let mut random = Random(seed());
    println!("seed {}", random.0);
    let world = World::new();
    let files: Vec<String> = ["ok", "err", "warn", "next/ok", "next/err"]
        .into_iter()
        .flat_map(fixtures)
        .map(|path| std::fs::read_to_string(path).expect("readable"))
        .collect();
    let mut plans = 0;
    for round in 0..10_000 {
        let text = &files[random.below(files.len())];
        let bytes = mutate(text, &files, &mut random);
        let source = Source::from_bytes(format!("round-{round}.yaml"), &bytes);
        let checked = check(&source, &world.environment());
        is_sound(&source, checked.plan.is_some(), &checked.diagnostics);
        plans += usize::from(checked.plan.is_some());
    }
    println!("{plans} of 10000 gave a plan");
    assert!((100..9_900).contains(&plans), "the mutations are too mild or too wild: {plans} plans");
}

#[test]
fn mutated_policies_and_project_files_never_panic() {
    let mut random = Random(seed());
    println!("seed {}", random.0);
    let people = policy().principals;
    let (policies, projects) = (vec![POLICY.to_owned()], vec![PROJECT.to_owned()]);
    for round in 0..2_000 {
        let bytes = mutate(POLICY, &policies, &mut random);
        let source = Source::from_bytes(format!("policy-{round}.yaml"), &bytes);
        let (policy, diagnostics) = check_policy(&source, Some(&people));
        is_sound(&source, policy.is_some(), &diagnostics);
        let bytes = mutate(PROJECT, &projects, &mut random);
        let source = Source::from_bytes(format!("placet-{round}.toml"), &bytes);
        let (project, diagnostics) = check_project(&source);
        is_sound(&source, project.is_some(), &diagnostics);
    }
    let none = BTreeMap::new();
    assert!(check_policy(&Source::new("policy.yaml", POLICY), Some(&people)).0.is_some());
    assert!(check_policy(&Source::new("policy.yaml", POLICY), Some(&none)).0.is_none());
    assert!(check_project(&Source::new("placet.toml", PROJECT)).0.is_some());
}

const PIECES: &[&str] = &[
    ".",
    ".a",
    ".[0]",
    ".[]",
    "..",
    "length",
    "keys",
    "map(.)",
    "sort",
    "add",
    "flatten",
    "tojson",
    "fromjson",
    "tostring",
    "tonumber",
    "explode",
    "implode",
    "split(\"b\")",
    "test(\"a\")",
    "gsub(\"a\"; \"b\")",
    "@base64",
    "@base64d",
    "@uri",
    "to_entries",
    "from_entries",
    "transpose",
    "todate",
    "fromdate",
    "gmtime",
    "mktime",
    "strftime(\"%Y\")",
    "strptime(\"%Y\")",
    "floor",
    "sqrt",
    "pow(.; 9)",
    "exp10",
    "significand",
    "logb",
    "ltrimstr(\"a\")",
    "ascii_downcase",
    "[.]",
    "{a: .}",
    "[.[]?]",
    ". + .",
    ". * .",
    ". - .",
    ". / .",
    ". % .",
    "-.",
    "1e999",
    "0.1",
    "-1",
    "99999999999999999999",
    "null",
    "\"a\"",
    "[1, \"b\"]",
    "{}",
    "first",
    "last",
    "nth(2)",
    "min_by(.a)",
    "group_by(.)",
    "unique",
    "any",
    "all",
    "walk(.)",
    "del(.a)",
    "del(.[0])",
    ".a = 1",
    ".[1:] = [2]",
    ".[-5:2]",
    ".[\"a\"]?",
    "try error catch .",
    "not",
    "bsearch(1)",
    "indices(1)",
    "index(\"a\")",
    "inside([1])",
    "contains(\"a\")",
    "has(0)",
    "has(\"a\")",
    "paths",
    "getpath([\"a\", 0])",
    "splits(\"a\")",
    "ascii",
    "infinite",
    "nan",
    "isvalid(.a)",
    "tojson | tojson",
    "reduce .[]? as $x (0; [., $x])",
    ".[{}]?",
    ".[[]]?",
    ".[1.5]?",
    ".[nan]?",
    "limit(3; .)",
    "$x",
    "@sh",
    "@html",
    "@json",
    "@text",
    "abs",
    "trim",
    "toarray",
];

#[test]
fn expressions_put_together_at_random_give_a_value_or_an_error_and_end_in_time() {
    let mut random = Random(seed());
    println!("seed {}", random.0);
    let deadline = std::time::Duration::from_millis(500);
    let evaluator = Evaluator::new(Limits {
        deadline,
        workers: 1,
        abandoned_max: usize::MAX,
        ..Limits::default()
    });
    let inputs = [
        json!(null),
        json!(1.5),
        json!("a[1]b"),
        json!([3, 1, 2]),
        json!({"a": [1, {"b": "x"}]}),
        json!([[1, 2], ["a"]]),
        json!("2026-01-01T00:00:00Z"),
        json!(-9_007_199_254_740_993_i64),
        json!([{"key": "a"}]),
    ];
    let mut values = 0;
    for _ in 0..4_000 {
        let mut expression = PIECES[random.below(PIECES.len())].to_owned();
        for _ in 0..random.below(5) {
            let piece = PIECES[random.below(PIECES.len())];
            expression = match random.below(6) {
                0 => format!("{expression}, {piece}"),
                1 => format!("[{expression}] | {piece}"),
                2 => format!("({expression}) as $x | {piece}"),
                3 => format!("if {expression} then {piece} else . end"),
                _ => format!("{expression} | {piece}"),
            };
        }
        let input = &inputs[random.below(inputs.len())];
        let result = evaluator.expression(&Expression(expression.clone()), input, &Scope::new());
        assert_ne!(result, Err(ExpressionError::EnginePanicked), "{expression} on {input}");
        values += usize::from(result.is_ok());
    }
    assert!(values > 500, "{values} of 4000 gave a value");
}
