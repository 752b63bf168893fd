//! Examples of an operation's answers: what its response schema declares (`examples` at its root) and
//! what was recorded (`adapters/answers/*.json` of a project). The sandbox answers with those that
//! satisfy the schema; the others are named, and never used (R1 of facts/mocking.md).

use crate::catalogue::{Adapters, ManifestFile};
use crate::manifest::{LoadError, Problem};
use placet_schemas::Schema;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where a project's recorded answers stand, below its manifests.
pub const ANSWERS_DIR: &str = "answers";
/// Examples of one operation that are used.
const EXAMPLES_MAX: usize = 64;

/// The examples of one operation.
#[derive(Debug, Clone, Default)]
pub struct Examples {
    usable: Vec<Example>,
    broken: Vec<BrokenExample>,
}

/// An answer that the operation's schema allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Where it stands.
    pub from: String,
    pub body: Value,
}

/// An example that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenExample {
    /// Where it stands.
    pub from: String,
    /// The first place in it that breaks the schema, as a JSON Pointer.
    pub at: String,
    /// The rule that it breaks there, as a JSON Pointer into the schema.
    pub rule: String,
}

impl Examples {
    /// What a response schema declares.
    pub(crate) fn declared(schema: &Schema) -> Self {
        let mut examples = Self::default();
        let declared = schema.document()["examples"].as_array().into_iter().flatten();
        for (place, body) in declared.enumerate() {
            examples
                .add(schema, Example { from: format!("#/examples/{place}"), body: body.clone() });
        }
        examples
    }

    fn add(&mut self, schema: &Schema, example: Example) {
        match schema.validate(&example.body) {
            Ok(()) if self.usable.len() < EXAMPLES_MAX => self.usable.push(example),
            Ok(()) => {}
            Err(broken) => {
                let first = broken.as_slice().first();
                let of = |text: Option<&String>| text.cloned().unwrap_or_default();
                self.broken.push(BrokenExample {
                    from: example.from,
                    at: of(first.map(|broken| &broken.instance)),
                    rule: of(first.map(|broken| &broken.schema)),
                });
            }
        }
    }

    /// Those that the sandbox answers with, declared ones first.
    pub fn usable(&self) -> &[Example] {
        &self.usable
    }

    /// Those that break the response schema.
    pub fn broken(&self) -> &[BrokenExample] {
        &self.broken
    }
}

/// The file of a recorded answer.
#[derive(Debug, Deserialize)]
struct AnswerFile {
    operation: String,
    body: Value,
}

impl Adapters {
    /// With the answers that a project has recorded.
    ///
    /// # Errors
    /// Every file that is no record of an operation that is known and declares its answers.
    pub fn with_answers(self, files: &[ManifestFile]) -> Result<Self, Vec<LoadError>> {
        let (mut all, mut errors): (BTreeMap<String, Examples>, _) = (BTreeMap::new(), vec![]);
        for file in files {
            if let Err(problem) = self.read_answer(file, &mut all) {
                errors.push(LoadError { file: file.path.clone(), problems: vec![problem] });
            }
        }
        for (name, examples) in all {
            if let Some(operation) = self.operation(&name) {
                operation.learn(examples);
            }
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn read_answer(
        &self,
        file: &ManifestFile,
        all: &mut BTreeMap<String, Examples>,
    ) -> Result<(), Problem> {
        let read: Result<AnswerFile, _> = serde_json::from_str(&file.text);
        let read = read.map_err(|error| Problem {
            line: u64::try_from(error.line()).unwrap_or(0),
            column: u64::try_from(error.column()).unwrap_or(0),
            message: format!("no recorded answer: {error}"),
            help: Some("`placet adapters record` writes such files".to_owned()),
        })?;
        let problem = |message: String| Problem { line: 0, column: 0, message, help: None };
        let Some(operation) = self.operation(&read.operation) else {
            return Err(problem(format!("there is no operation {}", read.operation)));
        };
        let Some(schema) = operation.output_schema() else {
            let words = format!("{} declares no response schema", read.operation);
            return Err(problem(words));
        };
        let examples = all.entry(read.operation).or_insert_with(|| Examples::declared(schema));
        examples.add(schema, Example { from: file.path.clone(), body: read.body });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OPERATION: &str = "slack.conversations.open";

    fn file(path: &str, text: &Value) -> ManifestFile {
        ManifestFile { path: path.to_owned(), text: text.to_string() }
    }

    #[test]
    fn an_answer_that_the_schema_allows_is_an_example_and_another_one_is_named_with_its_place() {
        let good =
            json!({"operation": OPERATION, "body": {"ok": true, "channel": {"id": "D0ONE111"}}});
        let bad = json!({"operation": OPERATION, "body": {"ok": true, "channel": {"id": 7}}});
        let files = [file("answers/good.json", &good), file("answers/bad.json", &bad)];
        let adapters = Adapters::shipped().with_answers(&files).unwrap();
        let examples = adapters.operation(OPERATION).unwrap().examples();
        let usable: Vec<&str> = examples.usable().iter().map(|one| &*one.from).collect();
        assert_eq!(usable, ["answers/good.json"]);
        let broken = &examples.broken()[0];
        assert_eq!((&*broken.from, &*broken.at), ("answers/bad.json", "/channel/id"));
        assert!(broken.rule.ends_with("/type"), "{broken:?}");
    }

    #[test]
    fn what_a_schema_declares_is_judged_by_the_schema_itself() {
        let registry = placet_schemas::Registry::new();
        let schema = json!({"type": "object", "required": ["id"], "examples": [{"id": 1}, {}]});
        let examples = Examples::declared(&registry.register(&schema).unwrap());
        assert_eq!(
            examples.usable(),
            [Example { from: "#/examples/0".to_owned(), body: json!({"id": 1}) }]
        );
        assert_eq!(examples.broken()[0].from, "#/examples/1");
    }

    #[test]
    fn a_file_that_is_no_record_is_refused_with_its_place() {
        let no_json =
            ManifestFile { path: "answers/a.json".to_owned(), text: "{\n \"body\": }".to_owned() };
        let unknown = file("answers/b.json", &json!({"operation": "slack.no.such", "body": {}}));
        let errors = Adapters::shipped().with_answers(&[no_json, unknown]).unwrap_err();
        assert_eq!((&*errors[0].file, errors[0].problems[0].line), ("answers/a.json", 2));
        assert!(errors[1].problems[0].message.contains("slack.no.such"), "{errors:?}");
    }
}
