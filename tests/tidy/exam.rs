//! The exam of the security page: each trap T1–T27 has a test whose name begins with its number (`t05_…`), and each
//! item of the acceptance list A1–A11 is in the list of `tests/it/exam`, with tests that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Source, nothing_of, rust};

const TRAPS: usize = 27;
const ACCEPTANCE: usize = 11;
/// Where the list of acceptance stands, in the comment of the module.
const LIST: &str = "tests/it/exam/mod.rs";
/// Traps that no test covers yet, and why. A trap of these that gets one leaves this list.
const LATER: [(usize, &str); 0] = [];

/// The names of the tests of a source: functions below an attribute that ends in `test]` or `test(…)]`.
fn tests(source: &Source) -> Vec<String> {
    let (mut names, mut marked) = (Vec::new(), false);
    for line in source.text.lines().map(str::trim) {
        if line.starts_with("#[") {
            let attribute = line.trim_start_matches("#[").trim_end_matches(']');
            let path = attribute.split('(').next().unwrap_or_default();
            marked |= path == "test" || path.ends_with("::test");
        } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
            if marked {
                names.push(rest.split('(').next().unwrap_or_default().to_owned());
            }
            marked = false;
        }
    }
    names
}

fn all_tests() -> BTreeSet<String> {
    rust().iter().flat_map(tests).collect()
}

/// The number with which the name of a test begins: `t05_…` is of trap 5.
fn trap(name: &str) -> Option<usize> {
    let (number, _) = name.strip_prefix('t')?.split_once('_')?;
    let digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse().ok()).flatten()
}

#[test]
fn every_trap_has_a_test_that_carries_its_number() {
    let mut covered: BTreeMap<usize, usize> = BTreeMap::new();
    for name in all_tests() {
        if let Some(number) = trap(&name) {
            *covered.entry(number).or_default() += 1;
        }
    }
    let mut findings = Vec::new();
    for number in 1..=TRAPS {
        let later = LATER.iter().find(|(late, _)| *late == number);
        match (covered.get(&number), later) {
            (None, None) => findings.push(format!("T{number}: no test begins with t{number:02}_")),
            (Some(_), Some((_, why))) => {
                findings.push(format!("T{number} has a test by now, and is put off: {why}"));
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
    let unknown = covered.keys().filter(|number| !(1..=TRAPS).contains(*number));
    findings.extend(unknown.map(|number| format!("T{number} is no trap of the page")));
    nothing_of("traps without a test of their own", &findings);
    println!("{} tests carry the number of a trap", covered.values().sum::<usize>());
}

#[test]
fn every_item_of_the_acceptance_list_names_tests_that_there_are() {
    let (sources, known) = (rust(), all_tests());
    let list = sources.iter().find(|source| source.path == LIST).expect("the list is there");
    let mut named = BTreeMap::new();
    for line in list.text.lines().filter_map(|line| line.strip_prefix("//! - A")) {
        let (number, names) = line.split_once(": ").expect("a number, and tests");
        let names = names.split(", ").map(|name| name.trim_matches('`').to_owned());
        named.insert(number.parse::<usize>().expect("a number"), names.collect::<Vec<_>>());
    }
    let mut findings = Vec::new();
    for number in 1..=ACCEPTANCE {
        let tests = named.remove(&number).unwrap_or_default();
        if tests.is_empty() {
            findings.push(format!("A{number} is not in the list"));
        }
        let gone = tests.iter().filter(|name| !known.contains(*name));
        findings.extend(gone.map(|name| format!("A{number}: there is no test {name}")));
    }
    findings.extend(named.keys().map(|number| format!("A{number} is no item of the page")));
    nothing_of("the acceptance list", &findings);
}

#[test]
fn a_test_is_found_by_its_attribute_and_a_trap_by_its_number() {
    let text = [
        "#[test]\n#[cfg(unix)]\nfn t07_one() {}\n",
        "#[tokio::test(flavor = \"multi_thread\")]\nasync fn t7_two() {}\n",
        "#[cfg(test)]\nmod tests {}\nfn t08_helper() {}\n",
    ]
    .concat();
    let names = tests(&Source { path: String::new(), text });
    assert_eq!(names, ["t07_one", "t7_two"]);
    assert_eq!((trap("t07_one"), trap("t7_two"), trap("tests")), (Some(7), None, None));
}
