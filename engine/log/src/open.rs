//! Opening a log: keys, what log it is, the check of its tail, projections, the writer thread.
//!
//! Only the tail is checked here (digests, tree and index of the last events, against the root of
//! the last commit); the whole file is checked by [`crate::verify`], in the background.

use crate::commit::Committer;
use crate::data_keys::DataKeys;
use crate::head::{Head, Tail};
use crate::keyring::Keyring;
use crate::meta::{self, Meta};
use crate::project_key::{self, KeyPlace, ProjectKey};
use crate::projector::{NoProjections, Projector};
use crate::shared::Shared;
use crate::signer::{Keys, Remembered};
use crate::storage::{Files, Storage, guarded};
use crate::tree::Frontier;
use crate::writer::Writer;
use crate::{Error, Log, ReadView, verify};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};

/// Appends that may wait for the writer before callers wait for a place: two full batches of the
/// smallest appends, so that the writer never runs dry.
const QUEUE: usize = 2048;
const DEFAULT_CACHE_BYTES: usize = 128 * 1024 * 1024;
const DEFAULT_CHECKED_EVENTS: u64 = 1024;
/// Events checked while opening at most, however long ago the last checkpoint was signed: about a
/// tenth of a second. The rest is for `audit verify`.
const CHECKED_MAX: u64 = 32 * 1024;

/// How to open a log.
pub struct OpenOptions {
    storage: Storage,
    project: String,
    keys: KeyPlace,
    cache_bytes: usize,
    checked_events: u64,
    projector: Option<Box<dyn Projector>>,
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("storage", &self.storage)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

impl OpenOptions {
    /// The log of `project` in the directory `data`, keys where the environment says.
    pub fn new(data: impl Into<PathBuf>, project: impl Into<String>) -> Self {
        Self::with_storage(Storage::Directory(data.into()), project)
    }

    /// A log in memory with a fixed key, for tests.
    pub fn in_memory(project: impl Into<String>) -> Self {
        Self::with_storage(Storage::memory(), project)
            .keys(KeyPlace::Given(ProjectKey::from_bytes([7; 32])))
    }

    /// The log of `project` in the given storage.
    pub fn with_storage(storage: Storage, project: impl Into<String>) -> Self {
        Self {
            storage,
            project: project.into(),
            keys: KeyPlace::Environment,
            cache_bytes: DEFAULT_CACHE_BYTES,
            checked_events: DEFAULT_CHECKED_EVENTS,
            projector: None,
        }
    }

    /// Where the project key lives (default: the environment says).
    #[must_use]
    pub fn keys(mut self, keys: KeyPlace) -> Self {
        self.keys = keys;
        self
    }

    /// redb's cache, in bytes (default 128 MiB).
    #[must_use]
    pub const fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// How many of the last events are checked while opening, at least (default 1,024): it is all
    /// since the last signed head, and no more than 32,768.
    #[must_use]
    pub const fn checked_events(mut self, events: u64) -> Self {
        self.checked_events = events;
        self
    }

    /// The projections to keep in the log's transactions (default: none).
    #[must_use]
    pub fn projector(mut self, projector: impl Projector + 'static) -> Self {
        self.projector = Some(Box::new(projector));
        self
    }

    /// Rewrites both files without their free pages, so that what was erased is in no page any
    /// more. Needs the log closed.
    ///
    /// # Errors
    /// [`Error::InUse`] while an engine has it, and what redb says.
    pub fn compact(self) -> Result<(), Error> {
        let mut files = Files::open(self.storage, self.cache_bytes)?;
        files.log.0.compact(&files.log.1)?;
        files.keys.0.compact(&files.keys.1)
    }

    pub(crate) fn open(mut self) -> Result<Log, Error> {
        meta::check_project(&self.project)?;
        let files = Files::open(self.storage, self.cache_bytes)?;
        let file = files.log.1.clone();
        let (meta, key) =
            guarded("opening", &file, || identify(&files, &self.project, &self.keys))?;
        let (key_db, key_file) = files.keys;
        let data_keys = DataKeys::open(key_db, key_file, &key, meta.install_id)?;
        let shared = Arc::new(Shared {
            db: files.log,
            project: meta.project,
            install_id: meta.install_id,
            keys: self.keys,
            signed: Remembered::default(),
            keyring: Keyring::new(data_keys),
            tail: Arc::new(Tail::default()),
            random: SystemRandom::new(),
            stopped: AtomicBool::new(false),
            dir: files.dir,
            _lock: files.lock,
        });
        let view = ReadView::open(&shared)?;
        shared.check_noted_head(view.head())?;
        let frontier = verify::tail(&view, to_check(&shared, view.head(), self.checked_events)?)?;
        if let Some(projector) = &mut self.projector {
            prepare(&mut **projector, &shared, &view)?;
        }
        let projector = self.projector.unwrap_or_else(|| Box::new(NoProjections));
        start(shared, *view.head(), frontier, projector)
    }
}

/// How many of the last events are checked: those since the head that was signed last, so that a
/// start leaves no gap between what a checkpoint vouches for and what was read again; never fewer
/// than `least`, and never more than [`CHECKED_MAX`].
fn to_check(shared: &Shared, head: &Head, least: u64) -> Result<u64, Error> {
    let signed = Keys::of(&shared.keys, shared.install_id, shared.dir.as_deref())?.head()?;
    let since = signed.map_or(0, |signed| head.size.saturating_sub(signed.size));
    Ok(since.min(CHECKED_MAX).max(least))
}

/// What log this is and its key; makes both when the file is new.
fn identify(files: &Files, project: &str, keys: &KeyPlace) -> Result<(Meta, ProjectKey), Error> {
    let (db, file) = (&files.log.0, &files.log.1);
    let data = files.dir.as_deref();
    match Meta::read(db, file)? {
        Some(meta) if meta.project != project => {
            Err(Error::OtherProject { expected: project.to_owned(), found: meta.project })
        }
        Some(meta) if matches!(keys, KeyPlace::Without) => Ok((meta, ProjectKey::random()?)),
        Some(meta) => {
            let text = meta::install_text(meta.install_id);
            let (key, path) = project_key::load(keys, &text, data)?;
            if key.fingerprint() != meta.key_fingerprint {
                return Err(Error::KeyFileWrong { path });
            }
            Ok((meta, key))
        }
        None => create(files, project, keys, data),
    }
}

fn create(
    files: &Files,
    project: &str,
    keys: &KeyPlace,
    data: Option<&Path>,
) -> Result<(Meta, ProjectKey), Error> {
    let mut install_id = [0; 16];
    SystemRandom::new().fill(&mut install_id).map_err(|_unspecified| Error::Random)?;
    // durability order: the key first, then the log that needs it
    let key = project_key::create(keys, &meta::install_text(install_id), data)?;
    let key_fingerprint = key.fingerprint();
    let meta = Meta { install_id, key_fingerprint, project: project.to_owned() };
    meta.create(&files.log.0, &files.log.1)?;
    project_key::sync_dir(data)?;
    Ok((meta, key))
}

fn prepare(
    projector: &mut dyn Projector,
    shared: &Arc<Shared>,
    view: &ReadView,
) -> Result<(), Error> {
    const DOING: &str = "preparing projections";
    let (db, file) = &shared.db;
    guarded(DOING, file, || {
        let mut tx = db.begin_write().map_err(file.err(DOING))?;
        tx.set_quick_repair(true);
        projector.prepare(&tx, view).map_err(|source| Error::Projection { source })?;
        tx.commit().map_err(file.err(DOING))
    })
}

fn start(
    shared: Arc<Shared>,
    head: Head,
    frontier: Frontier,
    projector: Box<dyn Projector>,
) -> Result<Log, Error> {
    shared.tail.publish(head.position());
    let (requests, received) = mpsc::sync_channel(QUEUE);
    let file = shared.db.1.clone();
    let committer = Committer::new(shared.project.clone(), file.clone(), head, frontier);
    let writer = Writer::new(Arc::clone(&shared), committer, projector, received);
    let thread = std::thread::Builder::new()
        .name("placet-log".into())
        .spawn(move || writer.run())
        .map_err(|source| file.io("starting the writer thread", source))?;
    Ok(Log::start(shared, requests, thread))
}
