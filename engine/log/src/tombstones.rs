//! Tombstones: the numbers of data keys that were destroyed, beside the project key and outside
//! the data directory, so that restored data cannot bring a destroyed key back.
//!
//! A number is written here, durably, *before* its key is destroyed: whatever backup of `keys.redb`
//! comes back later, the keys to destroy again are known. The file is only ever appended to. It
//! holds numbers and checks, never a key and never content.
//!
//! ```text
//! <key directory>/<install id>.erased
//! header  "placet-erased-v1" | SHA-256("placet-erased-v1" | install id)[..16]       32 bytes
//! record  key number u64 | mark 8 = SHA-256("placet-erased-v1" | wrapped key)[..8]
//!         | check 8 = SHA-256("placet-erased-v1" | install id | place u64 | number | mark)[..8]
//!                                                                                   24 bytes each
//! ```
//!
//! The mark tells the key itself: a copy of the data goes on to give the same numbers to other keys,
//! and both may keep their keys in one directory.
//!
//! All numbers are big-endian, places count from 0. An addition is its records, synced, then a
//! record with the number 2^64-1 and an empty mark that closes it, synced. Records at the end that do not check, with
//! no good one after them, are an addition that was never acknowledged: the next one writes over
//! them. A bad record with a good one after it is damage, and an error.
//!
//! # Use, after a restore
//!
//! ```no_run
//! # fn main() -> Result<(), placet_log::Error> {
//! # let (dir, install_id) = (std::path::Path::new("keys"), "0123");
//! let tombstones = placet_log::Tombstones::open(dir, install_id)?;
//! println!("{} keys were destroyed since the backup or before it", tombstones.ids().len());
//! # Ok(()) }
//! ```
//!
//! A log whose files came back is opened as ever: [`crate::Log::open`] compares its keys with the
//! tombstones and destroys again what had been destroyed, before anything can be read.

use crate::Error;
use crate::check::sha256;
use crate::project_key::{create_private_dir, sync_dir};
use placet_model::DataKeyId;
use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const LABEL: &[u8; 16] = b"placet-erased-v1";
const HEADER_LEN: usize = 32;
const RECORD_LEN: usize = 24;
/// Closes an addition; no key ever gets this number.
const CLOSING: (DataKeyId, KeyMark) = (DataKeyId(u64::MAX), KeyMark::NONE);

/// Tells one wrapped key from every other; says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyMark([u8; 8]);

impl KeyMark {
    const NONE: Self = Self([0; 8]);

    /// The mark of a key as it stands in the key file.
    pub(crate) fn of(wrapped: &[u8]) -> Self {
        let mut mark = [0; 8];
        mark.copy_from_slice(&sha256(&[LABEL, wrapped])[..8]);
        Self(mark)
    }
}

/// The destroyed keys of one log.
#[derive(Debug)]
pub struct Tombstones {
    path: PathBuf,
    install_id: String,
    keys: BTreeSet<(DataKeyId, KeyMark)>,
    /// Good records in the file.
    records: u64,
    /// Whether the last of them closes an addition.
    closed: bool,
}

impl Tombstones {
    /// Reads the tombstones of the log with this install id; none when there is no file yet.
    ///
    /// # Errors
    /// When the file cannot be read, or a record in it is damaged.
    pub fn open(dir: &Path, install_id: &str) -> Result<Self, Error> {
        let path = dir.join(format!("{install_id}.erased"));
        let (install_id, keys) = (install_id.to_owned(), BTreeSet::new());
        let mut tombstones = Self { path, install_id, keys, records: 0, closed: true };
        match std::fs::read(&tombstones.path) {
            Ok(bytes) => tombstones.read(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(tombstones.io("reading the tombstones", source)),
        }
        Ok(tombstones)
    }

    /// The keys that were destroyed, or are about to be.
    pub fn ids(&self) -> BTreeSet<DataKeyId> {
        self.keys.iter().map(|(id, _)| *id).collect()
    }

    pub(crate) const fn keys(&self) -> &BTreeSet<(DataKeyId, KeyMark)> {
        &self.keys
    }

    pub(crate) fn has(&self, id: DataKeyId) -> bool {
        self.keys.range((id, KeyMark::NONE)..).next().is_some_and(|(next, _)| *next == id)
    }

    /// Adds keys that are about to be destroyed; durable before this returns. Known ones are not
    /// written again. Another engine, on a copy of the data, may add to the same file.
    ///
    /// # Errors
    /// When the file cannot be written: destroy nothing then.
    pub fn add(&mut self, keys: &[(DataKeyId, KeyMark)]) -> Result<(), Error> {
        let path = self.path.clone();
        let doing = "writing the tombstones";
        let io = |source| Error::Io { doing, path: path.clone(), source };
        if let Some(dir) = self.path.parent() {
            create_private_dir(dir)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path).map_err(io)?;
        file.lock().map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        self.read(&bytes)?;
        let is_new = |key: &&(DataKeyId, KeyMark)| !self.keys.contains(key);
        let new: BTreeSet<(DataKeyId, KeyMark)> = keys.iter().filter(is_new).copied().collect();
        if new.is_empty() && self.closed {
            return Ok(());
        }
        self.write(&mut file, &new).map_err(io)?;
        sync_dir(self.path.parent())?;
        (self.records, self.closed) = (self.records + new.len() as u64 + 1, true);
        self.keys.extend(new);
        Ok(())
    }

    fn write(
        &self,
        file: &mut std::fs::File,
        new: &BTreeSet<(DataKeyId, KeyMark)>,
    ) -> Result<(), std::io::Error> {
        if self.records == 0 {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&self.header())?;
        }
        // what stands behind the last good record was never acknowledged
        let end = HEADER_LEN as u64 + self.records * RECORD_LEN as u64;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        let mut place = self.records;
        for key in new {
            file.write_all(&self.record(place, *key))?;
            place += 1;
        }
        file.sync_all()?;
        file.write_all(&self.record(place, CLOSING))?;
        file.sync_all()
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let header = self.header();
        let Some(records) = bytes.strip_prefix(&header) else {
            // a first addition that was cut short left a part of the header, or nothing but zeros
            let never_written = header.starts_with(bytes) || bytes.iter().all(|byte| *byte == 0);
            return if never_written { Ok(()) } else { Err(self.damaged("header")) };
        };
        let checked: Vec<Option<(DataKeyId, KeyMark)>> = (0..)
            .zip(records.chunks_exact(RECORD_LEN))
            .map(|(place, record)| self.checked(place, record))
            .collect();
        let good = checked.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        for (place, id) in checked[..good].iter().enumerate() {
            let (id, mark) = id.ok_or_else(|| self.damaged(&format!("record {place}")))?;
            if (id, mark) != CLOSING {
                self.keys.insert((id, mark));
            }
        }
        self.records = good as u64;
        self.closed = checked[..good].last().is_none_or(|last| *last == Some(CLOSING));
        Ok(())
    }

    fn header(&self) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[..16].copy_from_slice(LABEL);
        header[16..].copy_from_slice(&sha256(&[LABEL, self.install_id.as_bytes()])[..16]);
        header
    }

    fn checked(&self, place: u64, record: &[u8]) -> Option<(DataKeyId, KeyMark)> {
        let (id, rest) = record.split_first_chunk()?;
        let key = (DataKeyId(u64::from_be_bytes(*id)), KeyMark(*rest.first_chunk()?));
        (self.record(place, key) == record).then_some(key)
    }

    fn record(&self, place: u64, (id, mark): (DataKeyId, KeyMark)) -> [u8; RECORD_LEN] {
        let number = id.0.to_be_bytes();
        let parts: [&[u8]; 5] =
            [LABEL, self.install_id.as_bytes(), &place.to_be_bytes(), &number, &mark.0];
        let mut record = [0; RECORD_LEN];
        record[..8].copy_from_slice(&number);
        record[8..16].copy_from_slice(&mark.0);
        record[16..].copy_from_slice(&sha256(&parts)[..8]);
        record
    }

    fn damaged(&self, what: &str) -> Error {
        let path = self.path.display();
        Error::DamagedIndex { what: format!("list of destroyed keys {path} ({what})") }
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Io { doing, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTALL: &str = "00112233445566778899aabbccddeeff";

    fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<(DataKeyId, KeyMark)> {
        let key = |number: u64| (DataKeyId(number), KeyMark::of(&number.to_be_bytes()));
        numbers.into_iter().map(key).collect()
    }

    fn open(dir: &Path) -> Tombstones {
        Tombstones::open(dir, INSTALL).unwrap()
    }

    fn numbers(dir: &Path) -> Vec<u64> {
        open(dir).ids().iter().map(|id| id.0).collect()
    }

    #[test]
    fn what_was_added_is_there_after_a_restart_and_stands_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).ids().is_empty());
        let mut tombstones = open(dir.path());
        tombstones.add(&ids([7, 3, 7])).unwrap();
        tombstones.add(&ids([3, 9])).unwrap();
        open(dir.path()).add(&ids([1, 9])).unwrap();
        assert_eq!(numbers(dir.path()), [1, 3, 7, 9]);
        let length = std::fs::metadata(&tombstones.path).unwrap().len();
        assert_eq!(length, 32 + 4 * 24 + 3 * 24, "four keys in three additions");
    }

    #[test]
    fn two_that_add_to_one_file_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let (mut first, mut second) = (open(dir.path()), open(dir.path()));
        for number in 0..20 {
            first.add(&ids([number])).unwrap();
            second.add(&ids([100 + number])).unwrap();
        }
        assert_eq!(numbers(dir.path()).len(), 40);
    }

    #[test]
    fn an_addition_cut_short_anywhere_loses_nothing_that_was_acknowledged() {
        let dir = tempfile::tempdir().unwrap();
        let mut tombstones = open(dir.path());
        tombstones.add(&ids([1, 2])).unwrap();
        let acknowledged = std::fs::read(&tombstones.path).unwrap();
        tombstones.add(&ids([3, 4])).unwrap();
        let whole = std::fs::read(&tombstones.path).unwrap();
        for cut in acknowledged.len()..whole.len() {
            for torn in
                [whole[..cut].to_vec(), [&whole[..cut], &vec![0; whole.len() - cut]].concat()]
            {
                std::fs::write(&tombstones.path, torn).unwrap();
                let known = numbers(dir.path());
                assert!([1, 2].iter().all(|id| known.contains(id)), "{known:?} at {cut}");
                open(dir.path()).add(&ids([5])).unwrap();
                let known = numbers(dir.path());
                assert!([1, 2, 5].iter().all(|id| known.contains(id)), "{known:?} at {cut}");
            }
        }
    }

    #[test]
    fn a_first_addition_cut_short_anywhere_can_be_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut tombstones = open(dir.path());
        tombstones.add(&ids([8])).unwrap();
        let whole = std::fs::read(&tombstones.path).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&tombstones.path, &whole[..cut]).unwrap();
            open(dir.path()).add(&ids([8])).unwrap();
            assert_eq!(std::fs::read(&tombstones.path).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_changed_record_is_an_error_and_never_a_forgotten_key() {
        let dir = tempfile::tempdir().unwrap();
        let mut tombstones = open(dir.path());
        tombstones.add(&ids([1, 2, 3])).unwrap();
        let whole = std::fs::read(&tombstones.path).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&tombstones.path, &flipped).unwrap();
            match Tombstones::open(dir.path(), INSTALL) {
                // a damaged close says nothing: what it closes is there
                Ok(read) => assert_eq!(read.ids().len(), 3, "byte {at}"),
                Err(error) => {
                    assert!(matches!(error, Error::DamagedIndex { .. }), "byte {at}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_tombstones_of_another_log_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut tombstones = open(dir.path());
        tombstones.add(&ids([1, 2])).unwrap();
        let other = "ff112233445566778899aabbccddeeff";
        std::fs::copy(&tombstones.path, dir.path().join(format!("{other}.erased"))).unwrap();
        assert!(Tombstones::open(dir.path(), other).is_err());
    }
}
