//! The executor on a log in memory: what a run does, what leaves, and what a restart finds.
#![cfg(test)]

mod bounds;
mod branches;
mod checkpoints;
mod children;
mod concurrency;
mod control_flow;
mod crash;
mod epoch;
mod erasure;
mod events;
mod gate;
mod interleave;
mod policy;
mod reads;
mod report;
mod schedules;
mod select;
mod story;
mod world;
