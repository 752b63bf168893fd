//! Opening a vault: the key first, then the file that needs it.
//!
//! A vault that holds credentials opens only under the key that sealed them. An empty one takes
//! whatever key there is, so a crash between making the key and making the file leaves nothing to
//! repair.

use crate::Error;
use crate::file::{self, Db, File};
use crate::kek::{KekId, Keks};
use crate::kek_source::KekSource;
use crate::keyring::Keyring;
use crate::record;
use crate::tables::{CREDENTIALS, GRANTS, Meta, RETIRED};
use redb::{ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableError};
use ring::rand::SystemRandom;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const OPENING: &str = "opening the vault";

/// Which vault to open.
#[derive(Debug)]
pub struct VaultOptions {
    /// `DIR/.placet/vault.redb`; its directory is the data directory.
    pub file: PathBuf,
    /// Where its key comes from.
    pub key: KekSource,
    /// The project that it belongs to; part of what every record is sealed for.
    pub project: String,
}

/// The opened file and its keys.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) file: File,
    pub(crate) keks: Keks,
    pub(crate) keyring: Keyring,
}

pub(crate) fn open(options: VaultOptions, random: &SystemRandom) -> Result<Opened, Error> {
    let VaultOptions { file: path, key, project } = options;
    let data = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    file::create_private_dir(&data)?;
    let keyring = Keyring::new(key, &data)?;
    let file = File::new(&path);
    if !path.exists() {
        let kek = keyring.first(random)?;
        create(&file, &Meta { kek: kek.id(), project })?;
        return Ok(Opened { db: file.open()?, file, keks: Keks::new(kek), keyring });
    }
    // everything that may be refused is looked at in a copy
    let rehearsed = file.rehearse()?;
    let (keks, renamed) = file.guarded(OPENING, || {
        let db = &rehearsed;
        let meta = Meta::read(db, &file)?;
        if meta.project != project {
            let found = meta.project;
            return Err(Error::OtherProject { file: path.clone(), expected: project, found });
        }
        let sealed = sealed_by(db, &file)?;
        if sealed.is_empty() && !has_rows(db, &file)? {
            let kek = keyring.first(random)?;
            let meta = Meta { kek: kek.id(), ..meta };
            return Ok((Keks::new(kek), Some(meta)));
        }
        Ok((known_keys((&keyring, &path), meta.kek, &sealed)?, None))
    })?;
    drop(rehearsed);
    let db = file.open()?;
    if let Some(meta) = renamed {
        file.guarded(OPENING, || adopt(&db, &file, &meta))?;
    }
    Ok(Opened { db, file, keks, keyring })
}

/// The keys of a vault that holds credentials: the one that seals, and those of records that a rotation
/// has not come to. A record whose key is not within reach is told when it is wanted.
fn known_keys(
    (keyring, vault): (&Keyring, &Path),
    current: KekId,
    sealed: &BTreeMap<KekId, u64>,
) -> Result<Keks, Error> {
    let Some(kek) = keyring.find(current)? else { return Err(keyring.missing(current, vault)?) };
    let mut old = Vec::new();
    for (id, count) in sealed.iter().filter(|(id, _)| **id != current) {
        match keyring.find(*id)? {
            Some(kek) => old.push(kek),
            None => {
                tracing::warn!(key = %id, count, "records of the vault name a key that is not within reach");
            }
        }
    }
    Ok(Keks::new(kek).with_old(old))
}

/// How many records each key has sealed, by what they say themselves.
pub(crate) fn sealed_by(db: &Db, file: &File) -> Result<BTreeMap<KekId, u64>, Error> {
    let mut found = BTreeMap::new();
    let mut see = |record: &[u8]| {
        if let Some(id) = record::key_of(record) {
            *found.entry(id).or_default() += 1;
        }
    };
    let tx = db.begin_read().map_err(file.err(OPENING))?;
    let table = tx.open_table(CREDENTIALS).map_err(file.err(OPENING))?;
    for row in table.iter().map_err(file.err(OPENING))? {
        see(row.map_err(file.err(OPENING))?.1.value());
    }
    match tx.open_table(GRANTS) {
        Err(TableError::TableDoesNotExist(_)) => {}
        opened => {
            let table = opened.map_err(file.err(OPENING))?;
            for row in table.iter().map_err(file.err(OPENING))? {
                see(row.map_err(file.err(OPENING))?.1.value().1);
            }
        }
    }
    match tx.open_table(RETIRED) {
        Err(TableError::TableDoesNotExist(_)) => {}
        opened => {
            let table = opened.map_err(file.err(OPENING))?;
            for row in table.iter().map_err(file.err(OPENING))? {
                see(row.map_err(file.err(OPENING))?.1.value().1);
            }
        }
    }
    Ok(found)
}

fn has_rows(db: &Db, file: &File) -> Result<bool, Error> {
    let tx = db.begin_read().map_err(file.err(OPENING))?;
    let table = tx.open_table(CREDENTIALS).map_err(file.err(OPENING))?;
    Ok(!table.is_empty().map_err(file.err(OPENING))?)
}

fn create(file: &File, meta: &Meta) -> Result<(), Error> {
    file.create(|tx| {
        tx.open_table(CREDENTIALS).map_err(file.err("creating the vault"))?;
        meta.write(tx, file)
    })
}

/// Says in an empty vault which key seals from now on.
fn adopt(db: &Db, file: &File, meta: &Meta) -> Result<(), Error> {
    if Meta::read(db, file)?.kek == meta.kek {
        return Ok(());
    }
    let mut tx = db.begin_write().map_err(file.err(OPENING))?;
    tx.set_quick_repair(true);
    meta.write(&tx, file)?;
    tx.commit().map_err(file.err(OPENING))
}
