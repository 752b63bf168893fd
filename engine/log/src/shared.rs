//! What the writer, the readers and the callers of one open log share.

use crate::head::{Head, Tail};
use crate::keyring::Keyring;
use crate::place::Place;
use crate::signer::Remembered;
use crate::storage::{Db, File};
use crate::subjects::Pseudonyms;
use crate::{Error, KeyMark, KeyPlace, ReadView, Tombstones};
use placet_model::DataKeyId;
use placet_model::measure::{SHORT, Spread};
use ring::rand::SystemRandom;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) struct Shared {
    /// The log's database and its name. First field: closed before the lock is let go.
    pub(crate) db: (Db, File),
    pub(crate) project: String,
    pub(crate) install_id: [u8; 16],
    /// Where the keys live; without, the log is there to be verified only.
    pub(crate) keys: KeyPlace,
    /// What was signed, where no file remembers it.
    pub(crate) signed: Remembered,
    pub(crate) keyring: Keyring,
    pub(crate) pseudonyms: Pseudonyms,
    pub(crate) tombstones: Graveyard,
    pub(crate) tail: Arc<Tail>,
    pub(crate) random: SystemRandom,
    /// How long commits took.
    pub(crate) commits: Spread<{ SHORT.len() }>,
    /// Set when a commit failed: from then on nothing is answered from this handle.
    pub(crate) stopped: AtomicBool,
    /// The data directory, unless the log lives in backends of a test.
    pub(crate) dir: Option<PathBuf>,
    /// The file that notes how far the log had come, of data that are ours or only looked at.
    pub(crate) noted: Option<PathBuf>,
    /// Where it is noted how far the log has come, outside of its data.
    pub(crate) place: Option<Place>,
    /// Held for the life of the log.
    pub(crate) _lock: Option<std::fs::File>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("project", &self.project).finish_non_exhaustive()
    }
}

/// The tombstones of a log; a log whose key is given has no place for them.
#[derive(Debug, Default)]
pub(crate) struct Graveyard(Mutex<Option<Tombstones>>);

impl Graveyard {
    pub(crate) const fn new(tombstones: Option<Tombstones>) -> Self {
        Self(Mutex::new(tombstones))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Tombstones>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn keys(&self) -> BTreeSet<(DataKeyId, KeyMark)> {
        self.lock().as_ref().map(|tombstones| tombstones.keys().clone()).unwrap_or_default()
    }

    pub(crate) fn has(&self, id: DataKeyId) -> bool {
        self.lock().as_ref().is_some_and(|tombstones| tombstones.has(id))
    }

    fn add(&self, keys: &[(DataKeyId, KeyMark)]) -> Result<(), Error> {
        self.lock().as_mut().map_or(Ok(()), |tombstones| tombstones.add(keys))
    }
}

impl Shared {
    /// Destroys keys for good: a tombstone each, then the keys. Returns how many there were. Whoever
    /// has no keys knows no place for tombstones, and destroys nothing.
    pub(crate) fn destroy(&self, ids: &[DataKeyId]) -> Result<usize, Error> {
        self.demand_key()?;
        self.tombstones.add(&self.keyring.marks(ids)?)?;
        self.keyring.destroy(ids)
    }

    /// Bytes of the log's file.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.db.1.bytes()
    }

    /// Bytes of both files.
    pub(crate) fn bytes(&self) -> u64 {
        let keys = self.dir.as_ref().map(|dir| dir.join("keys.redb"));
        let keys = keys.and_then(|path| std::fs::metadata(path).ok());
        self.log_bytes() + keys.map_or(0, |meta| meta.len())
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Refuses what needs the project key, where the log was opened without.
    pub(crate) const fn demand_key(&self) -> Result<(), Error> {
        if matches!(self.keys, KeyPlace::Without) { Err(Error::Keyless) } else { Ok(()) }
    }

    /// Notes the head beside the log when it closes in order.
    ///
    /// redb keeps two commits and falls back to the older one when the newer one's header is
    /// damaged; only a note outside the file can tell that. A note is never ahead of the file.
    pub(crate) fn note_head(self: &Arc<Self>) {
        let may = !self.is_stopped() && self.demand_key().is_ok();
        let Some(path) = self.head_to_note().filter(|_| may) else { return };
        let written = ReadView::open(self).and_then(|view| {
            if let Some(place) = &self.place {
                place.note(&view, &crate::meta::install_text(self.install_id))?;
            }
            std::fs::write(&path, view.head().encode()).map_err(|source| Error::Io {
                doing: "noting the head",
                path,
                source,
            })
        });
        if let Err(error) = written {
            tracing::warn!(%error, "the head is not noted");
        }
    }

    /// Refuses a log that ends before the head noted when it was last closed.
    pub(crate) fn check_noted_head(&self, head: &Head) -> Result<(), Error> {
        let Some(path) = self.noted.clone() else { return Ok(()) };
        let noted = match std::fs::read(&path) {
            Ok(noted) => noted,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(Error::Io { doing: "reading the noted head", path, source }),
        };
        // a torn note says nothing
        let Some(noted) = Head::decode(&noted) else { return Ok(()) };
        if noted.size > head.size || (noted.size == head.size && noted.root != head.root) {
            let what = format!("end: it has {} events, {} were closed", head.size, noted.size);
            return Err(self.db.1.damaged(what));
        }
        Ok(())
    }

    /// Only data that are ours are written.
    fn head_to_note(&self) -> Option<PathBuf> {
        self.noted.clone().filter(|_| self.dir.is_some())
    }
}
