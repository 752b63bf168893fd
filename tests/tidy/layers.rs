//! The layers of DESIGN.md §3 as data: which of our crates each may depend on, and who may name which of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use super::sources::{Source, nothing_of, root, rust};

/// Our crates and the ones of ours that each may depend on. `placet` and the test kit may name all.
const OURS: &[(&str, &[&str])] = &[
    ("placet-model", &[]),
    ("placet-core", &["model"]),
    ("placet-schemas", &["model"]),
    ("placet-language", &["model", "schemas"]),
    ("placet-adapters", &["model", "schemas"]),
    ("placet-egress", &["model", "adapters"]),
    ("placet-sandbox", &["model", "schemas", "adapters"]),
    ("placet-log", &["model"]),
    ("placet-projections", &["model", "log"]),
    ("placet-vault", &["model", "adapters"]),
    ("placet-executor", &["model", "core", "language", "log", "projections", "adapters", "vault"]),
    ("placet-bus", &["model", "log", "projections", "executor"]),
    (
        "placet-server",
        &[
            "model",
            "core",
            "language",
            "schemas",
            "log",
            "projections",
            "vault",
            "executor",
            "adapters",
        ],
    ),
    ("placet-mcp", &["model", "executor", "projections"]),
];

/// May depend on all of ours: the composition root, the test kit, the simulation.
const TOP: &[&str] = &["placet", "placet-test-support", "placet-simulation"];

/// Ends the name of a package that is built from another one's sources, with planted bugs.
const TWIN: &str = "-mutants";
/// Their switch.
const SWITCH: &str = "placet-mutants";

/// Third-party crates that have a home, with every crate that may name them. `tests` in the name of a home means its
/// dev-dependencies only. Crates that are not listed (serde, bytes, tracing …) are free.
const THEIRS: &[(&str, &[&str])] = &[
    ("anyhow", &["placet"]),
    ("askama", &["placet-server"]),
    ("async-nats", &["placet-bus", "placet tests"]),
    ("axum", &["placet-server", "placet-test-support"]),
    ("boon", &["placet-sandbox tests"]),
    ("clap", &["placet"]),
    ("jaq-core", &["placet-language"]),
    ("jaq-json", &["placet-language"]),
    ("jaq-std", &["placet-language"]),
    ("jsonschema", &["placet-schemas", "placet-sandbox"]),
    ("lettre", &["placet-egress"]),
    ("mail-builder", &["placet-adapters"]),
    ("miette", &["placet"]),
    ("mimalloc", &["placet"]),
    ("nkeys", &["placet-bus", "placet", "placet tests"]),
    ("oauth2", &["placet-vault"]),
    ("openidconnect", &["placet-server"]),
    ("postcard", &["placet-log", "placet-projections", "placet-vault"]),
    (
        "redb",
        &[
            "placet-log",
            "placet-projections",
            "placet-vault",
            "placet-executor tests",
            "placet tests",
            "placet-test-support",
            "placet-simulation tests",
        ],
    ),
    ("reqwest", &["placet-egress"]),
    ("hyper", &["placet-egress"]),
    ("h2", &["placet-egress"]),
    ("rmcp", &["placet-mcp"]),
    ("rustls", &["placet-egress"]),
    ("secrecy", &["placet-vault"]),
    (
        "tokio",
        &[
            "placet-executor",
            "placet-egress",
            "placet-server",
            "placet-bus",
            "placet-mcp",
            "placet",
            "placet-test-support",
        ],
    ),
    ("tracing-subscriber", &["placet"]),
    ("utoipa", &["placet-server"]),
];

/// Crates without I/O, clock or randomness, and the words that would bring them in.
const PURE: &[&str] = &["engine/model/", "engine/core/"];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
];

/// What the sandbox must not have: a way out.
const WAYS_OUT: &[&str] = &["std::net", "TcpStream", "UdpSocket", "reqwest", "hyper"];

struct Package {
    name: String,
    normal: BTreeSet<String>,
    dev: BTreeSet<String>,
}

impl Package {
    fn is_twin(&self) -> bool {
        self.name.ends_with(TWIN) && self.name != SWITCH
    }
}

/// All but the twins, which follow their originals.
fn packages() -> Vec<Package> {
    let mut packages = all_packages();
    packages.retain(|package| !package.is_twin() && package.name != SWITCH);
    packages
}

fn all_packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").iter().map(package).collect()
}

fn package(package: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    let named = |dev: bool| {
        let of_kind =
            dependencies.iter().filter(|found| (found["kind"].as_str() == Some("dev")) == dev);
        of_kind.map(|found| text(&found["name"])).collect()
    };
    Package { name: text(&package["name"]), normal: named(false), dev: named(true) }
}

#[test]
fn our_crates_depend_on_ours_as_the_design_says() {
    let allowed: BTreeMap<&str, &[&str]> = OURS.iter().copied().collect();
    let mut findings = Vec::new();
    for package in packages().iter().filter(|package| !TOP.contains(&package.name.as_str())) {
        let Some(allowed) = allowed.get(package.name.as_str()) else {
            findings.push(format!("{} has no row in the table", package.name));
            continue;
        };
        for named in package.normal.iter().filter(|named| named.starts_with("placet-")) {
            if !allowed.contains(&named.trim_start_matches("placet-")) {
                findings.push(format!("{} may not depend on {named}", package.name));
            }
        }
    }
    nothing_of("edges that the design does not have", &findings);
}

#[test]
fn planted_bugs_are_in_packages_of_their_own_and_nothing_else_can_reach_them() {
    let all = all_packages();
    let mut findings = Vec::new();
    let planted = |name: &String| name.ends_with(TWIN);
    for package in packages() {
        if package.normal.iter().chain(&package.dev).any(planted) {
            findings.push(format!("{} depends on planted bugs", package.name));
        }
    }
    let twins: Vec<&Package> = all.iter().filter(|package| package.is_twin()).collect();
    assert!(twins.len() >= 5, "the rule would hold of anything");
    for twin in twins {
        let original = twin.name.trim_end_matches(TWIN);
        let original = all.iter().find(|package| package.name == original);
        let Some(original) = original else {
            findings.push(format!("{} is a twin of nothing", twin.name));
            continue;
        };
        let plain = |names: &BTreeSet<String>| -> BTreeSet<String> {
            let names = names.iter().filter(|name| *name != SWITCH);
            names.map(|name| name.trim_end_matches(TWIN).to_owned()).collect()
        };
        let of_tests = original.name == "placet-simulation";
        if plain(&twin.normal) != original.normal || (of_tests && plain(&twin.dev) != original.dev)
        {
            findings.push(format!("{} depends on other crates than its original", twin.name));
        }
    }
    nothing_of("planted bugs that could get into the product", &findings);
}

#[test]
fn only_the_test_kit_and_the_root_test_with_the_test_kit() {
    let mut findings = Vec::new();
    for package in packages() {
        if package.normal.contains("placet-test-support") {
            findings.push(format!("{} has the test kit in the product", package.name));
        }
    }
    nothing_of("the test kit serves tests only", &findings);
}

#[test]
fn third_party_crates_stay_in_their_homes() {
    let mut findings = Vec::new();
    for package in packages() {
        for (theirs, homes) in THEIRS {
            let in_tests = format!("{} tests", package.name);
            let home = homes.contains(&package.name.as_str());
            if package.normal.contains(*theirs) && !home {
                findings.push(format!("{} may not name {theirs}", package.name));
            }
            // a dev-dependency on the runtime is needed to drive async code in a test
            let free = *theirs == "tokio" || homes.contains(&in_tests.as_str());
            if package.dev.contains(*theirs) && !home && !free {
                findings.push(format!("the tests of {} may not name {theirs}", package.name));
            }
        }
    }
    nothing_of("crates named outside their home", &findings);
}

/// Its ids and nonces can be guessed, which an approval must not be.
#[test]
fn only_the_simulation_starts_an_engine_stepwise() {
    let home = ["engine/executor/src/engine.rs", "tests/simulation/", "tests/tidy/"];
    let elsewhere = rust().into_iter().filter(|source| {
        !home.iter().any(|home| source.path.starts_with(home))
            && source.text.contains("start_stepwise")
    });
    let findings: Vec<String> = elsewhere.map(|source| source.path).collect();
    nothing_of("an engine whose nonces can be guessed", &findings);
}

#[test]
fn the_core_is_pure_and_the_sandbox_has_no_way_out() {
    let mut findings = Vec::new();
    for source in rust() {
        let pure = PURE.iter().any(|folder| source.path.starts_with(folder));
        let words = match source.path.as_str() {
            _ if source.is_test() => continue,
            _ if pure => IMPURE,
            path if path.starts_with("sandbox/") => WAYS_OUT,
            _ => continue,
        };
        for (number, line) in
            source.numbered().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for word in words.iter().filter(|word| line.contains(**word)) {
                findings.push(format!("{}:{number}: {word}", source.path));
            }
        }
    }
    nothing_of("words that do not belong there", &findings);
}

/// The witness without which nothing live can be made is asked for in two places of one file: for an engine that is
/// live, and for what a person or an operator names outside of any run.
#[test]
fn the_way_out_is_opened_in_two_places() {
    let opens = |source: &Source| {
        let is_ours = source.is_test() || source.path.contains("/benches/");
        let count = source.text.matches("Live::of(").count();
        let counts = !is_ours && source.path != "engine/egress/src/live.rs" && count > 0;
        counts.then(|| (source.path.clone(), count))
    };
    let places: Vec<(String, usize)> = rust().iter().filter_map(opens).collect();
    assert_eq!(places, [("engine/cli/compose.rs".to_owned(), 2)]);
}
