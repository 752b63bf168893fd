//! The language as authors and operators meet it: one binary, one module for each question.

mod fences;
mod fixtures;
mod fuzz;
mod library;
mod policy;
mod project;
mod semantics;
mod world;
