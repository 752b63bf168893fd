//! What the writer, the readers and the callers of one open log share.

use crate::head::{Head, Tail};
use crate::keyring::Keyring;
use crate::place::Place;
use crate::storage::{Db, File};
use crate::{Error, ReadView};
use ring::rand::SystemRandom;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct Shared {
    /// The log's database and its name. First field: closed before the lock is let go.
    pub(crate) db: (Db, File),
    pub(crate) project: String,
    pub(crate) install_id: [u8; 16],
    pub(crate) keyring: Keyring,
    pub(crate) tail: Arc<Tail>,
    pub(crate) random: SystemRandom,
    /// Set when a commit failed: from then on nothing is answered from this handle.
    pub(crate) stopped: AtomicBool,
    /// The data directory, unless the log lives in backends of a test.
    pub(crate) dir: Option<PathBuf>,
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

impl Shared {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Notes the head beside the log when it closes in order.
    ///
    /// redb keeps two commits and falls back to the older one when the newer one's header is
    /// damaged; only a note outside the file can tell that. A note is never ahead of the file.
    pub(crate) fn note_head(self: &Arc<Self>) {
        let Some(path) = self.head_path().filter(|_| !self.is_stopped()) else { return };
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
        let Some(noted) = self.head_path().and_then(|path| std::fs::read(path).ok()) else {
            return Ok(());
        };
        // a torn note says nothing
        let Some(noted) = Head::decode(&noted) else { return Ok(()) };
        if noted.size > head.size || (noted.size == head.size && noted.root != head.root) {
            let what = format!("end: it has {} events, {} were closed", head.size, noted.size);
            return Err(self.db.1.damaged(what));
        }
        Ok(())
    }

    fn head_path(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join("head"))
    }
}
