//! The vault, tested as its users see it.
#![cfg(test)]

mod canary;
mod credentials;
mod filler;
mod key_command;
mod key_file;
mod refused;
mod retired;
mod rotate;
mod rows;
mod support;
