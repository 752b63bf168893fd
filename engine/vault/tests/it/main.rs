//! The vault, tested as its users see it.
#![cfg(test)]

mod credentials;
mod key_file;
mod rows;
mod support;
