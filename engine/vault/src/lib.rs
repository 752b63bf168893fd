//! Sealed credentials and keys.
//!
//! A [`Vault`] keeps the credentials of integrations in a redb file of its own, each field sealed
//! by itself; the key that seals lives in another directory ([`KekSource`]). A [`HoleFiller`] puts
//! them, and the operator's secrets, into the holes of a request whose bytes are about to leave.
//!
//! Plaintext leaves this crate as `SecretText` and in no other form: not in an error, not in a
//! `Debug` text, not in a file. Nothing in here decides whether something may be sent.

mod copy;
mod environment;
mod error;
mod file;
mod grants;
mod hole_filler;
mod kek;
mod kek_source;
mod key_command;
mod key_file;
mod keyring;
mod limits;
mod open;
mod record;
mod retired;
mod rotate;
mod tables;
mod unrecorded;
mod vault;

pub use copy::copy;
pub use environment::Environment;
pub use error::Error;
pub use file::compact;
pub use hole_filler::HoleFiller;
pub use kek::{Kek, KekId};
pub use kek_source::{KEK_FILE, KekSource, KeySupply};
pub use key_command::KeyCommand;
pub use limits::{FIELD_BYTES_MAX, FIELD_NAME_BYTES_MAX, FIELDS_MAX};
pub use open::VaultOptions;
pub use rotate::{Rotated, Sealing, Step};
pub use vault::Vault;
