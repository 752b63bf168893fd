//! Opening redb files: where they are, the lock that keeps a second engine out, and the wrapper
//! that turns a panic inside redb into an error that names the file.
//!
//! No storage abstraction of our own: a directory, or redb backends handed in by tests.

use crate::held::{Access, Held, Pace};
use crate::journal::{JOURNAL_FILE, Place};
use crate::meta::Meta;
use crate::{Error, present, project_key};
use placet_model::measure::Counter;
use redb::backends::FileBackend;
use redb::{
    CompactionError, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable as _,
    StorageBackend, TableDefinition, Value, WriteTransaction,
};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

/// Where the data of a log lives.
#[derive(Debug)]
pub enum Storage {
    /// In this directory: `log.redb`, `keys.redb`, `journal`, `lock`, `head`, `install`.
    Directory(PathBuf),
    /// In this directory, which is only looked at: nothing is ever written there, and what is
    /// appended is gone with the handle. For backups.
    Frozen(PathBuf),
    /// In these backends of redb, for tests: memory, or a disk that fails on purpose.
    Backends {
        /// Backend of the log.
        log: Box<dyn StorageBackend>,
        /// Backend of the data keys.
        keys: Box<dyn StorageBackend>,
        /// Backend of the journal.
        journal: Box<dyn StorageBackend>,
    },
}

impl Storage {
    /// Backends in memory.
    pub fn memory() -> Self {
        let memory = || Box::new(redb::backends::InMemoryBackend::new());
        Self::Backends { log: memory(), keys: memory(), journal: memory() }
    }
}

/// A redb file by name, for errors, and how often it was synced.
#[derive(Debug, Clone)]
pub(crate) struct File(Arc<Path>, Arc<Counter>);

impl File {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.into(), Arc::default())
    }

    /// Counts the syncs of the file.
    pub(crate) const fn syncs(&self) -> &Arc<Counter> {
        &self.1
    }

    pub(crate) fn err<E: Into<redb::Error>>(&self, doing: &'static str) -> impl Fn(E) -> Error {
        let file = self.0.to_path_buf();
        move |error| Error::Storage { doing, file: file.clone(), source: Box::new(error.into()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Bytes of the file; 0 where it lives in a backend.
    pub(crate) fn bytes(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |meta| meta.len())
    }

    pub(crate) fn io(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Io { doing, path: self.0.to_path_buf(), source }
    }

    pub(crate) fn to_path(&self) -> PathBuf {
        self.0.to_path_buf()
    }

    pub(crate) fn damaged(&self, what: impl fmt::Display) -> Error {
        Error::DamagedIndex { what: format!("{} ({what})", self.0.display()) }
    }
}

/// Runs an operation on redb; a panic inside it is an error.
///
/// redb trusts its pages, so a damaged one can make it panic anywhere. Whoever calls this must
/// not go on with state that the operation may have left half done.
pub(crate) fn guarded<T>(
    doing: &'static str,
    file: &File,
    operation: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|panic| {
        let panic = panic_text(&*panic);
        Err(Error::Panicked { doing, file: file.0.to_path_buf(), panic })
    })
}

/// Copies the rows of a table that may not be there: some are made when they are first needed.
pub(crate) fn copy_rows<K: Key + 'static, V: Value + 'static>(
    (from, to): (&ReadTransaction, &WriteTransaction),
    table: TableDefinition<'_, K, V>,
    (doing, file): (&'static str, &File),
) -> Result<(), Error> {
    let rows = match from.open_table(table) {
        Ok(rows) => rows,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(file.err(doing)(error)),
    };
    let mut copied = to.open_table(table).map_err(file.err(doing))?;
    for row in rows.iter().map_err(file.err(doing))? {
        let (key, value) = row.map_err(file.err(doing))?;
        copied.insert(key.value(), value.value()).map_err(file.err(doing))?;
    }
    Ok(())
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// An open database. Closing one whose pages are damaged can panic inside redb; that is logged and
/// goes no further.
///
/// Transactions hold no borrow of it; compaction needs it alone for a moment, so it stands behind
/// a lock that every beginning of a transaction takes shared.
#[derive(Debug)]
pub(crate) struct Db {
    db: RwLock<Option<Database>>,
    readers: Arc<Readers>,
}

/// How many snapshots are open.
#[derive(Debug, Default)]
struct Readers {
    open: Mutex<usize>,
    none: Condvar,
}

impl Readers {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A snapshot. Tables that were opened from it must be dropped before it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// First field: gone before it is no longer counted.
    tx: ReadTransaction,
    _counted: Counted,
}

#[derive(Debug)]
struct Counted(Arc<Readers>);

impl std::ops::Deref for Snapshot {
    type Target = ReadTransaction;

    fn deref(&self) -> &ReadTransaction {
        &self.tx
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.0.lock();
        *open -= 1;
        if *open == 0 {
            self.0.none.notify_all();
        }
    }
}

impl Db {
    pub(crate) fn new(db: Database) -> Self {
        Self { db: RwLock::new(Some(db)), readers: Arc::default() }
    }

    pub(crate) fn begin_read(&self) -> Result<Snapshot, redb::TransactionError> {
        let db = self.shared();
        *self.readers.lock() += 1;
        let counted = Counted(Arc::clone(&self.readers));
        let tx = db.as_ref().expect("taken only when dropped").begin_read()?;
        Ok(Snapshot { tx, _counted: counted })
    }

    /// Waits for a moment in which no snapshot is open; false when none came in time.
    pub(crate) fn wait_unread(&self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let waited =
            self.readers.none.wait_timeout_while(self.readers.lock(), left, |open| *open > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    /// The one transaction that may write.
    pub(crate) fn begin_write(&self) -> Result<WriteTransaction, redb::TransactionError> {
        self.shared().as_ref().expect("taken only when dropped").begin_write()
    }

    fn shared(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.db.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves pages to the front and cuts the file, unless somebody reads.
    pub(crate) fn pack(&self, file: &File) -> Result<Packing, Error> {
        const DOING: &str = "compacting";
        guarded(DOING, file, || {
            let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
            let db = db.as_mut().expect("taken only when dropped");
            loop {
                match db.compact() {
                    Ok(true) => {}
                    Ok(false) => return Ok(Packing::Done),
                    Err(CompactionError::TransactionInProgress) => return Ok(Packing::Read),
                    Err(error) => return Err(file.err(DOING)(error)),
                }
            }
        })
    }

    /// Puts a rewritten database in the place of this one; `rewrite` is given this one, of which
    /// nobody begins a transaction meanwhile.
    pub(crate) fn replace(
        &self,
        rewrite: impl FnOnce(&Database) -> Result<Database, Error>,
    ) -> Result<(), Error> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let new = rewrite(db.as_ref().expect("taken only when dropped"))?;
        drop(db.replace(new));
        Ok(())
    }
}

/// How long a moment without readers is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Whether a file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// It was.
    Done,
    /// Somebody was reading.
    Read,
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.db.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(db))) {
            tracing::error!(panic = panic_text(&*panic), "redb panicked while closing");
        }
    }
}

/// What was written while the files were looked at.
#[derive(Debug, Default)]
#[must_use = "until it is let through, nothing is written"]
pub(crate) struct HeldBack(Vec<(Arc<Held>, File)>);

impl HeldBack {
    /// Lets everything through, from now on.
    pub(crate) fn all(self) -> Result<(), Error> {
        for (held, file) in self.0 {
            held.release().map_err(|error| file.io("writing", error))?;
            if held.is_owned() {
                // rewriting it was cut short: the copy may hold what is destroyed later
                remove(&file.path().with_extension("redb.new"), &file)?;
            }
        }
        Ok(())
    }
}

/// The opened files of a log. Nothing is written to them before they are released.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) log: (Db, File),
    pub(crate) keys: (Db, File),
    pub(crate) journal: Place,
    pub(crate) dir: Option<PathBuf>,
    /// The file that notes how far the log had come when it was closed, of a directory that is ours
    /// or only looked at.
    pub(crate) noted: Option<PathBuf>,
    /// Held as long as the log is open.
    pub(crate) lock: Option<std::fs::File>,
    held: HeldBack,
}

pub(crate) const LOG_FILE: &str = "log.redb";
pub(crate) const KEYS_FILE: &str = "keys.redb";

impl Files {
    pub(crate) fn open(storage: Storage, cache_bytes: usize) -> Result<Self, Error> {
        match storage {
            Storage::Directory(dir) => {
                project_key::create_private_dir(&dir)?;
                let lock = lock(&dir)?;
                if !present::has_log(&dir)? {
                    create_whole(&dir.join(LOG_FILE))?;
                }
                Self::open_in(dir, Some(lock), (Access::Owned, cache_bytes))
            }
            Storage::Frozen(dir) => {
                let lock = lock_to_look(&dir)?;
                Self::open_in(dir, lock, (Access::Frozen, cache_bytes))
            }
            Storage::Backends { log, keys, journal } => Ok(Self {
                log: open_backend("log (backend)", log, cache_bytes)?,
                keys: open_backend("keys (backend)", keys, KEY_CACHE_BYTES)?,
                journal: Place::Backend(journal),
                dir: None,
                noted: None,
                lock: None,
                held: HeldBack::default(),
            }),
        }
    }

    fn open_in(
        dir: PathBuf,
        lock: Option<std::fs::File>,
        (access, cache_bytes): (Access, usize),
    ) -> Result<Self, Error> {
        let cache = Cache::of_log(cache_bytes, access);
        let (log, log_held) = open_path(&dir, LOG_FILE, (access, cache))?;
        let keys = dir.join(KEYS_FILE);
        if !keys.exists() {
            // beside a log that says what it is, keys that are gone are not made anew
            if guarded("opening", &log.1, || Meta::read(&log.0, &log.1))?.is_some() {
                return Err(Error::Missing { file: keys, beside: LOG_FILE });
            }
            if access == Access::Owned {
                create_whole(&keys)?;
            }
        }
        let (keys, keys_held) = open_path(&dir, KEYS_FILE, (access, Cache::OF_KEYS))?;
        let held = vec![(log_held, log.1.clone()), (keys_held, keys.1.clone())];
        let noted = Some(dir.join("head"));
        let journal = dir.join(JOURNAL_FILE);
        let journal = match access {
            Access::Owned => Place::Path(journal),
            Access::Frozen => Place::Frozen(journal),
        };
        let dir = (access == Access::Owned).then_some(dir);
        Ok(Self { log, keys, journal, dir, noted, lock, held: HeldBack(held) })
    }

    pub(crate) fn take_held(&mut self) -> HeldBack {
        std::mem::take(&mut self.held)
    }
}

pub(crate) const KEY_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Half of it is what redb leaves for the next durable commit to write: what that commit takes, and
/// everybody waits who appends meanwhile.
const LOG_CACHE_BYTES: usize = 2 * 1024 * 1024;

/// What is kept in memory of a file: redb's own cache, and the pages beside it.
#[derive(Debug, Clone, Copy)]
struct Cache {
    redb: usize,
    pace: Pace,
}

impl Cache {
    const OF_KEYS: Self =
        Self { redb: KEY_CACHE_BYTES, pace: Pace { page_bytes: 0, early: false } };

    fn of_log(bytes: usize, access: Access) -> Self {
        let redb = match access {
            Access::Owned => bytes.min(LOG_CACHE_BYTES),
            // nobody appends
            Access::Frozen => bytes,
        };
        Self { redb, pace: Pace { page_bytes: bytes - redb, early: access == Access::Owned } }
    }
}

fn lock(dir: &Path) -> Result<std::fs::File, Error> {
    let path = dir.join("lock");
    let io = |doing| {
        let path = path.clone();
        move |source| Error::Io { doing, path, source }
    };
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io("opening the lock file"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => Err(io("locking")(source)),
    }
}

/// The lock of data that are only looked at: together with others who look, never beside an engine.
/// Makes no file; a backup has none.
fn lock_to_look(dir: &Path) -> Result<Option<std::fs::File>, Error> {
    let path = dir.join("lock");
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { doing: "opening the lock file", path, source }),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::InUse { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(Error::Io { doing: "locking", path, source })
        }
    }
}

fn open_path(
    dir: &Path,
    name: &str,
    (access, cache): (Access, Cache),
) -> Result<((Db, File), Arc<Held>), Error> {
    let path = dir.join(name);
    let file = File::new(&path);
    present::probe(&path)?;
    let io = |error| file.io("opening", error);
    let mut options = std::fs::OpenOptions::new();
    let opened = options.read(true).write(access == Access::Owned).open(&path).map_err(io)?;
    let backend = FileBackend::new(opened).map_err(file.err("opening"))?;
    let held = Held::new(backend, access, (cache.pace, Arc::clone(file.syncs()))).map_err(io)?;
    match open_backend_of(&file, held.backend(), cache.redb) {
        Ok(db) => Ok(((db, file), held)),
        Err(Error::Storage { source, .. })
            if matches!(*source, redb::Error::DatabaseAlreadyOpen) =>
        {
            Err(Error::InUse { dir: dir.to_owned() })
        }
        Err(error) => Err(error),
    }
}

/// Makes an empty database under another name, then renames it: redb's own creation leaves a file
/// that cannot be opened when the power goes in the middle of it.
fn create_whole(path: &Path) -> Result<(), Error> {
    const DOING: &str = "creating";
    let file = &File::new(path);
    let unfinished = path.with_extension("redb.new");
    remove(&unfinished, file)?;
    drop(Database::create(&unfinished).map_err(file.err(DOING))?);
    take_name(&unfinished, path, file)
}

/// The finished file takes the name, durably.
pub(crate) fn take_name(finished: &Path, path: &Path, file: &File) -> Result<(), Error> {
    std::fs::rename(finished, path).map_err(|error| file.io("renaming", error))?;
    project_key::sync_dir(path.parent())
}

/// Removes a file that may not be there.
pub(crate) fn remove(path: &Path, file: &File) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(file.io("removing an unfinished copy of", error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn open_backend(
    name: &str,
    backend: Box<dyn StorageBackend>,
    cache_bytes: usize,
) -> Result<(Db, File), Error> {
    let file = File::new(Path::new(name));
    let backend = Boxed { backend, syncs: Arc::clone(file.syncs()) };
    let db = open_backend_of(&file, backend, cache_bytes)?;
    Ok((db, file))
}

fn open_backend_of(
    file: &File,
    backend: impl StorageBackend,
    cache_bytes: usize,
) -> Result<Db, Error> {
    guarded("opening", file, || {
        let opened = Database::builder().set_cache_size(cache_bytes).create_with_backend(backend);
        Ok(Db::new(opened.map_err(file.err("opening"))?))
    })
}

/// redb takes a backend by value; this passes a boxed one on. Locks stay unsupported: backends
/// handed in are private to their owner.
#[derive(Debug)]
struct Boxed {
    backend: Box<dyn StorageBackend>,
    syncs: Arc<Counter>,
}

impl StorageBackend for Boxed {
    fn len(&self) -> Result<u64, std::io::Error> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        self.backend.set_len(len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        self.syncs.one();
        self.backend.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        self.backend.write(offset, data)
    }

    fn close(&self) -> Result<(), std::io::Error> {
        self.backend.close()
    }
}
