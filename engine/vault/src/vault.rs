//! The credentials of integrations, by version.
//!
//! A stored version never changes: attempts name it, so a rotation stores the next one beside it
//! and forgets the old one when nothing uses it any more. What is forgotten is gone from the
//! tables at once; its sealed bytes may stay in a free page until redb uses that page again, or
//! [`Vault::compact`] packs the file.

use crate::file::{Db, File};
use crate::grants;
use crate::kek::Keks;
use crate::keyring::Keyring;
use crate::open::{self, VaultOptions};
use crate::record::{self, Place};
use crate::tables::{CREDENTIALS, CredentialKey};
use crate::{Error, limits};
use placet_adapters::SecretText;
use placet_adapters::oauth::KeptGrant;
use placet_model::IntegrationId;
use redb::{ReadableDatabase as _, ReadableTable};
use ring::rand::SystemRandom;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

const STORING: &str = "storing a credential";
const READING: &str = "reading a credential";
const FORGETTING: &str = "forgetting a credential";

/// An open vault. It may be shared between threads.
pub struct Vault {
    /// Held for writing only while the file is packed, which redb does for whoever has it alone.
    db: RwLock<Db>,
    file: File,
    /// Held for reading by whoever seals or opens, from before they look at the file until they are
    /// through with it; always taken before `db`.
    pub(crate) keks: RwLock<Keks>,
    pub(crate) keyring: Keyring,
    /// Rotations of the master key go one at a time.
    pub(crate) rotation: Mutex<()>,
    project: String,
    random: SystemRandom,
}

impl fmt::Debug for Vault {
    /// The project and the file only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({:?}, {})", self.project, self.file.to_path().display())
    }
}

impl Vault {
    /// Opens the vault, or makes it with its key on first use. The caller holds the lock of the
    /// data directory.
    ///
    /// # Errors
    /// A key file that is missing while there are credentials, is the wrong one, or can be read by
    /// others; a vault of another project, in use, or damaged.
    pub fn open(options: VaultOptions) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let project = options.project.clone();
        let open::Opened { db, file, keks, keyring } = open::open(options, &random)?;
        Ok(Self {
            db: RwLock::new(db),
            file,
            keks: RwLock::new(keks),
            keyring,
            rotation: Mutex::new(()),
            project,
            random,
        })
    }

    /// Seals a new version of a credential; durable before this returns, all fields or none.
    ///
    /// # Errors
    /// [`Error::VersionExists`], also where a crash came between storing and recording it: take
    /// the version after [`Self::latest_version`]. Names, counts and sizes out of bounds. After
    /// [`Error::Storage`] it is unknown whether it was stored.
    pub fn store(
        &self,
        integration: IntegrationId,
        version: u32,
        fields: &BTreeMap<String, SecretText>,
    ) -> Result<(), Error> {
        self.store_with((integration, version), fields, None)
    }

    /// The same, with the first tokens of its grant.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn store_granted(
        &self,
        integration: IntegrationId,
        version: u32,
        (fields, grant): (&BTreeMap<String, SecretText>, &KeptGrant),
    ) -> Result<(), Error> {
        self.store_with((integration, version), fields, Some(grant))
    }

    fn store_with(
        &self,
        (integration, version): (IntegrationId, u32),
        fields: &BTreeMap<String, SecretText>,
        grant: Option<&KeptGrant>,
    ) -> Result<(), Error> {
        limits::check(version, fields)?;
        let keks = self.keks();
        let granted =
            grant.map(|grant| self.seal_grant(&keks, (integration, version), grant)).transpose()?;
        let mut rows = Vec::with_capacity(fields.len());
        for (field, text) in fields {
            let place = self.place(integration, version, field);
            rows.push((field, record::seal(keks.current(), &place, text, &self.random)?));
        }
        self.file.guarded(STORING, || {
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file.err(STORING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(CREDENTIALS).map_err(self.file.err(STORING))?;
                if self.names(&table, integration)?.iter().any(|name| name.version == version) {
                    return Err(Error::VersionExists { integration, version });
                }
                for (field, record) in &rows {
                    table
                        .insert((&integration.to_bytes(), version, field.as_str()), &**record)
                        .map_err(self.file.err(STORING))?;
                }
            }
            if let (Some(grant), Some(row)) = (grant, &granted) {
                let row = ((integration, version), grant.generation, row.as_slice());
                grants::insert(&tx, &self.file, row)?;
            }
            tx.commit().map_err(self.file.err(STORING))
        })
    }

    /// Copies every row, sealed as it is, into a new file: for a backup.
    ///
    /// # Errors
    /// What redb says.
    pub fn copy_to(&self, to: &std::path::Path) -> Result<(), Error> {
        crate::copy::copy_rows(&self.db(), &self.file, to)
    }

    /// Packs the file while the vault is in use, so that credentials that were deleted or replaced
    /// leave its pages; whoever reads or stores meanwhile waits. What is left of them is sealed.
    ///
    /// # Errors
    /// What redb says.
    pub fn compact(&self) -> Result<(), Error> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        db.pack(&self.file)
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    pub(crate) const fn random(&self) -> &SystemRandom {
        &self.random
    }

    /// The keys; they do not change until this is dropped. Never taken twice by one thread.
    pub(crate) fn keks(&self) -> RwLockReadGuard<'_, Keks> {
        self.keks.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn db(&self) -> RwLockReadGuard<'_, Db> {
        // a panic of redb is caught before it gets here, and leaves its file as it was
        self.db.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// One field of one version.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`], [`Error::NoSuchField`]; a row that does not open.
    pub fn secret(
        &self,
        integration: IntegrationId,
        version: u32,
        field: &str,
    ) -> Result<SecretText, Error> {
        let keks = self.keks();
        self.file.guarded(READING, || {
            let db = self.db();
            let tx = db.begin_read().map_err(self.file.err(READING))?;
            let table = tx.open_table(CREDENTIALS).map_err(self.file.err(READING))?;
            let key = (&integration.to_bytes(), version, field);
            if let Some(row) = table.get(key).map_err(self.file.err(READING))? {
                let place = self.place(integration, version, field);
                return record::open(&keks, &place, row.value());
            }
            let names = self.names(&table, integration)?;
            Err(if names.iter().any(|name| name.version == version) {
                Error::NoSuchField { integration, version, field: field.to_owned() }
            } else {
                Error::NoSuchVersion { integration, version }
            })
        })
    }

    /// Every field of a version; nothing where there is no such version.
    ///
    /// # Errors
    /// A row that does not open.
    pub fn credential(
        &self,
        integration: IntegrationId,
        version: u32,
    ) -> Result<BTreeMap<String, SecretText>, Error> {
        let read = |name: String| {
            let secret = self.secret(integration, version, &name)?;
            Ok((name, secret))
        };
        self.fields(integration, version)?.into_iter().map(read).collect()
    }

    /// The names of a version's fields, sorted; none where there is no such version. Opens no row.
    ///
    /// # Errors
    /// What redb says.
    pub fn fields(&self, integration: IntegrationId, version: u32) -> Result<Vec<String>, Error> {
        let names = self.read_names(integration)?.into_iter();
        Ok(names.filter(|name| name.version == version).map(|name| name.field).collect())
    }

    /// The highest version that is stored; `None` where there is no credential.
    ///
    /// # Errors
    /// What redb says.
    pub fn latest_version(&self, integration: IntegrationId) -> Result<Option<u32>, Error> {
        Ok(self.read_names(integration)?.last().map(|name| name.version))
    }

    /// Forgets every version of an integration's credential; durable before this returns. Nothing
    /// to forget is no error.
    ///
    /// # Errors
    /// What redb says; after [`Error::Storage`] it is unknown whether it is forgotten.
    pub fn forget(&self, integration: IntegrationId) -> Result<(), Error> {
        self.remove(integration, |_any| true)?;
        self.forget_retired_of(integration)
    }

    /// Forgets one version, which has never come into force.
    ///
    /// # Errors
    /// As [`Self::forget`].
    pub fn forget_version(&self, integration: IntegrationId, version: u32) -> Result<(), Error> {
        self.remove(integration, |stored| stored == version)
    }

    /// Forgets the versions before `version`, once a rotation is through.
    ///
    /// # Errors
    /// As [`Self::forget`].
    pub fn forget_before(&self, integration: IntegrationId, version: u32) -> Result<(), Error> {
        self.remove(integration, |stored| stored < version)
    }

    fn remove(
        &self,
        integration: IntegrationId,
        is_gone: impl Fn(u32) -> bool,
    ) -> Result<(), Error> {
        if !self.read_names(integration)?.iter().any(|name| is_gone(name.version)) {
            return Ok(());
        }
        self.file.guarded(FORGETTING, || {
            let db = self.db();
            let mut tx = db.begin_write().map_err(self.file.err(FORGETTING))?;
            tx.set_quick_repair(true);
            {
                let mut table = tx.open_table(CREDENTIALS).map_err(self.file.err(FORGETTING))?;
                let names = self.names(&table, integration)?;
                for name in names.iter().filter(|name| is_gone(name.version)) {
                    let key = (&integration.to_bytes(), name.version, name.field.as_str());
                    table.remove(key).map_err(self.file.err(FORGETTING))?;
                }
            }
            grants::remove(&tx, &self.file, (integration, &is_gone))?;
            tx.commit().map_err(self.file.err(FORGETTING))
        })
    }

    fn read_names(&self, integration: IntegrationId) -> Result<Vec<Name>, Error> {
        self.file.guarded(READING, || {
            let db = self.db();
            let tx = db.begin_read().map_err(self.file.err(READING))?;
            let table = tx.open_table(CREDENTIALS).map_err(self.file.err(READING))?;
            self.names(&table, integration)
        })
    }

    /// What is stored for an integration, by version and field.
    fn names(
        &self,
        table: &impl ReadableTable<CredentialKey<'static>, &'static [u8]>,
        integration: IntegrationId,
    ) -> Result<Vec<Name>, Error> {
        let id = integration.to_bytes();
        let mut names = Vec::new();
        for row in table.range((&id, 0, "")..).map_err(self.file.err(READING))? {
            let (key, _record) = row.map_err(self.file.err(READING))?;
            let (stored, version, field) = key.value();
            if *stored != id {
                break;
            }
            names.push(Name { version, field: field.to_owned() });
        }
        Ok(names)
    }

    pub(crate) fn place<'a>(
        &'a self,
        integration: IntegrationId,
        version: u32,
        field: &'a str,
    ) -> Place<'a> {
        Place { project: &self.project, integration, version, field }
    }
}

/// What a row is called within its integration.
struct Name {
    version: u32,
    field: String,
}
