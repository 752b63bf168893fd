//! The redb file: made whole or not at all, readable by its owner, and a panic inside redb is an
//! error that names it.

use crate::Error;
use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend as _, WriteTransaction};
use std::fs::{DirBuilder, OpenOptions};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Credentials are few and small.
const CACHE_BYTES: usize = 4 * 1024 * 1024;
const CREATING: &str = "creating the vault";
const OPENING: &str = "opening the vault";
/// How every redb file begins.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// A redb file by name, for errors.
#[derive(Debug, Clone)]
pub(crate) struct File(Arc<Path>);

impl File {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.into())
    }

    pub(crate) fn to_path(&self) -> PathBuf {
        self.0.to_path_buf()
    }

    pub(crate) fn err<E: Into<redb::Error>>(&self, doing: &'static str) -> impl Fn(E) -> Error {
        let file = self.to_path();
        move |error| Error::Storage { doing, file: file.clone(), source: Box::new(error.into()) }
    }

    fn io(&self, doing: &'static str) -> impl Fn(std::io::Error) -> Error {
        let path = self.to_path();
        move |source| Error::Io { doing, path: path.clone(), source }
    }

    /// Runs an operation on redb, which trusts its pages: a damaged one can make it panic anywhere.
    pub(crate) fn guarded<T>(
        &self,
        doing: &'static str,
        operation: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|panic| {
            let panic = panic_text(&*panic);
            Err(Error::Panicked { doing, file: self.to_path(), panic })
        })
    }

    pub(crate) fn open(&self) -> Result<Db, Error> {
        self.guarded(OPENING, || {
            match Database::builder().set_cache_size(CACHE_BYTES).open(&self.0) {
                Ok(db) => Ok(Db(Some(db))),
                Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                    Err(Error::InUse { file: self.to_path() })
                }
                Err(error) => Err(self.err(OPENING)(error)),
            }
        })
    }

    /// Opens a copy of the file in memory: opening writes, and a file that is then refused must not
    /// have been written. A vault is small.
    pub(crate) fn rehearse(&self) -> Result<Db, Error> {
        let content = self.content()?;
        self.guarded(OPENING, || {
            let backend = InMemoryBackend::new();
            let io = self.io(OPENING);
            backend.set_len(content.len() as u64).map_err(&io)?;
            backend.write(0, &content).map_err(&io)?;
            let opened = Database::builder().create_with_backend(backend);
            Ok(Db(Some(opened.map_err(self.err(OPENING))?)))
        })
    }

    fn content(&self) -> Result<Vec<u8>, Error> {
        let foreign = |what| Err(Error::Foreign { file: self.to_path(), what });
        if self.0.is_dir() {
            return foreign("a directory");
        }
        let file = std::fs::File::open(&self.0).map_err(self.io(OPENING))?;
        match file.try_lock_shared() {
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Error::InUse { file: self.to_path() });
            }
            // a file system without locks: redb says so when it opens the file
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => {}
        }
        let content = std::fs::read(&self.0).map_err(self.io(OPENING))?;
        drop(file);
        match content.get(..MAGIC.len()) {
            _ if content.is_empty() => foreign("empty"),
            Some(begins) if begins == MAGIC => Ok(content),
            Some(_) | None => foreign("no vault of Placet"),
        }
    }

    /// Makes the file under another name with its first rows in it, then renames it: a power cut
    /// leaves no file or a whole one. The caller holds the lock of the data directory.
    pub(crate) fn create(
        &self,
        first: impl FnOnce(&WriteTransaction) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let unfinished = self.0.with_extension("redb.new");
        match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(self.io(CREATING)(error));
            }
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let opened = options.open(&unfinished).map_err(self.io(CREATING))?;
        self.guarded(CREATING, || {
            let db = Database::builder().create_file(opened).map_err(self.err(CREATING))?;
            let mut tx = db.begin_write().map_err(self.err(CREATING))?;
            tx.set_quick_repair(true);
            first(&tx)?;
            tx.commit().map_err(self.err(CREATING))
        })?;
        std::fs::rename(&unfinished, &self.0).map_err(self.io(CREATING))?;
        sync_dir(self.0.parent())
    }
}

/// Packs the file of a vault that nobody has open, so that credentials that were deleted or replaced
/// leave its pages. What is left of them is sealed.
///
/// # Errors
/// [`Error::InUse`] while an engine has it, and what redb says.
pub fn compact(path: &Path) -> Result<(), Error> {
    let file = File::new(path);
    file.open()?.pack(&file)
}

/// An open database. Closing one whose pages are damaged can panic inside redb; that is logged and
/// goes no further.
#[derive(Debug)]
pub(crate) struct Db(Option<Database>);

impl Db {
    /// Moves pages to the front and cuts the file, until there is nothing to move.
    pub(crate) fn pack(&mut self, file: &File) -> Result<(), Error> {
        const DOING: &str = "compacting the vault";
        file.guarded(DOING, || {
            let Some(db) = self.0.as_mut() else { return Ok(()) };
            while db.compact().map_err(file.err(DOING))? {}
            Ok(())
        })
    }
}

impl std::ops::Deref for Db {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("taken only when dropped")
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.0.take();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(db))) {
            tracing::error!(panic = panic_text(&*panic), "redb panicked while closing the vault");
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Makes a directory (and its parents) that only its owner can enter.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let doing = "creating the directory";
    builder.create(dir).map_err(|source| Error::Io { doing, path: dir.to_owned(), source })
}

/// The real place of a directory.
pub(crate) fn canonical(dir: &Path) -> Result<PathBuf, Error> {
    let doing = "resolving the directory";
    dir.canonicalize().map_err(|source| Error::Io { doing, path: dir.to_owned(), source })
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: Option<&Path>) -> Result<(), Error> {
    let Some(dir) = dir.filter(|dir| !dir.as_os_str().is_empty()) else { return Ok(()) };
    let doing = "syncing the directory";
    std::fs::File::open(dir).and_then(|file| file.sync_all()).map_err(|source| Error::Io {
        doing,
        path: dir.to_owned(),
        source,
    })
}
