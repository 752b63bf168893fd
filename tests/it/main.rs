//! Integration tests of the root package: each module serves one reader.
#![cfg(test)]

mod approver;
mod archive;
mod auditor;
mod author;
mod author_tests;
mod backup;
mod bad_data;
mod cli;
mod config;
mod connections;
mod consumer;
mod deploy;
mod documents;
mod erasure;
mod evidence;
mod exam;
mod fuzz;
mod hooks;
mod kill_loop;
mod kit;
mod language;
mod lookups;
mod notices;
mod oauth;
mod office;
mod operator;
mod policies;
mod recovery;
mod sandbox;
mod serve;
mod signing;
mod tooling;
mod verbs;
mod walk;
mod world;
