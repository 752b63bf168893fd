//! Tables that must stay complete: error codes, and fixtures that some test uses.

use placet_model::code;
use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Source, is_rust, nothing_of, root, rust, texts};

/// The home of the codes: whatever names one, names one of these.
const CODE_TABLE: &str = "engine/model/src/code/";
/// What is made from it.
const REFERENCE: &str = "docs/reference/codes.md";

/// `PL` and four digits, standing alone.
fn codes(line: &str) -> Vec<String> {
    let bytes = line.as_bytes();
    let alone = |at: usize| !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let starts = line.match_indices("PL").map(|(start, _)| start);
    let code = |start: usize| {
        let code = line.get(start..start + 6)?;
        let digits = code[2..].bytes().all(|byte| byte.is_ascii_digit());
        (digits && (start == 0 || alone(start - 1)) && alone(start + 6)).then(|| code.to_owned())
    };
    starts.filter_map(code).collect()
}

fn in_code(source: &Source) -> Vec<(usize, String)> {
    let lines = source.numbered().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|(number, line)| codes(line).into_iter().map(move |code| (number, code)))
        .collect()
}

/// Where codes are named: in product code, and in all of it.
fn named() -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let (mut raised, mut anywhere) = (BTreeMap::new(), BTreeMap::new());
    for source in rust().iter().filter(|source| !source.path.starts_with(CODE_TABLE)) {
        let tests: BTreeSet<usize> = source.lines_of_tests().map(|(number, _)| number).collect();
        for (number, code) in in_code(source) {
            let place = format!("{}:{number}", source.path);
            let ours = ["engine/", "adapters/", "sandbox/"];
            let engine = ours.iter().any(|folder| source.path.starts_with(folder))
                && !source.path.contains("/tests/");
            if engine && !tests.contains(&number) {
                raised.insert(code.clone(), place.clone());
            }
            anywhere.insert(code, place);
        }
    }
    (raised, anywhere)
}

#[test]
fn every_error_code_is_in_the_table_and_every_one_of_the_table_is_raised_somewhere() {
    let (raised, anywhere) = named();
    let known: BTreeSet<&str> = code::all().map(|code| code.name).collect();
    let unknown = anywhere.iter().filter(|(code, _)| !known.contains(code.as_str()));
    let mut findings: Vec<String> =
        unknown.map(|(code, place)| format!("{place}: {code} has no page")).collect();
    let unused = known.iter().filter(|code| !raised.contains_key(**code));
    findings.extend(unused.map(|code| format!("{code}: nothing raises it")));
    nothing_of("error codes without a page, or pages without an error", &findings);
}

#[test]
fn the_reference_of_codes_is_made_from_the_table() {
    let path = root().join(REFERENCE);
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == code::reference(),
        "{REFERENCE} is not what the table says: placet explain --markdown > {REFERENCE}"
    );
}

#[test]
fn every_workflow_fixture_is_used() {
    let sources = texts();
    let tests: String = sources
        .iter()
        .filter(|source| is_rust(&source.path))
        .flat_map(|source| source.lines_of_tests().map(|(_, line)| line).chain(["\n"]))
        .collect::<Vec<_>>()
        .join("\n");
    let mut findings = Vec::new();
    for fixture in sources.iter().filter(|source| source.path.starts_with("fixtures/workflows/")) {
        let (folder, file) = fixture.path.rsplit_once('/').expect("a fixture is in a folder");
        let stem = file.split('.').next().unwrap_or(file);
        // a test names the fixture, or walks its folder: by its path, or by its parent's path and its name
        let folder = folder.trim_start_matches("fixtures/");
        let quoted = |text: &str| {
            tests.contains(&format!("{text}\"")) || tests.contains(&format!("{text}/\""))
        };
        let joined = folder
            .rsplit_once('/')
            .is_some_and(|(parent, name)| quoted(parent) && quoted(&format!("\"{name}")));
        let walked = quoted(folder) || joined;
        if !walked && !tests.contains(stem) {
            findings.push(fixture.path.clone());
        }
    }
    nothing_of("workflow fixtures that no test uses", &findings);
}

#[test]
fn codes_are_found_only_where_they_stand_alone() {
    let found: BTreeSet<String> =
        codes(&["\"PL", "1234\" xPL", "5678 PL", "12345 (PL", "9012)"].concat())
            .into_iter()
            .collect();
    assert_eq!(
        found.into_iter().map(|code| code[2..].to_owned()).collect::<Vec<_>>(),
        ["1234", "9012"]
    );
}
