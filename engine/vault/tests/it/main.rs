//! The vault, tested as its users see it.
#![cfg(test)]

mod canary;
mod credentials;
mod filler;
mod key_file;
mod refused;
mod rows;
mod support;
