//! The tables of `vault.redb`, each with its layout drawn, and the row that says whose it is.
//!
//! A layout is a contract: a change is a new `FORMAT` and a migration, never an edit.

use crate::Error;
use crate::file::File;
use crate::kek::KekId;
use redb::{Database, ReadableDatabase as _, TableDefinition, WriteTransaction};
use ring::digest::{SHA256, digest};

/// The layout that this crate reads and writes.
const FORMAT: u16 = 1;

/// `(integration, credential version, field) → record`; see [`crate::record`].
pub(crate) const CREDENTIALS: TableDefinition<'_, CredentialKey<'_>, &[u8]> =
    TableDefinition::new("credentials");

/// `(integration, credential version) → (generation, record)`; see [`crate::grants`]. Made with its first
/// row: a vault of before there were grants has none.
pub(crate) const GRANTS: TableDefinition<'_, GrantKey<'_>, (u64, &[u8])> =
    TableDefinition::new("grants");

/// `(integration, credential version, field) → (end in ms, record)`; see [`crate::retired`]. Made with its
/// first row, as `grants` is.
pub(crate) const RETIRED: TableDefinition<'_, CredentialKey<'_>, (i64, &[u8])> =
    TableDefinition::new("retired");

/// Sorted by integration, then version.
pub(crate) type GrantKey<'a> = (&'a [u8; 16], u32);

/// Sorted by integration, then version, then field.
pub(crate) type CredentialKey<'a> = (&'a [u8; 16], u32, &'a str);

/// `"vault" → format u16 | kek id 8 | project (UTF-8, to the check) | check 8`, big-endian.
///
/// The check is the first 8 bytes of SHA-256 over what stands before it: redb does not verify its
/// pages on reads. It tells damage, not a forger; the records are what a forger cannot make.
/// A row beside it is there while a rotation is not on record: see [`crate::unrecorded`].
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const VAULT: &str = "vault";
const CHECK_LEN: usize = 8;

const READING: &str = "reading whose vault it is";
const WRITING: &str = "writing whose vault it is";

/// Whose vault it is.
#[derive(Debug)]
pub(crate) struct Meta {
    /// The KEK that seals new records.
    pub(crate) kek: KekId,
    pub(crate) project: String,
}

impl Meta {
    pub(crate) fn read(db: &Database, file: &File) -> Result<Self, Error> {
        let tx = db.begin_read().map_err(file.err(READING))?;
        let table = tx.open_table(META).map_err(file.err(READING))?;
        let row = table.get(VAULT).map_err(file.err(READING))?;
        let body = row.as_ref().and_then(|row| checked(row.value()));
        let damaged = || Error::Damaged { file: file.to_path() };
        let (format, body) = body.and_then(<[u8]>::split_first_chunk).ok_or_else(damaged)?;
        let found = u16::from_be_bytes(*format);
        if found != FORMAT {
            return Err(Error::Format { file: file.to_path(), found, known: FORMAT });
        }
        let (kek, project) = body.split_first_chunk().ok_or_else(damaged)?;
        let project = std::str::from_utf8(project).map_err(|_not_text| damaged())?.to_owned();
        Ok(Self { kek: KekId::from_bytes(*kek), project })
    }

    pub(crate) fn write(&self, tx: &WriteTransaction, file: &File) -> Result<(), Error> {
        let mut table = tx.open_table(META).map_err(file.err(WRITING))?;
        table.insert(VAULT, self.to_row().as_slice()).map_err(file.err(WRITING))?;
        Ok(())
    }

    fn to_row(&self) -> Vec<u8> {
        let mut row =
            [&FORMAT.to_be_bytes()[..], self.kek.as_bytes(), self.project.as_bytes()].concat();
        let check = check_of(&row);
        row.extend_from_slice(&check);
        row
    }
}

/// What stands before the check, if it fits.
pub(crate) fn checked(row: &[u8]) -> Option<&[u8]> {
    let (body, check) = row.split_last_chunk()?;
    (check_of(body) == *check).then_some(body)
}

pub(crate) fn check_of(body: &[u8]) -> [u8; CHECK_LEN] {
    let mut check = [0; CHECK_LEN];
    check.copy_from_slice(&digest(&SHA256, body).as_ref()[..CHECK_LEN]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kek::Kek;

    #[test]
    fn the_row_is_as_drawn() {
        let meta = Meta { kek: Kek::from_bytes([1; 32]).id(), project: "sales".to_owned() };
        let row = meta.to_row();
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        assert_eq!(
            hex, "0001215f4e6af7f3b0cb73616c65730f490a84efc19883",
            "stored vaults have these bytes"
        );
        for at in 0..row.len() {
            let mut flipped = row.clone();
            flipped[at] ^= 1;
            assert_eq!(checked(&flipped), None, "byte {at}");
        }
    }
}
