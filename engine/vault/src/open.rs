//! Opening a vault: the key first, then the file that needs it.
//!
//! A vault that holds credentials opens only under the key that sealed them. An empty one takes
//! whatever key there is, so a crash between making the key and making the file leaves nothing to
//! repair.

use crate::Error;
use crate::file::{self, Db, File};
use crate::kek::{Kek, Keks};
use crate::kek_source::{Found, KekSource, KeyFile};
use crate::tables::{CREDENTIALS, Meta};
use redb::{ReadableDatabase as _, ReadableTableMetadata as _};
use ring::rand::SystemRandom;
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
}

pub(crate) fn open(options: VaultOptions, random: &SystemRandom) -> Result<Opened, Error> {
    let VaultOptions { file: path, key, project } = options;
    let data = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    file::create_private_dir(&data)?;
    let place = key.place();
    let found = key.find(&data)?;
    let file = File::new(&path);
    if !path.exists() {
        let kek = found.or_create(random)?;
        create(&file, &Meta { kek: kek.id(), project })?;
        return Ok(Opened { db: file.open()?, file, keks: Keks::new(kek) });
    }
    // everything that may be refused is looked at in a copy
    let rehearsed = file.rehearse()?;
    let (kek, renamed) = file.guarded(OPENING, || {
        let db = &rehearsed;
        let meta = Meta::read(db, &file)?;
        if meta.project != project {
            let found = meta.project;
            return Err(Error::OtherProject { file: path.clone(), expected: project, found });
        }
        if has_rows(db, &file)? {
            Ok((known_key(found, &meta, &path, place)?, None))
        } else {
            let kek = found.or_create(random)?;
            let meta = Meta { kek: kek.id(), ..meta };
            Ok((kek, Some(meta)))
        }
    })?;
    drop(rehearsed);
    let db = file.open()?;
    if let Some(meta) = renamed {
        file.guarded(OPENING, || adopt(&db, &file, &meta))?;
    }
    Ok(Opened { db, file, keks: Keks::new(kek) })
}

/// The key of a vault that holds credentials.
fn known_key(found: Found, meta: &Meta, vault: &Path, place: PathBuf) -> Result<Kek, Error> {
    let vault = vault.to_owned();
    match found {
        Found::Missing(KeyFile(path)) => Err(Error::KeyFileMissing { path, vault }),
        Found::Kek(kek) if kek.id() == meta.kek => Ok(kek),
        Found::Kek(kek) => {
            let (expected, found) = (meta.kek, kek.id());
            Err(Error::KeyFileWrong { path: place, vault, expected, found })
        }
    }
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
