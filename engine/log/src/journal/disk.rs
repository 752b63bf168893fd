//! Where a journal lies, and its file.

use crate::Error;
use redb::StorageBackend;
use std::path::PathBuf;

/// Where a journal lies.
#[derive(Debug)]
pub(crate) enum Place {
    /// Here; the file may not be there yet.
    Path(PathBuf),
    /// In this backend, which may be empty.
    Backend(Box<dyn StorageBackend>),
    /// Here, and it is only looked at: every commit is a durable one of redb.
    Frozen(PathBuf),
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Path(path) | Self::Frozen(path) => path.clone(),
            Self::Backend(_) => PathBuf::from("journal (backend)"),
        }
    }

    pub(super) fn is_frozen(&self) -> bool {
        matches!(self, Self::Frozen(_))
    }

    /// The bytes of the journal; none where there is no file.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, Error> {
        let io = |source| Error::Io { doing: "reading", path: self.path(), source };
        match self {
            Self::Path(path) | Self::Frozen(path) => match std::fs::read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(io(error)),
            },
            Self::Backend(backend) => {
                let length = backend.len().map_err(io)?;
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
                backend.read(0, &mut bytes).map_err(io)?;
                Ok(Some(bytes))
            }
        }
    }
}

/// The file that is written.
pub(super) enum Disk {
    File(std::fs::File),
    Backend(Box<dyn StorageBackend>),
}

impl Disk {
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Self::File(file) => write_all_at(file, bytes, offset),
            Self::Backend(backend) => backend.write(offset, bytes),
        }
    }

    pub(super) fn sync(&self) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.sync_data(),
            Self::Backend(backend) => backend.sync_data(),
        }
    }

    pub(super) fn len(&self) -> std::io::Result<u64> {
        match self {
            Self::File(file) => file.metadata().map(|meta| meta.len()),
            Self::Backend(backend) => backend.len(),
        }
    }

    pub(super) fn set_len(&self, to: u64) -> std::io::Result<()> {
        match self {
            Self::File(file) => file.set_len(to),
            Self::Backend(backend) => backend.set_len(to),
        }
    }
}

#[cfg(unix)]
fn write_all_at(file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_all_at(mut file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// Makes the file longer, by zeros; returns how long it is.
pub(super) fn grow(disk: &Disk, from: u64, to: u64) -> std::io::Result<u64> {
    disk.set_len(to)?;
    let zeros = vec![0; usize::try_from(to - from).unwrap_or(0)];
    disk.write(from, &zeros)?;
    Ok(to)
}

#[cfg(unix)]
pub(super) fn private(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
pub(super) fn private(_options: &mut std::fs::OpenOptions) {}
