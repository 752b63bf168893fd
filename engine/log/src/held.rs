//! A file that is not written before somebody has looked at it.
//!
//! Opening a database writes: a repair after a crash, a mark that the file is open. Where the file
//! then turns out to be damaged, of another project, or a copy, nothing of that may have reached it.
//! So everything that is written while a log opens is kept in memory, in order; once the log has been
//! accepted the same operations go to the file, syncs included, and from then on it is written
//! directly. A power cut meanwhile finds the file as it finds it in a plain opening.

use crate::early::{Early, Synced};
use crate::pages::Pages;
use placet_model::measure::Counter;
use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::io::Error;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

const BLOCK: u64 = 4096;

/// The file, and what is held back from it.
#[derive(Debug)]
pub(crate) struct Held {
    synced: Arc<Synced>,
    pages: Pages,
    access: Access,
    early: bool,
    /// Once it is released: what syncs it early, where anything does.
    released: OnceLock<Option<Early>>,
    state: Mutex<State>,
}

/// What is kept in memory of a file, and whether it is synced before anybody waits for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) page_bytes: usize,
    pub(crate) early: bool,
}

/// Whether the file may ever be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Once it is released.
    Owned,
    /// Never: it is only looked at, and not even locked.
    Frozen,
}

#[derive(Debug, Default)]
struct State {
    /// In the order in which they were asked for; of equal writes between two syncs the last.
    operations: BTreeMap<u64, Operation>,
    /// The writes since the last sync, by what they cover.
    unsynced: BTreeMap<(u64, usize), u64>,
    next: u64,
    /// What the file would hold by now, where that differs.
    blocks: BTreeMap<u64, Box<[u8]>>,
    /// How long it would be; none while nothing has changed that.
    len: Option<u64>,
    /// The file's own bytes end here: what was cut off is zero when it grows again.
    own: u64,
}

#[derive(Debug)]
enum Operation {
    SetLen(u64),
    Write(u64, Vec<u8>),
    Sync,
}

impl State {
    /// Notes an operation. A page that is written again before the next sync need not be kept twice: a
    /// crash may lose either.
    fn note(&mut self, operation: Operation) {
        let place = self.next;
        self.next += 1;
        match &operation {
            Operation::Write(offset, data) => {
                if let Some(earlier) = self.unsynced.insert((*offset, data.len()), place) {
                    self.operations.remove(&earlier);
                }
            }
            Operation::SetLen(_) | Operation::Sync => self.unsynced.clear(),
        }
        self.operations.insert(place, operation);
    }
}

impl Held {
    pub(crate) fn new(
        file: FileBackend,
        access: Access,
        (pace, syncs): (Pace, Arc<Counter>),
    ) -> Result<Arc<Self>, Error> {
        let state = Mutex::new(State { own: file.len()?, ..State::default() });
        let released = OnceLock::new();
        let (synced, pages) = (Synced::new(file, syncs), Pages::new(pace.page_bytes));
        Ok(Arc::new(Self { synced, pages, access, early: pace.early, released, state }))
    }

    fn file(&self) -> &FileBackend {
        &self.synced.file
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let file = self.synced.sound()?;
        self.pages.read((offset, out), |out| file.read(offset, out))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let file = self.synced.sound()?;
        self.pages.write((offset, data), || file.write(offset, data))
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.synced.sound()?.set_len(len)?;
        self.pages.clear();
        Ok(())
    }

    /// What redb takes by value.
    pub(crate) fn backend(self: &Arc<Self>) -> impl StorageBackend + use<> {
        Handed(Arc::clone(self))
    }

    /// Lets everything through, from now on and what was held back so far.
    ///
    /// # Errors
    /// What the file says; the database must not be used any more then.
    pub(crate) fn release(&self) -> Result<(), Error> {
        if self.access == Access::Frozen {
            return Ok(());
        }
        let mut state = self.lock();
        for operation in std::mem::take(&mut state.operations).into_values() {
            match operation {
                Operation::SetLen(len) => self.set_len(len)?,
                Operation::Write(offset, data) => self.write(offset, &data)?,
                Operation::Sync => self.synced.sync()?,
            }
        }
        state.blocks.clear();
        let early = if self.early { Some(Early::start(&self.synced)?) } else { None };
        drop(self.released.set(early));
        Ok(())
    }

    /// Whether the file is ours to write.
    pub(crate) fn is_owned(&self) -> bool {
        self.access == Access::Owned
    }

    fn is_released(&self) -> bool {
        self.released.get().is_some()
    }

    /// The file, where it can be locked.
    fn lockable(&self) -> Result<&FileBackend, BackendError> {
        match self.access {
            Access::Owned => Ok(self.file()),
            Access::Frozen => Err(BackendError::Unsupported),
        }
    }

    /// Keeps an operation for the release, where there may be one.
    fn note(&self, state: &mut State, operation: Operation) {
        if self.access == Access::Owned {
            state.note(operation);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block as it would be, from the file where nothing of it is held.
    fn block(&self, state: &State, number: u64) -> Result<Box<[u8]>, Error> {
        if let Some(block) = state.blocks.get(&number) {
            return Ok(block.clone());
        }
        let mut block = vec![0; index(BLOCK)];
        let start = number * BLOCK;
        let own = state.own.saturating_sub(start).min(BLOCK);
        self.file().read(start, &mut block[..index(own)])?;
        Ok(block.into_boxed_slice())
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The pieces of a range, block by block: number, place in the block, place in the range.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset + done as u64;
        let within = index(at % BLOCK);
        let count = (index(BLOCK) - within).min(len - done);
        let range = done..done + count;
        done += count;
        Some((at / BLOCK, within, range))
    })
}

#[derive(Debug)]
struct Handed(Arc<Held>);

impl StorageBackend for Handed {
    fn len(&self) -> Result<u64, Error> {
        if !self.0.is_released()
            && let Some(len) = self.0.lock().len
        {
            return Ok(len);
        }
        self.0.file().len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let held = &self.0;
        if held.is_released() {
            return held.read(offset, out);
        }
        let state = held.lock();
        let len = state.len.map_or_else(|| held.file().len(), Ok)?;
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > len) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        for (number, within, range) in pieces(offset, out.len()) {
            let count = range.len();
            let block = held.block(&state, number)?;
            out[range].copy_from_slice(&block[within..within + count]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        let held = &self.0;
        if held.is_released() {
            return held.set_len(len);
        }
        let mut state = held.lock();
        if len < state.own {
            state.own = len;
        }
        let first_gone = len.div_ceil(BLOCK);
        state.blocks.retain(|number, _| *number < first_gone);
        if let Some(block) = state.blocks.get_mut(&(len / BLOCK)) {
            block[index(len % BLOCK)..].fill(0);
        }
        state.len = Some(len);
        held.note(&mut state, Operation::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        let held = &self.0;
        if held.is_released() {
            return held.synced.sync();
        }
        held.note(&mut held.lock(), Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let held = &self.0;
        if let Some(early) = held.released.get() {
            held.write(offset, data)?;
            if let Some(early) = early {
                early.wrote(data.len());
            }
            return Ok(());
        }
        let mut state = held.lock();
        for (number, within, range) in pieces(offset, data.len()) {
            let mut block = held.block(&state, number)?;
            block[within..within + range.len()].copy_from_slice(&data[range]);
            state.blocks.insert(number, block);
        }
        held.note(&mut state, Operation::Write(offset, data.to_vec()));
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        if let Some(Some(early)) = self.0.released.get() {
            early.end();
        }
        self.0.file().close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.lockable()?.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.0.lockable()?.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lockable()?.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lockable()?.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lockable()?.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.lockable()?.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use placet_test_support::random::Random;
    use std::fs::File;

    fn file(content: &[u8]) -> (tempfile::TempDir, Arc<Held>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), content).unwrap();
        let opened = File::options().read(true).write(true).open(dir.path().join("f")).unwrap();
        let pace = Pace { page_bytes: 1 << 20, early: false };
        let file = FileBackend::new(opened).unwrap();
        (dir, Held::new(file, Access::Owned, (pace, Arc::default())).unwrap())
    }

    #[test]
    fn what_is_read_is_what_was_written_last_wherever_it_is_kept() {
        for seed in 0..50 {
            let mut random = Random::new(seed);
            let mut plain = vec![3; 64 << 10];
            let (_dir, held) = file(&plain);
            let backend = held.backend();
            held.release().unwrap();
            for _ in 0..400 {
                let length = *random.pick(&[1, 320, 4096, 4096, 4096, 8192]);
                let at = random.index(plain.len() - length);
                let at = if length >= 4096 { at - at % 4096 } else { at };
                match random.below(8) {
                    0 => {
                        plain.resize(*random.pick(&[32 << 10, 64 << 10, 96 << 10]), 0);
                        backend.set_len(plain.len() as u64).unwrap();
                    }
                    1..=3 => {
                        let data = vec![u8::try_from(random.below(256)).unwrap(); length];
                        backend.write(at as u64, &data).unwrap();
                        plain[at..at + length].copy_from_slice(&data);
                    }
                    _ => {
                        let mut out = vec![0; length];
                        backend.read(at as u64, &mut out).unwrap();
                        assert!(
                            out == plain[at..at + length],
                            "seed {seed}, {length} bytes at {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_page_that_is_written_again_and_again_is_held_back_once_until_it_is_synced() {
        let (dir, held) = file(&[7; 16 << 10]);
        let backend = held.backend();
        for round in 0..100 {
            backend.write(4096, &[round; 4096]).unwrap();
            // a larger page across it, and then the small one again, must stay in this order
            backend.write(0, &[200; 8192]).unwrap();
        }
        backend.write(4096, &[1; 4096]).unwrap();
        assert_eq!(held.lock().operations.len(), 2);
        backend.sync_data().unwrap();
        backend.write(4096, &[2; 4096]).unwrap();
        assert_eq!(held.lock().operations.len(), 4, "what was synced is there to be synced");
        held.release().unwrap();
        let found = std::fs::read(dir.path().join("f")).unwrap();
        assert_eq!((found[0], found[4096], found[8192]), (200, 2, 7));
    }

    #[test]
    fn what_is_held_back_is_read_as_if_written_and_reaches_the_file_only_when_released() {
        let mut plain = vec![7; 10_000];
        let (dir, held) = file(&plain);
        let backend = held.backend();
        backend.write(4090, b"across two blocks").unwrap();
        backend.set_len(6_000).unwrap();
        backend.set_len(9_000).unwrap();
        backend.sync_data().unwrap();
        backend.write(8_999, b"!").unwrap();
        plain[4090..4107].copy_from_slice(b"across two blocks");
        plain.truncate(6_000);
        plain.resize(9_000, 0);
        plain[8_999] = b'!';

        let mut seen = vec![0; 9_000];
        backend.read(0, &mut seen).unwrap();
        assert_eq!(seen, plain);
        assert_eq!(backend.len().unwrap(), 9_000);
        assert!(backend.read(8_999, &mut [0; 2]).is_err(), "past the end");
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), [7; 10_000], "untouched");

        held.release().unwrap();
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), plain);
        backend.write(0, b"through").unwrap();
        assert_eq!(&std::fs::read(dir.path().join("f")).unwrap()[..7], b"through");
    }
}
