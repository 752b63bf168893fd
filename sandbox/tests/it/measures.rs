//! M1 to M6, M8, M10 of facts/mocking.md §7, held: `cargo bench -p placet-sandbox --bench measures` prints all of them
//! beside their bounds. M7 is `scripts` and `state`, M9 the program's own test, `zero_egress`. How quick an answer
//! is (M8) is a figure of the release profile; here it is held against a bound that only a mistake breaks.

use crate::measure::{
    Figure, Survey, Verdict, m1_keywords, m3_determinism, m4_echo, m10_examples, told_by_child,
};
use std::process::Command;

/// Within its bound, or not measured here.
fn holds(figure: &Figure) {
    println!("{}", figure.line());
    assert_ne!(figure.verdict, Verdict::Fail, "{figure:#?}");
}

#[test]
fn measures_m1_satisfiable_keyword_groups_get_valid_values_and_the_others_are_refused() {
    holds(&m1_keywords());
}

#[test]
fn measures_m2_m5_m6_m8_of_every_response_schema() {
    let survey = Survey::taken();
    [survey.m2_valid(), survey.m5_coverage(), survey.m6_plausible(), survey.m8_speed()]
        .iter()
        .for_each(holds);
}

#[test]
fn measures_m3_two_processes_give_the_same_bytes() {
    if told_by_child() {
        return;
    }
    let name = "measures::measures_m3_two_processes_give_the_same_bytes";
    let mut child = Command::new(std::env::current_exe().unwrap());
    holds(&m3_determinism(child.args([name, "--exact", "--nocapture"])));
}

#[test]
fn measures_m4_what_is_said_to_stripe_comes_back() {
    holds(&m4_echo());
}

#[test]
fn measures_m10_an_example_that_breaks_its_own_schema_is_never_answered() {
    holds(&m10_examples());
}
