//! Published JSON Schemas and the registry that validates against them.
//!
//! A schema is compiled once and found again by its digest; formats are asserted; a violation is
//! three plain strings (where in the instance, where in the schema, what is wrong), so that no other
//! crate knows the validator. Nothing is ever fetched: a `$ref` out of the document is an error.

mod embedded;
pub mod places;
mod registry;
mod violation;

pub use embedded::{MANIFEST, PROJECT, TEST, WORKFLOW, embedded, embedded_paths};
pub use registry::{Error, Registry, Schema};
pub use violation::{VIOLATIONS_MAX, Violation, Violations};
