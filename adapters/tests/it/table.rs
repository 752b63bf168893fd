//! The page of providers is what the manifests say, and names the tests that there are.

use crate::support::{ADAPTERS, provider_files};
use placet_adapters::table::markdown;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const HEAD: &str = "# Providers\n\nMade from the manifests by the tests of this crate; `placet adapters list --table` prints the same\nfor a project. A mode in which the provider accepts a call and does nothing is its dry run. *Tested\nwith*: requests compared byte by byte, and answers of the provider that are classified.\n\n";

/// How many golden requests and documented answers each operation has.
fn counts() -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for file in crate::render::golden_files() {
        let case: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        counts.entry(case["operation"].as_str().unwrap().to_owned()).or_default().0 += 1;
    }
    for (_, cases) in provider_files("answers.json") {
        for case in cases.as_array().unwrap() {
            let names = match &case["operation"] {
                Value::Array(names) => names.clone(),
                name => vec![name.clone()],
            };
            for name in names {
                counts.entry(name.as_str().unwrap().to_owned()).or_default().1 += 1;
            }
        }
    }
    counts
}

#[test]
fn the_page_of_providers_is_what_the_manifests_say() {
    let counts = counts();
    let tested = |name: &str| {
        let (requests, answers) = counts.get(name).copied().unwrap_or_default();
        let plural = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            count => format!("{count} {word}s"),
        };
        format!("{}, {}", plural(requests, "request"), plural(answers, "answer"))
    };
    let page = format!("{HEAD}{}\n", markdown(&ADAPTERS, Some(&tested)).trim_end());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("PROVIDERS.md");
    if std::env::var_os("PLACET_WRITE_GOLDENS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == page,
        "{} is not of today: PLACET_WRITE_GOLDENS=1 writes it",
        file.display()
    );
}

#[test]
fn each_provider_and_operation_stands_on_the_page() {
    let page = markdown(&ADAPTERS, None);
    for manifest in ADAPTERS.manifests().values() {
        assert!(page.contains(&format!("## {}\n", manifest.title())));
        for name in manifest.operations().keys() {
            assert!(page.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
