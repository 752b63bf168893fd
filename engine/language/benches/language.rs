//! What a check, a plan and an expression cost.
//!
//! `cargo bench -p placet-language --bench language [-- ROUNDS]`. Each figure is the median of so
//! many rounds in one process. Absolute figures belong to the machine; what grows with the document
//! should grow in proportion to it. Nothing here fails on a slow machine.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints and may panic")]

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use placet_language::{
    Environment, Evaluator, Limits, Scope, Source, check, graph, profile_schema,
};
use placet_model::manifest::{Catalogue, Effect, OperationInfo};
use placet_model::plan::Expression;
use placet_model::{Digest, plan::Plan};
use placet_schemas::Registry;
use serde_json::{Value, json};

fn main() {
    let rounds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(15);
    println!("median of {rounds} rounds");
    documents(rounds);
    expressions(rounds);
}

/// The median time of `work`, of so many rounds.
fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds.max(1))
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn catalogue() -> Catalogue {
    let text = placet_schemas::embedded("schemas/providers/slack/chat.postMessage.input.json");
    let operation = OperationInfo {
        name: "slack.chat.postMessage".to_owned(),
        provider: "slack".to_owned(),
        effect: Effect::Send,
        digest: Digest::of(b"operation"),
        input_schema: serde_json::from_str(text.unwrap()).unwrap(),
        output_schema: Some(true.into()),
        output_kept: None,
        output_named: vec![],
        title: "Post a message".to_owned(),
    };
    Catalogue { operations: [(operation.name.clone(), operation)].into(), ..Catalogue::default() }
}

const HEADER: &str = "document: { dsl: '1.0.3', namespace: bench, name: doc, version: '1.0.0' }\n";

/// So many tasks in one list: calls, sets that read an earlier step, switches, and a `try`.
fn flat(tasks: usize) -> String {
    let mut text = format!("{HEADER}do:\n");
    for n in 0..tasks {
        let before = n.saturating_sub(1);
        let task = match n % 4 {
            0 => format!("call: slack.chat.postMessage, with: {{ channel: C0SALES, text: '${{ \"Hello \" + .name{n} }}' }}"),
            1 => format!("set: {{ a: '${{ $steps.t{before}.x }}', b: [1, 2, 3], name{}: '${{ .name }}' }}", n + 3),
            2 => "switch: [{ large: { when: '.total > 10', then: continue } }, { small: { then: continue } }]".to_owned(),
            _ => format!("try: [{{ r{n}: {{ set: {{ x: '${{ .y{n} }}' }} }} }}], catch: {{ errors: {{ with: {{ status: 500 }} }} }}"),
        };
        writeln!(text, "  - t{n}: {{ {task} }}").unwrap();
    }
    text
}

/// The same number of tasks, twenty levels of lists deep.
fn deep(tasks: usize) -> String {
    let mut text = format!("{HEADER}do:\n");
    for group in 0..tasks / 20 {
        let mut inner = "set: { x: 1 }".to_owned();
        for level in 0..19 {
            inner = format!("do: [{{ g{group}l{level}: {{ {inner} }} }}]");
        }
        writeln!(text, "  - g{group}: {{ {inner} }}").unwrap();
    }
    text
}

/// A function of ten tasks, called so often that the plan has so many.
fn called(tasks: usize) -> String {
    let inner: Vec<String> =
        (0..10).map(|n| format!("{{ s{n}: {{ set: {{ x: '${{ .a{n} }}' }} }} }}")).collect();
    let mut text =
        format!("{HEADER}use: {{ functions: {{ f: {{ do: [{}] }} }} }}\ndo:\n", inner.join(", "));
    for n in 0..tasks / 12 {
        writeln!(text, "  - c{n}: {{ call: f }}").unwrap();
    }
    text
}

fn documents(rounds: usize) {
    let catalogue = catalogue();
    let schemas = Registry::new();
    let environment = Environment {
        catalogue: &catalogue,
        integrations: None,
        scopes: None,
        silent: None,
        policy: None,
        schemas: &schemas,
    };
    let plan = |text: &str| -> Plan {
        let checked = check(&Source::new("bench.yaml", text), &environment);
        let findings = checked.diagnostics;
        checked.plan.unwrap_or_else(|| unreachable!("{findings:?}"))
    };
    println!("\ndocument                       bytes   check + plan ms   digest ms   picture ms");
    let documents = [
        ("4 tasks", flat(4)),
        ("100 tasks", flat(100)),
        ("1,000 tasks", flat(1_000)),
        ("1,000 tasks, 20 levels deep", deep(1_000)),
        ("1,000 tasks, of functions", called(1_000)),
        ("4,000 tasks", flat(4_000)),
    ];
    for (name, text) in &documents {
        let compile = median(rounds, || drop(black_box(plan(text))));
        let ready = plan(text);
        let digest = median(rounds, || drop(black_box(ready.digest())));
        let picture = median(rounds, || drop(black_box(graph::svg(&ready, &catalogue))));
        let (compile, digest, picture) = (millis(compile), millis(digest), millis(picture));
        println!("{name:27} {:>8}   {compile:>15.2}   {digest:>9.2}   {picture:>10.2}", text.len());
    }
    let broken = flat(1_000).replace("status: 500", "statsu: 500").replace("C0SALES", "'#x'");
    let source = Source::new("bench.yaml", broken);
    let findings = check(&source, &environment).diagnostics.len();
    let time = median(rounds, || drop(black_box(check(&source, &environment))));
    println!("1,000 tasks with {findings} findings: {:.2} ms", millis(time));
    let time = median(rounds, || drop(black_box(profile_schema(&catalogue))));
    println!("schema for editors: {:.2} ms", millis(time));
}

/// Evaluations per second.
fn rate(rounds: usize, count: u32, mut work: impl FnMut(u32)) -> f64 {
    let time = median(rounds, || (0..count).for_each(&mut work));
    f64::from(count) / time.as_secs_f64()
}

fn expressions(rounds: usize) {
    const COUNT: u32 = 1_000;
    let limits = Limits { deadline: Duration::from_secs(5), ..Limits::default() };
    let items: Vec<Value> =
        (0..100).map(|n| json!({ "id": n, "name": format!("item {n}") })).collect();
    let input = json!({ "a": { "b": 1 }, "total": 12, "name": "Ana", "items": items });
    let scope = Scope::new().with("steps", json!({ "send": { "ts": "1.2" } }));
    let value = |evaluator: &Evaluator, text: String| {
        black_box(evaluator.expression(&Expression(text), &input, &scope).unwrap());
    };
    println!("\nexpression                                  cached per s   uncached per s");
    for text in [
        ".a.b",
        "$steps.send.ts",
        ".total > 10",
        "\"Hello \\(.name)\"",
        "[.items[] | select(.id > 50) | .name]",
    ] {
        let evaluator = Evaluator::new(limits);
        value(&evaluator, text.to_owned());
        let cached = rate(rounds, COUNT, |_| value(&evaluator, text.to_owned()));
        // A new text each time is compiled each time.
        let fresh = Evaluator::new(limits);
        let mut next = 0_u64;
        let uncached = rate(rounds, COUNT / 10, |_| {
            next += 1;
            value(&fresh, format!("({text}) | if {next} == 0 then null else . end"));
        });
        println!("{text:42}   {cached:>12.0}   {uncached:>14.0}");
    }
}
