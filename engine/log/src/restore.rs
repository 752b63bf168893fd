//! Putting a backup back: into a directory of its own, whole or not at all.
//!
//! While it goes on, a marker lies in the directory and no log opens there; it is removed last, after
//! the new epoch. Whatever was cut short is begun anew, by the same command. Nothing is ever written
//! over.

use crate::backup::Manifest;
use crate::place::{self, Known, Place};
use crate::project_key::{create_private_dir, sync_dir};
use crate::whole::write_private;
use crate::{
    Error, KeyPlace, Log, OpenOptions, RESTORING_FILE, ReadView, SignedHead, Storage, Verified,
};
use placet_model::Digest;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    /// The backup; none where the data are taken as they lie.
    pub backup: Option<PathBuf>,
    /// Events that were known elsewhere and are given up.
    pub lost_to: Option<u64>,
    /// Events that the data held when it began.
    pub size: u64,
}

/// A directory in which a restore is under way.
#[derive(Debug)]
pub struct Restoring {
    dir: PathBuf,
    size: u64,
}

/// A head of the log that is known outside of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    size: u64,
    root: Digest,
}

/// Reads a backup through: its files against the manifest, and every record, payload and tree hash
/// of its log. Writes nothing there.
///
/// # Errors
/// [`Error::Backup`], and every damage, naming the position.
pub fn verify_backup(dir: &Path, keys: KeyPlace) -> Result<(Manifest, Verified), Error> {
    let manifest = Manifest::read(dir)?;
    manifest.check(dir)?;
    let options = OpenOptions::with_storage(Storage::Frozen(dir.to_owned()), &manifest.project);
    let log = Log::open(options.keys(keys))?;
    let verified = log.read()?.verify()?;
    let same = verified.events == manifest.size
        && verified.root == manifest.root
        && log.install_id() == manifest.install_id;
    if same {
        return Ok((manifest, verified));
    }
    let what = "its log is not the one that the manifest names: take another backup".to_owned();
    Err(Error::Backup { dir: dir.to_owned(), what })
}

/// The size of the largest head that is known outside of the data, where the log of this view does
/// not have it or has another root there.
///
/// # Errors
/// What the key directory says.
pub fn lost_to(view: &ReadView, keys: &KeyPlace, install_id: &str) -> Result<Option<u64>, Error> {
    let Some(dir) = keys.directory(install_id)? else { return Ok(None) };
    let placed =
        place::known(&dir, install_id)?.map(|Known { size, root, .. }| Seen { size, root });
    let mut lost = None;
    let signed = SignedHead::read(keys, install_id)?;
    let signed = signed.map(|SignedHead { size, root }| Seen { size, root });
    for seen in placed.into_iter().chain(signed) {
        let there = seen.size <= view.head().size && view.root_at(seen.size)? == seen.root;
        if !there {
            lost = lost.max(Some(seen.size.max(view.head().size)));
        }
    }
    Ok(lost)
}

/// The number of the last epoch that is known outside of the data.
///
/// # Errors
/// What the key directory says.
pub fn known_epoch(keys: &KeyPlace, install_id: &str) -> Result<u64, Error> {
    let Some(dir) = keys.directory(install_id)? else { return Ok(1) };
    Ok(place::known(&dir, install_id)?.map_or(1, |known| known.epoch))
}

impl Restoring {
    /// Begins to restore a backup into a directory that is absent or empty, or in which a restore was
    /// cut short, and copies its files. The log cannot be opened there before [`Self::finish`].
    ///
    /// # Errors
    /// [`Error::Backup`] where the directory holds anything else.
    pub fn from_backup(
        backup: &Path,
        dir: &Path,
        (manifest, lost_to): (&Manifest, Option<u64>),
    ) -> Result<Self, Error> {
        let size = manifest.size;
        create_private_dir(dir)?;
        clear(dir)?;
        let backup = backup.canonicalize().unwrap_or_else(|_| backup.to_owned());
        write_marker(dir, &Marker { backup: Some(backup.clone()), lost_to, size })?;
        for file in &manifest.files {
            let (from, to) = (backup.join(&file.name), dir.join(&file.name));
            let io = |source| Error::Io { doing: "copying to", path: to.clone(), source };
            fs::copy(&from, &to).map_err(io)?;
            make_private(&to).map_err(io)?;
            fs::File::open(&to).and_then(|file| file.sync_all()).map_err(io)?;
        }
        manifest.check(dir)?;
        sync_dir(Some(dir))?;
        Ok(Self { dir: dir.to_owned(), size })
    }

    /// Begins to take the data as they lie, as a copy.
    ///
    /// # Errors
    /// What the directory says.
    pub fn in_place(dir: &Path, (size, lost_to): (u64, Option<u64>)) -> Result<Self, Error> {
        let size = marker(dir)?.map_or(size, |earlier| earlier.size);
        write_marker(dir, &Marker { backup: None, lost_to, size })?;
        Ok(Self { dir: dir.to_owned(), size })
    }

    /// Events that the data held when it began: an epoch that begins there is this one.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// How to open its log.
    pub fn options(&self, project: &str, keys: KeyPlace) -> OpenOptions {
        OpenOptions::new(&self.dir, project).keys(keys).restoring()
    }

    /// Ends it, once the log is closed with its new epoch: what is known outside of the data is what
    /// they hold now, and the marker goes last.
    ///
    /// # Errors
    /// What the files say; it can be asked again by the same command.
    pub fn finish(self, options: OpenOptions, keys: &KeyPlace) -> Result<(), Error> {
        let log = Log::open(options)?;
        let (view, install_id) = (log.read()?, log.install_id());
        if let Some(key_dir) = keys.directory(&install_id)? {
            let head = view.head();
            if SignedHead::read(keys, &install_id)?.is_some() {
                SignedHead { size: head.size, root: head.root }.reset(keys, &install_id)?;
            }
            Place::new(&key_dir, &self.dir, log.shared().install_id)?.note(&view, &install_id)?;
        }
        drop(view);
        drop(log);
        let marker = self.dir.join(RESTORING_FILE);
        let io = |source| Error::Io { doing: "removing", path: marker.clone(), source };
        fs::remove_file(&marker).map_err(io)?;
        sync_dir(Some(&self.dir))
    }
}

/// What a marker in the directory says; none where no restore was cut short.
///
/// # Errors
/// What the file says.
pub fn marker(dir: &Path) -> Result<Option<Marker>, Error> {
    let path = dir.join(RESTORING_FILE);
    match fs::read(&path) {
        // one that was cut short itself says nothing but that it is there
        Ok(text) => Ok(Some(serde_json::from_slice(&text).unwrap_or(Marker {
            backup: None,
            lost_to: None,
            size: 0,
        }))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { doing: "reading", path, source }),
    }
}

fn write_marker(dir: &Path, marker: &Marker) -> Result<(), Error> {
    let path = dir.join(RESTORING_FILE);
    let text = serde_json::to_vec(marker);
    let io = |error: serde_json::Error| Error::Io {
        doing: "writing",
        path: path.clone(),
        source: error.into(),
    };
    write_private(&path, &text.map_err(io)?)
}

/// Removes what a restore of a backup has left half done; refuses a directory with anything else.
fn clear(dir: &Path) -> Result<(), Error> {
    let io = |source| Error::Io { doing: "looking into", path: dir.to_owned(), source };
    let ours = marker(dir)?;
    for found in fs::read_dir(dir).map_err(io)? {
        let path = found.map_err(io)?.path();
        let is_marker = path.file_name().is_some_and(|name| name == RESTORING_FILE);
        match &ours {
            Some(marker) if marker.backup.is_some() || is_marker => {}
            Some(_) | None => {
                let what = "the directory is not empty: a backup is restored into a new one, and nothing is written over; move it away, or name another with --data".to_owned();
                return Err(Error::Backup { dir: dir.to_owned(), what });
            }
        }
        if !is_marker {
            fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
