//! The executor on a log in memory: what a run does, what leaves, and what a restart finds.
#![cfg(test)]

mod actions;
mod arrivals;
mod bounds;
mod branches;
mod budgets;
mod bulk;
mod channels;
mod checkpoints;
mod children;
mod clocks;
mod concurrency;
mod control_flow;
mod copies;
mod crash;
#[path = "../../../../tests/benches/inbox/crowd.rs"]
mod crowd;
mod doubts;
mod edit;
mod epoch;
mod erasure;
mod events;
mod exam;
mod finals;
mod forks;
mod gate;
mod health;
mod interleave;
mod listing;
mod lookups;
mod notices;
mod policy;
mod reads;
mod renewals;
mod report;
mod schedules;
mod select;
mod signed;
mod signing;
mod stats;
mod story;
mod unreadable;
mod witness;
mod world;
