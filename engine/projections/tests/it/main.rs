//! The projections, tested as their readers see them: through a real log.
#![cfg(test)]

mod actions;
mod attempts;
mod damage;
mod dice;
mod due;
mod histories;
mod inbox;
mod layout;
mod make;
mod nonces;
mod oracle;
mod past;
mod project;
mod rebuild;
mod runs;
mod start;
mod support;
mod tally;
mod waits;
mod witness;
