//! The log, tested as its users see it.
#![cfg(test)]

mod append;
mod checkpoints;
mod compaction;
mod damage;
mod erasure;
mod export;
mod fuzz;
mod golden;
mod journal;
mod opening;
mod payloads;
mod projections;
mod refused;
mod sample;
mod support;
mod tail;
mod votes;
