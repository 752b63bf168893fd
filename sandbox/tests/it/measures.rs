//! M1 to M6, M8, M10 of facts/mocking.md §7, each printed as it was measured:
//! `cargo nextest run -p placet-sandbox --no-capture -E 'test(measures)'`. The judge is another
//! validator than the one that the generator asks. M7 is `scripts` and `state`, M9 the program's own test,
//! `zero_egress`. How quick an answer is (M8) is a figure of the profile that it is run with: `--release` for the
//! one that counts.

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use placet_adapters::openapi::{Wanted, import};
use placet_model::{Digest, Timestamp};
use placet_sandbox::generate::generate;
use placet_schemas::{Registry, Schema};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SATISFIABLE: &str = include_str!("../cases/satisfiable.jsonl");
const UNSATISFIABLE: &str = include_str!("../cases/unsatisfiable.jsonl");
/// Descriptions beside the repository, by folder.
const DOCUMENTS: [&str; 7] = [
    "stripe/spec3.trimmed.json",
    "slack/slack_web_openapi_v2.trimmed.json",
    "jira/platform-v3.trimmed.json",
    "sendgrid/sendgrid.trimmed.json",
    "resend/resend.trimmed.json",
    "mailgun/mailgun.trimmed.json",
    "postmark/postmark-server.openapi3.apisguru.json",
];

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn seed(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

/// A validator of another hand.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn of(document: &Value) -> Result<Self, String> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        let place = "https://example.com/judged.json";
        compiler.add_resource(place, document.clone()).map_err(|error| error.to_string())?;
        let index = compiler.compile(place, &mut schemas).map_err(|error| error.to_string())?;
        Ok(Self { schemas, index })
    }

    fn refusal(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| error.to_string())
    }
}

fn cases(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn measures_m1_satisfiable_keyword_groups_get_valid_values_and_the_others_are_refused() {
    let (good, bad) = (cases(SATISFIABLE), cases(UNSATISFIABLE));
    assert!(good.len() >= 150 && bad.len() >= 15);
    let mut missed = vec![];
    for case in &good {
        let judge = Judge::of(case).unwrap_or_else(|error| panic!("{case}: {error}"));
        let schema = Registry::new().register(case).unwrap();
        for number in 0..5 {
            match generate(&schema, &seed(number), now()) {
                Ok(value) => {
                    missed.extend(judge.refusal(&value).map(|why| format!("{case}: {why}")));
                }
                Err(error) => missed.push(format!("{case}: {error}")),
            }
        }
    }
    let invented: Vec<&Value> = bad
        .iter()
        .filter(|case| {
            let schema = Registry::new().register(case).unwrap();
            generate(&schema, &seed(0), now()).is_ok()
        })
        .collect();
    let kinds: std::collections::BTreeSet<&str> =
        missed.iter().filter_map(|m| m.split(": ").next()).collect();
    println!(
        "M1 {} of {} satisfiable groups valid, {} of {} unsatisfiable refused",
        good.len() - kinds.len(),
        good.len(),
        bad.len() - invented.len(),
        bad.len()
    );
    assert_eq!(missed, Vec::<String>::new());
    assert_eq!(invented, Vec::<&Value>::new());
}

/// The response schemas of every description that is beside the repository.
fn responses() -> (BTreeMap<String, Arc<Schema>>, Vec<&'static str>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    let (mut found, mut skipped) = (BTreeMap::new(), vec![]);
    for path in DOCUMENTS {
        let Ok(text) = std::fs::read_to_string(folder.join(path)) else {
            skipped.push(path);
            continue;
        };
        let provider = path.split('/').next();
        let wanted = Wanted { url: "https://docs.example/v1.json", provider, operations: &[] };
        let imported = import(&text, wanted).unwrap();
        for (name, text) in
            imported.schemas.iter().filter(|(name, _)| name.ends_with("output.json"))
        {
            let document = serde_json::from_str(text).unwrap();
            found.insert(name.clone(), Registry::new().register(&document).unwrap());
        }
    }
    for path in placet_schemas::embedded_paths().filter(|path| path.ends_with("output.json")) {
        found.insert(path.to_owned(), Registry::new().shipped(path).unwrap());
    }
    (found, skipped)
}

#[test]
fn measures_m2_m5_m6_m8_of_every_response_schema() {
    let (responses, skipped) = responses();
    for path in skipped {
        println!("skipped: {path} is not beside the repository");
    }
    let (mut judged, mut refused, mut unmade) = (0_usize, vec![], vec![]);
    let (mut declared, mut present, mut placeholders, mut formats) =
        (0_usize, 0_usize, 0_usize, 0_usize);
    let mut took = vec![];
    for (name, schema) in &responses {
        let Ok(judge) = Judge::of(schema.document()) else {
            println!("M2 left out: {name} does not compile for the judge");
            continue;
        };
        // warm: patterns and the schema are compiled
        drop(generate(schema, &seed(99), now()));
        for number in 0..4 {
            let begun = Instant::now();
            let value = generate(schema, &seed(number), now());
            took.push(begun.elapsed());
            judged += 1;
            let Ok(value) = value.map_err(|error| unmade.push(format!("{name}: {error}"))) else {
                continue;
            };
            refused.extend(judge.refusal(&value).map(|why| format!("{name}: {why}")));
            placeholders += value.to_string().matches("\"string\"").count();
            formats += count_formats(schema.document(), &value);
            let properties = schema.document()["properties"].as_object();
            declared += properties.map_or(0, serde_json::Map::len);
            present += properties
                .map_or(0, |known| known.keys().filter(|key| value.get(key).is_some()).count());
        }
    }
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 1000).min(took.len() - 1)];
    let bad = refused.len() + unmade.len();
    println!(
        "M2 {} of {judged} mocks of {} response schemas valid for the second validator",
        judged - bad,
        responses.len()
    );
    println!("M5 {present} of {declared} declared top-level properties present");
    println!(
        "M6 {formats} values with a format, all of it; {placeholders} times the word \"string\""
    );
    println!("M8 median {:?}, p99 {:?} (this profile)", at(500), at(990));
    refused.iter().chain(&unmade).take(20).for_each(|line| println!("  {line}"));
    assert!(bad * 1000 <= judged * 5, "{bad} of {judged}");
    assert!(present * 100 >= declared * 95);
    assert_eq!(placeholders, 0);
    assert!(at(500) < Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 }));
}

/// Values of a declared format at the top; that they are of it the judge has found already.
fn count_formats(schema: &Value, value: &Value) -> usize {
    let own = usize::from(schema.get("format").is_some() && value.is_string());
    let inner = schema["properties"].as_object().into_iter().flatten();
    own + inner
        .filter_map(|(name, part)| Some(count_formats(part, value.get(name)?)))
        .sum::<usize>()
}

const CHILD: &str = "PLACET_MEASURE_CHILD";

/// All that a process would answer, as one digest.
fn everything() -> String {
    let mut text = String::new();
    for path in placet_schemas::embedded_paths().filter(|path| path.contains("/providers/")) {
        let schema = Registry::new().shipped(path).unwrap();
        for number in 0..3 {
            text += &generate(&schema, &seed(number), now()).unwrap().to_string();
        }
    }
    Digest::of(text.as_bytes()).to_string()
}

#[test]
fn measures_m3_two_processes_give_the_same_bytes() {
    let mine = everything();
    if std::env::var_os(CHILD).is_some() {
        println!("digest {mine}");
        return;
    }
    let name = "measures::measures_m3_two_processes_give_the_same_bytes";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8(child.stdout).unwrap();
    assert!(told.contains(&format!("digest {mine}")), "{told}");
    println!("M3 two processes, one digest: {mine}");
}

#[test]
fn measures_m4_what_is_said_to_stripe_comes_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    let Ok(text) = std::fs::read_to_string(folder.join(DOCUMENTS[0])) else {
        println!("skipped: the description of Stripe is not beside the repository");
        return;
    };
    let wanted =
        Wanted { url: "https://docs.example/v1.json", provider: Some("imported"), operations: &[] };
    let imported = import(&text, wanted).unwrap();
    let adapters = crate::import::loaded(&imported);
    let (mut comparable, mut equal, mut lost) = (0_usize, 0_usize, vec![]);
    for operation in adapters.manifest("imported").unwrap().operations().values() {
        let (Some(input), Some(output)) = (operation.input_schema(), operation.output_schema())
        else {
            continue;
        };
        if operation.effect() == placet_model::manifest::Effect::Read {
            continue;
        }
        for number in 0..4 {
            let Ok(input) = generate(input, &seed(number), now()) else { continue };
            let asked = placet_sandbox::Asked {
                operation,
                integration: "main",
                input: &input,
                key: None,
                send_id: "",
                seen: None,
                now: now(),
                timeout: Duration::from_secs(30),
            };
            let answer =
                placet_sandbox::World::new(0, placet_sandbox::Unknown::Supposed).answer(asked);
            let Some(answer) = answer.ok().filter(|a| a.status == 200).and_then(|a| a.json())
            else {
                continue;
            };
            let body = input["body"].as_object().into_iter().flatten();
            for (name, said) in input.as_object().into_iter().flatten().chain(body) {
                let mut with_it = answer.clone();
                // a secret never comes back
                let there = with_it.get_mut(name).filter(|_| !name.contains("secret"));
                let Some(there) = there else { continue };
                if std::mem::replace(there, said.clone()) == *said {
                    comparable += 1;
                    equal += 1;
                } else if output.is_valid(&with_it) {
                    comparable += 1;
                    lost.push(format!("{} {name}", operation.name()));
                }
            }
        }
    }
    println!("M4 {equal} of {comparable} fields of Stripe's writes come back as they were said");
    assert!(comparable > 50, "{comparable}");
    assert_eq!(lost, Vec::<String>::new());
}

/// What was published as an example, and what of it is answered.
#[derive(Debug, Default)]
struct Corpus {
    fit: usize,
    broken: usize,
    answered: usize,
    wrong: Vec<String>,
}

impl Corpus {
    fn document(&mut self, text: &str) {
        const BROKEN: &str = "the published example of its answer breaks the schema";
        let url = "https://docs.example/v1.json";
        let imported =
            import(text, Wanted { url, provider: Some("imported"), operations: &[] }).unwrap();
        let adapters = crate::import::loaded(&imported);
        for done in &imported.report.operations {
            let operation = adapters.operation(&format!("imported.{}", done.name)).unwrap();
            let is_broken = done.notes.iter().any(|note| note.starts_with(BROKEN));
            let fit = operation.examples().usable().len();
            self.fit += fit;
            self.broken += usize::from(is_broken);
            if fit > 0 || is_broken {
                self.operation(operation);
            }
        }
    }

    fn operation(&mut self, operation: &placet_adapters::Operation) {
        let (Some(input), Some(output)) = (operation.input_schema(), operation.output_schema())
        else {
            return;
        };
        let Ok(judge) = Judge::of(output.document()) else { return };
        for number in 0..3 {
            let Ok(input) = generate(input, &seed(number), now()) else { continue };
            let asked = placet_sandbox::Asked {
                operation,
                integration: "main",
                input: &input,
                key: None,
                send_id: "",
                seen: None,
                now: now(),
                timeout: Duration::from_secs(30),
            };
            let mut world = placet_sandbox::World::new(number, placet_sandbox::Unknown::Supposed);
            let answer = world.answer(asked).ok().filter(|answer| answer.status < 300);
            let Some(answer) = answer.and_then(|answer| answer.json()) else { continue };
            self.answered += 1;
            let name = operation.name();
            self.wrong.extend(judge.refusal(&answer).map(|why| format!("{name}: {why}")));
        }
    }
}

#[test]
fn measures_m10_an_example_that_breaks_its_own_schema_is_never_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    let mut corpus = Corpus::default();
    for path in DOCUMENTS {
        match std::fs::read_to_string(folder.join(path)) {
            Ok(text) => corpus.document(&text),
            Err(_) => println!("skipped: {path} is not beside the repository"),
        }
    }
    let Corpus { fit, broken, answered, wrong } = corpus;
    println!(
        "M10 of {} published examples {broken} break their own schema; of {answered} answers of those operations {} are invalid",
        fit + broken,
        wrong.len()
    );
    assert_eq!(wrong, Vec::<String>::new());
}
