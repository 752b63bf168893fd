//! Expressions: jq through jaq, behind fences.
//!
//! Only text of a definition is ever evaluated. Values handed over are data and reach jaq as values,
//! never as code. [`source`] finds expressions in strings, [`fence`] parses them and refuses what
//! may not run, [`compile`] makes filters of them, and [`Evaluator`] runs them on a bounded
//! [`pool`] of threads against a deadline.

pub(crate) mod access;
mod budget;
pub(crate) mod compile;
pub(crate) mod convert;
mod error;
mod evaluate;
pub(crate) mod fence;
mod natives;
mod pool;
mod prelude;
mod results;
mod scope;
pub(crate) mod simple;
pub(crate) mod source;
mod value;

pub(crate) use error::Error;
pub use error::Error as ExpressionError;
pub use evaluate::{Evaluator, Health, Limits};
pub use scope::Scope;

/// Longest source of one expression, in bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 4 * 1024;
/// Deepest nesting of an expression's syntax tree.
pub(crate) const SYNTAX_DEPTH_MAX: usize = 64;
/// Largest value that may be handed to an expression (`.`, and each variable), in bytes of JSON.
pub(crate) const INPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest result of an expression, in bytes of JSON.
pub(crate) const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of a value that goes in or comes out.
pub(crate) const VALUE_DEPTH_MAX: usize = 64;
/// Longest regular expression, in bytes.
pub(crate) const REGEX_BYTES_MAX: usize = 1024;
/// Stack of the threads that parse, compile and evaluate, in bytes.
pub(crate) const STACK_BYTES: usize = 64 * 1024 * 1024;
