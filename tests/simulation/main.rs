//! The simulation: power cuts, disks that fail and fill, providers that apply and time out, clocks
//! that jump, people who vote late, twice and at once. One seed is one story; every failure names its
//! seed and replays.
//!
//! `cargo test --test simulation` plays the known seeds (`fixtures/simulation/seeds.txt`) and a short
//! budget. `-- --seeds 100000` plays more, `-- engine --seed 7 --trace` tells one story step by step.
//!
//! It is no libtest harness, so that it can have options of its own; of a runner's protocol it speaks
//! what nextest needs (`--list`, names). Built with planted bugs (`tests/mutants`), it shows that each
//! of them is caught.
//!
//! covers: S10, S26, T11
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a test: it says what it counted, and stops where its own world is broken"
)]
#![cfg_attr(
    placet_mutants,
    expect(dead_code, reason = "the known seeds and the short budget are the real engine's")
)]

mod acts;
mod args;
mod checks;
mod faults;
mod heal;
mod life;
#[cfg(placet_mutants)]
mod mutants;
mod project;
mod provider;
mod seeds;
mod store;

use args::{Options, Wanted};
use std::process::ExitCode;

/// A test by name, and how it is run.
type Test = (&'static str, fn(Options) -> Result<(), String>);

#[cfg(not(placet_mutants))]
const TESTS: &[Test] = &[
    ("store_keeps_what_it_acknowledged", seeds::store),
    ("engine_keeps_its_promises", seeds::engine),
    ("a_seed_tells_one_story", seeds::one_story),
    ("a_disk_that_lies_is_caught", seeds::lying_disk),
];

#[cfg(placet_mutants)]
const TESTS: &[Test] = &[("every_mutant_is_caught", mutants::every_one)];

/// redb panics over pages that are damaged on purpose; the log catches that, and nobody need read it.
fn silence_redb() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let inside = info.location().is_some_and(|place| place.file().contains("redb-"));
        if !inside {
            default(info);
        }
    }));
}

fn main() -> ExitCode {
    silence_redb();
    let (names, options) = match args::parse(std::env::args().skip(1)) {
        Ok(Wanted::Run(names, options)) => (names, options),
        Ok(Wanted::List) => {
            for (name, _) in TESTS {
                println!("{name}: test");
            }
            return ExitCode::SUCCESS;
        }
        Ok(Wanted::Nothing) => return ExitCode::SUCCESS,
        Err(problem) => {
            println!("{problem}");
            return ExitCode::from(2);
        }
    };
    let wanted = |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part));
    let mut failed = false;
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        if let Err(failure) = test(options) {
            println!("{name} FAILED: {failure}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
