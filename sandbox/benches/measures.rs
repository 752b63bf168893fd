//! M1 to M10 of facts/mocking.md §7, printed beside their bounds: `cargo bench -p placet-sandbox --bench measures`.
//! It ends with 1 where one is not within its bound. The tests hold the same figures, made by the same code.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints and may panic"
)]

#[path = "../tests/measure/every.rs"]
mod every;
#[path = "../tests/measure/isolation.rs"]
mod isolation;
#[path = "../tests/measure/mod.rs"]
mod measure;

use measure::{
    Figure, Survey, Verdict, m1_keywords, m3_determinism, m4_echo, m7_scripts, m10_examples,
    told_by_child,
};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if told_by_child() {
        return ExitCode::SUCCESS;
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let survey = Survey::taken();
    let figures = [
        m1_keywords(),
        survey.m2_valid(),
        m3_determinism(&mut child),
        m4_echo(),
        survey.m5_coverage(),
        survey.m6_plausible(),
        m7_scripts(),
        survey.m8_speed(),
        isolation::m9_isolation(),
        m10_examples(),
    ];
    for figure in &figures {
        println!("{}", figure.line());
    }
    let of = |wanted: fn(&Verdict) -> bool| {
        figures.iter().filter(|figure: &&Figure| wanted(&figure.verdict)).count()
    };
    let failed = of(|verdict| *verdict == Verdict::Fail);
    let passed = of(|verdict| *verdict == Verdict::Pass);
    println!("{passed} pass, {failed} fail, {} skipped", figures.len() - passed - failed);
    ExitCode::from(u8::from(failed > 0))
}
