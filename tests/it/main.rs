//! Integration tests of the root package: each module serves one reader.

mod author;
mod cli;
mod kit;
