//! The row that says what this log is: format, install id, project, key. Written once.

use crate::envelope::PROJECT_MAX;
use crate::head::Head;
use crate::storage::{Db, File};
use crate::tables::{
    EVENTS, FORMAT, FORMAT_OLDEST, META, PAYLOADS, STREAM_KEYS, STREAMS, UNPLACED,
};
use crate::{Error, check};
use redb::ReadableTable as _;

const ROW: &str = "log";
const DOING: &str = "reading what log this is";

/// What a log is, for life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) install_id: [u8; 16],
    pub(crate) key_fingerprint: [u8; 8],
    pub(crate) project: String,
}

/// An install id as text: the name of key files.
pub(crate) fn install_text(install_id: [u8; 16]) -> String {
    use std::fmt::Write as _;
    install_id.iter().fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Refuses a project name that cannot be an origin of a checkpoint.
pub(crate) fn check_project(name: &str) -> Result<(), Error> {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte);
    if name.is_empty() || name.len() > PROJECT_MAX || !name.bytes().all(good) {
        return Err(Error::ProjectName { name: name.to_owned() });
    }
    Ok(())
}

/// Says in a log of an older layout that it is of today's.
pub(crate) fn raise_format(
    meta: &mut redb::Table<'_, &'static str, &'static [u8]>,
    file: &File,
) -> Result<(), Error> {
    let row = meta.get(ROW).map_err(file.err(DOING))?.map(|row| row.value().to_vec());
    let damaged = || file.damaged("the row that says what log this is");
    let row = row.ok_or_else(damaged)?;
    let mut row = check::open(ROW.as_bytes(), &row).ok_or_else(damaged)?.to_vec();
    let format = FORMAT.to_be_bytes();
    if row.starts_with(&format) {
        return Ok(());
    }
    row.splice(..format.len(), format);
    check::seal(ROW.as_bytes(), &mut row);
    meta.insert(ROW, row.as_slice()).map(drop).map_err(file.err(DOING))
}

impl Meta {
    fn encode(&self) -> Vec<u8> {
        let mut row = FORMAT.to_be_bytes().to_vec();
        row.extend_from_slice(&self.install_id);
        row.extend_from_slice(&self.key_fingerprint);
        row.extend_from_slice(self.project.as_bytes());
        check::seal(ROW.as_bytes(), &mut row);
        row
    }

    fn decode(row: &[u8], file: &File) -> Result<Self, Error> {
        let damaged = || file.damaged("the row that says what log this is");
        let row = check::open(ROW.as_bytes(), row).ok_or_else(damaged)?;
        let (format, rest) = row.split_first_chunk().ok_or_else(damaged)?;
        let found = u16::from_be_bytes(*format);
        if !(FORMAT_OLDEST..=FORMAT).contains(&found) {
            return Err(Error::Format { file: file.to_path(), found, known: FORMAT });
        }
        let (install_id, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (key_fingerprint, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let project = std::str::from_utf8(rest).map_err(|_ignored| damaged())?;
        Ok(Self {
            install_id: *install_id,
            key_fingerprint: *key_fingerprint,
            project: project.to_owned(),
        })
    }

    /// What the file says of itself; `None` when nothing was ever written into it.
    pub(crate) fn read(db: &Db, file: &File) -> Result<Option<Self>, Error> {
        let tx = db.begin_read().map_err(file.err(DOING))?;
        let meta = match tx.open_table(META) {
            Ok(meta) => meta,
            Err(redb::TableError::TableDoesNotExist(_)) => {
                let others = tx.list_tables().map_err(file.err(DOING))?.count();
                return if others == 0 { Ok(None) } else { Err(file.damaged("its table meta")) };
            }
            Err(error) => return Err(file.err(DOING)(error)),
        };
        let row = meta.get(ROW).map_err(file.err(DOING))?;
        let row = row.ok_or_else(|| file.damaged("the row that says what log this is"))?;
        Self::decode(row.value(), file).map(Some)
    }

    /// Makes all tables of a new log and writes what it is, in one durable commit.
    pub(crate) fn create(&self, db: &Db, file: &File) -> Result<(), Error> {
        const DOING: &str = "creating the log";
        let mut tx = db.begin_write().map_err(file.err(DOING))?;
        tx.set_quick_repair(true);
        {
            let mut meta = tx.open_table(META).map_err(file.err(DOING))?;
            meta.insert(ROW, self.encode().as_slice()).map_err(file.err(DOING))?;
            Head::empty().write(&mut meta).map_err(file.err(DOING))?;
            tx.open_table(EVENTS).map_err(file.err(DOING))?;
            tx.open_table(STREAMS).map_err(file.err(DOING))?;
            tx.open_table(UNPLACED).map_err(file.err(DOING))?;
            tx.open_table(PAYLOADS).map_err(file.err(DOING))?;
            tx.open_table(STREAM_KEYS).map_err(file.err(DOING))?;
        }
        tx.commit().map_err(file.err(DOING))
    }
}
