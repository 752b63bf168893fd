//! The language as authors and operators meet it: one binary, one module for each question.

mod bounds;
mod decisions;
mod documents;
mod fences;
mod fixtures;
mod fuzz;
mod graph;
mod library;
mod policy;
mod policy_words;
mod project;
mod rows;
mod semantics;
mod test_file;
mod world;
