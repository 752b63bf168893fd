//! The log, tested as its users see it.

mod append;
mod golden;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod support;
