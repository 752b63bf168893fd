//! A file whose syncs begin before anybody waits for them.
//!
//! What a durable commit waits for is the disk taking all that was written since the last sync. redb
//! writes most of its pages long before (it may keep few of them), so they can be on their way: after
//! every [`STEP`] bytes a thread syncs what is there. That makes nothing durable that must not be: redb
//! writes to pages that nothing durable refers to, and syncs before and after it says what does.
//!
//! Invariant: no failure is lost. A system tells of a failed write to the disk once, and it may tell
//! this thread; so the syncs take turns, and after a failed one nothing is read or written any more:
//! what the system then shows of the file need not be what was written.

use placet_model::measure::Counter;
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::io::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

/// Bytes that are written before they are synced by themselves.
const STEP: u64 = 256 * 1024;

/// The file, and what its syncs said.
#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) file: FileBackend,
    /// Held for a sync.
    turn: Mutex<()>,
    /// What the first failed one said.
    failed: OnceLock<Failed>,
    syncs: Arc<Counter>,
}

#[derive(Debug)]
struct Failed {
    code: Option<i32>,
    kind: std::io::ErrorKind,
    words: String,
}

impl Synced {
    pub(crate) fn new(file: FileBackend, syncs: Arc<Counter>) -> Arc<Self> {
        Arc::new(Self { file, turn: Mutex::default(), failed: OnceLock::new(), syncs })
    }

    /// The file, as long as no sync of it has failed.
    ///
    /// # Errors
    /// What the failed one said.
    pub(crate) fn sound(&self) -> Result<&FileBackend, Error> {
        self.failed.get().map_or(Ok(&self.file), |failed| Err(failed.again()))
    }

    /// # Errors
    /// What the file says, or has said to a sync before.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.sync_by(StorageBackend::sync_data)
    }

    fn sync_by(&self, sync: impl FnOnce(&FileBackend) -> Result<(), Error>) -> Result<(), Error> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let file = self.sound()?;
        self.syncs.one();
        sync(file).inspect_err(|error| drop(self.failed.set(Failed::of(error))))
    }
}

impl Failed {
    fn of(error: &Error) -> Self {
        Self { code: error.raw_os_error(), kind: error.kind(), words: error.to_string() }
    }

    fn again(&self) -> Error {
        match self.code {
            Some(code) => Error::from_raw_os_error(code),
            None => Error::new(self.kind, self.words.clone()),
        }
    }
}

/// The thread that syncs a file early; ended by [`Early::end`].
#[derive(Debug)]
pub(crate) struct Early {
    /// Bytes since a sync was asked for.
    written: AtomicU64,
    thread: Mutex<Option<(SyncSender<()>, JoinHandle<()>)>>,
}

impl Early {
    /// # Errors
    /// A thread that cannot be started.
    pub(crate) fn start(synced: &Arc<Synced>) -> Result<Self, Error> {
        let (wake, woken) = sync_channel(1);
        let synced = Arc::clone(synced);
        let thread = std::thread::Builder::new()
            .name("placet-sync".into())
            .spawn(move || run(&synced, &woken))?;
        Ok(Self { written: AtomicU64::new(0), thread: Mutex::new(Some((wake, thread))) })
    }

    /// So many bytes were written.
    pub(crate) fn wrote(&self, bytes: usize) {
        let bytes = bytes as u64;
        if self.written.fetch_add(bytes, Ordering::Relaxed) + bytes < STEP {
            return;
        }
        self.written.store(0, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((wake, _)) = &*thread {
            // full: it is about to sync anyway
            let _full = wake.try_send(());
        }
    }

    /// Waits until the thread has ended: then nobody uses the file any more.
    pub(crate) fn end(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((wake, thread)) = thread {
            drop(wake);
            drop(thread.join());
        }
    }
}

fn run(synced: &Synced, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        // who syncs next hears of a failure
        if let Err(error) = synced.sync() {
            tracing::error!(%error, "a sync of the log's file failed");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    fn synced() -> (Arc<Synced>, Arc<Counter>) {
        let file = FileBackend::new(tempfile::tempfile().unwrap()).unwrap();
        let syncs = Arc::<Counter>::default();
        (Synced::new(file, Arc::clone(&syncs)), syncs)
    }

    #[test]
    fn what_one_sync_was_told_every_later_one_is_told() {
        let (synced, _) = synced();
        synced.sync().unwrap();
        // given a sync that failed while nobody waited for it
        let full = || Err(Error::from_raw_os_error(28));
        synced.sync_by(|_| full()).unwrap_err();
        // then no other says that all is well, though the file would
        let error = synced.sync().unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::StorageFull, Some(28)));
        assert_eq!(synced.sync().unwrap_err().kind(), ErrorKind::StorageFull);
        // and nobody reads or writes what the system may have dropped
        assert_eq!(synced.sound().unwrap_err().kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn a_failure_that_is_no_system_s_keeps_its_words() {
        let (synced, _) = synced();
        synced.sync_by(|_| Err(Error::other("the disk is on fire"))).unwrap_err();
        assert_eq!(synced.sync().unwrap_err().to_string(), "the disk is on fire");
    }

    #[test]
    fn every_step_is_synced_by_itself_and_nobody_uses_the_file_after_the_end() {
        let (synced, syncs) = synced();
        let early = Early::start(&synced).unwrap();
        let step = usize::try_from(STEP).unwrap();
        early.wrote(step - 1);
        early.end();
        assert_eq!(syncs.get(), 0, "not before");
        let early = Early::start(&synced).unwrap();
        early.wrote(step - 1);
        early.wrote(1);
        early.end();
        assert_eq!(syncs.get(), 1, "it was asked for before the end, so it was done");
        assert_eq!(Arc::strong_count(&synced), 1);
        early.wrote(step);
        assert_eq!(syncs.get(), 1);
    }
}
