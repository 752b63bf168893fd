//! The shell around the core: one writer loop, effects, timers, recovery.
