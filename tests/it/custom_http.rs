//! The page on an API of one's own does what it says: the files are taken from it as they stand there.
//!
//! covers: S21

use std::collections::BTreeMap;

use placet_schemas::Registry;
use placet_test_support::dirs::Project;
use placet_test_support::process::Placet;

use serde_json::{Value, json};

use crate::world::PLACET;

const PAGE: &str = include_str!("../../docs/custom-http.md");

/// The files of the page: a path alone on a line, then its text as a block.
fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut lines = PAGE.lines();
    let mut path = None;
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let path: String = path.take().expect("each block has its path");
            files.insert(path, block.join("\n") + "\n");
        } else if let Some(name) = line.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            path = Some(name.to_owned());
        }
    }
    files
}

fn project() -> Project {
    let project = Project::new();
    for (path, text) in files() {
        project.write(&path, &text);
    }
    project
}

#[test]
fn the_manifest_of_the_page_has_ten_lines() {
    assert_eq!(files()["adapters/weather.yaml"].lines().count(), 10);
}

#[test]
fn the_page_works_as_it_stands() {
    let project = project();
    drop(Placet::new(PLACET, &project).args(["check", "."]).run().expect_code(0));
    let run = ["run", "workflows/dress.yaml", "--mode", "sandbox", "--json"];
    let report = Placet::new(PLACET, &project).args(run).run().expect_code(0).json();
    assert_eq!(report["status"], "completed", "{report:#}");
    assert!(report["output"]["coat"].is_boolean(), "{report:#}");
}

#[test]
fn what_no_schema_declares_is_refused_with_its_place_and_what_to_do() {
    let project = project();
    let workflow = &files()["workflows/dress.yaml"];
    project.write("workflows/dress.yaml", &workflow.replace(".celsius < 10", ".wind"));
    let bare = "document: { dsl: '1.0.3', namespace: home, name: bare, version: '1.0.0' }\ndo:\n  \
        - look: { call: http, with: { method: GET, endpoint: 'https://api.weather.example/today' } }\n  \
        - dress: { set: { coat: '${ $steps.look.celsius }' } }\n";
    project.write("workflows/bare.yaml", bare);
    let refused = Placet::new(PLACET, &project).args(["check", "."]).run().expect_code(1);
    let said = refused.stdout + &refused.stderr;
    for words in [
        "dress.yaml:4:",
        "the response schema of `weather.today.get` has no `.wind`",
        "declared there: celsius, sky",
        "bare.yaml:4:",
        "nothing says what `look` answers: `call: http` declares no response schema",
        "output: { schema:",
        "PL3080",
    ] {
        assert!(said.contains(words), "{words:?} is missing in:\n{said}");
    }
}

#[test]
fn the_schema_for_editors_takes_and_refuses_what_a_check_of_the_project_does() {
    let project = project();
    // given the schema that is printed, and manifests, which may be written as JSON, too
    let schema = Placet::new(PLACET, &project).args(["adapters", "schema"]).run().expect_code(0);
    let schema: Value = serde_json::from_str(&schema.stdout).expect("JSON");
    let schema = Registry::new().register(&schema).expect("a schema");
    let manifest = json!({
        "manifest": 1, "provider": "weather", "title": "Weather", "hosts": ["api.weather.example"],
        "auth": {"kind": "bearer", "placement": {"header": "Authorization", "value": "Bearer {secret:token}"}},
        "operations": {"today.get": {
            "effect": "read",
            "input_schema": "schemas/weather/city.json", "output_schema": "schemas/weather/today.json",
            "request": {"method": "GET", "url": "https://api.weather.example/today/{input./city}"},
            "classify": [{"when": {"status": 200}, "outcome": "sent"}, {"else": "refused_retry"}],
        }},
    });
    let mut mistyped = manifest.clone();
    mistyped["operations"]["today.get"]["efect"] = json!("read");
    let mut unknown = manifest.clone();
    unknown["operations"]["today.get"]["classify"][0]["outcome"] = json!("fine");
    let mut nameless = manifest.clone();
    nameless.as_object_mut().expect("an object").remove("provider");

    // then an editor says what a check says
    for (manifest, is_good) in
        [(manifest, true), (mistyped, false), (unknown, false), (nameless, false)]
    {
        project.write("adapters/weather.yaml", &manifest.to_string());
        drop(Placet::new(PLACET, &project).args(["check", "."]).run().expect_code(if is_good {
            0
        } else {
            2
        }));
        assert_eq!(schema.is_valid(&manifest), is_good, "{manifest}");
    }
}
