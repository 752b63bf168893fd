//! What the engine says, as a person reads it on a terminal.

pub(crate) mod card;
pub(crate) mod request;
pub(crate) mod trace;
