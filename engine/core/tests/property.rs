//! Random acts of people, timers, providers, operators and crashes against one run: whatever they
//! do, the gate holds. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` widen the search.
//!
//! covers: S7, S9, S10, T11, T12, T13

mod property {
    mod acts;
    mod gate;
}
