//! The redb event log: group commit, sealed payloads, Merkle hashes, verify.
