//! The vault, tested as its users see it.
#![cfg(test)]

mod canary;
mod credentials;
mod filler;
mod key_file;
mod rows;
mod support;
