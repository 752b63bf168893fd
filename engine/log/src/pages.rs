//! Pages of a file that were read or written last, beside redb's own cache.
//!
//! redb divides one budget between what was read and what is not written yet, and what is not written
//! yet is what a durable commit has to wait for. So redb gets little, and what is read again comes
//! from here instead of from the system.
//!
//! Invariant: what is here is what the file holds. Only whole pages are kept; whoever writes to any
//! part of one replaces it or takes it out, also while somebody else is fetching it.

use std::collections::HashMap;
use std::fmt;
use std::io::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of a page; what redb reads in other sizes goes to the file.
const PAGE: usize = 4096;
/// Readers of different pages mostly do not wait for each other.
const SHARDS: usize = 16;

/// The cache of one file.
pub(crate) struct Pages {
    shards: Vec<Mutex<Shard>>,
    /// Pages of one shard.
    limit: usize,
}

/// Slots are made once and filled again and again: pages that come and go by the thousand, each for
/// another thread to free, would cost twice their size.
#[derive(Default)]
struct Shard {
    slots: Vec<Slot>,
    /// The slot of each page that is here, by where it begins in the file.
    places: HashMap<u64, usize>,
    /// The slot that is looked at next for room.
    hand: usize,
    /// Changes with every write, so that who has fetched meanwhile knows that it may be old.
    writes: u64,
}

struct Slot {
    /// Where its page begins in the file; none where it is free.
    offset: Option<u64>,
    /// Whether it was read since the hand came by.
    used: bool,
    page: Box<[u8]>,
}

impl Shard {
    /// Copies a page that is here.
    fn get(&mut self, offset: u64, out: &mut [u8]) -> bool {
        let slot = self.places.get(&offset).and_then(|at| self.slots.get_mut(*at));
        let Some(slot) = slot else { return false };
        slot.used = true;
        out.copy_from_slice(&slot.page);
        true
    }

    /// Keeps a page, in the place of one that was not read for long.
    fn put(&mut self, offset: u64, page: &[u8], limit: usize) {
        self.remove(offset);
        let at = self.room(limit);
        let slot = &mut self.slots[at];
        slot.offset = Some(offset);
        slot.page.copy_from_slice(page);
        self.places.insert(offset, at);
    }

    fn room(&mut self, limit: usize) -> usize {
        if self.slots.len() < limit {
            let page = vec![0; PAGE].into_boxed_slice();
            self.slots.push(Slot { offset: None, used: false, page });
            return self.slots.len() - 1;
        }
        loop {
            let at = self.hand;
            self.hand = (at + 1) % self.slots.len();
            let slot = &mut self.slots[at];
            if !std::mem::take(&mut slot.used) {
                if let Some(old) = slot.offset.take() {
                    self.places.remove(&old);
                }
                return at;
            }
        }
    }

    fn remove(&mut self, offset: u64) {
        if let Some(slot) = self.places.remove(&offset).and_then(|at| self.slots.get_mut(at)) {
            slot.offset = None;
            slot.used = false;
        }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Pages {
    /// A cache of about so many bytes, none where that is less than a page each.
    pub(crate) fn new(bytes: usize) -> Self {
        let limit = bytes / PAGE / SHARDS;
        let shards = if limit == 0 { 0 } else { SHARDS };
        Self { shards: std::iter::repeat_with(Mutex::default).take(shards).collect(), limit }
    }

    /// Reads a range, from `file` where it is not here.
    pub(crate) fn read(
        &self,
        (offset, out): (u64, &mut [u8]),
        file: impl FnOnce(&mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let is_page = out.len() == PAGE && offset.is_multiple_of(PAGE as u64);
        let Some(shard) = self.shard(offset).filter(|_| is_page) else { return file(out) };
        let writes = {
            let mut shard = lock(shard);
            if shard.get(offset, out) {
                return Ok(());
            }
            shard.writes
        };
        file(out)?;
        let mut shard = lock(shard);
        if shard.writes == writes {
            shard.put(offset, out, self.limit);
        }
        Ok(())
    }

    /// Writes a range to `file`, and keeps the pages that it covers whole.
    pub(crate) fn write(
        &self,
        (offset, data): (u64, &[u8]),
        file: impl FnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        // before and after: nobody may keep what was fetched before or while it was written
        self.forget(offset, data.len());
        let written = file();
        self.forget(offset, data.len());
        let is_page = data.len() == PAGE && offset.is_multiple_of(PAGE as u64);
        if let Some(shard) = self.shard(offset).filter(|_| is_page && written.is_ok()) {
            lock(shard).put(offset, data, self.limit);
        }
        written
    }

    /// Forgets everything: the file has another length.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            *shard = Shard { writes: shard.writes + 1, ..Shard::default() };
        }
    }

    fn forget(&self, offset: u64, length: usize) {
        let (first, end) = (offset / PAGE as u64, (offset + length as u64).div_ceil(PAGE as u64));
        for page in first..end {
            let offset = page * PAGE as u64;
            if let Some(shard) = self.shard(offset) {
                let mut shard = lock(shard);
                shard.writes += 1;
                shard.remove(offset);
            }
        }
    }

    fn shard(&self, offset: u64) -> Option<&Mutex<Shard>> {
        let page = usize::try_from(offset / PAGE as u64).unwrap_or(usize::MAX);
        self.shards.get(page % SHARDS)
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Reads a page; says whether the file was asked.
    fn read(pages: &Pages, offset: u64, file: u8) -> (u8, bool) {
        let (mut out, asked) = (vec![0; PAGE], Cell::new(false));
        let fetched = pages.read((offset, &mut out), |out| {
            asked.set(true);
            out.fill(file);
            Ok(())
        });
        fetched.unwrap();
        (out[0], asked.get())
    }

    #[test]
    fn a_page_is_fetched_once_and_written_through() {
        let pages = Pages::new(1 << 20);
        assert_eq!(read(&pages, 4096, 1), (1, true));
        assert_eq!(read(&pages, 4096, 9), (1, false));
        pages.write((4096, &[2; PAGE]), || Ok(())).unwrap();
        assert_eq!(read(&pages, 4096, 9), (2, false));
        pages.clear();
        assert_eq!(read(&pages, 4096, 3), (3, true));
    }

    #[test]
    fn whatever_touches_a_page_takes_it_out() {
        let pages = Pages::new(1 << 20);
        for (offset, length) in [(8191, 1), (8190, 4), (0, 3 * PAGE), (4000, 200)] {
            read(&pages, 4096, 1);
            read(&pages, 8192, 1);
            pages.write((offset, &vec![2; length]), || Ok(())).unwrap();
            assert_eq!(read(&pages, 4096, 7), (7, true), "{offset} {length}");
            pages.clear();
        }
        read(&pages, 4096, 1);
        let failed = pages.write((4096, &[2; PAGE]), || Err(std::io::ErrorKind::Other.into()));
        assert!(failed.is_err());
        assert_eq!(read(&pages, 4096, 5), (5, true), "nobody knows what is there");
    }

    #[test]
    fn what_is_written_while_it_is_fetched_is_not_kept_as_it_was() {
        let pages = Pages::new(1 << 20);
        let mut out = vec![0; PAGE];
        let fetching = pages.read((4096, &mut out), |out| {
            out.fill(1);
            pages.write((4096, &[2; 8]), || Ok(()))
        });
        fetching.unwrap();
        assert_eq!(read(&pages, 4096, 2), (2, true));
    }

    #[test]
    fn nobody_reads_a_page_older_than_what_was_written_before_they_asked() {
        const LAST: u64 = 20_000;
        // given a file of four pages that begin with their version, and what is known to be written
        let pages = Pages::new(1 << 20);
        let [file, written] = [(); 2].map(|()| [const { AtomicU64::new(0) }; 4]);
        let write = |version: u64| {
            let place = usize::try_from(version % 4).unwrap();
            let mut page = vec![0; PAGE];
            page[..8].copy_from_slice(&version.to_be_bytes());
            let wrote = pages.write((version % 4 * PAGE as u64, &page), || {
                file[place].store(version, Ordering::SeqCst);
                Ok(())
            });
            wrote.unwrap();
            written[place].store(version, Ordering::SeqCst);
        };
        let read = |place: usize| {
            let (least, mut page) = (written[place].load(Ordering::SeqCst), vec![0; PAGE]);
            let fetched = pages.read(((place * PAGE) as u64, &mut page), |out| {
                out[..8].copy_from_slice(&file[place].load(Ordering::SeqCst).to_be_bytes());
                Ok(())
            });
            fetched.unwrap();
            let found = u64::from_be_bytes(*page.first_chunk().unwrap());
            assert!(found >= least, "page {place}: {found}, and {least} had been written");
            least
        };
        // when one writes and two read
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| while (0..4).map(read).max() < Some(LAST) {});
            }
            (1..=LAST).for_each(write);
        });
    }

    #[test]
    fn it_keeps_no_more_than_it_may_and_nothing_where_there_is_no_room() {
        let pages = Pages::new(SHARDS * PAGE * 4);
        for page in 0..1000 {
            // the first is read again and again
            read(&pages, 0, 1);
            read(&pages, page * PAGE as u64, 1);
        }
        let kept: Vec<u64> = (0..1000).filter(|page| is_here(&pages, page * PAGE as u64)).collect();
        assert_eq!((kept.len(), kept.first()), (SHARDS * 4, Some(&0)));
        let none = Pages::new(PAGE);
        read(&none, 4096, 1);
        assert_eq!(read(&none, 4096, 2), (2, true));
    }

    fn is_here(pages: &Pages, offset: u64) -> bool {
        lock(pages.shard(offset).unwrap()).places.contains_key(&offset)
    }

    #[test]
    fn other_sizes_go_to_the_file() {
        let pages = Pages::new(1 << 20);
        for length in [8, 2 * PAGE] {
            let mut out = vec![0; length];
            for _ in 0..2 {
                let asked = Cell::new(false);
                pages
                    .read((0, &mut out), |out| {
                        asked.set(true);
                        out.fill(1);
                        Ok(())
                    })
                    .unwrap();
                assert!(asked.get());
            }
        }
    }
}
