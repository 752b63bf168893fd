//! What the sandbox promises: valid, repeatable, plausible answers, and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a helper of tests stops the test, and says what it has measured"
)]

mod answers;
mod desk;
mod examples;
mod import;
#[path = "../measure/mod.rs"]
mod measure;
mod measures;
mod recall;
mod schemas;
mod scripts;
mod state;
mod trails;
