//! Scenarios: how the world behaves towards a run in the sandbox. A file says so, or a manifest does:
//! each of its documented errors is one, and so is each way in which a wire can fail.

use crate::exit::invalid;
use crate::findings::Found;
use crate::project::{self, Project};
use anyhow::Result;
use placet_adapters::{Adapters, Operation};
use placet_language::test_file::Scenario;
use placet_language::{Diagnostic, Source, check_scenario};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where a project keeps its scenarios.
const FOLDER: &str = "scenarios";
/// How the name of a scenario's file ends.
const ENDING: &str = ".scenario.yaml";
/// Ways of a wire that every operation has, with what they say of a call.
const WIRE: [(&str, &str, &str); 3] = [
    ("slow", "latency: PT5S", "takes five seconds to answer"),
    ("apply_then_timeout", "applyThenTimeout: true", "does it and does not answer"),
    ("malformed", "malformed: true", "does it, and the answer breaks off"),
];

/// A scenario that can be had without a file.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) says: String,
    pub(crate) text: String,
}

impl Named {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "name": self.name, "says": self.says, "file": self.text })
    }
}

/// The scenarios of one operation: the first call of it goes so, and the next ones go well.
pub(crate) fn of_operation(operation: &Operation) -> Vec<Named> {
    let name = operation.name();
    let errors = operation.mock().errors().keys();
    let errors = errors.map(|error| {
        (error.clone(), format!("error: {error}"), format!("answers {}", error.replace('_', " ")))
    });
    let wire = WIRE.map(|(kind, turn, says)| (kind.to_owned(), turn.to_owned(), says.to_owned()));
    errors
        .chain(wire)
        .map(|(kind, turn, says)| {
            let says = format!("the first call of {name} {says}");
            let text = format!(
                "scenario: {says}\ncalls:\n  - operation: {name}\n    call: 1\n    {turn}\n"
            );
            Named { name: format!("{name}/{kind}"), says, text }
        })
        .collect()
}

/// A scenario as it was read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) source: Source,
    pub(crate) scenario: Scenario,
}

/// The scenario of a file, of the project, or of a manifest.
///
/// # Errors
/// There is none of that name; the file is wrong, which is said at its places.
pub(crate) fn read(name: &str, project: &Project, adapters: &Adapters) -> Result<Read> {
    let source = source(name, project, adapters)?;
    let (scenario, diagnostics) = check_scenario(&source);
    match scenario {
        Some(scenario) => {
            say(&source, diagnostics);
            Ok(Read { source, scenario })
        }
        None => Err(wrong(&source, diagnostics)),
    }
}

fn source(name: &str, project: &Project, adapters: &Adapters) -> Result<Source> {
    let own = project.dir.as_deref().map(|dir| in_project(dir, name));
    if let Some(file) = [Some(PathBuf::from(name)), own].into_iter().flatten().find(|f| f.is_file())
    {
        return project::read(&file);
    }
    let named = name.rsplit_once('/').and_then(|(operation, _)| adapters.operation(operation));
    let named = named.and_then(|operation| {
        of_operation(operation).into_iter().find(|scenario| scenario.name == name)
    });
    match named {
        Some(named) => Ok(Source::new(named.name, named.text)),
        None => Err(invalid(format!(
            "there is no scenario {name}: name a file, one of {FOLDER}/NAME{ENDING}, or one of \
             placet adapters show PROVIDER --scenarios"
        ))),
    }
}

fn in_project(dir: &Path, name: &str) -> PathBuf {
    dir.join(FOLDER).join(format!("{name}{ENDING}"))
}

/// What was found in a scenario keeps it from being played.
pub(crate) fn wrong(source: &Source, diagnostics: Vec<Diagnostic>) -> anyhow::Error {
    say(source, diagnostics);
    invalid(format!("{} cannot be played", source.name()))
}

fn say(source: &Source, diagnostics: Vec<Diagnostic>) {
    crate::findings::say(&Found { source: source.clone(), diagnostics });
}

/// The JSON Schema of scenario files: the parts of a test that they share.
///
/// # Errors
/// The schema of tests does not ship with the binary: a bug.
pub(crate) fn schema() -> Result<Value> {
    let text = placet_schemas::embedded(placet_schemas::TEST).unwrap_or_default();
    let mut schema: Value = serde_json::from_str(text)?;
    let mut properties = json!({
        "scenario": {"description": "What it shows.", "type": "string", "minLength": 1},
    });
    for part in ["calls", "decisions", "events"] {
        properties[part] = schema["$defs"]["test"]["properties"][part].clone();
    }
    schema["title"] = json!("Placet scenarios, *.scenario.yaml");
    schema["description"] = json!("How the world behaves towards a run in the sandbox.");
    schema["required"] = json!(["scenario"]);
    schema["properties"] = properties;
    for unused in ["test", "expect", "answer"] {
        if let Some(defs) = schema["$defs"].as_object_mut() {
            defs.remove(unused);
        }
    }
    Ok(schema)
}
