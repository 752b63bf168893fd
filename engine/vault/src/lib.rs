//! Sealed credentials and keys.
//!
//! A [`Vault`] keeps the credentials of integrations in a redb file of its own, each field sealed
//! by itself; the key that seals lives in another directory ([`KekSource`]).
//!
//! Plaintext leaves this crate as `SecretText` and in no other form: not in an error, not in a
//! `Debug` text, not in a file. Nothing in here decides whether something may be sent.

mod error;
mod file;
mod kek;
mod kek_source;
mod key_file;
mod limits;
mod open;
mod record;
mod tables;
mod vault;

pub use error::Error;
pub use kek::{Kek, KekId};
pub use kek_source::{KEK_FILE, KekSource};
pub use limits::{FIELD_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELDS_MAX};
pub use open::VaultOptions;
pub use vault::Vault;
