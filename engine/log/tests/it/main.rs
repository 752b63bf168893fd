//! The log, tested as its users see it.

mod append;
mod crash;
#[cfg(test)]
mod crash_disk;
mod golden;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod support;
