//! `call: openapi` (facts/language.md §4.1): an API's document becomes operations, and an operation
//! with values becomes the `with` of a `call: http`.
//!
//! Pure, and in two steps because they happen at different times. [`document`] and [`resolve`] run
//! once, when a workflow is deployed; what they give is pinned by the plan. [`with`] runs when the
//! task does, and from there on an `openapi` call is an `http` call like any other: one way of
//! rendering, one gate, one sandbox.

mod document;
mod error;
mod form;
mod import;
mod multipart;
mod reference;
mod request;
mod resolve;
mod style;
mod swagger;
mod three;

pub use document::{DOCUMENT_BYTES_MAX, document};
pub use error::Error;
pub use import::{Done, IMPORT_BYTES_MAX, Imported, LeftOut, Report, Wanted, import};
pub use request::with;
pub use resolve::resolve;
