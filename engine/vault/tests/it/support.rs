//! A vault in a directory of its own, with its key in another, and a door to its raw rows.

use placet_adapters::SecretText;
use placet_model::IntegrationId;
use placet_vault::{Error, KekSource, Vault, VaultOptions};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tempfile::TempDir;
use uuid::Uuid;

/// The layout of `credentials`, restated: what is on disk is a contract.
const CREDENTIALS: TableDefinition<'_, (&[u8; 16], u32, &str), &[u8]> =
    TableDefinition::new("credentials");

/// A row's key as it is stored.
type StoredKey = (&'static [u8; 16], u32, &'static str);

/// The layout of `retired`: until when, and the sealed record.
const RETIRED: TableDefinition<'_, StoredKey, (i64, &[u8])> = TableDefinition::new("retired");

/// Integration, version, field.
pub(crate) type RowKey = (IntegrationId, u32, &'static str);

pub(crate) struct Install {
    dir: TempDir,
}

impl Install {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn vault_file(&self) -> PathBuf {
        self.data_dir().join("vault.redb")
    }

    pub(crate) fn key_dir(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.key_dir().join("vault.key")
    }

    /// A copy of the vault's file under another name.
    pub(crate) fn dir_copy(&self, name: &str) -> PathBuf {
        let copy = self.dir.path().join(name);
        std::fs::copy(self.vault_file(), &copy).unwrap();
        copy
    }

    pub(crate) fn try_open_with(&self, key: KekSource) -> Result<Vault, Error> {
        Vault::open(VaultOptions { file: self.vault_file(), key, project: "sales".to_owned() })
    }

    pub(crate) fn try_open(&self) -> Result<Vault, Error> {
        self.try_open_with(KekSource::Directory(self.key_dir()))
    }

    pub(crate) fn open(&self) -> Vault {
        self.try_open().unwrap()
    }

    /// The stored bytes of a row; the vault must be closed.
    pub(crate) fn raw_row(&self, (integration, version, field): RowKey) -> Vec<u8> {
        let db = redb::Database::open(self.vault_file()).unwrap();
        let tx = db.begin_read().unwrap();
        let table = tx.open_table(CREDENTIALS).unwrap();
        table.get((&integration.to_bytes(), version, field)).unwrap().unwrap().value().to_vec()
    }

    /// Writes a row past the vault; it must be closed.
    pub(crate) fn put_raw_row(&self, (integration, version, field): RowKey, record: &[u8]) {
        let db = redb::Database::open(self.vault_file()).unwrap();
        let tx = db.begin_write().unwrap();
        let mut table = tx.open_table(CREDENTIALS).unwrap();
        table.insert((&integration.to_bytes(), version, field), record).unwrap();
        drop(table);
        tx.commit().unwrap();
    }
}

impl Install {
    /// Gives a retired secret another end, past the vault; it must be closed.
    pub(crate) fn prolong(&self, (integration, version, field): RowKey, until: i64) {
        let db = redb::Database::open(self.vault_file()).unwrap();
        let tx = db.begin_write().unwrap();
        {
            let mut table = tx.open_table(RETIRED).unwrap();
            let key = (&integration.to_bytes(), version, field);
            let record = table.get(key).unwrap().unwrap().value().1.to_vec();
            table.insert(key, (until, record.as_slice())).unwrap();
        }
        tx.commit().unwrap();
    }
}

pub(crate) fn integration(n: u128) -> IntegrationId {
    IntegrationId::new(Uuid::from_u128(n))
}

pub(crate) fn fields<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, SecretText> {
    fields.map(|(name, text)| (name.to_owned(), SecretText::new(text))).into()
}

pub(crate) fn read(vault: &Vault, (integration, version, field): RowKey) -> String {
    vault.secret(integration, version, field).unwrap().expose().to_owned()
}

/// An error and all that it rests on, as a person may come to see it.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause:?} {cause}");
        source = cause.source();
    }
    text
}
