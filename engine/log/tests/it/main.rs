//! The log, tested as its users see it.

mod append;
mod support;
