//! Sealed credentials and keys.
