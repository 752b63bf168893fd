//! What a world answers to the operations of imported descriptions: M4, M10.

use super::{DOCUMENTS, Figure, Judge, Verdict, ask, description, left_out, now, seed};
use placet_adapters::openapi::{Imported, Wanted, import};
use placet_adapters::{Adapters, ManifestFile, Operation};
use placet_model::manifest::Effect;
use placet_sandbox::generate::generate;
use placet_sandbox::{Unknown, World};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) fn imported(text: &str) -> Imported {
    let wanted =
        Wanted { url: "https://docs.example/v1.json", provider: Some("imported"), operations: &[] };
    import(text, wanted).unwrap()
}

pub(crate) fn loaded(imported: &Imported) -> Adapters {
    let (path, text) = imported.manifest.clone();
    let schema = |path: &str| imported.schemas.get(path).cloned();
    Adapters::with_project(&[ManifestFile { path, text }], &schema, &BTreeSet::new()).unwrap()
}

/// Answers of an operation to `seeds` inputs of its own schema, each in a world of its own, with what was asked.
fn answers(operation: &Arc<Operation>, seeds: u64) -> Vec<(Value, u16, Value)> {
    let Some(schema) = operation.input_schema() else { return vec![] };
    let of_seed = |number| {
        let input = generate(schema, &seed(number), now()).ok()?;
        let answer = ask(&mut World::new(number, Unknown::Supposed), operation, &input).ok()?;
        let body = answer.json()?;
        Some((input, answer.status, body))
    };
    (0..seeds).filter_map(of_seed).collect()
}

/// What is said to Stripe comes back.
pub(crate) fn m4_echo() -> Figure {
    let (id, of, bound) =
        ("M4", "echo of what is said", "all of Stripe's fields of one name and kind");
    let Some(text) = description(DOCUMENTS[0]) else {
        return Figure::skipped(
            (id, of),
            bound,
            "the description of Stripe is not beside the repository",
        );
    };
    let adapters = loaded(&imported(&text));
    let (mut equal, mut lost) = (0_usize, vec![]);
    for operation in adapters.manifest("imported").unwrap().operations().values() {
        let Some(output) = operation.output_schema() else { continue };
        if operation.effect() == Effect::Read {
            continue;
        }
        for (input, _, answer) in answers(operation, 4).into_iter().filter(|(_, s, _)| *s == 200) {
            let body = input["body"].as_object().into_iter().flatten();
            for (name, said) in input.as_object().into_iter().flatten().chain(body) {
                let mut with_it = answer.clone();
                // a secret never comes back
                let there = with_it.get_mut(name).filter(|_| !name.contains("secret"));
                let Some(there) = there else { continue };
                if std::mem::replace(there, said.clone()) == *said {
                    equal += 1;
                } else if output.is_valid(&with_it) {
                    lost.push(format!("{} {name}", operation.name()));
                }
            }
        }
    }
    let comparable = equal + lost.len();
    assert!(comparable > 50, "{comparable} fields say nothing");
    let found =
        format!("{equal} of {comparable} fields of Stripe's writes come back as they were said");
    let verdict = Verdict::of(lost.is_empty());
    Figure { id, of, found, bound, verdict, notes: vec![] }.with_faults(&lost)
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
        let imported = imported(text);
        let adapters = loaded(&imported);
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

    fn operation(&mut self, operation: &Arc<Operation>) {
        let Some(output) = operation.output_schema() else { return };
        let Ok(judge) = Judge::of(output.document()) else { return };
        for (_, _, answer) in answers(operation, 3).into_iter().filter(|(_, s, _)| *s < 300) {
            self.answered += 1;
            let name = operation.name();
            self.wrong.extend(judge.refusal(&answer).map(|why| format!("{name}: {why}")));
        }
    }
}

/// An example that breaks its own schema is never answered.
pub(crate) fn m10_examples() -> Figure {
    let (mut corpus, mut notes) = (Corpus::default(), vec![]);
    for path in DOCUMENTS {
        match description(path) {
            Some(text) => corpus.document(&text),
            None => notes.push(left_out(path)),
        }
    }
    let (id, of, bound) = ("M10", "published examples", "no invalid answer");
    if notes.len() == DOCUMENTS.len() {
        return Figure::skipped((id, of), bound, "no description is beside the repository");
    }
    let Corpus { fit, broken, answered, wrong } = corpus;
    let found = format!(
        "of {} published examples {broken} break their own schema; of {answered} answers of those operations {} are invalid",
        fit + broken,
        wrong.len()
    );
    let verdict = Verdict::of(wrong.is_empty());
    Figure { id, of, found, bound, verdict, notes }.with_faults(&wrong)
}
