//! The log, tested as its users see it.

mod append;
#[cfg(test)]
mod support;
