//! The log, tested as its users see it.
#![cfg(test)]

mod append;
mod crash;
mod crash_disk;
mod damage;
mod golden;
mod opening;
mod payloads;
mod projections;
mod refused;
mod sample;
mod support;
mod tail;
