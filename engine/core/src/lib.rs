//! The law of Placet: decide, evolve, react, replay and policy evaluation; pure, total, deterministic.
