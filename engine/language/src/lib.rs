//! The workflow language: YAML text to a plan and diagnostics; expressions; policy files.
//!
//! Text comes in, plain values go out. Nothing here opens a file or a socket, and nothing panics on
//! any input. [`check`] reads a workflow, [`check_policy`] a `policy.yaml`, [`check_project`] a
//! `placet.toml`, [`check_test`] a `*.test.yaml`; each gives its value only when it found no error,
//! and always all of its findings.
//! [`Evaluator`] runs the expressions of a plan behind fences. [`profile_schema`] is for editors.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

// Unit tests share the small project of the integration tests, which names this crate.
#[cfg(test)]
extern crate self as placet_language;

pub mod codes;
pub mod diagnostic;
pub mod duration;
mod environment;
mod expr;
pub mod graph;
mod parse;
mod profile;
mod reach;
mod reads;
pub mod source;
mod syntax;
pub mod test_file;

pub use diagnostic::{Code, Diagnostic, Severity};
pub use environment::Environment;
pub use expr::{Evaluator, ExpressionError, Health, Limits, Scope};
pub use parse::{
    Checked, CheckedProject, DocumentAt, Key, NamedDocument, Override, check, check_channels,
    check_policy, check_project, check_project_with, check_scenario, check_test, policy_schema,
    project_keys, project_schema, unknown_override,
};
pub use profile::profile_schema;
pub use reach::Scopes;
pub use reads::reads_of_output;
pub use source::{Source, Span};
