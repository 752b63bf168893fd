//! Tables that must stay complete: error codes, and fixtures that some test uses.

use std::collections::BTreeSet;

use super::sources::{Source, is_rust, nothing_of, rust, texts};

/// The home of the codes: whatever names one, names one of these.
const CODE_TABLE: &str = "engine/model/src/code.rs";

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
fn every_error_code_is_in_the_table() {
    let sources = rust();
    let table = sources
        .iter()
        .find(|source| source.path == CODE_TABLE)
        .expect("the table of codes is there");
    let known: BTreeSet<String> = in_code(table).into_iter().map(|(_, code)| code).collect();
    let mut findings = Vec::new();
    for source in &sources {
        for (number, code) in in_code(source) {
            if !known.contains(&code) {
                findings.push(format!("{}:{number}: {code}", source.path));
            }
        }
    }
    nothing_of("error codes that the table does not hold", &findings);
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
