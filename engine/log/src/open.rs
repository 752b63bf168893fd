//! Opening a log: keys, what log it is, the check of its tail, projections, the writer thread.
//!
//! Only the tail is checked here (digests, tree and index of the last events, against the root of
//! the last commit); the whole file is checked by [`crate::verify`], in the background.

use crate::commit::Committer;
use crate::data_keys::DataKeys;
use crate::head::{Head, Tail};
use crate::journal::{self, JOURNAL_FILE, Journal};
use crate::keyring::Keyring;
use crate::meta::{self, Meta};
use crate::place::Place;
use crate::project_key::{self, KeyPlace, ProjectKey};
use crate::projector::{NoProjections, Projector};
use crate::shared::{Graveyard, Shared};
use crate::signer::{Keys, Remembered};
use crate::storage::{Files, KEYS_FILE, LOG_FILE, Storage, guarded};
use crate::subjects::Pseudonyms;
use crate::tree::Frontier;
use crate::writer::{self, Writer};
use crate::{Error, Log, ReadView, Tombstones, erase, present, verify};
use placet_model::measure::{SHORT, Spread};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Appends that may wait for the writer before callers wait for a place: two full batches of the
/// smallest appends, so that the writer never runs dry.
const QUEUE: usize = 2048;
const DEFAULT_CACHE_BYTES: usize = 32 * 1024 * 1024;
const DEFAULT_CHECKED_EVENTS: u64 = 1024;
/// Events checked while opening at most, however long ago the last checkpoint was signed: about a
/// tenth of a second. The rest is for `audit verify`.
const CHECKED_MAX: u64 = 32 * 1024;

/// Whether the place of the data says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Where the project was last used is noted, and a copy is refused.
    Registered,
    /// They are a copy, and that is known.
    Aside,
    /// As that, and a restore is under way in them.
    Restoring,
}

/// How to open a log.
pub struct OpenOptions {
    storage: Storage,
    project: String,
    keys: KeyPlace,
    cache_bytes: usize,
    checked_events: u64,
    journal_bytes: u64,
    standing: Standing,
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
            journal_bytes: journal::CAPACITY,
            standing: Standing::Registered,
            projector: None,
        }
    }

    /// Where the project key lives (default: the environment says).
    #[must_use]
    pub fn keys(mut self, keys: KeyPlace) -> Self {
        self.keys = keys;
        self
    }

    /// What is kept in memory of the log, in bytes (default 32 MiB): at most 2 MiB of it by redb, the rest
    /// beside it.
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

    /// How large the journal becomes before it is folded into the log's file (default 8 MiB); with 0
    /// there is none, and every append is a durable commit of redb.
    #[must_use]
    pub const fn journal_bytes(mut self, bytes: u64) -> Self {
        self.journal_bytes = bytes;
        self
    }

    /// Opens a copy as what it is: where the project was last used is neither asked nor noted.
    #[must_use]
    pub const fn aside(mut self) -> Self {
        self.standing = Standing::Aside;
        self
    }

    /// As [`Self::aside`], while a restore is under way.
    #[must_use]
    pub(crate) const fn restoring(mut self) -> Self {
        self.standing = Standing::Restoring;
        self
    }

    /// The projections to keep in the log's transactions (default: none).
    #[must_use]
    pub fn projector(mut self, projector: impl Projector + 'static) -> Self {
        self.projector = Some(Box::new(projector));
        self
    }

    pub(crate) fn open(mut self) -> Result<Log, Error> {
        meta::check_project(&self.project)?;
        if let (Storage::Directory(dir), true) =
            (&self.storage, self.standing != Standing::Restoring)
        {
            present::refuse_unfinished(dir)?;
        }
        let mut files = Files::open(self.storage, self.cache_bytes)?;
        let file = files.log.1.clone();
        let (meta, key) =
            guarded("opening", &file, || identify(&files, &self.project, &self.keys))?;
        let standing = guarded("reading the journal", &file, || {
            let (db, file) = &files.log;
            journal::replay((db, file), &files.journal, meta.install_id)
        })?;
        let install = meta::install_text(meta.install_id);
        let place = match (self.standing, files.dir.as_deref(), self.keys.directory(&install)?) {
            (Standing::Registered, Some(dir), Some(keys)) => {
                Some(Place::new(&keys, dir, meta.install_id)?)
            }
            _ => None,
        };
        let release = files.take_held();
        let journal = Journal::new(
            (files.journal, self.journal_bytes),
            (file.clone(), meta.install_id),
            standing,
        );
        let (key_db, key_file) = files.keys;
        let data_keys = DataKeys::open(key_db, key_file, &key, meta.install_id)?;
        let install_id = meta::install_text(meta.install_id);
        let tombstones = tombstones_of(&self.keys, &install_id)?;
        let shared = Arc::new(Shared {
            db: files.log,
            project: meta.project,
            install_id: meta.install_id,
            keys: self.keys,
            signed: Remembered::default(),
            keyring: Keyring::new(data_keys),
            pseudonyms: Pseudonyms::new(&key),
            tombstones: Graveyard::new(tombstones),
            tail: Arc::new(Tail::default()),
            random: SystemRandom::new(),
            commits: Spread::new(&SHORT),
            stopped: AtomicBool::new(false),
            place,
            dir: files.dir,
            noted: files.noted,
            _lock: files.lock,
        });
        guarded("finishing erasures", &file, || erase::recover(&shared))?;
        let view = ReadView::open(&shared)?;
        shared.check_noted_head(view.head())?;
        let frontier = verify::tail(&view, to_check(&shared, view.head(), self.checked_events)?)?;
        if let (Some(key), false) = (view.newest_key()?, matches!(shared.keys, KeyPlace::Without)) {
            shared.keyring.check(key)?;
        }
        if let Some(place) = &shared.place {
            place.check(&view, &install)?;
        }
        // the log is what it should be: only now are the files written
        release.all()?;
        if let Some(place) = &shared.place {
            place.note(&view, &install)?;
        }
        if let Some(projector) = &mut self.projector {
            prepare(&mut **projector, &shared, &view)?;
        }
        let projector = self.projector.unwrap_or_else(|| Box::new(NoProjections));
        let head = *view.head();
        start(shared, (head, frontier), journal, projector)
    }
}

fn tombstones_of(keys: &KeyPlace, install_id: &str) -> Result<Option<Tombstones>, Error> {
    let dir = keys.directory(install_id)?;
    dir.map(|dir| Tombstones::open(&dir, install_id)).transpose()
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
        None => {
            refuse_leftovers(files)?;
            create(files, project, keys, data)
        }
    }
}

/// An empty file in the place of a log whose keys or head are still there is no new log.
fn refuse_leftovers(files: &Files) -> Result<(), Error> {
    let Some(dir) = &files.dir else { return Ok(()) };
    let missing = |beside| Err(Error::Missing { file: dir.join(LOG_FILE), beside });
    if dir.join("head").exists() {
        return missing("head");
    }
    if dir.join(JOURNAL_FILE).exists() {
        return missing(JOURNAL_FILE);
    }
    if dir.join("vault.redb").exists() {
        return missing("vault.redb");
    }
    if DataKeys::has_any(&files.keys.0, &files.keys.1)? {
        return missing(KEYS_FILE);
    }
    Ok(())
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
    (head, frontier): (Head, Frontier),
    journal: Journal,
    projector: Box<dyn Projector>,
) -> Result<Log, Error> {
    shared.tail.publish(head.position());
    let file = shared.db.1.clone();
    let committer = Committer::new(shared.project.clone(), file.clone(), head, frontier);
    let writer = Writer::new(Arc::clone(&shared), (committer, journal), projector);
    let (desk, thread) = writer::start(writer, QUEUE)
        .map_err(|source| file.io("starting the writer thread", source))?;
    Ok(Log::start(shared, desk, thread))
}
