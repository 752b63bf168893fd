//! For the author: every fixture gives the plan or the findings that stand beside it.
//!
//! `BLESS=1 cargo nextest run -p placet-language fixtures` writes them anew; read the
//! difference before committing it.

use std::collections::BTreeSet;
use std::path::Path;

use crate::world::{World, fixtures};
use placet_language::{Diagnostic, Severity, codes};

fn same(path: &Path, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, actual).expect("writable fixtures");
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(actual, expected, "{} differs", path.display());
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

fn listing(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics.iter().map(line).collect();
    lines.concat()
}

fn line(d: &Diagnostic) -> String {
    let place = format!("{}:{}", d.line, d.column);
    let severity = d.severity.as_str();
    format!("{severity} {} {place} {}\n  help: {}\n", d.code.id, d.message, d.help)
}

#[test]
fn good_documents_give_their_plan_and_no_finding() {
    let world = World::new();
    for path in fixtures("ok") {
        let text = std::fs::read_to_string(&path).unwrap();
        let checked = world.check(&file_name(&path), &text);
        assert_eq!(listing(&checked.diagnostics), "", "{}", path.display());
        let plan = checked.plan.expect("a plan");
        let json = serde_json::to_string_pretty(&plan.to_json().unwrap()).unwrap();
        let digest = plan.digest().unwrap();
        same(&path.with_extension("plan.json"), &format!("{json}\n"));
        let read: placet_model::plan::Plan = serde_json::from_str(&json).unwrap();
        assert_eq!(read.digest().unwrap(), digest, "{}", path.display());
    }
}

#[test]
fn bad_documents_give_all_their_findings_with_place_and_help() {
    let world = World::new();
    for path in fixtures("err") {
        let text = std::fs::read_to_string(&path).unwrap();
        let checked = world.check(&file_name(&path), &text);
        assert!(checked.plan.is_none() && checked.has_errors(), "{}", path.display());
        assert!(checked.diagnostics.iter().all(|d| !d.help.is_empty()), "{}", path.display());
        same(&path.with_extension("diag"), &listing(&checked.diagnostics));
    }
}

#[test]
fn doubtful_documents_give_a_plan_and_warnings() {
    let world = World::new();
    for path in fixtures("warn") {
        let text = std::fs::read_to_string(&path).unwrap();
        let checked = world.check(&file_name(&path), &text);
        same(&path.with_extension("diag"), &listing(&checked.diagnostics));
        assert!(checked.plan.is_some() && !checked.diagnostics.is_empty(), "{}", path.display());
    }
}

#[test]
fn every_code_of_a_workflow_has_a_fixture() {
    let world = World::new();
    let found: BTreeSet<&str> = ["err", "warn"]
        .into_iter()
        .flat_map(fixtures)
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            world.check(&file_name(&path), &text).diagnostics
        })
        .map(|diagnostic| diagnostic.code.id)
        .collect();
    let elsewhere = [codes::POLICY, codes::PROJECT, codes::CHANNEL, codes::EXAMPLE];
    let missing: Vec<&str> = codes::ALL
        .iter()
        .filter(|code| !elsewhere.contains(code))
        .map(|code| code.id)
        .filter(|id| !found.contains(id))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn a_finding_is_shown_with_its_line_and_a_mark_under_what_is_meant() {
    let world = World::new();
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/workflows/err/unknown-key.yaml"),
    )
    .unwrap();
    let checked = world.check("unknown-key.yaml", &text);
    let source = placet_language::Source::new("unknown-key.yaml", text);
    let first = checked.diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap();
    assert_eq!(
        first.render(&source),
        "error[PL2003]: unknown key `wth` in a `call` task\n  --> unknown-key.yaml:5:7\n   |\n \
         5 |       wth: { channel: C0SALES, text: hello }\n   |       ^^^\n   = help: did you mean `with`?\n",
    );
    let json = serde_json::to_value(first).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "severity", "message", "file", "line", "column", "help"]);
}
