//! What the sandbox promises: valid, repeatable, plausible answers, and nothing else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests stops the test")]

mod answers;
mod desk;
mod examples;
mod import;
mod measures;
mod recall;
mod schemas;
mod scripts;
mod state;
mod trails;
