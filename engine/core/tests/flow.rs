//! Control flow (language 4): small plans, driven to their end by an interpreter that evaluates
//! nothing. A trace tells which task began in which iteration, and what `$steps` it saw.
//!
//! covers: T22

mod flow {
    mod claims;
    mod interpreter;
    mod sketch;
}
