//! Threats S1–S26, traps T1–T27 and the acceptance list A1–A11 of the security page: a test that covers one says so in its module comment
//! (`covers: S7, T2`). What nothing covers yet is printed.

use std::collections::BTreeSet;

use super::sources::{nothing_of, rust};

const THREATS: u32 = 26;
const TRAPS: u32 = 27;
const ACCEPTANCE: u32 = 11;

fn known() -> Vec<String> {
    let numbered =
        |letter: char, last: u32| (1..=last).map(move |number| format!("{letter}{number}"));
    numbered('S', THREATS).chain(numbered('T', TRAPS)).chain(numbered('A', ACCEPTANCE)).collect()
}

#[test]
fn covered_threats_and_traps_exist() {
    let known = known();
    let mut covered = BTreeSet::new();
    let mut findings = Vec::new();
    for source in rust() {
        for (number, line) in source.numbered() {
            let comment = line.trim_start().strip_prefix("//!").unwrap_or_default().trim_start();
            let Some(list) = comment.strip_prefix("covers: ") else { continue };
            for mark in list.trim_end_matches('.').split(',').map(str::trim) {
                covered.insert(mark.to_owned());
                if !known.iter().any(|known| known == mark) {
                    findings.push(format!("{}:{number}: {mark}", source.path));
                }
            }
        }
    }
    let uncovered: Vec<String> = known.into_iter().filter(|mark| !covered.contains(mark)).collect();
    println!("{} threats and traps are covered; not yet: {}", covered.len(), uncovered.join(" "));
    nothing_of("marks that no page defines", &findings);
}
