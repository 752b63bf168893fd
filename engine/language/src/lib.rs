//! The workflow language: YAML text to a plan and diagnostics; expressions; policy files.
#![warn(clippy::wildcard_enum_match_arm, missing_docs)]

pub mod codes;
pub mod diagnostic;
pub mod source;

mod expr;
mod syntax;
pub use expr::{Evaluator, ExpressionError, Health, Limits, Scope};
