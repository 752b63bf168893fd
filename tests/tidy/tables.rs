//! Tables that must stay complete: error codes, and fixtures that some test uses.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Source, is_rust, nothing_of, rust, texts};

/// The homes of the codes; every other source uses their constants.
const CODE_TABLES: &[&str] = &["engine/model/src/code.rs", "engine/language/src/codes.rs"];

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

#[test]
fn every_error_code_is_in_its_table_once() {
    let sources = rust();
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for table in sources.iter().filter(|source| CODE_TABLES.contains(&source.path.as_str())) {
        for (number, code) in in_code(table) {
            homes.entry(code).or_default().push(format!("{}:{number}", table.path));
        }
    }
    let mut findings: Vec<String> = homes
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(code, places)| format!("{code} is defined twice: {}", places.join(", ")))
        .collect();
    for source in sources.iter().filter(|source| !CODE_TABLES.contains(&source.path.as_str())) {
        for (number, code) in in_code(source) {
            if !homes.contains_key(&code) {
                findings.push(format!("{}:{number}: {code} is in no table", source.path));
            }
        }
    }
    nothing_of("error codes without a home, or with two", &findings);
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
        let folder = folder.trim_start_matches("fixtures/");
        // a test names the fixture, or walks its folder
        let walked =
            tests.contains(&format!("{folder}\"")) || tests.contains(&format!("{folder}/\""));
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
