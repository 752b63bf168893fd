//! The log, tested as its users see it.
#![cfg(test)]

mod append;
mod damage;
mod fuzz;
mod golden;
mod opening;
mod payloads;
mod projections;
mod sample;
mod support;
mod tail;
