//! One workflow that calls every operation of every provider: for the measure M9, and for the test of the whole
//! program that holds it.

use placet_adapters::Adapters;
use placet_model::{Digest, Timestamp};
use placet_sandbox::generate::generate;
use serde_json::{Map, Value, json};
use std::path::Path;

/// An input of each operation: that of a golden request below `fixtures`, else one that its schema allows.
pub(crate) fn inputs(adapters: &Adapters, fixtures: &Path) -> Vec<(String, Value)> {
    let mut golden = Map::new();
    for provider in std::fs::read_dir(fixtures.join("providers")).expect("fixtures") {
        for file in std::fs::read_dir(provider.expect("a folder").path()).expect("a folder") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
            let case: Value = serde_json::from_str(&text).expect("JSON");
            if let (Some(name), Some(input)) = (case["operation"].as_str(), case.get("input")) {
                golden.entry(name.to_owned()).or_insert_with(|| input.clone());
            }
        }
    }
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a moment");
    let operations = adapters.manifests().values().flat_map(|manifest| manifest.operations());
    let operations = operations.filter(|(_, operation)| !operation.is_http_call());
    let of_one = operations.map(|(_, operation)| {
        let made = || {
            let schema = operation.input_schema().expect("each operation has one");
            generate(schema, &Digest::of(b"an input"), now).expect("its schema can be met")
        };
        let name = operation.name();
        (name.to_owned(), golden.get(name).cloned().unwrap_or_else(made))
    });
    of_one.collect()
}

/// Calls all of them, one after the other; the n-th call is the task `cN`, and one that fails ends nothing.
pub(crate) fn workflow(inputs: &[(String, Value)]) -> Value {
    let steps = inputs.iter().enumerate().map(|(place, (name, input))| {
        let call = json!({"call": name, "with": input});
        let failed = json!({"do": [{format!("f{place}"): {"set": {"failed": name}}}]});
        json!({format!("s{place}"): {"try": [{format!("c{place}"): call}], "catch": failed}})
    });
    let document = json!({"dsl": "1.0.3", "namespace": "ops", "name": "all", "version": "1.0.0"});
    json!({"document": document, "do": steps.collect::<Vec<_>>()})
}

/// How many of them were called in a run, and those that did not go well.
pub(crate) fn called<'i>(report: &Value, inputs: &'i [(String, Value)]) -> (usize, Vec<&'i str>) {
    let trace = report["trace"].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |entry: &Value| entry["name"].as_str()?.strip_prefix('c')?.parse::<usize>().ok();
    let mut well = 0;
    let mut failed = vec![];
    for (entry, place) in trace.iter().filter_map(|entry| Some((entry, place(entry)?))) {
        match (entry["status"].as_str(), inputs.get(place)) {
            (Some("completed"), _) => well += 1,
            (_, Some((name, _))) => failed.push(&**name),
            (_, None) => {}
        }
    }
    (well, failed)
}
