//! The nouns of Placet: ids, events, plan, draft, decision, attempt, manifest types; no I/O, clock or randomness.
