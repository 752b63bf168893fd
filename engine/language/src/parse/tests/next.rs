//! For the author of what comes next: what is parsed and not built yet, checked as if it were.
//!
//! `BLESS=1 cargo nextest run -p placet-language next` writes the fixtures anew; read the
//! difference before committing it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use placet_model::manifest::Catalogue;
use placet_model::policy::Rule;

use self::world::{World, fixtures};
use super::super::outside::{self, Refuse};
use super::super::{Checked, check_refusing};
use crate::source::Source;
use crate::{Diagnostic, Environment, codes};

#[path = "../../../tests/it/world.rs"]
pub(super) mod world;

const NEXT: &str = "workflows/next";

/// The catalogue of the other tests.
pub(super) fn catalogue(world: &World) -> Catalogue {
    world.environment().catalogue.clone()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a fixture")
}

fn name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

pub(super) fn check(text: &str, path: &Path, refuse: Refuse) -> Checked {
    let world = World::new();
    let catalogue = catalogue(&world);
    let mut policy = world::policy();
    policy.rules.push(Rule { set: Some("outbound".to_owned()), ..rule("outbound") });
    let environment =
        Environment { catalogue: &catalogue, policy: Some(&policy), ..world.environment() };
    check_refusing(&Source::new(name(path), text), &environment, refuse)
}

fn rule(name: &str) -> Rule {
    Rule { name: name.to_owned(), ..Rule::default() }
}

fn listing(diagnostics: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| {
        let place = format!("{}:{}", d.line, d.column);
        let severity = d.severity.as_str();
        format!("{severity} {} {place} {}\n  help: {}\n", d.code.id, d.message, d.help)
    };
    diagnostics.iter().map(line).collect()
}

fn same(path: &Path, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, actual).expect("writable fixtures");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs", path.display());
}

/// The files of `fixtures/workflows/next/<kind>`.
fn next(kind: &str) -> Vec<PathBuf> {
    fixtures(&format!("{}/{kind}", NEXT.trim_start_matches("workflows/")))
}

#[test]
fn what_comes_next_is_lowered_into_the_plan() {
    for path in next("ok") {
        let checked = check(&read(&path), &path, Refuse::Nothing);
        assert_eq!(listing(&checked.diagnostics), "", "{}", path.display());
        let plan = checked.plan.expect("a plan");
        let json = serde_json::to_string_pretty(&plan.to_json().unwrap()).unwrap();
        same(&path.with_extension("plan.json"), &format!("{json}\n"));
        let read: placet_model::plan::Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(read.digest().unwrap(), plan.digest().unwrap(), "{}", path.display());
    }
}

#[test]
fn what_comes_next_gives_all_its_findings_with_place_and_help() {
    for path in next("err") {
        let checked = check(&read(&path), &path, Refuse::Nothing);
        assert!(checked.diagnostics.iter().all(|d| !d.help.is_empty()), "{}", path.display());
        same(&path.with_extension("diag"), &listing(&checked.diagnostics));
    }
}

#[test]
fn what_is_not_built_is_refused_beside_all_other_findings() {
    for kind in ["ok", "err"] {
        for path in next(kind) {
            let text = read(&path);
            let open = check(&text, &path, Refuse::Nothing);
            let closed = check(&text, &path, Refuse::NotBuilt);
            let is_refusal = |d: &&Diagnostic| d.code == codes::OUTSIDE;
            assert!(World::new().check("next.yaml", &text).plan.is_none(), "{}", path.display());
            let refused = closed.diagnostics.iter().filter(is_refusal).count();
            let before = open.diagnostics.iter().filter(is_refusal).count();
            assert!(closed.plan.is_none() && refused > before, "{}", path.display());
            for finding in &open.diagnostics {
                assert!(closed.diagnostics.contains(finding), "{}: {finding:?}", path.display());
            }
        }
    }
}

/// A cut at every ninth place, and a value of the wrong kind after every colon.
fn spoiled(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        if at % 9 == 0 {
            out.push(format!("{before}{after}"));
        }
        if c == ':' && after.starts_with(' ') {
            let rest = after.find([',', '}', '\n']).map_or("", |end| &after[end..]);
            let values = ["~", "1", "[]", "{}", "x", "'${ .a }'", "true"];
            out.extend(values.map(|value| format!("{before}: {value}{rest}")));
        }
    }
    out
}

#[test]
fn a_document_without_an_error_gives_a_plan_and_one_with_an_error_gives_none() {
    for path in next("ok") {
        for text in spoiled(&read(&path)) {
            let checked = check(&text, &path, Refuse::Nothing);
            let panicked =
                checked.diagnostics.iter().any(|d| d.message.contains("could not be checked"));
            assert!(checked.plan.is_some() != checked.has_errors() && !panicked, "{text}");
        }
    }
}

#[test]
fn every_construct_that_is_parsed_and_not_built_has_a_fixture() {
    let (parsed, unread) = outside::rows();
    let refusals: BTreeSet<String> = next("ok")
        .iter()
        .flat_map(|path| check(&read(path), path, Refuse::NotBuilt).diagnostics)
        .map(|finding| finding.message)
        .collect();
    for words in &parsed {
        println!("parsed, {words}");
    }
    for words in &unread {
        println!("not parsed, {words}");
    }
    let missing: Vec<&String> = parsed.iter().filter(|words| !refusals.contains(*words)).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let strange: Vec<&String> = refusals.iter().filter(|words| !parsed.contains(words)).collect();
    assert_eq!(strange, Vec::<&String>::new());
}

/// Official examples that need what the profile leaves out, and the word that says so.
const REFUSED: &[(&str, &str)] = &[
    ("authentication-bearer.yaml", "credentials are named secrets"),
    ("authentication-oauth2.yaml", "a secret must not stand in the document"),
    ("authentication-reusable.yaml", "credentials are named secrets"),
    ("call-asyncapi-publish.yaml", "`call: asyncapi` is outside the profile"),
    ("call-asyncapi-subscribe-consume-amount.yaml", "`call: asyncapi` is outside the profile"),
    ("call-custom-function-cataloged.yaml", "a call by URL is outside the profile"),
    ("call-mcp.yaml", "`call: mcp` is outside the profile"),
    ("do-multiple.yaml", "declares no response schema"),
    ("run-container-stdin-and-arguments.yaml", "`run.container` is outside the profile"),
    ("run-container.yaml", "`run.container` is outside the profile"),
    ("run-return-all.yaml", "`run.container` is outside the profile"),
    ("run-script-with-stdin-and-arguments.yaml", "`run.script` is outside the profile"),
    ("star-wars-homeworld.yaml", "declares no response schema"),
];

#[test]
fn official_examples_are_accepted_or_refused_by_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/ows/examples");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: the official examples are not beside the repository");
        return;
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let (mut wrong, mut accepted) = (Vec::new(), 0);
    for path in &files {
        let text = read(path);
        let name = name(path);
        let open = check(&text, path, Refuse::Nothing);
        let closed = check(&text, path, Refuse::NotBuilt);
        let error = |checked: &Checked| checked.diagnostics.iter().find(|d| d.is_error()).cloned();
        let wanted = REFUSED.iter().find(|(file, _)| *file == name).map(|(_, word)| *word);
        let fits = match (error(&open), error(&closed), wanted) {
            (None, None, None) => closed.plan.is_some(),
            // Parsed, and refused by name until it is built.
            (None, Some(d), None) => d.code == codes::OUTSIDE && d.line > 0 && d.column > 0,
            (Some(d), Some(_), Some(word)) => {
                d.message.contains(word) && d.line > 0 && d.column > 0
            }
            _ => false,
        };
        let verdict = error(&closed).map_or_else(
            || "accepted".to_owned(),
            |d| format!("refused at {}:{}: {} {}", d.line, d.column, d.code.id, d.message),
        );
        println!("{name}: {verdict}");
        accepted += usize::from(closed.plan.is_some());
        if !fits {
            wrong.push(name);
        }
    }
    println!(
        "{} official examples: {accepted} accepted, {} refused by name",
        files.len(),
        files.len() - accepted
    );
    assert_eq!(wrong, Vec::<String>::new());
}
