//! The log, tested as its users see it.

mod append;
mod crash;
#[cfg(test)]
mod crash_disk;
mod damage;
mod golden;
mod opening;
mod payloads;
mod projections;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod support;
mod tail;
