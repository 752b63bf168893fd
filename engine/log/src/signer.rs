//! Signing the head of the log, and remembering outside the data what was signed.
//!
//! Two files beside the project key, both outside the data directory and readable by their owner
//! only, so that a copy of the data takes neither along:
//!
//! ```text
//! <install id>.checkpoint.key    placet-checkpoint-key-v1 <64 hex digits>
//! <install id>.checkpoint.head   placet-signed-head-v1 <size> sha256:<root>
//! ```
//!
//! A log must never sign a head that does not continue what it has signed before. So the head file
//! is written, durably, **before** a signature is let go, and is read again, under a lock, before
//! the next: data that are older than it (a restored backup), or that differ from it (two copies
//! that went separate ways), are refused with [`Error::RolledBack`]. Who goes on from such data on
//! purpose says so with [`SignedHead::reset`]; a witness that saw the larger head will tell.
//!
//! With a key that is given ([`KeyPlace::Given`], for tests and logs in memory) the signing key
//! follows from it, and what was signed is remembered as long as the signer lives.

use crate::check::sha256;
use crate::checkpoint::Checkpoint;
use crate::note::{KeyKind, Note, SigningKey, VerifierKey};
use crate::project_key::{create_private_dir, read_secret, refuse_inside, write_secret};
use crate::whole::write_private;
use crate::{Error, KeyPlace, ReadView, meta};
use placet_model::Digest;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

const KEY_HEADER: &str = "placet-checkpoint-key-v1 ";
const HEAD_HEADER: &str = "placet-signed-head-v1 ";

/// The head that was signed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedHead {
    /// Events in the tree.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Digest,
}

impl SignedHead {
    /// What the log with this install id has signed last, from its file; none where it never did,
    /// or where keys are not kept in files.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a head.
    pub fn read(keys: &KeyPlace, install_id: &str) -> Result<Option<Self>, Error> {
        match keys.directory(install_id)? {
            Some(dir) => read_head(&head_file(&dir, install_id)),
            None => Ok(None),
        }
    }

    /// Says what was signed last: for a restore that gives up later events on purpose, and for
    /// nothing else. Durable before this returns.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reset(self, keys: &KeyPlace, install_id: &str) -> Result<(), Error> {
        match keys.directory(install_id)? {
            Some(dir) => {
                create_private_dir(&dir)?;
                let _lock = lock(&dir, install_id)?;
                write_head(&head_file(&dir, install_id), self)
            }
            None => Ok(()),
        }
    }

    /// Refuses a log that does not contain this head.
    ///
    /// # Errors
    /// [`Error::RolledBack`], and damage that is met on the way.
    pub fn check(&self, view: &ReadView) -> Result<(), Error> {
        let (size, signed) = (view.head().size, *self);
        if size < self.size {
            return Err(Error::RolledBack { size, root: view.head().root, signed });
        }
        let root = view.root_at(self.size)?;
        if root == self.root { Ok(()) } else { Err(Error::RolledBack { size, root, signed }) }
    }
}

/// Where the signing key and the signed head of one log are.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    install_id: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Directory { dir: PathBuf, data: Option<PathBuf> },
    Given(Zeroizing<[u8; 32]>),
    Without,
}

impl Keys {
    pub(crate) fn of(
        keys: &KeyPlace,
        install_id: [u8; 16],
        data: Option<&Path>,
    ) -> Result<Self, Error> {
        let install_id = meta::install_text(install_id);
        let place = match keys.directory(&install_id)? {
            Some(dir) => Place::Directory { dir, data: data.map(Path::to_owned) },
            None => match keys {
                KeyPlace::Given(key) => {
                    let label = b"placet-checkpoint-key-of-a-given-key-v1";
                    Place::Given(Zeroizing::new(sha256(&[label, key.as_bytes()])))
                }
                KeyPlace::Directory(_) | KeyPlace::Environment | KeyPlace::Without => {
                    Place::Without
                }
            },
        };
        Ok(Self { install_id, place })
    }

    pub(crate) fn head(&self) -> Result<Option<SignedHead>, Error> {
        match &self.place {
            Place::Directory { dir, .. } => read_head(&head_file(dir, &self.install_id)),
            Place::Given(_) | Place::Without => Ok(None),
        }
    }
}

/// Signs heads of one log.
#[derive(Debug, Clone)]
pub struct Signer {
    keys: Keys,
    key: Arc<SigningKey>,
    /// What was signed, where no file says so.
    remembered: Remembered,
}

/// The head that was signed last, shared by all signers of an open log.
pub(crate) type Remembered = Arc<Mutex<Option<SignedHead>>>;

impl Signer {
    /// Reads the key, or makes the first one of a log that has never signed anything.
    pub(crate) fn open(
        keys: Keys,
        origin: &str,
        signed_before: bool,
        remembered: Remembered,
    ) -> Result<Self, Error> {
        match &keys.place {
            Place::Directory { dir, data } => {
                let path = key_file(dir, &keys.install_id);
                match read_secret(&path, KEY_HEADER, data.as_deref()) {
                    Ok(seed) => Self::new(keys, origin, &seed, remembered),
                    Err(Error::KeyFileMissing { path }) => {
                        if signed_before || keys.head()?.is_some() {
                            return Err(Error::SigningKeyMissing { path });
                        }
                        Self::create(keys, origin, remembered)
                    }
                    Err(error) => Err(error),
                }
            }
            Place::Given(seed) => {
                let seed = seed.clone();
                Self::new(keys, origin, &seed, remembered)
            }
            Place::Without => Err(Error::Keyless),
        }
    }

    pub(crate) fn create(keys: Keys, origin: &str, remembered: Remembered) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut()).map_err(|_unspecified| Error::Random)?;
        match &keys.place {
            Place::Directory { dir, data } => {
                create_private_dir(dir)?;
                refuse_inside(dir, data.as_deref())?;
                write_secret(&key_file(dir, &keys.install_id), KEY_HEADER, &seed)?;
            }
            Place::Given(_) | Place::Without => return Err(Error::Keyless),
        }
        Self::new(keys, origin, &seed, remembered)
    }

    fn new(
        keys: Keys,
        origin: &str,
        seed: &[u8; 32],
        remembered: Remembered,
    ) -> Result<Self, Error> {
        let key = SigningKey::from_seed(origin, KeyKind::Log, seed)?;
        Ok(Self { keys, key: Arc::new(key), remembered })
    }

    /// The key that verifies what this signs.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// What was signed last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn last(&self) -> Result<Option<SignedHead>, Error> {
        match &self.keys.place {
            Place::Directory { .. } => self.keys.head(),
            Place::Given(_) | Place::Without => Ok(*self.memory()),
        }
    }

    /// Signs the head of the view. The same head signed again gives the same note.
    ///
    /// # Errors
    /// [`Error::RolledBack`] when it does not continue what was signed before; then nothing is.
    pub fn sign(&self, view: &ReadView) -> Result<Note, Error> {
        let head = SignedHead { size: view.head().size, root: view.head().root };
        match &self.keys.place {
            Place::Directory { dir, .. } => {
                let _lock = lock(dir, &self.keys.install_id)?;
                let last = self.keys.head()?;
                last.map_or(Ok(()), |last| last.check(view))?;
                if last != Some(head) {
                    write_head(&head_file(dir, &self.keys.install_id), head)?;
                }
            }
            Place::Given(_) | Place::Without => {
                let mut last = self.memory();
                last.map_or(Ok(()), |last| last.check(view))?;
                *last = Some(head);
            }
        }
        let SignedHead { size, root } = head;
        let origin = self.verifier().name().to_owned();
        let text = Checkpoint { origin, size, root }.to_string();
        let signature = self.key.sign(&text, 0);
        Ok(Note::new(text, signature))
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Option<SignedHead>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_file(dir: &Path, install_id: &str) -> PathBuf {
    dir.join(format!("{install_id}.checkpoint.key"))
}

fn head_file(dir: &Path, install_id: &str) -> PathBuf {
    dir.join(format!("{install_id}.checkpoint.head"))
}

/// Held while a head is read, compared and written: copies of the data share the key directory.
fn lock(dir: &Path, install_id: &str) -> Result<File, Error> {
    let path = dir.join(format!("{install_id}.checkpoint.lock"));
    let io = |source| Error::Io { doing: "locking", path: path.clone(), source };
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    let file = options.open(&path).map_err(io)?;
    file.lock().map_err(io)?;
    Ok(file)
}

fn read_head(path: &Path) -> Result<Option<SignedHead>, Error> {
    let doing = "reading the signed head";
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { doing, path: path.to_owned(), source }),
    };
    let parse = || {
        let (size, root) = text.strip_prefix(HEAD_HEADER)?.trim_end().split_once(' ')?;
        Some(SignedHead { size: size.parse().ok()?, root: root.parse().ok()? })
    };
    let head = parse()
        .ok_or_else(|| Error::DamagedIndex { what: format!("signed head {}", path.display()) })?;
    Ok(Some(head))
}

fn write_head(path: &Path, head: SignedHead) -> Result<(), Error> {
    write_private(path, format!("{HEAD_HEADER}{} {}\n", head.size, head.root).as_bytes())
}
