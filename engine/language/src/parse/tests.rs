//! What only the inside of the crate can ask: a check that refuses nothing for not being built.

mod inline;
mod next;
mod profile;
mod table;
