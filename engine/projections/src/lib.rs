//! Projections of the log: inbox, runs, timers, integrations; rebuild.
