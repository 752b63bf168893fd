//! A copy of the vault for a backup: its rows as they are, sealed as they are. No key is needed, and
//! none goes along.

use crate::Error;
use crate::file::{Db, File};
use crate::tables::{CREDENTIALS, GRANTS, META, RETIRED};
use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableError,
    WriteTransaction,
};
use std::path::Path;

const COPYING: &str = "copying the vault";

/// Copies a vault that nobody has open into a new file.
///
/// # Errors
/// [`Error::InUse`], and what redb says.
pub fn copy(vault: &Path, to: &Path) -> Result<(), Error> {
    let file = File::new(vault);
    copy_rows(&file.rehearse()?, &file, to)
}

pub(crate) fn copy_rows(db: &Db, file: &File, to: &Path) -> Result<(), Error> {
    let target = File::new(to);
    file.guarded(COPYING, || {
        let from = db.begin_read().map_err(file.err(COPYING))?;
        let copied = Database::create(to).map_err(target.err(COPYING))?;
        let mut tx = copied.begin_write().map_err(target.err(COPYING))?;
        tx.set_quick_repair(true);
        {
            let (rows, mut into) = (
                from.open_table(CREDENTIALS).map_err(file.err(COPYING))?,
                tx.open_table(CREDENTIALS).map_err(target.err(COPYING))?,
            );
            for row in rows.iter().map_err(file.err(COPYING))? {
                let (key, value) = row.map_err(file.err(COPYING))?;
                into.insert(key.value(), value.value()).map_err(target.err(COPYING))?;
            }
            copy_grants(&from, &tx, (file, &target))?;
            copy_retired(&from, &tx, (file, &target))?;
            let (rows, mut into) = (
                from.open_table(META).map_err(file.err(COPYING))?,
                tx.open_table(META).map_err(target.err(COPYING))?,
            );
            for row in rows.iter().map_err(file.err(COPYING))? {
                let (key, value) = row.map_err(file.err(COPYING))?;
                into.insert(key.value(), value.value()).map_err(target.err(COPYING))?;
            }
        }
        tx.commit().map_err(target.err(COPYING))
    })
}

fn copy_grants(
    from: &ReadTransaction,
    tx: &WriteTransaction,
    (file, target): (&File, &File),
) -> Result<(), Error> {
    let rows = match from.open_table(GRANTS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        opened => opened.map_err(file.err(COPYING))?,
    };
    let mut into = tx.open_table(GRANTS).map_err(target.err(COPYING))?;
    for row in rows.iter().map_err(file.err(COPYING))? {
        let (key, value) = row.map_err(file.err(COPYING))?;
        into.insert(key.value(), value.value()).map_err(target.err(COPYING))?;
    }
    Ok(())
}

fn copy_retired(
    from: &ReadTransaction,
    tx: &WriteTransaction,
    (file, target): (&File, &File),
) -> Result<(), Error> {
    let rows = match from.open_table(RETIRED) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        opened => opened.map_err(file.err(COPYING))?,
    };
    let mut into = tx.open_table(RETIRED).map_err(target.err(COPYING))?;
    for row in rows.iter().map_err(file.err(COPYING))? {
        let (key, value) = row.map_err(file.err(COPYING))?;
        into.insert(key.value(), value.value()).map_err(target.err(COPYING))?;
    }
    Ok(())
}
