//! Sizes and habits: files ≤ 800 lines, functions ≤ 70, tests without sleeps, retries of luck or machine paths.

use super::sources::{Source, nothing_of, rust, texts};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;

/// Written by people and read by people; data files may be as long as the data is.
const HANDWRITTEN: &[&str] = &[".rs", ".html", ".js", ".css", ".py", ".sh", "/run"];

#[test]
fn files_are_short() {
    let long = |source: &Source| {
        let lines = source.text.lines().count();
        let counted = HANDWRITTEN.iter().any(|ending| source.path.ends_with(ending));
        (counted && lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path))
    };
    nothing_of("files over 800 lines", &texts().iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let findings: Vec<String> = rust().iter().flat_map(long_functions).collect();
    nothing_of("functions over 70 lines", &findings);
}

/// Relies on rustfmt: a function ends at the first closing brace that stands as far in as its first line. Blank and
/// comment lines are not counted, as clippy's `too_many_lines` does not count them.
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let signature = lines[start..]
            .iter()
            .take_while(|line| !line.ends_with('{') && !line.ends_with(';'))
            .count();
        let body = lines[start..].iter().skip(signature + 1).take_while(|line| ***line != end);
        let code = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        let count = body.filter(code).count();
        if !line.ends_with('}') && !line.ends_with(';') && count > FUNCTION_LINES_MAX {
            findings.push(format!("{}:{}: {count} lines: {}", source.path, start + 1, line.trim()));
        }
    }
    findings
}

fn is_function(line: &str) -> bool {
    let mut words = line.trim_start().split(' ');
    let modifier = |word: &&str| {
        matches!(*word, "pub" | "async" | "const" | "unsafe" | "extern")
            || word.starts_with("pub(")
            || *word == "\"C\""
    };
    words.find(|word| !modifier(word)) == Some("fn")
}

#[test]
fn every_source_says_what_it_is_for() {
    let silent = |source: &Source| (!source.text.starts_with("//!")).then(|| source.path.clone());
    nothing_of("sources without a //! head", &rust().iter().filter_map(silent).collect::<Vec<_>>());
}

#[test]
fn tests_are_named_for_their_claim_and_wait_for_events() {
    let banned = [
        concat!("fn ", "test_"),
        concat!("#[", "ignore"),
        concat!("sle", "ep("),
        concat!("#[should", "_panic"),
    ];
    let mut findings = Vec::new();
    // a benchmark measures what an idle engine costs
    for source in rust().into_iter().filter(|source| !source.path.contains("/benches/")) {
        for (number, line) in source.lines_of_tests() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    nothing_of("tests that hide, sleep, or do not say their claim", &findings);
}

#[test]
fn nothing_names_a_machine_or_a_registry_host() {
    let banned = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("crates", ".io/"),
        concat!("pypi", ".org"),
        concat!("files.python", "hosted"),
        concat!("registry.npm", "js"),
        concat!("deb.", "debian"),
    ];
    let mut findings = Vec::new();
    for source in texts() {
        for (number, line) in source.numbered() {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    nothing_of("places of one machine, or hosts of a registry", &findings);
}
